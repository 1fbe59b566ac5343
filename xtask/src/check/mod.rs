//! `cargo xtask check`: the rules of the house that no compiler knows. Text only, no build.
//!
//! A broken rule fails; a file above the usual length is only mentioned.

mod files;
mod imports;
mod purity;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// What a rule found.
#[derive(Debug, PartialEq, Eq)]
pub enum Finding {
    Broken(String),
    Notice(String),
}

pub fn run(root: &Path) -> anyhow::Result<()> {
    let mut findings = imports::check(root)?;
    findings.extend(purity::check(root)?);
    findings.extend(files::check(root)?);
    let mut broken = 0;
    for finding in &findings {
        match finding {
            Finding::Broken(text) => {
                broken += 1;
                println!("broken: {text}");
            }
            Finding::Notice(text) => println!("note: {text}"),
        }
    }
    if broken > 0 {
        bail!("{broken} rules of the house are broken");
    }
    Ok(())
}

/// Every Rust source below `folder`, sorted; nothing where there is no such folder.
fn sources(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut queue = vec![folder.to_owned()];
    while let Some(folder) = queue.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.with_context(|| format!("reading {}", folder.display()))?.path();
            if path.is_dir() {
                queue.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// `path` as a person in the workspace writes it.
fn shown(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}
