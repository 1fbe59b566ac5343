//! Who may join, and the keys of those who have.

use super::World;
use crate::{entity::*, ids::InstanceId};
use std::sync::Arc;

impl World {
    pub(crate) fn put_join_token(&mut self, token: Arc<JoinToken>) {
        self.join_tokens.insert(token.id.clone(), token);
    }

    pub(crate) fn put_instance_key(&mut self, key: Arc<InstanceKey>) {
        self.keys_of_instances.insert(key.instance, key.id.clone());
        self.keys_of_attempts.insert(key.attempt.clone(), key.id.clone());
        self.instance_keys.insert(key.id.clone(), key);
    }

    pub(crate) fn remove_instance_key(&mut self, id: &Arc<str>) {
        if let Some(key) = self.instance_keys.remove(id) {
            self.keys_of_instances.remove(&key.instance);
            self.keys_of_attempts.remove(&key.attempt);
        }
    }

    /// By their ids; those that have ended or were used up among them.
    pub fn join_tokens(&self) -> impl Iterator<Item = &Arc<JoinToken>> {
        self.join_tokens.values()
    }

    pub fn join_token(&self, id: &str) -> Option<&Arc<JoinToken>> {
        self.join_tokens.get(id)
    }

    pub fn instance_keys(&self) -> impl Iterator<Item = &Arc<InstanceKey>> {
        self.instance_keys.values()
    }

    pub fn instance_key(&self, id: &str) -> Option<&Arc<InstanceKey>> {
        self.instance_keys.get(id)
    }

    pub fn instance_key_of(&self, instance: InstanceId) -> Option<&Arc<InstanceKey>> {
        self.keys_of_instances.get(&instance).and_then(|id| self.instance_keys.get(id))
    }

    pub fn instance_key_of_attempt(&self, attempt: &str) -> Option<&Arc<InstanceKey>> {
        self.keys_of_attempts.get(attempt).and_then(|id| self.instance_keys.get(id))
    }
}
