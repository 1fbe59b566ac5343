//! The network as its users see it: open, attach, detach.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use nix::fcntl::{Flock, FlockArg};
use tokio::sync::oneshot;

use super::error::Context;
use super::link::{Links, Which};
use super::nft::{Nft, Published, open_foreign, own_table, published};
use super::teardown::{Removed, netns_dir, teardown};
use super::worker::{Job, Reply, Worker};
use super::{Address, Cidr, NetnsHandle, NetworkError, Traffic, host, netns, subnet};

/// Held while a subnet is chosen and taken, so that two instances that start together do not
/// choose the same one.
const CHOOSING: &str = "/run/longshore-network.lock";

#[derive(Debug, Clone)]
pub struct NetworkConfig {
    /// Names the bridge, the packet filter's table and (with a suffix) the veths: unique on the
    /// host for each data directory. 1 to 9 ASCII letters, digits or dashes.
    pub name_prefix: String,
    /// The tasks' subnet. Without one, the bridge's present one is kept, or a free one is chosen.
    pub subnet: Option<Cidr>,
    /// Namespaces are pinned in its folder `netns`.
    pub state_dir: PathBuf,
    /// How many namespaces to hold ready; 0 for none. One costs about 60 KB of kernel memory.
    pub pool: usize,
    /// Published ports are reached by the host's loopback addresses too.
    pub loopback: bool,
}

/// A bridge with its rules and namespaces. Dropping it leaves all tasks' networks as they are;
/// [`Network::destroy`] removes everything.
#[derive(Debug)]
pub struct Network {
    config: NetworkConfig,
    subnet: Cidr,
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    nft: Mutex<Nft>,
    /// What leads to tasks, to be put back with the rules.
    published: Mutex<HashSet<Published>>,
}

impl Network {
    /// Makes the bridge and its rules, or adopts those that a former run left. Blocks for a few
    /// milliseconds. Tasks' namespaces that are there stay untouched.
    pub fn open(config: NetworkConfig) -> Result<Self, NetworkError> {
        check_prefix(&config.name_prefix)?;
        let bridge = config.name_prefix.clone();
        let dir = netns_dir(&config.state_dir);
        fs::create_dir_all(&dir).step(|| format!("make {}", dir.display()))?;
        let (_, stale) = netns::pinned(&dir).step(|| format!("read {}", dir.display()))?;
        for name in stale {
            netns::unpin(&dir.join(&name)).step(|| format!("remove what is left of namespace {name}"))?;
        }

        let mut links = Links::open().step(|| "open a route socket".to_owned())?;
        let mtu = host::outward_mtu(&mut links).step(|| "find the way out of this host".to_owned())?;
        let (bridge_index, subnet) = {
            let _choosing = lock()?;
            make_bridge(&mut links, &bridge, config.subnet, mtu)?
        };
        host::set_sysctl("net/ipv4/ip_forward", "1").step(|| "turn on forwarding".to_owned())?;

        let mut nft = Nft::open().step(|| "open a netfilter socket".to_owned())?;
        apply_rules(&mut nft, &bridge, subnet)?;
        warn_of_legacy_tables(&bridge);
        if config.loopback {
            // What comes from 127.0.0.1 may go out here; that nothing comes in to it is in the rules.
            host::set_sysctl(&format!("net/ipv4/conf/{bridge}/route_localnet"), "1")
                .step(|| format!("let the loopback reach bridge {bridge}"))?;
        }

        let guard = Nft::open().step(|| "open a netfilter socket".to_owned())?;
        let home = netns::current().step(|| "open this thread's network namespace".to_owned())?;
        let worker = Worker {
            host: links,
            home,
            bridge,
            bridge_index,
            subnet,
            last_given: None,
            mtu,
            dir,
            pool_size: config.pool,
            pool: Default::default(),
            guard,
            guards: Default::default(),
            astray: false,
        };
        let (jobs, received) = channel();
        let (ready, protected) = channel();
        let thread = std::thread::Builder::new()
            .name("network".to_owned())
            .spawn(move || worker.run(&received, &ready))
            .step(|| "start the network thread".to_owned())?;
        protected.recv().map_err(|_| NetworkError::WorkerGone)??;
        Ok(Self {
            config,
            subnet,
            jobs: Some(jobs),
            thread: Some(thread),
            nft: Mutex::new(nft),
            published: Mutex::default(),
        })
    }

    /// The subnet tasks' addresses are to come from.
    pub fn subnet(&self) -> Cidr {
        self.subnet
    }

    /// The bridge's own address: the tasks' gateway, and where they reach services of the host.
    pub fn gateway(&self) -> Ipv4Addr {
        self.subnet.gateway()
    }

    pub fn bridge(&self) -> &str {
        &self.config.name_prefix
    }

    /// Gives task `id` a namespace with this address. Asked again for the same address, it gives
    /// what is there.
    pub async fn attach(&self, id: &str, address: Address) -> Result<NetnsHandle, NetworkError> {
        check_id(id)?;
        if !self.subnet.holds_task(address.ip) {
            return Err(NetworkError::AddressOutsideSubnet { ip: address.ip, subnet: self.subnet });
        }
        let id = id.to_owned();
        self.ask(|reply| Job::Attach { id, address, reply }).await
    }

    /// Gives `id` a namespace with any address that is free. Asked again, it gives what is there.
    pub async fn attach_anywhere(&self, id: &str) -> Result<(NetnsHandle, Ipv4Addr), NetworkError> {
        check_id(id)?;
        let id = id.to_owned();
        self.ask(|reply| Job::AttachAnywhere { id, reply }).await
    }

    /// Gives `id` a namespace without any interface but the loopback.
    pub async fn isolate(&self, id: &str) -> Result<NetnsHandle, NetworkError> {
        check_id(id)?;
        let id = id.to_owned();
        self.ask(|reply| Job::Isolate { id, reply }).await
    }

    /// Lets go of a task's namespace; false if there was none. Once the task's processes are gone
    /// too, the kernel removes it, its interface and its route.
    pub async fn detach(&self, id: &str) -> Result<bool, NetworkError> {
        check_id(id)?;
        let id = id.to_owned();
        self.ask(|reply| Job::Detach { id, reply }).await
    }

    /// What passed a task's interface.
    pub async fn traffic(&self, id: &str) -> Result<Traffic, NetworkError> {
        check_id(id)?;
        let id = id.to_owned();
        self.ask(|reply| Job::Traffic { id, reply }).await
    }

    /// How many namespaces are ready in the pool.
    pub async fn prepared(&self) -> Result<usize, NetworkError> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Prepared { reply })?;
        answer.await.map_err(|_| NetworkError::WorkerGone)
    }

    /// The tasks that have a namespace, this run's and former runs'.
    pub fn list(&self) -> Result<Vec<String>, NetworkError> {
        let dir = netns_dir(&self.config.state_dir);
        Ok(netns::pinned(&dir).step(|| format!("read {}", dir.display()))?.0)
    }

    /// The namespace of a task that is attached already.
    pub fn get(&self, id: &str) -> Result<NetnsHandle, NetworkError> {
        check_id(id)?;
        let path = netns_dir(&self.config.state_dir).join(id);
        if netns::is_pinned(&path) {
            Ok(NetnsHandle { path })
        } else {
            Err(NetworkError::NotAttached { id: id.to_owned(), path })
        }
    }

    /// Opens host ports to tasks: all of them, or none if one is taken.
    pub fn publish(&self, ports: &[Published]) -> Result<(), NetworkError> {
        self.change_ports(ports, true)
    }

    /// Closes host ports; an error if one of them is not open.
    pub fn unpublish(&self, ports: &[Published]) -> Result<(), NetworkError> {
        self.change_ports(ports, false)
    }

    fn change_ports(&self, ports: &[Published], add: bool) -> Result<(), NetworkError> {
        if ports.is_empty() {
            return Ok(());
        }
        let verb = if add { "open" } else { "close" };
        let mut nft = self.nft();
        let changed = nft
            .apply(&published(self.bridge(), ports, add))
            .step(|| format!("{verb} {} host ports", ports.len()));
        let mut kept = self.published.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match (add, &changed) {
            (true, Ok(())) => kept.extend(ports),
            (true, Err(_)) => {}
            (false, _) => kept.retain(|port| !ports.contains(port)),
        }
        changed
    }

    /// Puts the rules back where a firewall's reload has removed them. Worth a call every minute.
    pub fn reconcile(&self) -> Result<(), NetworkError> {
        self.send(Job::Protect)?;
        let mut nft = self.nft();
        apply_rules(&mut nft, self.bridge(), self.subnet)?;
        let ports = self.published.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let ports: Vec<_> = ports.iter().copied().collect();
        // Those that are there already are no error, as they lead where they did.
        nft.apply(&published(self.bridge(), &ports, true)).step(|| "open the tasks' ports again".to_owned())
    }

    /// Removes every namespace, the bridge and the rules. Containers that still run lose their network.
    pub fn destroy(mut self) -> Result<Removed, NetworkError> {
        self.stop();
        teardown(&self.config.name_prefix, &self.config.state_dir)
    }

    async fn ask<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, NetworkError> {
        let (reply, answer) = oneshot::channel();
        self.send(job(reply))?;
        answer.await.map_err(|_| NetworkError::WorkerGone)?
    }

    fn send(&self, job: Job) -> Result<(), NetworkError> {
        let jobs = self.jobs.as_ref().ok_or(NetworkError::WorkerGone)?;
        jobs.send(job).map_err(|_| NetworkError::WorkerGone)
    }

    fn nft(&self) -> std::sync::MutexGuard<'_, Nft> {
        // A panic while it was held leaves at worst an unread answer, which the next exchange skips.
        self.nft.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn stop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(bridge = self.config.name_prefix, "the network thread had panicked");
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.stop();
    }
}

fn apply_rules(nft: &mut Nft, bridge: &str, subnet: Cidr) -> Result<(), NetworkError> {
    nft.apply(&own_table(bridge, subnet)).step(|| format!("set the packet filter's table {bridge}"))?;
    // A table with an owner refuses us (firewalld): tasks may still work, so this is no failure.
    if let Err(error) = open_foreign(nft, bridge) {
        tracing::warn!(bridge, %error, "cannot let tasks through another program's forward rules");
    }
    Ok(())
}

/// The old xtables interface has no netlink side; where it is in use its FORWARD chain may drop us.
fn warn_of_legacy_tables(bridge: &str) {
    if fs::read_to_string("/proc/net/ip_tables_names")
        .is_ok_and(|names| names.lines().any(|name| name == "filter"))
    {
        tracing::warn!(
            bridge,
            "this host uses iptables-legacy; if tasks cannot be reached, run \
             `iptables-legacy -I FORWARD -i {bridge} -j ACCEPT` and the same with -o"
        );
    }
}

/// The bridge's number and subnet.
fn make_bridge(
    links: &mut Links,
    bridge: &str,
    wanted: Option<Cidr>,
    mtu: u32,
) -> Result<(u32, Cidr), NetworkError> {
    let looking = || format!("look for bridge {bridge}");
    let found = links.find(bridge).step(looking)?;
    let addresses = links.addresses().step(looking)?;
    let present = found.as_ref().and_then(|link| {
        let (_, ip, prefix) = addresses.iter().find(|(index, ..)| *index == link.index)?;
        Some(Cidr::containing(*ip, *prefix))
    });
    let taken = host::taken(links, found.as_ref().map(|link| link.index))
        .step(|| "read the host's addresses and routes".to_owned())?;
    let subnet = match (present, wanted) {
        (Some(present), Some(wanted)) if present != wanted => {
            return Err(NetworkError::SubnetMismatch { bridge: bridge.to_owned(), present, wanted });
        }
        (Some(present), _) => present,
        (None, Some(wanted)) => match subnet::conflict(wanted, &taken) {
            Some(by) => return Err(NetworkError::SubnetTaken { subnet: wanted, by }),
            None => wanted,
        },
        (None, None) => subnet::choose_subnet(None, &taken).ok_or(NetworkError::NoFreeSubnet)?,
    };
    if found.is_none() {
        links.add_bridge(bridge, mtu).step(|| format!("make bridge {bridge}"))?;
    }
    host::set_sysctl_if_present(&format!("net/ipv6/conf/{bridge}/disable_ipv6"), "1")
        .step(|| format!("turn IPv6 off on bridge {bridge}"))?;
    // A bridge without a MAC address of its own takes its ports' lowest and changes it as they
    // come and go, which makes every task's idea of its gateway stale.
    let [a, b, c, d] = subnet.gateway().octets();
    links
        .set_up(&Which::Name(bridge), None, Some([0x0a, 0x58, a, b, c, d]))
        .step(|| format!("bring up bridge {bridge}"))?;
    let link = links.find(bridge).step(looking)?.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound));
    let index = link.step(looking)?.index;
    links
        .add_address(index, subnet.gateway(), subnet.prefix())
        .step(|| format!("give bridge {bridge} the address {}", subnet.gateway()))?;
    Ok((index, subnet))
}

fn lock() -> Result<Flock<File>, NetworkError> {
    let step = || format!("lock {CHOOSING}");
    let file = File::options().create(true).append(true).open(Path::new(CHOOSING)).step(step)?;
    Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, error)| error.into()).step(step)
}

pub(super) fn check_prefix(prefix: &str) -> Result<(), NetworkError> {
    let fits = (1..=9).contains(&prefix.len())
        && prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !prefix.starts_with('-');
    if fits { Ok(()) } else { Err(NetworkError::InvalidPrefix { prefix: prefix.to_owned() }) }
}

/// An id becomes a file name.
pub(super) fn check_id(id: &str) -> Result<(), NetworkError> {
    let fits = (1..=255).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
        && !matches!(id, "." | "..");
    if fits { Ok(()) } else { Err(NetworkError::InvalidTaskId { id: id.to_owned() }) }
}
