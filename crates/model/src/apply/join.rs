//! Machines that join by a token: each use is decided here, in the commit that makes the key, so that of two machines
//! with one token that may be used once, one joins.

use super::Draft;
use crate::{command::Join, entity::*, event::Event, ids::InstanceId, refusal::Refusal};
use std::sync::Arc;

impl Draft {
    /// Tokens that have ended make room.
    pub(super) fn create_join_token(&mut self, new: &JoinToken) -> Result<(), Refusal> {
        self.need_active_cluster(&new.cluster)?;
        let ended: Vec<_> =
            self.world.join_tokens().filter(|t| t.expires_at_ms <= self.now_ms).cloned().collect();
        for token in ended {
            self.emit(Event::JoinTokenForgotten(token.cluster.scope.clone(), token.id.clone()));
        }
        self.emit(Event::JoinTokenRecorded(Arc::new(new.clone())));
        Ok(())
    }

    /// Keys that no instance has registered with go as well.
    pub(super) fn revoke_join_token(&mut self, id: &Arc<str>) -> Result<(), Refusal> {
        let token = self.world.join_token(id).cloned().ok_or(Refusal::JoinTokenUnknown)?;
        self.emit(Event::JoinTokenForgotten(token.cluster.scope.clone(), id.clone()));
        let unused: Vec<_> = self
            .world
            .instance_keys()
            .filter(|key| key.token == *id && self.world.instance(key.instance).is_none())
            .cloned()
            .collect();
        unused.iter().for_each(|key| self.end_key(key));
        Ok(())
    }

    pub(super) fn join(&mut self, join: &Join) -> Result<(), Refusal> {
        let made = self.world.instance_key_of_attempt(&join.attempt);
        if made.is_some_and(|key| key.token == join.token) {
            return Ok(());
        }
        let token = self.world.join_token(&join.token).filter(|token| token.secret_hash == join.secret_hash);
        let token = token.cloned().ok_or(Refusal::JoinTokenUnknown)?;
        if token.expires_at_ms <= self.now_ms {
            return Err(Refusal::JoinTokenExpired(token.expires_at_ms));
        }
        let Some(uses_left) = token.uses_left.checked_sub(1) else { return Err(Refusal::JoinTokenUsed) };
        self.need_active_cluster(&token.cluster)?;
        self.emit(Event::InstanceKeyMade(Arc::new(InstanceKey {
            id: join.key.clone(),
            cluster: token.cluster.clone(),
            instance: join.instance,
            token: token.id.clone(),
            attempt: join.attempt.clone(),
            made_at_ms: self.now_ms,
        })));
        self.emit(Event::JoinTokenRecorded(Arc::new(JoinToken { uses_left, ..JoinToken::clone(&token) })));
        Ok(())
    }

    /// An instance that is no more signs nothing.
    pub(super) fn end_key_of(&mut self, instance: InstanceId) {
        if let Some(key) = self.world.instance_key_of(instance).cloned() {
            self.end_key(&key);
        }
    }

    fn end_key(&mut self, key: &InstanceKey) {
        self.emit(Event::InstanceKeyEnded(key.cluster.scope.clone(), key.id.clone()));
    }
}
