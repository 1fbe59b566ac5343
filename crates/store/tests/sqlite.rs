//! What only the store on a disk promises: survival, one process at a time, honest errors.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use store::{Batch, Cause, CommitError, Revision, SqliteStore, Store, StoreError};

fn put(key: &str, value: impl Into<Vec<u8>>) -> Batch {
    let mut batch = Batch::new();
    batch.put(key, value);
    batch
}

/// Not a test: the process that `kill_dash_nine_loses_nothing_acknowledged` kills.
#[test]
#[ignore = "run by another test"]
fn child_that_commits_for_ever() {
    let path = std::env::var_os("LONGSHORE_STORE").expect("run by another test");
    let store = SqliteStore::open(path).unwrap();
    let mut revision = store.load().unwrap().revision;
    loop {
        let mut batch = Batch::new();
        let text = revision.next().to_string();
        batch.put("first", text.as_str()).put("second", text.as_str());
        batch.put(format!("log/{text}"), vec![b'x'; 2000]);
        revision = store.commit(revision, &batch).unwrap();
        println!("acknowledged {revision}");
    }
}

#[test]
fn kill_dash_nine_loses_nothing_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    for round in 1..=5 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child_that_commits_for_ever", "--exact", "--ignored", "--nocapture"])
            .env("LONGSHORE_STORE", &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut acknowledged = 0;
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for line in lines.by_ref().take(40 * round) {
            acknowledged = parse(&line.unwrap()).unwrap_or(acknowledged);
        }
        child.kill().unwrap();
        for line in lines.map_while(Result::ok) {
            acknowledged = parse(&line).unwrap_or(acknowledged);
        }
        child.wait().unwrap();

        let store = SqliteStore::open(&path).unwrap();
        let snapshot = store.load().unwrap();
        assert!(acknowledged > 0);
        // The commit that was under way may or may not be there; nothing else is in doubt.
        assert!([acknowledged, acknowledged + 1].contains(&snapshot.revision.0));
        let value = |key: &str| store.range(key).unwrap()[0].value.clone();
        assert_eq!(value("first"), snapshot.revision.to_string().as_bytes());
        assert_eq!(value("first"), value("second"));
        assert_eq!(store.range("log/").unwrap().len() as u64, snapshot.revision.0);
    }
}

fn parse(line: &str) -> Option<u64> {
    // The harness writes "test … " before the first line.
    line.split_once("acknowledged ")?.1.trim().parse().ok()
}

#[test]
fn a_second_opening_is_refused_and_names_the_first() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deep/er/state.db");
    let store = SqliteStore::open(&path).unwrap();
    match SqliteStore::open(&path) {
        Err(StoreError::Locked { pid, .. }) => assert_eq!(pid, Some(std::process::id())),
        other => panic!("{other:?}"),
    }
    drop(store);
    SqliteStore::open(&path).unwrap();
}

/// A child between fork and exec has a copy of every descriptor; it must not keep the lock.
#[test]
fn a_closed_store_is_free_though_a_child_was_forked_meanwhile() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    let store = SqliteStore::open(&path).unwrap();
    // SAFETY: the child only waits to be killed.
    let child = match unsafe { libc::fork() } {
        0 => loop {
            unsafe { libc::pause() };
        },
        child => child,
    };
    assert!(child > 0);
    drop(store);
    let reopened = SqliteStore::open(&path);
    // SAFETY: our own child, not waited for yet.
    unsafe {
        libc::kill(child, libc::SIGKILL);
        libc::waitpid(child, std::ptr::null_mut(), 0);
    }
    reopened.unwrap();
}

#[test]
fn files_that_are_not_ours_are_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);

    fs::write(path("text"), "this is no database at all, whatever its name says".repeat(40)).unwrap();
    assert!(matches!(SqliteStore::open(path("text")), Err(StoreError::Corrupt { .. })));

    let foreign = rusqlite::Connection::open(path("foreign")).unwrap();
    foreign.execute_batch("CREATE TABLE theirs (x)").unwrap();
    assert!(matches!(SqliteStore::open(path("foreign")), Err(StoreError::Foreign { .. })));

    drop(SqliteStore::open(path("newer")).unwrap());
    let newer = rusqlite::Connection::open(path("newer")).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(
        SqliteStore::open(path("newer")),
        Err(StoreError::NewerSchema { found: 99, supported: 2, .. })
    ));
}

#[test]
fn a_database_of_version_1_is_brought_up_to_date() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    let old = rusqlite::Connection::open(&path).unwrap();
    old.execute_batch(
        "PRAGMA application_id = 0x4c4e4753;
         PRAGMA user_version = 1;
         CREATE TABLE kv (key TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL, revision INTEGER NOT NULL)
             WITHOUT ROWID;
         CREATE TABLE store (one INTEGER PRIMARY KEY CHECK (one = 1), revision INTEGER NOT NULL);
         INSERT INTO store VALUES (1, 7);
         INSERT INTO kv VALUES ('b', '2', 7), ('a', '1', 3)",
    )
    .unwrap();
    drop(old);
    // Whoever only looks on reads the old one too, and leaves it so.
    let looked = SqliteStore::look(&path).unwrap();
    let version = || -> i32 {
        let shell = rusqlite::Connection::open(&path).unwrap();
        shell.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
    };
    assert_eq!(version(), 1);
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(store.load().unwrap(), looked);
    assert_eq!(looked.revision, Revision(7));
    assert_eq!(
        looked.entries.iter().map(|entry| (&*entry.key, entry.revision.0)).collect::<Vec<_>>(),
        [("a", 3), ("b", 7)]
    );
    store.commit(Revision(7), &put("a", "again")).unwrap();
    assert_eq!(store.range("a").unwrap()[0].value, b"again");
    assert_eq!(version(), 2);
}

#[test]
fn a_person_can_read_the_state_while_it_is_open() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    let store = SqliteStore::open(&path).unwrap();
    store.commit(Revision(0), &put("tasks/1", r#"{"status":"RUNNING"}"#)).unwrap();
    let shell = rusqlite::Connection::open(&path).unwrap();
    let status: String = shell
        .query_row("SELECT value ->> 'status' FROM kv WHERE key = 'tasks/1'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(status, "RUNNING");
    let mode: String = shell.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
}

/// A file system of its own, unmounted when dropped.
struct Tmpfs(tempfile::TempDir);

impl Tmpfs {
    /// `None` when we aren't allowed to mount.
    fn mount(options: &str) -> Option<Tmpfs> {
        let directory = tempfile::Builder::new().prefix("longshore-store-").tempdir().unwrap();
        mount(&["-t", "tmpfs", "-o", options, "tmpfs"], directory.path()).then_some(Tmpfs(directory))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

fn mount(arguments: &[&str], target: &Path) -> bool {
    let mount = Command::new("mount").args(arguments).arg(target).stderr(Stdio::null()).status();
    mount.is_ok_and(|status| status.success())
}

#[test]
fn a_full_disk_is_a_typed_refusal_and_the_state_survives() {
    let Some(tmpfs) = Tmpfs::mount("size=1m") else {
        eprintln!("skipped: needs root");
        return;
    };
    let path = tmpfs.path().join("state.db");
    let store = SqliteStore::open(&path).unwrap();
    let mut revision = Revision(0);
    let error = loop {
        match store.commit(revision, &put(&format!("k/{:03}", revision.0), vec![b'x'; 20_000])) {
            Ok(next) => revision = next,
            Err(error) => break error,
        }
    };
    match &error {
        CommitError::Refused(StoreError::Full { source: Cause::Sqlite(_), .. }) => {}
        other => panic!("{other:?}"),
    }
    assert!(revision.0 > 5);
    assert_eq!(store.load().unwrap().revision, revision);
    // Still full, still honest.
    assert!(matches!(
        store.commit(revision, &put("again", vec![b'x'; 20_000])),
        Err(CommitError::Refused(_))
    ));
    // Room was made: it goes on without a restart.
    assert!(mount(&["-o", "remount,size=8m"], tmpfs.path()));
    revision = store.commit(revision, &put("after", "{}")).unwrap();
    drop(store);
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(store.load().unwrap().revision, revision);
    assert_eq!(store.range("k/").unwrap().len() as u64, revision.0 - 1);
}

#[test]
fn a_read_only_directory_is_a_typed_error() {
    let Some(tmpfs) = Tmpfs::mount("size=1m") else {
        eprintln!("skipped: needs root");
        return;
    };
    let path = tmpfs.path().join("state.db");
    drop(SqliteStore::open(&path).unwrap());
    assert!(mount(&["-o", "remount,ro"], tmpfs.path()));
    assert!(matches!(SqliteStore::open(&path), Err(StoreError::ReadOnly { .. })));
}
