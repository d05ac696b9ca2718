//! The store for many nodes: MongoDB.
//!
//! Nothing here needs a transaction. What makes that safe is order:
//! - An update is one record of the log, inserted under a name that its writer chose; a second
//!   try finds it there.
//! - A snapshot's chunks are written and read back first; then one conditional write makes the
//!   document's record point to them; only then do the log entries go that the snapshot
//!   contains, and last the chunks of the snapshot before. A node that is killed at any point
//!   leaves what is read just as well, and at worst chunks that nothing points to, which a later
//!   compaction of the document sweeps away.
//! - A load reads the log first and the snapshot second. An entry that has gone from the log
//!   before it was read is then in the snapshot.

mod blobs;
mod contents;
mod layout;
mod reader;
mod replace;
#[cfg(test)]
mod tests;
mod versions;
mod writer;

use futures_util::future::{BoxFuture, try_join_all};
use mongodb::Collection;
use mongodb::bson::{Document, doc};
use tokio::sync::watch;
use tutti_protocol::ids::{ProjectId, RoomName};

use super::{
    Append, DocumentSize, DocumentStore, EntryId, Replacement, Seen, StoreError, StoredDocument,
    WriteId,
};
use crate::mongo::{Mongo, rooms_of, schema};
use layout::{Chunk, Head, LogRecord};
use writer::Writer;

pub use contents::MongoContents;
pub use versions::MongoVersions;

/// Documents in one MongoDB database, which other nodes may use at the same time.
#[derive(Clone)]
pub struct MongoStore {
    tables: Tables,
    contents: MongoContents,
    texts: MongoContents,
    versions: MongoVersions,
    writer: Writer,
}

#[derive(Clone)]
struct Tables {
    mongo: Mongo,
    heads: Collection<Head>,
    log: Collection<LogRecord>,
    chunks: Collection<Chunk>,
}

impl MongoStore {
    /// The documents in `mongo`. Called within a runtime, which its writing task runs on.
    pub fn new(mongo: &Mongo) -> Self {
        let tables = Tables {
            mongo: mongo.clone(),
            heads: mongo.collection(schema::DOCUMENTS),
            log: mongo.collection(schema::UPDATES),
            chunks: mongo.collection(schema::CHUNKS),
        };
        Self {
            writer: Writer::start(mongo.clone(), tables.log.clone()),
            tables,
            contents: MongoContents::blobs_of(mongo),
            texts: MongoContents::texts_of(mongo),
            versions: MongoVersions::of(mongo),
        }
    }

    /// The contents of files that are no texts.
    pub fn blobs(&self) -> MongoContents {
        self.contents.clone()
    }

    /// What versions consist of: the texts of their files, packed, and the lists of them.
    pub fn texts(&self) -> MongoContents {
        self.texts.clone()
    }

    /// Which versions there are.
    pub fn versions(&self) -> MongoVersions {
        self.versions.clone()
    }
}

impl DocumentStore for MongoStore {
    fn append(&self, batch: Vec<Append>) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let records = batch.iter().map(|append| self.tables.record(append));
            let records = try_join_all(records).await?;
            self.writer.append(records).await
        })
    }

    fn load<'a>(
        &'a self,
        room: &'a RoomName,
    ) -> BoxFuture<'a, Result<Option<StoredDocument>, StoreError>> {
        Box::pin(self.tables.load(room))
    }

    fn news<'a>(
        &'a self,
        room: &'a RoomName,
        seen: &'a Seen,
    ) -> BoxFuture<'a, Result<Option<StoredDocument>, StoreError>> {
        Box::pin(self.tables.news(room, seen))
    }

    fn returns(&self) -> Option<watch::Receiver<u64>> {
        Some(self.tables.mongo.returns())
    }

    fn entry_of(&self, write: WriteId) -> Option<EntryId> {
        Some(write.into())
    }

    fn replace<'a>(
        &'a self,
        room: &'a RoomName,
        replacement: Replacement,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(self.tables.replace(room, replacement))
    }

    fn documents<'a>(
        &'a self,
        project: &'a ProjectId,
    ) -> BoxFuture<'a, Result<Vec<DocumentSize>, StoreError>> {
        Box::pin(self.tables.documents(project))
    }

    fn delete_project<'a>(
        &'a self,
        project: &'a ProjectId,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let rooms = rooms_of(project);
            // The records that point come first, so that nothing is pointed to that has gone.
            let heads: Document = doc! { "_id": rooms.clone() };
            self.tables
                .mongo
                .measured("delete", self.tables.heads.delete_many(heads))
                .await?;
            let rooms = doc! { "room": rooms };
            self.tables
                .mongo
                .measured("delete", self.tables.log.delete_many(rooms.clone()))
                .await?;
            self.tables
                .mongo
                .measured("delete", self.tables.chunks.delete_many(rooms))
                .await?;
            Ok(())
        })
    }
}
