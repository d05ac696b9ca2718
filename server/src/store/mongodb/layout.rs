//! The records, as they are stored.

use std::collections::HashSet;
use std::time::SystemTime;

use mongodb::bson::{Binary, Document, doc, spec::BinarySubtype};
use serde::{Deserialize, Serialize};

use crate::store::{EntryId, StoreError, WriteId};

/// A document's snapshot: how many it has had, and where the newest is. A document that was never
/// compacted has no such record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Head {
    #[serde(rename = "_id")]
    pub(super) room: String,
    pub(super) generation: i64,
    pub(super) snapshot: Blob,
}

/// One entry of a document's log. Its update is in it, or in chunks where it is large.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LogRecord {
    #[serde(rename = "_id")]
    pub(super) id: Binary,
    pub(super) room: String,
    /// Bytes of the update.
    pub(super) size: i64,
    pub(super) checksum: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) update: Option<Binary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) blob: Option<Blob>,
}

/// The name of a log entry, without the entry.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Named {
    #[serde(rename = "_id")]
    pub(super) id: Binary,
}

/// Bytes in chunks: complete once a record points to them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Blob {
    pub(super) id: Binary,
    pub(super) chunks: i32,
    pub(super) size: i64,
    pub(super) checksum: i64,
}

/// A part of a blob. Its name is the blob's, and its place in it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Chunk {
    #[serde(rename = "_id")]
    pub(super) id: Binary,
    pub(super) room: String,
    pub(super) bytes: Binary,
}

pub(super) fn binary(bytes: impl Into<Vec<u8>>) -> Binary {
    Binary {
        subtype: BinarySubtype::Generic,
        bytes: bytes.into(),
    }
}

pub(super) fn named(id: WriteId) -> Binary {
    binary(id.to_bytes())
}

pub(super) fn write_id(name: &Binary) -> Option<WriteId> {
    let bytes = name.bytes.as_slice().try_into().ok()?;
    Some(WriteId::from_bytes(bytes))
}

impl LogRecord {
    pub(super) fn write_id(&self) -> Option<WriteId> {
        write_id(&self.id)
    }
}

impl Named {
    pub(super) fn is_in(&self, entries: &HashSet<EntryId>) -> bool {
        write_id(&self.id).is_some_and(|id| entries.contains(&id.into()))
    }
}

impl Blob {
    pub(super) fn chunk_id(&self, place: i32) -> Binary {
        chunk_id(&self.id, place)
    }

    /// The names of all of its chunks, as a condition.
    pub(super) fn chunk_ids(&self) -> Document {
        doc! { "$gte": self.chunk_id(0), "$lte": self.chunk_id(i32::MAX) }
    }
}

pub(super) fn chunk_id(blob: &Binary, place: i32) -> Binary {
    binary([blob.bytes.as_slice(), &place.to_be_bytes()].concat())
}

/// Greater than the names of all chunks that were written before `time`, and less than those of
/// all later ones.
pub(super) fn chunks_since(time: SystemTime) -> Binary {
    chunk_id(&named(WriteId::earliest_at(time)), 0)
}

/// Bound to its document, so that a record that slipped into another one is found too.
pub(super) fn checksum(room: &str, bytes: &[u8]) -> i64 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(room.as_bytes());
    hasher.update(bytes);
    i64::from(hasher.finalize())
}

pub(super) fn damaged(room: &str, what: impl Into<String>) -> StoreError {
    StoreError::Corrupt {
        room: room.to_owned(),
        what: what.into(),
    }
}
