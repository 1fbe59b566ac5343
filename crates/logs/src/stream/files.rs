//! Segment files by name, of which only so many are open at a time.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::StreamId;

/// One segment: its stream, and the ordinal of its first event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct SegmentId {
    pub(super) stream: StreamId,
    pub(super) base: u64,
}

impl SegmentId {
    fn file_name(&self) -> String {
        format!("{:016x}.{:016x}.seg", self.stream.stream, self.base)
    }

    fn index_name(&self) -> String {
        format!("{:016x}.{:016x}.idx", self.stream.stream, self.base)
    }

    fn parse(group: u64, name: &str) -> Option<SegmentId> {
        let (stream, base) = name.strip_suffix(".seg")?.split_once('.')?;
        let stream = u64::from_str_radix(stream, 16).ok()?;
        let base = u64::from_str_radix(base, 16).ok()?;
        Some(SegmentId { stream: StreamId { group, stream }, base })
    }
}

/// The directory of all segments, with a cache of open files that drops the least recently used.
#[derive(Debug)]
pub(super) struct Files {
    root: PathBuf,
    capacity: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    tick: u64,
    files: HashMap<SegmentId, (Arc<File>, u64)>,
}

impl Files {
    pub(super) fn new(root: PathBuf, capacity: usize) -> Files {
        Files { root, capacity: capacity.max(1), open: Mutex::default() }
    }

    pub(super) fn group_directory(&self, group: u64) -> PathBuf {
        self.root.join(format!("{group:016x}"))
    }

    fn path(&self, id: SegmentId) -> PathBuf {
        self.group_directory(id.stream.group).join(id.file_name())
    }

    fn index_path(&self, id: SegmentId) -> PathBuf {
        self.group_directory(id.stream.group).join(id.index_name())
    }

    /// An existing segment, for reading and writing.
    pub(super) fn get(&self, id: SegmentId) -> io::Result<Arc<File>> {
        self.cached(id, || OpenOptions::new().read(true).write(true).open(self.path(id)))
    }

    /// A new, empty segment. A leftover of a put that failed before is emptied.
    pub(super) fn create(&self, id: SegmentId) -> io::Result<Arc<File>> {
        fs::create_dir_all(self.group_directory(id.stream.group))?;
        self.close(|open| *open == id);
        self.cached(id, || {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(true).open(self.path(id))
        })
    }

    /// Removes the segment and its saved index; that they are gone already is as good.
    pub(super) fn remove(&self, id: SegmentId) -> io::Result<()> {
        self.close(|open| *open == id);
        ignore_missing(fs::remove_file(self.index_path(id)))?;
        ignore_missing(fs::remove_file(self.path(id)))
    }

    /// The saved index of a full segment, if there is one.
    pub(super) fn read_index(&self, id: SegmentId) -> Option<Vec<u8>> {
        fs::read(self.index_path(id)).ok()
    }

    /// Saves the index of a full segment. Not synced: a torn one fails its checksum, and then the
    /// segment itself is read.
    pub(super) fn write_index(&self, id: SegmentId, bytes: &[u8]) -> io::Result<()> {
        fs::write(self.index_path(id), bytes)
    }

    /// Removes a group's directory with everything in it.
    pub(super) fn remove_group(&self, group: u64) -> io::Result<()> {
        self.close(|open| open.stream.group == group);
        ignore_missing(fs::remove_dir_all(self.group_directory(group)))
    }

    /// Makes the names of new segments of a group durable, and the group's own.
    pub(super) fn sync_names(&self, group: u64) -> io::Result<()> {
        File::open(self.group_directory(group))?.sync_all()?;
        File::open(&self.root)?.sync_all()
    }

    /// Every segment in a group's directory, with its length in bytes.
    pub(super) fn list(&self, group: u64) -> io::Result<Vec<(SegmentId, u64)>> {
        let mut segments = Vec::new();
        for entry in fs::read_dir(self.group_directory(group))? {
            let entry = entry?;
            let id = entry.file_name().to_str().and_then(|name| SegmentId::parse(group, name));
            if let Some(id) = id {
                segments.push((id, entry.metadata()?.len()));
            }
        }
        Ok(segments)
    }

    /// The ids of all groups that have a directory.
    pub(super) fn groups(&self) -> io::Result<Vec<u64>> {
        let mut groups = Vec::new();
        for entry in fs::read_dir(&self.root)? {
            let name = entry?.file_name();
            groups.extend(name.to_str().and_then(|name| u64::from_str_radix(name, 16).ok()));
        }
        Ok(groups)
    }

    /// How many files are open in the cache.
    #[cfg(test)]
    pub(super) fn open_count(&self) -> usize {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).files.len()
    }

    fn cached(&self, id: SegmentId, open: impl FnOnce() -> io::Result<File>) -> io::Result<Arc<File>> {
        let mut cache = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        cache.tick += 1;
        let tick = cache.tick;
        if let Some((file, used)) = cache.files.get_mut(&id) {
            *used = tick;
            return Ok(Arc::clone(file));
        }
        if cache.files.len() >= self.capacity {
            let oldest = cache.files.iter().min_by_key(|(_, (_, used))| *used).map(|(id, _)| *id);
            oldest.and_then(|oldest| cache.files.remove(&oldest));
        }
        let file = Arc::new(open()?);
        cache.files.insert(id, (Arc::clone(&file), tick));
        Ok(file)
    }

    fn close(&self, which: impl Fn(&SegmentId) -> bool) {
        let mut cache = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        cache.files.retain(|id, _| !which(id));
    }
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
