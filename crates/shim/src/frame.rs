//! ttrpc's framing (containerd/ttrpc, `PROTOCOL.md`): a ten-byte header, then a payload.
//! Pure: bytes in, frames out. Nothing that a peer sends may panic here or make us hold more than one payload.

/// Length of the header, in bytes: length u32, stream id u32, type u8, flags u8, all big-endian.
pub const HEADER: usize = 10;
/// Longest payload that either side may send, in bytes.
pub const MAX_PAYLOAD: usize = 4 << 20;
/// Type of a request.
pub const REQUEST: u8 = 1;
/// Type of a response.
pub const RESPONSE: u8 = 2;

/// What came in.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A whole message.
    Frame { stream: u32, kind: u8, payload: Vec<u8> },
    /// A message longer than [`MAX_PAYLOAD`] was announced; its bytes will be passed over.
    Oversized { stream: u32, kind: u8, length: usize },
}

/// Cuts a byte stream into frames, however it arrives.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    /// Bytes of an oversized payload that are still to come.
    skip: usize,
}

impl Decoder {
    /// Takes the bytes that were read.
    pub fn push(&mut self, mut bytes: &[u8]) {
        let passed = self.skip.min(bytes.len());
        self.skip -= passed;
        bytes = &bytes[passed..];
        self.buffer.extend_from_slice(bytes);
    }

    /// The next message, if it is complete.
    pub fn next_message(&mut self) -> Option<Incoming> {
        let header = self.buffer.first_chunk::<HEADER>()?;
        let length = u32::from_be_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let stream = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
        let kind = header[8];
        if length > MAX_PAYLOAD {
            let have = (self.buffer.len() - HEADER).min(length);
            self.buffer.drain(..HEADER + have);
            self.skip = length - have;
            return Some(Incoming::Oversized { stream, kind, length });
        }
        let end = HEADER + length;
        if self.buffer.len() < end {
            return None;
        }
        let payload = self.buffer[HEADER..end].to_vec();
        self.buffer.drain(..end);
        if self.buffer.is_empty() {
            // A shim lives for months beside its container: give the buffer back between calls.
            self.buffer = Vec::new();
        }
        Some(Incoming::Frame { stream, kind, payload })
    }
}

/// A frame's bytes. The payload must not exceed [`MAX_PAYLOAD`]; ours are a few hundred bytes.
pub fn encode(stream: u32, kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + payload.len());
    bytes.extend_from_slice(&(payload.len() as u32).to_be_bytes());
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(&[kind, 0]);
    bytes.extend_from_slice(payload);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn drain(decoder: &mut Decoder) -> Vec<Incoming> {
        std::iter::from_fn(|| decoder.next_message()).collect()
    }

    proptest! {
        /// However the stream is cut, the same frames come out.
        #[test]
        fn cuts_do_not_matter(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..8),
            cuts in prop::collection::vec(1usize..50, 1..40),
        ) {
            let mut bytes = Vec::new();
            for (i, payload) in payloads.iter().enumerate() {
                bytes.extend(encode(2 * i as u32 + 1, REQUEST, payload));
            }
            let mut decoder = Decoder::default();
            let mut got = Vec::new();
            let mut rest = bytes.as_slice();
            let mut cut = cuts.iter().cycle();
            while !rest.is_empty() {
                let n = (*cut.next().unwrap()).min(rest.len());
                decoder.push(&rest[..n]);
                got.extend(drain(&mut decoder));
                rest = &rest[n..];
            }
            let want: Vec<_> = payloads.into_iter().enumerate()
                .map(|(i, payload)| Incoming::Frame { stream: 2 * i as u32 + 1, kind: REQUEST, payload })
                .collect();
            prop_assert_eq!(got, want);
            prop_assert!(decoder.buffer.is_empty());
        }

        /// Noise gives frames or nothing; never a panic, never more than what came held back.
        #[test]
        fn noise_is_survived(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..30)) {
            let mut decoder = Decoder::default();
            for chunk in &chunks {
                decoder.push(chunk);
                drain(&mut decoder);
                prop_assert!(decoder.buffer.len() <= HEADER + MAX_PAYLOAD);
            }
        }

        /// After an oversized message the next one is read as if nothing had been.
        #[test]
        fn oversized_is_passed_over(over in 1usize..5000, step in 1usize..100_000) {
            let length = MAX_PAYLOAD + over;
            let mut bytes = (length as u32).to_be_bytes().to_vec();
            bytes.extend([0, 0, 0, 7, REQUEST, 0]);
            bytes.resize(HEADER + length, 0xAA);
            bytes.extend(encode(9, REQUEST, b"next"));
            let mut decoder = Decoder::default();
            let mut got = Vec::new();
            for chunk in bytes.chunks(step) {
                decoder.push(chunk);
                got.extend(drain(&mut decoder));
                prop_assert!(decoder.buffer.len() <= HEADER + step);
            }
            prop_assert_eq!(got, vec![
                Incoming::Oversized { stream: 7, kind: REQUEST, length },
                Incoming::Frame { stream: 9, kind: REQUEST, payload: b"next".to_vec() },
            ]);
        }
    }
}
