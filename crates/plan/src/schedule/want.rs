use model::{ClusterKey, DefinitionRef, LaunchType, Size};
use std::{collections::BTreeMap, sync::Arc};

/// A task that is to have a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    pub cluster: ClusterKey,
    pub definition: DefinitionRef,
    pub launch_type: LaunchType,
    /// The size after overrides; `None` takes the definition's.
    pub size: Option<Size>,
    /// How many GPUs after overrides; `None` takes the definition's.
    pub gpus: Option<usize>,
    /// Of the capacity provider strategy; `None` where a launch type was asked for.
    pub capacity_provider: Option<Arc<str>>,
}

/// The wants' numbers, those that ask for the same together.
pub(super) fn groups(wants: &[Want]) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (index, want) in wants.iter().enumerate() {
        let size = want.size.map(|size| (size.cpu, size.memory_mib));
        let key =
            (&want.cluster, &want.definition, want.launch_type, size, want.gpus, &want.capacity_provider);
        groups.entry(key).or_default().push(index);
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort();
    groups
}
