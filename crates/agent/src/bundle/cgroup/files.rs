//! Reading and writing the kernel's files, with the path in every error.

use std::fs;
use std::io;
use std::path::Path;

use super::CgroupError;

pub(super) fn write(path: &Path, value: &str) -> Result<(), CgroupError> {
    // Not created when missing: an unknown file must be an error, in tests' trees too.
    fs::OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|mut file| io::Write::write_all(&mut file, value.as_bytes()))
        .map_err(|source| CgroupError::Io { verb: "write", path: path.to_owned(), source })
}

/// `None` if there is no such file (or no such cgroup any more).
pub(super) fn read(path: &Path) -> Result<Option<String>, CgroupError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        // ENODEV: the cgroup went while its file was open.
        Err(error)
            if error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ENODEV) =>
        {
            Ok(None)
        }
        Err(source) => Err(CgroupError::Io { verb: "read", path: path.to_owned(), source }),
    }
}

/// A file that holds one number.
pub(super) fn number(path: &Path) -> Result<Option<u64>, CgroupError> {
    let Some(text) = read(path)? else { return Ok(None) };
    match text.trim().parse() {
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(CgroupError::Unreadable { path: path.to_owned(), text }),
    }
}

/// One line of a file of `key value` lines.
pub(super) fn keyed(path: &Path, key: &str) -> Result<Option<u64>, CgroupError> {
    let Some(text) = read(path)? else { return Ok(None) };
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
    Ok(value.and_then(|value| value.trim().parse().ok()))
}

/// The names of the cgroups below `dir`; none if it does not exist.
pub(super) fn children(dir: &Path) -> Result<Vec<String>, CgroupError> {
    let failed = |source| CgroupError::Io { verb: "read", path: dir.to_owned(), source };
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        if entry.file_type().map_err(failed)?.is_dir() {
            names.extend(entry.file_name().into_string().ok());
        }
    }
    Ok(names)
}

pub(super) fn make(dir: &Path) -> Result<(), CgroupError> {
    fs::create_dir_all(dir).map_err(|source| CgroupError::Io { verb: "make", path: dir.to_owned(), source })
}

/// Removes a cgroup and those below it; false if processes are still in one.
pub(super) fn remove(dir: &Path) -> Result<bool, CgroupError> {
    for child in children(dir)? {
        if !remove(&dir.join(child))? {
            return Ok(false);
        }
    }
    match fs::remove_dir(dir) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::EBUSY) => Ok(false),
        Err(source) => Err(CgroupError::Io { verb: "remove", path: dir.to_owned(), source }),
    }
}
