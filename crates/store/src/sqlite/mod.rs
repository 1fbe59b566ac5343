//! The store of one machine: SQLite, embedded.

mod lock;
mod schema;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, Row, Transaction, TransactionBehavior, params};

use crate::watch::Waker;
use crate::{Batch, Cause, CommitError, Entry, Op, Revision, Snapshot, Store, StoreError, Watch};
use lock::Lock;

/// A keyspace in one SQLite file (beside it: `-wal`, `-shm`, `.lock`). One process at a time; a
/// person may read it with the `sqlite3` shell meanwhile.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    writer: Mutex<Writer>,
    reader: Mutex<Connection>,
    waker: Waker,
    /// Last, so that it is released after the connections are closed.
    _lock: Lock,
}

#[derive(Debug)]
struct Writer {
    connection: Connection,
    revision: Revision,
    /// Set by a commit of unknown outcome: after a failed fsync nobody knows what the disk has, and
    /// a later success would prove nothing about it. See [`SqliteStore::reopen`].
    broken: bool,
}

impl SqliteStore {
    /// Opens the database, and makes it and its directory when they don't exist.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when another process has it; [`StoreError::Foreign`] and
    /// [`StoreError::NewerSchema`] when it isn't ours to touch; otherwise what the disk says.
    pub fn open(path: impl AsRef<Path>) -> Result<SqliteStore, StoreError> {
        let path = path.as_ref().to_owned();
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        fs::create_dir_all(directory)
            .map_err(|source| io_error(directory, "making the directory", source))?;
        let lock = Lock::acquire(&path)?;
        let connection = schema::open_writer(&path)?;
        let revision = read_revision(&connection)
            .map_err(|source| sqlite_error(&path, "reading the revision", source))?;
        let reader = schema::open_reader(&path)?;
        // SQLite syncs the files; the directory entries of new ones are ours to make durable.
        File::open(directory)
            .and_then(|directory| directory.sync_all())
            .map_err(|source| io_error(directory, "syncing the directory", source))?;
        Ok(SqliteStore {
            path,
            writer: Mutex::new(Writer { connection, revision, broken: false }),
            reader: Mutex::new(reader),
            waker: Waker::new(revision),
            _lock: lock,
        })
    }

    /// What stands in the database, read without opening it as a store: another process may have it, and
    /// nothing is written or recovered. For whoever looks on.
    ///
    /// # Errors
    /// As [`SqliteStore::open`], but never [`StoreError::Locked`].
    pub fn look(path: impl AsRef<Path>) -> Result<Snapshot, StoreError> {
        let path = path.as_ref();
        let mut connection = schema::open_onlooker(path)?;
        snapshot(&mut connection).map_err(|source| sqlite_error(path, "reading", source))
    }

    /// Where the database is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// After a commit of unknown outcome: finds out what the disk has, and makes sure of it.
    ///
    /// The connections are closed, because what they hold in memory is worth nothing. A new one reads the
    /// log anew, and whatever it finds there is written once more, into the database itself: the log's
    /// pages may count as written though the disk refused them, a new write of them doesn't.
    fn reopen(&self, writer: &mut Writer) -> Result<(), StoreError> {
        let mut reader = self.reader();
        let nowhere = || Connection::open_in_memory().map_err(|source| self.error("reopening", source));
        writer.connection = nowhere()?;
        *reader = nowhere()?;
        let connection = self.recovered();
        // Reading goes on in any case.
        *reader = schema::open_reader(&self.path)?;
        let (connection, revision) = connection
            .map_err(|source| StoreError::Broken { path: self.path.clone(), source: Box::new(source) })?;
        *writer = Writer { connection, revision, broken: false };
        Ok(())
    }

    fn recovered(&self) -> Result<(Connection, Revision), StoreError> {
        let connection = schema::open_writer(&self.path)?;
        // "busy" if somebody reads the log just now (sqlite.org/pragma.html#pragma_wal_checkpoint).
        let busy: bool = connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
            .map_err(|source| self.error("recovering", source))?;
        if busy {
            let source = Cause::Io(io::Error::from(io::ErrorKind::ResourceBusy));
            return Err(StoreError::Failed { path: self.path.clone(), during: "recovering", source });
        }
        let revision =
            read_revision(&connection).map_err(|source| self.error("reading the revision", source))?;
        Ok((connection, revision))
    }

    fn error(&self, during: &'static str, source: rusqlite::Error) -> StoreError {
        sqlite_error(&self.path, during, source)
    }
}

impl Store for SqliteStore {
    fn load(&self) -> Result<Snapshot, StoreError> {
        snapshot(&mut self.reader()).map_err(|source| self.error("loading", source))
    }

    fn range(&self, prefix: &str) -> Result<Vec<Entry>, StoreError> {
        read_entries(&self.reader(), prefix).map_err(|source| self.error("reading", source))
    }

    fn commit(&self, expected: Revision, batch: &Batch) -> Result<Revision, CommitError> {
        batch.check().map_err(CommitError::Refused)?;
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if writer.broken {
            self.reopen(&mut writer).map_err(CommitError::Refused)?;
        }
        let actual = writer.revision;
        if actual != expected {
            return Err(CommitError::Conflict { expected, actual });
        }
        if batch.is_empty() {
            return Ok(actual);
        }
        let revision = actual.next();
        let transaction = stage(&mut writer.connection, batch, revision)
            .map_err(|source| CommitError::Refused(self.error("writing a batch", source)))?;
        if let Err(source) = transaction.commit() {
            // Dropping the transaction rolled it back in memory. A full disk cut the log before its
            // commit record, so recovery won't find one; after any other I/O error it might.
            let full = source.sqlite_error_code() == Some(ErrorCode::DiskFull);
            let error = self.error("committing", source);
            if full {
                return Err(CommitError::Refused(error));
            }
            writer.broken = true;
            return Err(CommitError::Unknown(error));
        }
        writer.revision = revision;
        // Still under the lock: watchers see revisions in the order of the commits.
        self.waker.wake(revision);
        Ok(revision)
    }

    fn probe(&self) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if writer.broken {
            return self.reopen(&mut writer);
        }
        // Writes the same again, through the log to the disk.
        let written = writer.connection.execute("UPDATE store SET revision = revision WHERE one = 1", []);
        written.map(drop).map_err(|source| {
            writer.broken = source.sqlite_error_code() != Some(ErrorCode::DiskFull);
            self.error("probing", source)
        })
    }

    fn watch(&self) -> Watch {
        self.waker.watch()
    }
}

/// Everything of a commit but the commit.
fn stage<'c>(
    connection: &'c mut Connection,
    batch: &Batch,
    revision: Revision,
) -> rusqlite::Result<Transaction<'c>> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut put = transaction.prepare_cached(
            "INSERT INTO kv (key, value, revision) VALUES (?1, ?2, ?3)
             ON CONFLICT (key) DO UPDATE SET value = excluded.value, revision = excluded.revision",
        )?;
        let mut delete = transaction.prepare_cached("DELETE FROM kv WHERE key = ?1")?;
        for op in &batch.ops {
            match op {
                Op::Put { key, value } => {
                    put.execute(params![key, readable(value), revision.0])?;
                }
                Op::Delete { key } => {
                    delete.execute(params![key])?;
                }
            }
        }
        transaction
            .prepare_cached("UPDATE store SET revision = ?1 WHERE one = 1")?
            .execute(params![revision.0])?;
    }
    Ok(transaction)
}

/// Text goes in as text, so that the shell shows it and its JSON functions take it.
fn readable(value: &[u8]) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(match std::str::from_utf8(value) {
        Ok(_) => ValueRef::Text(value),
        Err(_) => ValueRef::Blob(value),
    })
}

fn snapshot(connection: &mut Connection) -> rusqlite::Result<Snapshot> {
    // One transaction: the entries are as of the revision.
    let transaction = connection.transaction()?;
    let revision = read_revision(&transaction)?;
    // As they lie: by the index, each would be looked for by itself.
    let mut statement = transaction.prepare_cached("SELECT key, value, revision FROM kv")?;
    let mut rows = statement.query([])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        entries.push(entry(row.get(0)?, row)?);
    }
    entries.sort_unstable_by(|one, other| one.key.cmp(&other.key));
    Ok(Snapshot { revision, entries })
}

fn read_revision(connection: &Connection) -> rusqlite::Result<Revision> {
    connection
        .prepare_cached("SELECT revision FROM store WHERE one = 1")?
        .query_row([], |row| row.get(0))
        .map(Revision)
}

fn read_entries(connection: &Connection, prefix: &str) -> rusqlite::Result<Vec<Entry>> {
    let mut statement =
        connection.prepare_cached("SELECT key, value, revision FROM kv WHERE key >= ?1 ORDER BY key")?;
    let mut rows = statement.query(params![prefix])?;
    let mut entries = Vec::new();
    // The keys with the prefix come first and together; no upper bound is needed.
    while let Some(row) = rows.next()? {
        let key: String = row.get(0)?;
        if !key.starts_with(prefix) {
            break;
        }
        entries.push(entry(key, row)?);
    }
    Ok(entries)
}

fn entry(key: String, row: &Row<'_>) -> rusqlite::Result<Entry> {
    let value = match row.get_ref(1)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.to_vec(),
        other => return Err(rusqlite::Error::InvalidColumnType(1, "value".to_owned(), other.data_type())),
    };
    Ok(Entry { key, value, revision: Revision(row.get(2)?) })
}

/// Sorts SQLite's result codes (sqlite.org/rescode.html) into what a person can act on.
fn sqlite_error(path: &Path, during: &'static str, source: rusqlite::Error) -> StoreError {
    let path = path.to_owned();
    let code = source.sqlite_error_code();
    let source = Cause::Sqlite(source);
    match code {
        Some(ErrorCode::DiskFull) => StoreError::Full { path, during, source },
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            StoreError::ReadOnly { path, during, source }
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::Corrupt { path, during, source }
        }
        _ => StoreError::Failed { path, during, source },
    }
}

fn io_error(path: &Path, during: &'static str, source: io::Error) -> StoreError {
    let path = path.to_owned();
    let kind = source.kind();
    let source = Cause::Io(source);
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            StoreError::Full { path, during, source }
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            StoreError::ReadOnly { path, during, source }
        }
        _ => StoreError::Failed { path, during, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: &str) -> Batch {
        let mut batch = Batch::new();
        batch.put(key.to_owned(), b"{}".to_vec());
        batch
    }

    #[test]
    fn after_a_commit_in_doubt_it_reopens_itself_when_it_can() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.db");
        let store = SqliteStore::open(&path).unwrap();
        let one = store.commit(Revision(0), &put("a")).unwrap();
        store.writer.lock().unwrap().broken = true;
        // Something else is where the database was.
        let aside = directory.path().join("aside");
        fs::rename(&path, &aside).unwrap();
        fs::create_dir(&path).unwrap();
        let error = store.commit(one, &put("b")).unwrap_err();
        assert!(matches!(error, CommitError::Refused(_)), "{error:?}");
        assert!(store.probe().is_err());
        // It is well again.
        fs::remove_dir(&path).unwrap();
        fs::rename(&aside, &path).unwrap();
        store.probe().unwrap();
        assert_eq!(store.load().unwrap().revision, one);
        let two = store.commit(one, &put("b")).unwrap();
        drop(store);
        let store = SqliteStore::open(&path).unwrap();
        assert_eq!(store.load().unwrap().revision, two);
        assert_eq!(store.range("").unwrap().len(), 2);
    }

    #[test]
    fn what_took_effect_in_doubt_is_found_as_a_conflict() {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(directory.path().join("state.db")).unwrap();
        let one = store.commit(Revision(0), &put("a")).unwrap();
        {
            // As if its caller had been told "unknown".
            let mut writer = store.writer.lock().unwrap();
            writer.broken = true;
            writer.revision = Revision(0);
        }
        let error = store.commit(Revision(0), &put("b")).unwrap_err();
        assert!(matches!(error, CommitError::Conflict { actual, .. } if actual == one), "{error:?}");
        store.commit(one, &put("b")).unwrap();
    }
}
