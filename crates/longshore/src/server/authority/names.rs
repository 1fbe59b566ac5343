//! By which names and addresses a server is reached.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use nix::ifaddrs::getifaddrs;

/// What is known of them.
#[derive(Clone, Debug)]
pub struct Names {
    pub listen: SocketAddr,
    pub hostname: String,
    /// As the person named them: `host` or `host:port`.
    pub named: Vec<String>,
}

impl Names {
    /// Without ports.
    pub fn of_certificate(&self, addresses: &[IpAddr]) -> BTreeSet<String> {
        self.hosts(addresses).map(|(host, _)| host.trim_matches(['[', ']']).to_owned()).collect()
    }

    /// `host:port` as clients write it.
    pub fn authorities(&self, addresses: &[IpAddr]) -> BTreeSet<String> {
        let listen = self.listen.port();
        let ports = move |(host, port): (String, Option<u16>)| {
            let own = format!("{host}:{listen}");
            [Some(own), port.map(|port| format!("{host}:{port}"))]
        };
        self.hosts(addresses).flat_map(ports).flatten().collect()
    }

    /// With the port, where somebody named one. IPv6 addresses are in brackets.
    fn hosts(&self, addresses: &[IpAddr]) -> impl Iterator<Item = (String, Option<u16>)> {
        let listen = self.listen.ip();
        let own = match listen.is_unspecified() {
            true => addresses.iter().copied().filter(|ip| listen.is_ipv6() || ip.is_ipv4()).collect(),
            false => vec![listen],
        };
        let loopback = ["127.0.0.1".to_owned(), "[::1]".to_owned(), "localhost".to_owned()];
        let hostname = Some(self.hostname.clone()).filter(|name| !name.is_empty());
        let unnamed = loopback.into_iter().chain(hostname).chain(own.into_iter().map(written));
        let named = self.named.iter().map(|name| split(name)).collect::<Vec<_>>();
        unnamed.map(|host| (host, None)).chain(named)
    }
}

fn written(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

/// Host and port, the host as it is written before a port.
fn split(name: &str) -> (String, Option<u16>) {
    if let Ok(ip) = name.parse::<Ipv6Addr>() {
        return (format!("[{ip}]"), None);
    }
    match name.rsplit_once(':').map(|(host, port)| (host, port.parse())) {
        Some((host, Ok(port))) => (host.to_owned(), Some(port)),
        _ => (name.to_owned(), None),
    }
}

/// The machine's addresses.
pub fn of_the_machine() -> Vec<IpAddr> {
    let Ok(interfaces) = getifaddrs() else { return Vec::new() };
    let address = |interface: nix::ifaddrs::InterfaceAddress| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|v4| IpAddr::from(v4.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::from(v6.ip())))
    };
    interfaces.filter_map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(listen: &str, named: &[&str]) -> Names {
        Names {
            listen: listen.parse().unwrap(),
            hostname: "dock".into(),
            named: named.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    fn addresses() -> Vec<IpAddr> {
        ["127.0.0.1", "10.0.0.5", "fd00::5"].iter().map(|ip| ip.parse().unwrap()).collect()
    }

    fn set<const N: usize>(of: [&str; N]) -> BTreeSet<String> {
        of.into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn where_it_listens_and_what_it_is_called() {
        let told = names("10.0.0.5:80", &["hub.lan", "fd00::9", "front:443"]).of_certificate(&addresses());
        let names = ["10.0.0.5", "127.0.0.1", "::1", "localhost", "dock", "hub.lan", "fd00::9", "front"];
        assert_eq!(told, set(names));
    }

    #[test]
    fn on_all_addresses_each_of_the_machine() {
        let v4 = names("0.0.0.0:80", &[]).authorities(&addresses());
        assert_eq!(v4, set(["127.0.0.1:80", "[::1]:80", "localhost:80", "dock:80", "10.0.0.5:80"]));
        let both = names("[::]:80", &[]).authorities(&addresses());
        assert!(both.is_superset(&v4) && both.contains("[fd00::5]:80") && both.len() == v4.len() + 1);
        assert!(of_the_machine().contains(&IpAddr::from([127, 0, 0, 1])));
    }
}
