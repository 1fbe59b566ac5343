//! Who may send what through a task's port of the bridge: its own address, and nothing else. Pure.
//!
//! ```text
//! table bridge <prefix> {
//!   set own { type ifname . ether_addr . ipv4_addr }
//!   chain port {
//!     ether type ip  iifname . ether saddr . ip saddr @own accept
//!     ether type arp iifname . ether saddr . arp saddr ip @own iifname . arp saddr ether . arp saddr ip @own accept
//!     counter drop }
//!   chain prerouting { type filter hook prerouting priority dstnat;  iifname <prefix>v* jump port }
//! }
//! ```
//! A task has CAP_NET_RAW, as Docker gives it and Fargate documents it, so it can write whole frames:
//! without this it could answer ARP in its neighbour's name, or send as the neighbour. A network
//! interface of AWS refuses both (VPC user guide, "source/destination check"). The hook comes before
//! the bridge learns a sender's port. IPv6 and VLANs have no entry: tasks have neither.

use super::expression::Expressions;
use super::message::{Attributes, Message};
use super::ruleset::{Hook, chain, empty_chain, rule};
use crate::network::Guard;

pub(super) const FAMILY: u8 = libc::NFPROTO_BRIDGE as u8;
const SET: &str = "own";
const PORT: &str = "port";
const PREROUTING: &str = "prerouting";
/// NF_BR_PRE_ROUTING, at the priority that nft calls dstnat in this family.
const HOOK: Hook = Hook { kind: "filter", number: 0, priority: -300 };
/// Bytes of an interface's name in a register (IFNAMSIZ).
const NAME: usize = 16;
/// Name, MAC address padded to a register's multiple, IP address.
const KEY: usize = NAME + 8 + 4;

const IPV4: u16 = libc::ETH_P_IP as u16;
const ARP: u16 = libc::ETH_P_ARP as u16;

/// Makes the table, or brings the one that is there to this state: without any task in it.
pub(in crate::network) fn guard_table(bridge: &str) -> Vec<Message> {
    let create = libc::NLM_F_CREATE;
    let of_set = || Attributes::new().text(1, bridge).text(2, SET);
    let rules = [
        (PORT, Expressions::new().ether_type(IPV4).sender_in_ip(SET).accept()),
        (PORT, Expressions::new().ether_type(ARP).sender_in_arp(SET).accept()),
        (PORT, Expressions::new().counter().drop()),
        (PREROUTING, Expressions::new().iifname_begins(&format!("{bridge}v")).jump(PORT)),
    ];
    let mut batch = vec![
        Message::new(libc::NFT_MSG_NEWTABLE, create, FAMILY, Attributes::new().text(1, bridge)),
        Message::new(libc::NFT_MSG_NEWSET, create, FAMILY, set(of_set())),
        Message::new(libc::NFT_MSG_DELSETELEM, 0, FAMILY, of_set()),
        chain(FAMILY, bridge, PORT, None),
        chain(FAMILY, bridge, PREROUTING, Some(HOOK)),
        empty_chain(FAMILY, bridge, PORT),
        empty_chain(FAMILY, bridge, PREROUTING),
    ];
    batch.extend(rules.into_iter().map(|(chain, parts)| rule(FAMILY, bridge, chain, true, parts)));
    batch
}

/// Lets a task's port send, or no longer.
pub(in crate::network) fn guarded(bridge: &str, guard: &Guard, add: bool) -> Message {
    let mut key = vec![0; KEY];
    key[..guard.port.len().min(NAME - 1)]
        .copy_from_slice(&guard.port.as_bytes()[..guard.port.len().min(NAME - 1)]);
    key[NAME..NAME + 6].copy_from_slice(&guard.mac);
    key[NAME + 8..].copy_from_slice(&guard.ip.octets());
    let element = Attributes::new().nested(1, &Attributes::new().bytes(1, &key));
    let list =
        Attributes::new().text(1, bridge).text(2, SET).nested(3, &Attributes::new().nested(1, &element));
    let (kind, flags) =
        if add { (libc::NFT_MSG_NEWSETELEM, libc::NLM_F_CREATE) } else { (libc::NFT_MSG_DELSETELEM, 0) };
    Message::new(kind, flags, FAMILY, list)
}

pub(in crate::network) fn remove_guard_table(bridge: &str) -> Vec<Message> {
    vec![Message::new(libc::NFT_MSG_DELTABLE, 0, FAMILY, Attributes::new().text(1, bridge))]
}

fn set(named: Attributes) -> Attributes {
    // nft's own numbers of data types, six bits each, by which `nft list` can print the set.
    const IPV4_ADDRESS: u32 = 7;
    const ETHER_ADDRESS: u32 = 9;
    const INTERFACE_NAME: u32 = 41;
    named
        .number(3, 0)
        .number(4, INTERFACE_NAME << 12 | ETHER_ADDRESS << 6 | IPV4_ADDRESS)
        .number(5, KEY as u32)
        // Its number within the batch.
        .number(10, 1)
}
