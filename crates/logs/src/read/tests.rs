use std::collections::BTreeMap;

use proptest::prelude::*;

use super::merge::{Merge, Query};
use super::page::{self, Limits};
use super::position::{Direction, EventKey, Token};
use crate::segment::frame::Event;
use crate::stream::{Options, Quiet, Segments, StreamId};

/// Puts of a few streams: (stream, start time, steps between events). Times overlap at will.
fn puts() -> impl Strategy<Value = Vec<(u64, i64, Vec<i64>)>> {
    let put = (1..4u64, 0..60i64, proptest::collection::vec(0..8i64, 1..12));
    proptest::collection::vec(put, 0..16)
}

struct World {
    _directory: tempfile::TempDir,
    segments: Segments,
    events: BTreeMap<EventKey, String>,
    ordinals: BTreeMap<u64, u64>,
}

impl World {
    fn new() -> World {
        let directory = tempfile::tempdir().unwrap();
        // Small segments and large messages: many spans, so that the merge has something to do.
        let quiet = Quiet { bytes: 1, ms: 0 };
        let options =
            Options { root: directory.path().to_owned(), segment_bytes: 100_000, open_files: 2, quiet };
        let segments = Segments::open(options, |_| true).unwrap();
        World { _directory: directory, segments, events: BTreeMap::new(), ordinals: BTreeMap::new() }
    }

    fn put(&mut self, (stream, start, steps): &(u64, i64, Vec<i64>)) {
        let ordinal = self.ordinals.entry(*stream).or_default();
        let mut time = *start;
        let mut events = Vec::new();
        for step in steps {
            time += step;
            let key = EventKey { timestamp_ms: time, stream: *stream, ordinal: *ordinal };
            *ordinal += 1;
            let message = format!("{}{}", key.digits(), "x".repeat(9_000));
            self.events.insert(key, message.clone());
            events.push((time, message));
        }
        let events: Vec<_> =
            events.iter().map(|(time, message)| Event { timestamp_ms: *time, message }).collect();
        let put = self.segments.append(StreamId { group: 1, stream: *stream }, &events, 5).unwrap();
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(put.durable()).unwrap();
        // Every third put finds everything packed that can be: readers see no difference.
        if self.events.len().is_multiple_of(3) {
            self.segments.pack(i64::MAX).unwrap();
        }
    }

    fn page(&self, streams: &[u64], range: (i64, i64), way: Token, limit: i32) -> page::Page {
        let streams: Vec<_> = streams.iter().map(|stream| StreamId { group: 1, stream: *stream }).collect();
        let query = Query {
            streams: &streams,
            from_ms: range.0,
            until_ms: range.1,
            direction: way.direction,
            gap: Some(way.gap),
        };
        let mut merge = Merge::new(&self.segments, &query).unwrap();
        page::fill(&mut merge, Limits::new(Some(limit)), |_| true).unwrap()
    }
}

const START: EventKey = EventKey { timestamp_ms: 0, stream: 0, ordinal: 0 };
const END: EventKey = EventKey { timestamp_ms: i64::MAX, stream: 0, ordinal: 0 };

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn pages_are_the_sorted_events_in_both_directions(
        puts in puts(), limit in 1..20i32, from in 0..80i64, len in 0..80i64,
    ) {
        let mut world = World::new();
        puts.iter().for_each(|put| world.put(put));
        let range = (from, from + len);
        let expected: Vec<EventKey> = world.events.keys()
            .filter(|key| (range.0..=range.1).contains(&key.timestamp_ms) && key.stream != 3)
            .copied().collect();
        for direction in [Direction::Forward, Direction::Backward] {
            let forward = direction == Direction::Forward;
            let mut gap = if forward { START } else { END };
            let mut seen = Vec::new();
            loop {
                let page = world.page(&[1, 2], range, Token { direction, gap }, limit);
                prop_assert!(page.events.len() <= limit as usize);
                for found in &page.events {
                    prop_assert_eq!(found.message(), world.events[&found.key].as_str());
                    seen.push(found.key);
                }
                match page.rest {
                    Some(rest) => gap = if forward { rest } else { rest.next() },
                    None => break,
                }
            }
            if !forward {
                seen.reverse();
            }
            prop_assert_eq!(&seen, &expected);
        }
    }

    #[test]
    fn paging_forward_under_appends_sees_every_later_event_exactly_once(
        puts in puts(), limit in 1..9i32,
    ) {
        let mut world = World::new();
        let mut puts = puts;
        // Time goes on, as it does for containers: each put begins at or after the place of reading.
        puts.sort_by_key(|(_, start, _)| *start);
        let mut gap = START;
        let mut seen = Vec::new();
        let mut place = 0;
        for (stream, start, steps) in &puts {
            world.put(&(*stream, (*start).max(place), steps.clone()));
            let page = world.page(&[1, 2, 3], (0, 1000), Token { direction: Direction::Forward, gap }, limit);
            seen.extend(page.events.iter().map(|found| found.key));
            if let Some(last) = seen.last() {
                gap = last.next();
                place = last.timestamp_ms + 1;
            }
        }
        loop {
            let page = world.page(&[1, 2, 3], (0, 1000), Token { direction: Direction::Forward, gap }, 50);
            seen.extend(page.events.iter().map(|found| found.key));
            gap = seen.last().map_or(gap, |last| last.next());
            if page.rest.is_none() { break }
        }
        prop_assert_eq!(seen, world.events.keys().copied().collect::<Vec<_>>());
    }

    #[test]
    fn tokens_are_read_back(time in 0..i64::MAX / 1000, stream: u64, ordinal: u64, forward: bool) {
        let direction = if forward { Direction::Forward } else { Direction::Backward };
        let token = Token { direction, gap: EventKey { timestamp_ms: time, stream, ordinal } };
        prop_assert_eq!(token.render().parse::<Token>(), Ok(token));
        prop_assert_eq!(token.render().len(), 60);
    }

    #[test]
    fn any_other_text_is_no_token(text in "[fb]?/?[0-9]{0,60}(/s)?|\\PC{0,70}") {
        if let Ok(token) = text.parse::<Token>() {
            prop_assert_eq!(token.render(), text);
        }
    }
}

#[test]
fn a_page_ends_at_a_megabyte_but_holds_at_least_one_event() {
    let mut world = World::new();
    (0..30).for_each(|time| world.put(&(1, time, vec![0; 10])));
    let forward = Token { direction: Direction::Forward, gap: START };
    let page = world.page(&[1], (0, 100), forward, 10_000);
    let bytes: usize = page.events.iter().map(|found| found.message().len() + 26).sum();
    assert!(bytes <= 1 << 20 && bytes > (1 << 20) - 20_000);
    assert!(page.rest.is_some());
}
