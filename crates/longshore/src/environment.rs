//! `longshore env`: what points AWS's clients at this Longshore.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::cli::{EnvArgs, EnvFormat};
use crate::data_dir::Key;
use crate::site::Site;

pub fn environment(site: &Site, args: &EnvArgs) -> Result<ExitCode> {
    let keys = site.keys()?;
    let key = match &args.key {
        None if args.agent => keys.agent,
        None => keys.user,
        Some(name) => named(site, name)?,
    };
    let ca = site.dir.ca();
    print!("{}", shown(&site.endpoint()?, Some(&ca), &keys.region, &key, args.format));
    if site.dir.running()?.is_none() {
        eprintln!("longshore: note: the server isn't running; `{}` starts it", site.call("up"));
    }
    Ok(ExitCode::SUCCESS)
}

fn named(site: &Site, name: &str) -> Result<Key> {
    let found = site.dir.named_keys()?.into_iter().find(|key| key.name == name);
    match found {
        Some(found) => Ok(found.key),
        None => bail!(
            "there is no key {name:?}; `{}` makes one",
            site.call(&format!("key create {}", quoted(name)))
        ),
    }
}

/// What points AWS's clients at an endpoint, with a key. `ca`: whom they are to trust where it is spoken to over TLS.
pub fn shown(endpoint: &str, ca: Option<&Path>, region: &str, key: &Key, format: EnvFormat) -> String {
    let ca = ca.filter(|_| endpoint.starts_with("https://")).map(Path::to_string_lossy);
    let mut variables = vec![
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_REGION", region),
        ("AWS_DEFAULT_REGION", region),
        ("AWS_ACCESS_KEY_ID", &key.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", &key.secret_access_key),
        // StartLiveTail would go to `stream-` before our host, a name that an address can't have.
        ("AWS_DISABLE_HOST_PREFIX_INJECTION", "true"),
    ];
    variables.extend(ca.as_deref().map(|ca| ("AWS_CA_BUNDLE", ca)));
    render(&variables, format)
}

fn render(variables: &[(&str, &str)], format: EnvFormat) -> String {
    // A token of other credentials would go along with ours and be refused.
    let stale = "AWS_SESSION_TOKEN";
    match format {
        EnvFormat::Sh => {
            let lines = variables.iter().map(|(name, value)| format!("export {name}={}\n", quoted(value)));
            lines.collect::<String>() + &format!("unset {stale}\n")
        }
        EnvFormat::Fish => {
            let lines =
                variables.iter().map(|(name, value)| format!("set -gx {name} {}\n", quoted_for_fish(value)));
            lines.collect::<String>() + &format!("set -e {stale}\n")
        }
        EnvFormat::Docker => variables.iter().map(|(name, value)| format!("{name}={value}\n")).collect(),
        EnvFormat::Json => {
            let map: serde_json::Map<String, serde_json::Value> =
                variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
            format!("{:#}\n", serde_json::Value::from(map))
        }
    }
}

/// A word of a POSIX shell (XCU 2.2.2: within single quotes everything stands for itself).
pub fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// In fish's single quotes, backslash and quote are escaped.
fn quoted_for_fish(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRICKY: &[&str] =
        &["", "plain", "a b", "it's", "$(reboot)", "`x`", "a\nb", "\\", "ü", "-n", "\"", "~", "*"];

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        for text in TRICKY {
            let script = format!("printf %s {}", quoted(text));
            let output = std::process::Command::new("sh").arg("-c").arg(&script).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), *text, "{script}");
        }
    }

    #[test]
    fn formats() {
        let variables = [("A", "http://h:1"), ("B", "x y'z")];
        insta::assert_snapshot!(render(&variables, EnvFormat::Sh), @r"
        export A=http://h:1
        export B='x y'\''z'
        unset AWS_SESSION_TOKEN
        ");
        insta::assert_snapshot!(render(&variables, EnvFormat::Fish), @r"
        set -gx A 'http://h:1'
        set -gx B 'x y\'z'
        set -e AWS_SESSION_TOKEN
        ");
        insta::assert_snapshot!(render(&variables, EnvFormat::Docker), @r"
        A=http://h:1
        B=x y'z
        ");
        insta::assert_snapshot!(render(&variables, EnvFormat::Json), @r#"
        {
          "A": "http://h:1",
          "B": "x y'z"
        }
        "#);
    }
}
