use proptest::prelude::*;

use super::frame::{self, Event, FRAME_BYTES, HEADER};
use super::index::Index;
use super::recover::scan;

/// Puts as (times' steps, message length) lists.
fn puts() -> impl Strategy<Value = Vec<Vec<(i64, usize)>>> {
    let event = (0..50i64, 0..40usize);
    proptest::collection::vec(proptest::collection::vec(event, 1..6), 1..6)
}

/// The bytes of the puts, and where each put ends with how many events.
fn encode(puts: &[Vec<(i64, usize)>], first_ordinal: u64) -> (Vec<u8>, Vec<(usize, u64)>) {
    let mut bytes = Vec::new();
    let mut ends = Vec::new();
    let mut ordinal = first_ordinal;
    for (number, put) in puts.iter().enumerate() {
        let mut time = 1_000;
        let messages: Vec<_> = put.iter().map(|(_, length)| "é".repeat(*length)).collect();
        let events: Vec<_> = put
            .iter()
            .zip(&messages)
            .map(|((step, _), message)| {
                time += step;
                Event { timestamp_ms: time, message }
            })
            .collect();
        frame::encode_put(&mut bytes, &events, number as i64, ordinal);
        ordinal += put.len() as u64;
        ends.push((bytes.len(), ordinal));
    }
    (bytes, ends)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn cut_anywhere_exactly_the_whole_puts_are_left(puts in puts(), first in 0..1_000u64) {
        let (bytes, ends) = encode(&puts, first);
        for cut in 0..=bytes.len() {
            let index = scan(&bytes[..cut], first).unwrap();
            let whole = ends.iter().rev().find(|(end, _)| *end <= cut).copied();
            let (end, next) = whole.unwrap_or((0, first));
            prop_assert_eq!((index.end(), index.next_ordinal()), (end as u64, next));
        }
    }

    #[test]
    fn a_flipped_bit_ends_the_segment_before_its_put(
        puts in puts(), at in any::<prop::sample::Index>(), bit in 0..8u8,
    ) {
        let (mut bytes, ends) = encode(&puts, 7);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let index = scan(&bytes[..], 7).unwrap();
        let before = ends.iter().rev().find(|(end, _)| *end <= at).map_or(0, |(end, _)| *end);
        prop_assert_eq!(index.end(), before as u64);
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut framed = b"LSF1".to_vec();
        framed.extend(&bytes);
        prop_assert_eq!(scan(&bytes[..], 0).unwrap().end(), 0);
        prop_assert_eq!(scan(&framed[..], 0).unwrap().end(), 0);
        prop_assert!(bytes.is_empty() || frame::decode(&bytes).is_err());
    }

    #[test]
    fn decoding_gives_back_every_event(puts in puts()) {
        let (bytes, ends) = encode(&puts, 3);
        let places = frame::decode(&bytes).unwrap();
        let ordinals: Vec<_> = places.iter().map(|place| place.ordinal).collect();
        prop_assert_eq!(ordinals, (3..ends.last().unwrap().1).collect::<Vec<_>>());
        let lengths: Vec<_> = places.iter().map(|place| place.message.len()).collect();
        prop_assert_eq!(lengths, puts.iter().flatten().map(|(_, n)| n * 2).collect::<Vec<_>>());
    }
}

#[test]
fn a_put_of_several_frames_is_kept_whole_or_dropped_whole() {
    let message = "x".repeat(FRAME_BYTES / 3);
    let events = vec![Event { timestamp_ms: 5, message: &message }; 10];
    let mut bytes = Vec::new();
    let headers = frame::encode_put(&mut bytes, &events, 9, 0);
    assert!(headers.len() > 3);
    assert!(headers.iter().all(|header| header.len() <= FRAME_BYTES + HEADER));
    for cut in [bytes.len() - 1, headers[0].len(), headers[0].len() + headers[1].len()] {
        assert_eq!(scan(&bytes[..cut], 0).unwrap(), Index::new(0));
    }
    assert_eq!(scan(&bytes[..], 0).unwrap().next_ordinal(), 10);
}

#[test]
fn the_index_grows_with_the_bytes_and_not_with_the_puts() {
    let (mut index, mut bytes) = (Index::new(0), Vec::new());
    for ordinal in 0..10_000u64 {
        bytes.clear();
        let event = Event { timestamp_ms: ordinal as i64, message: "one short line" };
        frame::encode_put(&mut bytes, &[event], 1, ordinal).iter().for_each(|h| index.push(h));
    }
    assert!(index.spans().len() as u64 <= index.end() / (FRAME_BYTES as u64 / 2));
    let spans = index.spans();
    assert!(spans.windows(2).all(|w| w[0].offset + u64::from(w[0].len) == w[1].offset));
    assert!(spans.windows(2).all(|w| w[0].max_ms < w[1].min_ms));
    assert_eq!(index.bounds_ms(), Some((0, 9_999)));

    let saved = index.encode();
    assert_eq!(Index::decode(&saved), Some(index));
    assert!((0..saved.len()).all(|cut| Index::decode(&saved[..cut]).is_none()));
    assert_eq!(Index::decode(&Index::new(0).encode()), Some(Index::new(0)));
}

/// A segment's bytes, its index, and the same packed.
fn packed(puts: &[Vec<(i64, usize)>]) -> (Vec<u8>, Index, Vec<u8>) {
    let (plain, _) = encode(puts, 4);
    let index = scan(&plain[..], 4).unwrap();
    let mut out = Vec::new();
    let read = |span: &super::index::Span| Ok(plain[span.offset as usize..][..span.len as usize].to_vec());
    let blocks = super::packed::pack(&index, read, &mut out).unwrap();
    assert_eq!(blocks.file_len(), out.len() as u64);
    (plain, index, out)
}

fn open_packed(bytes: &[u8]) -> Option<(Index, super::packed::Blocks)> {
    let read_at = |at: u64, len: usize| Ok(bytes[at as usize..][..len].to_vec());
    super::packed::open(bytes.len() as u64, read_at).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_packed_segment_gives_back_every_span(puts in puts(), long in 0..3usize) {
        let mut puts = puts;
        // Long messages make several spans.
        puts.extend(std::iter::repeat_n(vec![(1, 30_000)], long * 3));
        let (plain, index, file) = packed(&puts);
        let (read, blocks) = open_packed(&file).unwrap();
        prop_assert_eq!(&read, &index);
        for (position, span) in index.spans().iter().enumerate() {
            let (at, len) = blocks.block(position).unwrap();
            let block = &file[at as usize..][..len as usize];
            let unpacked = super::packed::unpack(block, span.len).unwrap();
            prop_assert_eq!(&unpacked[..], &plain[span.offset as usize..][..span.len as usize]);
        }
        prop_assert_eq!(blocks.block(index.spans().len()), None);
    }

    #[test]
    fn a_packed_segment_that_is_cut_or_flipped_behind_its_blocks_is_not_whole(
        puts in puts(), at in any::<prop::sample::Index>(), bit in 0..8u8,
    ) {
        let (_, index, file) = packed(&puts);
        for cut in 0..file.len() {
            prop_assert!(open_packed(&file[..cut]).is_none());
        }
        let (_, blocks) = open_packed(&file).unwrap();
        let (from, len) = blocks.block(index.spans().len() - 1).unwrap();
        let behind = from as usize + len as usize;
        let mut flipped = file.clone();
        flipped[behind + at.index(file.len() - behind)] ^= 1 << bit;
        prop_assert!(open_packed(&flipped).is_none());
    }
}
