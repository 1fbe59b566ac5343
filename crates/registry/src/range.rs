//! Byte ranges: those a client uploads (`Content-Range` of the OCI spec) and those it asks for (RFC 9110 §14).

use std::ops::Range;

/// The range of an uploaded chunk, `<first>-<last>`, both inclusive (OCI distribution spec, "Pushing a blob in chunks").
/// `bytes <first>-<last>/<size>`, which RFC 9110 would have, is taken too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkRange {
    pub first: u64,
    pub last: u64,
}

impl ChunkRange {
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix("bytes ").unwrap_or(text);
        let text = text.split_once('/').map_or(text, |(range, _size)| range);
        let (first, last) = text.split_once('-')?;
        let (first, last) = (number(first)?, number(last)?);
        (first <= last && last < u64::MAX).then_some(Self { first, last })
    }

    /// Bytes in the range; at least 1.
    pub fn length(self) -> u64 {
        self.last - self.first + 1
    }
}

/// What a `Range` header asks of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// No header, or one that may be ignored (another unit, several ranges, bad syntax: RFC 9110 §14.2).
    Whole,
    /// Half-open, within the body.
    Part(Range<u64>),
    /// 416.
    Unsatisfiable,
}

/// Resolves a `Range` header against a body of `size` bytes.
pub fn wanted(header: Option<&str>, size: u64) -> Wanted {
    let Some(spec) = header.and_then(|h| h.trim().strip_prefix("bytes=")) else {
        return Wanted::Whole;
    };
    let Some((first, last)) = spec.trim().split_once('-') else {
        return Wanted::Whole;
    };
    let part = |start: u64, end: u64| {
        if start < end { Wanted::Part(start..end) } else { Wanted::Unsatisfiable }
    };
    match (first.is_empty(), last.is_empty()) {
        (true, true) => Wanted::Whole,
        (true, false) => match number(last) {
            Some(suffix) => part(size.saturating_sub(suffix), size),
            None => Wanted::Whole,
        },
        (false, true) => match number(first) {
            Some(start) => part(start, size),
            None => Wanted::Whole,
        },
        (false, false) => match (number(first), number(last)) {
            (Some(start), Some(last)) if start <= last => part(start, last.saturating_add(1).min(size)),
            _ => Wanted::Whole,
        },
    }
}

fn number(s: &str) -> Option<u64> {
    // `u64::from_str` also takes a leading '+'.
    (!s.is_empty() && s.bytes().all(|b| b.is_ascii_digit())).then(|| s.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn chunks() {
        assert_eq!(ChunkRange::parse("0-9"), Some(ChunkRange { first: 0, last: 9 }));
        assert_eq!(ChunkRange::parse("bytes 10-19/100").map(ChunkRange::length), Some(10));
        for bad in ["", "-", "5", "9-0", "a-b", "+0-1", "0-", "-1", "0-18446744073709551615"] {
            assert_eq!(ChunkRange::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn asked_for() {
        assert_eq!(wanted(Some("bytes=0-0"), 10), Wanted::Part(0..1));
        assert_eq!(wanted(Some("bytes=5-"), 10), Wanted::Part(5..10));
        assert_eq!(wanted(Some("bytes=-3"), 10), Wanted::Part(7..10));
        assert_eq!(wanted(Some("bytes=-30"), 10), Wanted::Part(0..10));
        assert_eq!(wanted(Some("bytes=10-"), 10), Wanted::Unsatisfiable);
        assert_eq!(wanted(Some("bytes=-0"), 10), Wanted::Unsatisfiable);
        assert_eq!(wanted(Some("bytes=0-"), 0), Wanted::Unsatisfiable);
        for ignored in ["bytes=3-1", "bytes=0-1,3-4", "lines=0-1", "bytes=x-y", "bytes=-"] {
            assert_eq!(wanted(Some(ignored), 10), Wanted::Whole, "{ignored}");
        }
    }

    proptest! {
        #[test]
        fn a_part_is_within_the_body(header in "bytes=[0-9]{0,3}-[0-9]{0,3}", size in 0u64..500) {
            if let Wanted::Part(r) = wanted(Some(&header), size) {
                prop_assert!(r.start < r.end && r.end <= size);
            }
        }

        #[test]
        fn nothing_panics(header in any::<String>(), size: u64) {
            let _ = wanted(Some(&header), size);
            let _ = ChunkRange::parse(&header);
        }
    }
}
