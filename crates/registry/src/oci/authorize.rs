//! What a request to `/v2/` needs, in the names of ECR's API, and whether who sends it may.
//!
//! The needs are those of the ECR user guide ("IAM permissions for pushing an image", "… for pulling an image").
//! Where two questions give the same answer, either right will do: who may download a layer, or put an image,
//! may ask whether it is there.

use std::net::IpAddr;

use http::Method;
use iam::{Caller, Decision, Denial, Keys, Principal, Request};
use wire::Scheme;

use super::{Asked, OciError, target::Target};
use crate::{
    Shared,
    auth::{access::Right, request::Visitor},
    name::RepositoryName,
    state::entities::{RepositoryKey, Scope},
};

const PULL_MANIFEST: &str = "ecr:BatchGetImage";
const PULL_BLOB: &str = "ecr:GetDownloadUrlForLayer";
const CHECK_BLOB: &str = "ecr:BatchCheckLayerAvailability";
const BEGIN: &str = "ecr:InitiateLayerUpload";
const UPLOAD: &str = "ecr:UploadLayerPart";
const COMPLETE: &str = "ecr:CompleteLayerUpload";
const PUT: &str = "ecr:PutImage";
const DELETE: &str = "ecr:BatchDeleteImage";
const LIST: &str = "ecr:ListImages";
const LIST_REFERRERS: &str = "ecr:ListImageReferrers";
const DESCRIBE: &str = "ecr:DescribeRepositories";
const CREATE: &str = "ecr:CreateRepository";
const REPLICATE: &str = "ecr:ReplicateImage";
const IMPORT: &str = "ecr:BatchImportUpstreamImage";

/// Each group must be allowed by one of its actions.
type Needs = &'static [&'static [&'static str]];

/// What a request needs of a repository, and what a bearer token must open for it.
fn needs<'t>(
    method: &Method,
    target: &'t Target,
    is_whole: bool,
    is_mount: bool,
) -> Option<(&'t RepositoryName, Right, Needs)> {
    let (right, needs): (_, Needs) = match (method.as_str(), target) {
        ("GET" | "HEAD", Target::Tags(_)) => (Right::Pull, &[&[LIST]]),
        ("GET" | "HEAD", Target::Referrers(..)) => (Right::Pull, &[&[PULL_MANIFEST, LIST_REFERRERS]]),
        ("GET", Target::Manifest(..)) => (Right::Pull, &[&[PULL_MANIFEST]]),
        ("HEAD", Target::Manifest(..)) => (Right::Pull, &[&[PULL_MANIFEST, PUT]]),
        ("GET", Target::Blob(..)) => (Right::Pull, &[&[PULL_BLOB]]),
        ("HEAD", Target::Blob(..)) => (Right::Pull, &[&[CHECK_BLOB, PULL_BLOB]]),
        ("POST", Target::Uploads(_)) if is_mount => (Right::Push, &[&[BEGIN], &[COMPLETE]]),
        ("POST", Target::Uploads(_)) if is_whole => (Right::Push, &[&[BEGIN], &[UPLOAD], &[COMPLETE]]),
        ("POST", Target::Uploads(_)) => (Right::Push, &[&[BEGIN]]),
        ("GET" | "HEAD" | "PATCH", Target::Upload(..)) => (Right::Push, &[&[UPLOAD]]),
        ("PUT", Target::Upload(..)) => (Right::Push, &[&[UPLOAD], &[COMPLETE]]),
        // Who may begin one may give it up.
        ("DELETE", Target::Upload(..)) => (Right::Push, &[&[BEGIN]]),
        ("PUT", Target::Manifest(..)) => (Right::Push, &[&[PUT]]),
        ("DELETE", Target::Manifest(..) | Target::Blob(..)) => (Right::Delete, &[&[DELETE]]),
        _ => return None,
    };
    target.repository().map(|name| (name, right, needs))
}

/// What a client must ask the token endpoint for to do this.
pub(super) fn wanted<'t>(method: &Method, target: &'t Target) -> Option<(&'t RepositoryName, Right)> {
    needs(method, target, false, false).map(|(name, right, _)| (name, right))
}

/// Refuses what the sender may not. Before anything is looked up: a repository that is somebody else's looks the
/// same to them whether or not it is there.
pub(super) fn check(asked: &Asked, method: &Method, target: &Target) -> Result<(), Refused> {
    if *target == Target::Catalog {
        let opens = asked.sender.access().is_none_or(|access| access.opens_catalog());
        return if opens { Ok(()) } else { Err(Refused::TooNarrow) };
    }
    let (is_whole, is_mount) = (asked.parameter("digest").is_some(), asked.parameter("mount").is_some());
    let Some((name, right, needs)) = needs(method, target, is_whole, is_mount) else { return Ok(()) };
    if !asked.sender.opens(name, right) {
        return Err(Refused::TooNarrow);
    }
    needs.iter().try_for_each(|actions| asked.allow(name, actions)).map_err(Refused::Denied)
}

/// Why a request is refused whose sender is known.
pub(super) enum Refused {
    /// The bearer token was asked for something else.
    TooNarrow,
    Denied(Denial),
}

/// Who sends a request, and what decides about it.
pub(super) struct Sender {
    visitor: Visitor,
    principal: Principal,
    keys: Keys,
}

impl Sender {
    /// `None`: their key is no more.
    pub fn of(
        shared: &Shared,
        visitor: Visitor,
        source: Option<IpAddr>,
        scheme: Scheme,
        agent: Option<&str>,
    ) -> Option<Self> {
        let owner = &visitor.owner;
        let principal = shared.principals.find(&owner.access_key_id, &owner.scope.account)?;
        let caller = Caller {
            principal: &principal,
            access_key_id: &owner.access_key_id,
            region: &owner.scope.region,
            source,
            user_agent: agent,
            secure: scheme == Scheme::Https,
        };
        let keys = Keys::of(&caller, shared.now_ms());
        Some(Self { visitor, principal, keys })
    }

    pub fn scope(&self) -> &Scope {
        &self.visitor.owner.scope
    }

    fn access(&self) -> Option<&crate::auth::access::Access> {
        self.visitor.access.as_ref()
    }

    fn opens(&self, name: &RepositoryName, right: Right) -> bool {
        self.access().is_none_or(|access| access.opens(name, right))
    }
}

impl Asked {
    /// One of the actions must be allowed; else the refusal is the first one's.
    fn allow(&self, name: &RepositoryName, actions: &[&str]) -> Result<(), Denial> {
        let key = RepositoryKey { scope: self.sender.scope().clone(), name: name.clone() };
        let resource = crate::ecr::arn(&key);
        let guard = self.shared.writer.index().guard(&key.scope, &resource);
        let mut keys = self.sender.keys.clone();
        guard.keys.iter().for_each(|(key, value)| keys.put(key, value.as_str()));
        let policies: Vec<_> = guard.policies.iter().map(|policy| &**policy).collect();
        let mut refusal = None;
        for action in actions {
            let request =
                Request { principal: &self.sender.principal, action, resource: &resource, keys: &keys };
            match iam::evaluate(&request, &policies) {
                Decision::Allowed => return Ok(()),
                Decision::Denied(denial) => refusal = refusal.or(Some(denial)),
            }
        }
        refusal.map_or(Ok(()), Err)
    }

    /// Whether the catalogue shows the repository.
    pub(super) fn may_see(&self, name: &RepositoryName) -> bool {
        self.allow(name, &[DESCRIBE, LIST, PULL_MANIFEST]).is_ok()
    }

    /// Whether a blob of that repository may be mounted elsewhere: it must be open to who could download it.
    pub(super) fn may_pull(&self, name: &RepositoryName) -> bool {
        self.sender.opens(name, Right::Pull) && self.allow(name, &[PULL_BLOB]).is_ok()
    }

    /// Whether a pull of the sender's is noted at the image.
    pub(super) fn pull_is_recorded(&self) -> bool {
        let index = self.shared.writer.index();
        let settings = index.registry(self.sender.scope());
        settings.is_none_or(|settings| !settings.unrecorded.contains_key(&self.sender.principal.arn()))
    }

    /// Whether a pull of the sender's may bring an image here, and make its repository (ECR user guide, "IAM permissions
    /// required to sync an upstream registry").
    pub(super) fn may_import(&self, name: &RepositoryName, is_new: bool) -> Result<(), OciError> {
        self.allow(name, &[IMPORT]).map_err(|denial| OciError::denied(&denial))?;
        if is_new { self.may_create(name) } else { Ok(()) }
    }

    /// Whether what the sender brings counts as replicated, with a repository of its own where there is none.
    pub(super) fn may_replicate(&self, name: &RepositoryName) -> Result<(), OciError> {
        self.allow(name, &[REPLICATE]).map_err(|denial| OciError::denied(&denial))
    }

    pub(super) fn may_create(&self, name: &RepositoryName) -> Result<(), OciError> {
        self.allow(name, &[CREATE]).map_err(|denial| OciError::denied(&denial))
    }
}
