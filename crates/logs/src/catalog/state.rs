//! The groups and streams as they stand, and the rules of changing them. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use imbl::OrdMap;
use store::Batch;

use super::record;
use crate::stream::StreamId;

/// CloudWatch Logs' quota: tags of a log group.
pub(crate) const MAX_TAGS: usize = 50;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct GroupKey {
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) name: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) id: u64,
    pub(crate) created_ms: i64,
    /// As the API spells it.
    pub(crate) class: String,
    pub(crate) retention_days: Option<i32>,
    pub(crate) deletion_protection: bool,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) streams: OrdMap<String, Stream>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stream {
    pub(crate) id: u64,
    pub(crate) created_ms: i64,
}

impl Group {
    pub(crate) fn stream_id(&self, stream: &Stream) -> StreamId {
        StreamId { group: self.id, stream: stream.id }
    }

    pub(crate) fn stream_ids(&self) -> impl Iterator<Item = StreamId> + '_ {
        self.streams.values().map(|stream| self.stream_id(stream))
    }

    /// Events before this time have expired. `None`: they never do.
    pub(crate) fn expired_before_ms(&self, now_ms: i64) -> Option<i64> {
        const DAY_MS: i64 = 24 * 60 * 60 * 1000;
        self.retention_days.map(|days| now_ms.saturating_sub(i64::from(days) * DAY_MS))
    }
}

/// Everything, as one value that is cheap to clone: readers keep the one they got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// Ids of groups and streams alike; each is given once.
    pub(crate) next_id: u64,
    pub(crate) groups: OrdMap<GroupKey, Arc<Group>>,
}

#[derive(Clone, Debug)]
pub(crate) struct NewGroup {
    pub(crate) class: String,
    pub(crate) deletion_protection: bool,
    pub(crate) tags: BTreeMap<String, String>,
}

/// What somebody wants changed about one group.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    CreateGroup(NewGroup),
    DeleteGroup,
    CreateStream { name: String },
    DeleteStream { name: String },
    SetRetention { days: Option<i32> },
    SetDeletionProtection { on: bool },
    Tag { tags: BTreeMap<String, String> },
    Untag { keys: Vec<String> },
}

/// What is left to do once the change is durable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Done {
    /// Streams whose events are to be removed.
    pub(crate) removed_streams: Vec<StreamId>,
    /// A group whose directory is to be removed.
    pub(crate) removed_group: Option<u64>,
}

/// Why a change is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("The specified log group already exists")]
    GroupExists,
    #[error("The specified log group does not exist.")]
    NoGroup,
    #[error("The specified log stream already exists")]
    StreamExists,
    #[error("The specified log stream does not exist.")]
    NoStream,
    #[error("The log group has deletion protection; turn it off before you delete from it.")]
    Protected,
    #[error("A log group can have no more than {MAX_TAGS} tags.")]
    TooManyTags,
}

impl From<Refusal> for wire::Error {
    fn from(refusal: Refusal) -> wire::Error {
        let code = match refusal {
            Refusal::GroupExists | Refusal::StreamExists => "ResourceAlreadyExistsException",
            Refusal::NoGroup | Refusal::NoStream => "ResourceNotFoundException",
            Refusal::Protected => "ValidationException",
            Refusal::TooManyTags => "TooManyTagsException",
        };
        wire::Error::new(code, refusal.to_string())
    }
}

impl State {
    pub(crate) fn group(&self, key: &GroupKey) -> Result<&Arc<Group>, Refusal> {
        self.groups.get(key).ok_or(Refusal::NoGroup)
    }

    /// The groups of an account and region, by name, from the first name not less than `from`.
    pub(crate) fn groups_from<'s>(
        &'s self,
        account: &'s str,
        region: &'s str,
        from: &str,
    ) -> impl Iterator<Item = (&'s GroupKey, &'s Arc<Group>)> {
        let start =
            GroupKey { account: account.to_owned(), region: region.to_owned(), name: from.to_owned() };
        self.groups.range(start..).take_while(move |(key, _)| key.account == account && key.region == region)
    }

    /// Makes the change here and adds its keys to `batch`, or refuses and changes neither.
    pub(crate) fn change(
        &mut self,
        key: &GroupKey,
        change: &Change,
        now_ms: i64,
        batch: &mut Batch,
    ) -> Result<Done, Refusal> {
        match change {
            Change::CreateGroup(new) => self.create_group(key, new, now_ms, batch),
            Change::DeleteGroup => self.delete_group(key, batch),
            Change::CreateStream { name } => self.create_stream(key, name, now_ms, batch),
            Change::DeleteStream { name } => self.delete_stream(key, name, batch),
            _ => {
                let group = self.groups.get(key).ok_or(Refusal::NoGroup)?;
                let mut group = Group::clone(group);
                adjust(&mut group, change)?;
                record::put_group(batch, key, &group);
                self.groups.insert(key.clone(), Arc::new(group));
                Ok(Done::default())
            }
        }
    }

    fn create_group(
        &mut self,
        key: &GroupKey,
        new: &NewGroup,
        now_ms: i64,
        batch: &mut Batch,
    ) -> Result<Done, Refusal> {
        if self.groups.contains_key(key) {
            return Err(Refusal::GroupExists);
        }
        if new.tags.len() > MAX_TAGS {
            return Err(Refusal::TooManyTags);
        }
        let group = Group {
            id: self.take_id(batch),
            created_ms: now_ms,
            class: new.class.clone(),
            retention_days: None,
            deletion_protection: new.deletion_protection,
            tags: new.tags.clone(),
            streams: OrdMap::new(),
        };
        record::put_group(batch, key, &group);
        self.groups.insert(key.clone(), Arc::new(group));
        Ok(Done::default())
    }

    fn delete_group(&mut self, key: &GroupKey, batch: &mut Batch) -> Result<Done, Refusal> {
        let group = self.groups.get(key).ok_or(Refusal::NoGroup)?;
        if group.deletion_protection {
            return Err(Refusal::Protected);
        }
        record::delete_group(batch, key);
        group.streams.keys().for_each(|name| record::delete_stream(batch, group.id, name));
        let done = Done { removed_streams: group.stream_ids().collect(), removed_group: Some(group.id) };
        self.groups.remove(key);
        Ok(done)
    }

    fn create_stream(
        &mut self,
        key: &GroupKey,
        name: &str,
        now_ms: i64,
        batch: &mut Batch,
    ) -> Result<Done, Refusal> {
        let mut group = Group::clone(self.groups.get(key).ok_or(Refusal::NoGroup)?);
        if group.streams.contains_key(name) {
            return Err(Refusal::StreamExists);
        }
        let stream = Stream { id: self.take_id(batch), created_ms: now_ms };
        record::put_stream(batch, group.id, name, &stream);
        group.streams.insert(name.to_owned(), stream);
        self.groups.insert(key.clone(), Arc::new(group));
        Ok(Done::default())
    }

    fn delete_stream(&mut self, key: &GroupKey, name: &str, batch: &mut Batch) -> Result<Done, Refusal> {
        let mut group = Group::clone(self.groups.get(key).ok_or(Refusal::NoGroup)?);
        if group.deletion_protection {
            return Err(Refusal::Protected);
        }
        let stream = group.streams.remove(name).ok_or(Refusal::NoStream)?;
        record::delete_stream(batch, group.id, name);
        let done = Done { removed_streams: vec![group.stream_id(&stream)], removed_group: None };
        self.groups.insert(key.clone(), Arc::new(group));
        Ok(done)
    }

    fn take_id(&mut self, batch: &mut Batch) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        record::put_next_id(batch, self.next_id);
        id
    }
}

/// The changes that concern a group's own settings.
fn adjust(group: &mut Group, change: &Change) -> Result<(), Refusal> {
    match change {
        Change::SetRetention { days } => group.retention_days = *days,
        Change::SetDeletionProtection { on } => group.deletion_protection = *on,
        Change::Tag { tags } => {
            group.tags.extend(tags.clone());
            if group.tags.len() > MAX_TAGS {
                return Err(Refusal::TooManyTags);
            }
        }
        Change::Untag { keys } => group.tags.retain(|key, _| !keys.contains(key)),
        Change::CreateGroup(_)
        | Change::DeleteGroup
        | Change::CreateStream { .. }
        | Change::DeleteStream { .. } => {}
    }
    Ok(())
}
