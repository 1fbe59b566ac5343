//! Every seed and everything that was ever found, through its target.

use std::fs;
use std::path::Path;

fn replay(folder: &str, name: &str, target: fuzz::Target) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(name);
    let Ok(entries) = fs::read_dir(&folder) else { return 0 };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in &files {
        // The last line before a failure says which it was.
        eprintln!("{}", file.display());
        target(&fs::read(file).unwrap());
    }
    files.len()
}

#[test]
fn seeds_and_findings_hold() {
    for (name, target) in fuzz::TARGETS {
        assert!(replay("corpus", name, *target) > 0, "{name} has no seeds");
        replay("findings", name, *target);
    }
}

/// The same bytes for every target, cut anywhere: what needs no fuzzer to be found.
#[test]
fn a_seed_of_another_target_cut_short_breaks_nothing() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut seeds = Vec::new();
    for (name, _) in fuzz::TARGETS {
        for entry in fs::read_dir(corpus.join(name)).unwrap() {
            seeds.push(fs::read(entry.unwrap().path()).unwrap());
        }
    }
    for (_, target) in fuzz::TARGETS {
        for seed in &seeds {
            for parts in [1, 2, 3, 7] {
                target(&seed[..seed.len() / parts]);
            }
        }
    }
}

#[test]
fn a_name_that_is_none_has_no_target() {
    assert!(fuzz::target("").is_none() && fuzz::target("nothing").is_none());
}
