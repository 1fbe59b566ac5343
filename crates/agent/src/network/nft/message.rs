//! Netfilter netlink messages: a header, `struct nfgenmsg`, and attributes that nest.
//!
//! The numbers are those of linux/netfilter/nf_tables.h and linux/netfilter/nfnetlink.h.

use super::super::netlink::HEADER;

/// Bytes of `struct nfgenmsg`, between the header and the first attribute.
const GENERIC: usize = 4;
const NESTED: u16 = libc::NLA_F_NESTED as u16;

/// An attribute list under construction.
#[derive(Debug, Default, Clone)]
pub(in crate::network) struct Attributes(Vec<u8>);

impl Attributes {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn bytes(mut self, kind: u16, value: &[u8]) -> Self {
        let length = u16::try_from(4 + value.len()).expect("our attributes are far below 64 KiB");
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// A text with its closing NUL, as nf_tables names things.
    pub fn text(self, kind: u16, value: &str) -> Self {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        self.bytes(kind, &bytes)
    }

    /// Numbers of nf_tables are in network byte order.
    pub fn number(self, kind: u16, value: u32) -> Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    pub fn nested(self, kind: u16, inner: &Self) -> Self {
        self.bytes(kind | NESTED, &inner.0)
    }
}

/// One request of a batch, without its sequence number.
#[derive(Debug, Clone)]
pub(in crate::network) struct Message {
    /// `NFT_MSG_…`, or a batch mark.
    pub kind: u16,
    pub flags: u16,
    pub family: u8,
    pub resource: u16,
    pub attributes: Attributes,
}

impl Message {
    pub fn new(kind: i32, flags: i32, family: u8, attributes: Attributes) -> Self {
        let kind = (libc::NFNL_SUBSYS_NFTABLES as u16) << 8 | kind as u16;
        Self { kind, flags: flags as u16, family, resource: 0, attributes }
    }

    /// The mark that begins or ends a batch, which nf_tables applies as a whole or not at all.
    pub fn mark(kind: i32) -> Self {
        Self {
            kind: kind as u16,
            flags: 0,
            family: libc::AF_UNSPEC as u8,
            resource: libc::NFNL_SUBSYS_NFTABLES as u16,
            attributes: Attributes::new(),
        }
    }

    pub fn write(&self, sequence: u32, extra_flags: i32, into: &mut Vec<u8>) {
        let length = (HEADER + GENERIC + self.attributes.0.len()) as u32;
        into.extend(length.to_ne_bytes());
        into.extend(self.kind.to_ne_bytes());
        into.extend((libc::NLM_F_REQUEST as u16 | self.flags | extra_flags as u16).to_ne_bytes());
        into.extend(sequence.to_ne_bytes());
        into.extend(0u32.to_ne_bytes());
        into.push(self.family);
        into.push(libc::NFNETLINK_V0 as u8);
        into.extend(self.resource.to_be_bytes());
        into.extend(&self.attributes.0);
    }
}

/// Attributes by their kinds.
pub(super) type List<'a> = Vec<(u16, &'a [u8])>;

/// The family of an answer's `struct nfgenmsg`, and its attributes.
pub(super) fn parse(body: &[u8]) -> Option<(u8, List<'_>)> {
    Some((*body.first()?, attributes(body.get(GENERIC..)?)))
}

/// Splits an attribute list; a broken one ends early.
pub(super) fn attributes(mut list: &[u8]) -> List<'_> {
    let mut found = Vec::new();
    while let [a, b, c, d, ..] = *list {
        let length = usize::from(u16::from_ne_bytes([a, b]));
        let Some(value) = list.get(4..length) else { break };
        // The two highest bits are flags (nested, network byte order).
        found.push((u16::from_ne_bytes([c, d]) & 0x3fff, value));
        list = &list[length.next_multiple_of(4).min(list.len())..];
    }
    found
}
