//! Events to containerd, over its ttrpc events service, when it said where that is.
//!
//! A dead daemon must never stop a container: the socket is never waited for, what can't be sent is kept up to a
//! bound, and each event leaves the queue only when the daemon has answered it.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::SystemTime;

use containerd_shim_protos::protobuf::well_known_types::any::Any;
use containerd_shim_protos::protobuf::{Message, MessageDyn, MessageField, SpecialFields};
use containerd_shim_protos::shim::event::Envelope;
use containerd_shim_protos::shim::events::ForwardRequest;
use containerd_shim_protos::ttrpc::Request;

use crate::frame::{self, Decoder, Incoming};

/// Environment variable that containerd sets: the socket of its ttrpc services.
pub const ADDRESS: &str = "TTRPC_ADDRESS";
/// Events kept while the daemon is away; older ones are dropped first.
const KEPT: usize = 128;

/// Sends events in order.
#[derive(Debug)]
pub struct Publisher {
    address: Option<PathBuf>,
    namespace: String,
    link: Option<Link>,
    /// Encoded requests. Those before `Link::sent` are on their way.
    queue: VecDeque<Vec<u8>>,
}

#[derive(Debug)]
struct Link {
    stream: UnixStream,
    decoder: Decoder,
    out: Vec<u8>,
    sent: usize,
    next_stream: u32,
}

impl Publisher {
    /// A publisher to `address`; without one it publishes nothing.
    pub fn new(address: Option<PathBuf>, namespace: &str) -> Self {
        Self { address, namespace: namespace.to_owned(), link: None, queue: VecDeque::new() }
    }

    /// Queues an event and sends what can be sent.
    pub fn publish<M: Message + MessageDyn>(&mut self, topic: &str, type_name: &str, event: &M) {
        if self.address.is_none() {
            return;
        }
        let any = Any {
            type_url: type_name.into(),
            value: event.write_to_bytes().unwrap_or_default(),
            special_fields: SpecialFields::new(),
        };
        let mut envelope = Envelope::new();
        envelope.timestamp = MessageField::some(SystemTime::now().into());
        envelope.namespace = self.namespace.clone();
        envelope.topic = topic.to_owned();
        envelope.event = MessageField::some(any);
        let mut forward = ForwardRequest::new();
        forward.envelope = MessageField::some(envelope);
        let mut request = Request::new();
        request.service = "containerd.services.events.ttrpc.v1.Events".into();
        request.method = "Forward".into();
        request.payload = forward.write_to_bytes().unwrap_or_default();
        if self.queue.len() == KEPT {
            self.queue.pop_front();
            // What is on its way no longer matches the queue.
            self.link = None;
        }
        self.queue.push_back(request.write_to_bytes().unwrap_or_default());
        self.advance();
    }

    /// Whether something waits for a daemon that isn't there: call [`Publisher::advance`] again in a while.
    pub fn waiting(&self) -> bool {
        self.link.is_none() && !self.queue.is_empty()
    }

    /// The descriptor to watch, and whether for writing too.
    pub fn watch(&self) -> Option<(BorrowedFd<'_>, bool)> {
        self.link.as_ref().map(|link| (link.stream.as_fd(), !link.out.is_empty()))
    }

    /// Connects if need be, sends and takes answers, without ever waiting.
    pub fn advance(&mut self) {
        if self.link.is_none() && !self.queue.is_empty() {
            self.link = self.address.as_ref().and_then(|address| Link::connect(address));
        }
        if let Some(link) = &mut self.link
            && !link.advance(&mut self.queue)
        {
            self.link = None;
        }
    }
}

impl Link {
    fn connect(address: &std::path::Path) -> Option<Self> {
        let stream = crate::socket::connect_now(address)?;
        Some(Self { stream, decoder: Decoder::default(), out: Vec::new(), sent: 0, next_stream: 1 })
    }

    /// False when the connection is of no more use.
    fn advance(&mut self, queue: &mut VecDeque<Vec<u8>>) -> bool {
        while self.sent < queue.len() {
            self.out.extend(frame::encode(self.next_stream, frame::REQUEST, &queue[self.sent]));
            // Odd numbers are the client's.
            self.next_stream += 2;
            self.sent += 1;
        }
        while !self.out.is_empty() {
            match self.stream.write(&self.out) {
                Ok(0) => return false,
                Ok(n) => drop(self.out.drain(..n)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        let mut chunk = [0; 1024];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => return false,
                Ok(n) => self.decoder.push(&chunk[..n]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        while let Some(message) = self.decoder.next_message() {
            // Answers come in order; one that refuses an event would refuse it again.
            if matches!(message, Incoming::Frame { kind: frame::RESPONSE, .. }) && self.sent > 0 {
                queue.pop_front();
                self.sent -= 1;
            }
        }
        true
    }
}
