//! System calls that neither std nor nix offers, and opening a path beneath a root.

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::Mode;
use std::{
    ffi::{CStr, CString},
    io,
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd},
    path::Path,
};

/// Opens `path` as a process whose root directory is `root` would: absolute symbolic links and `..` stay
/// beneath it, and no link of /proc is followed (openat2(2), RESOLVE_IN_ROOT). The kernel does the whole
/// walk, so nothing can be swapped in between.
pub(crate) fn open_in_root(root: impl AsFd, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
    let how = OpenHow::new()
        .flags(flags | OFlag::O_CLOEXEC)
        .mode(Mode::empty())
        .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    // EAGAIN means that a rename elsewhere disturbed the walk of a "..": ask again (openat2(2)).
    loop {
        match openat2(root.as_fd(), path, how) {
            Err(nix::errno::Errno::EAGAIN) => {}
            other => return other,
        }
    }
}

/// Sets an extended attribute on an open file or directory.
pub(super) fn set_xattr(fd: impl AsFd, name: &CStr, value: &[u8]) -> io::Result<()> {
    // SAFETY: the name is NUL-terminated and the value's pointer and length belong together.
    let result = unsafe {
        libc::fsetxattr(fd.as_fd().as_raw_fd(), name.as_ptr(), value.as_ptr().cast(), value.len(), 0)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Takes overlayfs's own notes (`trusted.overlay.*`) off an open directory; whether no other attribute is
/// left on it.
pub(super) fn remove_overlay_xattrs(fd: impl AsFd) -> io::Result<bool> {
    let fd = fd.as_fd().as_raw_fd();
    let mut names = [0u8; 1024];
    // SAFETY: the kernel writes at most the given length.
    let length = unsafe { libc::flistxattr(fd, names.as_mut_ptr().cast(), names.len()) };
    let length = match usize::try_from(length) {
        Ok(length) => length,
        Err(_) if io::Error::last_os_error().raw_os_error() == Some(libc::ERANGE) => return Ok(false),
        Err(_) => return Err(io::Error::last_os_error()),
    };
    for name in names[..length].split_inclusive(|&b| b == 0) {
        let Ok(name) = CStr::from_bytes_with_nul(name) else { return Ok(false) };
        if !name.to_bytes().starts_with(b"trusted.overlay.") {
            return Ok(false);
        }
        // SAFETY: the name is NUL-terminated.
        if unsafe { libc::fremovexattr(fd, name.as_ptr()) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(true)
}

// linux/mount.h
const FSOPEN_CLOEXEC: libc::c_uint = 1;
const FSCONFIG_SET_FLAG: libc::c_uint = 0;
const FSCONFIG_SET_STRING: libc::c_uint = 1;
const FSCONFIG_CMD_CREATE: libc::c_uint = 6;
const FSMOUNT_CLOEXEC: libc::c_uint = 1;
const MOVE_MOUNT_F_EMPTY_PATH: libc::c_uint = 4;

/// A file system that is being set up by the new mount API (fsopen(2)).
#[derive(Debug)]
pub(super) struct FsContext(OwnedFd);

impl FsContext {
    pub fn open(kind: &CStr) -> io::Result<Self> {
        // SAFETY: the name is NUL-terminated; the result is a new descriptor of ours, or -1.
        let fd = unsafe { libc::syscall(libc::SYS_fsopen, kind.as_ptr(), FSOPEN_CLOEXEC) };
        owned(fd).map(Self)
    }

    pub fn set(&self, key: &CStr, value: &CStr) -> io::Result<()> {
        self.configure(FSCONFIG_SET_STRING, Some(key), Some(value))
    }

    pub fn flag(&self, key: &CStr) -> io::Result<()> {
        self.configure(FSCONFIG_SET_FLAG, Some(key), None)
    }

    /// Makes the file system and a mount of it that is nowhere yet. `attributes`: `MOUNT_ATTR_…` bits.
    pub fn mount(self, attributes: u64) -> io::Result<DetachedMount> {
        self.configure(FSCONFIG_CMD_CREATE, None, None)?;
        // SAFETY: plain integers; the result is a new descriptor of ours, or -1.
        let fd = unsafe {
            libc::syscall(libc::SYS_fsmount, self.0.as_raw_fd(), FSMOUNT_CLOEXEC, attributes as libc::c_uint)
        };
        owned(fd).map(DetachedMount)
    }

    fn configure(&self, command: libc::c_uint, key: Option<&CStr>, value: Option<&CStr>) -> io::Result<()> {
        let pointer = |text: Option<&CStr>| text.map_or(std::ptr::null(), CStr::as_ptr);
        // SAFETY: both texts are NUL-terminated or null, as the command wants them.
        let result = unsafe {
            libc::syscall(libc::SYS_fsconfig, self.0.as_raw_fd(), command, pointer(key), pointer(value), 0)
        };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

/// A mount that isn't attached anywhere; it goes away when dropped.
#[derive(Debug)]
pub(super) struct DetachedMount(OwnedFd);

impl DetachedMount {
    /// Attaches the mount at `target`.
    pub fn attach(self, target: &Path) -> io::Result<()> {
        let target = c_path(target)?;
        // SAFETY: both paths are NUL-terminated; the descriptors are open.
        let result = unsafe {
            libc::syscall(
                libc::SYS_move_mount,
                self.0.as_raw_fd(),
                c"".as_ptr(),
                libc::AT_FDCWD,
                target.as_ptr(),
                MOVE_MOUNT_F_EMPTY_PATH,
            )
        };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

fn owned(fd: libc::c_long) -> io::Result<OwnedFd> {
    match RawFd::try_from(fd) {
        // SAFETY: the kernel has just made this descriptor for us, and nobody else knows it.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A path for the kernel; one with a NUL in it is refused.
pub(super) fn c_path(path: &Path) -> io::Result<CString> {
    use std::os::unix::ffi::OsStrExt;
    CString::new(path.as_os_str().as_bytes()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))
}
