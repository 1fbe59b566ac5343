//! The bytes of a segment: frames, one after the other.
//!
//! A frame holds consecutive events of one `PutLogEvents`, up to [`FRAME_BYTES`] of them (or one
//! larger event). It is the unit of the checksum and of reading. A put may be several frames; only
//! the last one has [`FLAG_LAST`], so that recovery can keep a put whole or drop it whole.
//!
//! ```text
//! 0  magic "LSF1"       4  payload length     8  crc32 of everything from byte 12 to the end
//! 12 flags              16 number of events   20 ingestion time (ms)   28 first event's ordinal
//! 36 first event's time 44 last event's time  52 payload: (time i64, length u32, UTF-8 bytes)…
//! ```
//! All numbers are little endian.

/// A frame is closed when its payload reaches this. Reading one page touches whole frames.
pub(crate) const FRAME_BYTES: usize = 64 << 10;
/// No payload is larger: the largest event that a put may hold (1 MiB), and then some.
const MAX_PAYLOAD: usize = 2 << 20;
pub(crate) const HEADER: usize = 52;
const EVENT_HEADER: usize = 12;
const MAGIC: [u8; 4] = *b"LSF1";
const FLAG_LAST: u32 = 1;

/// One event, borrowed from a request or from a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event<'a> {
    pub(crate) timestamp_ms: i64,
    pub(crate) message: &'a str,
}

/// What a frame says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Bytes after the header.
    pub(crate) payload: usize,
    /// Ends its put.
    pub(crate) last: bool,
    pub(crate) count: u32,
    pub(crate) ingestion_ms: i64,
    /// The first event's number in its stream, counted from 0 over all segments.
    pub(crate) first_ordinal: u64,
    /// Events of a put are in chronological order: these two bound the frame.
    pub(crate) first_ms: i64,
    pub(crate) last_ms: i64,
}

/// The bytes at this place aren't a whole, intact frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no intact frame")]
pub(crate) struct Damaged;

impl Header {
    /// The frame's whole length.
    pub(crate) fn len(&self) -> usize {
        HEADER + self.payload
    }

    /// Reads a header; whether the payload is intact is for [`check`] to say.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Header, Damaged> {
        let header: &[u8; HEADER] = bytes.first_chunk().ok_or(Damaged)?;
        if header[..4] != MAGIC {
            return Err(Damaged);
        }
        let u32_at = |at: usize| u32::from_le_bytes(array(header, at));
        let i64_at = |at: usize| i64::from_le_bytes(array(header, at));
        let payload = u32_at(4) as usize;
        let count = u32_at(16);
        if payload > MAX_PAYLOAD || count == 0 {
            return Err(Damaged);
        }
        Ok(Header {
            payload,
            last: u32_at(12) & FLAG_LAST != 0,
            count,
            ingestion_ms: i64_at(20),
            first_ordinal: u64::from_le_bytes(array(header, 28)),
            first_ms: i64_at(36),
            last_ms: i64_at(44),
        })
    }
}

fn array<const N: usize>(bytes: &[u8; HEADER], at: usize) -> [u8; N] {
    *bytes[at..].first_chunk().expect("every field lies inside the header")
}

/// The frame at the start of `bytes`, checked against its checksum.
pub(crate) fn check(bytes: &[u8]) -> Result<Header, Damaged> {
    let header = Header::parse(bytes)?;
    let frame = bytes.get(..header.len()).ok_or(Damaged)?;
    let stored = u32::from_le_bytes(*frame[8..].first_chunk().ok_or(Damaged)?);
    if crc32fast::hash(&frame[12..]) != stored {
        return Err(Damaged);
    }
    Ok(header)
}

/// Appends the frames of one put to `out`, and answers their headers. `events` is not empty and in
/// chronological order.
pub(crate) fn encode_put(
    out: &mut Vec<u8>,
    events: &[Event<'_>],
    ingestion_ms: i64,
    first_ordinal: u64,
) -> Vec<Header> {
    let mut headers = Vec::new();
    let mut rest = events;
    let mut ordinal = first_ordinal;
    while !rest.is_empty() {
        let taken = frame_of(rest);
        let (frame, after) = rest.split_at(taken);
        headers.push(encode_frame(out, frame, ingestion_ms, ordinal, after.is_empty()));
        ordinal += taken as u64;
        rest = after;
    }
    headers
}

/// How many of the events go into the next frame: at least one.
fn frame_of(events: &[Event<'_>]) -> usize {
    let mut bytes = 0;
    for (index, event) in events.iter().enumerate() {
        bytes += EVENT_HEADER + event.message.len();
        if bytes > FRAME_BYTES && index > 0 {
            return index;
        }
    }
    events.len()
}

fn encode_frame(
    out: &mut Vec<u8>,
    events: &[Event<'_>],
    ingestion_ms: i64,
    first_ordinal: u64,
    last: bool,
) -> Header {
    let payload = events.iter().map(|event| EVENT_HEADER + event.message.len()).sum();
    let header = Header {
        payload,
        last,
        count: events.len() as u32,
        ingestion_ms,
        first_ordinal,
        first_ms: events.first().map_or(0, |event| event.timestamp_ms),
        last_ms: events.last().map_or(0, |event| event.timestamp_ms),
    };
    let start = out.len();
    out.reserve(header.len());
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&(payload as u32).to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&(if last { FLAG_LAST } else { 0 }).to_le_bytes());
    out.extend_from_slice(&header.count.to_le_bytes());
    out.extend_from_slice(&ingestion_ms.to_le_bytes());
    out.extend_from_slice(&first_ordinal.to_le_bytes());
    out.extend_from_slice(&header.first_ms.to_le_bytes());
    out.extend_from_slice(&header.last_ms.to_le_bytes());
    for event in events {
        out.extend_from_slice(&event.timestamp_ms.to_le_bytes());
        out.extend_from_slice(&(event.message.len() as u32).to_le_bytes());
        out.extend_from_slice(event.message.as_bytes());
    }
    let crc = crc32fast::hash(&out[start + 12..]);
    out[start + 8..start + 12].copy_from_slice(&crc.to_le_bytes());
    header
}

/// Where one event is inside the bytes that hold its frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) timestamp_ms: i64,
    pub(crate) ingestion_ms: i64,
    pub(crate) ordinal: u64,
    pub(crate) message: std::ops::Range<usize>,
}

/// The events of all frames in `bytes`, which must be whole frames and nothing else.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<Place>, Damaged> {
    let mut places = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let header = check(&bytes[at..])?;
        let end = at + header.len();
        let mut cursor = at + HEADER;
        for index in 0..u64::from(header.count) {
            let timestamp = bytes[cursor..end].first_chunk().ok_or(Damaged)?;
            let length = bytes[cursor + 8..end].first_chunk().ok_or(Damaged)?;
            let start = cursor + EVENT_HEADER;
            let stop = start + u32::from_le_bytes(*length) as usize;
            if stop > end {
                return Err(Damaged);
            }
            places.push(Place {
                timestamp_ms: i64::from_le_bytes(*timestamp),
                ingestion_ms: header.ingestion_ms,
                ordinal: header.first_ordinal + index,
                message: start..stop,
            });
            cursor = stop;
        }
        at = end;
    }
    Ok(places)
}
