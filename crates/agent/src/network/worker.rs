//! The thread that does all namespace work, one job after the other.
//!
//! One thread is enough: the kernel's rtnl lock lets one change through at a time anyway. It
//! prepares namespaces ahead while no launch comes, so that attaching a task only sets a MAC
//! address, an IP address and a route.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::error::Context;
use super::host::{set_sysctl, set_sysctl_if_present};
use super::link::{Links, Which};
use super::netns::{self, Traffic, Visit};
use super::nft::{Nft, guard_table, guarded};
use super::{Address, Cidr, Guard, NetnsHandle, NetworkError, subnet, veth_name};

/// How long no launch must have come before a namespace is prepared, and how far apart two are:
/// preparing takes the same lock as launching.
const QUIET: Duration = Duration::from_millis(25);
const SPACING: Duration = Duration::from_millis(4);

pub(super) type Reply<T> = oneshot::Sender<Result<T, NetworkError>>;

pub(super) enum Job {
    Attach {
        id: String,
        address: Address,
        reply: Reply<NetnsHandle>,
    },
    AttachAnywhere {
        id: String,
        reply: Reply<(NetnsHandle, Ipv4Addr)>,
    },
    Isolate {
        id: String,
        reply: Reply<NetnsHandle>,
    },
    Detach {
        id: String,
        reply: Reply<bool>,
    },
    Traffic {
        id: String,
        reply: Reply<Traffic>,
    },
    Prepared {
        reply: oneshot::Sender<usize>,
    },
    /// Put the guards back: somebody may have flushed them.
    Protect,
}

/// The host's side, which all tasks share.
pub(super) struct Worker {
    pub host: Links,
    /// The namespace that the bridge is in.
    pub home: File,
    pub bridge: String,
    pub bridge_index: u32,
    pub subnet: Cidr,
    /// So that an address which was just let go isn't the next one given.
    pub last_given: Option<Ipv4Addr>,
    pub mtu: u32,
    /// Where namespaces are pinned, each under its task's id.
    pub dir: PathBuf,
    pub pool_size: usize,
    pub pool: VecDeque<Prepared>,
    pub guard: Nft,
    /// By task. What is not here can't send.
    pub guards: HashMap<String, Guard>,
    /// Set when the thread could not come home: it then ends.
    pub astray: bool,
}

/// A namespace with a veth on the bridge, up but without an address. It lives by the open
/// descriptors alone, so that a crash leaves nothing behind.
pub(super) struct Prepared {
    namespace: File,
    /// The end of the veth that is a port of the bridge.
    port: String,
    /// A socket that was opened inside and so acts there, wherever the thread is.
    inside: Links,
    eth0: u32,
}

impl Worker {
    /// Guards the tasks that are there already, says how that went, and works until the last sender is gone.
    pub fn run(mut self, jobs: &Receiver<Job>, ready: &Sender<Result<(), NetworkError>>) {
        let protected = self.adopt().and_then(|()| self.protect());
        let failed = protected.is_err();
        if ready.send(protected).is_err() || failed {
            return;
        }
        let mut next_refill = Instant::now();
        while !self.astray {
            let job = if self.pool.len() < self.pool_size {
                jobs.recv_timeout(next_refill.saturating_duration_since(Instant::now()))
            } else {
                jobs.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            match job {
                Ok(job) => {
                    // Only launches are made way for: a stream of questions must not keep the pool empty.
                    if matches!(job, Job::Attach { .. } | Job::AttachAnywhere { .. }) {
                        next_refill = Instant::now() + QUIET;
                    }
                    self.serve(job);
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => match self.prepare(None) {
                    Ok(prepared) => {
                        self.pool.push_back(prepared);
                        next_refill = Instant::now() + SPACING;
                    }
                    Err(error) => {
                        tracing::warn!(bridge = self.bridge, %error, "cannot prepare a network namespace ahead");
                        next_refill = Instant::now() + Duration::from_secs(5);
                    }
                },
            }
        }
    }

    fn serve(&mut self, job: Job) {
        // A caller that has gone does not want its answer.
        match job {
            Job::Attach { id, address, reply } => drop(reply.send(self.attach(&id, &address))),
            Job::AttachAnywhere { id, reply } => drop(reply.send(self.attach_anywhere(&id))),
            Job::Isolate { id, reply } => drop(reply.send(self.isolate(&id))),
            Job::Detach { id, reply } => {
                let path = self.dir.join(&id);
                self.forget(&id);
                let done =
                    netns::unpin(&path).step(|| format!("let go of the network namespace of task {id}"));
                drop(reply.send(done));
            }
            Job::Traffic { id, reply } => drop(reply.send(self.traffic(&id))),
            Job::Prepared { reply } => drop(reply.send(self.pool.len())),
            Job::Protect => {
                if let Err(error) = self.protect() {
                    tracing::warn!(bridge = self.bridge, %error, "tasks' ports may be unguarded");
                }
            }
        }
    }

    /// Whatever fails, the namespace goes with its last descriptor, and its veth with it.
    fn attach(&mut self, id: &str, address: &Address) -> Result<NetnsHandle, NetworkError> {
        let path = self.dir.join(id);
        if netns::is_pinned(&path) {
            return self.attached_before(id, address, path);
        }
        let mut task = match self.pool.pop_front() {
            Some(prepared) => prepared,
            None => self.prepare(Some(address.mac))?,
        };
        task.inside
            .set_up(&Which::Index(task.eth0), None, Some(address.mac))
            .step(|| format!("set the MAC address of task {id}"))?;
        task.inside
            .add_address(task.eth0, address.ip, address.prefix)
            .step(|| format!("give task {id} the address {}", address.ip))?;
        task.inside
            .add_default_route(task.eth0, address.gateway)
            .step(|| format!("route task {id} through {}", address.gateway))?;
        self.host
            .replace_neighbour(self.bridge_index, address.ip, address.mac)
            .step(|| format!("tell the host the MAC address of {}", address.ip))?;
        let guard = Guard { port: task.port, mac: address.mac, ip: address.ip };
        self.guard
            .apply(&[guarded(&self.bridge, &guard, true)])
            .step(|| format!("let task {id} send as {}", address.ip))?;
        self.guards.insert(id.to_owned(), guard);
        // A file without a namespace is what a crash between the two leaves.
        let pinned = netns::unpin(&path)
            .and_then(|_| netns::pin(&task.namespace, &path))
            .step(|| format!("pin the network namespace of task {id}"));
        if pinned.is_err() {
            self.forget(id);
        }
        pinned.map(|()| NetnsHandle { path })
    }

    fn attach_anywhere(&mut self, id: &str) -> Result<(NetnsHandle, Ipv4Addr), NetworkError> {
        let path = self.dir.join(id);
        if netns::is_pinned(&path) {
            let present = self.visit(id, |links| Ok(own_address(links.addresses()?)))?;
            return match present {
                Some(ip) => Ok((NetnsHandle { path }, ip)),
                None => Err(NetworkError::NotAttached { id: id.to_owned(), path }),
            };
        }
        let taken: HashSet<Ipv4Addr> = self.guards.values().map(|guard| guard.ip).collect();
        let ip = subnet::next_free(self.subnet, self.last_given, &taken);
        let ip = ip.ok_or(NetworkError::NoFreeAddress { subnet: self.subnet })?;
        let [a, b, c, d] = ip.octets();
        let address = Address {
            ip,
            prefix: self.subnet.prefix(),
            gateway: self.subnet.gateway(),
            // As Docker's: an address of local administration that follows from the IP address.
            mac: [0x02, 0x42, a, b, c, d],
        };
        let handle = self.attach(id, &address)?;
        self.last_given = Some(ip);
        Ok((handle, ip))
    }

    fn isolate(&mut self, id: &str) -> Result<NetnsHandle, NetworkError> {
        let path = self.dir.join(id);
        if netns::is_pinned(&path) {
            return Ok(NetnsHandle { path });
        }
        let visit = netns::in_new(&self.home, || {
            let mut inside = Links::open()?;
            inner_settings()?;
            inside.set_up(&Which::Name("lo"), None, None)?;
            netns::current()
        });
        let namespace = self.came_home(visit)?.step(|| "make a network namespace".to_owned())?;
        netns::unpin(&path)
            .and_then(|_| netns::pin(&namespace, &path))
            .step(|| format!("pin the network namespace of {id}"))?;
        Ok(NetnsHandle { path })
    }

    fn forget(&mut self, id: &str) {
        let Some(guard) = self.guards.remove(id) else { return };
        // A firewall's reload may have flushed it already, and a port that is gone sends nothing.
        if let Err(error) = self.guard.apply(&[guarded(&self.bridge, &guard, false)]) {
            tracing::debug!(task = id, %error, "a port's guard was not there");
        }
    }

    /// Learns the guards of the tasks that a former run left.
    fn adopt(&mut self) -> Result<(), NetworkError> {
        let (ids, _) = netns::pinned(&self.dir).step(|| format!("read {}", self.dir.display()))?;
        let ports = self.host.list().step(|| "list the interfaces".to_owned())?;
        let ports: HashMap<u32, String> = ports.into_iter().map(|link| (link.index, link.name)).collect();
        for id in ids {
            let seen = self.visit(&id, |links| Ok((links.find("eth0")?, own_address(links.addresses()?))))?;
            let (Some(link), Some(ip)) = seen else { continue };
            if let (Some(mac), Some(port)) = (link.mac, link.peer.and_then(|peer| ports.get(&peer))) {
                self.guards.insert(id, Guard { port: port.clone(), mac, ip });
            }
        }
        Ok(())
    }

    /// Makes the table anew with every guard in it, or the first of many: a batch has its bounds.
    fn protect(&mut self) -> Result<(), NetworkError> {
        const AT_ONCE: usize = 500;
        let mut batch = guard_table(&self.bridge);
        let guards: Vec<_> = self.guards.values().map(|guard| guarded(&self.bridge, guard, true)).collect();
        let mut chunks = guards.chunks(AT_ONCE);
        batch.extend_from_slice(chunks.next().unwrap_or_default());
        let step = || "guard the tasks' ports (this needs nf_tables for bridges)".to_owned();
        self.guard.apply(&batch).step(step)?;
        chunks.try_for_each(|chunk| self.guard.apply(chunk)).step(step)
    }

    /// Attaching again is no error if it asks for what is there: an agent that crashed asks twice.
    fn attached_before(
        &mut self,
        id: &str,
        address: &Address,
        path: PathBuf,
    ) -> Result<NetnsHandle, NetworkError> {
        let present = self.visit(id, |links| Ok(own_address(links.addresses()?)))?;
        if present == Some(address.ip) {
            Ok(NetnsHandle { path })
        } else {
            Err(NetworkError::AlreadyAttached { id: id.to_owned(), present, wanted: address.ip })
        }
    }

    fn traffic(&mut self, id: &str) -> Result<Traffic, NetworkError> {
        let link = self.visit(id, |links| links.find("eth0"))?;
        let Some(stats) = link.and_then(|link| link.stats) else { return Ok(Traffic::default()) };
        Ok(Traffic {
            rx_bytes: stats.rx_bytes,
            rx_packets: stats.rx_packets,
            rx_errors: stats.rx_errors,
            rx_dropped: stats.rx_dropped,
            tx_bytes: stats.tx_bytes,
            tx_packets: stats.tx_packets,
            tx_errors: stats.tx_errors,
            tx_dropped: stats.tx_dropped,
        })
    }

    /// Asks the kernel something inside the namespace of task `id`.
    fn visit<T>(
        &mut self,
        id: &str,
        ask: impl FnOnce(&mut Links) -> io::Result<T>,
    ) -> Result<T, NetworkError> {
        let path = self.dir.join(id);
        if !netns::is_pinned(&path) {
            return Err(NetworkError::NotAttached { id: id.to_owned(), path });
        }
        let namespace = File::open(&path).step(|| format!("open the network namespace of task {id}"))?;
        let visit = netns::inside(&self.home, &namespace, Links::open);
        let mut links =
            self.came_home(visit)?.step(|| format!("enter the network namespace of task {id}"))?;
        ask(&mut links).step(|| format!("look into the network namespace of task {id}"))
    }

    fn prepare(&mut self, mac: Option<[u8; 6]>) -> Result<Prepared, NetworkError> {
        let visit = netns::in_new(&self.home, || {
            let inside = Links::open()?;
            inner_settings()?;
            Ok((netns::current()?, inside))
        });
        let (namespace, mut inside) =
            self.came_home(visit)?.step(|| "make a network namespace".to_owned())?;
        let veth =
            self.add_veth(&namespace, mac).step(|| format!("make a veth for bridge {}", self.bridge))?;
        // IPv6 on our end would make every change to the bridge three times slower once hundreds are there.
        set_sysctl_if_present(&format!("net/ipv6/conf/{veth}/disable_ipv6"), "1")
            .step(|| format!("turn IPv6 off on {veth}"))?;
        self.host
            .set_up(&Which::Name(&veth), Some(self.bridge_index), None)
            .step(|| format!("put {veth} on bridge {}", self.bridge))?;
        inside.set_up(&Which::Name("lo"), None, None).step(|| "bring up lo in a new namespace".to_owned())?;
        inside
            .set_up(&Which::Name("eth0"), None, None)
            .step(|| "bring up eth0 in a new namespace".to_owned())?;
        let eth0 = inside.find("eth0").step(|| "find eth0 in a new namespace".to_owned())?;
        let eth0 = eth0.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound));
        let eth0 = eth0.step(|| "find eth0 in a new namespace".to_owned())?.index;
        Ok(Prepared { namespace, port: veth, inside, eth0 })
    }

    fn add_veth(&mut self, namespace: &File, mac: Option<[u8; 6]>) -> io::Result<String> {
        loop {
            let name = veth_name(&self.bridge, rand::random());
            match self.host.add_veth(&name, self.mtu, namespace.as_raw_fd(), mac) {
                // One of a million names or more, and its owner will not go away: take another.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
                Ok(()) => return Ok(name),
            }
        }
    }

    fn came_home<T>(&mut self, visit: Visit<T>) -> Result<io::Result<T>, NetworkError> {
        match visit {
            Visit::Done(result) => Ok(result),
            Visit::Astray(source) => {
                self.astray = true;
                Err(NetworkError::Step {
                    step: "come back from a task's network namespace".to_owned(),
                    source,
                })
            }
        }
    }
}

/// What Docker sets in a container's namespace too: no IPv6 (a task has no address of it), low
/// ports and ICMP echo sockets for every user, since the namespace holds nobody else's.
fn inner_settings() -> io::Result<()> {
    for family in ["all", "default"] {
        set_sysctl_if_present(&format!("net/ipv6/conf/{family}/disable_ipv6"), "1")?;
    }
    set_sysctl("net/ipv4/ip_unprivileged_port_start", "0")?;
    set_sysctl("net/ipv4/ping_group_range", "0 2147483647")
}

fn own_address(addresses: Vec<(u32, Ipv4Addr, u8)>) -> Option<Ipv4Addr> {
    addresses.into_iter().map(|(_, ip, _)| ip).find(|ip| !ip.is_loopback())
}
