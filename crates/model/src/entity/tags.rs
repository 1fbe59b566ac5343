use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Most tags a resource may have (ECS API reference, TagResource).
pub const TAGS_ALLOWED: usize = 50;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    pub key: Box<str>,
    /// A tag may have a key alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Box<str>>,
}

/// Tags in the order they were first given; keys are unique. Cloning shares them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tags(Option<Arc<[Tag]>>);

impl Tags {
    /// Later entries with the same key take the place of earlier ones.
    pub fn new(tags: impl IntoIterator<Item = Tag>) -> Self {
        Self::default().with(tags)
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Tag> {
        self.0.as_deref().unwrap_or_default().iter()
    }

    pub fn len(&self) -> usize {
        self.iter().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// These tags with `tags` added or replaced.
    pub fn with(&self, tags: impl IntoIterator<Item = Tag>) -> Self {
        let mut all: Vec<Tag> = self.iter().cloned().collect();
        for tag in tags {
            match all.iter_mut().find(|known| known.key == tag.key) {
                Some(known) => *known = tag,
                None => all.push(tag),
            }
        }
        Self((!all.is_empty()).then(|| all.into()))
    }

    /// These tags without `keys`; keys that aren't there are passed over.
    pub fn without(&self, keys: &[Box<str>]) -> Self {
        Self::new(self.iter().filter(|tag| !keys.contains(&tag.key)).cloned())
    }
}
