//! Contents under their hashes: of files that are no texts, and of versions, each in collections of
//! their own.
//!
//! Order stands in for transactions here, too. An upload is noted before its first part, and the
//! note goes when the upload has become a content or its parts are deleted. A content is noted in
//! the same way before it is deleted. So whatever a node leaves behind that is killed between any
//! two steps is found by its note.

mod records;

use std::collections::HashSet;
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{StreamExt, TryStreamExt, stream};
use mongodb::Collection;
use mongodb::bson::{Binary, Document, doc};
use serde::Serialize;
use tutti_protocol::blob::BlobHash;
use tutti_protocol::ids::ProjectId;

use records::{Content, Note, Part, checksum, parts_of_upload};

use super::layout::{binary, chunk_id, damaged, named, write_id};
use crate::mongo::{Failure, Mongo, is_duplicate, not_inserted, rooms_of, schema};
use crate::store::blobs::{BlobStore, StoredBlob, parts_of, to_ms};
use crate::store::{StoreError, WriteId};

/// Contents that are asked about at the same time.
const ASKED_AT_ONCE: usize = 16;

/// One kind of contents in a MongoDB database.
#[derive(Clone)]
pub struct MongoContents(Contents);

/// Its collections.
#[derive(Clone)]
struct Contents {
    mongo: Mongo,
    contents: Collection<Content>,
    parts: Collection<Part>,
    uploads: Collection<Note>,
}

fn name(project: &ProjectId, hash: &BlobHash) -> String {
    format!("{project}/{hash}")
}

/// Inserts records; those that are there already stay as they are.
async fn insert_all<T: Serialize + Send + Sync>(
    mongo: &Mongo,
    collection: &Collection<T>,
    records: &[T],
) -> Result<(), StoreError> {
    if records.is_empty() {
        return Ok(());
    }
    // Not in order, so that what is there already does not keep the rest from being inserted.
    match mongo
        .attempt("insert", collection.insert_many(records).ordered(false))
        .await?
    {
        Err(error) if not_inserted(&error).is_none_or(|failed| !failed.is_empty()) => {
            Err(Failure::from(error).into())
        }
        _ => Ok(()),
    }
}

impl MongoContents {
    /// The contents of files that are no texts.
    pub(super) fn blobs_of(mongo: &Mongo) -> Self {
        Self(Contents {
            mongo: mongo.clone(),
            contents: mongo.collection(schema::BLOBS),
            parts: mongo.collection(schema::BLOB_PARTS),
            uploads: mongo.collection(schema::UPLOADS),
        })
    }

    /// What versions consist of.
    pub(super) fn texts_of(mongo: &Mongo) -> Self {
        Self(Contents {
            mongo: mongo.clone(),
            contents: mongo.collection(schema::TEXTS),
            parts: mongo.collection(schema::TEXT_PARTS),
            uploads: mongo.collection(schema::TEXT_UPLOADS),
        })
    }
}

impl Contents {
    async fn note(&self, project: &ProjectId, upload: WriteId) -> Result<(), StoreError> {
        let note = Note {
            upload: named(upload),
            project: project.to_string(),
        };
        match self
            .mongo
            .attempt("insert", self.uploads.insert_one(&note))
            .await?
        {
            Err(error) if !is_duplicate(&error) => Err(Failure::from(error).into()),
            _ => Ok(()),
        }
    }

    async fn forget(&self, upload: WriteId) -> Result<(), StoreError> {
        let note = doc! { "_id": named(upload) };
        self.mongo
            .measured("delete", self.uploads.delete_one(note))
            .await?;
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
        self.mongo
            .measured("insert", self.parts.insert_one(&part))
            .await?;
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
        if self.mongo.measured("count", parts).await? != u64::from(parts_of(bytes)) {
            return Err(damaged(&name, "parts of it went while it was sent"));
        }
        let content = Content {
            name: name.clone(),
            upload: named(upload),
            bytes: bytes as i64,
            used_at: to_ms(SystemTime::now()),
        };
        match self
            .mongo
            .attempt("insert", self.contents.insert_one(&content))
            .await?
        {
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

    /// The same steps for many contents at once. Each of them is one part at most.
    async fn put_small(
        &self,
        project: &ProjectId,
        contents: Vec<(BlobHash, Bytes)>,
    ) -> Result<(), StoreError> {
        // Asked for first, as most are new: to use one costs a round trip of its own.
        let names = contents.iter().map(|(hash, _)| name(project, hash));
        let names: Vec<String> = names.collect();
        let there = self.found(doc! { "_id": { "$in": names } }).await?;
        let there: Vec<BlobHash> = there.iter().map(|content| content.hash).collect();
        let there = self.touch(project, &there).await?;
        let mut lacking = contents;
        lacking.retain(|(hash, _)| !there.contains(hash));
        if lacking.is_empty() {
            return Ok(());
        }
        let (mut notes, mut parts, mut heads) = (Vec::new(), Vec::new(), Vec::new());
        let now = to_ms(SystemTime::now());
        for (hash, bytes) in lacking {
            let upload = WriteId::next();
            notes.push(Note {
                upload: named(upload),
                project: project.to_string(),
            });
            heads.push(Content {
                name: name(project, &hash),
                upload: named(upload),
                bytes: bytes.len() as i64,
                used_at: now,
            });
            if !bytes.is_empty() {
                parts.push(Part {
                    id: chunk_id(&named(upload), 0),
                    project: project.to_string(),
                    checksum: checksum(upload, &bytes),
                    bytes: binary(bytes),
                });
            }
        }
        insert_all(&self.mongo, &self.uploads, &notes).await?;
        insert_all(&self.mongo, &self.parts, &parts).await?;
        insert_all(&self.mongo, &self.contents, &heads).await?;
        self.settle(&heads).await
    }

    /// Forgets the notes of what has become a content. Where another node was faster, its content
    /// is used and ours goes.
    async fn settle(&self, heads: &[Content]) -> Result<(), StoreError> {
        let names: Vec<&str> = heads.iter().map(|head| head.name.as_str()).collect();
        let there = self.found(doc! { "_id": { "$in": names } }).await?;
        let ours: HashSet<WriteId> = there.iter().map(|content| content.upload).collect();
        let is_ours = |head: &&Content| write_id(&head.upload).is_some_and(|id| ours.contains(&id));
        let (done, beaten): (Vec<_>, Vec<_>) = heads.iter().partition(is_ours);
        let done: Vec<Binary> = done.iter().map(|head| head.upload.clone()).collect();
        let notes = self.uploads.delete_many(doc! { "_id": { "$in": done } });
        self.mongo.measured("delete", notes).await?;
        for head in beaten {
            if !self.use_now(&head.name).await? {
                return Err(damaged(&head.name, "it went while it was written"));
            }
            if let Some(upload) = write_id(&head.upload) {
                self.discard(upload).await?;
            }
        }
        Ok(())
    }

    /// Whether the content is there; it counts as used then.
    async fn use_now(&self, name: &str) -> Result<bool, StoreError> {
        let now = doc! { "$set": { "used_at": to_ms(SystemTime::now()) } };
        let used = self.contents.update_one(doc! { "_id": name }, now);
        Ok(self.mongo.measured("update", used).await?.matched_count > 0)
    }

    async fn discard(&self, upload: WriteId) -> Result<(), StoreError> {
        let parts = self.parts.delete_many(parts_of_upload(upload));
        self.mongo.measured("delete", parts).await?;
        self.forget(upload).await
    }

    async fn find(
        &self,
        project: &ProjectId,
        hash: BlobHash,
    ) -> Result<Option<StoredBlob>, StoreError> {
        let found = self.contents.find_one(doc! { "_id": name(project, &hash) });
        let found = self.mongo.measured("find", found).await?;
        found.map(Content::read).transpose()
    }

    async fn part(
        &self,
        project: &ProjectId,
        blob: &StoredBlob,
        place: u32,
    ) -> Result<Bytes, StoreError> {
        let id = chunk_id(&named(blob.upload), place as i32);
        let part = self
            .mongo
            .measured("find", self.parts.find_one(doc! { "_id": id }))
            .await?;
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

    async fn found(&self, filter: Document) -> Result<Vec<StoredBlob>, StoreError> {
        let found: Vec<Content> = self
            .mongo
            .measured("find", async {
                let found = self.contents.find(filter).sort(doc! { "_id": 1 });
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
        for blob in self.found(unused).await? {
            if named_by.contains(&blob.hash) {
                continue;
            }
            self.note(project, blob.upload).await?;
            let still = doc! { "_id": name(project, &blob.hash), "used_at": since.clone() };
            let gone = self
                .mongo
                .measured("delete", self.contents.delete_one(still))
                .await?;
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
        let notes: Vec<Note> = self
            .mongo
            .measured("find", async {
                self.uploads.find(old).await?.try_collect().await
            })
            .await?;
        for note in notes {
            let content = doc! { "upload": note.upload.clone() };
            let content = self
                .mongo
                .measured("find", self.contents.find_one(content))
                .await?;
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
        self.mongo
            .measured("delete", self.contents.delete_many(blobs))
            .await?;
        let own = doc! { "project": project.as_str() };
        self.mongo
            .measured("delete", self.parts.delete_many(own.clone()))
            .await?;
        self.mongo
            .measured("delete", self.uploads.delete_many(own))
            .await?;
        Ok(())
    }
}

impl BlobStore for MongoContents {
    fn put_part<'a>(
        &'a self,
        project: &'a ProjectId,
        upload: WriteId,
        place: u32,
        bytes: Bytes,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.0.put_part(project, upload, place, bytes))
    }

    fn finish<'a>(
        &'a self,
        project: &'a ProjectId,
        upload: WriteId,
        hash: BlobHash,
        bytes: u64,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.0.finish(project, upload, hash, bytes))
    }

    fn put_small<'a>(
        &'a self,
        project: &'a ProjectId,
        contents: Vec<(BlobHash, Bytes)>,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.0.put_small(project, contents))
    }

    fn discard<'a>(
        &'a self,
        _: &'a ProjectId,
        upload: WriteId,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.0.discard(upload))
    }

    fn find<'a>(
        &'a self,
        project: &'a ProjectId,
        hash: BlobHash,
    ) -> BoxFuture<'a, Result<Option<StoredBlob>, StoreError>> {
        Box::pin(self.0.find(project, hash))
    }

    fn part<'a>(
        &'a self,
        project: &'a ProjectId,
        blob: &'a StoredBlob,
        place: u32,
    ) -> BoxFuture<'a, Result<Bytes, StoreError>> {
        Box::pin(self.0.part(project, blob, place))
    }

    fn touch<'a>(
        &'a self,
        project: &'a ProjectId,
        hashes: &'a [BlobHash],
    ) -> BoxFuture<'a, Result<HashSet<BlobHash>, StoreError>> {
        Box::pin(self.0.touch(project, hashes))
    }

    fn blobs<'a>(
        &'a self,
        project: &'a ProjectId,
    ) -> BoxFuture<'a, Result<Vec<StoredBlob>, StoreError>> {
        let all = doc! { "_id": rooms_of(project) };
        Box::pin(self.0.found(all))
    }

    fn collect<'a>(
        &'a self,
        project: &'a ProjectId,
        unused_since: SystemTime,
        named: &'a HashSet<BlobHash>,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        Box::pin(self.0.collect(project, unused_since, named))
    }

    fn sweep(&self, begun_before: SystemTime) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.0.sweep(begun_before))
    }

    fn delete_blobs<'a>(&'a self, project: &'a ProjectId) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.0.delete_all(project))
    }
}
