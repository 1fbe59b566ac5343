//! Who asks.

use std::fmt;
use std::sync::Arc;

use crate::Policy;

/// Who sends a request, with the policy that says what they may do.
#[derive(Clone, Debug, PartialEq)]
pub struct Principal {
    /// Twelve digits.
    pub account: String,
    pub kind: Kind,
}

/// What is allowed because of what is so at the moment, where no policy could say it.
pub trait Grant: fmt::Debug + Send + Sync + 'static {
    fn allows(&self, action: &str, resource: &str) -> bool;
}

#[derive(Clone, Debug)]
pub struct Granted(pub Arc<dyn Grant>);

impl PartialEq for Granted {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// The account's root user: allowed whatever no policy of a resource denies.
    Root,
    /// Allowed what a policy allows. Without one of its own, what those of resources do.
    User { name: String, policy: Option<Arc<Policy>> },
    /// The agent of one container instance. What it may do follows from what is on the instance, and nothing else
    /// gives or denies it anything.
    Instance { id: String, granted: Granted },
    /// A task, by its role. Allowed what a policy allows, like a user.
    Role { name: String, session: String, policy: Option<Arc<Policy>> },
    /// The agent, which fetches what tasks need: of the house, so no policy is asked.
    Agent,
}

impl Principal {
    pub fn root(account: &str) -> Self {
        Self { account: account.to_owned(), kind: Kind::Root }
    }

    /// As `sts GetCallerIdentity` and policies name them.
    pub fn arn(&self) -> String {
        match &self.kind {
            Kind::Root => format!("arn:aws:iam::{}:root", self.account),
            Kind::User { name, .. } => format!("arn:aws:iam::{}:user/{name}", self.account),
            Kind::Instance { id, .. } => {
                format!("arn:aws:sts::{}:assumed-role/longshore-instance/{id}", self.account)
            }
            Kind::Role { name, session, .. } => {
                format!("arn:aws:sts::{}:assumed-role/{name}/{session}", self.account)
            }
            Kind::Agent => format!("arn:aws:iam::{}:role/longshore-agent", self.account),
        }
    }

    /// The ARN of who stands behind a session: the role; of anybody else, their own.
    pub fn issuer_arn(&self) -> String {
        match &self.kind {
            Kind::Role { name, .. } => format!("arn:aws:iam::{}:role/{name}", self.account),
            Kind::Root | Kind::User { .. } | Kind::Instance { .. } | Kind::Agent => self.arn(),
        }
    }
}
