//! A compressed layer on its way from the download to the disk: hash, decompress and hash on one thread,
//! write files on another.

use super::{Limits, UnpackError, Unpacked, unpack_tar};
use crate::images::digest::{Digest, Hasher};
use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use std::{
    io::{self, BufRead, BufReader, Read},
    path::Path,
    sync::mpsc,
};

/// How a layer is compressed. Told by its first bytes: media types lie, and containerd looks as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    /// By the magic numbers of RFC 1952 and RFC 8878.
    pub fn detect(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            _ => Self::None,
        }
    }
}

/// What the layer's bytes turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobDigests {
    /// Of the blob as it came.
    pub blob: Digest,
    /// Of the archive in it.
    pub diff_id: Digest,
}

/// Layers below this size (of the blob) are unpacked on one thread: a second one would cost more than it
/// gives.
const TWO_THREADS_FROM: u64 = 256 << 10;
/// Pieces handed to the writing thread, and how many may wait.
const PIECE: usize = 256 << 10;
const PIECES: usize = 8;

/// Unpacks a blob into the empty directory `root`, reading `source` to its end, and says what it was.
/// Comparing the digests with the promised ones is the caller's part; nothing may be used before.
pub fn unpack_blob(
    source: impl Read + Send,
    size: u64,
    expected: &BlobDigests,
    root: &Path,
    limits: Limits,
) -> Result<(Unpacked, BlobDigests), UnpackError> {
    let layer = LayerReader::new(source, expected, limits).map_err(UnpackError::Archive)?;
    if size < TWO_THREADS_FROM {
        let mut layer = layer;
        let unpacked = unpack_tar(&mut layer, root, limits).map_err(|e| too_large(e, limits))?;
        return Ok((unpacked, layer.finish().map_err(UnpackError::Archive)?));
    }
    let (sender, receiver) = mpsc::sync_channel(PIECES);
    std::thread::scope(|scope| {
        let reading = scope.spawn(move || pump(layer, &sender));
        let unpacked = unpack_tar(PieceReader { pieces: receiver, current: Vec::new(), at: 0 }, root, limits)
            .map_err(|e| too_large(e, limits));
        let digests = reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let unpacked = unpacked?;
        Ok((unpacked, digests.map_err(UnpackError::Archive)?))
    })
}

/// The reader says "too large" as an I/O error, since it is asked through `Read`.
fn too_large(error: UnpackError, limits: Limits) -> UnpackError {
    match error {
        UnpackError::Archive(e) if e.kind() == io::ErrorKind::FileTooLarge => {
            UnpackError::TooLarge(limits.bytes)
        }
        other => other,
    }
}

/// Reads the layer to its end and hands it on. When the writer has given up there is nothing to hash for.
fn pump(
    mut layer: LayerReader<impl Read>,
    pieces: &mpsc::SyncSender<io::Result<Vec<u8>>>,
) -> io::Result<BlobDigests> {
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        match layer.by_ref().take(PIECE as u64).read_to_end(&mut piece) {
            Ok(0) => return layer.finish(),
            Ok(_) => {
                if pieces.send(Ok(piece)).is_err() {
                    return Err(io::ErrorKind::BrokenPipe.into());
                }
            }
            Err(error) => {
                let copy = io::Error::new(error.kind(), error.to_string());
                let _ = pieces.send(Err(copy));
                return Err(error);
            }
        }
    }
}

struct PieceReader {
    pieces: mpsc::Receiver<io::Result<Vec<u8>>>,
    current: Vec<u8>,
    at: usize,
}

impl Read for PieceReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.current.len() {
            match self.pieces.recv() {
                Ok(piece) => (self.current, self.at) = (piece?, 0),
                Err(_) => return Ok(0),
            }
        }
        let length = buffer.len().min(self.current.len() - self.at);
        buffer[..length].copy_from_slice(&self.current[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}

/// Reads the archive out of a blob, hashing both.
struct LayerReader<R: Read> {
    archive: Archive<BufReader<Hashing<R>>>,
    diff_hasher: Hasher,
    left: u64,
}

enum Archive<B: BufRead> {
    Plain(B),
    Gzip(Box<MultiGzDecoder<B>>),
    Zstd(zstd::Decoder<'static, B>),
}

impl<R: Read> LayerReader<R> {
    fn new(source: R, expected: &BlobDigests, limits: Limits) -> io::Result<Self> {
        let hashing = Hashing { inner: source, hasher: expected.blob.hasher() };
        let mut buffered = BufReader::with_capacity(128 << 10, hashing);
        // A first read may be short; more than the longest magic number is always there in a real blob.
        let compression = Compression::detect(buffered.fill_buf()?);
        let archive = match compression {
            Compression::None => Archive::Plain(buffered),
            Compression::Gzip => Archive::Gzip(Box::new(MultiGzDecoder::new(buffered))),
            Compression::Zstd => Archive::Zstd(zstd::Decoder::with_buffer(buffered)?),
        };
        // The archive's headers and padding come on top of the files' bytes.
        let left = limits.bytes.saturating_add(limits.entries.saturating_mul(4096));
        Ok(Self { archive, diff_hasher: expected.diff_id.hasher(), left })
    }

    /// Both digests, when the archive has been read to its end.
    fn finish(self) -> io::Result<BlobDigests> {
        let mut rest = match self.archive {
            Archive::Plain(inner) => inner,
            Archive::Gzip(decoder) => decoder.into_inner(),
            Archive::Zstd(decoder) => decoder.finish(),
        };
        // What follows the compressed stream's end still belongs to the blob's digest.
        io::copy(&mut rest, &mut io::sink())?;
        Ok(BlobDigests { blob: rest.into_inner().hasher.finish(), diff_id: self.diff_hasher.finish() })
    }
}

impl<R: Read> Read for LayerReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = match &mut self.archive {
            Archive::Plain(inner) => inner.read(buffer)?,
            Archive::Gzip(decoder) => decoder.read(buffer)?,
            Archive::Zstd(decoder) => decoder.read(buffer)?,
        };
        self.left = self.left.checked_sub(length as u64).ok_or(io::ErrorKind::FileTooLarge)?;
        self.diff_hasher.update(&buffer[..length]);
        Ok(length)
    }
}

struct Hashing<R> {
    inner: R,
    hasher: Hasher,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..length]);
        Ok(length)
    }
}

/// The download's chunks as a blocking reader. Its end may be that of a
/// download that failed; the caller, which runs the download, knows.
pub(in crate::images) struct ChunkReader {
    pub chunks: tokio::sync::mpsc::Receiver<Bytes>,
    pub current: Bytes,
}

impl Read for ChunkReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.chunks.blocking_recv() {
                Some(chunk) => self.current = chunk,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.current.len());
        buffer[..length].copy_from_slice(&self.current.split_to(length));
        Ok(length)
    }
}
