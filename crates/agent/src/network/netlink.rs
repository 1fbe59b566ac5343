//! A netlink socket used in turns: send one request or one batch, read until it is answered.
//!
//! Synchronous on purpose: a socket belongs to the namespace its thread was in when it was made,
//! and a request takes microseconds.

use std::io;

use rtnetlink::sys::{Socket, SocketAddr};

/// Bytes of `struct nlmsghdr`.
pub(super) const HEADER: usize = 16;

/// A peer that never answers must not hang a launch for ever. The kernel answers a netlink
/// request before `send` returns, so this only guards against our own mistakes.
const PATIENCE: libc::timeval = libc::timeval { tv_sec: 5, tv_usec: 0 };

#[derive(Debug)]
pub(super) struct Netlink {
    socket: Socket,
    sequence: u32,
}

/// One message of an answer.
pub(super) struct Answer {
    pub sequence: u32,
    pub kind: u16,
    /// The whole message, header included.
    pub bytes: Vec<u8>,
}

impl Answer {
    /// What follows the header.
    pub fn body(&self) -> &[u8] {
        &self.bytes[HEADER..]
    }
}

impl Netlink {
    /// `protocol` is `NETLINK_ROUTE` or `NETLINK_NETFILTER`; the socket stays in the calling
    /// thread's network namespace.
    pub fn open(protocol: isize) -> io::Result<Self> {
        let mut socket = Socket::new(protocol)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        nix::sys::socket::setsockopt(
            &std::os::fd::AsFd::as_fd(&borrow(&socket)),
            nix::sys::socket::sockopt::ReceiveTimeout,
            &nix::sys::time::TimeVal::from(PATIENCE),
        )?;
        Ok(Self { socket, sequence: 0 })
    }

    pub fn next_sequence(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    /// Sends `bytes`, whose last message asks for an acknowledgement (or is a dump) and carries
    /// the number `last`. Gives the answers' messages; the first error ends it.
    ///
    /// `first` is the number of the batch's first message: an error that carries it says that the
    /// whole batch was thrown away, and then nothing follows.
    pub fn exchange(&mut self, bytes: &[u8], first: u32, last: u32) -> io::Result<Vec<Answer>> {
        self.socket.send(bytes, 0)?;
        let mut answers = Vec::new();
        let mut failure: Option<io::Error> = None;
        loop {
            let (datagram, _) = self.socket.recv_from_full()?;
            for message in messages(&datagram) {
                // Left over from an exchange that was given up.
                if message.sequence.wrapping_sub(first) > last.wrapping_sub(first) {
                    continue;
                }
                match i32::from(message.kind) {
                    libc::NLMSG_DONE => return failure.map_or(Ok(answers), Err),
                    libc::NLMSG_ERROR => {
                        let code = word(message.body());
                        if code != 0 && failure.is_none() {
                            failure = Some(io::Error::from_raw_os_error(-code));
                        }
                        if message.sequence == last || (message.sequence == first && code != 0) {
                            return failure.map_or(Ok(answers), Err);
                        }
                    }
                    _ => answers.push(message),
                }
            }
        }
    }
}

fn borrow(socket: &Socket) -> std::os::fd::BorrowedFd<'_> {
    use std::os::fd::{AsRawFd, BorrowedFd};
    // SAFETY: the descriptor is open for as long as `socket` is borrowed.
    unsafe { BorrowedFd::borrow_raw(socket.as_raw_fd()) }
}

fn word(bytes: &[u8]) -> i32 {
    bytes.first_chunk::<4>().map_or(-libc::EPROTO, |word| i32::from_ne_bytes(*word))
}

/// Splits a datagram into its messages, which are padded to four bytes.
fn messages(mut datagram: &[u8]) -> Vec<Answer> {
    let mut found = Vec::new();
    while datagram.len() >= HEADER {
        let length = word(datagram) as usize;
        if length < HEADER || length > datagram.len() {
            break;
        }
        found.push(Answer {
            kind: u16::from_ne_bytes([datagram[4], datagram[5]]),
            sequence: word(&datagram[8..]) as u32,
            bytes: datagram[..length].to_vec(),
        });
        datagram = &datagram[length.next_multiple_of(4).min(datagram.len())..];
    }
    found
}
