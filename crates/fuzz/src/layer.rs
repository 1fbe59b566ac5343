//! Layers: an archive made of the input's choices, or the input as the archive itself, unpacked into a
//! root with something precious beside it.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use agent::images::unpack::{BlobDigests, Limits, unpack_blob, unpack_tar};
use agent::{images::Digest, remove_tree};
use tar::{Builder, EntryType, Header};

use crate::supply::Supply;

const LIMITS: Limits = Limits { entries: 200, bytes: 1 << 20 };
/// Far above what an input can say, for limits bound it; a loop without end is libFuzzer's to find.
const DEEPEST: usize = 4096;

pub fn check(data: &[u8]) {
    let mut supply = Supply(data);
    let kind = supply.byte();
    let stage = Stage::new();
    let reason = match kind % 4 {
        0 => unpack_tar(supply.0, &stage.layer, LIMITS).err(),
        1 => {
            // Compressed or not, by its first bytes.
            let none = Digest::sha256_of(b"");
            let expected = BlobDigests { blob: none.clone(), diff_id: none };
            unpack_blob(supply.0, supply.0.len() as u64, &expected, &stage.layer, LIMITS).err()
        }
        _ => unpack_tar(archive(&mut supply).as_slice(), &stage.layer, LIMITS).err(),
    };
    if let Some(reason) = reason {
        let reason = reason.to_string();
        assert!(!reason.is_empty() && reason.len() <= 2048, "a reason of {} bytes", reason.len());
        assert!(!reason.contains(|c: char| c.is_control()), "a reason of more than one line: {reason:?}");
    }
    stage.is_untouched();
    remove_tree(&stage.layer).expect("whatever was unpacked can be removed");
    assert!(!stage.layer.exists());
    stage.is_untouched();
}

/// A directory with the layer's root and a file beside it, which the archives' names point to.
struct Stage {
    outer: tempfile::TempDir,
    layer: PathBuf,
}

impl Stage {
    fn new() -> Self {
        // Of memory where there is such a place: an input is then a fraction of a millisecond.
        let place = Path::new("/dev/shm");
        let place = if place.is_dir() { place.to_owned() } else { std::env::temp_dir() };
        let outer = tempfile::Builder::new().prefix("fuzz-layer-").tempdir_in(place).expect("a directory");
        let layer = outer.path().join("layer");
        fs::create_dir(&layer).expect("the layer's root");
        fs::write(outer.path().join("precious"), "as it was").expect("the file beside it");
        Self { outer, layer }
    }

    fn is_untouched(&self) {
        let precious = self.outer.path().join("precious");
        let about = fs::symlink_metadata(&precious).expect("the file beside the root");
        assert_eq!(
            (about.nlink(), about.mode() & 0o7777),
            (1, about.mode() & 0o666),
            "it was linked or changed"
        );
        assert_eq!(fs::read(&precious).expect("the file beside the root"), b"as it was");
        let beside = fs::read_dir(self.outer.path()).expect("the directory above").count();
        assert_eq!(beside, 1 + usize::from(self.layer.exists()), "something lies beside the root");
        if self.layer.exists() {
            let mut seen = 0;
            look(&self.layer, 0, &mut seen).expect("a tree that can be read");
            // Parents that an archive leaves out are made as well.
            assert!(seen <= 1 << 20, "{seen} files");
        }
    }
}

/// Nothing that isn't of the closed list, and no more bytes than allowed.
fn look(directory: &Path, depth: usize, seen: &mut u64) -> io::Result<()> {
    assert!(depth <= DEEPEST, "deeper than a path can name");
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        *seen += 1;
        let about = fs::symlink_metadata(&path)?;
        let kind = about.file_type();
        assert!(!kind.is_block_device() && !kind.is_socket(), "{}", path.display());
        assert!(!kind.is_char_device() || about.rdev() == 0, "a device: {}", path.display());
        assert!(!kind.is_file() || about.len() <= LIMITS.bytes, "a file larger than the layer may be");
        if kind.is_dir() {
            look(&path, depth + 1, seen)?;
        }
    }
    Ok(())
}

const KINDS: &[EntryType] = &[
    EntryType::Regular,
    EntryType::Directory,
    EntryType::Symlink,
    EntryType::Link,
    EntryType::Fifo,
    EntryType::Char,
    EntryType::Block,
    EntryType::GNUSparse,
    EntryType::GNULongName,
    EntryType::GNULongLink,
    EntryType::XHeader,
    EntryType::XGlobalHeader,
    EntryType::Continuous,
];

const NAMES: &[&str] = &[
    "",
    ".",
    "/",
    "..",
    "a",
    "b",
    "c",
    "a/b",
    "a/b/c",
    "b/a",
    "./a",
    "/a",
    "a/",
    "a//b",
    "../precious",
    "a/../../precious",
    "/../precious",
    "../layer/a",
    ".wh.a",
    "a/.wh.b",
    ".wh..wh..opq",
    "a/.wh..wh..opq",
    ".wh.",
    ".wh..",
    ".wh...",
    ".wh..wh.a",
    "a/.wh.../precious",
    "..a",
    "...",
    "a\nb",
    "a\\..\\b",
];

const RECORDS: &[&str] = &[
    "path",
    "linkpath",
    "size",
    "uid",
    "gid",
    "mtime",
    "SCHILY.xattr.user.a",
    "SCHILY.xattr.trusted.overlay.redirect",
    "SCHILY.xattr.trusted.overlay.opaque",
    "SCHILY.xattr.security.capability",
    "GNU.sparse.major",
];

/// The archive that the input describes: entries in any order, of any kind, with headers that may lie.
fn archive(supply: &mut Supply<'_>) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    while !supply.is_empty() && builder.get_ref().len() < 256 << 10 {
        let shape = supply.byte();
        if shape & 1 != 0 {
            let (key, value) = (supply.one_of(RECORDS), name(supply));
            let _ = builder.append_pax_extensions([(key, value.as_slice())]);
        }
        let kind = supply.one_of(KINDS);
        let (entry, link) = (name(supply), name(supply));
        let data = supply.part();
        let mut header = if shape & 2 != 0 { Header::new_old() } else { Header::new_gnu() };
        header.set_entry_type(kind);
        header.set_mode(u32::from(supply.byte()) << 4);
        header.set_uid(if shape & 4 != 0 { u64::from(supply.byte()) << 24 } else { 0 });
        header.set_gid(0);
        header.set_mtime(1);
        let lie = if shape & 8 != 0 { u64::from(supply.byte()) << (supply.byte() % 57) } else { 0 };
        header.set_size((data.len() as u64).wrapping_add(lie));
        let old = header.as_old_mut();
        let (entry, link) = (&entry[..entry.len().min(100)], &link[..link.len().min(100)]);
        old.name[..entry.len()].copy_from_slice(entry);
        old.linkname[..link.len()].copy_from_slice(link);
        if kind == EntryType::GNUSparse
            && let Some(gnu) = header.as_gnu_mut()
        {
            gnu.set_real_size(u64::from(supply.byte()) << (supply.byte() % 57));
            gnu.set_is_extended(shape & 16 != 0);
        }
        header.set_cksum();
        let _ = builder.append(&header, data);
    }
    let mut bytes = builder.into_inner().unwrap_or_default();
    // Cut short, or followed by what is no archive.
    let end = supply.byte();
    if end & 1 != 0 {
        bytes.truncate(bytes.len().saturating_sub(usize::from(end) * 16));
    }
    bytes
}

/// A name out of the list, or one of the input's own, or a long one.
fn name(supply: &mut Supply<'_>) -> Vec<u8> {
    match supply.byte() {
        255 => supply.part().to_vec(),
        254 => vec![b'x'; usize::from(supply.byte()) * 8],
        other => Path::new(NAMES[usize::from(other) % NAMES.len()]).as_os_str().as_bytes().to_vec(),
    }
}
