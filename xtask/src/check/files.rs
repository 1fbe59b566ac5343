//! A file is one idea: most are under 250 lines, none above 500. A crate's root says what it is
//! for. Generated files are nobody's idea and don't count.

use std::fs;
use std::path::Path;

use anyhow::Context;

use super::{Finding, shown, sources};

const USUAL_LINES: usize = 250;
const MOST_LINES: usize = 500;
const HEAD_LINES: std::ops::RangeInclusive<usize> = 4..=20;

pub fn check(root: &Path) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for folder in ["crates", "sample", "xtask", "tests"] {
        for path in sources(&root.join(folder))? {
            let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            findings.extend(check_one(&shown(root, &path), &text));
        }
    }
    Ok(findings)
}

fn check_one(file: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if text.starts_with("// @generated") {
        return findings;
    }
    let lines = text.lines().count();
    if lines > MOST_LINES {
        findings.push(Finding::Broken(format!("{file} has {lines} lines, more than {MOST_LINES}")));
    } else if lines > USUAL_LINES {
        findings.push(Finding::Notice(format!("{file} has {lines} lines")));
    }
    let is_root = file.ends_with("src/lib.rs") || file.ends_with("src/main.rs");
    let head = text.lines().take_while(|line| line.starts_with("//!")).count();
    if is_root && !HEAD_LINES.contains(&head) {
        findings.push(Finding::Broken(format!(
            "{file} opens with {head} lines of what it is for, not with {} to {}",
            HEAD_LINES.start(),
            HEAD_LINES.end()
        )));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_files_and_silent_roots_are_found() {
        let long = "x\n".repeat(501);
        assert!(matches!(check_one("a.rs", &long)[..], [Finding::Broken(_)]));
        assert!(matches!(check_one("a.rs", &"x\n".repeat(300))[..], [Finding::Notice(_)]));
        assert!(check_one("a.rs", &format!("// @generated\n{long}")).is_empty());
        assert_eq!(check_one("crates/a/src/lib.rs", "//! A.\n").len(), 1);
        assert!(check_one("crates/a/src/lib.rs", &"//! A.\n".repeat(6)).is_empty());
    }
}
