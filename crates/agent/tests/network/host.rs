//! A bridge for one test, and looks at the host from outside our own code (`nft`, /sys, /proc).

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::Command;

use agent::network::{Address, Cidr, Network, NetworkConfig, NetworkError, teardown};
use nix::sched::{CloneFlags, setns, unshare};

/// Removes what the test made, also when it fails.
pub struct Fixture {
    pub prefix: String,
    pub state: tempfile::TempDir,
    pool: usize,
}

impl Fixture {
    pub fn new(pool: usize) -> Self {
        let prefix = format!("lt{:06x}", rand::random::<u32>() & 0xff_ffff);
        Self { prefix, state: tempfile::tempdir().expect("a directory"), pool }
    }

    pub fn open(&self) -> Network {
        self.try_open(None).expect("the network opens: is this root?")
    }

    pub fn try_open(&self, subnet: Option<Cidr>) -> Result<Network, NetworkError> {
        Network::open(config(&self.prefix, self, subnet))
    }

    /// The address number `n` of the subnet, with a MAC address made from it.
    pub fn address(&self, network: &Network, n: u8) -> Address {
        let mut octets = network.subnet().base().octets();
        octets[3] = n;
        Address {
            ip: octets.into(),
            prefix: network.subnet().prefix(),
            gateway: network.gateway(),
            mac: [0x02, 0xfc, octets[1], octets[2], octets[3], 0x77],
        }
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        if let Err(error) = teardown(&self.prefix, self.state.path()) {
            eprintln!("left behind by {}: {error}", self.prefix);
        }
    }
}

pub fn config(prefix: &str, fixture: &Fixture, subnet: Option<Cidr>) -> NetworkConfig {
    NetworkConfig {
        name_prefix: prefix.to_owned(),
        subnet,
        state_dir: fixture.state.path().to_owned(),
        pool: fixture.pool,
        loopback: true,
    }
}

/// Runs `work` on a thread of its own inside a pinned namespace.
pub fn in_namespace<T: Send>(path: &Path, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    let namespace = File::open(path)?;
    on_a_thread(move || {
        setns(namespace, CloneFlags::CLONE_NEWNET)?;
        work()
    })
}

/// Runs `work` on a thread of its own inside a new namespace with only lo.
pub fn in_new_namespace<T: Send>(work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    on_a_thread(move || {
        unshare(CloneFlags::CLONE_NEWNET)?;
        work()
    })
}

fn on_a_thread<T: Send>(work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    std::thread::scope(|scope| scope.spawn(work).join().expect("no panic"))
}

/// Runs the `nft` program: the tests' second opinion.
pub fn nft(command: &str) -> io::Result<String> {
    run("nft", &[command])
}

/// Runs the `iptables` program in its nf_tables form.
pub fn iptables(arguments: &str) -> io::Result<String> {
    run("iptables-nft", &arguments.split(' ').collect::<Vec<_>>())
}

fn run(program: &str, arguments: &[&str]) -> io::Result<String> {
    let output = Command::new(program).args(arguments).output()?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        Err(io::Error::other(format!("{program} {arguments:?}: {said}")))
    }
}

pub fn tables() -> String {
    nft("list tables").expect("nft is installed")
}

pub fn interfaces() -> Vec<String> {
    let entries = std::fs::read_dir("/sys/class/net").expect("sysfs");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

/// The MAC address of an interface in the calling thread's namespace.
pub fn mac_of(interface: &str) -> io::Result<[u8; 6]> {
    let all = nix::ifaddrs::getifaddrs()?;
    all.filter(|entry| entry.interface_name == interface)
        .find_map(|entry| entry.address?.as_link_addr()?.addr())
        .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
}
