//! Archives that mean harm by their size, their depth or their lies: each ends with a reason, having held
//! and written little.

use super::tests::{Archive, digests, gzip};
use super::*;
use crate::remove::remove_tree;
use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};
use tar::{EntryType, Header};

fn header(kind: EntryType, name: &str, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_mode(0o755);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(size);
    header.set_cksum();
    header
}

/// Counts what is read of a stream.
struct Counting<R>(R, u64);

impl<R: io::Read> io::Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.0.read(buffer)?;
        self.1 += length as u64;
        Ok(length)
    }
}

/// Unpacks into a new directory; the result, and how much of the stream was read for it.
fn unpack(stream: impl io::Read, limits: Limits) -> (Result<Unpacked, UnpackError>, u64) {
    let root = tempfile::tempdir().unwrap();
    let mut stream = Counting(stream, 0);
    let result = unpack_tar(&mut stream, root.path(), limits);
    (result, stream.1)
}

#[test]
fn headers_without_end_are_not_held_in_memory() {
    for kind in [EntryType::XHeader, EntryType::GNULongName, EntryType::GNULongLink] {
        let header = header(kind, "x", 8 << 30);
        let stream = io::Read::chain(&header.as_bytes()[..], io::repeat(b'1'));
        let (result, read) = unpack(stream, Limits::default());
        assert!(matches!(result, Err(UnpackError::Headers(_))), "{kind:?}: {result:?}");
        assert!(read <= 2 << 20, "{read} bytes were read");
    }
}

/// Where an extended header has no meaning it is an entry like another, and its contents are passed over.
#[test]
fn stray_headers_are_passed_over() {
    let mut old = Header::new_old();
    old.set_entry_type(EntryType::XHeader);
    old.as_old_mut().name[0] = b'x';
    old.set_size(16 << 20);
    old.set_cksum();
    let global = header(EntryType::XGlobalHeader, "g", 16 << 20);
    for header in [old, global] {
        let file = Archive::new().file("f", "text").bytes();
        let stream = io::Read::chain(&header.as_bytes()[..], io::Read::take(io::repeat(b'1'), 16 << 20));
        let (result, _) = unpack(io::Read::chain(stream, file.as_slice()), Limits::default());
        assert_eq!(result.unwrap().bytes, 4);
    }
}

#[test]
fn ten_million_entries_end_at_the_limit() {
    struct Repeated {
        block: Vec<u8>,
        left: u64,
        at: usize,
    }
    impl io::Read for Repeated {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.left == 0 {
                return Ok(0);
            }
            let length = buffer.len().min(self.block.len() - self.at);
            buffer[..length].copy_from_slice(&self.block[self.at..self.at + length]);
            self.at += length;
            if self.at == self.block.len() {
                (self.at, self.left) = (0, self.left - 1);
            }
            Ok(length)
        }
    }
    for (kind, name) in [
        (EntryType::Regular, "the same"),
        (EntryType::Directory, "d"),
        (EntryType::Regular, ".wh..wh.ignored"),
        (EntryType::Char, "left out"),
        (EntryType::XGlobalHeader, "g"),
    ] {
        let stream = Repeated { block: header(kind, name, 0).as_bytes().to_vec(), left: 10_000_000, at: 0 };
        let limits = Limits { entries: 5_000, ..Limits::default() };
        let (result, read) = unpack(stream, limits);
        assert!(matches!(result, Err(UnpackError::TooManyEntries(5_000))), "{name}: {result:?}");
        assert!(read <= 5_001 * 512, "{read} bytes were read");
    }
}

/// The names of directories are all that is held until the end.
#[test]
fn directories_names_are_bounded() {
    let long = format!("{}{}", "n".repeat(250), "/").repeat(12);
    let mut archive = Archive::new();
    for n in 0..23_000 {
        let name = format!("{long}{n}");
        let link = header(EntryType::GNULongName, "././@LongLink", name.len() as u64);
        archive.0.append(&link, name.as_bytes()).unwrap();
        archive.0.append(&header(EntryType::Directory, "d", 0), io::empty()).unwrap();
    }
    let (result, _) = unpack(archive.bytes().as_slice(), Limits::default());
    assert!(matches!(result, Err(UnpackError::Directories(_))), "{result:?}");
}

/// Each link is forty levels further down; the kernel follows forty of them.
#[test]
fn links_lead_no_deeper_than_a_path_can() {
    let forty = "d/".repeat(40);
    let mut archive = Archive::new().directory(&forty);
    let mut above = String::new();
    for n in 0..38 {
        let target = if above.is_empty() { format!("/{forty}") } else { format!("/{above}/{forty}") };
        let link = format!("l{n}");
        archive = archive.symlink(&link, &target).file(&format!("{link}/{forty}f"), "deep");
        above = link;
    }
    let outer = tempfile::tempdir().unwrap();
    let result = unpack_tar(archive.bytes().as_slice(), outer.path(), Limits::default());
    assert!(matches!(result, Err(UnpackError::Name { reason: "it lies too deep", .. })), "{result:?}");
    remove_tree(outer.path()).unwrap();
}

fn sparse(name: &str, hole: u64) -> Vec<u8> {
    let mut header = header(EntryType::GNUSparse, name, 3);
    let gnu = header.as_gnu_mut().unwrap();
    let number = |field: &mut [u8], value: u64| {
        // Base 256, which has no bound that matters.
        field.fill(0);
        field[0] = 0x80;
        let length = field.len();
        field[length - 8..].copy_from_slice(&value.to_be_bytes());
    };
    number(&mut gnu.sparse[0].offset, hole);
    number(&mut gnu.sparse[0].numbytes, 3);
    number(&mut gnu.realsize, hole + 3);
    header.set_cksum();
    let mut builder = tar::Builder::new(Vec::new());
    builder.append(&header, b"end".as_slice()).unwrap();
    builder.into_inner().unwrap()
}

#[test]
fn holes_take_no_disk_and_count_all_the_same() {
    let root = tempfile::tempdir().unwrap();
    unpack_tar(sparse("f", 64 << 20).as_slice(), root.path(), Limits::default()).unwrap();
    let about = fs::metadata(root.path().join("f")).unwrap();
    assert_eq!(about.len(), (64 << 20) + 3);
    assert!(about.blocks() * 512 < 1 << 20, "{} bytes on disk", about.blocks() * 512);
    assert!(fs::read(root.path().join("f")).unwrap().ends_with(b"\0end"));

    let limits = Limits { bytes: 8 << 20, ..Limits::default() };
    let (result, _) = unpack(sparse("f", 1 << 50).as_slice(), limits);
    assert!(matches!(result, Err(UnpackError::TooLarge(_))), "{result:?}");
}

/// A file that ends in zeros has its length all the same.
#[test]
fn zeros_at_the_end_are_not_lost() {
    let content = [&b"text"[..], &[0; 600_000]].concat();
    let archive = Archive::new().entry(EntryType::Regular, b"f", 0o644, b"", &content).bytes();
    let root = tempfile::tempdir().unwrap();
    unpack_tar(archive.as_slice(), root.path(), Limits::default()).unwrap();
    assert_eq!(fs::read(root.path().join("f")).unwrap(), content);
}

#[test]
fn sizes_that_lie() {
    // More than there is.
    let mut short = header(EntryType::Regular, "f", 5_000).as_bytes().to_vec();
    short.extend([b'x'; 600]);
    // More than a number holds, and none.
    let mut endless = header(EntryType::Regular, "f", 0);
    endless.as_old_mut().size.fill(0xff);
    endless.set_cksum();
    let mut nonsense = header(EntryType::Regular, "f", 0);
    nonsense.as_old_mut().size.copy_from_slice(b"not a number");
    nonsense.set_cksum();
    for bytes in [short, endless.as_bytes().to_vec(), nonsense.as_bytes().to_vec()] {
        let (result, _) = unpack(bytes.as_slice(), Limits::default());
        assert!(matches!(result, Err(UnpackError::Archive(_))), "{result:?}");
    }
}

/// A directory that is a link the next moment leads nowhere but into the layer.
#[test]
fn what_is_swapped_between_entries() {
    let (outer, result) = Archive::new()
        .directory("d")
        .file("d/f", "first")
        .symlink("d", "/")
        .file("d/g", "second")
        .symlink("e", "../../..")
        .file("e/h", "third")
        .file("e/../../x", "never")
        .unpack();
    assert!(matches!(result, Err(UnpackError::Name { .. })), "{result:?}");
    let layer = outer.path().join("layer");
    assert_eq!(fs::read_to_string(layer.join("g")).unwrap(), "second");
    assert_eq!(fs::read_to_string(layer.join("h")).unwrap(), "third");
    assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 1);
}

#[test]
fn a_reason_is_one_short_line() {
    let long = "x".repeat(4000);
    for name in ["../a\x1b[31m", "a/\u{7}/..", &format!("../{long}")] {
        let mut builder = tar::Builder::new(Vec::new());
        builder.append_pax_extensions([("path", name.as_bytes())]).unwrap();
        builder.append(&header(EntryType::Regular, "f", 0), io::empty()).unwrap();
        let (result, _) = unpack(builder.into_inner().unwrap().as_slice(), Limits::default());
        let reason = result.unwrap_err().to_string();
        assert!(reason.len() < 1024 && !reason.contains(|c: char| c.is_control()), "{reason:?}");
    }
}

/// The archive reader names the entry whose header it can't read, by bytes out of that header.
#[test]
fn a_reason_is_one_line_also_where_the_header_is_none() {
    let mut block = header(EntryType::Regular, "f\x1b[31m\n", 0).as_bytes().to_vec();
    block[148..156].copy_from_slice(b"nonsense");
    let (result, _) = unpack(block.as_slice(), Limits::default());
    let reason = result.unwrap_err().to_string();
    assert!(reason.contains("cksum") && !reason.contains(|c: char| c.is_control()), "{reason:?}");
}

#[test]
fn bombs_of_every_packing_end_at_the_limit_and_leave_little() {
    let archive = Archive::new().entry(EntryType::Regular, b"f", 0o644, b"", &vec![b'x'; 16 << 20]).bytes();
    let gzip_once = gzip(&archive);
    let members: Vec<u8> = archive.chunks(1 << 20).flat_map(gzip).collect();
    let zstd_once = zstd::encode_all(archive.as_slice(), 1).unwrap();
    let frames: Vec<u8> =
        archive.chunks(1 << 20).flat_map(|part| zstd::encode_all(part, 1).unwrap()).collect();
    let limits = Limits { entries: 10, bytes: 1 << 20 };
    for bomb in [gzip_once, members, zstd_once, frames] {
        for size in [0, 1 << 30] {
            let root = tempfile::tempdir().unwrap();
            let result = unpack_blob(bomb.as_slice(), size, &digests(&bomb, &archive), root.path(), limits);
            assert!(matches!(result, Err(UnpackError::TooLarge(_))), "{result:?}");
            assert!(size_of(root.path()) <= limits.bytes);
        }
    }
}

fn size_of(directory: &Path) -> u64 {
    let paths: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|e| e.unwrap().path()).collect();
    paths.iter().map(|path| fs::metadata(path).unwrap().len()).sum()
}

/// A stream cut at any place is no layer; what follows one changes its digest.
#[test]
fn cut_streams_and_trailing_garbage() {
    let archive = Archive::new().file("f", &"text ".repeat(500)).bytes();
    for blob in [gzip(&archive), zstd::encode_all(archive.as_slice(), 1).unwrap(), archive.clone()] {
        let expected = digests(&blob, &archive);
        for cut in [1, 3, 10, blob.len() / 2, blob.len() - 1] {
            let root = tempfile::tempdir().unwrap();
            let result = unpack_blob(&blob[..cut], 0, &expected, root.path(), Limits::default());
            assert!(result.is_err() || result.unwrap().1 != expected, "cut at {cut}");
        }
        let root = tempfile::tempdir().unwrap();
        let longer = [blob.as_slice(), b"garbage"].concat();
        let result = unpack_blob(longer.as_slice(), 0, &expected, root.path(), Limits::default());
        assert!(result.is_err() || result.unwrap().1 != expected, "with garbage");
    }
}
