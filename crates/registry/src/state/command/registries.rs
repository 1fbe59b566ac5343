//! What is set for a registry as a whole.

use super::{Command, Decision, Refusal};
use crate::state::{
    entities::{RegistrySettings, Scope},
    index::{Change, Index},
};

/// Replaces a registry's settings, unless the edit refuses; gives what that gives.
pub struct ChangeRegistry<F> {
    pub scope: Scope,
    pub edit: F,
}

impl<F, T> Command for ChangeRegistry<F>
where
    F: FnOnce(&mut RegistrySettings) -> Result<T, Refusal> + Send + 'static,
    T: Send + 'static,
{
    type Outcome = T;

    fn decide(self, index: &Index) -> Result<Decision<T>, Refusal> {
        let mut settings = index.registry(&self.scope).cloned().unwrap_or_default();
        let outcome = (self.edit)(&mut settings)?;
        Ok(Decision::new(vec![Change::PutRegistry(self.scope, settings)], outcome))
    }
}
