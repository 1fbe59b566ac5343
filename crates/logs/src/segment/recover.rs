//! Reading a segment from its start: at opening, to build its index and find where it ends well.

use std::io::{self, Read};

use super::frame::{self, HEADER, Header};
use super::index::Index;

/// Indexes every put that is wholly there. What follows the last one is the remains of a write that
/// nobody was answered for: the caller cuts the file at the index's end.
///
/// `first_ordinal` is what the first event's number must be; a gap ends the segment like damage.
pub(crate) fn scan(mut reader: impl Read, first_ordinal: u64) -> io::Result<Index> {
    let mut index = Index::new(first_ordinal);
    let mut put: Vec<Header> = Vec::new();
    let mut frame = Vec::new();
    let mut ordinal = first_ordinal;
    loop {
        frame.resize(HEADER, 0);
        if !read_whole(&mut reader, &mut frame)? {
            return Ok(index);
        }
        let Ok(header) = Header::parse(&frame) else { return Ok(index) };
        frame.resize(header.len(), 0);
        if !read_whole(&mut reader, &mut frame[HEADER..])? {
            return Ok(index);
        }
        if frame::check(&frame).is_err() || header.first_ordinal != ordinal {
            return Ok(index);
        }
        ordinal += u64::from(header.count);
        put.push(header);
        if header.last {
            put.drain(..).for_each(|header| index.push(&header));
        }
    }
}

/// Fills the buffer, or answers `false` when the file ends before.
fn read_whole(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match reader.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
