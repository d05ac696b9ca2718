//! Contents of files that are no texts.
//!
//! Order stands in for transactions here, too. An upload is noted before its first part, and the
//! note goes when the upload has become a content or its parts are deleted. A content is noted in
//! the same way before it is deleted. So whatever a node leaves behind that is killed between any
//! two steps is found by its note.

use std::collections::HashSet;
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{StreamExt, TryStreamExt, stream};
use mongodb::Collection;
use mongodb::bson::{Binary, Document, doc};
use serde::{Deserialize, Serialize};
use tutti_protocol::blob::BlobHash;
use tutti_protocol::ids::ProjectId;

use super::MongoStore;
use super::layout::{binary, chunk_id, damaged, named, write_id};
use crate::mongo::{Failure, Mongo, is_duplicate, measured, raw, rooms_of, schema};
use crate::store::blobs::{BlobStore, StoredBlob, from_ms, parts_of, to_ms};
use crate::store::{StoreError, WriteId};

/// Contents that are asked about at the same time.
const ASKED_AT_ONCE: usize = 16;

/// The collections of contents.
#[derive(Clone)]
pub(super) struct Contents {
    blobs: Collection<Content>,
    parts: Collection<Part>,
    uploads: Collection<Note>,
}

/// A content that is there.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Content {
    /// `PROJECT/HASH`.
    #[serde(rename = "_id")]
    name: String,
    upload: Binary,
    bytes: i64,
    /// In milliseconds since 1970.
    used_at: i64,
}

/// A part of an upload. Its name is the upload's, and its place in it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Part {
    #[serde(rename = "_id")]
    id: Binary,
    project: String,
    bytes: Binary,
    checksum: i64,
}

/// Notes an upload that is no content yet, or one no longer.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Note {
    #[serde(rename = "_id")]
    upload: Binary,
    project: String,
}

/// Bound to its upload, so that a record that slipped into another one is found too.
fn checksum(upload: WriteId, bytes: &[u8]) -> i64 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&upload.to_bytes());
    hasher.update(bytes);
    i64::from(hasher.finalize())
}

fn name(project: &ProjectId, hash: &BlobHash) -> String {
    format!("{project}/{hash}")
}

fn parts_of_upload(upload: WriteId) -> Document {
    let upload = named(upload);
    doc! { "_id": { "$gte": chunk_id(&upload, 0), "$lte": chunk_id(&upload, i32::MAX) } }
}

impl Content {
    fn read(self) -> Result<StoredBlob, StoreError> {
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

impl Contents {
    pub(super) fn of(mongo: &Mongo) -> Self {
        Self {
            blobs: mongo.collection(schema::BLOBS),
            parts: mongo.collection(schema::BLOB_PARTS),
            uploads: mongo.collection(schema::UPLOADS),
        }
    }

    async fn note(&self, project: &ProjectId, upload: WriteId) -> Result<(), StoreError> {
        let note = Note {
            upload: named(upload),
            project: project.to_string(),
        };
        match raw("insert", self.uploads.insert_one(&note)).await? {
            Err(error) if !is_duplicate(&error) => Err(Failure::from(error).into()),
            _ => Ok(()),
        }
    }

    async fn forget(&self, upload: WriteId) -> Result<(), StoreError> {
        let note = doc! { "_id": named(upload) };
        measured("delete", self.uploads.delete_one(note)).await?;
        Ok(())
    }

    async fn put_part(
        &self,
        project: &ProjectId,
        upload: WriteId,
        place: u32,
        bytes: Bytes,
    ) -> Result<(), StoreError> {
        if place == 0 {
            self.note(project, upload).await?;
        }
        let part = Part {
            id: chunk_id(&named(upload), place as i32),
            project: project.to_string(),
            checksum: checksum(upload, &bytes),
            bytes: binary(bytes),
        };
        measured("insert", self.parts.insert_one(&part)).await?;
        Ok(())
    }

    async fn finish(
        &self,
        project: &ProjectId,
        upload: WriteId,
        hash: BlobHash,
        bytes: u64,
    ) -> Result<(), StoreError> {
        let name = name(project, &hash);
        if self.use_now(&name).await? {
            return self.discard(upload).await;
        }
        let parts = self.parts.count_documents(parts_of_upload(upload));
        if measured("count", parts).await? != u64::from(parts_of(bytes)) {
            return Err(damaged(&name, "parts of it went while it was sent"));
        }
        let content = Content {
            name: name.clone(),
            upload: named(upload),
            bytes: bytes as i64,
            used_at: to_ms(SystemTime::now()),
        };
        match raw("insert", self.blobs.insert_one(&content)).await? {
            Ok(_) => self.forget(upload).await,
            // Another node was faster; or the driver's first try, whose answer was lost.
            Err(error) if is_duplicate(&error) => match self.find(project, hash).await? {
                Some(there) if there.upload == upload => self.forget(upload).await,
                _ => {
                    self.use_now(&name).await?;
                    self.discard(upload).await
                }
            },
            Err(error) => Err(Failure::from(error).into()),
        }
    }

    /// Whether the content is there; it counts as used then.
    async fn use_now(&self, name: &str) -> Result<bool, StoreError> {
        let now = doc! { "$set": { "used_at": to_ms(SystemTime::now()) } };
        let used = self.blobs.update_one(doc! { "_id": name }, now);
        Ok(measured("update", used).await?.matched_count > 0)
    }

    async fn discard(&self, upload: WriteId) -> Result<(), StoreError> {
        let parts = self.parts.delete_many(parts_of_upload(upload));
        measured("delete", parts).await?;
        self.forget(upload).await
    }

    async fn find(
        &self,
        project: &ProjectId,
        hash: BlobHash,
    ) -> Result<Option<StoredBlob>, StoreError> {
        let found = self.blobs.find_one(doc! { "_id": name(project, &hash) });
        let found = measured("find", found).await?;
        found.map(Content::read).transpose()
    }

    async fn part(
        &self,
        project: &ProjectId,
        blob: &StoredBlob,
        place: u32,
    ) -> Result<Bytes, StoreError> {
        let id = chunk_id(&named(blob.upload), place as i32);
        let part = measured("find", self.parts.find_one(doc! { "_id": id })).await?;
        let damaged = |what: &str| damaged(&name(project, &blob.hash), what);
        let part = part.ok_or_else(|| damaged("a part of it is missing"))?;
        let bytes = Bytes::from(part.bytes.bytes);
        if bytes.len() != blob.part_bytes(place) || checksum(blob.upload, &bytes) != part.checksum {
            return Err(damaged("a part of it does not match its checksum"));
        }
        Ok(bytes)
    }

    async fn touch(
        &self,
        project: &ProjectId,
        hashes: &[BlobHash],
    ) -> Result<HashSet<BlobHash>, StoreError> {
        // One record at a time: each answer says of one content whether it was there to be used, and
        // who collects it meanwhile is either before that or after.
        let used = stream::iter(hashes.to_vec()).map(|hash| async move {
            let is_there = self.use_now(&name(project, &hash)).await?;
            Ok::<_, StoreError>(is_there.then_some(hash))
        });
        let there: Vec<Option<BlobHash>> = used.buffered(ASKED_AT_ONCE).try_collect().await?;
        Ok(there.into_iter().flatten().collect())
    }

    async fn contents(&self, filter: Document) -> Result<Vec<StoredBlob>, StoreError> {
        let found: Vec<Content> = measured("find", async {
            let found = self.blobs.find(filter).sort(doc! { "_id": 1 });
            found.await?.try_collect().await
        })
        .await?;
        found.into_iter().map(Content::read).collect()
    }

    async fn collect(
        &self,
        project: &ProjectId,
        unused_since: SystemTime,
        named_by: &HashSet<BlobHash>,
    ) -> Result<u64, StoreError> {
        let since = doc! { "$lt": to_ms(unused_since) };
        let unused = doc! { "_id": rooms_of(project), "used_at": since.clone() };
        let mut collected = 0;
        for blob in self.contents(unused).await? {
            if named_by.contains(&blob.hash) {
                continue;
            }
            self.note(project, blob.upload).await?;
            let still = doc! { "_id": name(project, &blob.hash), "used_at": since.clone() };
            let gone = measured("delete", self.blobs.delete_one(still)).await?;
            match gone.deleted_count {
                0 => self.forget(blob.upload).await?,
                _ => self.discard(blob.upload).await?,
            }
            collected += gone.deleted_count;
        }
        Ok(collected)
    }

    async fn sweep(&self, begun_before: SystemTime) -> Result<(), StoreError> {
        let old = doc! { "_id": { "$lt": named(WriteId::earliest_at(begun_before)) } };
        let notes: Vec<Note> = measured("find", async {
            self.uploads.find(old).await?.try_collect().await
        })
        .await?;
        for note in notes {
            let content = doc! { "upload": note.upload.clone() };
            let content = measured("find", self.blobs.find_one(content)).await?;
            match (write_id(&note.upload), content) {
                (Some(upload), None) => self.discard(upload).await?,
                (Some(upload), Some(_)) => self.forget(upload).await?,
                (None, _) => return Err(damaged("uploads", "a note has no upload's name")),
            }
        }
        Ok(())
    }

    async fn delete_all(&self, project: &ProjectId) -> Result<(), StoreError> {
        let blobs = doc! { "_id": rooms_of(project) };
        measured("delete", self.blobs.delete_many(blobs)).await?;
        let own = doc! { "project": project.as_str() };
        measured("delete", self.parts.delete_many(own.clone())).await?;
        measured("delete", self.uploads.delete_many(own)).await?;
        Ok(())
    }
}

impl BlobStore for MongoStore {
    fn put_part<'a>(
        &'a self,
        project: &'a ProjectId,
        upload: WriteId,
        place: u32,
        bytes: Bytes,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.contents.put_part(project, upload, place, bytes))
    }

    fn finish<'a>(
        &'a self,
        project: &'a ProjectId,
        upload: WriteId,
        hash: BlobHash,
        bytes: u64,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.contents.finish(project, upload, hash, bytes))
    }

    fn discard<'a>(
        &'a self,
        _: &'a ProjectId,
        upload: WriteId,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.contents.discard(upload))
    }

    fn find<'a>(
        &'a self,
        project: &'a ProjectId,
        hash: BlobHash,
    ) -> BoxFuture<'a, Result<Option<StoredBlob>, StoreError>> {
        Box::pin(self.contents.find(project, hash))
    }

    fn part<'a>(
        &'a self,
        project: &'a ProjectId,
        blob: &'a StoredBlob,
        place: u32,
    ) -> BoxFuture<'a, Result<Bytes, StoreError>> {
        Box::pin(self.contents.part(project, blob, place))
    }

    fn touch<'a>(
        &'a self,
        project: &'a ProjectId,
        hashes: &'a [BlobHash],
    ) -> BoxFuture<'a, Result<HashSet<BlobHash>, StoreError>> {
        Box::pin(self.contents.touch(project, hashes))
    }

    fn blobs<'a>(
        &'a self,
        project: &'a ProjectId,
    ) -> BoxFuture<'a, Result<Vec<StoredBlob>, StoreError>> {
        let all = doc! { "_id": rooms_of(project) };
        Box::pin(self.contents.contents(all))
    }

    fn collect<'a>(
        &'a self,
        project: &'a ProjectId,
        unused_since: SystemTime,
        named: &'a HashSet<BlobHash>,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        Box::pin(self.contents.collect(project, unused_since, named))
    }

    fn sweep(&self, begun_before: SystemTime) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.contents.sweep(begun_before))
    }

    fn delete_blobs<'a>(&'a self, project: &'a ProjectId) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.contents.delete_all(project))
    }
}
