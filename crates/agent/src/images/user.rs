//! Who a container runs as: `user`, `uid`, `user:group`, … read against the image's own /etc/passwd and
//! /etc/group, by the rules that Docker documents for USER and `docker run --user`.

use super::sys;
use nix::{errno::Errno, fcntl::OFlag, sys::stat::Mode};
use std::{
    fs, io,
    io::Read,
    path::{Path, PathBuf},
};

/// Ids for the process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResolvedUser {
    pub uid: u32,
    pub gid: u32,
    /// Other groups that the user is listed in; none where a group was named.
    pub additional_gids: Vec<u32>,
    /// The home directory; `/` where the image doesn't say.
    pub home: String,
}

/// Why a user can't be resolved. The first two are worded as Docker words them.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    #[error("unable to find user {0}: no matching entries in passwd file")]
    NoUser(String),
    #[error("unable to find group {0}: no matching entries in group file")]
    NoGroup(String),
    #[error("the id {0} is out of range")]
    OutOfRange(String),
    #[error("failed to read {path} of the image: {source}")]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// The largest passwd or group file that is read.
const LIMIT: u64 = 8 << 20;

/// Resolves `spec` (empty: root) in the root file system mounted at `rootfs`. Nothing outside of it is
/// read, whatever links the image holds. An image without the files knows only numbers.
pub fn resolve_user(rootfs: &Path, spec: &str) -> Result<ResolvedUser, UserError> {
    let passwd = read(rootfs, "etc/passwd")?;
    let group = read(rootfs, "etc/group")?;
    resolve(&passwd, &group, spec)
}

fn read(rootfs: &Path, path: &str) -> Result<String, UserError> {
    let shown = Path::new("/").join(path);
    let failed = |source: io::Error| UserError::Read { path: shown.clone(), source };
    let root = nix::fcntl::open(rootfs, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(|e| failed(e.into()))?;
    // Not to wait for the other end of a FIFO.
    let fd = match sys::open_in_root(root, Path::new(path), OFlag::O_RDONLY | OFlag::O_NONBLOCK) {
        Ok(fd) => fd,
        Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => return Ok(String::new()),
        Err(errno) => return Err(failed(errno.into())),
    };
    let file = fs::File::from(fd);
    if !file.metadata().map_err(failed)?.is_file() {
        return Ok(String::new());
    }
    let mut bytes = Vec::new();
    file.take(LIMIT + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LIMIT {
        return Err(failed(io::ErrorKind::FileTooLarge.into()));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

struct PasswdEntry<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

fn passwd_entries(text: &str) -> impl Iterator<Item = PasswdEntry<'_>> {
    text.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let name = fields.next()?;
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        let home = fields.nth(1).unwrap_or("");
        Some(PasswdEntry { name, uid, gid, home })
    })
}

/// Name, id and members.
fn group_entries(text: &str) -> impl Iterator<Item = (&str, u32, &str)> {
    text.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let name = fields.next()?;
        let gid = fields.nth(1)?.parse().ok()?;
        Some((name, gid, fields.next().unwrap_or("")))
    })
}

/// The pure part. A name is looked for before a number, for a user may be called `1000`.
fn resolve(passwd: &str, group: &str, spec: &str) -> Result<ResolvedUser, UserError> {
    let (user, named_group) = match spec.split_once(':') {
        Some((user, group)) => (user, Some(group).filter(|group| !group.is_empty())),
        None => (spec, None),
    };
    let user = if user.is_empty() { "0" } else { user };
    let entry = passwd_entries(passwd).find(|entry| entry.name == user);
    let entry = match (entry, user.parse::<u32>()) {
        (None, Ok(uid)) => passwd_entries(passwd).find(|entry| entry.uid == uid),
        (entry, _) => entry,
    };
    let mut resolved = match &entry {
        Some(entry) => {
            ResolvedUser { uid: entry.uid, gid: entry.gid, home: entry.home.to_owned(), ..Default::default() }
        }
        None => ResolvedUser {
            uid: number(user)?.ok_or_else(|| UserError::NoUser(user.to_owned()))?,
            ..Default::default()
        },
    };
    if resolved.home.is_empty() {
        resolved.home = "/".to_owned();
    }
    match (named_group, &entry) {
        (Some(named), _) => {
            let by_name = group_entries(group).find(|(name, ..)| *name == named).map(|(_, gid, _)| gid);
            resolved.gid = match by_name {
                Some(gid) => gid,
                None => number(named)?.ok_or_else(|| UserError::NoGroup(named.to_owned()))?,
            };
        }
        (None, Some(entry)) => {
            let listed =
                group_entries(group).filter(|(_, _, members)| members.split(',').any(|m| m == entry.name));
            for (_, gid, _) in listed {
                if !resolved.additional_gids.contains(&gid) {
                    resolved.additional_gids.push(gid);
                }
            }
        }
        (None, None) => {}
    }
    Ok(resolved)
}

/// A numeric id; `None` for a name. The highest means "no change" to the kernel, and Docker's range ends
/// at 2^31 - 1.
fn number(text: &str) -> Result<Option<u32>, UserError> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(None);
    }
    match text.parse::<u32>() {
        Ok(id) if id <= i32::MAX as u32 => Ok(Some(id)),
        _ => Err(UserError::OutOfRange(text.to_owned())),
    }
}

#[cfg(test)]
#[path = "user_tests.rs"]
mod tests;
