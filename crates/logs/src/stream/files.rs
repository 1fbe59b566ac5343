//! Segment files by name, of which only so many are open at a time.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use super::StreamId;
use crate::segment::index::{Index, Span};
use crate::segment::packed::{self, Blocks};

/// One segment: its stream, and the ordinal of its first event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct SegmentId {
    pub(super) stream: StreamId,
    pub(super) base: u64,
}

/// How a segment is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Form {
    /// Frames, to be appended to.
    Plain,
    /// Compressed, and not changed any more.
    Packed,
}

/// A segment's file, as the directory lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Found {
    pub(super) base: u64,
    pub(super) form: Form,
    pub(super) len: u64,
    /// When it was last written to.
    pub(super) modified_ms: i64,
}

/// Being written; what a crash leaves of it is removed.
const UNFINISHED: &str = "tmp";

impl SegmentId {
    fn file_name(&self, extension: &str) -> String {
        format!("{:016x}.{:016x}.{extension}", self.stream.stream, self.base)
    }

    fn parse(group: u64, name: &str) -> Option<(SegmentId, &str)> {
        let mut parts = name.splitn(3, '.');
        let mut number = || u64::from_str_radix(parts.next()?, 16).ok();
        let (stream, base) = (number()?, number()?);
        Some((SegmentId { stream: StreamId { group, stream }, base }, parts.next()?))
    }
}

impl Form {
    fn extension(self) -> &'static str {
        match self {
            Form::Plain => "seg",
            Form::Packed => "segz",
        }
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
    files: HashMap<(SegmentId, Form), (Arc<File>, u64)>,
}

impl Files {
    pub(super) fn new(root: PathBuf, capacity: usize) -> Files {
        Files { root, capacity: capacity.max(1), open: Mutex::default() }
    }

    pub(super) fn group_directory(&self, group: u64) -> PathBuf {
        self.root.join(format!("{group:016x}"))
    }

    fn path(&self, id: SegmentId, form: Form) -> PathBuf {
        self.group_directory(id.stream.group).join(id.file_name(form.extension()))
    }

    fn index_path(&self, id: SegmentId) -> PathBuf {
        self.group_directory(id.stream.group).join(id.file_name("idx"))
    }

    fn unfinished_path(&self, id: SegmentId) -> PathBuf {
        self.group_directory(id.stream.group).join(id.file_name(UNFINISHED))
    }

    /// An existing plain segment, for reading and writing.
    pub(super) fn get(&self, id: SegmentId) -> io::Result<Arc<File>> {
        let path = self.path(id, Form::Plain);
        self.cached(id, Form::Plain, || OpenOptions::new().read(true).write(true).open(path))
    }

    /// An existing packed segment, for reading.
    pub(super) fn get_packed(&self, id: SegmentId) -> io::Result<Arc<File>> {
        self.cached(id, Form::Packed, || File::open(self.path(id, Form::Packed)))
    }

    /// The index and the blocks of a packed segment; `None` when the file isn't whole.
    pub(super) fn read_packed(&self, id: SegmentId) -> io::Result<Option<(Index, Blocks)>> {
        let file = self.get_packed(id)?;
        let len = file.metadata()?.len();
        packed::open(len, |at, len| {
            let mut bytes = vec![0; len];
            file.read_exact_at(&mut bytes, at)?;
            Ok(bytes)
        })
    }

    /// Packs a full segment beside its plain file. When this returns, the packed file is whole and
    /// durable under its name; until then it has another one. The plain file is left.
    pub(super) fn pack(&self, id: SegmentId, index: &Index) -> io::Result<Blocks> {
        let plain = self.get(id)?;
        let unfinished = self.unfinished_path(id);
        let mut out = BufWriter::with_capacity(256 << 10, File::create(&unfinished)?);
        let read = |span: &Span| {
            let mut bytes = vec![0; span.len as usize];
            plain.read_exact_at(&mut bytes, span.offset)?;
            Ok(bytes)
        };
        let written = packed::pack(index, read, &mut out).and_then(|blocks| {
            let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
            // Which segments are the oldest is told by this time.
            file.set_modified(plain.metadata()?.modified()?)?;
            file.sync_all()?;
            fs::rename(&unfinished, self.path(id, Form::Packed))?;
            self.sync_names(id.stream.group)?;
            Ok(blocks)
        });
        if written.is_err() {
            let _ = fs::remove_file(&unfinished);
        }
        written
    }

    /// Removes the plain file, and its index, of a segment that is packed.
    pub(super) fn remove_plain(&self, id: SegmentId) -> io::Result<()> {
        self.close(|open, form| open == id && form == Form::Plain);
        ignore_missing(fs::remove_file(self.index_path(id)))?;
        ignore_missing(fs::remove_file(self.path(id, Form::Plain)))
    }

    /// Of a segment that has both files, after a crash between packing and removing, one is left: the
    /// packed one if it is whole.
    pub(super) fn settle(&self, id: SegmentId) -> io::Result<Form> {
        match self.read_packed(id)? {
            Some(_) => {
                self.remove_plain(id)?;
                Ok(Form::Packed)
            }
            None => {
                self.close(|open, form| open == id && form == Form::Packed);
                ignore_missing(fs::remove_file(self.path(id, Form::Packed)))?;
                Ok(Form::Plain)
            }
        }
    }

    /// A new, empty segment. A leftover of a put that failed before is emptied.
    pub(super) fn create(&self, id: SegmentId) -> io::Result<Arc<File>> {
        fs::create_dir_all(self.group_directory(id.stream.group))?;
        self.close(|open, _| open == id);
        self.cached(id, Form::Plain, || {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(true).open(self.path(id, Form::Plain))
        })
    }

    /// Removes the segment in both forms and its saved index; that they are gone already is as good.
    pub(super) fn remove(&self, id: SegmentId) -> io::Result<()> {
        self.close(|open, _| open == id);
        self.remove_plain(id)?;
        ignore_missing(fs::remove_file(self.path(id, Form::Packed)))
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
        self.close(|open, _| open.stream.group == group);
        ignore_missing(fs::remove_dir_all(self.group_directory(group)))
    }

    /// Makes the names of new segments of a group durable, and the group's own.
    pub(super) fn sync_names(&self, group: u64) -> io::Result<()> {
        File::open(self.group_directory(group))?.sync_all()?;
        File::open(&self.root)?.sync_all()
    }

    /// Every segment's file in a group's directory. What was being written is removed.
    pub(super) fn list(&self, group: u64) -> io::Result<Vec<(StreamId, Found)>> {
        let mut segments = Vec::new();
        for entry in fs::read_dir(self.group_directory(group))? {
            let entry = entry?;
            let name = entry.file_name();
            let Some((id, extension)) = name.to_str().and_then(|name| SegmentId::parse(group, name)) else {
                continue;
            };
            let form = match extension {
                UNFINISHED => {
                    ignore_missing(fs::remove_file(entry.path()))?;
                    continue;
                }
                "seg" => Form::Plain,
                "segz" => Form::Packed,
                _ => continue,
            };
            let metadata = entry.metadata()?;
            let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
            let modified_ms = i64::try_from(modified.as_millis()).unwrap_or(i64::MAX);
            segments.push((id.stream, Found { base: id.base, form, len: metadata.len(), modified_ms }));
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

    fn cached(
        &self,
        id: SegmentId,
        form: Form,
        open: impl FnOnce() -> io::Result<File>,
    ) -> io::Result<Arc<File>> {
        let mut cache = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        cache.tick += 1;
        let tick = cache.tick;
        if let Some((file, used)) = cache.files.get_mut(&(id, form)) {
            *used = tick;
            return Ok(Arc::clone(file));
        }
        if cache.files.len() >= self.capacity {
            let oldest = cache.files.iter().min_by_key(|(_, (_, used))| *used).map(|(id, _)| *id);
            oldest.and_then(|oldest| cache.files.remove(&oldest));
        }
        let file = Arc::new(open()?);
        cache.files.insert((id, form), (Arc::clone(&file), tick));
        Ok(file)
    }

    fn close(&self, which: impl Fn(SegmentId, Form) -> bool) {
        let mut cache = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        cache.files.retain(|(id, form), _| !which(*id, *form));
    }
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
