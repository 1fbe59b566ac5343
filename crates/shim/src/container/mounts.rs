//! The container's file systems, each mounted at a place that is found by descriptor (see [`super::target`]).

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use oci_spec::runtime::Mount;

use super::target::{self, Kind};
use crate::cgroup::Cgroup;

/// mount_setattr(2)'s `struct mount_attr`.
#[repr(C)]
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Attributes {
    set: u64,
    clear: u64,
    propagation: u64,
    userns_fd: u64,
}

/// A mount's options, sorted by who reads them.
#[derive(Debug, PartialEq, Eq)]
struct Options {
    /// For mount(2).
    flags: MsFlags,
    /// The same for mount_setattr(2): a bind mount keeps its source's flags but for these.
    attributes: Attributes,
    /// Those with an `r` before their name, which hold for everything below too.
    recursive: Attributes,
    bind: bool,
    rbind: bool,
    /// For the file system itself.
    data: Vec<String>,
}

/// What all mounts of a container share.
#[derive(Debug)]
pub struct Place<'a> {
    /// The root of the container, a mount of this process's namespace.
    pub root: BorrowedFd<'a>,
    pub bundle: &'a Path,
    pub cgroup: &'a Cgroup,
    pub own_cgroup_namespace: bool,
}

impl Place<'_> {
    /// Makes one mount.
    pub fn mount(&self, one: &Mount) -> Result<(), String> {
        let options = options(one.options().as_deref().unwrap_or_default());
        let kind = one.typ().as_deref().unwrap_or("none");
        let named = |why: String| {
            let source = one.source().as_deref().unwrap_or(Path::new(""));
            format!("mount {kind} {source:?} on {:?}: {why}", one.destination())
        };
        let result = match kind {
            "cgroup" | "cgroup2" => self.cgroups(one.destination(), &options),
            _ if options.bind || kind == "bind" => self.bind(one, &options),
            _ => self.file_system(one, kind, &options),
        };
        result.map_err(|errno| named(errno.to_string()))
    }

    fn bind(&self, one: &Mount, options: &Options) -> Result<(), Errno> {
        let source = self.bundle.join(one.source().as_deref().unwrap_or(Path::new("")));
        let tree = open_tree(&source, options.rbind || !options.bind)?;
        let kind = if target::is_directory(&tree)? { Kind::Directory } else { Kind::File };
        let at = target::make(self.root, one.destination(), kind)?;
        set_attributes(&tree, &options.attributes, false)?;
        set_attributes(&tree, &options.recursive, true)?;
        attach(&tree, &at)
    }

    fn file_system(&self, one: &Mount, kind: &str, options: &Options) -> Result<(), Errno> {
        let source = one.source().as_deref().unwrap_or(Path::new(kind));
        let at = target::make(self.root, one.destination(), Kind::Directory)?;
        let data = options.data.join(",");
        mount(Some(source), &target::path_of(&at), Some(kind), options.flags, Some(data.as_str()))?;
        if options.attributes.propagation == 0 {
            return Ok(());
        }
        let made = target::find(self.root, one.destination())?;
        let only = Attributes { propagation: options.attributes.propagation, ..Attributes::default() };
        set_attributes(&made, &only, false)
    }

    /// The container's own cgroup, and nothing beside or above it. Version 1 has a directory for each hierarchy.
    fn cgroups(&self, destination: &Path, options: &Options) -> Result<(), Errno> {
        let at = target::make(self.root, destination, Kind::Directory)?;
        if self.cgroup.unified() {
            if self.own_cgroup_namespace {
                return mount(
                    Some("cgroup"),
                    &target::path_of(&at),
                    Some("cgroup2"),
                    options.flags,
                    None::<&str>,
                );
            }
            let tree = open_tree(&self.cgroup.dir(""), false)?;
            set_attributes(&tree, &options.attributes, false)?;
            return attach(&tree, &at);
        }
        let flags = options.flags - MsFlags::MS_RDONLY;
        mount(Some("cgroup"), &target::path_of(&at), Some("tmpfs"), flags, Some("mode=755"))?;
        let top = target::find(self.root, destination)?;
        for (name, dir) in self.cgroup.hierarchies() {
            let tree = open_tree(&dir, false)?;
            set_attributes(&tree, &options.attributes, false)?;
            nix::sys::stat::mkdirat(&top, name, nix::sys::stat::Mode::from_bits_truncate(0o755))?;
            let below = target::find(&top, Path::new(name))?;
            attach(&tree, &below)?;
            // A hierarchy of several controllers is also found by each one's name.
            for alias in name.split(',').filter(|alias| *alias != name) {
                nix::unistd::symlinkat(name, &top, alias)?;
            }
        }
        set_attributes(&top, &options.attributes, false)
    }
}

/// A copy of the mounts at `source`, not attached anywhere (open_tree(2)).
pub fn open_tree(source: &Path, recursive: bool) -> Result<OwnedFd, Errno> {
    let path = CString::new(source.as_os_str().as_encoded_bytes()).map_err(|_| Errno::EINVAL)?;
    let mut flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC;
    if recursive {
        flags |= libc::AT_RECURSIVE as u32;
    }
    // SAFETY: a NUL-terminated path that lives through the call.
    let fd = unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) };
    owned(fd)
}

/// Attaches a copy of mounts at a place.
pub fn attach<A: AsFd, B: AsFd>(tree: A, at: B) -> Result<(), Errno> {
    let flags = libc::MOVE_MOUNT_F_EMPTY_PATH | libc::MOVE_MOUNT_T_EMPTY_PATH;
    // SAFETY: two descriptors and two empty strings.
    let result = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            tree.as_fd().as_raw_fd(),
            c"".as_ptr(),
            at.as_fd().as_raw_fd(),
            c"".as_ptr(),
            flags,
        )
    };
    Errno::result(result).map(drop)
}

/// Makes a mount, and everything below if `recursive`, read-only.
pub fn set_read_only<Fd: AsFd>(mount: Fd, recursive: bool) -> Result<(), Errno> {
    set_attributes(mount, &Attributes { set: libc::MOUNT_ATTR_RDONLY, ..Attributes::default() }, recursive)
}

fn set_attributes<Fd: AsFd>(mount: Fd, attributes: &Attributes, recursive: bool) -> Result<(), Errno> {
    if *attributes == Attributes::default() {
        return Ok(());
    }
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: an empty string and a structure of the size given, which live through the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_fd().as_raw_fd(),
            c"".as_ptr(),
            flags,
            attributes,
            size_of::<Attributes>(),
        )
    };
    Errno::result(result).map(drop)
}

fn owned(fd: libc::c_long) -> Result<OwnedFd, Errno> {
    match fd {
        0.. => Ok(unsafe {
            // SAFETY: the kernel has just given us this descriptor.
            OwnedFd::from_raw_fd(fd as i32)
        }),
        _ => Err(Errno::last()),
    }
}

fn options(given: &[String]) -> Options {
    let mut options = Options {
        flags: MsFlags::empty(),
        attributes: Attributes::default(),
        recursive: Attributes::default(),
        bind: false,
        rbind: false,
        data: Vec::new(),
    };
    for option in given {
        let (name, recursive) = match option.as_str() {
            "rbind" | "rw" | "ro" | "relatime" => (option.as_str(), false),
            // `rro`, `rnosuid`, … (OCI runtime specification, "Linux mount options").
            name => match name.strip_prefix('r').filter(|rest| flag(rest).is_some()) {
                Some(rest) => (rest, true),
                None => (name, false),
            },
        };
        if let Some((ms, set, clear)) = flag(name) {
            let attributes = if recursive { &mut options.recursive } else { &mut options.attributes };
            attributes.set = attributes.set & !clear | set;
            attributes.clear = attributes.clear & !set | clear;
            if !recursive {
                if set != 0 { options.flags |= ms } else { options.flags -= ms }
            }
            continue;
        }
        let propagation = match name {
            "private" | "rprivate" => libc::MS_PRIVATE,
            "slave" | "rslave" => libc::MS_SLAVE,
            "shared" | "rshared" => libc::MS_SHARED,
            "unbindable" | "runbindable" => libc::MS_UNBINDABLE,
            _ => 0,
        };
        match name {
            _ if propagation != 0 && name.starts_with('r') => options.recursive.propagation = propagation,
            _ if propagation != 0 => options.attributes.propagation = propagation,
            "bind" => options.bind = true,
            "rbind" => (options.bind, options.rbind) = (true, true),
            "sync" => options.flags |= MsFlags::MS_SYNCHRONOUS,
            "dirsync" => options.flags |= MsFlags::MS_DIRSYNC,
            "mand" => options.flags |= MsFlags::MS_MANDLOCK,
            "silent" => options.flags |= MsFlags::MS_SILENT,
            "defaults" | "async" | "nomand" | "loud" | "" => {}
            data => options.data.push(data.to_owned()),
        }
    }
    options
}

/// The flag of mount(2) that an option means, and what it sets and clears for mount_setattr(2).
fn flag(name: &str) -> Option<(MsFlags, u64, u64)> {
    use libc as l;
    const ATIME: u64 = l::MOUNT_ATTR__ATIME;
    Some(match name {
        "ro" => (MsFlags::MS_RDONLY, l::MOUNT_ATTR_RDONLY, 0),
        "rw" => (MsFlags::MS_RDONLY, 0, l::MOUNT_ATTR_RDONLY),
        "nosuid" => (MsFlags::MS_NOSUID, l::MOUNT_ATTR_NOSUID, 0),
        "suid" => (MsFlags::MS_NOSUID, 0, l::MOUNT_ATTR_NOSUID),
        "nodev" => (MsFlags::MS_NODEV, l::MOUNT_ATTR_NODEV, 0),
        "dev" => (MsFlags::MS_NODEV, 0, l::MOUNT_ATTR_NODEV),
        "noexec" => (MsFlags::MS_NOEXEC, l::MOUNT_ATTR_NOEXEC, 0),
        "exec" => (MsFlags::MS_NOEXEC, 0, l::MOUNT_ATTR_NOEXEC),
        "nodiratime" => (MsFlags::MS_NODIRATIME, l::MOUNT_ATTR_NODIRATIME, 0),
        "diratime" => (MsFlags::MS_NODIRATIME, 0, l::MOUNT_ATTR_NODIRATIME),
        // The kernel wants the whole field cleared where one of its values is set.
        "noatime" => (MsFlags::MS_NOATIME, l::MOUNT_ATTR_NOATIME, ATIME),
        "strictatime" => (MsFlags::MS_STRICTATIME, l::MOUNT_ATTR_STRICTATIME, ATIME),
        "relatime" => (MsFlags::MS_RELATIME, l::MOUNT_ATTR_RELATIME, ATIME),
        "nosymfollow" => (MsFlags::empty(), l::MOUNT_ATTR_NOSYMFOLLOW, 0),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[&str]) -> Options {
        options(&text.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_sorted_by_who_reads_them() {
        let read = read(&["nosuid", "strictatime", "mode=755", "size=65536k"]);
        assert_eq!(read.flags, MsFlags::MS_NOSUID | MsFlags::MS_STRICTATIME);
        assert_eq!(read.data, ["mode=755", "size=65536k"]);
        assert!(!read.bind);
    }

    #[test]
    fn a_bind_mount_changes_only_what_is_asked() {
        let read = read(&["rbind", "rprivate", "ro"]);
        assert!(read.bind && read.rbind && read.data.is_empty());
        assert_eq!(read.attributes, Attributes { set: libc::MOUNT_ATTR_RDONLY, ..Attributes::default() });
        assert_eq!(read.recursive, Attributes { propagation: libc::MS_PRIVATE, ..Attributes::default() });
    }

    #[test]
    fn the_last_of_two_contrary_options_holds_and_an_r_means_everything_below() {
        let last = read(&["ro", "rw"]);
        assert_eq!((last.attributes.set, last.attributes.clear), (0, libc::MOUNT_ATTR_RDONLY));
        assert_eq!(last.flags, MsFlags::empty());
        let below = read(&["rro", "rnosuid"]);
        assert_eq!(below.recursive.set, libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID);
        assert_eq!(below.attributes, Attributes::default());
    }
}
