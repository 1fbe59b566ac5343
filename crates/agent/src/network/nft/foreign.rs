//! Holes in chains that others own.
//!
//! A packet passes every chain of a hook, and one drop is final: an accept in our own table cannot
//! undo the `FORWARD` policy `drop` that Docker and ufw set, and with `bridge-nf-call-iptables` on
//! it hits even packets between two tasks of one bridge. So at the head of each such chain we put
//! two rules, `iifname <bridge> accept` and `oifname <bridge> accept`, in the very form in which
//! `iptables -I FORWARD -i <bridge> -j ACCEPT` writes them, so that iptables still reads its table.

use std::io;

use super::expression::Expressions;
use super::message::{Attributes, Message, attributes, parse};
use super::ruleset::rule;
use super::socket::Nft;

/// A chain that forwarded IPv4 packets pass.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Chain {
    family: u8,
    table: String,
    name: String,
    drops: bool,
}

const FORWARD_HOOK: u32 = 2;

/// Puts the two rules wherever they are needed and missing. Cheap enough to repeat: whoever
/// flushes the chains (a firewall's reload) takes our rules with them.
pub(in crate::network) fn open_foreign(nft: &mut Nft, bridge: &str) -> io::Result<()> {
    for chain in forward_chains(nft)? {
        let iptables = chain.table == "filter" && chain.name == "FORWARD";
        let needed = chain.table != bridge && (chain.drops || iptables);
        if needed && our_rules(nft, &chain, bridge)?.is_empty() {
            let rules = [Expressions::new().oifname(bridge), Expressions::new().iifname(bridge)];
            let batch = rules.map(|match_bridge| {
                rule(chain.family, &chain.table, &chain.name, false, match_bridge.counter().accept())
            });
            nft.apply(&batch)?;
        }
    }
    Ok(())
}

/// Takes the rules away again; gives how many there were.
pub(in crate::network) fn close_foreign(nft: &mut Nft, bridge: &str) -> io::Result<usize> {
    let mut removed = 0;
    for chain in forward_chains(nft)?.into_iter().filter(|chain| chain.table != bridge) {
        for handle in our_rules(nft, &chain, bridge)? {
            let attributes = Attributes::new().text(1, &chain.table).text(2, &chain.name).bytes(3, &handle);
            nft.apply(&[Message::new(libc::NFT_MSG_DELRULE, 0, chain.family, attributes)])?;
            removed += 1;
        }
    }
    Ok(removed)
}

fn forward_chains(nft: &mut Nft) -> io::Result<Vec<Chain>> {
    let mut chains = Vec::new();
    for family in [libc::NFPROTO_IPV4, libc::NFPROTO_INET] {
        let ask = Message::new(libc::NFT_MSG_GETCHAIN, 0, family as u8, Attributes::new());
        chains.extend(nft.dump(&ask)?.iter().filter_map(|answer| read_chain(answer.body())));
    }
    Ok(chains)
}

fn read_chain(body: &[u8]) -> Option<Chain> {
    let (family, list) = parse(body)?;
    let value = |kind| list.iter().find(|(found, _)| *found == kind).map(|(_, value)| *value);
    let hook = attributes(value(4)?);
    let hook_number = hook.iter().find(|(kind, _)| *kind == 1).and_then(|(_, value)| number(value))?;
    let filter = text(value(7)?) == "filter";
    (hook_number == FORWARD_HOOK && filter).then(|| Chain {
        family,
        table: text(value(1).unwrap_or_default()),
        name: text(value(3).unwrap_or_default()),
        drops: value(5).and_then(number) == Some(libc::NF_DROP as u32),
    })
}

/// The handles of the rules of `chain` that name our bridge: nobody else knows its name.
fn our_rules(nft: &mut Nft, chain: &Chain, bridge: &str) -> io::Result<Vec<Vec<u8>>> {
    let filter = Attributes::new().text(1, &chain.table).text(2, &chain.name);
    let ask = Message::new(libc::NFT_MSG_GETRULE, 0, chain.family, filter);
    let name = interface_attribute(bridge);
    Ok(nft
        .dump(&ask)?
        .iter()
        .filter_map(|answer| {
            let (_, list) = parse(answer.body())?;
            let value = |kind| list.iter().find(|(found, _)| *found == kind).map(|(_, value)| *value);
            let in_chain = text(value(1)?) == chain.table && text(value(2)?) == chain.name;
            let names_bridge = value(4)?.windows(name.len()).any(|window| window == name);
            (in_chain && names_bridge).then(|| value(3).map(<[u8]>::to_vec))?
        })
        .collect())
}

/// The value a rule compares an interface's name with, as an attribute (`NFTA_DATA_VALUE`): with
/// its length in front, a longer name that ends like ours is not taken for it.
fn interface_attribute(name: &str) -> Vec<u8> {
    let mut attribute = (name.len() as u16 + 5).to_ne_bytes().to_vec();
    attribute.extend(1u16.to_ne_bytes());
    attribute.extend(name.as_bytes());
    attribute.push(0);
    attribute
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned()
}

fn number(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}
