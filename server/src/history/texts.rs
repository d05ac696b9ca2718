//! Texts under their hashes: packed with zstd, and compared with their hash whenever they are read.

use bytes::{Bytes, BytesMut};
use sha2::{Digest, Sha256};
use tutti_protocol::blob::BlobHash;
use tutti_protocol::ids::ProjectId;

use super::History;
use crate::store::blobs::PART_BYTES;
use crate::store::{BlobStore, StoreError, WriteId};

/// What texts of programs are packed to a quarter with, at some hundred MiB a second.
const LEVEL: i32 = 3;

/// Packed texts in one message to the store.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
const BATCH_TEXTS: usize = 500;

/// A text and its name.
#[derive(Debug, Clone)]
pub(super) struct Packed {
    pub(super) hash: BlobHash,
    pub(super) bytes: Bytes,
}

pub(crate) fn hash_of(text: &[u8]) -> BlobHash {
    BlobHash(Sha256::digest(text).into())
}

pub(super) fn pack(text: &[u8]) -> Result<Packed, StoreError> {
    let bytes = zstd::bulk::compress(text, LEVEL);
    let bytes = bytes.map_err(|error| StoreError::Unavailable(error.to_string()))?;
    Ok(Packed {
        hash: hash_of(text),
        bytes: bytes.into(),
    })
}

/// The text that was packed; `None` when it is not the one of this name.
pub(crate) fn unpack(packed: &[u8], hash: BlobHash) -> Option<Vec<u8>> {
    let text = zstd::stream::decode_all(packed).ok()?;
    (hash_of(&text) == hash).then_some(text)
}

pub(super) fn damaged(project: &ProjectId, what: String) -> StoreError {
    StoreError::Corrupt {
        room: format!("the history of {project}"),
        what,
    }
}

/// Reads a content of the store, whole.
pub(crate) async fn read_whole(
    store: &dyn BlobStore,
    project: &ProjectId,
    hash: BlobHash,
) -> Result<Option<Bytes>, StoreError> {
    let Some(blob) = store.find(project, hash).await? else {
        return Ok(None);
    };
    let mut bytes = BytesMut::with_capacity(blob.bytes as usize);
    for place in 0..blob.parts() {
        bytes.extend_from_slice(&store.part(project, &blob, place).await?);
    }
    Ok(Some(bytes.freeze()))
}

/// Texts on their way into the store, in messages of many.
pub(super) struct Batch<'a> {
    history: &'a History,
    project: &'a ProjectId,
    small: Vec<(BlobHash, Bytes)>,
    bytes: usize,
}

impl<'a> Batch<'a> {
    pub(super) fn new(history: &'a History, project: &'a ProjectId) -> Self {
        Self {
            history,
            project,
            small: Vec::new(),
            bytes: 0,
        }
    }

    /// Takes a text. It is there when [`Batch::end`] has returned.
    pub(super) async fn put(&mut self, text: Packed) -> Result<(), StoreError> {
        if text.bytes.len() > PART_BYTES {
            return self.put_large(text).await;
        }
        self.bytes += text.bytes.len();
        self.small.push((text.hash, text.bytes));
        if self.bytes >= BATCH_BYTES || self.small.len() >= BATCH_TEXTS {
            self.end().await?;
        }
        Ok(())
    }

    pub(super) async fn end(&mut self) -> Result<(), StoreError> {
        self.bytes = 0;
        let small = std::mem::take(&mut self.small);
        let texts = &self.history.texts;
        texts.put_small(self.project, small).await
    }

    async fn put_large(&self, text: Packed) -> Result<(), StoreError> {
        let (texts, project) = (&self.history.texts, self.project);
        if !texts.touch(project, &[text.hash]).await?.is_empty() {
            return Ok(());
        }
        let upload = WriteId::next();
        let mut place = 0;
        let mut left = text.bytes.clone();
        while !left.is_empty() {
            let part = left.split_to(left.len().min(PART_BYTES));
            texts.put_part(project, upload, place, part).await?;
            place += 1;
        }
        let bytes = text.bytes.len() as u64;
        texts.finish(project, upload, text.hash, bytes).await
    }
}

impl History {
    /// A text that a version names, or such a list.
    ///
    /// # Errors
    /// The store's; [`StoreError::Corrupt`] when it is not there, or is another one.
    pub(crate) async fn text(
        &self,
        project: &ProjectId,
        hash: BlobHash,
    ) -> Result<Vec<u8>, StoreError> {
        let packed = read_whole(&*self.texts, project, hash).await?;
        let packed =
            packed.ok_or_else(|| damaged(project, format!("the text {hash} is missing")))?;
        // Unpacking a large text takes longer than a task may hold its thread.
        let text = tokio::task::spawn_blocking(move || unpack(&packed, hash)).await;
        let text = text.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        text.ok_or_else(|| damaged(project, format!("the text {hash} does not have its hash")))
    }
}
