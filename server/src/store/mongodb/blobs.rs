//! Bytes that may be larger than a record: written in chunks, read whole or not at all.

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use mongodb::bson::doc;

use super::Tables;
use super::layout::{Blob, Chunk, binary, checksum, damaged, named};
use crate::store::{StoreError, WriteId};

/// The largest part in one record, well below the 16 MiB that a record may have.
pub(super) const CHUNK_BYTES: usize = 4 * 1024 * 1024;

/// Chunks in one insertion: no message to the database becomes larger than two records may be.
const CHUNKS_AT_ONCE: usize = 4;

/// Why a blob was not read.
pub(super) enum BlobError {
    /// Not all of it is there. Where it was written whole, another node has removed it meanwhile.
    Missing(String),
    Failed(StoreError),
}

impl Tables {
    /// Writes bytes under a new name. They are durable when this returns.
    pub(super) async fn write_blob(&self, room: &str, bytes: &Bytes) -> Result<Blob, StoreError> {
        let blob = Blob {
            // New with each try, so that no sweep takes it for an old one.
            id: named(WriteId::next()),
            chunks: bytes.len().div_ceil(CHUNK_BYTES) as i32,
            size: bytes.len() as i64,
            checksum: checksum(room, bytes),
        };
        let mut place = 0;
        for group in bytes.chunks(CHUNK_BYTES * CHUNKS_AT_ONCE) {
            let mut chunks = Vec::with_capacity(CHUNKS_AT_ONCE);
            for part in group.chunks(CHUNK_BYTES) {
                chunks.push(Chunk {
                    id: blob.chunk_id(place),
                    room: room.to_owned(),
                    bytes: binary(part),
                });
                place += 1;
            }
            self.mongo
                .measured("insert", self.chunks.insert_many(&chunks))
                .await?;
        }
        Ok(blob)
    }

    pub(super) async fn read_blob(&self, room: &str, blob: &Blob) -> Result<Bytes, BlobError> {
        let failed = |failure: crate::mongo::Failure| BlobError::Failed(failure.into());
        let chunks: Vec<Chunk> = self
            .mongo
            .measured("find", async {
                let ids = doc! { "_id": blob.chunk_ids() };
                let chunks = self.chunks.find(ids).sort(doc! { "_id": 1 }).await?;
                chunks.try_collect().await
            })
            .await
            .map_err(failed)?;
        if chunks.len() != blob.chunks as usize {
            return Err(BlobError::Missing(format!(
                "{} of {} chunks are there",
                chunks.len(),
                blob.chunks
            )));
        }
        let mut bytes = BytesMut::with_capacity(blob.size as usize);
        for chunk in &chunks {
            bytes.extend_from_slice(&chunk.bytes.bytes);
        }
        let bytes = bytes.freeze();
        if bytes.len() as i64 != blob.size || checksum(room, &bytes) != blob.checksum {
            let error = damaged(room, "chunks do not have their checksum");
            return Err(BlobError::Failed(error));
        }
        Ok(bytes)
    }

    pub(super) async fn delete_blobs(&self, blobs: &[&Blob]) -> Result<(), StoreError> {
        if blobs.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = blobs
            .iter()
            .map(|blob| doc! { "_id": blob.chunk_ids() })
            .collect();
        self.mongo
            .measured("delete", self.chunks.delete_many(doc! { "$or": ids }))
            .await?;
        Ok(())
    }
}
