//! Interfaces, addresses, routes and neighbours, by rtnetlink messages.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::RawFd;

use rtnetlink::packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkHeader,
    NetlinkMessage, NetlinkPayload,
};
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage, AddressScope};
use rtnetlink::packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, Stats64,
};
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::sys::protocols::NETLINK_ROUTE;

use super::Cidr;
use super::netlink::Netlink;

/// A route socket in the namespace that the opening thread was in.
#[derive(Debug)]
pub(super) struct Links(Netlink);

/// An interface as the kernel lists it.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub index: u32,
    pub name: String,
    pub mtu: u32,
    pub mac: Option<[u8; 6]>,
    /// The number of a veth's other end, where that one lives.
    pub peer: Option<u32>,
    pub stats: Option<Stats64>,
}

impl Links {
    pub fn open() -> io::Result<Self> {
        Netlink::open(NETLINK_ROUTE).map(Self)
    }

    fn request(&mut self, message: RouteNetlinkMessage, flags: u16) -> io::Result<Vec<RouteNetlinkMessage>> {
        let sequence = self.0.next_sequence();
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = sequence;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(message));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        let answers = self.0.exchange(&bytes, sequence, sequence)?;
        let mut decoded = Vec::with_capacity(answers.len());
        for answer in answers {
            let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&answer.bytes)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
            if let NetlinkPayload::InnerMessage(message) = message.payload {
                decoded.push(message);
            }
        }
        Ok(decoded)
    }

    fn change(&mut self, message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.request(message, NLM_F_ACK | flags).map(drop)
    }

    /// Makes a bridge; an error of kind `AlreadyExists` if the name is taken.
    pub fn add_bridge(&mut self, name: &str, mtu: u32) -> io::Result<()> {
        let mut link = LinkMessage::default();
        link.attributes = vec![
            LinkAttribute::IfName(name.to_owned()),
            LinkAttribute::Mtu(mtu),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge)]),
        ];
        self.change(RouteNetlinkMessage::NewLink(link), NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Makes a veth pair whose one end, `eth0`, is born inside the namespace `netns`.
    /// Neither end is up: a veth opened before its peer exists fails with ENOTCONN.
    pub fn add_veth(&mut self, name: &str, mtu: u32, netns: RawFd, mac: Option<[u8; 6]>) -> io::Result<()> {
        let mut peer = LinkMessage::default();
        peer.attributes = vec![
            LinkAttribute::IfName("eth0".to_owned()),
            LinkAttribute::NetNsFd(netns),
            LinkAttribute::Mtu(mtu),
        ];
        peer.attributes.extend(mac.map(|mac| LinkAttribute::Address(mac.to_vec())));
        let mut link = LinkMessage::default();
        link.attributes = vec![
            LinkAttribute::IfName(name.to_owned()),
            LinkAttribute::Mtu(mtu),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Veth),
                LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
            ]),
        ];
        self.change(RouteNetlinkMessage::NewLink(link), NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Brings an interface up, into `bridge` if one is given, with `mac` if one is given.
    pub fn set_up(&mut self, which: &Which<'_>, bridge: Option<u32>, mac: Option<[u8; 6]>) -> io::Result<()> {
        let mut link = which.message();
        link.attributes.extend(bridge.map(LinkAttribute::Controller));
        link.attributes.extend(mac.map(|mac| LinkAttribute::Address(mac.to_vec())));
        link.header.flags = LinkFlags::Up;
        link.header.change_mask = LinkFlags::Up;
        self.change(RouteNetlinkMessage::SetLink(link), 0)
    }

    pub fn delete(&mut self, index: u32) -> io::Result<()> {
        self.change(RouteNetlinkMessage::DelLink(Which::Index(index).message()), 0)
    }

    /// `None` if there is no such interface.
    pub fn find(&mut self, name: &str) -> io::Result<Option<Link>> {
        match self.request(RouteNetlinkMessage::GetLink(Which::Name(name).message()), NLM_F_ACK) {
            Ok(found) => Ok(links(found).next()),
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub fn list(&mut self) -> io::Result<Vec<Link>> {
        let found = self.request(RouteNetlinkMessage::GetLink(LinkMessage::default()), NLM_F_DUMP)?;
        Ok(links(found).collect())
    }

    /// Gives interface `index` an IPv4 address; one that it has already is no error.
    pub fn add_address(&mut self, index: u32, ip: Ipv4Addr, prefix: u8) -> io::Result<()> {
        let mut message = AddressMessage::default();
        message.header.family = AddressFamily::Inet;
        message.header.prefix_len = prefix;
        message.header.index = index;
        message.header.scope = AddressScope::Universe;
        message.attributes = vec![
            AddressAttribute::Local(IpAddr::V4(ip)),
            AddressAttribute::Address(IpAddr::V4(ip)),
            AddressAttribute::Broadcast(Cidr::containing(ip, prefix).broadcast()),
        ];
        self.change(RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_REPLACE)
    }

    /// Every IPv4 address: interface, address, prefix length.
    pub fn addresses(&mut self) -> io::Result<Vec<(u32, Ipv4Addr, u8)>> {
        let mut ask = AddressMessage::default();
        ask.header.family = AddressFamily::Inet;
        let found = self.request(RouteNetlinkMessage::GetAddress(ask), NLM_F_DUMP)?;
        Ok(found
            .into_iter()
            .filter_map(|message| {
                let RouteNetlinkMessage::NewAddress(message) = message else { return None };
                let local = message.attributes.iter().find_map(|attribute| match attribute {
                    AddressAttribute::Local(IpAddr::V4(ip)) => Some(*ip),
                    _ => None,
                })?;
                Some((message.header.index, local, message.header.prefix_len))
            })
            .collect())
    }

    pub fn add_default_route(&mut self, index: u32, gateway: Ipv4Addr) -> io::Result<()> {
        let mut message = RouteMessage::default();
        message.header.address_family = AddressFamily::Inet;
        message.header.table = RouteHeader::RT_TABLE_MAIN;
        message.header.protocol = RouteProtocol::Static;
        message.header.scope = RouteScope::Universe;
        message.header.kind = RouteType::Unicast;
        message.attributes =
            vec![RouteAttribute::Gateway(RouteAddress::Inet(gateway)), RouteAttribute::Oif(index)];
        self.change(RouteNetlinkMessage::NewRoute(message), NLM_F_CREATE | NLM_F_REPLACE)
    }

    /// Every IPv4 route: destination (0/0 for a default route) and outgoing interface.
    pub fn routes(&mut self) -> io::Result<Vec<(Cidr, Option<u32>)>> {
        let mut ask = RouteMessage::default();
        ask.header.address_family = AddressFamily::Inet;
        let found = self.request(RouteNetlinkMessage::GetRoute(ask), NLM_F_DUMP)?;
        Ok(found
            .into_iter()
            .filter_map(|message| {
                let RouteNetlinkMessage::NewRoute(message) = message else { return None };
                let mut destination = Ipv4Addr::UNSPECIFIED;
                let mut through = None;
                for attribute in &message.attributes {
                    match attribute {
                        RouteAttribute::Destination(RouteAddress::Inet(ip)) => destination = *ip,
                        RouteAttribute::Oif(index) => through = Some(*index),
                        _ => {}
                    }
                }
                Some((Cidr::containing(destination, message.header.destination_prefix_length), through))
            })
            .collect())
    }

    /// Tells the host which MAC address `ip` has now. A new task may reuse an address whose old
    /// owner the host still remembers; without this its first packets go nowhere.
    pub fn replace_neighbour(&mut self, index: u32, ip: Ipv4Addr, mac: [u8; 6]) -> io::Result<()> {
        let mut message = NeighbourMessage::default();
        message.header.family = AddressFamily::Inet;
        message.header.ifindex = index;
        message.header.state = NeighbourState::Stale;
        message.header.kind = RouteType::Unicast;
        message.attributes = vec![
            NeighbourAttribute::Destination(NeighbourAddress::Inet(ip)),
            NeighbourAttribute::LinkLayerAddress(mac.to_vec()),
        ];
        self.change(RouteNetlinkMessage::NewNeighbour(message), NLM_F_CREATE | NLM_F_REPLACE)
    }
}

/// An interface by its number or its name.
pub(super) enum Which<'a> {
    Index(u32),
    Name(&'a str),
}

impl Which<'_> {
    fn message(&self) -> LinkMessage {
        let mut link = LinkMessage::default();
        match self {
            Self::Index(index) => link.header.index = *index,
            Self::Name(name) => link.attributes.push(LinkAttribute::IfName((*name).to_owned())),
        }
        link
    }
}

fn links(messages: Vec<RouteNetlinkMessage>) -> impl Iterator<Item = Link> {
    messages.into_iter().filter_map(|message| {
        let RouteNetlinkMessage::NewLink(message) = message else { return None };
        let mut link = Link {
            index: message.header.index,
            name: String::new(),
            mtu: 1500,
            mac: None,
            peer: None,
            stats: None,
        };
        for attribute in message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => link.name = name,
                LinkAttribute::Mtu(mtu) => link.mtu = mtu,
                LinkAttribute::Address(mac) => link.mac = mac.try_into().ok(),
                LinkAttribute::Link(peer) => link.peer = Some(peer),
                LinkAttribute::Stats64(stats) => link.stats = Some(stats),
                _ => {}
            }
        }
        Some(link)
    })
}
