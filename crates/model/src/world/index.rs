use imbl::{OrdMap, OrdSet};

/// Sets by key; a set without members isn't kept, so that equal contents are equal indexes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Index<K: Ord + Clone, V: Ord + Clone>(OrdMap<K, OrdSet<V>>);

impl<K: Ord + Clone, V: Ord + Clone> Default for Index<K, V> {
    fn default() -> Self {
        Self(OrdMap::new())
    }
}

impl<K: Ord + Clone, V: Ord + Clone> Index<K, V> {
    pub fn insert(&mut self, key: K, value: V) {
        self.0.entry(key).or_default().insert(value);
    }

    pub fn remove(&mut self, key: &K, value: &V) {
        if let Some(set) = self.0.get_mut(key) {
            set.remove(value);
            if set.is_empty() {
                self.0.remove(key);
            }
        }
    }

    /// `None` where there is no member.
    pub fn set(&self, key: &K) -> Option<&OrdSet<V>> {
        self.0.get(key)
    }

    /// Members in their order.
    pub fn of<'a>(&'a self, key: &K) -> impl Iterator<Item = &'a V> + use<'a, K, V> {
        self.0.get(key).into_iter().flatten()
    }
}
