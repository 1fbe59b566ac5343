//! The unpacker against archives as builders write them and as attackers do. Run as root, as the agent is.

use super::{
    blob::Compression,
    name::{Mark, Name, mark},
    policy, *,
};
use crate::images::digest::Digest;
use proptest::prelude::*;
use std::{
    ffi::OsStr,
    fs,
    io::Write,
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt},
    path::Path,
};
use tar::{Builder, EntryType, Header};

/// An archive under construction. Names and link targets go in as they are, checks bypassed.
pub(super) struct Archive(pub(super) Builder<Vec<u8>>);

impl Archive {
    pub(super) fn new() -> Self {
        Self(Builder::new(Vec::new()))
    }

    pub(super) fn entry(mut self, kind: EntryType, name: &[u8], mode: u32, link: &[u8], data: &[u8]) -> Self {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1_000_000);
        header.set_size(data.len() as u64);
        let old = header.as_old_mut();
        let name = &name[..name.len().min(100)];
        old.name[..name.len()].copy_from_slice(name);
        let link = &link[..link.len().min(100)];
        old.linkname[..link.len()].copy_from_slice(link);
        header.set_cksum();
        self.0.append(&header, data).unwrap();
        self
    }

    pub(super) fn file(self, name: &str, data: &str) -> Self {
        self.entry(EntryType::Regular, name.as_bytes(), 0o644, b"", data.as_bytes())
    }

    pub(super) fn directory(self, name: &str) -> Self {
        self.entry(EntryType::Directory, name.as_bytes(), 0o755, b"", b"")
    }

    pub(super) fn symlink(self, name: &str, target: &str) -> Self {
        self.entry(EntryType::Symlink, name.as_bytes(), 0o777, target.as_bytes(), b"")
    }

    pub(super) fn link(self, name: &str, target: &str) -> Self {
        self.entry(EntryType::Link, name.as_bytes(), 0o644, target.as_bytes(), b"")
    }

    pub(super) fn bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }

    /// Unpacks into `outer/layer`, so that `outer` shows what got out.
    pub(super) fn unpack(self) -> (tempfile::TempDir, Result<Unpacked, UnpackError>) {
        let outer = tempfile::tempdir().unwrap();
        fs::create_dir(outer.path().join("layer")).unwrap();
        let result = unpack_tar(self.bytes().as_slice(), &outer.path().join("layer"), Limits::default());
        (outer, result)
    }
}

fn xattr(path: &Path, name: &str) -> Option<Vec<u8>> {
    let path = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
    let name = std::ffi::CString::new(name).unwrap();
    let mut value = vec![0; 256];
    let length =
        unsafe { libc::lgetxattr(path.as_ptr(), name.as_ptr(), value.as_mut_ptr().cast(), value.len()) };
    (length >= 0).then(|| value[..length as usize].to_vec())
}

#[test]
fn kinds_modes_times_and_missing_parents() {
    let (outer, result) = Archive::new()
        .entry(EntryType::Directory, b"./", 0o711, b"", b"")
        .entry(EntryType::Regular, b"bin/su", 0o4755, b"", b"program")
        .directory("d")
        .file("d/f", "text")
        .link("d/hard", "./d/f")
        .symlink("d/soft", "/etc/passwd")
        .entry(EntryType::Fifo, b"d/fifo", 0o600, b"", b"")
        .entry(EntryType::Char, b"d/null", 0o666, b"", b"")
        .file("/absolute", "inside")
        .unpack();
    let unpacked = result.unwrap();
    assert_eq!((unpacked.entries, unpacked.skipped, unpacked.bytes), (9, 1, 17));
    let at = |name: &str| outer.path().join("layer").join(name);
    assert_eq!(fs::metadata(at("")).unwrap().mode() & 0o7777, 0o711);
    assert_eq!(fs::metadata(at("bin")).unwrap().mode() & 0o7777, 0o755);
    assert_eq!(fs::metadata(at("bin/su")).unwrap().mode() & 0o7777, 0o4755);
    assert_eq!(fs::metadata(at("d")).unwrap().mtime(), 1_000_000);
    assert_eq!(fs::metadata(at("d/f")).unwrap().mtime(), 1_000_000);
    assert_eq!(fs::metadata(at("d/f")).unwrap().nlink(), 2);
    assert_eq!(fs::read_link(at("d/soft")).unwrap(), Path::new("/etc/passwd"));
    assert!(fs::metadata(at("d/fifo")).unwrap().file_type().is_fifo());
    assert!(!at("d/null").exists());
    assert_eq!(fs::read_to_string(at("absolute")).unwrap(), "inside");
}

#[test]
fn later_entries_replace_earlier_ones() {
    let (outer, result) = Archive::new()
        .file("a", "1")
        .file("a", "2")
        .file("b/c", "x")
        .file("b", "no longer a directory")
        .symlink("s", "a")
        .directory("s")
        .file("s/inside", "")
        .unpack();
    result.unwrap();
    let at = |name: &str| outer.path().join("layer").join(name);
    assert_eq!(fs::read_to_string(at("a")).unwrap(), "2");
    assert_eq!(fs::read_to_string(at("b")).unwrap(), "no longer a directory");
    assert!(fs::symlink_metadata(at("s")).unwrap().is_dir());
}

#[test]
fn whiteouts_in_overlayfs_form() {
    let (outer, result) = Archive::new()
        .file("etc/.wh.gone", "")
        .file("opaque/.wh..wh..opq", "")
        .file("both/.wh.kept", "")
        .file("both/kept", "of this layer")
        .file("after/kept/file", "")
        .file("after/.wh.kept", "")
        .file(".wh.replaced", "")
        .file("replaced/new", "")
        .file(".wh..wh.plnk", "")
        .unpack();
    result.unwrap();
    let at = |name: &str| outer.path().join("layer").join(name);
    let gone = fs::symlink_metadata(at("etc/gone")).unwrap();
    assert!(gone.file_type().is_char_device() && gone.rdev() == 0);
    let opaque = |name: &str| xattr(&at(name), "trusted.overlay.opaque");
    assert_eq!(opaque("opaque"), Some(b"y".to_vec()));
    assert_eq!(fs::read_to_string(at("both/kept")).unwrap(), "of this layer");
    assert!(at("after/kept/file").exists());
    assert_eq!(opaque("after/kept"), Some(b"y".to_vec()));
    assert_eq!(opaque("replaced"), Some(b"y".to_vec()));
    assert!(at("replaced/new").exists());
    assert_eq!(opaque("etc"), None);
    assert_eq!(fs::read_dir(at("")).unwrap().count(), 5);
}

#[test]
fn attributes_that_are_kept_and_that_are_not() {
    let mut builder = Builder::new(Vec::new());
    let capability: &[u8] = &[1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    builder
        .append_pax_extensions([
            ("SCHILY.xattr.security.capability", capability),
            ("SCHILY.xattr.user.note", b"hello".as_slice()),
            ("SCHILY.xattr.trusted.overlay.redirect", b"/etc".as_slice()),
            ("SCHILY.xattr.security.selinux", b"x".as_slice()),
            ("mtime", b"12.5".as_slice()),
        ])
        .unwrap();
    let mut header = Header::new_ustar();
    header.set_mode(0o755);
    header.set_uid(1234);
    header.set_gid(5678);
    header.set_size(1);
    builder.append_data(&mut header, "ping", b"x".as_slice()).unwrap();
    let (outer, result) = Archive(builder).unpack();
    result.unwrap();
    let ping = outer.path().join("layer/ping");
    let metadata = fs::metadata(&ping).unwrap();
    assert_eq!((metadata.uid(), metadata.gid()), (1234, 5678));
    assert_eq!((metadata.mtime(), metadata.mtime_nsec()), (12, 500_000_000));
    assert_eq!(xattr(&ping, "security.capability").as_deref(), Some(capability));
    assert_eq!(xattr(&ping, "user.note"), Some(b"hello".to_vec()));
    assert_eq!(xattr(&ping, "trusted.overlay.redirect"), None);
}

#[test]
fn what_climbs_is_refused() {
    let climbs: [Archive; 6] = [
        Archive::new().file("../out", "x"),
        Archive::new().file("a/../../out", "x"),
        Archive::new().file("a/.wh...", ""),
        Archive::new().file("a/.wh..", ""),
        Archive::new().file("a", "x").link("b", "../out"),
        Archive::new().file("/etc/x", "x").link("b", "/etc/passwd"),
    ];
    for archive in climbs {
        let (outer, result) = archive.unpack();
        assert!(result.is_err());
        assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 1);
    }
}

#[test]
fn links_lead_nowhere_else() {
    let victim = tempfile::tempdir().unwrap();
    fs::write(victim.path().join("f"), "untouched").unwrap();
    let text = victim.path().to_str().unwrap();
    // Through a link to a directory outside: the name resolves within the layer, where it isn't.
    let (_outer, result) = Archive::new().symlink("l", text).file("l/new", "x").unpack();
    assert!(result.is_err());
    // Over a link to a file outside: the link itself is replaced.
    let (outer, result) = Archive::new().symlink("l", &format!("{text}/f")).file("l", "mine").unpack();
    result.unwrap();
    assert_eq!(fs::read_to_string(outer.path().join("layer/l")).unwrap(), "mine");
    // A hard link to a link shares the link, not what it points to.
    let (_outer, result) =
        Archive::new().symlink("l", &format!("{text}/f")).link("h", "l").file("h", "x").unpack();
    result.unwrap();
    // A link within the layer is followed, as in a chroot.
    let (outer, result) =
        Archive::new().directory("usr/lib").symlink("lib", "/usr/lib").file("lib/a", "x").unpack();
    result.unwrap();
    assert!(outer.path().join("layer/usr/lib/a").exists());
    assert_eq!(fs::read_to_string(victim.path().join("f")).unwrap(), "untouched");
    assert_eq!(fs::read_dir(victim.path()).unwrap().count(), 1);
}

#[test]
fn limits_hold() {
    let root = tempfile::tempdir().unwrap();
    let many = (0..11).fold(Archive::new(), |archive, n| archive.file(&format!("f{n}"), "")).bytes();
    let limits = Limits { entries: 10, bytes: 1 << 20 };
    assert!(matches!(unpack_tar(many.as_slice(), root.path(), limits), Err(UnpackError::TooManyEntries(10))));
    let big = Archive::new().file("big", &"x".repeat(2000)).bytes();
    let limits = Limits { entries: 10, bytes: 1000 };
    assert!(matches!(unpack_tar(big.as_slice(), root.path(), limits), Err(UnpackError::TooLarge(1000))));
}

pub(super) fn digests(blob: &[u8], archive: &[u8]) -> BlobDigests {
    BlobDigests { blob: Digest::sha256_of(blob), diff_id: Digest::sha256_of(archive) }
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn every_compression_on_one_thread_and_on_two() {
    let noise: String = (0..600_000u32)
        .map(|n| char::from(b' ' + (n.wrapping_mul(2_654_435_761) >> 25) as u8 % 90))
        .collect();
    for content in ["small", noise.as_str()] {
        let archive = Archive::new().file("f", content).bytes();
        let halves = [gzip(&archive[..700]), gzip(&archive[700..])].concat();
        let zstd = zstd::encode_all(archive.as_slice(), 1).unwrap();
        for (blob, compression) in [
            (archive.clone(), Compression::None),
            (gzip(&archive), Compression::Gzip),
            (halves, Compression::Gzip),
            (zstd, Compression::Zstd),
        ] {
            assert_eq!(Compression::detect(&blob), compression);
            let expected = digests(&blob, &archive);
            for size in [0, 1 << 30] {
                let root = tempfile::tempdir().unwrap();
                let result = unpack_blob(blob.as_slice(), size, &expected, root.path(), Limits::default());
                assert_eq!(result.unwrap().1, expected);
                assert_eq!(fs::read_to_string(root.path().join("f")).unwrap(), content);
            }
            let root = tempfile::tempdir().unwrap();
            let cut = &blob[..blob.len() / 2];
            let result = unpack_blob(cut, 1 << 30, &expected, root.path(), Limits::default());
            assert!(result.is_err() || result.unwrap().1 != expected);
        }
    }
}

#[test]
fn a_compressed_bomb_ends_at_the_limit() {
    let bomb = gzip(&vec![0; 64 << 20]);
    let limits = Limits { entries: 1, bytes: 1 << 20 };
    for size in [0, 1 << 30] {
        let root = tempfile::tempdir().unwrap();
        let result = unpack_blob(bomb.as_slice(), size, &digests(&bomb, b""), root.path(), limits);
        assert!(matches!(result, Err(UnpackError::TooLarge(_))), "{result:?}");
    }
}

#[test]
fn names_and_marks() {
    assert_eq!(mark(OsStr::new(".wh.a")), Mark::Whiteout(OsStr::new("a")));
    assert_eq!(mark(OsStr::new(".wh.")), Mark::Invalid);
    assert_eq!(mark(OsStr::new(".wh..wh..opq")), Mark::Opaque);
    assert_eq!(mark(OsStr::new(".wh..wh.aufs")), Mark::Ignored);
    assert_eq!(mark(OsStr::new(".white")), Mark::None);
    assert!(Name::parse(&[b'a'; 256]).is_err());
    assert!(Name::parse("a/".repeat(2100).as_bytes()).is_err());
    assert!(Name::parse(b"a\0b").is_err());
    assert_eq!(policy::pax_time(b"-1.25"), Some((-2, 750_000_000)));
    assert_eq!(policy::pax_time(b"7"), Some((7, 0)));
    assert_eq!(policy::pax_time(b"7.x"), None);
}

/// Names out of the pieces that attacks are made of.
fn hostile_name() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"..".to_vec()),
        Just(b".".to_vec()),
        Just(b"".to_vec()),
        Just(b"a".to_vec()),
        Just(b"b".to_vec()),
        Just(b"link".to_vec()),
        Just(b".wh.a".to_vec()),
        Just(b".wh..wh..opq".to_vec()),
        Just(b".wh...".to_vec()),
        Just(vec![0xff, 0xfe]),
        proptest::collection::vec(any::<u8>(), 0..6),
    ];
    proptest::collection::vec(piece, 1..5).prop_map(|pieces| pieces.join(&b'/'))
}

fn hostile_entry() -> impl Strategy<Value = (EntryType, Vec<u8>, Vec<u8>)> {
    let kind = prop_oneof![
        Just(EntryType::Regular),
        Just(EntryType::Directory),
        Just(EntryType::Symlink),
        Just(EntryType::Link),
        Just(EntryType::Fifo),
        Just(EntryType::Char),
        Just(EntryType::Block),
        Just(EntryType::Continuous),
    ];
    let target = prop_oneof![hostile_name(), Just(b"OUTER".to_vec()), Just(b"OUTER/victim".to_vec())];
    (kind, hostile_name(), target)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Whatever an archive holds: nothing beside the layer changes, and nothing in it is a device but
    /// whiteouts.
    #[test]
    fn nothing_gets_out(entries in proptest::collection::vec(hostile_entry(), 1..12)) {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path();
        fs::create_dir(path.join("layer")).unwrap();
        fs::write(path.join("victim"), "untouched").unwrap();
        fs::set_permissions(path.join("victim"), fs::Permissions::from_mode(0o640)).unwrap();
        let mut archive = Archive::new();
        for (kind, name, target) in entries {
            let target = String::from_utf8_lossy(&target).replace("OUTER", path.to_str().unwrap()).into_bytes();
            let data: &[u8] = if kind == EntryType::Regular { b"evil" } else { b"" };
            archive = archive.entry(kind, &name, 0o777, &target, data);
        }
        let _ = unpack_tar(archive.bytes().as_slice(), &path.join("layer"), Limits::default());
        prop_assert_eq!(fs::read_to_string(path.join("victim")).unwrap(), "untouched");
        let victim = fs::metadata(path.join("victim")).unwrap();
        prop_assert_eq!((victim.nlink(), victim.mode() & 0o7777), (1, 0o640));
        let mut beside: Vec<_> = fs::read_dir(path).unwrap().map(|e| e.unwrap().file_name()).collect();
        beside.sort();
        prop_assert_eq!(beside, ["layer", "victim"]);
        let mut below = vec![path.join("layer")];
        while let Some(directory) = below.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let entry = entry.unwrap();
                let metadata = entry.metadata().unwrap();
                prop_assert!(!metadata.file_type().is_block_device());
                prop_assert!(!metadata.file_type().is_char_device() || metadata.rdev() == 0);
                if metadata.is_dir() {
                    below.push(entry.path());
                }
            }
        }
    }

    #[test]
    fn garbage_is_an_error_and_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let root = tempfile::tempdir().unwrap();
        let _ = unpack_tar(bytes.as_slice(), root.path(), Limits::default());
    }
}
