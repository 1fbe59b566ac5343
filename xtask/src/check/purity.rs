//! Pure means pure: `model`, `plan`, `iam` and `wire` do no I/O and read no clock; all but `wire` have
//! no collection whose order differs from run to run. `clippy.toml` in these three bans the calls, where types can tell; this bans the names, where text can.

use std::fs;
use std::path::Path;

use anyhow::Context;

use super::{Finding, shown, sources};

const CLOCKS_AND_IO: &[&str] = &[
    "SystemTime",
    "Instant::now",
    "now_utc",
    "std::fs",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "std::process",
    "std::env",
    "std::thread",
    "tokio",
];

/// Hash maps are iterated in another order in each process.
const UNORDERED: &[&str] = &["HashMap", "HashSet", "thread_rng", "rand::rng", "Uuid::new_v4"];

pub fn check(root: &Path) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for (name, deterministic) in [("model", true), ("plan", true), ("iam", true), ("wire", false)] {
        for path in sources(&root.join("crates").join(name).join("src"))? {
            let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            findings.extend(check_one(&shown(root, &path), &text, deterministic));
        }
    }
    for name in ["model", "plan", "iam"] {
        if !root.join("crates").join(name).join("clippy.toml").exists() {
            findings.push(Finding::Broken(format!("crates/{name} has no clippy.toml")));
        }
    }
    Ok(findings)
}

fn check_one(file: &str, text: &str, deterministic: bool) -> Vec<Finding> {
    let unordered = if deterministic { UNORDERED } else { &[] };
    let banned: Vec<&str> = CLOCKS_AND_IO.iter().chain(unordered).copied().collect();
    let mut findings = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        for name in banned.iter().filter(|name| code.contains(**name)) {
            let text = format!("{file}:{} names {name}: pure code takes it as an argument", number + 1);
            findings.push(Finding::Broken(text));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_checked_and_comments_are_not() {
        let text = "//! never tokio\nuse std::fs;\nlet now = SystemTime::now(); // tokio\n";
        assert_eq!(check_one("x.rs", text, false).len(), 2);
        assert_eq!(check_one("x.rs", "use std::collections::HashMap;", true).len(), 1);
        assert!(check_one("x.rs", "use std::collections::HashMap;", false).is_empty());
    }
}
