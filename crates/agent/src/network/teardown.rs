//! Removing everything, also when nobody runs that could be asked.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::error::Context;
use super::link::Links;
use super::nft::{Nft, close_foreign, remove_guard_table, remove_table};
use super::open::check_prefix;
use super::{NetworkError, bridged, netns, veth_digits};

/// Veths go by themselves a moment after their namespace; asking for each one takes 32 ms.
const GRACE: Duration = Duration::from_millis(300);
const POLL: Duration = Duration::from_millis(10);

/// What a teardown found and removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed {
    pub namespaces: usize,
    /// Interfaces that had to be removed one by one: their namespace was still in use.
    pub interfaces: usize,
    pub bridge: bool,
    pub table: bool,
    /// Rules in other programs' chains.
    pub rules: usize,
}

pub(super) fn netns_dir(state_dir: &Path) -> PathBuf {
    state_dir.join("netns")
}

/// Removes the namespaces, the bridges and the rules of the instance `name_prefix`. What is not
/// there is no error. Blocks for up to a third of a second, longer where containers still run.
///
/// `net.ipv4.ip_forward` stays on: others may have come to rely on it.
pub fn teardown(name_prefix: &str, state_dir: &Path) -> Result<Removed, NetworkError> {
    let place = bridged::place(state_dir);
    let bridged = one(&bridged::name(name_prefix), &place)?;
    // Made with the second bridge.
    let _ = std::fs::remove_dir(&place);
    let own = one(name_prefix, state_dir)?;
    Ok(Removed {
        namespaces: own.namespaces + bridged.namespaces,
        interfaces: own.interfaces + bridged.interfaces,
        bridge: own.bridge || bridged.bridge,
        table: own.table || bridged.table,
        rules: own.rules + bridged.rules,
    })
}

fn one(name_prefix: &str, state_dir: &Path) -> Result<Removed, NetworkError> {
    check_prefix(name_prefix)?;
    let mut removed = Removed::default();
    let dir = netns_dir(state_dir);
    if dir.exists() {
        let (alive, stale) = netns::pinned(&dir).step(|| format!("read {}", dir.display()))?;
        removed.namespaces = alive.len();
        for name in alive.into_iter().chain(stale) {
            netns::unpin(&dir.join(&name)).step(|| format!("let go of network namespace {name}"))?;
        }
        std::fs::remove_dir(&dir).step(|| format!("remove {}", dir.display()))?;
    }

    let mut nft = Nft::open().step(|| "open a netfilter socket".to_owned())?;
    removed.rules = close_foreign(&mut nft, name_prefix).step(|| "remove our forward rules".to_owned())?;
    removed.table = absent_is_fine(nft.apply(&remove_table(name_prefix)), &[libc::ENOENT])
        .step(|| format!("remove the packet filter's table {name_prefix}"))?;
    removed.table |=
        absent_is_fine(nft.apply(&remove_guard_table(name_prefix)), &[libc::ENOENT, libc::EOPNOTSUPP])
            .step(|| format!("remove the bridge filter's table {name_prefix}"))?;

    let mut links = Links::open().step(|| "open a route socket".to_owned())?;
    let bridge = links.find(name_prefix).step(|| format!("look for bridge {name_prefix}"))?;
    if let Some(bridge) = bridge {
        removed.bridge = absent_is_fine(links.delete(bridge.index), &[libc::ENODEV])
            .step(|| format!("remove bridge {name_prefix}"))?;
    }
    let give_up = Instant::now() + GRACE;
    loop {
        let veths = veths(&mut links, name_prefix)?;
        if veths.is_empty() {
            return Ok(removed);
        }
        if Instant::now() < give_up {
            std::thread::sleep(POLL);
            continue;
        }
        for (index, name) in veths {
            if absent_is_fine(links.delete(index), &[libc::ENODEV])
                .step(|| format!("remove interface {name}"))?
            {
                removed.interfaces += 1;
            }
        }
    }
}

/// Our ends of the tasks' veths, by their names.
fn veths(links: &mut Links, prefix: &str) -> Result<Vec<(u32, String)>, NetworkError> {
    let all = links.list().step(|| "list the interfaces".to_owned())?;
    let ours = |name: &str| {
        let number = name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('v'));
        number.is_some_and(|number| {
            number.len() == veth_digits(prefix) && number.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    };
    Ok(all.into_iter().filter(|link| ours(&link.name)).map(|link| (link.index, link.name)).collect())
}

/// False if there was nothing to remove.
fn absent_is_fine(result: std::io::Result<()>, absent: &[i32]) -> std::io::Result<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.raw_os_error().is_some_and(|code| absent.contains(&code)) => Ok(false),
        Err(error) => Err(error),
    }
}
