//! Sends batches and reads listings.

use std::io;

use rtnetlink::sys::protocols::NETLINK_NETFILTER;

use super::message::{Message, parse};
use crate::network::netlink::{Answer, Netlink};

/// An nf_tables socket in the namespace that the opening thread was in.
#[derive(Debug)]
pub(in crate::network) struct Nft(Netlink);

impl Nft {
    pub fn open() -> io::Result<Self> {
        Netlink::open(NETLINK_NETFILTER).map(Self)
    }

    /// Applies all of `batch`, or nothing of it.
    pub fn apply(&mut self, batch: &[Message]) -> io::Result<()> {
        let Some((last, before)) = batch.split_last() else { return Ok(()) };
        let mut bytes = Vec::new();
        let first = self.0.next_sequence();
        Message::mark(libc::NFNL_MSG_BATCH_BEGIN).write(first, 0, &mut bytes);
        for message in before {
            let sequence = self.0.next_sequence();
            message.write(sequence, 0, &mut bytes);
        }
        let acknowledged = self.0.next_sequence();
        last.write(acknowledged, libc::NLM_F_ACK, &mut bytes);
        let end = self.0.next_sequence();
        Message::mark(libc::NFNL_MSG_BATCH_END).write(end, 0, &mut bytes);
        self.0.exchange(&bytes, first, acknowledged).map(drop)
    }

    /// Every object that `ask` matches.
    pub(super) fn dump(&mut self, ask: &Message) -> io::Result<Vec<Answer>> {
        let sequence = self.0.next_sequence();
        let mut bytes = Vec::new();
        ask.write(sequence, libc::NLM_F_DUMP, &mut bytes);
        let answers = self.0.exchange(&bytes, sequence, sequence)?;
        Ok(answers.into_iter().filter(|answer| parse(answer.body()).is_some()).collect())
    }
}
