//! A full segment, compressed: each span of its index is a block of its own, so that a reader
//! decompresses what it reads and no more.
//!
//! ```text
//! blocks (zstd), one a span   the index, as it is saved beside a plain segment
//! the blocks' lengths (u32 each)   tail: crc32 of the lengths and of what follows it in the tail,
//!                                  number of blocks u32, length of the index u32, magic "LSZ1"
//! ```
//! All numbers are little endian. What was compressed are frames with checksums of their own.

use std::io;

use super::index::{Index, Span};

const MAGIC: [u8; 4] = *b"LSZ1";
const TAIL: usize = 16;
/// A quarter of the time of the best level for nearly its size, on logs.
const LEVEL: i32 = 3;

/// Where the blocks of a packed segment are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Blocks {
    /// The file's length.
    len: u64,
    /// Where each block begins; one more for where the last one ends.
    starts: Vec<u64>,
}

impl Blocks {
    pub(crate) fn file_len(&self) -> u64 {
        self.len
    }

    /// Offset and length of the block of the index's `position`th span.
    pub(crate) fn block(&self, position: usize) -> Option<(u64, u32)> {
        let (from, to) = (self.starts.get(position)?, self.starts.get(position + 1)?);
        Some((*from, u32::try_from(to - from).ok()?))
    }
}

/// Writes a packed segment to `out`; `read` gives the bytes of a span of the plain one. One block is in
/// memory at a time. Every block is unpacked again before it counts.
pub(crate) fn pack(
    index: &Index,
    mut read: impl FnMut(&Span) -> io::Result<Vec<u8>>,
    out: &mut impl io::Write,
) -> io::Result<Blocks> {
    let mut starts = vec![0];
    let mut lengths = Vec::new();
    let mut at = 0;
    for span in index.spans() {
        let plain = read(span)?;
        let block = zstd::bulk::compress(&plain, LEVEL)?;
        if unpack(&block, span.len)? != plain {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a block doesn't unpack to what it was"));
        }
        out.write_all(&block)?;
        at += block.len() as u64;
        starts.push(at);
        lengths.extend((block.len() as u32).to_le_bytes());
    }
    let saved = index.encode();
    let mut tail = Vec::with_capacity(TAIL);
    tail.extend((index.spans().len() as u32).to_le_bytes());
    tail.extend((saved.len() as u32).to_le_bytes());
    tail.extend(MAGIC);
    let crc = checksum(&lengths, &tail);
    out.write_all(&saved)?;
    out.write_all(&lengths)?;
    out.write_all(&crc.to_le_bytes())?;
    out.write_all(&tail)?;
    let len = at + saved.len() as u64 + lengths.len() as u64 + TAIL as u64;
    Ok(Blocks { len, starts })
}

/// The frames of a block.
pub(crate) fn unpack(block: &[u8], len: u32) -> io::Result<Vec<u8>> {
    let plain = zstd::bulk::decompress(block, len as usize)?;
    if plain.len() != len as usize {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a block is shorter than its span"));
    }
    Ok(plain)
}

/// The index and the blocks of a packed segment of `len` bytes. `None` when the file isn't whole: what
/// a crash may leave, or damage.
pub(crate) fn open(
    len: u64,
    mut read_at: impl FnMut(u64, usize) -> io::Result<Vec<u8>>,
) -> io::Result<Option<(Index, Blocks)>> {
    let Some(tail_at) = len.checked_sub(TAIL as u64) else { return Ok(None) };
    let tail = read_at(tail_at, TAIL)?;
    let number = |at: usize| tail[at..at + 4].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
    let (crc, count, saved_len) = (number(0), u64::from(number(4)), u64::from(number(8)));
    let lengths_at = tail_at.checked_sub(count * 4);
    let saved_at = lengths_at.and_then(|at| at.checked_sub(saved_len));
    let (Some(lengths_at), Some(saved_at)) = (lengths_at, saved_at) else { return Ok(None) };
    if tail[12..] != MAGIC {
        return Ok(None);
    }
    let lengths = read_at(lengths_at, (count * 4) as usize)?;
    if checksum(&lengths, &tail[4..]) != crc {
        return Ok(None);
    }
    let Some(index) = Index::decode(&read_at(saved_at, saved_len as usize)?) else { return Ok(None) };
    let mut starts = vec![0];
    let mut at = 0;
    for length in lengths.as_chunks::<4>().0 {
        at += u64::from(u32::from_le_bytes(*length));
        starts.push(at);
    }
    let whole = at == saved_at && index.spans().len() as u64 == count;
    Ok(whole.then_some((index, Blocks { len, starts })))
}

fn checksum(lengths: &[u8], tail: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(lengths);
    hasher.update(tail);
    hasher.finalize()
}
