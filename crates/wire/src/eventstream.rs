//! `application/vnd.amazon.eventstream`: messages with headers, checked by two CRC-32s, one after the
//! other in an HTTP body.
//!
//! ```text
//! 0 total length   4 length of the headers   8 crc32 of bytes 0..8
//! 12 headers: (name length u8, name, kind 7, value length u16, value)…   payload   crc32 of all before
//! ```
//! All numbers are big endian. Only string headers are written; AWS's services send no others here.

use std::pin::Pin;

/// The body's `content-type`.
pub const CONTENT_TYPE: &str = "application/vnd.amazon.eventstream";

const STRING: u8 = 7;

/// An answer that goes on: whole messages, until there are no more. Dropped when the client leaves.
pub trait Events: Send {
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Option<Vec<u8>>> + Send + '_>>;
}

/// The first message of an answer in AWS JSON: the members of the output beside the stream.
pub fn initial_response(payload: &[u8]) -> Vec<u8> {
    let headers = [
        (":message-type", "event"),
        (":event-type", "initial-response"),
        (":content-type", "application/x-amz-json-1.1"),
    ];
    message(&headers, payload)
}

/// A member of the stream's union, as JSON.
pub fn event(member: &str, payload: &[u8]) -> Vec<u8> {
    let headers =
        [(":message-type", "event"), (":event-type", member), (":content-type", "application/json")];
    message(&headers, payload)
}

/// An error shape of the stream's union, as JSON. Nothing follows it.
pub fn exception(member: &str, payload: &[u8]) -> Vec<u8> {
    let headers =
        [(":message-type", "exception"), (":exception-type", member), (":content-type", "application/json")];
    message(&headers, payload)
}

/// One message. Names have at most 255 bytes, values 65,535; both are cut where they have more.
pub fn message(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::new();
    for (name, value) in headers {
        let name = &name.as_bytes()[..name.len().min(usize::from(u8::MAX))];
        let value = &value.as_bytes()[..value.len().min(usize::from(u16::MAX))];
        encoded.push(name.len() as u8);
        encoded.extend(name);
        encoded.push(STRING);
        encoded.extend((value.len() as u16).to_be_bytes());
        encoded.extend(value);
    }
    let total = 12 + encoded.len() + payload.len() + 4;
    let mut out = Vec::with_capacity(total);
    out.extend((total as u32).to_be_bytes());
    out.extend((encoded.len() as u32).to_be_bytes());
    out.extend(crc32fast::hash(&out).to_be_bytes());
    out.extend(encoded);
    out.extend(payload);
    out.extend(crc32fast::hash(&out).to_be_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages that botocore's decoder is tested with.
    #[test]
    fn messages_are_those_that_botocore_reads() {
        assert_eq!(message(&[], b""), b"\x00\x00\x00\x10\x00\x00\x00\x00\x05\xc2H\xeb}\x98\xc8\xff");
        assert_eq!(
            message(&[], b"{'foo':'bar'}"),
            b"\x00\x00\x00\x1d\x00\x00\x00\x00\xfdR\x8cZ{'foo':'bar'}\xc3e96"
        );
        let one = message(&[("content-type", "application/json")], b"{'foo':'bar'}");
        let expected =
            b"\x00\x00\x00=\x00\x00\x00 \x07\xfd\x83\x96\x0ccontent-type\x07\x00\x10application/json\
            {'foo':'bar'}\x8d\x9c\x08\xb1";
        assert_eq!(one, expected);
    }

    #[test]
    fn an_event_names_its_member() {
        let text = String::from_utf8_lossy(&event("sessionUpdate", b"{}")).into_owned();
        assert!(text.contains(":event-type\u{7}\0\rsessionUpdate"), "{text:?}");
        let text = String::from_utf8_lossy(&exception("SessionTimeoutException", b"{}")).into_owned();
        assert!(text.contains(":exception-type\u{7}\0\u{17}SessionTimeoutException"), "{text:?}");
        assert!(String::from_utf8_lossy(&initial_response(b"{}")).contains("initial-response"));
    }
}
