//! The embedded store: SQLite with a write-ahead log.
//!
//! One thread owns the connection that writes ([`writer`]); a few connections read ([`reader`]).
//! Several stores, also of several processes, may open the same file.

mod blobs;
mod reader;
mod schema;
#[cfg(test)]
mod tests;
mod versions;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use rusqlite::{Connection, ErrorCode};
use tutti_protocol::ids::{ProjectId, RoomName};

use super::{Append, DocumentSize, DocumentStore, Replacement, Seen, StoreError, StoredDocument};
use writer::Writer;

pub use blobs::SqliteContents;
pub use versions::SqliteVersions;

/// The largest part of a snapshot in one row.
const CHUNK_BYTES: usize = 256 * 1024;

/// Connections kept open for readers.
const IDLE_READERS: usize = 4;

/// Documents in one SQLite database.
#[derive(Clone)]
pub struct SqliteStore {
    writer: Writer,
    readers: Arc<Readers>,
}

struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl SqliteStore {
    /// Opens or creates the database at `path`.
    ///
    /// # Errors
    /// The file cannot be opened or written, or is of a later version.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = schema::open_writer(path).map_err(to_store_error)?;
        Ok(Self {
            writer: Writer::start(connection)?,
            readers: Arc::new(Readers {
                path: path.to_owned(),
                idle: Mutex::default(),
            }),
        })
    }

    /// Lets the database grow to `bytes` and no further; `None` lifts the limit. Beyond it,
    /// writing fails as on a full disk.
    ///
    /// # Errors
    /// The store has ended.
    pub async fn limit_size(&self, bytes: Option<u64>) -> Result<(), StoreError> {
        self.writer.limit_size(bytes).await
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let readers = self.readers.clone();
        tokio::task::spawn_blocking(move || {
            let connection = readers.take()?;
            let result = work(&connection);
            readers.give_back(connection);
            result
        })
        .await
        .map_err(|error| StoreError::Unavailable(error.to_string()))?
    }
}

impl Readers {
    fn take(&self) -> Result<Connection, StoreError> {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        match idle {
            Some(connection) => Ok(connection),
            None => schema::open_reader(&self.path).map_err(to_store_error),
        }
    }

    fn give_back(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_READERS {
            idle.push(connection);
        }
    }
}

impl DocumentStore for SqliteStore {
    fn append(&self, batch: Vec<Append>) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.writer.append(batch))
    }

    fn load<'a>(
        &'a self,
        room: &'a RoomName,
    ) -> BoxFuture<'a, Result<Option<StoredDocument>, StoreError>> {
        let room = room.clone();
        Box::pin(self.read(move |connection| reader::load(connection, &room)))
    }

    fn news<'a>(
        &'a self,
        room: &'a RoomName,
        seen: &'a Seen,
    ) -> BoxFuture<'a, Result<Option<StoredDocument>, StoreError>> {
        let (room, seen) = (room.clone(), seen.clone());
        Box::pin(self.read(move |connection| reader::news(connection, &room, &seen)))
    }

    fn replace<'a>(
        &'a self,
        room: &'a RoomName,
        replacement: Replacement,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(self.writer.replace(room.clone(), replacement))
    }

    fn documents<'a>(
        &'a self,
        project: &'a ProjectId,
    ) -> BoxFuture<'a, Result<Vec<DocumentSize>, StoreError>> {
        let project = project.clone();
        Box::pin(self.read(move |connection| reader::documents(connection, &project)))
    }

    fn delete_project<'a>(
        &'a self,
        project: &'a ProjectId,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.writer.delete_project(project.clone()))
    }
}

/// Bound to its document, so that a row that slipped into another one is found too.
fn checksum(doc: i64, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&doc.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

fn to_store_error(error: rusqlite::Error) -> StoreError {
    let text = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full(text),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            StoreError::ReadOnly(text)
        }
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => StoreError::Damaged(text),
        _ => StoreError::Unavailable(text),
    }
}
