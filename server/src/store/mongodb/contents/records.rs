//! What is written of a content, of its parts, and of parts that are no content.

use mongodb::bson::{Binary, Document, doc};
use serde::{Deserialize, Serialize};

use crate::store::blobs::{StoredBlob, from_ms};
use crate::store::mongodb::layout::{chunk_id, damaged, named, write_id};
use crate::store::{StoreError, WriteId};

/// A content that is there.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Content {
    /// `PROJECT/HASH`.
    #[serde(rename = "_id")]
    pub(super) name: String,
    pub(super) upload: Binary,
    pub(super) bytes: i64,
    /// In milliseconds since 1970.
    pub(super) used_at: i64,
}

/// A part of an upload. Its name is the upload's, and its place in it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Part {
    #[serde(rename = "_id")]
    pub(super) id: Binary,
    pub(super) project: String,
    pub(super) bytes: Binary,
    pub(super) checksum: i64,
}

/// Notes an upload that is no content yet, or one no longer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Note {
    #[serde(rename = "_id")]
    pub(super) upload: Binary,
    pub(super) project: String,
}

/// Bound to its upload, so that a record that slipped into another one is found too.
pub(super) fn checksum(upload: WriteId, bytes: &[u8]) -> i64 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&upload.to_bytes());
    hasher.update(bytes);
    i64::from(hasher.finalize())
}

pub(super) fn parts_of_upload(upload: WriteId) -> Document {
    let upload = named(upload);
    doc! { "_id": { "$gte": chunk_id(&upload, 0), "$lte": chunk_id(&upload, i32::MAX) } }
}

impl Content {
    pub(super) fn read(self) -> Result<StoredBlob, StoreError> {
        let hash = self
            .name
            .split_once('/')
            .and_then(|(_, hash)| hash.parse().ok());
        let upload = write_id(&self.upload);
        let (hash, upload) = hash
            .zip(upload)
            .ok_or_else(|| damaged(&self.name, "its record makes no sense"))?;
        Ok(StoredBlob {
            hash,
            bytes: self.bytes as u64,
            used_at: from_ms(self.used_at),
            upload,
        })
    }
}
