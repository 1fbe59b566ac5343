//! The driver with real FIFOs and files, and a sink that can fail.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;

#[derive(Default)]
struct Service {
    group: Mutex<bool>,
    stream: Mutex<bool>,
    away: Mutex<bool>,
    /// Answers half a second after it has taken something.
    slow: bool,
    events: Mutex<Vec<String>>,
}

impl LogSink for Service {
    fn put<'a>(&'a self, _: &'a str, _: &'a str, events: Vec<LogEvent>) -> SinkFuture<'a> {
        Box::pin(async move {
            if *self.away.lock().unwrap() {
                return Err(SinkError::Later { message: "connection refused".into() });
            }
            if !*self.stream.lock().unwrap() {
                return Err(SinkError::NotFound { message: "no stream".into() });
            }
            assert!(events.windows(2).all(|w| w[0].at_ms <= w[1].at_ms));
            self.events.lock().unwrap().extend(events.into_iter().map(|e| e.message));
            if self.slow {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            Ok(())
        })
    }
    fn create_stream<'a>(&'a self, _: &'a str, _: &'a str) -> SinkFuture<'a> {
        Box::pin(async move {
            if !*self.group.lock().unwrap() {
                return Err(SinkError::NotFound { message: "no group".into() });
            }
            *self.stream.lock().unwrap() = true;
            Ok(())
        })
    }
    fn create_group<'a>(&'a self, _: &'a str) -> SinkFuture<'a> {
        Box::pin(async move {
            *self.group.lock().unwrap() = true;
            Ok(())
        })
    }
}

fn target() -> AwsLogs {
    AwsLogs { group: "g".into(), stream: "s".into(), region: None, create_group: true, mode: Mode::Blocking }
}

fn writer(dir: &std::path::Path) -> std::fs::File {
    let [out, _] = ContainerLogs::fifos(dir);
    std::fs::OpenOptions::new().read(true).write(true).open(out).unwrap()
}

const FOR_EVER: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_arrives_whole_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let service = Arc::new(Service::default());
    let logs = ContainerLogs::start(dir.path(), target(), service.clone()).unwrap();
    let mut out = writer(dir.path());
    let lines = 100_000;
    let held = out.try_clone().unwrap();
    tokio::task::spawn_blocking(move || {
        for i in 0..lines {
            out.write_all(format!("line {i}\n").as_bytes()).unwrap();
        }
        out.write_all(b"no newline").unwrap();
    })
    .await
    .unwrap();
    assert!(logs.finish(FOR_EVER).await);
    drop(held);
    let events = service.events.lock().unwrap();
    assert_eq!(events.len(), lines + 1);
    assert!(events[..lines].iter().enumerate().all(|(i, e)| *e == format!("line {i}")));
    assert_eq!(events[lines], "no newline");
}

#[tokio::test]
async fn what_a_runtime_still_copies_after_the_end_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let service = Arc::new(Service::default());
    let logs = ContainerLogs::start(dir.path(), target(), service.clone()).unwrap();
    logs.expect_copies();
    let mut out = writer(dir.path());
    out.write_all(b"in time\n").unwrap();
    let copying = tokio::task::spawn_blocking(move || {
        std::thread::sleep(Duration::from_millis(100));
        out.write_all(b"late\n").unwrap();
    });
    assert!(logs.finish(FOR_EVER).await);
    copying.await.unwrap();
    assert_eq!(*service.events.lock().unwrap(), ["in time", "late"]);
}

#[tokio::test]
async fn a_runtime_that_never_closes_is_not_waited_for_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let service = Arc::new(Service::default());
    let logs = ContainerLogs::start(dir.path(), target(), service.clone()).unwrap();
    logs.expect_copies();
    let mut out = writer(dir.path());
    out.write_all(b"one\n").unwrap();
    assert!(logs.finish(FOR_EVER).await);
    drop(out);
    assert_eq!(*service.events.lock().unwrap(), ["one"]);
}

#[tokio::test]
async fn nothing_is_lost_while_the_service_and_the_agent_are_away() {
    let dir = tempfile::tempdir().unwrap();
    let service = Arc::new(Service::default());
    *service.away.lock().unwrap() = true;
    let logs = ContainerLogs::start(dir.path(), target(), service.clone()).unwrap();
    let mut out = writer(dir.path());
    out.write_all(b"one\ntw").unwrap();
    assert!(!logs.finish(Duration::from_millis(50)).await);
    // Between two agents the FIFO keeps what is written, as the shim holds it open.
    out.write_all(b"o\nthree\n").unwrap();
    *service.away.lock().unwrap() = false;
    let logs = ContainerLogs::start(dir.path(), target(), service.clone()).unwrap();
    assert!(logs.finish(FOR_EVER).await);
    assert_eq!(*service.events.lock().unwrap(), ["one", "two", "three"]);
    // A third agent finds everything sent.
    let logs = ContainerLogs::start(dir.path(), target(), service.clone()).unwrap();
    assert!(logs.finish(FOR_EVER).await);
    assert_eq!(service.events.lock().unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_container_whose_backlog_is_full_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let service = Arc::new(Service::default());
    *service.away.lock().unwrap() = true;
    let logs = ContainerLogs::start(dir.path(), target(), service.clone()).unwrap();
    let [path, _] = ContainerLogs::fifos(dir.path());
    let mut out = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    let line = [b"x".repeat(8191), b"\n".to_vec()].concat();
    // The spool is full when the FIFO takes no more: 64 MiB, and what a FIFO holds.
    let lines = (64 << 20) / line.len() + 4;
    let writer = tokio::task::spawn_blocking(move || (0..lines).for_each(|_| out.write_all(&line).unwrap()));
    writer.await.unwrap();
    assert!(!logs.finish(Duration::from_millis(500)).await);
    for fifo in ContainerLogs::fifos(dir.path()) {
        std::fs::remove_file(fifo).unwrap();
    }
    *service.away.lock().unwrap() = false;
    let logs = ContainerLogs::start(dir.path(), target(), service.clone()).unwrap();
    assert!(logs.finish(FOR_EVER).await);
    assert_eq!(service.events.lock().unwrap().len(), lines);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_on_its_way_is_not_sent_twice() {
    let dir = tempfile::tempdir().unwrap();
    let service = Arc::new(Service { slow: true, ..Service::default() });
    *service.group.lock().unwrap() = true;
    *service.stream.lock().unwrap() = true;
    let logs = ContainerLogs::start(dir.path(), target(), service.clone()).unwrap();
    let mut out = writer(dir.path());
    out.write_all(b"one\ntwo\n").unwrap();
    let begun = async {
        while service.events.lock().unwrap().is_empty() {
            tokio::task::yield_now().await
        }
    };
    tokio::time::timeout(FOR_EVER, begun).await.unwrap();
    // It is taken, and not answered yet.
    assert!(!logs.finish(Duration::ZERO).await);
    let logs = ContainerLogs::start(dir.path(), target(), service.clone()).unwrap();
    assert!(logs.finish(FOR_EVER).await);
    assert_eq!(*service.events.lock().unwrap(), ["one", "two"]);
}

#[tokio::test]
async fn a_group_that_is_not_there_is_a_refusal() {
    let service = Service::default();
    let mut target = target();
    ContainerLogs::prepare(&target, &service).await.unwrap();
    *service.group.lock().unwrap() = false;
    target.create_group = false;
    let error = ContainerLogs::prepare(&target, &service).await.unwrap_err();
    assert!(error.to_string().contains("ResourceNotFoundException"), "{error}");
}

#[test]
fn half_a_record_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.spool");
    let (spool, 0, _) = spool::Spool::open(&path).unwrap() else { panic!("a new spool is empty") };
    let record = spool::Record { stream: 1, at_ms: 5, bytes: b"abc".to_vec() };
    let end = spool.append(0, &record).unwrap();
    spool.append(end, &record).unwrap();
    drop(spool);
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(end + 7).unwrap();
    let (spool, length, _) = spool::Spool::open(&path).unwrap();
    assert_eq!(length, end);
    assert_eq!(spool.read(0, length).unwrap().unwrap().0, record);
}

#[test]
fn a_spool_has_room_until_it_waits_or_grows_too_long() {
    use super::driver::is_full;
    let backlog = 1 << 20;
    assert!(!is_full((0, 0), backlog, backlog));
    assert!(is_full((backlog, 0), 1, backlog));
    assert!(!is_full((backlog, backlog), backlog, backlog));
    assert!(
        is_full((2 * backlog, 2 * backlog - 1), 1, backlog),
        "all but one byte is sent, and the file is long"
    );
    // A small one, too, can get as long as it must be to be emptied.
    assert!(!is_full((300 << 10, 300 << 10), 10, 100));
}

/// A file system of its own. Needs root, as all that runs containers.
struct Tmpfs(tempfile::TempDir);

impl Tmpfs {
    fn mount(size: &str) -> Tmpfs {
        let dir = tempfile::tempdir().unwrap();
        let flags = nix::mount::MsFlags::empty();
        let options = format!("size={size}");
        nix::mount::mount(Some("tmpfs"), dir.path(), Some("tmpfs"), flags, Some(options.as_str())).unwrap();
        Tmpfs(dir)
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = nix::mount::umount2(self.0.path(), nix::mount::MntFlags::MNT_DETACH);
    }
}

#[tokio::test]
async fn what_was_read_waits_for_room_on_the_disk() {
    use std::os::fd::AsRawFd;
    let disk = Tmpfs::mount("256k");
    let dir = disk.0.path();
    let service = Arc::new(Service::default());
    let logs = ContainerLogs::start(dir, target(), service.clone()).unwrap();
    let mut out = writer(dir);
    let filler = dir.join("filler");
    let full = std::fs::write(&filler, vec![0; 1 << 20]).unwrap_err();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    let line = "x".repeat(20_000);
    writeln!(out, "{line}").unwrap();
    // Taken out of the FIFO: nobody else has it now.
    let mut left = 1;
    while left > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        // SAFETY: the descriptor is open, and the kernel writes one int.
        assert_eq!(unsafe { libc::ioctl(out.as_raw_fd(), libc::FIONREAD, &mut left) }, 0);
    }
    std::fs::remove_file(filler).unwrap();
    assert!(logs.finish(Duration::from_secs(60)).await);
    assert_eq!(*service.events.lock().unwrap(), [line]);
}

#[test]
fn an_emptied_spool_does_not_believe_an_old_note() {
    use super::spool::{Record, Sent, Spool};
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.spool");
    let (spool, length, mut sent) = Spool::open(&path).unwrap();
    let record = |text: &str| Record { stream: 0, at_ms: 1, bytes: text.into() };
    sent.offset = spool.append(length, &record("said and sent")).unwrap();
    spool.note_sent(&sent).unwrap();
    // As on a full disk: the note can't be replaced.
    std::fs::create_dir(dir.path().join("log.sent.new")).unwrap();
    spool.empty(&mut sent).unwrap();
    assert_eq!(sent, Sent::default());
    let end = spool.append(0, &record("longer than what was sent before")).unwrap();
    drop(spool);
    let (spool, length, sent) = Spool::open(&path).unwrap();
    assert_eq!((length, sent.offset), (end, 0));
    assert_eq!(spool.read(0, length).unwrap().unwrap().0, record("longer than what was sent before"));
}
