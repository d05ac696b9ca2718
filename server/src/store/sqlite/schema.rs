//! The tables, and how a connection is set up.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

/// The schema this program writes; a database of a later one is left alone.
const VERSION: i64 = 3;

/// How long a connection waits for another one's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

const TABLES: &str = "
CREATE TABLE schema_version (version INTEGER NOT NULL);

CREATE TABLE documents (
    doc         INTEGER PRIMARY KEY AUTOINCREMENT,
    project     TEXT NOT NULL,
    document    TEXT NOT NULL,
    -- Counts its snapshots; 0 stands for none yet.
    generation  INTEGER NOT NULL DEFAULT 0,
    UNIQUE (project, document)
);

-- The log. AUTOINCREMENT, so that the name of a deleted entry is never used again.
CREATE TABLE updates (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    doc         INTEGER NOT NULL,
    bytes       BLOB NOT NULL,
    checksum    INTEGER NOT NULL
);
CREATE INDEX updates_of_document ON updates (doc, seq);

-- How many chunks a snapshot has: a snapshot without this row, or with another number of
-- chunks, is not one.
CREATE TABLE snapshots (
    doc         INTEGER PRIMARY KEY,
    generation  INTEGER NOT NULL,
    chunks      INTEGER NOT NULL,
    bytes       INTEGER NOT NULL,
    checksum    INTEGER NOT NULL
);
CREATE TABLE snapshot_chunks (
    doc         INTEGER NOT NULL,
    generation  INTEGER NOT NULL,
    chunk       INTEGER NOT NULL,
    bytes       BLOB NOT NULL,
    PRIMARY KEY (doc, generation, chunk)
);
";

/// What the second version of the schema added: contents of files that are no texts. An upload is
/// a content once `blobs` names it, and is never read before.
const BLOB_TABLES: &str = "
CREATE TABLE blobs (
    project     TEXT NOT NULL,
    hash        BLOB NOT NULL,
    bytes       INTEGER NOT NULL,
    -- In milliseconds since 1970.
    used_at     INTEGER NOT NULL,
    upload      BLOB NOT NULL,
    PRIMARY KEY (project, hash)
);
CREATE INDEX blobs_by_upload ON blobs (upload);
CREATE TABLE blob_parts (
    upload      BLOB NOT NULL,
    place       INTEGER NOT NULL,
    bytes       BLOB NOT NULL,
    checksum    INTEGER NOT NULL,
    PRIMARY KEY (upload, place)
);
";

/// What the third version of the schema added: versions. Their texts and lists of files are kept
/// as the contents of files are.
const VERSION_TABLES: &str = "
CREATE TABLE versions (
    project     TEXT NOT NULL,
    number      INTEGER NOT NULL,
    name        TEXT,
    -- In milliseconds since 1970.
    made_at     INTEGER NOT NULL,
    because     TEXT NOT NULL,
    -- A JSON array of names.
    people      TEXT NOT NULL,
    files       INTEGER NOT NULL,
    list        BLOB NOT NULL,
    PRIMARY KEY (project, number)
);
CREATE TABLE texts (
    project     TEXT NOT NULL,
    hash        BLOB NOT NULL,
    bytes       INTEGER NOT NULL,
    used_at     INTEGER NOT NULL,
    upload      BLOB NOT NULL,
    PRIMARY KEY (project, hash)
);
CREATE INDEX texts_by_upload ON texts (upload);
CREATE TABLE text_parts (
    upload      BLOB NOT NULL,
    place       INTEGER NOT NULL,
    bytes       BLOB NOT NULL,
    checksum    INTEGER NOT NULL,
    PRIMARY KEY (upload, place)
);
";

/// Opens the connection that writes, and makes the tables where they are missing.
pub(super) fn open_writer(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A commit that was reported is on the disk, whatever loses power next.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    connection.set_prepared_statement_cache_capacity(32);
    migrate(&connection)?;
    Ok(connection)
}

/// Opens a connection that reads.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    // Not SQLITE_OPEN_READ_ONLY: a reader of a write-ahead log writes its shared index.
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn migrate(connection: &Connection) -> rusqlite::Result<()> {
    let write =
        rusqlite::Transaction::new_unchecked(connection, rusqlite::TransactionBehavior::Immediate)?;
    let present: bool = write.query_row(
        "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'schema_version')",
        [],
        |row| row.get(0),
    )?;
    if !present {
        write.execute_batch(TABLES)?;
        write.execute_batch(BLOB_TABLES)?;
        write.execute_batch(VERSION_TABLES)?;
        write.execute("INSERT INTO schema_version VALUES (?1)", [VERSION])?;
        return write.commit();
    }
    let version: i64 =
        write.query_row("SELECT version FROM schema_version", [], |row| row.get(0))?;
    if version > VERSION {
        return Err(rusqlite::Error::InvalidParameterName(format!(
            "it was written by a later version of Tutti (schema {version}, this one knows {VERSION})"
        )));
    }
    for (since, tables) in [(2, BLOB_TABLES), (3, VERSION_TABLES)] {
        if version < since {
            write.execute_batch(tables)?;
        }
    }
    if version < VERSION {
        write.execute("UPDATE schema_version SET version = ?1", [VERSION])?;
    }
    write.commit()
}
