//! How much is read to learn of one entry. The archive reader holds an entry's extended headers (PAX
//! records, GNU long names, sparse maps) in memory, whatever size they claim; a few kilobytes of gzip
//! are gigabytes of them. So the stream is metered between one entry's contents and the next's.

use super::UnpackError;
use std::{
    cell::Cell,
    io::{self, Read},
    rc::Rc,
};
use tar::EntryType;

/// Bytes of one entry's headers, as Go's archive/tar allows them, and with it Docker and containerd.
const HEADERS: u64 = 1 << 20;
/// Bytes of a sparse file's map; the reader's work grows with its square.
const SPARSE_MAP: u64 = 64 << 10;

/// What is left to read before the next entry must be known; `None` while contents are read.
#[derive(Clone)]
pub(super) struct Meter(Rc<Cell<Option<u64>>>);

pub(super) struct Metered<R> {
    inner: R,
    meter: Meter,
}

pub(super) fn metered<R: Read>(inner: R) -> (Metered<R>, Meter) {
    let meter = Meter(Rc::new(Cell::new(None)));
    (Metered { inner, meter: meter.clone() }, meter)
}

impl Meter {
    pub fn begin_headers(&self) {
        self.0.set(Some(HEADERS));
    }

    /// How many bytes the headers took.
    pub fn end_headers(&self) -> Result<u64, UnpackError> {
        match self.0.take() {
            Some(0) => Err(UnpackError::Headers(HEADERS)),
            left => Ok(HEADERS - left.unwrap_or(HEADERS)),
        }
    }
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(left) = self.meter.0.get() else { return self.inner.read(buffer) };
        if left == 0 && !buffer.is_empty() {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let length = self.inner.read(&mut buffer[..most])?;
        self.meter.0.set(Some(left - length as u64));
        Ok(length)
    }
}

/// What can be told of an entry before anything of it is used.
pub(super) fn check<R: Read>(entry: &tar::Entry<'_, R>, taken: u64) -> Result<(), UnpackError> {
    match entry.header().entry_type() {
        EntryType::GNUSparse if taken > SPARSE_MAP => Err(UnpackError::Headers(SPARSE_MAP)),
        _ => Ok(()),
    }
}

/// Whether an entry is a header that the reader handed on because it stands where it has no meaning. Its
/// contents are nothing to hold in memory.
pub(super) fn is_stray(kind: EntryType) -> bool {
    matches!(
        kind,
        EntryType::XGlobalHeader | EntryType::XHeader | EntryType::GNULongName | EntryType::GNULongLink
    )
}

/// Reads what an entry was not asked for, so that the meter sees headers only. A sparse file's holes are
/// no part of the stream and have no end.
pub(super) fn drain<R: Read>(entry: &mut tar::Entry<'_, R>) -> Result<(), UnpackError> {
    if entry.header().entry_type() == EntryType::GNUSparse {
        return Ok(());
    }
    io::copy(entry, &mut io::sink()).map(|_| ()).map_err(UnpackError::Archive)
}
