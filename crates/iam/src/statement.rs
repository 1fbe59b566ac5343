//! One statement of a policy: whom it is about, which actions, which resources, and when.

use crate::{
    Principal,
    condition::Condition,
    evaluate::{Keys, Request},
    pattern::Pattern,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Allow,
    Deny,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Statement {
    pub effect: Effect,
    /// `None`: in a policy of a key, whose owner is meant.
    pub principals: Option<Principals>,
    pub actions: Patterns,
    /// `None`: in a policy of a repository, which is meant.
    pub resources: Option<Patterns>,
    pub conditions: Vec<Condition>,
}

/// `Action` or `NotAction`, `Resource` or `NotResource`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Patterns {
    pub are_excluded: bool,
    pub list: Vec<Pattern>,
}

impl Patterns {
    fn mean(&self, text: &str, keys: &Keys) -> bool {
        self.list.iter().any(|pattern| pattern.matches(text, keys)) != self.are_excluded
    }
}

/// `Principal` or `NotPrincipal`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Principals {
    pub are_excluded: bool,
    pub list: Vec<Named>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    Everybody,
    /// An account, by its number or its root user's ARN.
    Account(String),
    Arn(String),
    /// A service of AWS, a federated identity: nobody that could ask here.
    Nobody,
}

/// How a statement means somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Meant {
    Not,
    /// Only as one of an account. That allows nothing by itself: it leaves it to the policies that the account
    /// gives (IAM user guide, "AWS account principals"). It denies, though.
    ByAccount,
    InPerson,
}

impl Principals {
    fn mean(&self, principal: &Principal) -> Meant {
        let named = self.list.iter().map(|named| named.means(principal)).max().unwrap_or(Meant::Not);
        match (self.are_excluded, named) {
            (false, named) => named,
            (true, Meant::Not) => Meant::InPerson,
            (true, _) => Meant::Not,
        }
    }
}

impl Named {
    fn means(&self, principal: &Principal) -> Meant {
        match self {
            Named::Everybody => Meant::InPerson,
            Named::Account(account) if *account == principal.account => Meant::ByAccount,
            Named::Arn(arn) if *arn == principal.arn() || *arn == principal.issuer_arn() => Meant::InPerson,
            Named::Account(_) | Named::Arn(_) | Named::Nobody => Meant::Not,
        }
    }
}

impl Statement {
    /// How the statement means who asks, if it is about the request.
    pub fn means(&self, request: &Request<'_>) -> Meant {
        let Request { principal, action, resource, keys } = request;
        let meant = self.principals.as_ref().map_or(Meant::InPerson, |list| list.mean(principal));
        // Actions are the same however their letters are written; resources are not.
        let applies = self.actions.mean(&action.to_ascii_lowercase(), keys)
            && self.resources.as_ref().is_none_or(|list| list.mean(resource, keys))
            && self.conditions.iter().all(|condition| condition.holds(keys));
        if applies { meant } else { Meant::Not }
    }
}
