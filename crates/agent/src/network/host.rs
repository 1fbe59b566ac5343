//! What the host's own network looks like before we add to it.

use std::fs;
use std::io;
use std::net::Ipv4Addr;

use super::Cidr;
use super::files::nameservers;
use super::link::Links;

/// The subnets and addresses in use on this host, but for default routes and what is on `except`.
pub(super) fn taken(links: &mut Links, except: Option<u32>) -> io::Result<Vec<Cidr>> {
    let mut taken = Vec::new();
    for (destination, through) in links.routes()? {
        if destination.prefix() > 0 && (through.is_none() || through != except) {
            taken.push(destination);
        }
    }
    for (index, ip, prefix) in links.addresses()? {
        if Some(index) != except {
            taken.push(Cidr::containing(ip, prefix));
        }
    }
    // A name server behind the default route must not disappear behind the bridge.
    let resolv_conf = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    taken.extend(
        nameservers(&resolv_conf)
            .filter_map(|server| Some(Cidr::containing(server.parse::<Ipv4Addr>().ok()?, 32))),
    );
    Ok(taken)
}

/// The MTU of the way out, so that packets of tasks need no fragmenting; 1500 without a default route.
pub(super) fn outward_mtu(links: &mut Links) -> io::Result<u32> {
    let outward =
        links.routes()?.into_iter().find(|(to, _)| to.prefix() == 0).and_then(|(_, through)| through);
    let Some(outward) = outward else { return Ok(1500) };
    let mtu = links.list()?.into_iter().find(|link| link.index == outward).map_or(1500, |link| link.mtu);
    Ok(mtu.clamp(1280, 9000))
}

/// Writes one value under /proc/sys, in the calling thread's network namespace for `net/…`.
pub(super) fn set_sysctl(key: &str, value: &str) -> io::Result<()> {
    let path = format!("/proc/sys/{key}");
    // Read first: on a read-only /proc/sys a value that is right already is no failure.
    if fs::read_to_string(&path).is_ok_and(|present| present.trim() == value) {
        return Ok(());
    }
    fs::write(path, value)
}

/// The same for a knob that a kernel without the feature lacks.
pub(super) fn set_sysctl_if_present(key: &str, value: &str) -> io::Result<()> {
    match set_sysctl(key, value) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
