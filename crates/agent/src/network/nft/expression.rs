//! The expressions rules are made of, each one attribute list (`NFTA_LIST_ELEM`).

use super::message::Attributes;

/// Four-byte registers; a concatenation lies in neighbouring ones.
pub(super) const FIRST: u32 = libc::NFT_REG32_00 as u32;
pub(super) const SECOND: u32 = libc::NFT_REG32_01 as u32;
/// The first of the sixteen-byte registers, which is the same memory as `FIRST` and its neighbours.
/// iptables names it, and reads only rules that do.
const WHOLE: u32 = libc::NFT_REG_1 as u32;

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

    /// `ip saddr base/prefix`
    pub fn saddr(self, subnet: crate::network::Cidr) -> Self {
        // Network header (1), source address at byte 12 of an IPv4 header (RFC 791).
        let load = Attributes::new().number(1, FIRST).number(2, 1).number(3, 12).number(4, 4);
        let mask = Attributes::new()
            .number(1, FIRST)
            .number(2, FIRST)
            .number(3, 4)
            .nested(4, &Attributes::new().bytes(DATA_VALUE, &subnet.netmask().octets()))
            .nested(5, &Attributes::new().bytes(DATA_VALUE, &[0; 4]));
        self.push("payload", &load).push("bitwise", &mask).compare(FIRST, true, &subnet.base().octets())
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

    /// `dnat to meta l4proto . th dport map @map`
    pub fn translate_by(self, map: &str) -> Self {
        // Transport header (2), destination port at byte 2 of TCP and UDP alike.
        let port = Attributes::new().number(1, SECOND).number(2, 2).number(3, 2).number(4, 2);
        let look_up = Attributes::new().text(1, map).number(2, FIRST).number(3, FIRST);
        let nat = Attributes::new()
            .number(1, libc::NFT_NAT_DNAT as u32)
            .number(2, libc::NFPROTO_IPV4 as u32)
            .number(3, FIRST)
            .number(5, SECOND);
        self.meta(libc::NFT_META_L4PROTO, FIRST)
            .push("payload", &port)
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
