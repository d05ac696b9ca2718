//! Where documents are kept: a trait, and its implementations.
//!
//! A stored document is a snapshot (may be absent) and a log of updates after it. Updates commute
//! and may be applied twice, so several nodes may append to one document at once; what needs care
//! is deleting, see [`DocumentStore::replace`].

pub mod blobs;
pub mod compaction;
#[cfg(any(test, feature = "test-support"))]
pub mod conformance;
mod mongodb;
mod sqlite;
pub mod versions;
mod write_id;

use std::collections::HashSet;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use thiserror::Error;
use tokio::sync::watch;
use tutti_protocol::ids::{DocumentId, ProjectId, RoomName};

pub use blobs::{BlobStore, StoredBlob};
pub use mongodb::{MongoContents, MongoStore, MongoVersions};
pub use sqlite::{SqliteContents, SqliteStore, SqliteVersions};
pub use versions::{StoredVersion, VersionStore};
pub use write_id::WriteId;

/// Keeps documents. An `Ok` of a writing method says that the write survives a power cut.
pub trait DocumentStore: Send + Sync + 'static {
    /// Appends updates, of any rooms. Creates documents that are not there. After an error some
    /// of them may be stored and some not: it does no harm to append them again as they are.
    fn append(&self, batch: Vec<Append>) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Reads a document with all that was appended before the call; `None` when nothing was ever
    /// written to it.
    fn load<'a>(
        &'a self,
        room: &'a RoomName,
    ) -> BoxFuture<'a, Result<Option<StoredDocument>, StoreError>>;

    /// Reads what of a document is not in `seen` yet, with all that was appended before the call:
    /// where its snapshot is another one, everything, as [`DocumentStore::load`] does; else the
    /// log entries that `seen` does not name, and no snapshot. `None` when nothing was ever
    /// written to it. A store that reads in several steps looks at the generation last, and reads
    /// everything if it has changed: the entries it missed are in that snapshot.
    ///
    /// It is called about once a second for each document that is in use while nodes cannot hear
    /// each other, so it must not read what has been seen. Nodes append at once, so entries are
    /// found by their names, not by an order.
    fn news<'a>(
        &'a self,
        room: &'a RoomName,
        seen: &'a Seen,
    ) -> BoxFuture<'a, Result<Option<StoredDocument>, StoreError>>;

    /// Changes each time the store is found to be itself again after another had stood in its place: what was stored
    /// shortly before that was noticed may not be in it. `None` where that cannot be.
    fn returns(&self) -> Option<watch::Receiver<u64>> {
        None
    }

    /// What the log entry of a write is called, where the store does not choose that itself.
    fn entry_of(&self, _write: WriteId) -> Option<EntryId> {
        None
    }

    /// Puts a snapshot in the place of the one it was made from and of exactly the log entries
    /// it contains. Entries appended meanwhile stay. The new snapshot is read back and compared
    /// before anything is deleted. `Ok(false)` when another node has replaced the snapshot
    /// first; nothing has changed then.
    fn replace<'a>(
        &'a self,
        room: &'a RoomName,
        replacement: Replacement,
    ) -> BoxFuture<'a, Result<bool, StoreError>>;

    /// The documents of a project, in the order of their ids.
    fn documents<'a>(
        &'a self,
        project: &'a ProjectId,
    ) -> BoxFuture<'a, Result<Vec<DocumentSize>, StoreError>>;

    /// Deletes a project's documents.
    fn delete_project<'a>(
        &'a self,
        project: &'a ProjectId,
    ) -> BoxFuture<'a, Result<(), StoreError>>;
}

/// One update to append.
#[derive(Debug, Clone)]
pub struct Append {
    /// The document.
    pub room: RoomName,
    /// A Yjs update, v1 encoding.
    pub update: Bytes,
    /// Names this write, however often it is tried.
    pub write: WriteId,
}

impl Append {
    /// A write of its own.
    pub fn new(room: RoomName, update: Bytes) -> Self {
        Self {
            room,
            update,
            write: WriteId::next(),
        }
    }
}

/// A document as it is stored.
#[derive(Debug, Clone, Default)]
pub struct StoredDocument {
    /// Counts the snapshots that this document has had; 0 stands for none yet.
    pub generation: u64,
    /// The snapshot: a Yjs update, v1 encoding.
    pub snapshot: Option<Bytes>,
    /// The updates after the snapshot, in the order in which they were appended, as far as the
    /// clocks of several nodes can tell it.
    pub log: Vec<LogEntry>,
}

/// One entry of a document's log.
#[derive(Debug, Clone)]
pub struct LogEntry {
    /// Names the entry within its document; never used again.
    pub id: EntryId,
    /// A Yjs update, v1 encoding.
    pub update: Bytes,
}

/// The name of a log entry, made by the store. No order may be read from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryId(pub u128);

/// How much of a stored document its reader knows. Entries leave a log only by going into a new
/// snapshot, so this holds no more names than the log has entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The generation of the snapshot.
    pub generation: u64,
    /// The log entries after it.
    pub entries: HashSet<EntryId>,
}

impl Seen {
    /// Takes note of what was read: by [`DocumentStore::load`], or of the news of this.
    pub fn note(&mut self, read: &StoredDocument) {
        if read.generation != self.generation {
            self.generation = read.generation;
            self.entries.clear();
        }
        self.entries.extend(read.log.iter().map(|entry| entry.id));
    }
}

/// What a compaction writes.
#[derive(Debug, Clone)]
pub struct Replacement {
    /// The generation of the document that was merged.
    pub generation: u64,
    /// Its merged state.
    pub snapshot: Bytes,
    /// The log entries that the snapshot contains entirely.
    pub contains: Vec<EntryId>,
}

/// How much the store holds of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentSize {
    /// The document.
    pub document: DocumentId,
    /// Snapshot and log together.
    pub bytes: u64,
}

/// Why the store could not do what was asked.
#[derive(Debug, Clone, Error)]
pub enum StoreError {
    /// No space is left; the text is the store's own.
    #[error("the disk is full ({0})")]
    Full(String),
    /// The store cannot be written.
    #[error("the data directory is not writable ({0})")]
    ReadOnly(String),
    /// The store says nothing.
    #[error("the store does not answer")]
    Silent,
    /// The store does not answer, or answers with an error that may pass.
    #[error("the store does not answer ({0})")]
    Unavailable(String),
    /// The store's file is none, or none that can be read.
    #[error(
        "its file is damaged ({0}): stop the server and put the file from your backup in its place"
    )]
    Damaged(String),
    /// What is stored does not match its checksum, or is no document.
    #[error(
        "what is stored of {room} is damaged: {what}; restore it from a backup, as docs/operations.md says"
    )]
    Corrupt {
        /// The document.
        room: String,
        /// What does not fit.
        what: String,
    },
}

impl StoreError {
    /// Whether to try again is of no use: what was read is there, and is damaged.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged(_) | Self::Corrupt { .. })
    }
}
