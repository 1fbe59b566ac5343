//! Who waits for whom, and whether anybody waits for himself.

use std::collections::{BTreeMap, BTreeSet};

/// The names on a cycle, in the order of the arrows, if there is one. Arrows to names that have no
/// arrows of their own end there.
pub(super) fn cycle<'a>(arrows: &BTreeMap<&'a str, Vec<&'a str>>) -> Option<Vec<&'a str>> {
    let mut done = BTreeSet::new();
    arrows.keys().find_map(|start| {
        let mut path = Vec::new();
        walk(start, arrows, &mut path, &mut done)
    })
}

/// Depth first; as deep as there are containers in a task, of which there are ten.
fn walk<'a>(
    at: &'a str,
    arrows: &BTreeMap<&'a str, Vec<&'a str>>,
    path: &mut Vec<&'a str>,
    done: &mut BTreeSet<&'a str>,
) -> Option<Vec<&'a str>> {
    if let Some(first) = path.iter().position(|name| *name == at) {
        return Some(path[first..].to_vec());
    }
    if done.contains(at) {
        return None;
    }
    path.push(at);
    let found = arrows.get(at).into_iter().flatten().find_map(|next| walk(next, arrows, path, done));
    path.pop();
    done.insert(at);
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn arrows(pairs: &[(&'static str, &'static str)]) -> BTreeMap<&'static str, Vec<&'static str>> {
        let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (from, to) in pairs {
            all.entry(*from).or_default().push(*to);
        }
        all
    }

    #[test]
    fn cycles_are_found_and_named() {
        assert_eq!(cycle(&arrows(&[("a", "a")])), Some(vec!["a"]));
        assert_eq!(cycle(&arrows(&[("a", "b"), ("b", "c"), ("c", "b")])), Some(vec!["b", "c"]));
        assert_eq!(cycle(&arrows(&[("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")])), None);
        assert_eq!(cycle(&arrows(&[("a", "nobody")])), None);
    }

    const NAMES: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Arrows that only go up the alphabet can't close a circle; one that goes back to the start of
        /// a chain does.
        #[test]
        fn only_cycles_are_cycles(pairs in proptest::collection::vec((0..10usize, 0..10usize), 0..30)) {
            let up: Vec<_> =
                pairs.iter().filter(|(from, to)| from < to).map(|(f, t)| (NAMES[*f], NAMES[*t])).collect();
            prop_assert_eq!(cycle(&arrows(&up)), None);
            if let Some((from, to)) = up.first().copied() {
                let mut closed = up.clone();
                closed.push((to, from));
                let found = cycle(&arrows(&closed)).expect("there is one");
                for (index, name) in found.iter().enumerate() {
                    let next = found[(index + 1) % found.len()];
                    prop_assert!(closed.contains(&(*name, next)));
                }
            }
        }
    }
}
