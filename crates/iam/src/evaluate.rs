//! Whether a request is allowed (IAM user guide, "Policy evaluation logic", within one account).

use std::{collections::BTreeMap, net::IpAddr};

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    Kind, Policy, Principal,
    statement::{Effect, Meant},
};

/// What somebody asks for.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub principal: &'a Principal,
    /// `ecr:PutImage`
    pub action: &'a str,
    /// An ARN, or `*` for what no single resource is concerned by.
    pub resource: &'a str,
    pub keys: &'a Keys,
}

/// What conditions can ask of a request: `aws:SourceIp`, `ecs:cluster`. Names know no case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys(BTreeMap<String, Vec<String>>);

/// What the keys of every request are made from.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    pub principal: &'a Principal,
    pub access_key_id: &'a str,
    pub region: &'a str,
    pub source: Option<IpAddr>,
    pub user_agent: Option<&'a str>,
    /// Whether the request came over TLS.
    pub secure: bool,
}

impl Keys {
    /// The keys that every request has (IAM user guide, "AWS global condition context keys").
    pub fn of(caller: &Caller<'_>, now_ms: u64) -> Keys {
        let Caller { principal, access_key_id, region, source, user_agent, secure } = *caller;
        let mut keys = Keys::default();
        keys.put("aws:PrincipalArn", principal.issuer_arn());
        keys.put("aws:PrincipalAccount", principal.account.as_str());
        keys.put("aws:ResourceAccount", principal.account.as_str());
        keys.put("aws:RequestedRegion", region);
        keys.put("aws:SecureTransport", secure.to_string());
        match &principal.kind {
            Kind::User { name, .. } => {
                keys.put("aws:username", name.as_str());
                keys.put("aws:userid", access_key_id);
                keys.put("aws:PrincipalType", "User");
            }
            Kind::Root => {
                keys.put("aws:userid", principal.account.as_str());
                keys.put("aws:PrincipalType", "Account");
            }
            Kind::Role { session, .. } => {
                keys.put("aws:userid", format!("{access_key_id}:{session}"));
                keys.put("aws:PrincipalType", "AssumedRole");
            }
            Kind::Agent | Kind::Instance { .. } => keys.put("aws:PrincipalType", "AssumedRole"),
        }
        let seconds = now_ms / 1000;
        keys.put("aws:EpochTime", seconds.to_string());
        let now = i64::try_from(seconds).ok().and_then(|s| OffsetDateTime::from_unix_timestamp(s).ok());
        if let Some(text) = now.and_then(|now| now.format(&Rfc3339).ok()) {
            keys.put("aws:CurrentTime", text);
        }
        if let Some(source) = source {
            keys.put("aws:SourceIp", source.to_canonical().to_string());
        }
        if let Some(agent) = user_agent {
            keys.put("aws:UserAgent", agent);
        }
        keys
    }

    /// Adds a value of a key.
    pub fn put(&mut self, key: &str, value: impl Into<String>) {
        self.0.entry(key.to_ascii_lowercase()).or_default().push(value.into());
    }

    pub(crate) fn get(&self, key: &str) -> Option<&[String]> {
        self.0.get(key).map(Vec::as_slice)
    }

    pub(crate) fn single(&self, key: &str) -> Option<&str> {
        match self.get(key) {
            Some([value]) => Some(value),
            _ => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    Allowed,
    Denied(Denial),
}

impl Decision {
    pub fn is_allowed(&self) -> bool {
        *self == Decision::Allowed
    }
}

/// Why not, in IAM's words (IAM user guide, "Troubleshoot access denied error messages").
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("User: {principal} is not authorized to perform: {action} on resource: {resource} {reason}")]
pub struct Denial {
    pub principal: String,
    pub action: String,
    pub resource: String,
    pub reason: Reason,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    #[error("with an explicit deny in an identity-based policy")]
    DeniedByIdentity,
    #[error("with an explicit deny in a resource-based policy")]
    DeniedByResource,
    #[error("because no identity-based policy allows the {0} action")]
    NotAllowed(String),
}

/// Who may ask who they are: anybody, and no policy can deny it (STS API reference, `GetCallerIdentity`).
const NEVER_DENIED: &str = "sts:GetCallerIdentity";
/// A registry's password opens only what its owner's policies do, so anybody may have one unless it is denied.
const DENIED_ONLY_EXPLICITLY: &str = "ecr:GetAuthorizationToken";

/// What no policy denies the root user, so that nobody is locked out of what is theirs for ever.
const NEVER_DENIED_TO_ROOT: &[&str] = &["ecr:DeleteRepositoryPolicy", "ecr:DeleteRegistryPolicy"];

/// `of_resource`: the policies of the resource and of what it lies in.
pub fn evaluate(request: &Request<'_>, of_resource: &[&Policy]) -> Decision {
    let Request { principal, action, resource, .. } = *request;
    if action == NEVER_DENIED || principal.kind == Kind::Agent {
        return Decision::Allowed;
    }
    if principal.kind == Kind::Root && NEVER_DENIED_TO_ROOT.contains(&action) {
        return Decision::Allowed;
    }
    let denied = |reason| {
        Decision::Denied(Denial {
            principal: principal.arn(),
            action: action.to_owned(),
            resource: resource.to_owned(),
            reason,
        })
    };
    if let Kind::Instance { granted, .. } = &principal.kind {
        return match granted.0.allows(action, resource) {
            true => Decision::Allowed,
            false => denied(Reason::NotAllowed(action.to_owned())),
        };
    }
    let own = match &principal.kind {
        Kind::User { policy, .. } | Kind::Role { policy, .. } => policy.as_deref(),
        Kind::Root | Kind::Agent | Kind::Instance { .. } => None,
    };
    if own.is_some_and(|policy| most(policy, Effect::Deny, request) > Meant::Not) {
        return denied(Reason::DeniedByIdentity);
    }
    if of_resource.iter().any(|policy| most(policy, Effect::Deny, request) > Meant::Not) {
        return denied(Reason::DeniedByResource);
    }
    let allowed = principal.kind == Kind::Root
        || action == DENIED_ONLY_EXPLICITLY
        || own.is_some_and(|policy| most(policy, Effect::Allow, request) > Meant::Not)
        || of_resource.iter().any(|policy| most(policy, Effect::Allow, request) == Meant::InPerson);
    match allowed {
        true => Decision::Allowed,
        false => denied(Reason::NotAllowed(action.to_owned())),
    }
}

/// How near a statement of that effect comes to the request.
fn most(policy: &Policy, effect: Effect, request: &Request<'_>) -> Meant {
    let statements = policy.statements.iter().filter(|statement| statement.effect == effect);
    statements.map(|statement| statement.means(request)).max().unwrap_or(Meant::Not)
}
