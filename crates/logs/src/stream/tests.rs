use std::fs;
use std::path::{Path, PathBuf};

use super::{Options, Quiet, Segments, StreamId};
use crate::error::LogsError;
use crate::segment::frame::Event;

/// The last segment stays as it is.
const NEVER: Quiet = Quiet { bytes: u64::MAX, ms: 0 };
const STREAM: StreamId = StreamId { group: 1, stream: 2 };

fn options(root: &Path) -> Options {
    Options { root: root.to_owned(), segment_bytes: 64 << 20, open_files: 8, quiet: NEVER }
}

fn open(options: Options) -> Segments {
    Segments::open(options, |_| true).unwrap()
}

/// Appends one durable event.
async fn put(segments: &Segments, id: StreamId, time: i64, message: &str) {
    let event = Event { timestamp_ms: time, message };
    segments.append(id, &[event], time).unwrap().durable().await.unwrap();
}

fn files(root: &Path) -> Vec<PathBuf> {
    let groups = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<_> =
        groups.flat_map(|group| fs::read_dir(group).unwrap().map(|entry| entry.unwrap().path())).collect();
    all.retain(|path| path.extension().is_some_and(|extension| extension == "seg"));
    all.sort();
    all
}

#[tokio::test]
async fn a_cut_off_segment_is_continued_behind_its_last_whole_put() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let segments = open(options(root));
    let mut lengths = Vec::new();
    for time in 1..=3 {
        put(&segments, STREAM, time, "a line").await;
        lengths.push(fs::metadata(&files(root)[0]).unwrap().len());
    }
    drop(segments);
    for cut in (0..=lengths[2]).rev() {
        let file = fs::OpenOptions::new().write(true).open(&files(root)[0]).unwrap();
        file.set_len(cut).unwrap();
        let segments = open(options(root));
        let whole = lengths.iter().filter(|len| **len <= cut).count() as u64;
        assert_eq!(segments.summary(STREAM).unwrap().next_ordinal, whole);
        assert_eq!(
            fs::metadata(&files(root)[0]).unwrap().len(),
            lengths[..whole as usize].last().copied().unwrap_or(0)
        );
    }
    let segments = open(options(root));
    put(&segments, STREAM, 9, "after").await;
    assert_eq!(segments.summary(STREAM).unwrap().bounds_ms, Some((9, 9)));
}

#[tokio::test]
async fn concurrent_puts_are_all_durable_and_numbered_once() {
    let directory = tempfile::tempdir().unwrap();
    let segments = open(options(directory.path()));
    let puts: Vec<_> = (0..200)
        .map(|time| segments.append(STREAM, &[Event { timestamp_ms: time, message: "x" }], 0).unwrap())
        .collect();
    for put in puts {
        put.durable().await.unwrap();
    }
    assert_eq!(segments.summary(STREAM).unwrap().next_ordinal, 200);
    drop(segments);
    let segments = open(options(directory.path()));
    assert_eq!(segments.summary(STREAM).unwrap().bounds_ms, Some((0, 199)));
}

#[tokio::test]
async fn segments_roll_and_handles_stay_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let segments = open(Options { segment_bytes: 500, ..options(directory.path()) });
    for time in 0..20 {
        for stream in 0..10 {
            put(&segments, StreamId { group: 1, stream }, time, &"x".repeat(100)).await;
            assert!(segments.open_files() <= 8);
        }
    }
    assert!(files(directory.path()).len() >= 50);
    drop(segments);
    let segments = open(options(directory.path()));
    for stream in 0..10 {
        let summary = segments.summary(StreamId { group: 1, stream }).unwrap();
        assert_eq!((summary.next_ordinal, summary.bounds_ms), (20, Some((0, 19))));
    }
}

#[tokio::test]
async fn a_full_segment_is_found_by_its_saved_index_or_by_reading_it() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { segment_bytes: 150, ..options(directory.path()) };
    let segments = open(options.clone());
    for time in 0..6 {
        put(&segments, STREAM, time, &"x".repeat(100)).await;
    }
    drop(segments);
    let segment = files(directory.path())[0].clone();
    let saved = segment.with_extension("idx");
    let read = |segments: &Segments| {
        let spans = segments.spans(&[STREAM], 0, 9).unwrap();
        spans.iter().map(|span| segments.read(span).unwrap().unwrap()).collect::<Vec<_>>()
    };
    let expected = read(&open(options.clone()));
    assert_eq!(expected.len(), 6);
    for damage in [b"torn".to_vec(), fs::read(&saved).unwrap()[..9].to_vec()] {
        fs::write(&saved, damage).unwrap();
        assert_eq!(read(&open(options.clone())), expected);
    }
    fs::remove_file(&saved).unwrap();
    assert_eq!(read(&open(options)), expected);
}

/// A stream whose last sync is being wound up, a moment after its put was answered, is left for the next sweep.
async fn expire(segments: &Segments, before_ms: i64) -> usize {
    loop {
        match segments.expire(STREAM, before_ms).unwrap() {
            0 => tokio::time::sleep(std::time::Duration::from_millis(1)).await,
            removed => return removed,
        }
    }
}

#[tokio::test]
async fn only_segments_that_are_wholly_old_expire() {
    let directory = tempfile::tempdir().unwrap();
    let segments = open(Options { segment_bytes: 150, ..options(directory.path()) });
    for time in 0..10 {
        put(&segments, STREAM, time, &"x".repeat(100)).await;
    }
    let before = files(directory.path()).len();
    let removed = expire(&segments, 5).await;
    assert_eq!(files(directory.path()).len(), before - removed);
    assert!(segments.summary(STREAM).unwrap().bounds_ms.unwrap().0 <= 5);
    // Everything is old: the next put starts a new segment.
    expire(&segments, 100).await;
    assert!(files(directory.path()).is_empty());
    put(&segments, STREAM, 200, "new").await;
    let summary = segments.summary(STREAM).unwrap();
    assert_eq!((summary.next_ordinal, summary.bounds_ms), (11, Some((200, 200))));
}

#[tokio::test]
async fn a_deleted_stream_is_not_made_again_by_a_late_put() {
    let directory = tempfile::tempdir().unwrap();
    let segments = open(options(directory.path()));
    put(&segments, STREAM, 1, "x").await;
    segments.remove(&[STREAM]).unwrap();
    assert!(files(directory.path()).is_empty());
    let late = segments.append(STREAM, &[Event { timestamp_ms: 2, message: "x" }], 2);
    assert!(matches!(late, Err(LogsError::StreamGone)));
    segments.remove_group(1).unwrap();
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn files_without_metadata_are_removed_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let segments = open(options(directory.path()));
    let other = StreamId { group: 7, stream: 8 };
    put(&segments, STREAM, 1, "x").await;
    put(&segments, other, 1, "x").await;
    drop(segments);
    let segments = Segments::open(options(directory.path()), |id| id == other).unwrap();
    assert_eq!(files(directory.path()).len(), 1);
    assert_eq!(segments.summary(other).unwrap().next_ordinal, 1);
    assert_eq!(segments.summary(STREAM).unwrap().next_ordinal, 0);
}

#[tokio::test]
async fn a_crash_anywhere_in_packing_leaves_every_event_once() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let options = Options { segment_bytes: 150, ..options(root) };
    let segments = open(options.clone());
    for time in 0..6 {
        put(&segments, STREAM, time, &"x".repeat(100)).await;
    }
    drop(segments);
    let read = |options: &Options| {
        let segments = open(options.clone());
        let spans = segments.spans(&[STREAM], 0, 9).unwrap();
        let bytes: Vec<_> = spans.iter().map(|span| segments.read(span).unwrap().unwrap()).collect();
        (bytes, segments.summary(STREAM).unwrap())
    };
    let expected = read(&options);
    let plain: Vec<_> = files(root).iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    let segments = open(options.clone());
    assert_eq!(segments.pack(9).unwrap(), plain.len() - 1);
    drop(segments);
    assert_eq!(read(&options), expected);
    assert_eq!(files(root).len(), 1);

    // What each moment of packing the first segment leaves behind.
    let (path, bytes) = &plain[0];
    let packed = path.with_extension("segz");
    let whole = fs::read(&packed).unwrap();
    let unfinished = path.with_extension("tmp");
    for cut in (0..whole.len()).step_by(7) {
        fs::remove_file(&packed).unwrap();
        fs::write(path, bytes).unwrap();
        fs::write(&unfinished, &whole[..cut]).unwrap();
        assert_eq!(read(&options), expected);
        assert!(!unfinished.exists() && path.exists());
        // A file system that kept the name and lost the bytes.
        fs::write(&packed, &whole[..cut]).unwrap();
        assert_eq!(read(&options), expected);
        assert!(!packed.exists() && path.exists());
        // Packed, and not yet removed.
        fs::write(&packed, &whole).unwrap();
        assert_eq!(read(&options), expected);
        assert!(packed.exists() && !path.exists());
    }
}

#[tokio::test]
async fn a_quiet_segment_is_packed_and_what_follows_begins_another() {
    let directory = tempfile::tempdir().unwrap();
    let quiet = Quiet { bytes: 50, ms: 10 };
    let segments = open(Options { quiet, ..options(directory.path()) });
    put(&segments, STREAM, 1, &"a line ".repeat(50)).await;
    let spans = segments.spans(&[STREAM], 0, 9).unwrap();
    let before = segments.read(&spans[0]).unwrap();
    assert_eq!(segments.pack(10).unwrap(), 0, "not quiet long enough");
    // The syncer may still be winding up.
    while segments.pack(11).unwrap() == 0 {
        tokio::task::yield_now().await;
    }
    assert!(files(directory.path()).is_empty());
    assert!(segments.bytes([STREAM]) < 300);
    // A reader that knew the plain file finds the events in the packed one.
    assert_eq!(segments.read(&spans[0]).unwrap(), before);
    put(&segments, STREAM, 2, "more").await;
    assert_eq!(files(directory.path()).len(), 1);
    drop(segments);
    let segments = open(Options { quiet, ..options(directory.path()) });
    let summary = segments.summary(STREAM).unwrap();
    assert_eq!((summary.next_ordinal, summary.bounds_ms), (2, Some((1, 2))));
    segments.remove(&[STREAM]).unwrap();
    segments.remove_group(1).unwrap();
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}
