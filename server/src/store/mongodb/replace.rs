//! Replacing a snapshot, by any number of nodes at once.

use std::time::{Duration, SystemTime};

use futures_util::TryStreamExt;
use mongodb::bson::{Document, doc, serialize_to_bson};
use tutti_protocol::ids::RoomName;

use super::Tables;
use super::blobs::BlobError;
use super::layout::{Blob, Head, LogRecord, chunks_since, damaged, named};
use crate::mongo::{Failure, is_duplicate};
use crate::store::{EntryId, Replacement, StoreError};

/// Chunks that nothing points to are swept away when they are older than this: no write takes
/// nearly as long, whatever the nodes' clocks differ by.
const LEFT_BEHIND: Duration = Duration::from_secs(24 * 3600);

/// From the first chunk to the record that points to them. Beyond it, a write is given up.
const LONGEST: Duration = Duration::from_secs(3600);

/// Log entries deleted at once. Whoever writes to the log meanwhile may have to wait for as long as
/// that takes, and people wait for "saved".
const ENTRIES_AT_ONCE: usize = 50;

impl Tables {
    pub(super) async fn replace(
        &self,
        room: &RoomName,
        replacement: Replacement,
    ) -> Result<bool, StoreError> {
        let room = room.to_string();
        let head = self.head(&room).await?;
        let generation = head.as_ref().map_or(0, |head| head.generation);
        if generation != replacement.generation as i64 || !self.exists(&room, &head).await? {
            return Ok(false);
        }
        let started = SystemTime::now();
        let blob = self.write_blob(&room, &replacement.snapshot).await?;
        // Read back before anything points to it, and so before anything goes.
        match self.read_blob(&room, &blob).await {
            Ok(written) if written == replacement.snapshot => {}
            Ok(_) | Err(BlobError::Missing(_)) => {
                let what = "a snapshot reads otherwise than it was written";
                return Err(damaged(&room, what));
            }
            Err(BlobError::Failed(error)) => return Err(error),
        }
        if started.elapsed().unwrap_or(LONGEST) >= LONGEST {
            let what = "a snapshot took too long to write";
            return Err(StoreError::Unavailable(what.to_owned()));
        }
        // If this fails, its outcome is not known; the chunks stay, as something may point to them.
        if !self.point_to(&room, generation, &blob).await? {
            self.delete_blobs(&[&blob]).await?;
            return Ok(false);
        }
        let old = head.map(|head| head.snapshot);
        if let Err(error) = self.tidy(&room, &replacement.contains, &blob, old).await {
            // The snapshot stands. What should have gone is in it, and goes with the next one.
            tracing::warn!(room, %error, "what a new snapshot contains could not all be deleted");
        }
        Ok(true)
    }

    /// Whether there is such a document at all: it may have been deleted.
    async fn exists(&self, room: &str, head: &Option<Head>) -> Result<bool, StoreError> {
        if head.is_some() {
            return Ok(true);
        }
        let entry = self.log.find_one(doc! { "room": room });
        Ok(self.mongo.measured("find", entry).await?.is_some())
    }

    /// Makes `blob` the snapshot that follows `generation`, unless another one does already.
    async fn point_to(&self, room: &str, generation: i64, blob: &Blob) -> Result<bool, StoreError> {
        if generation == 0 {
            let first = Head {
                room: room.to_owned(),
                generation: 1,
                snapshot: blob.clone(),
            };
            return match self
                .mongo
                .attempt("insert", self.heads.insert_one(&first))
                .await?
            {
                Ok(_) => Ok(true),
                Err(error) if is_duplicate(&error) => self.points_to(room, blob).await,
                Err(error) => Err(Failure::from(error).into()),
            };
        }
        let snapshot =
            serialize_to_bson(blob).map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let expected = doc! { "_id": room, "generation": generation };
        let next = doc! { "$set": { "generation": generation + 1, "snapshot": snapshot } };
        let updated = self
            .mongo
            .measured("update", self.heads.update_one(expected, next))
            .await?;
        match updated.matched_count {
            0 => self.points_to(room, blob).await,
            _ => Ok(true),
        }
    }

    /// The driver tries a write again whose answer was lost, and then its own first try is in its
    /// way.
    async fn points_to(&self, room: &str, blob: &Blob) -> Result<bool, StoreError> {
        let head = self.head(room).await?;
        Ok(head.is_some_and(|head| head.snapshot == *blob))
    }

    /// Deletes the entries that the new snapshot contains, then what nothing points to any more.
    async fn tidy(
        &self,
        room: &str,
        contained: &[EntryId],
        current: &Blob,
        old: Option<Blob>,
    ) -> Result<(), StoreError> {
        let kept_in_chunks: Vec<LogRecord> = self
            .mongo
            .measured("find", async {
                let filter = doc! { "room": room, "blob": { "$exists": true } };
                self.log.find(filter).await?.try_collect().await
            })
            .await?;
        for ids in contained.chunks(ENTRIES_AT_ONCE) {
            let ids: Vec<_> = ids.iter().map(|&id| named(id.into())).collect();
            // A name is that of one entry in all rooms.
            let entries = doc! { "_id": { "$in": ids } };
            self.mongo
                .measured("delete", self.log.delete_many(entries))
                .await?;
        }
        let gone = |record: &LogRecord| {
            let id = record.write_id().map(EntryId::from);
            id.is_some_and(|id| contained.contains(&id))
        };
        let (gone, stay): (Vec<_>, Vec<_>) = kept_in_chunks.iter().partition(|entry| gone(entry));
        let gone = gone.iter().filter_map(|entry| entry.blob.as_ref());
        let gone: Vec<&Blob> = gone.chain(&old).collect();
        self.delete_blobs(&gone).await?;

        let stay = stay.iter().filter_map(|entry| entry.blob.as_ref());
        self.sweep(room, stay.chain([current])).await
    }

    /// Deletes what writes left behind that never came to an end. Nothing can come to point to
    /// chunks that are so old, and `in_use` names those that something points to.
    async fn sweep(
        &self,
        room: &str,
        in_use: impl Iterator<Item = &Blob>,
    ) -> Result<(), StoreError> {
        let in_use: Vec<Document> = in_use
            .map(|blob| doc! { "_id": blob.chunk_ids() })
            .collect();
        let old = chunks_since(SystemTime::now() - LEFT_BEHIND);
        let left_behind = doc! { "room": room, "_id": { "$lt": old }, "$nor": in_use };
        self.mongo
            .measured("delete", self.chunks.delete_many(left_behind))
            .await?;
        Ok(())
    }
}
