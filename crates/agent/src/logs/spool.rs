//! The file between reader and sender: chunks as they were read, in order.
//!
//! A record is `stream: u8, at_ms: u64, length: u32` (little-endian) and the bytes. A crash can cut
//! the last one short; it is then cut off. Beside it `<name>.sent` says how far the sender got and
//! which begun lines it holds, so that nothing is sent twice but what was under way.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

const HEAD: usize = 13;
/// No record is longer: the reader's buffer.
pub(super) const MAX_CHUNK: usize = 64 * 1024;
/// Once everything is sent a file longer than this is emptied.
pub(super) const KEEP_BYTES: u64 = 256 * 1024;

/// One chunk of one of the two streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// 0 stdout, 1 stderr.
    pub stream: u8,
    pub at_ms: u64,
    pub bytes: Vec<u8>,
}

/// How far the sender got.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sent {
    pub offset: u64,
    /// Begun lines of stdout and stderr whose bytes lie before `offset`.
    pub partial: [Vec<u8>; 2],
}

/// The spool; one writer and one reader share it by `&`.
#[derive(Debug)]
pub(super) struct Spool {
    file: File,
    sent_path: PathBuf,
}

impl Spool {
    /// Opens or makes it, and cuts off a record that a crash left half written. Returns the length
    /// and how far sending got.
    pub fn open(path: &Path) -> io::Result<(Spool, u64, Sent)> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let sent_path = path.with_extension("sent");
        let mut sent: Sent =
            std::fs::read(&sent_path).ok().and_then(|b| serde_json::from_slice(&b).ok()).unwrap_or_default();
        let spool = Spool { file, sent_path };
        let whole = spool.file.metadata()?.len();
        // The file was emptied and the agent died before it noted that.
        if sent.offset > whole {
            sent.offset = 0;
        }
        let mut end = sent.offset;
        while let Some((_, next)) = spool.read(end, whole)? {
            end = next;
        }
        if end < whole {
            spool.file.set_len(end)?;
        }
        Ok((spool, end, sent))
    }

    /// Appends at `at` (the length so far) and returns the new length.
    pub fn append(&self, at: u64, record: &Record) -> io::Result<u64> {
        let mut out = Vec::with_capacity(HEAD + record.bytes.len());
        out.push(record.stream);
        out.extend_from_slice(&record.at_ms.to_le_bytes());
        let length = u32::try_from(record.bytes.len()).map_err(io::Error::other)?;
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&record.bytes);
        self.file.write_all_at(&out, at)?;
        Ok(at + out.len() as u64)
    }

    /// The record at `at` and where the next begins; `None` at the end or before half a record.
    pub fn read(&self, at: u64, end: u64) -> io::Result<Option<(Record, u64)>> {
        if end < at + HEAD as u64 {
            return Ok(None);
        }
        let mut head = [0u8; HEAD];
        self.file.read_exact_at(&mut head, at)?;
        let at_ms = u64::from_le_bytes(head[1..9].try_into().expect("eight bytes"));
        let length = u32::from_le_bytes(head[9..13].try_into().expect("four bytes"));
        let next = at + HEAD as u64 + u64::from(length);
        if head[0] > 1 || length as usize > MAX_CHUNK || next > end {
            return Ok(None);
        }
        let mut bytes = vec![0; length as usize];
        self.file.read_exact_at(&mut bytes, at + HEAD as u64)?;
        Ok(Some((Record { stream: head[0], at_ms, bytes }, next)))
    }

    /// Notes how far sending got. Not synced: what a dead machine forgets, its dead containers
    /// wrote.
    pub fn note_sent(&self, sent: &Sent) -> io::Result<()> {
        let temporary = self.sent_path.with_extension("sent.new");
        std::fs::write(&temporary, serde_json::to_vec(sent)?)?;
        std::fs::rename(temporary, &self.sent_path)
    }

    /// Empties the file if everything in it is sent and it is worth it.
    pub fn worth_emptying(length: u64) -> bool {
        length > KEEP_BYTES
    }

    /// Once the file is empty the old note must not be believed by a later agent: what can't be replaced
    /// (the disk is full) is removed, which needs no room.
    pub fn empty(&self, sent: &mut Sent) -> io::Result<()> {
        self.file.set_len(0)?;
        sent.offset = 0;
        if let Err(error) = self.note_sent(sent) {
            tracing::warn!(%error, "cannot note how far a log was sent");
            std::fs::remove_file(&self.sent_path)?;
        }
        Ok(())
    }
}
