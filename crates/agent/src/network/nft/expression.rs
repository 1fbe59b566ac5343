//! The expressions rules are made of, each one attribute list (`NFTA_LIST_ELEM`).

use super::message::Attributes;

/// Four-byte registers; a concatenation lies in neighbouring ones.
pub(super) const FIRST: u32 = libc::NFT_REG32_00 as u32;
pub(super) const SECOND: u32 = libc::NFT_REG32_01 as u32;
/// The first of the sixteen-byte registers, which is the same memory as `FIRST` and its neighbours.
/// iptables names it, and reads only rules that do.
const WHOLE: u32 = libc::NFT_REG_1 as u32;
/// Behind the sixteen bytes of an interface's name in `WHOLE`: a MAC address takes two registers.
const AFTER_NAME: u32 = libc::NFT_REG32_04 as u32;
const AFTER_MAC: u32 = libc::NFT_REG32_06 as u32;

/// Where a payload's offset counts from (linux/netfilter/nf_tables.h, enum nft_payload_bases).
const LINK: u32 = 0;
const NETWORK: u32 = 1;
const TRANSPORT: u32 = 2;

const LIST_ELEM: u16 = 1;
const DATA_VALUE: u16 = 1;
const DATA_VERDICT: u16 = 2;

/// A rule's expressions, in order.
#[derive(Debug, Default, Clone)]
pub(super) struct Expressions(pub Attributes);

impl Expressions {
    pub fn new() -> Self {
        Self::default()
    }

    fn push(mut self, name: &str, data: &Attributes) -> Self {
        let expression = Attributes::new().text(1, name).nested(2, data);
        self.0 = self.0.nested(LIST_ELEM, &expression);
        self
    }

    fn compare(self, register: u32, equal: bool, value: &[u8]) -> Self {
        let value = Attributes::new().bytes(DATA_VALUE, value);
        let operation = if equal { 0 } else { 1 };
        self.push("cmp", &Attributes::new().number(1, register).number(2, operation).nested(3, &value))
    }

    fn meta(self, key: i32, register: u32) -> Self {
        self.push("meta", &Attributes::new().number(1, register).number(2, key as u32))
    }

    fn interface(self, key: i32, name: &str, equal: bool) -> Self {
        let mut bytes = name.as_bytes().to_vec();
        bytes.push(0);
        self.meta(key, WHOLE).compare(WHOLE, equal, &bytes)
    }

    /// `iifname "name"`
    pub fn iifname(self, name: &str) -> Self {
        self.interface(libc::NFT_META_IIFNAME, name, true)
    }

    /// `oifname "name"`
    pub fn oifname(self, name: &str) -> Self {
        self.interface(libc::NFT_META_OIFNAME, name, true)
    }

    /// `oifname != "name"`
    pub fn oifname_not(self, name: &str) -> Self {
        self.interface(libc::NFT_META_OIFNAME, name, false)
    }

    /// `iifname "start*"`
    pub fn iifname_begins(self, start: &str) -> Self {
        self.meta(libc::NFT_META_IIFNAME, WHOLE).compare(WHOLE, true, start.as_bytes())
    }

    fn payload(self, register: u32, base: u32, offset: u32, length: u32) -> Self {
        let load = Attributes::new().number(1, register).number(2, base).number(3, offset).number(4, length);
        self.push("payload", &load)
    }

    /// `ip saddr base/prefix`: byte 12 of an IPv4 header (RFC 791).
    pub fn saddr(self, subnet: crate::network::Cidr) -> Self {
        self.address(12, subnet)
    }

    /// `ip daddr base/prefix`
    pub fn daddr(self, subnet: crate::network::Cidr) -> Self {
        self.address(16, subnet)
    }

    fn address(self, offset: u32, subnet: crate::network::Cidr) -> Self {
        let mask = Attributes::new()
            .number(1, FIRST)
            .number(2, FIRST)
            .number(3, 4)
            .nested(4, &Attributes::new().bytes(DATA_VALUE, &subnet.netmask().octets()))
            .nested(5, &Attributes::new().bytes(DATA_VALUE, &[0; 4]));
        self.payload(FIRST, NETWORK, offset, 4).push("bitwise", &mask).compare(
            FIRST,
            true,
            &subnet.base().octets(),
        )
    }

    /// `ct status dnat`
    pub fn translated(self) -> Self {
        // NFT_CT_STATUS (2); IPS_DST_NAT is bit 5 of linux/netfilter/nf_conntrack_common.h.
        let flag = (1u32 << 5).to_ne_bytes();
        let mask = Attributes::new()
            .number(1, FIRST)
            .number(2, FIRST)
            .number(3, 4)
            .nested(4, &Attributes::new().bytes(DATA_VALUE, &flag))
            .nested(5, &Attributes::new().bytes(DATA_VALUE, &[0; 4]));
        self.push("ct", &Attributes::new().number(1, FIRST).number(2, 2))
            .push("bitwise", &mask)
            .compare(FIRST, false, &[0; 4])
    }

    /// `fib daddr type local`
    pub fn daddr_local(self) -> Self {
        // NFT_FIB_RESULT_ADDRTYPE (3) of the destination (NFTA_FIB_F_DADDR, 2) is RTN_LOCAL (2).
        let look_up = Attributes::new().number(1, FIRST).number(2, 3).number(3, 2);
        self.push("fib", &look_up).compare(FIRST, true, &2u32.to_ne_bytes())
    }

    /// `th dport != port`: byte 2 of TCP and UDP alike.
    pub fn dport_not(self, port: u16) -> Self {
        self.payload(FIRST, TRANSPORT, 2, 2).compare(FIRST, false, &port.to_be_bytes())
    }

    /// `ether type kind`, of a frame without a VLAN tag.
    pub fn ether_type(self, kind: u16) -> Self {
        self.payload(FIRST, LINK, 12, 2).compare(FIRST, true, &kind.to_be_bytes())
    }

    /// `iifname . ether saddr . ip saddr @set`
    pub fn sender_in_ip(self, set: &str) -> Self {
        self.sender((LINK, 6), 12, set)
    }

    /// `iifname . ether saddr . arp saddr ip @set`, and the same of the sender that the ARP packet
    /// itself names (RFC 826: hardware address at byte 8, protocol address at byte 14).
    pub fn sender_in_arp(self, set: &str) -> Self {
        self.sender((LINK, 6), 14, set).sender((NETWORK, 8), 14, set)
    }

    fn sender(self, (base, mac): (u32, u32), ip: u32, set: &str) -> Self {
        self.meta(libc::NFT_META_IIFNAME, WHOLE)
            .payload(AFTER_NAME, base, mac, 6)
            .payload(AFTER_MAC, NETWORK, ip, 4)
            .push("lookup", &Attributes::new().text(1, set).number(2, WHOLE))
    }

    /// `dnat to meta l4proto . th dport map @map`
    pub fn translate_by(self, map: &str) -> Self {
        let look_up = Attributes::new().text(1, map).number(2, FIRST).number(3, FIRST);
        let nat = Attributes::new()
            .number(1, libc::NFT_NAT_DNAT as u32)
            .number(2, libc::NFPROTO_IPV4 as u32)
            .number(3, FIRST)
            .number(5, SECOND);
        self.meta(libc::NFT_META_L4PROTO, FIRST)
            .payload(SECOND, TRANSPORT, 2, 2)
            .push("lookup", &look_up)
            .push("nat", &nat)
    }

    pub fn masquerade(self) -> Self {
        self.push("masq", &Attributes::new())
    }

    pub fn counter(self) -> Self {
        self.push("counter", &Attributes::new())
    }

    pub fn accept(self) -> Self {
        self.verdict(Attributes::new().number(1, libc::NF_ACCEPT as u32))
    }

    pub fn drop(self) -> Self {
        self.verdict(Attributes::new().number(1, libc::NF_DROP as u32))
    }

    /// `jump chain`
    pub fn jump(self, chain: &str) -> Self {
        // NFT_JUMP is -3 (linux/netfilter/nf_tables.h, enum nft_verdicts).
        self.verdict(Attributes::new().number(1, (-3i32) as u32).text(2, chain))
    }

    fn verdict(self, verdict: Attributes) -> Self {
        let data = Attributes::new().nested(DATA_VERDICT, &verdict);
        self.push("immediate", &Attributes::new().number(1, libc::NFT_REG_VERDICT as u32).nested(2, &data))
    }
}
