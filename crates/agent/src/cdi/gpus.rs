//! Which GPUs the specifications name. Pure.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::{Loaded, Named};

/// The name that vendors' tools give to all of their devices together.
const ALL: &str = "all";

/// The devices of GPUs, each by the specification that counts: that of the last directory. A name that two files of one
/// directory have is nobody's.
pub fn devices(loaded: &[Loaded]) -> (Vec<Named<'_>>, Vec<String>) {
    let of_gpus = loaded.iter().filter(|one| one.spec.is_of_gpus());
    let all: Vec<Named<'_>> =
        of_gpus.flat_map(|of| of.spec.devices.iter().map(move |device| Named { device, of })).collect();
    let (mut named, mut doubtful) = (Vec::<Named<'_>>::new(), BTreeSet::new());
    for one in &all {
        let same = |other: &&Named<'_>| {
            other.device.name == one.device.name && other.of.spec.kind == one.of.spec.kind
        };
        let best = all.iter().filter(same).map(|other| other.of.rank).max().unwrap_or_default();
        match all.iter().filter(same).filter(|other| other.of.rank == best).count() {
            1 if one.of.rank == best => named.push(*one),
            1 => {}
            _ => drop(doubtful.insert(one.name())),
        }
    }
    (named, doubtful.into_iter().collect())
}

/// The id of each GPU, in the order in which they are named first.
///
/// Names for the same device nodes are one GPU: NVIDIA's tool writes each under its number and its UUID, and the device
/// plugin of Kubernetes the same once more under a kind of its own. It is called by the longest name of the shortest
/// kind: a UUID says which GPU it is also when others have been taken out. One that is `held` keeps the name by which it
/// was given: under another it would be given once more. Names for the nodes of several others together are none.
pub fn gpus(named: &[Named<'_>], held: &[String]) -> Vec<String> {
    let mut groups: Vec<(BTreeSet<&str>, Vec<Named<'_>>)> = Vec::new();
    for one in named.iter().filter(|one| one.device.name != ALL) {
        let edits = &one.device.container_edits;
        let nodes: BTreeSet<&str> = edits.device_nodes.iter().map(|node| node.on_the_machine()).collect();
        // Without nodes of its own, nothing says that it is another's.
        match groups.iter_mut().find(|(known, _)| !nodes.is_empty() && *known == nodes) {
            Some((_, names)) => names.push(*one),
            None => groups.push((nodes, vec![*one])),
        }
    }
    let is_several = |nodes: &BTreeSet<&str>| {
        let within = |(other, _): &&(BTreeSet<&str>, _)| {
            !other.is_empty() && other.len() < nodes.len() && other.is_subset(nodes)
        };
        groups.iter().filter(within).count() > 1
    };
    let id = |names: &[Named<'_>]| {
        let order = |one: &&Named<'_>| {
            let (kind, name) = (one.of.spec.kind.clone(), one.device.name.clone());
            (!held.contains(&one.name()), kind.len(), kind, Reverse(name.len()), name)
        };
        names.iter().min_by_key(order).map(Named::name)
    };
    groups.iter().filter(|(nodes, _)| !is_several(nodes)).filter_map(|(_, names)| id(names)).collect()
}
