//! Frames written byte by byte, as a task with CAP_NET_RAW can, and what a neighbour takes of them.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use agent::network::Address;

use crate::host::in_namespace;

/// Where the victim listens.
pub const PORT: u16 = 4000;

/// A datagram with `word` from `sender` in hardware and address, whoever that is, to `to`.
pub fn datagram(mac: [u8; 6], ip: Ipv4Addr, to: &Address, word: &str) -> Vec<u8> {
    let udp_length = 8 + word.len() as u16;
    let mut header = vec![0x45, 0];
    header.extend((20 + udp_length).to_be_bytes());
    header.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    header.extend(ip.octets());
    header.extend(to.ip.octets());
    let sum: u32 = header.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let sum = !(((sum & 0xffff) + (sum >> 16)) as u16);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    let mut frame = [&to.mac[..], &mac, &[8, 0], &header].concat();
    for number in [PORT, PORT, udp_length, 0] {
        frame.extend(number.to_be_bytes());
    }
    frame.extend(word.as_bytes());
    frame
}

/// "`ip` is at `mac`", sent by `from` to `to`.
pub fn arp_reply(from: [u8; 6], mac: [u8; 6], ip: Ipv4Addr, to: &Address) -> Vec<u8> {
    let mut frame = [&to.mac[..], &from, &[8, 6], &[0, 1, 8, 0, 6, 4, 0, 2], &mac].concat();
    frame.extend(ip.octets());
    frame.extend(to.mac);
    frame.extend(to.ip.octets());
    frame
}

/// Writes frames onto the task's interface as they are.
pub fn send(namespace: &Path, frames: &[Vec<u8>]) {
    in_namespace(namespace, || {
        // SAFETY: plain calls; the address lives as long as they take.
        unsafe {
            let socket = libc::socket(libc::AF_PACKET, libc::SOCK_RAW, 0);
            let mut address: libc::sockaddr_ll = std::mem::zeroed();
            address.sll_family = libc::AF_PACKET as u16;
            address.sll_ifindex = libc::if_nametoindex(c"eth0".as_ptr()) as i32;
            for frame in frames {
                let to = std::ptr::from_ref(&address).cast();
                let size = size_of_val(&address) as u32;
                let sent = libc::sendto(socket, frame.as_ptr().cast(), frame.len(), 0, to, size);
                if sent < 0 {
                    return Err(io::Error::last_os_error());
                }
            }
            libc::close(socket);
        }
        Ok(())
    })
    .expect("sent");
}

pub fn listener(namespace: &Path, port: u16) -> UdpSocket {
    let socket = in_namespace(namespace, || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))).expect("bound");
    socket.set_read_timeout(Some(Duration::from_secs(10))).expect("set");
    socket
}

/// What arrives up to the word `last`, which was sent last.
pub fn received(socket: &UdpSocket, last: &str) -> Vec<String> {
    let mut words = vec![];
    let mut buffer = [0; 100];
    while words.last().is_none_or(|word| word != last) {
        let length = socket.recv(&mut buffer).expect("the honest datagram arrives");
        words.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
    }
    words
}

/// The hardware address that a namespace takes `ip` to have.
pub fn known_mac(namespace: &Path, ip: Ipv4Addr) -> Option<String> {
    let table =
        in_namespace(namespace, || std::fs::read_to_string("/proc/thread-self/net/arp")).expect("read");
    let line = table.lines().find(|line| line.split_whitespace().next() == Some(&ip.to_string()))?;
    line.split_whitespace().nth(3).map(str::to_owned)
}
