//! The database's layout and the settings of a connection.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::sqlite_error;
use crate::StoreError;

/// "LNGS" in ASCII: `file(1)` and other programs can tell whose database it is.
const APPLICATION_ID: i32 = 0x4c4e_4753;
const SCHEMA_VERSION: i32 = 2;

/// How long a statement waits for a person who inspects the database with a write lock held.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Rows lie in the order in which they came, so that those of one commit share pages whatever their keys; the
/// key's index is a tree of its own. In one tree by key (WITHOUT ROWID, version 1) each row of more than a quarter
/// page took a page to itself, and random keys another.
const KV: &str = "
    CREATE TABLE kv (
        key      TEXT PRIMARY KEY NOT NULL,
        value    BLOB NOT NULL,
        revision INTEGER NOT NULL
    );
";

/// `store` has one row.
const STORE: &str = "
    CREATE TABLE store (
        one      INTEGER PRIMARY KEY CHECK (one = 1),
        revision INTEGER NOT NULL
    );
    INSERT INTO store (one, revision) VALUES (1, 0);
";

/// Opens the connection that writes, and makes or checks the schema.
pub(super) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    let error = |during| move |source| sqlite_error(path, during, source);
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(error("opening"))?;
    let found = check(&connection, path)?;
    configure(&connection).map_err(error("setting it up"))?;
    match found {
        None => create(&connection).map_err(error("making its schema"))?,
        Some(1) => rearrange(&connection).map_err(error("bringing its schema up to date"))?,
        Some(_) => {}
    }
    connection.set_prepared_statement_cache_capacity(16);
    Ok(connection)
}

/// Opens the connection of somebody who only looks on. There must be a database of ours.
pub(super) fn open_onlooker(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)
        .and_then(|connection| connection.busy_timeout(BUSY_TIMEOUT).map(|()| connection))
        .map_err(|source| sqlite_error(path, "opening for reading", source))?;
    match check(&connection, path)? {
        // An empty database is nobody's yet, but there is nothing to read in it either.
        None => Err(StoreError::Foreign { path: path.to_owned(), application_id: 0 }),
        Some(_) => Ok(connection),
    }
}

/// Opens the connection that reads, so that `load` and `range` don't wait for a commit's fsync.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    };
    open().map_err(|source| sqlite_error(path, "opening for reading", source))
}

/// Whether the database is one of ours that this version reads; its schema's version, `None` for an empty one.
fn check(connection: &Connection, path: &Path) -> Result<Option<i32>, StoreError> {
    let error = |during| move |source| sqlite_error(path, during, source);
    let found: i32 = connection
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(error("reading its header"))?;
    let version: i32 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(error("reading its header"))?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(error("reading its schema"))?;
    if found != APPLICATION_ID && (found != 0 || tables != 0) {
        return Err(StoreError::Foreign { path: path.to_owned(), application_id: found });
    }
    if version > SCHEMA_VERSION {
        return Err(StoreError::NewerSchema {
            path: path.to_owned(),
            found: version,
            supported: SCHEMA_VERSION,
        });
    }
    Ok((found == APPLICATION_ID).then_some(version))
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // WAL: readers never block the writer. FULL: the log is synced before COMMIT returns; with
    // NORMAL a power loss could take back what we had answered (sqlite.org/pragma.html#pragma_synchronous).
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Pages in the log before it is brought into the database: a page that is written again and again in between
    // is brought there once.
    connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
    // KiB of pages in memory, as many as the log may hold before that: a burst writes to pages that it has just written.
    connection.pragma_update(None, "cache_size", -16_000)?;
    // After a burst the log shrinks to this at the next checkpoint.
    connection.pragma_update(None, "journal_size_limit", 16 << 20)?;
    Ok(())
}

fn create(connection: &Connection) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch(KV)?;
    transaction.execute_batch(STORE)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()
}

/// From version 1: the same columns in another order on the disk.
fn rearrange(connection: &Connection) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch("ALTER TABLE kv RENAME TO kv_1")?;
    transaction.execute_batch(KV)?;
    transaction.execute_batch("INSERT INTO kv SELECT key, value, revision FROM kv_1; DROP TABLE kv_1")?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()
}
