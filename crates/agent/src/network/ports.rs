//! Which ports of the machine a container gets, and holding them.
//!
//! A port that leads to a container by the packet filter alone looks free to every other program:
//! one could listen there and never hear anything. So each is also bound by a socket of ours, on
//! which nobody ever waits, for as long as the task is here; what another program has is not taken.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::task::{Binding, Ports, Protocol};

/// One entry of a container's `portMappings`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortWish {
    pub protocol: Protocol,
    pub container: Ports,
    /// The port that was named; none leaves the choice to us.
    pub host: Option<u16>,
    pub is_range: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum PortError {
    #[error("Bind for 0.0.0.0:{port}/{} failed: {source}", protocol.as_str())]
    Taken {
        protocol: Protocol,
        port: u16,
        #[source]
        source: io::Error,
    },
    #[error("no {count} neighbouring {} ports are free in the ephemeral range {range}", protocol.as_str())]
    NoneFree { protocol: Protocol, count: u16, range: Ports },
}

/// Where ports are chosen from if the kernel doesn't say (API reference, PortMapping).
const WITHOUT_KERNELS_RANGE: Ports = Ports { first: 49_153, last: 65_535 };
/// Wider mappings are only looked at: a socket for each port would take up our descriptors.
const HELD_ONE_BY_ONE: u16 = 512;

/// The ports of the machine that this agent's containers have.
#[derive(Debug)]
pub struct HostPorts {
    range: Ports,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Where the next choice begins, so that a port which was just let go isn't the next one given.
    next: u16,
    /// By owner.
    held: HashMap<String, Vec<(Binding, Sockets)>>,
}

/// Dropped, they let go.
#[derive(Debug, Default)]
struct Sockets {
    _tcp: Vec<TcpListener>,
    _udp: Vec<UdpSocket>,
}

impl HostPorts {
    /// With the machine's ephemeral range.
    pub fn of_this_machine() -> Self {
        let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
        Self::within(kernels_range(&text).unwrap_or(WITHOUT_KERNELS_RANGE))
    }

    fn within(range: Ports) -> Self {
        HostPorts { range, state: Mutex::new(State { next: range.first, held: HashMap::new() }) }
    }

    /// All of the wishes for `owner`, or none of them. What it had before is let go.
    pub fn reserve(&self, owner: &str, wishes: &[PortWish]) -> Result<Vec<Binding>, PortError> {
        let mut state = self.state();
        state.held.remove(owner);
        // Those that are named first, so that no choice of ours is in their way.
        let mut order: Vec<_> = wishes.iter().enumerate().collect();
        order.sort_by_key(|(_, wish)| wish.host.is_none());
        let mut taken = Vec::with_capacity(wishes.len());
        for (_, wish) in &order {
            taken.push(state.take(wish, self.range, &taken)?);
        }
        let mut bindings: Vec<_> = order.iter().zip(&taken).map(|((n, _), (made, _))| (*n, *made)).collect();
        bindings.sort_by_key(|(n, _)| *n);
        let bindings = bindings.into_iter().map(|(_, made)| made).collect();
        state.held.insert(owner.to_owned(), taken);
        Ok(bindings)
    }

    /// After a restart: what `owner` has already. A port that another program has got meanwhile still
    /// leads to the container, so that is no error.
    pub fn hold(&self, owner: &str, bindings: &[Binding]) {
        let mut state = self.state();
        if bindings.is_empty() || state.held.contains_key(owner) {
            return;
        }
        let held = bindings.iter().map(|binding| {
            let sockets = bind(binding.protocol, binding.host).unwrap_or_else(|error| {
                tracing::warn!(%error, owner, "a container's port is another program's too");
                Sockets::default()
            });
            (*binding, sockets)
        });
        state.held.insert(owner.to_owned(), held.collect());
    }

    /// Lets go of all that `owner` has.
    pub fn release(&self, owner: &str) {
        self.state().held.remove(owner);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(
        &mut self,
        wish: &PortWish,
        range: Ports,
        own: &[(Binding, Sockets)],
    ) -> Result<(Binding, Sockets), PortError> {
        let count = wish.container.count();
        let of = |first: u16| Ports { first, last: first.saturating_add(count - 1) };
        let binding = |host| Binding {
            protocol: wish.protocol,
            container: wish.container,
            host,
            is_range: wish.is_range,
        };
        if let Some(port) = wish.host {
            return match self.try_at(wish.protocol, of(port), own) {
                Ok(sockets) => Ok((binding(of(port)), sockets)),
                Err(source) => Err(PortError::Taken { protocol: wish.protocol, port, source }),
            };
        }
        let starts = starts(range, count, self.next);
        for first in starts {
            if let Ok(sockets) = self.try_at(wish.protocol, of(first), own) {
                let after = of(first).last;
                self.next = if after < range.last { after + 1 } else { range.first };
                return Ok((binding(of(first)), sockets));
            }
        }
        Err(PortError::NoneFree { protocol: wish.protocol, count, range })
    }

    fn try_at(&self, protocol: Protocol, ports: Ports, own: &[(Binding, Sockets)]) -> io::Result<Sockets> {
        let mut others = self.held.values().flatten().chain(own);
        let clashes = |binding: &Binding| {
            binding.protocol == protocol
                && binding.host.first <= ports.last
                && ports.first <= binding.host.last
        };
        match others.any(|(binding, _)| clashes(binding)) {
            true => Err(io::Error::new(io::ErrorKind::AddrInUse, "port is already allocated")),
            false => bind(protocol, ports),
        }
    }
}

/// Where a run of `count` ports can begin: from `next` on, and then from the start again. Pure.
fn starts(range: Ports, count: u16, next: u16) -> impl Iterator<Item = u16> {
    let last = range.last.checked_sub(count - 1).filter(|last| *last >= range.first);
    let all = last.map(|last| range.first..=last);
    let (after, before): (Vec<u16>, Vec<u16>) = all.into_iter().flatten().partition(|start| *start >= next);
    after.into_iter().chain(before)
}

fn kernels_range(text: &str) -> Option<Ports> {
    let mut numbers = text.split_whitespace().map(str::parse);
    let (first, last) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    (first >= 1 && first < last).then_some(Ports { first, last })
}

fn bind(protocol: Protocol, ports: Ports) -> io::Result<Sockets> {
    let mut sockets = Sockets::default();
    for port in ports.iter() {
        match protocol {
            Protocol::Tcp => sockets._tcp.push(TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))?),
            Protocol::Udp => sockets._udp.push(UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))?),
        }
        if ports.count() > HELD_ONE_BY_ONE {
            sockets = Sockets::default();
        }
    }
    Ok(sockets)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wish(container: Ports, host: Option<u16>) -> PortWish {
        PortWish { protocol: Protocol::Tcp, container, host, is_range: container.count() > 1 }
    }

    #[test]
    fn the_kernels_range_is_read() {
        assert_eq!(kernels_range("32768\t60999\n"), Some(Ports { first: 32_768, last: 60_999 }));
        for broken in ["", "1", "60999 32768", "a b", "0 70000"] {
            assert_eq!(kernels_range(broken), None, "{broken:?}");
        }
    }

    #[test]
    fn what_another_program_has_is_not_taken() {
        let theirs = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let port = theirs.local_addr().unwrap().port();
        let ports = HostPorts::of_this_machine();
        let refused = ports.reserve("a", &[wish(Ports::one(80), Some(port))]).unwrap_err().to_string();
        assert!(refused.contains(&format!("0.0.0.0:{port}/tcp failed")), "{refused}");
        drop(theirs);
        ports.reserve("a", &[wish(Ports::one(80), Some(port))]).unwrap();
        assert!(TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_err(), "it is held");
        assert!(ports.reserve("b", &[wish(Ports::one(80), Some(port))]).is_err());
        ports.release("a");
        ports.reserve("b", &[wish(Ports::one(80), Some(port))]).unwrap();
    }

    #[test]
    fn a_range_gets_neighbours_or_nothing() {
        let ports = HostPorts::within(Ports { first: 47_100, last: 47_103 });
        let range = wish(Ports { first: 9000, last: 9002 }, None);
        let made = ports.reserve("a", &[range]).unwrap();
        assert_eq!(made[0].host.count(), 3);
        let refused = ports.reserve("b", &[range]).unwrap_err().to_string();
        assert!(refused.contains("no 3 neighbouring tcp ports are free"), "{refused}");
        ports.release("a");
        ports.hold("a", &made);
        assert!(ports.reserve("b", &[range]).is_err(), "held again after a restart");
    }

    proptest! {
        #[test]
        fn every_start_is_tried_once_and_none_leaves_the_range(
            first in 1u16..1000, width in 0u16..200, count in 1u16..300, next in 0u16..1300,
        ) {
            let range = Ports { first, last: first + width };
            let mut tried: Vec<_> = starts(range, count, next).collect();
            prop_assert!(tried.iter().all(|start| *start >= first && start + (count - 1) <= range.last));
            tried.sort_unstable();
            tried.dedup();
            prop_assert_eq!(tried.len(), usize::from((width + 1).saturating_sub(count - 1)));
        }
    }
}
