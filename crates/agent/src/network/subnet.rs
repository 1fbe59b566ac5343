//! Which subnet the bridge takes: pure, so that it can be asked about any host.

use std::collections::HashSet;
use std::net::Ipv4Addr;

use super::Cidr;

/// Where subnets are looked for when none is preferred, in this order.
///
/// Left out on purpose, because others hand them out by default: 172.16/12 and most of 192.168/16
/// (Docker, libvirt, minikube, home routers), 10.0/16 (Swarm), 10.4/16 (nerdctl), 10.42/15 (k3s),
/// 10.88/16 and above (Podman and CNI's bridge), 10.96/12 (Kubernetes services), 10.244/16
/// (flannel), 100.64/10 (Tailscale, carriers). The last one is RFC 2544's range for benchmarks,
/// for hosts that route all of 10/8 elsewhere.
const RANGES: [Cidr; 2] =
    [Cidr::constant(Ipv4Addr::new(10, 72, 0, 0), 14), Cidr::constant(Ipv4Addr::new(198, 18, 0, 0), 15)];

/// Length of a bridge's prefix: 4,093 tasks.
pub const SUBNET_PREFIX: u8 = 20;

/// The first /20 that nothing in `taken` overlaps: `preferred` if it is free, then our ranges.
///
/// `taken` is what the host routes, its addresses and its name servers, without default routes.
/// `None` when every candidate is taken.
pub fn choose_subnet(preferred: Option<Cidr>, taken: &[Cidr]) -> Option<Cidr> {
    let free = |candidate: &Cidr| conflict(*candidate, taken).is_none();
    preferred.into_iter().chain(RANGES.into_iter().flat_map(|range| range.split(SUBNET_PREFIX))).find(free)
}

/// The address to give next: the first free one behind `last`, from the beginning again at the end.
pub(super) fn next_free(subnet: Cidr, last: Option<Ipv4Addr>, taken: &HashSet<Ipv4Addr>) -> Option<Ipv4Addr> {
    let behind = |ip: &Ipv4Addr| last.is_none_or(|last| *ip > last);
    let (after, before): (Vec<_>, Vec<_>) = subnet.of_tasks().partition(behind);
    after.into_iter().chain(before).find(|ip| !taken.contains(ip))
}

/// The first of `taken` that `subnet` would collide with.
pub fn conflict(subnet: Cidr, taken: &[Cidr]) -> Option<Cidr> {
    taken.iter().copied().find(|other| other.prefix() > 0 && other.overlaps(subnet))
}
