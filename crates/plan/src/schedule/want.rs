use model::{ClusterKey, DefinitionRef, LaunchType, Size};
use std::collections::BTreeMap;

/// A task that is to have a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    pub cluster: ClusterKey,
    pub definition: DefinitionRef,
    pub launch_type: LaunchType,
    /// The size after overrides; `None` takes the definition's.
    pub size: Option<Size>,
}

/// The wants' numbers, those that ask for the same together.
pub(super) fn groups(wants: &[Want]) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (index, want) in wants.iter().enumerate() {
        let size = want.size.map(|size| (size.cpu, size.memory_mib));
        groups.entry((&want.cluster, &want.definition, want.launch_type, size)).or_default().push(index);
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort();
    groups
}
