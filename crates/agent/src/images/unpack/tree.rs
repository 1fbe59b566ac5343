//! The layer's directory while it is being filled.

use super::{
    Limits, UnpackError, Unpacked, header,
    name::{Mark, Name, mark},
    policy,
};
use crate::{images::sys, remove::remove_at};
use nix::{
    errno::Errno,
    fcntl::{AtFlags, OFlag, openat},
    sys::stat::{Mode, SFlag, UtimensatFlags, fchmod, futimens, mkdirat, mknodat, utimensat},
    sys::time::TimeSpec,
    unistd::{Gid, LinkatFlags, Uid, fchown, fchownat, linkat, symlinkat},
};
use std::{
    collections::BTreeMap,
    ffi::{CString, OsStr},
    fs,
    io::{self, Read, Seek, Write},
    os::fd::{AsFd, AsRawFd, OwnedFd},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};
use tar::EntryType;

/// Makes a directory opaque for overlayfs (Linux documentation, "overlayfs": whiteouts and opaque
/// directories).
const OPAQUE: &std::ffi::CStr = c"trusted.overlay.opaque";

/// Memory for directories' names. The names of a million real ones fit.
const DIRECTORY_BYTES: usize = 64 << 20;
/// Levels below the layer's root. A path can't name more than 2,048, but links along the way lead deeper,
/// where whoever walks the tree runs out of descriptors or stack.
const DEPTH: usize = 1024;
/// Bytes of a path below the layer's root. With the store's own path in front it must fit into PATH_MAX.
const PATH: usize = 3072;

/// Zeros that are worth a hole: a block of the file system.
const HOLE: usize = 4096;

pub(super) struct Tree {
    root: OwnedFd,
    limits: Limits,
    unpacked: Unpacked,
    /// Directories' times are set at the end: filling a directory changes them.
    directory_times: BTreeMap<Name, TimeSpec>,
    /// Bytes of their names.
    directory_bytes: usize,
    /// Where the root is, for telling how deep below it a directory lies.
    root_path: PathBuf,
    /// The directory of the last entry: archives list a directory's files one after the other.
    parent: Option<(Name, OwnedFd)>,
    buffer: Vec<u8>,
}

/// What a header says about an entry, beside its kind and contents.
struct Attributes {
    uid: Uid,
    gid: Gid,
    mode: Mode,
    mtime: TimeSpec,
    xattrs: Vec<(CString, Vec<u8>)>,
}

impl Tree {
    pub fn open(root: &Path, limits: Limits) -> Result<Self, UnpackError> {
        let root =
            nix::fcntl::open(root, OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
                .map_err(|e| UnpackError::Root { path: root.to_owned(), source: e.into() })?;
        let root_path = path_of(&root).map_err(|source| UnpackError::Root { path: "/".into(), source })?;
        Ok(Self {
            root,
            limits,
            unpacked: Unpacked::default(),
            directory_times: BTreeMap::new(),
            directory_bytes: 0,
            root_path,
            parent: None,
            buffer: vec![0; 256 << 10],
        })
    }

    /// Applies one entry.
    pub fn add<R: Read>(&mut self, entry: &mut tar::Entry<'_, R>) -> Result<(), UnpackError> {
        self.unpacked.entries += 1;
        if self.unpacked.entries > self.limits.entries {
            return Err(UnpackError::TooManyEntries(self.limits.entries));
        }
        let kind = entry.header().entry_type();
        if header::is_stray(kind) {
            return Ok(());
        }
        let name = Name::parse(&entry.path_bytes())?;
        let attributes = attributes(entry, &name)?;
        let Some((parent_name, last)) = name.split() else {
            return self.add_root(kind, &name, &attributes);
        };
        let mark = mark(last);
        if mark == Mark::Ignored {
            return Ok(());
        }
        if mark == Mark::Invalid {
            return Err(UnpackError::Name { name: name.shown(), reason: "it is a whiteout of no name" });
        }
        self.enter(parent_name)?;
        let parent = &self.parent.as_ref().expect("`enter` has just set it").1;
        let on = |action: &'static str| {
            let shown = name.shown();
            move |errno: Errno| UnpackError::File { action, name: shown, source: errno.into() }
        };
        match mark {
            Mark::Whiteout(hidden) => return white_out(parent, hidden).map_err(on("mark as removed")),
            Mark::Opaque => return make_opaque(parent).map_err(on("mark as opaque")),
            Mark::None | Mark::Ignored | Mark::Invalid => {}
        }
        match kind {
            EntryType::Directory => {
                make_directory(parent, last).map_err(on("create"))?;
                let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
                let directory = openat(parent, last, flags, Mode::empty()).map_err(on("open"))?;
                apply(&directory, &attributes).map_err(file_error("set the attributes of", &name))?;
                self.remember(name, attributes.mtime)?;
            }
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let flags =
                    OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
                let create = || openat(parent, last, flags, Mode::S_IRUSR | Mode::S_IWUSR);
                let file = replacing(parent, last, create).map_err(on("create"))?;
                let file = fs::File::from(file);
                self.fill(&file, entry, &name)?;
                apply(&file, &attributes).map_err(file_error("set the attributes of", &name))?;
                futimens(&file, &attributes.mtime, &attributes.mtime).map_err(on("set the time of"))?;
            }
            EntryType::Symlink => {
                let target = entry.link_name_bytes().unwrap_or_default();
                let target = OsStr::from_bytes(&target);
                replacing(parent, last, || symlinkat(target, parent, last)).map_err(on("create"))?;
                finish_special(parent, last, &attributes).map_err(on("set the attributes of"))?;
            }
            EntryType::Link => {
                let target = Name::parse(&entry.link_name_bytes().unwrap_or_default())?;
                self.link(&name, last, &target)?;
            }
            EntryType::Fifo => {
                replacing(parent, last, || mknodat(parent, last, SFlag::S_IFIFO, attributes.mode, 0))
                    .map_err(on("create"))?;
                finish_special(parent, last, &attributes).map_err(on("set the attributes of"))?;
            }
            // A device node would be a door to the machine; the runtime makes the few that a container
            // has in its own /dev. Kinds that we don't know are left out as well.
            _ => {
                tracing::debug!(name = name.shown(), kind = ?kind, "an entry of a layer is left out");
                self.unpacked.skipped += 1;
            }
        }
        Ok(())
    }

    /// Writes an entry's contents. Whole pieces of zeros become holes: a sparse file's are endless.
    fn fill(&mut self, mut file: &fs::File, entry: &mut impl Read, name: &Name) -> Result<(), UnpackError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let (mut length, mut ends_in_hole) = (0, false);
        loop {
            let piece = match entry.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => &buffer[..read],
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(UnpackError::Archive(e)),
            };
            length += piece.len() as u64;
            self.unpacked.bytes += piece.len() as u64;
            if self.unpacked.bytes > self.limits.bytes {
                return Err(UnpackError::TooLarge(self.limits.bytes));
            }
            ends_in_hole = piece.len() >= HOLE && piece.iter().all(|b| *b == 0);
            let written = match ends_in_hole {
                true => file.seek_relative(piece.len() as i64),
                false => file.write_all(piece),
            };
            written.map_err(file_error("write", name))?;
        }
        if ends_in_hole {
            file.set_len(length).map_err(file_error("write", name))?;
        }
        self.buffer = buffer;
        Ok(())
    }

    /// A directory's time is for the end.
    fn remember(&mut self, name: Name, mtime: TimeSpec) -> Result<(), UnpackError> {
        let length = name.as_path().as_os_str().len();
        if self.directory_times.insert(name, mtime).is_none() {
            self.directory_bytes += length;
        }
        match self.directory_bytes > DIRECTORY_BYTES {
            true => Err(UnpackError::Directories(DIRECTORY_BYTES)),
            false => Ok(()),
        }
    }

    /// Sets what can only be set when all is there.
    pub fn finish(mut self) -> Result<Unpacked, UnpackError> {
        let times = std::mem::take(&mut self.directory_times);
        for (name, mtime) in &times {
            let result = match name.split() {
                None => futimens(&self.root, mtime, mtime),
                Some((parent, last)) => {
                    // Gone or replaced by a later entry: then there is nothing to set.
                    let Ok(parent) = sys::open_in_root(&self.root, parent.as_path(), OFlag::O_PATH) else {
                        continue;
                    };
                    utimensat(&parent, last, mtime, mtime, UtimensatFlags::NoFollowSymlink)
                }
            };
            match result {
                Ok(()) | Err(Errno::ENOENT | Errno::ENOTDIR) => {}
                Err(errno) => return Err(file_error("set the time of", name)(errno.into())),
            }
        }
        Ok(self.unpacked)
    }

    fn add_root(&mut self, kind: EntryType, name: &Name, attributes: &Attributes) -> Result<(), UnpackError> {
        if kind != EntryType::Directory {
            return Err(UnpackError::Name {
                name: "/".to_owned(),
                reason: "the layer's root is no directory",
            });
        }
        apply(&self.root, attributes).map_err(file_error("set the attributes of", name))?;
        self.remember(name.clone(), attributes.mtime)
    }

    /// Makes `directory` the current parent, creating what is missing of it.
    fn enter(&mut self, directory: Name) -> Result<(), UnpackError> {
        if self.parent.as_ref().is_some_and(|(current, _)| *current == directory) {
            return Ok(());
        }
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
        let fd = match sys::open_in_root(&self.root, directory.as_path(), flags) {
            Err(Errno::ENOENT | Errno::ENOTDIR) => self.create_parents(&directory),
            other => other,
        };
        let fd = fd.map_err(|errno| file_error("open the directory", &directory)(errno.into()))?;
        self.check_depth(&fd, &directory)?;
        self.parent = Some((directory, fd));
        Ok(())
    }

    fn check_depth(&self, directory: &OwnedFd, name: &Name) -> Result<(), UnpackError> {
        let below = path_of(directory).map(|path| {
            let below = path.strip_prefix(&self.root_path).unwrap_or(&path);
            (below.components().count(), below.as_os_str().len())
        });
        match below {
            Ok((levels, length)) if levels < DEPTH && length < PATH => Ok(()),
            // The kernel can't write down what is longer.
            _ => Err(UnpackError::Name { name: name.shown(), reason: "it lies too deep" }),
        }
    }

    /// Archives may leave out directories: they get Docker's default, 0755 and root.
    fn create_parents(&self, directory: &Name) -> nix::Result<OwnedFd> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
        let Some((above, last)) = directory.split() else {
            return sys::open_in_root(&self.root, Path::new(""), flags);
        };
        let above = match sys::open_in_root(&self.root, above.as_path(), flags) {
            Err(Errno::ENOENT | Errno::ENOTDIR) => self.create_parents(&above)?,
            other => other?,
        };
        let is_new = match mkdirat(&above, last, Mode::S_IRWXU) {
            Ok(()) => true,
            Err(Errno::EEXIST) if is_whiteout(&above, last)? => {
                make_directory(&above, last)?;
                true
            }
            Err(Errno::EEXIST) => false,
            Err(errno) => return Err(errno),
        };
        let fd = sys::open_in_root(&self.root, directory.as_path(), flags)?;
        if is_new {
            // By chmod, for mkdir obeys the process's umask.
            fchmod(&fd, Mode::from_bits_truncate(0o755))?;
        }
        Ok(fd)
    }

    fn link(&self, name: &Name, last: &OsStr, target: &Name) -> Result<(), UnpackError> {
        let missing = || UnpackError::HardLink { name: name.shown(), target: target.shown() };
        let parent = &self.parent.as_ref().expect("the entry's parent has been entered").1;
        let (target_parent, target_last) = target.split().ok_or_else(missing)?;
        let target_parent =
            sys::open_in_root(&self.root, target_parent.as_path(), OFlag::O_PATH | OFlag::O_DIRECTORY)
                .map_err(|_| missing())?;
        // A link to its own name must not remove what it points to.
        if target == name || is_whiteout(&target_parent, target_last).map_err(|_| missing())? {
            return Err(missing());
        }
        replacing(parent, last, || linkat(&target_parent, target_last, parent, last, LinkatFlags::empty()))
            .map_err(|errno| match errno {
                Errno::ENOENT => missing(),
                errno => file_error("link", name)(errno.into()),
            })
    }
}

fn file_error(action: &'static str, name: &Name) -> impl FnOnce(io::Error) -> UnpackError {
    let name = name.shown();
    move |source| UnpackError::File { action, name, source }
}

fn attributes<R: Read>(entry: &mut tar::Entry<'_, R>, name: &Name) -> Result<Attributes, UnpackError> {
    let header = entry.header();
    let id = |id: io::Result<u64>| {
        let id = id.map_err(UnpackError::Archive)?;
        // The highest means "leave it" to chown(2).
        u32::try_from(id)
            .ok()
            .filter(|&id| id != u32::MAX)
            .ok_or(UnpackError::Owner { name: name.shown(), id })
    };
    let uid = Uid::from_raw(id(header.uid())?);
    let gid = Gid::from_raw(id(header.gid())?);
    let mode = Mode::from_bits_truncate(header.mode().map_err(UnpackError::Archive)? & 0o7777);
    let mut mtime = (header.mtime().unwrap_or(0).min(i64::MAX as u64) as i64, 0);
    let mut xattrs = Vec::new();
    if let Some(records) = entry.pax_extensions().map_err(UnpackError::Archive)? {
        for record in records.flatten() {
            if record.key_bytes() == b"mtime" {
                mtime = policy::pax_time(record.value_bytes()).unwrap_or(mtime);
            } else if let Some(xattr) = policy::xattr_of_record(record.key_bytes())
                && policy::keeps_xattr(xattr)
                && let Ok(xattr) = CString::new(xattr)
            {
                xattrs.push((xattr, record.value_bytes().to_vec()));
            }
        }
    }
    Ok(Attributes { uid, gid, mode, mtime: TimeSpec::new(mtime.0, mtime.1), xattrs })
}

/// Owner first: chown takes setuid bits and capabilities away.
fn apply(file: impl AsFd, attributes: &Attributes) -> io::Result<()> {
    fchown(file.as_fd(), Some(attributes.uid), Some(attributes.gid))?;
    fchmod(file.as_fd(), attributes.mode)?;
    for (name, value) in &attributes.xattrs {
        match sys::set_xattr(file.as_fd(), name, value) {
            // Kept where the disk's file system can, as containerd does it.
            Err(e) if e.raw_os_error() == Some(libc::ENOTSUP) && name.as_bytes().starts_with(b"user.") => {}
            other => other?,
        }
    }
    Ok(())
}

/// Owner and time of what isn't opened. A FIFO's mode was given at its creation, less the umask's bits.
fn finish_special(parent: &OwnedFd, last: &OsStr, attributes: &Attributes) -> nix::Result<()> {
    fchownat(parent, last, Some(attributes.uid), Some(attributes.gid), AtFlags::AT_SYMLINK_NOFOLLOW)?;
    utimensat(parent, last, &attributes.mtime, &attributes.mtime, UtimensatFlags::NoFollowSymlink)
}

/// Creates an entry; what has its name already, an earlier entry of the same layer, makes way.
fn replacing<T>(parent: &OwnedFd, last: &OsStr, create: impl Fn() -> nix::Result<T>) -> nix::Result<T> {
    match create() {
        Err(Errno::EEXIST) => {
            remove_at(parent, last)?;
            create()
        }
        other => other,
    }
}

/// A directory that is there stays with what is in it. One that takes a whiteout's place begins empty:
/// the layer removes the old directory and makes a new one.
fn make_directory(parent: &OwnedFd, last: &OsStr) -> nix::Result<()> {
    let create = || mkdirat(parent, last, Mode::S_IRWXU);
    match create() {
        Err(Errno::EEXIST) => {}
        other => return other,
    }
    let kind = kind_of(parent, last)?;
    if kind == SFlag::S_IFDIR {
        return Ok(());
    }
    let was_whiteout = is_whiteout(parent, last)?;
    remove_at(parent, last)?;
    create()?;
    if was_whiteout {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        make_opaque(&openat(parent, last, flags, Mode::empty())?)?;
    }
    Ok(())
}

/// A whiteout hides only what is below this layer: an entry of the same name in this layer stays, and a
/// directory becomes opaque.
fn white_out(parent: &OwnedFd, hidden: &OsStr) -> nix::Result<()> {
    match mknodat(parent, hidden, SFlag::S_IFCHR, Mode::empty(), 0) {
        Err(Errno::EEXIST) => {
            if kind_of(parent, hidden)? == SFlag::S_IFDIR {
                let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
                make_opaque(&openat(parent, hidden, flags, Mode::empty())?)?;
            }
            Ok(())
        }
        other => other,
    }
}

fn make_opaque(directory: &OwnedFd) -> nix::Result<()> {
    sys::set_xattr(directory, OPAQUE, b"y")
        .map_err(|e| Errno::from_raw(e.raw_os_error().unwrap_or(libc::EIO)))
}

/// Where an open directory is now.
fn path_of(directory: &OwnedFd) -> io::Result<PathBuf> {
    fs::read_link(Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()))
}

fn kind_of(parent: &OwnedFd, last: &OsStr) -> nix::Result<SFlag> {
    let stat = nix::sys::stat::fstatat(parent, last, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    Ok(SFlag::from_bits_truncate(stat.st_mode & libc::S_IFMT))
}

fn is_whiteout(parent: &OwnedFd, last: &OsStr) -> nix::Result<bool> {
    let stat = nix::sys::stat::fstatat(parent, last, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    Ok(stat.st_mode & libc::S_IFMT == libc::S_IFCHR && stat.st_rdev == 0)
}
