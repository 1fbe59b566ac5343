//! Who may import whom: downwards only.

use std::fs;
use std::path::Path;

use anyhow::Context;

use super::Finding;

/// Crate folder, and the crates of ours that it may name.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("model", &[]),
    ("iam", &[]),
    ("shim", &[]),
    ("plan", &["model"]),
    ("store", &["model"]),
    ("agent", &["wire"]),
    ("registry", &["wire", "store", "iam"]),
    ("logs", &["wire", "store"]),
    ("events", &["wire", "store"]),
    ("control", &["wire", "model", "plan", "store", "iam"]),
    ("load", &["wire"]),
    ("torture", &["wire"]),
    ("s3", &[]),
    ("simulation", &["model", "plan", "store"]),
    ("fuzz", &["wire", "registry", "agent"]),
    (
        "longshore",
        &["wire", "model", "plan", "store", "control", "registry", "logs", "events", "agent", "iam"],
    ),
];

pub fn check(root: &Path) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    // Tests that kill and that measure judge the product from outside, and share only the wire with it; the simulation
    // has the deciding crates as they are, and nothing of the shell.
    for name in ["load", "s3", "simulation", "torture"] {
        let path = root.join("tests").join(name).join("Cargo.toml");
        let manifest = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        findings.extend(check_one(name, &manifest));
    }
    let folder = root.join("crates");
    for entry in fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let Ok(manifest) = fs::read_to_string(entry.path().join("Cargo.toml")) else { continue };
        findings.extend(check_one(&name, &manifest));
    }
    Ok(findings)
}

fn check_one(name: &str, manifest: &str) -> Vec<Finding> {
    let Some((_, allowed)) = MAY_IMPORT.iter().find(|(have, _)| *have == name) else {
        return vec![Finding::Broken(format!(
            "crates/{name} is not in the import table of xtask/src/check/imports.rs"
        ))];
    };
    let ours = MAY_IMPORT.iter().map(|(name, _)| *name);
    let imported = dependencies(manifest);
    ours.filter(|other| *other != name && imported.contains(other) && !allowed.contains(other))
        .map(|other| Finding::Broken(format!("crates/{name} imports {other}")))
        .collect()
}

/// Names in the tables of dependencies, those of tests among them.
fn dependencies(manifest: &str) -> Vec<&str> {
    let mut inside = false;
    let mut names = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if let Some(table) = line.strip_prefix('[') {
            let table = table.trim_end_matches(']');
            inside = table.ends_with("dependencies");
            // [dependencies.wire]
            if let Some((_, name)) = table.rsplit_once("dependencies.") {
                names.push(name);
            }
        } else if inside && !line.starts_with('#') {
            let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
            if !name.is_empty() {
                names.push(name);
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_dependency_counts() {
        let manifest = "[package]\nname = \"plan\"\n[dependencies]\nmodel.workspace = true\n\
                        # wire\nserde = \"1\"\n[dev-dependencies]\nstore = { path = \"x\" }\n\
                        [target.'cfg(unix)'.dependencies.agent]\nworkspace = true\n";
        assert_eq!(dependencies(manifest), ["model", "serde", "store", "agent"]);
        let broken: Vec<String> =
            check_one("plan", manifest).into_iter().map(|finding| format!("{finding:?}")).collect();
        assert_eq!(broken.len(), 2);
        assert!(broken[0].contains("imports store"));
        assert!(broken[1].contains("imports agent"));
    }

    #[test]
    fn a_crate_must_be_in_the_table() {
        assert_eq!(check_one("new", "").len(), 1);
        assert!(check_one("wire", "[dependencies]\nserde = \"1\"\n").is_empty());
    }
}
