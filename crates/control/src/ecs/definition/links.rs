//! Containers that name other containers: `links` and `volumesFrom`.

use std::collections::BTreeMap;

use wire::Error;

use super::graph;
use super::proposed::{Proposed, name};
use super::refusal::{invalid_setting, own, said};

pub(super) fn check(proposed: &Proposed<'_>) -> Result<(), Error> {
    let mut arrows: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for container in proposed.containers {
        for link in container.links.iter().flatten() {
            // `container` or `container:alias` (API reference, ContainerDefinition.links).
            let (target, alias) = link.split_once(':').unwrap_or((link, link));
            if target.is_empty() || alias.is_empty() {
                return Err(invalid_setting("links", name(container)));
            }
            if proposed.container(target).is_none() {
                return Err(own(format!("Invalid 'links' setting. Unknown container: '{target}'.")));
            }
            arrows.entry(name(container)).or_default().push(target);
        }
    }
    if graph::cycle(&arrows).is_some() {
        return Err(said("Container links should not have a cycle"));
    }
    check_volumes_from(proposed)
}

fn check_volumes_from(proposed: &Proposed<'_>) -> Result<(), Error> {
    let mut arrows: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for container in proposed.containers {
        for from in container.volumes_from.iter().flatten() {
            let source = from.source_container.as_deref().unwrap_or_default();
            if proposed.container(source).is_none() {
                return Err(said(format!("Invalid 'volumesFrom' setting. Unknown container: '{source}'")));
            }
            arrows.entry(name(container)).or_default().push(source);
        }
    }
    match graph::cycle(&arrows) {
        None => Ok(()),
        Some(names) => Err(own(format!(
            "Invalid 'volumesFrom' setting. The containers {} take volumes from one another.",
            names.join(", ")
        ))),
    }
}
