//! The command line that containerd's shim v2 convention fixes
//! (containerd, `core/runtime/v2/README.md`, "Commands"): Go-style flags, then one action.

use std::path::PathBuf;

/// What the caller wants of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Find or start the serving process of the bundle's group and print its address.
    Start,
    /// Remove what a dead shim, or a create that failed, left behind.
    Delete,
}

/// The parsed command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Args {
    /// Namespace of the container's id; part of the socket's name and of the state directory.
    pub namespace: String,
    /// The container's id.
    pub id: String,
    /// The bundle. Only `delete` is given it as a flag; else it is the working directory.
    pub bundle: Option<PathBuf>,
    /// Log more than warnings.
    pub debug: bool,
    pub action: Action,
}

/// Why a command line is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CliError {
    #[error("unknown flag {0:?}")]
    UnknownFlag(String),
    #[error("flag {0:?} needs a value")]
    MissingValue(String),
    #[error("action {0:?} is unknown; it is start or delete")]
    UnknownAction(String),
    #[error("an action is missing: start or delete")]
    NoAction,
    #[error("more than one action is given")]
    TwoActions,
    #[error("{flag} {value:?}: {why}")]
    BadId { flag: &'static str, value: String, why: &'static str },
}

/// Parses the arguments after the program's name. `-flag value`, `--flag value` and `-flag=value` are the same,
/// as they are for Go's flag package.
pub fn parse<I: IntoIterator<Item = String>>(args: I) -> Result<Args, CliError> {
    let (mut namespace, mut id, mut bundle, mut debug, mut action) = (None, None, None, false, None);
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let Some(flag) = arg.strip_prefix("--").or_else(|| arg.strip_prefix('-')) else {
            let found = match arg.as_str() {
                "start" => Action::Start,
                "delete" => Action::Delete,
                _ => return Err(CliError::UnknownAction(arg)),
            };
            if action.replace(found).is_some() {
                return Err(CliError::TwoActions);
            }
            continue;
        };
        let (name, inline) = match flag.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (flag, None),
        };
        if name == "debug" {
            debug = inline.as_deref() != Some("false");
            continue;
        }
        let value = match inline {
            Some(value) => value,
            None => args.next().ok_or_else(|| CliError::MissingValue(arg.clone()))?,
        };
        match name {
            "namespace" => namespace = Some(value),
            "id" => id = Some(value),
            "bundle" => bundle = Some(PathBuf::from(value)),
            // Where the daemon listens and the program that publishes for it: events go to TTRPC_ADDRESS instead.
            "address" | "publish-binary" | "socket" => {}
            _ => return Err(CliError::UnknownFlag(arg)),
        }
    }
    Ok(Args {
        namespace: checked("-namespace", namespace.unwrap_or_default())?,
        id: checked("-id", id.unwrap_or_default())?,
        bundle: bundle.filter(|b| !b.as_os_str().is_empty()),
        debug,
        action: action.ok_or(CliError::NoAction)?,
    })
}

fn checked(flag: &'static str, value: String) -> Result<String, CliError> {
    match id_fault(&value) {
        Some(why) => Err(CliError::BadId { flag, value, why }),
        None => Ok(value),
    }
}

/// Why `id` can't be a container's id or a namespace, if it can't. Ids become file names, so the rule is
/// containerd's (`pkg/identifiers`): up to 76 letters, digits, `-`, `_`, `.`, not beginning with a separator.
pub fn id_fault(id: &str) -> Option<&'static str> {
    if id.is_empty() {
        Some("must not be empty")
    } else if id.len() > 76 {
        Some("must not be longer than 76 characters")
    } else if !id.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        Some("must begin with a letter or a digit")
    } else if !id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')) {
        Some("may hold only letters, digits, '-', '_' and '.'")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Result<Args, CliError> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn containerds_lines_are_read() {
        let start =
            args("-namespace default -id c1 -address /run/c.sock -publish-binary /usr/bin/containerd start");
        assert_eq!(
            start,
            Ok(Args {
                namespace: "default".into(),
                id: "c1".into(),
                bundle: None,
                debug: false,
                action: Action::Start
            })
        );
        let delete = args("--namespace=default -debug --id=c1 -bundle /b delete").unwrap();
        assert_eq!(delete.action, Action::Delete);
        assert_eq!(delete.bundle.as_deref(), Some(std::path::Path::new("/b")));
        assert!(delete.debug);
    }

    #[test]
    fn bad_lines_are_refused() {
        assert_eq!(args("-namespace a -id b"), Err(CliError::NoAction));
        assert_eq!(args("-namespace a -id b start delete"), Err(CliError::TwoActions));
        assert_eq!(args("-namespace a -id"), Err(CliError::MissingValue("-id".into())));
        assert!(matches!(args("-namespace a -id ../x start"), Err(CliError::BadId { .. })));
        assert!(matches!(args("-namespace a start"), Err(CliError::BadId { .. })));
        assert!(matches!(args("-what a start"), Err(CliError::UnknownFlag(_))));
        assert!(matches!(args("-namespace a -id b stop"), Err(CliError::UnknownAction(_))));
    }
}
