//! One client's connection: requests in, answers out, neither ever waited for.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use containerd_shim_protos::protobuf::{EnumOrUnknown, Message, MessageField};
use containerd_shim_protos::ttrpc::{Code, Request, Response, Status};

use crate::fault::{Answer, Fault};
use crate::frame::{self, Decoder, Incoming};

/// Answers kept for a client that doesn't read them, in bytes; then it is dropped.
const UNREAD_MAX: usize = 1 << 20;

/// A client's connection.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
    decoder: Decoder,
    out: Vec<u8>,
}

/// A request, still encoded, and the stream to answer on.
#[derive(Debug)]
pub struct Asked {
    pub stream: u32,
    /// The request, or why it isn't one.
    pub request: Answer<Request>,
}

impl Connection {
    /// `stream` must be non-blocking.
    pub fn new(stream: UnixStream) -> Self {
        Self { stream, decoder: Decoder::default(), out: Vec::new() }
    }

    /// The descriptor to watch, and whether for writing too.
    pub fn watch(&self) -> (BorrowedFd<'_>, bool) {
        (self.stream.as_fd(), !self.out.is_empty())
    }

    /// Reads what there is. False when the client is gone.
    pub fn read(&mut self) -> bool {
        let mut chunk = [0; 4096];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => return false,
                // One client must not keep the others waiting: the rest at the next turn.
                Ok(n) => {
                    self.decoder.push(&chunk[..n]);
                    return true;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
    }

    /// The next complete request.
    pub fn next_request(&mut self) -> Option<Asked> {
        loop {
            match self.decoder.next_message()? {
                Incoming::Frame { stream, kind: frame::REQUEST, payload } => {
                    let request = Request::parse_from_bytes(&payload)
                        .map_err(|error| Fault::invalid(format!("the request can't be decoded: {error}")));
                    return Some(Asked { stream, request });
                }
                Incoming::Oversized { stream, kind: frame::REQUEST, length } => {
                    let message = format!(
                        "a message of {length} bytes exceeds the limit of {} bytes",
                        frame::MAX_PAYLOAD
                    );
                    let request = Err(Fault { code: Code::RESOURCE_EXHAUSTED, message });
                    return Some(Asked { stream, request });
                }
                // Streams of data have no place in this service.
                _ => {}
            }
        }
    }

    /// Queues an answer and writes what can be written. False when the client is gone or never reads.
    pub fn answer(&mut self, stream: u32, answer: Answer<Vec<u8>>) -> bool {
        let mut response = Response::new();
        match answer {
            Ok(payload) => response.payload = payload,
            Err(fault) => {
                let mut status = Status::new();
                status.code = EnumOrUnknown::new(fault.code);
                status.message = fault.message;
                response.status = MessageField::some(status);
            }
        }
        let payload = response.write_to_bytes().unwrap_or_default();
        self.out.extend(frame::encode(stream, frame::RESPONSE, &payload));
        self.write() && self.out.len() <= UNREAD_MAX
    }

    /// Writes what can be written. False when the client is gone.
    pub fn write(&mut self) -> bool {
        while !self.out.is_empty() {
            match self.stream.write(&self.out) {
                Ok(0) => return false,
                Ok(n) => drop(self.out.drain(..n)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
        self.out = Vec::new();
        true
    }
}
