//! The registry's policies, as the control plane asks for them.

use std::fmt;

use control::access::{Guard, ResourcePolicies};
use registry::Registry;

pub(super) struct OfRegistry(pub Registry);

impl fmt::Debug for OfRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OfRegistry")
    }
}

impl ResourcePolicies for OfRegistry {
    fn guard(&self, service: &str, account: &str, region: &str, resource: &str) -> Guard {
        if service != wire::ecr::SERVICE.name {
            return Guard::default();
        }
        let registry::Guard { policies, keys } = self.0.guard(account, region, resource);
        Guard { policies, keys }
    }
}
