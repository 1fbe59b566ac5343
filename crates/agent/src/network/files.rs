//! The three files of /etc that a container's network decides. Pure text in, text out.

use std::net::{IpAddr, Ipv4Addr};

/// Where systemd-resolved writes the servers behind its own 127.0.0.53.
pub const RESOLVED_UPSTREAM: &str = "/run/systemd/resolve/resolv.conf";

/// The name servers a resolv.conf lists (resolv.conf(5)), without a scope id's interface.
pub(super) fn nameservers(resolv_conf: &str) -> impl Iterator<Item = &str> {
    resolv_conf
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("nameserver")?.split_whitespace().next())
}

/// A container's resolv.conf.
///
/// `configured` servers (the task's `dnsServers`, or the operator's) replace the host's. Of the
/// host's, loopback ones mean nothing in another namespace and are left out; `upstream` (the text
/// of [`RESOLVED_UPSTREAM`]) then stands in. With none left the result names no server at all:
/// a public resolver is not ours to choose. IPv6 servers are left out: tasks have no IPv6 yet.
/// `search` and `options` lines of the host's file are kept, the former unless there are `domains`.
pub fn resolv_conf(
    host: &str,
    upstream: Option<&str>,
    configured: &[Ipv4Addr],
    domains: &[String],
) -> String {
    let usable = |text: &str| -> Vec<Ipv4Addr> {
        nameservers(text)
            .filter_map(|server| match server.parse() {
                Ok(IpAddr::V4(ip)) if !ip.is_loopback() && !ip.is_unspecified() => Some(ip),
                _ => None,
            })
            .collect()
    };
    let mut source = host;
    let mut servers = configured.to_vec();
    if servers.is_empty() {
        servers = usable(host);
    }
    if servers.is_empty()
        && let Some(upstream) = upstream
    {
        source = upstream;
        servers = usable(upstream);
    }
    let mut text = String::new();
    if !domains.is_empty() {
        text.push_str(&format!("search {}\n", domains.join(" ")));
    }
    for line in source.lines().map(str::trim) {
        let keyword = line.split_whitespace().next().unwrap_or_default();
        let kept = match keyword {
            "search" | "domain" => domains.is_empty(),
            keyword => keyword == "options",
        };
        if kept {
            text.push_str(line);
            text.push('\n');
        }
    }
    for server in servers {
        text.push_str(&format!("nameserver {server}\n"));
    }
    text
}

/// A line of a hosts file: names, with spaces between, and their address.
pub type HostLine = (String, IpAddr);

/// A container's hosts file: the loopback names, its own address under its own name, and others.
pub fn hosts(ip: Option<Ipv4Addr>, hostname: &str, others: &[HostLine]) -> String {
    let short = hostname.split('.').next().unwrap_or(hostname);
    let names = if short == hostname { hostname.to_owned() } else { format!("{hostname} {short}") };
    let own = ip.map(|ip| format!("{ip} {names}\n")).unwrap_or_default();
    with_hosts(&format!("127.0.0.1 localhost\n{own}"), others)
}

/// A hosts file with others added.
pub fn with_hosts(present: &str, others: &[HostLine]) -> String {
    let mut text = present.to_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    for (names, ip) in others {
        text.push_str(&format!("{ip} {names}\n"));
    }
    text
}

/// The name a Fargate task has: `ip-10-72-0-5.eu-west-1.compute.internal`.
///
/// EC2's private DNS names have the shorter domain `ec2.internal` in us-east-1 (EC2 user guide,
/// "EC2 instance hostnames and domains").
pub fn hostname(ip: Ipv4Addr, region: &str) -> String {
    let [a, b, c, d] = ip.octets();
    let domain =
        if region == "us-east-1" { "ec2.internal".to_owned() } else { format!("{region}.compute.internal") };
    format!("ip-{a}-{b}-{c}-{d}.{domain}")
}

/// The text of /etc/hostname.
pub fn hostname_file(hostname: &str) -> String {
    format!("{hostname}\n")
}
