//! Our own table, as messages. Pure: the same subnet gives the same bytes.
//!
//! ```text
//! table ip <prefix> {
//!   map ports { type inet_proto . inet_service : ipv4_addr . inet_service }
//!   chain policy { }
//!   chain loopback { type filter hook prerouting priority raw
//!     iifname <bridge> ip daddr 127.0.0.0/8 drop }
//!   chain forward { type filter hook forward priority filter
//!     iifname <bridge> ip daddr 169.254.0.0/16 th dport != 53 drop
//!     iifname <bridge> jump policy; oifname <bridge> jump policy }
//!   chain prerouting { type nat hook prerouting priority dstnat
//!     fib daddr type local dnat to meta l4proto . th dport map @ports }
//!   chain output { type nat hook output priority dstnat;  the same }
//!   chain postrouting { type nat hook postrouting priority srcnat
//!     ip saddr <subnet> oifname != <bridge> masquerade
//!     oifname <bridge> ip saddr <subnet> ct status dnat masquerade
//!     oifname <bridge> ip saddr 127.0.0.0/8 ct status dnat masquerade }
//! }
//! ```
//! 169.254.169.254 and its neighbours tell a machine who it is, with the credentials of its role: on
//! Fargate no task reaches the host's. A cloud's name server lives there too and stays open.
//! The host itself reaches a published port by 127.0.0.1 too, which takes `route_localnet` on the
//! bridge; with that, a frame that a task writes by hand could reach what listens on the loopback,
//! and so none passes `loopback`.
//! `policy` is empty: it is the door for rules between tasks. `ports` is one element a host port.

use std::net::Ipv4Addr;

use super::expression::Expressions;
use super::message::{Attributes, Message};
use crate::network::Cidr;

pub(super) const FAMILY: u8 = libc::NFPROTO_IPV4 as u8;
const MAP: &str = "ports";
/// Its number within a batch, by which the batch's own rules find it.
const MAP_ID: u32 = 1;

/// A host port that leads to a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Published {
    /// `IPPROTO_TCP` (6) or `IPPROTO_UDP` (17).
    pub protocol: u8,
    pub host_port: u16,
    pub address: Ipv4Addr,
    pub container_port: u16,
}

/// Where a chain's packets come from: number NF_INET_… (or NF_BR_…) and priority NF_IP_PRI_….
#[derive(Debug, Clone, Copy)]
pub(super) struct Hook {
    pub kind: &'static str,
    pub number: u32,
    pub priority: i32,
}

const CHAINS: [(&str, Hook); 5] = [
    ("loopback", Hook { kind: "filter", number: 0, priority: -300 }),
    ("forward", Hook { kind: "filter", number: 2, priority: 0 }),
    ("prerouting", Hook { kind: "nat", number: 0, priority: -100 }),
    ("output", Hook { kind: "nat", number: 3, priority: -100 }),
    ("postrouting", Hook { kind: "nat", number: 4, priority: 100 }),
];

/// RFC 1122, 3.2.1.3.
const LOOPBACK: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 0);
/// RFC 3927.
const LINK_LOCAL: Ipv4Addr = Ipv4Addr::new(169, 254, 0, 0);
const DNS: u16 = 53;

/// Makes the table, or brings the one that is there to this state; published ports stay.
pub(in crate::network) fn own_table(bridge: &str, subnet: Cidr) -> Vec<Message> {
    let create = libc::NLM_F_CREATE;
    let mut batch = vec![
        Message::new(libc::NFT_MSG_NEWTABLE, create, FAMILY, Attributes::new().text(1, bridge)),
        map(bridge, create),
        chain(FAMILY, bridge, "policy", None),
    ];
    batch.extend(CHAINS.into_iter().map(|(name, hook)| chain(FAMILY, bridge, name, Some(hook))));
    // With the rules behind it in one batch, no packet ever sees a chain empty.
    batch.extend(CHAINS.into_iter().map(|(name, _)| empty_chain(FAMILY, bridge, name)));
    let metadata = Cidr::containing(LINK_LOCAL, 16);
    let loopback = Cidr::containing(LOOPBACK, 8);
    let rules = [
        ("loopback", Expressions::new().iifname(bridge).daddr(loopback).drop()),
        ("forward", Expressions::new().iifname(bridge).daddr(metadata).dport_not(DNS).drop()),
        ("forward", Expressions::new().iifname(bridge).jump("policy")),
        ("forward", Expressions::new().oifname(bridge).jump("policy")),
        ("prerouting", Expressions::new().daddr_local().translate_by(MAP)),
        ("output", Expressions::new().daddr_local().translate_by(MAP)),
        ("postrouting", Expressions::new().saddr(subnet).oifname_not(bridge).counter().masquerade()),
        ("postrouting", Expressions::new().oifname(bridge).saddr(subnet).translated().masquerade()),
        ("postrouting", Expressions::new().oifname(bridge).saddr(loopback).translated().masquerade()),
    ];
    batch
        .extend(rules.into_iter().map(|(chain, expressions)| rule(FAMILY, bridge, chain, true, expressions)));
    batch
}

/// Adds (or takes away) published ports.
pub(in crate::network) fn published(bridge: &str, ports: &[Published], add: bool) -> Vec<Message> {
    let mut elements = Attributes::new();
    for port in ports {
        let mut key = vec![port.protocol, 0, 0, 0];
        key.extend(port.host_port.to_be_bytes());
        key.extend([0; 2]);
        let mut data = port.address.octets().to_vec();
        data.extend(port.container_port.to_be_bytes());
        data.extend([0; 2]);
        let element = Attributes::new()
            .nested(1, &Attributes::new().bytes(1, &key))
            .nested(2, &Attributes::new().bytes(1, &data));
        elements = elements.nested(1, &element);
    }
    let list = Attributes::new().text(1, bridge).text(2, MAP).nested(3, &elements);
    let (kind, flags) =
        if add { (libc::NFT_MSG_NEWSETELEM, libc::NLM_F_CREATE) } else { (libc::NFT_MSG_DELSETELEM, 0) };
    vec![Message::new(kind, flags, FAMILY, list)]
}

pub(in crate::network) fn remove_table(bridge: &str) -> Vec<Message> {
    vec![Message::new(libc::NFT_MSG_DELTABLE, 0, FAMILY, Attributes::new().text(1, bridge))]
}

fn map(table: &str, flags: i32) -> Message {
    // nft's own numbers of data types, six bits each, by which `nft list` can print the map.
    const IPV4_ADDRESS: u32 = 7;
    const PROTOCOL: u32 = 12;
    const SERVICE: u32 = 13;
    const NFT_SET_MAP: u32 = 8;
    let attributes = Attributes::new()
        .text(1, table)
        .text(2, MAP)
        .number(3, NFT_SET_MAP)
        .number(4, PROTOCOL << 6 | SERVICE)
        .number(5, 8)
        .number(6, IPV4_ADDRESS << 6 | SERVICE)
        .number(7, 8)
        .number(10, MAP_ID);
    Message::new(libc::NFT_MSG_NEWSET, flags, FAMILY, attributes)
}

pub(super) fn chain(family: u8, table: &str, name: &str, base: Option<Hook>) -> Message {
    let mut attributes = Attributes::new().text(1, table).text(3, name);
    if let Some(Hook { kind, number, priority }) = base {
        let hook = Attributes::new().number(1, number).number(2, priority as u32);
        attributes = attributes.nested(4, &hook).number(5, libc::NF_ACCEPT as u32).text(7, kind);
    }
    Message::new(libc::NFT_MSG_NEWCHAIN, libc::NLM_F_CREATE, family, attributes)
}

/// Takes all rules out of a chain: a delete without a handle.
pub(super) fn empty_chain(family: u8, table: &str, name: &str) -> Message {
    Message::new(libc::NFT_MSG_DELRULE, 0, family, Attributes::new().text(1, table).text(2, name))
}

/// A new rule at the end of a chain, or at its beginning.
pub(super) fn rule(family: u8, table: &str, chain: &str, append: bool, expressions: Expressions) -> Message {
    let flags = libc::NLM_F_CREATE | if append { libc::NLM_F_APPEND } else { 0 };
    let attributes = Attributes::new().text(1, table).text(2, chain).nested(4, &expressions.0);
    Message::new(libc::NFT_MSG_NEWRULE, flags, family, attributes)
}
