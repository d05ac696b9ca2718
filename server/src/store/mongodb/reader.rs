//! Reading.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::TryStreamExt;
use mongodb::bson::doc;
use serde::Deserialize;
use tutti_protocol::ids::{DocumentId, ProjectId, RoomName};

use super::Tables;
use super::blobs::BlobError;
use super::layout::{Blob, Head, LogRecord, checksum, damaged};
use crate::mongo::{measured, rooms_of};
use crate::store::{DocumentSize, LogEntry, StoreError, StoredDocument};

/// Records that the database hands over at once. Its own limit is 101, and then 16 MB.
const RECORDS_AT_ONCE: u32 = 100_000;

/// Other nodes may compact a document while it is read; so often in a row they do not.
const TRIES: usize = 10;

/// Why a document was not read.
enum Unread {
    /// A blob that a record points to is not there.
    Torn {
        blob: Blob,
        what: String,
    },
    Failed(StoreError),
}

impl<E: Into<StoreError>> From<E> for Unread {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Tables {
    pub(super) async fn load(&self, room: &RoomName) -> Result<Option<StoredDocument>, StoreError> {
        let room = room.to_string();
        let mut torn: Option<Blob> = None;
        for _ in 0..TRIES {
            match self.try_load(&room).await {
                Ok(document) => return Ok(document),
                Err(Unread::Failed(error)) => return Err(error),
                // A record that has gone points to nothing any more. One that still points to
                // the same missing chunks is damaged.
                Err(Unread::Torn { blob, what }) if torn.as_ref() == Some(&blob) => {
                    return Err(damaged(&room, what));
                }
                Err(Unread::Torn { blob, .. }) => torn = Some(blob),
            }
        }
        let what = "other nodes keep replacing the document while it is read";
        Err(StoreError::Unavailable(what.to_owned()))
    }

    async fn try_load(&self, room: &str) -> Result<Option<StoredDocument>, Unread> {
        // The log before the snapshot; see the head of the module.
        let records = self.log_of(room).await?;
        let head = self.head(room).await?;
        if head.is_none() && records.is_empty() {
            return Ok(None);
        }
        let mut log = Vec::with_capacity(records.len());
        for record in records {
            let id = record.write_id();
            let id = id.ok_or_else(|| damaged(room, "an entry of its log has another name"))?;
            let update = self.update_of(room, record).await?;
            log.push(LogEntry {
                id: id.into(),
                update,
            });
        }
        let (generation, snapshot) = match head {
            None => (0, None),
            Some(head) => {
                let bytes = self.whole(room, &head.snapshot, "its snapshot").await?;
                (head.generation as u64, Some(bytes))
            }
        };
        Ok(Some(StoredDocument {
            generation,
            snapshot,
            log,
        }))
    }

    async fn log_of(&self, room: &str) -> Result<Vec<LogRecord>, StoreError> {
        let records = measured("find", async {
            let records = self
                .log
                .find(doc! { "room": room })
                .sort(doc! { "_id": 1 })
                .batch_size(RECORDS_AT_ONCE);
            records.await?.try_collect().await
        });
        Ok(records.await?)
    }

    pub(super) async fn head(&self, room: &str) -> Result<Option<Head>, StoreError> {
        let head = self.heads.find_one(doc! { "_id": room });
        Ok(measured("find", head).await?)
    }

    async fn update_of(&self, room: &str, record: LogRecord) -> Result<Bytes, Unread> {
        let update = match (record.update, &record.blob) {
            (Some(update), None) => Bytes::from(update.bytes),
            (None, Some(blob)) => self.whole(room, blob, "an entry of its log").await?,
            _ => return Err(damaged(room, "an entry of its log holds no update").into()),
        };
        if record.size != update.len() as i64 || record.checksum != checksum(room, &update) {
            return Err(damaged(room, "an entry of its log does not have its checksum").into());
        }
        Ok(update)
    }

    async fn whole(&self, room: &str, blob: &Blob, of: &str) -> Result<Bytes, Unread> {
        self.read_blob(room, blob)
            .await
            .map_err(|error| match error {
                BlobError::Missing(what) => Unread::Torn {
                    blob: blob.clone(),
                    what: format!("{of} is incomplete: {what}"),
                },
                BlobError::Failed(error) => Unread::Failed(error),
            })
    }

    pub(super) async fn documents(
        &self,
        project: &ProjectId,
    ) -> Result<Vec<DocumentSize>, StoreError> {
        #[derive(Deserialize)]
        struct Size {
            #[serde(rename = "_id")]
            room: String,
            bytes: i64,
        }
        let logs: Vec<Size> = measured("aggregate", async {
            let of_project = doc! { "$match": { "room": rooms_of(project) } };
            let sizes = doc! { "$group": { "_id": "$room", "bytes": { "$sum": "$size" } } };
            let logs = self.log.aggregate([of_project, sizes]).with_type::<Size>();
            logs.batch_size(RECORDS_AT_ONCE).await?.try_collect().await
        })
        .await?;
        let heads: Vec<Head> = measured("find", async {
            let heads = self.heads.find(doc! { "_id": rooms_of(project) });
            heads.batch_size(RECORDS_AT_ONCE).await?.try_collect().await
        })
        .await?;
        let snapshots = heads
            .into_iter()
            .map(|head| (head.room, head.snapshot.size));
        let logs = logs.into_iter().map(|size| (size.room, size.bytes));
        let mut sizes: BTreeMap<DocumentId, u64> = BTreeMap::new();
        for (room, bytes) in logs.chain(snapshots) {
            let name: RoomName = room
                .parse()
                .map_err(|_| damaged(&room, "it has no document's name"))?;
            *sizes.entry(name.document).or_default() += bytes as u64;
        }
        let size = |(document, bytes)| DocumentSize { document, bytes };
        Ok(sizes.into_iter().map(size).collect())
    }
}
