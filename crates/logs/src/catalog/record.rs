//! How the catalog is kept: one JSON text a group and a stream.
//!
//! ```text
//! next-id                            the next id of a group or stream
//! group/<account>/<region>/<name>    a group's settings (its name may contain slashes)
//! stream/<group id, hex>/<name>      a stream
//! ```

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use imbl::OrdMap;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use store::{Batch, Entry};

use super::state::{Group, GroupKey, State, Stream};
use crate::error::LogsError;

const NEXT_ID: &str = "next-id";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupRecord {
    id: u64,
    created_ms: i64,
    class: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retention_days: Option<i32>,
    #[serde(default)]
    deletion_protection: bool,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StreamRecord {
    id: u64,
    created_ms: i64,
}

fn group_key(key: &GroupKey) -> String {
    format!("group/{}/{}/{}", key.account, key.region, key.name)
}

fn stream_key(group: u64, name: &str) -> String {
    format!("stream/{group:016x}/{name}")
}

fn json(record: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(record).expect("a record has string keys only, so it always is JSON")
}

pub(super) fn put_next_id(batch: &mut Batch, id: u64) {
    batch.put(NEXT_ID, json(&id));
}

pub(super) fn put_group(batch: &mut Batch, key: &GroupKey, group: &Group) {
    let record = GroupRecord {
        id: group.id,
        created_ms: group.created_ms,
        class: group.class.clone(),
        retention_days: group.retention_days,
        deletion_protection: group.deletion_protection,
        tags: group.tags.clone(),
    };
    batch.put(group_key(key), json(&record));
}

pub(super) fn delete_group(batch: &mut Batch, key: &GroupKey) {
    batch.delete(group_key(key));
}

pub(super) fn put_stream(batch: &mut Batch, group: u64, name: &str, stream: &Stream) {
    let record = StreamRecord { id: stream.id, created_ms: stream.created_ms };
    batch.put(stream_key(group, name), json(&record));
}

pub(super) fn delete_stream(batch: &mut Batch, group: u64, name: &str) {
    batch.delete(stream_key(group, name));
}

/// The catalog from every entry of the store.
pub(super) fn load(entries: &[Entry]) -> Result<State, LogsError> {
    let mut next_id = 1;
    let mut groups: Vec<(GroupKey, Group)> = Vec::new();
    let mut streams: HashMap<u64, OrdMap<String, Stream>> = HashMap::new();
    for entry in entries {
        let unknown = || LogsError::Key { key: entry.key.clone() };
        if entry.key == NEXT_ID {
            next_id = parse(entry)?;
        } else if let Some(rest) = entry.key.strip_prefix("group/") {
            let mut parts = rest.splitn(3, '/').map(str::to_owned);
            let mut part = || parts.next().ok_or_else(unknown);
            let key = GroupKey { account: part()?, region: part()?, name: part()? };
            let record: GroupRecord = parse(entry)?;
            groups.push((key, group(record)));
        } else if let Some(rest) = entry.key.strip_prefix("stream/") {
            let (id, name) = rest.split_once('/').ok_or_else(unknown)?;
            let id = u64::from_str_radix(id, 16).map_err(|_| unknown())?;
            let record: StreamRecord = parse(entry)?;
            let stream = Stream { id: record.id, created_ms: record.created_ms };
            streams.entry(id).or_default().insert(name.to_owned(), stream);
        } else {
            return Err(unknown());
        }
    }
    let complete = |(key, mut group): (GroupKey, Group)| {
        group.streams = streams.remove(&group.id).unwrap_or_default();
        (key, Arc::new(group))
    };
    Ok(State { next_id, groups: groups.into_iter().map(complete).collect() })
}

fn group(record: GroupRecord) -> Group {
    Group {
        id: record.id,
        created_ms: record.created_ms,
        class: record.class,
        retention_days: record.retention_days,
        deletion_protection: record.deletion_protection,
        tags: record.tags,
        streams: OrdMap::new(),
    }
}

fn parse<T: DeserializeOwned>(entry: &Entry) -> Result<T, LogsError> {
    serde_json::from_slice(&entry.value)
        .map_err(|source| LogsError::Record { key: entry.key.clone(), source })
}
