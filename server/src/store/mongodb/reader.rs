//! Reading.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::TryStreamExt;
use mongodb::bson::{Document as Filter, doc};
use serde::Deserialize;
use tutti_protocol::ids::{DocumentId, ProjectId, RoomName};

use super::Tables;
use super::blobs::BlobError;
use super::layout::{Blob, Head, LogRecord, Named, checksum, damaged};
use crate::mongo::rooms_of;
use crate::store::{DocumentSize, LogEntry, Seen, StoreError, StoredDocument};

/// Records that the database hands over at once. Its own limit is 101, and then 16 MB.
const RECORDS_AT_ONCE: u32 = 100_000;

/// Log entries asked for by their names at once.
const NAMES_AT_ONCE: usize = 10_000;

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
        let records = self.log_where(doc! { "room": room }).await?;
        let head = self.head(room).await?;
        if head.is_none() && records.is_empty() {
            return Ok(None);
        }
        let log = self.entries(room, records).await?;
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

    /// What is not in `seen` yet.
    pub(super) async fn news(
        &self,
        name: &RoomName,
        seen: &Seen,
    ) -> Result<Option<StoredDocument>, StoreError> {
        let room = name.to_string();
        let names = self.names(&room).await?;
        let (all, unseen) = (names.len(), names.into_iter());
        let unseen: Vec<Named> = unseen.filter(|name| !name.is_in(&seen.entries)).collect();
        let log = match self.entries_named(&room, &unseen).await {
            Ok(log) => log,
            // Its entry has gone into a snapshot, or is damaged; a load tells.
            Err(Unread::Torn { .. }) => return self.load(name).await,
            Err(Unread::Failed(error)) => return Err(error),
        };
        // Entries go after the snapshot that contains them has come. If none has come by now,
        // every entry that was appended before is seen, or was read.
        let head = self.head(&room).await?;
        if head.is_none() && all == 0 {
            return Ok(None);
        }
        let generation = head.map_or(0, |head| head.generation as u64);
        if generation != seen.generation {
            return self.load(name).await;
        }
        Ok(Some(StoredDocument {
            generation,
            snapshot: None,
            log,
        }))
    }

    /// The names of a document's log entries, in their order, without the updates.
    async fn names(&self, room: &str) -> Result<Vec<Named>, StoreError> {
        let names = self.mongo.measured("find", async {
            let log = self.log.clone_with_type::<Named>();
            let names = log
                .find(doc! { "room": room })
                .projection(doc! { "_id": 1 })
                .sort(doc! { "_id": 1 })
                .batch_size(RECORDS_AT_ONCE);
            names.await?.try_collect().await
        });
        Ok(names.await?)
    }

    async fn entries_named(&self, room: &str, names: &[Named]) -> Result<Vec<LogEntry>, Unread> {
        let mut log = Vec::with_capacity(names.len());
        for names in names.chunks(NAMES_AT_ONCE) {
            let names: Vec<_> = names.iter().map(|name| name.id.clone()).collect();
            let named = doc! { "room": room, "_id": { "$in": names } };
            let records = self.log_where(named).await?;
            log.extend(self.entries(room, records).await?);
        }
        Ok(log)
    }

    async fn entries(&self, room: &str, records: Vec<LogRecord>) -> Result<Vec<LogEntry>, Unread> {
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
        Ok(log)
    }

    async fn log_where(&self, filter: Filter) -> Result<Vec<LogRecord>, StoreError> {
        let records = self.mongo.measured("find", async {
            let records = self
                .log
                .find(filter)
                .sort(doc! { "_id": 1 })
                .batch_size(RECORDS_AT_ONCE);
            records.await?.try_collect().await
        });
        Ok(records.await?)
    }

    pub(super) async fn head(&self, room: &str) -> Result<Option<Head>, StoreError> {
        let head = self.heads.find_one(doc! { "_id": room });
        Ok(self.mongo.measured("find", head).await?)
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
        let logs: Vec<Size> = self
            .mongo
            .measured("aggregate", async {
                let of_project = doc! { "$match": { "room": rooms_of(project) } };
                let sizes = doc! { "$group": { "_id": "$room", "bytes": { "$sum": "$size" } } };
                let logs = self.log.aggregate([of_project, sizes]).with_type::<Size>();
                logs.batch_size(RECORDS_AT_ONCE).await?.try_collect().await
            })
            .await?;
        let heads: Vec<Head> = self
            .mongo
            .measured("find", async {
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
