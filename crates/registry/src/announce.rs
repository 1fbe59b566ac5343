//! What is pushed and deleted is told as EventBridge's events (ECR user guide, "Amazon ECR events and EventBridge"), put
//! into an outbox in the commit that made the change. They follow from the changes alone, whoever asked for them.

use std::fmt;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    clock::rfc3339,
    digest::Digest,
    name::Tag,
    state::{
        entities::RepositoryKey,
        index::{Change, Index},
    },
};

const SOURCE: &str = "aws.ecr";
const IMAGE_ACTION: &str = "ECR Image Action";

/// Who is told of changes. It is asked within the registry's writer, so it answers from memory.
pub trait Audience: fmt::Debug + Send + Sync {
    /// Whether an event of that source and type may be wanted: asked before it is made.
    fn wants(&self, account: &str, region: &str, source: &str, detail_type: &str) -> bool;

    /// Whether this very event is wanted.
    fn takes(&self, account: &str, region: &str, event: &Value) -> bool;
}

/// Nobody is told anything.
#[derive(Debug)]
pub struct Nobody;

impl Audience for Nobody {
    fn wants(&self, _: &str, _: &str, _: &str, _: &str) -> bool {
        false
    }

    fn takes(&self, _: &str, _: &str, _: &Value) -> bool {
        false
    }
}

pub type SharedAudience = Arc<dyn Audience>;

/// One image that came or went, under a tag or without.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Action {
    key: RepositoryKey,
    kind: &'static str,
    digest: Digest,
    tag: Option<Tag>,
}

/// The messages for the outbox. `before`: the state that the changes are made to.
pub(crate) fn messages(
    audience: &dyn Audience,
    before: &Index,
    changes: &[Change],
    now_ms: u64,
) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    for action in actions(before, changes) {
        let scope = &action.key.scope;
        if !audience.wants(&scope.account, &scope.region, SOURCE, IMAGE_ACTION) {
            continue;
        }
        let event = event(&action, now_ms);
        if audience.takes(&scope.account, &scope.region, &event) {
            let home = wire::arn::Home { region: &scope.region, account: &scope.account };
            let about = home.repository(action.key.name.as_str());
            messages.push(json!({"about": about, "event": event}).to_string().into_bytes());
        }
    }
    messages
}

fn event(action: &Action, now_ms: u64) -> Value {
    let Action { key, kind, digest, tag } = action;
    let mut detail = json!({
        "result": "SUCCESS",
        "repository-name": key.name.as_str(),
        "image-digest": digest.as_str(),
        "action-type": kind,
    });
    if let Some(tag) = tag {
        detail["image-tag"] = tag.as_str().into();
    }
    json!({
        "version": "0",
        "id": uuid::Uuid::new_v4().to_string(),
        "detail-type": IMAGE_ACTION,
        "source": SOURCE,
        "account": key.scope.account,
        "time": rfc3339(now_ms),
        "region": key.scope.region,
        "resources": [],
        "detail": detail,
    })
}

/// A manifest with tags is told once for each of them.
fn actions(before: &Index, changes: &[Change]) -> Vec<Action> {
    let image =
        |key: &RepositoryKey, digest: &Digest| before.repository(key).and_then(|r| r.manifests.get(digest));
    let stood_at = |key: &RepositoryKey, tag: &Tag| {
        before
            .repository(key)
            .and_then(|repository| repository.tags.get(tag))
            .map(|record| record.digest.clone())
    };
    let mut actions = Vec::new();
    for change in changes {
        let (key, kind, digest, tag) = match change {
            Change::PutTag(key, tag, record) => (key, "PUSH", record.digest.clone(), Some(tag.clone())),
            Change::PutManifest(key, digest, record) => {
                let tagged = |other: &Change| matches!(other, Change::PutTag(k, _, r) if k == key && r.digest == *digest);
                // That it was pulled is a change of its record too.
                let known = image(key, digest).is_some_and(|known| known.media_type == record.media_type);
                if known || changes.iter().any(tagged) {
                    continue;
                }
                (key, "PUSH", digest.clone(), None)
            }
            Change::DeleteTag(key, tag) => match stood_at(key, tag) {
                Some(digest) => (key, "DELETE", digest, Some(tag.clone())),
                None => continue,
            },
            Change::DeleteManifest(key, digest) => {
                let untagged = |other: &Change| matches!(other, Change::DeleteTag(k, tag) if k == key && stood_at(k, tag).as_ref() == Some(digest));
                if changes.iter().any(untagged) {
                    continue;
                }
                (key, "DELETE", digest.clone(), None)
            }
            _ => continue,
        };
        actions.push(Action { key: key.clone(), kind, digest, tag });
    }
    actions
}
