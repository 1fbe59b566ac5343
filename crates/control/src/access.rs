//! Policies of resources, as the services that keep them tell.

use std::fmt;
use std::sync::Arc;

use iam::Policy;

/// What a service knows of a resource of its own that decides about access to it.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    /// Those of the resource, and of what it lies in.
    pub policies: Vec<Arc<Policy>>,
    /// Condition keys about it, such as its tags.
    pub keys: Vec<(String, String)>,
}

/// Tells of the resources of the services beside ECS. Of ECS's own none has a policy.
pub trait ResourcePolicies: fmt::Debug + Send + Sync + 'static {
    /// `service`: as in actions. `resource`: an ARN, or `*`.
    fn guard(&self, service: &str, account: &str, region: &str, resource: &str) -> Guard;
}

/// No resource has a policy.
#[derive(Debug)]
pub struct Nothing;

impl ResourcePolicies for Nothing {
    fn guard(&self, _: &str, _: &str, _: &str, _: &str) -> Guard {
        Guard::default()
    }
}
