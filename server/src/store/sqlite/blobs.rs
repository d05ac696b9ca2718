//! Contents under their hashes: of files that are no texts, and of versions, each in tables of
//! their own.

use std::collections::HashSet;
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use tutti_protocol::blob::BlobHash;
use tutti_protocol::ids::ProjectId;

use super::{SqliteStore, to_store_error};
use crate::store::blobs::{BlobStore, StoredBlob, from_ms, parts_of, to_ms};
use crate::store::{StoreError, WriteId};

/// The tables of one kind of contents.
#[derive(Debug, Clone, Copy)]
struct Shelf {
    contents: &'static str,
    parts: &'static str,
}

const BLOBS: Shelf = Shelf {
    contents: "blobs",
    parts: "blob_parts",
};

const TEXTS: Shelf = Shelf {
    contents: "texts",
    parts: "text_parts",
};

impl Shelf {
    /// A statement with the names of the tables in it.
    fn sql(self, statement: &str) -> String {
        statement
            .replace("{contents}", self.contents)
            .replace("{parts}", self.parts)
    }
}

/// One kind of contents in a SQLite database.
#[derive(Clone)]
pub struct SqliteContents {
    store: SqliteStore,
    shelf: Shelf,
}

impl SqliteStore {
    /// The contents of files that are no texts.
    pub fn blobs(&self) -> SqliteContents {
        SqliteContents {
            store: self.clone(),
            shelf: BLOBS,
        }
    }

    /// What versions consist of: the texts of their files, packed, and the lists of them.
    pub fn texts(&self) -> SqliteContents {
        SqliteContents {
            store: self.clone(),
            shelf: TEXTS,
        }
    }
}

/// Bound to its upload, so that a row that slipped into another one is found too.
fn checksum(upload: &[u8], bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(upload);
    hasher.update(bytes);
    hasher.finalize()
}

fn damaged(project: &ProjectId, hash: &BlobHash, what: &str) -> StoreError {
    StoreError::Corrupt {
        room: format!("the file {hash} of {project}"),
        what: what.to_owned(),
    }
}

fn stored(row: &Row<'_>) -> rusqlite::Result<StoredBlob> {
    Ok(StoredBlob {
        hash: BlobHash(row.get(0)?),
        bytes: row.get::<_, i64>(1)? as u64,
        used_at: from_ms(row.get(2)?),
        upload: WriteId::from_bytes(row.get(3)?),
    })
}

const COLUMNS: &str = "hash, bytes, used_at, upload";

impl BlobStore for SqliteContents {
    fn put_part<'a>(
        &'a self,
        _: &'a ProjectId,
        upload: WriteId,
        place: u32,
        bytes: Bytes,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let shelf = self.shelf;
        let upload = upload.to_bytes();
        Box::pin(
            self.store
                .writer
                .write(move |write| shelf.put_part(write, &upload, place, &bytes)),
        )
    }

    fn finish<'a>(
        &'a self,
        project: &'a ProjectId,
        upload: WriteId,
        hash: BlobHash,
        bytes: u64,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let project = project.clone();
        let shelf = self.shelf;
        Box::pin(async move {
            let (name, whole) = (project.clone(), upload.to_bytes());
            let finished = self.store.writer.write(move |write| {
                let now = to_ms(SystemTime::now());
                if shelf.use_now(write, &name, &hash, now)? {
                    shelf.delete_parts(write, &whole)?;
                    return Ok(true);
                }
                let parts = shelf.sql(
                    "SELECT count(*), coalesce(sum(length(bytes)), 0) FROM {parts}
                     WHERE upload = ?1",
                );
                let (parts, size): (u32, i64) =
                    write.query_row(&parts, [whole], |row| Ok((row.get(0)?, row.get(1)?)))?;
                if parts != parts_of(bytes) || size as u64 != bytes {
                    return Ok(false);
                }
                shelf.insert(write, &name, &hash, bytes, now, &whole)?;
                Ok(true)
            });
            match finished.await? {
                true => Ok(()),
                false => Err(damaged(
                    &project,
                    &hash,
                    "parts of it went while it was sent",
                )),
            }
        })
    }

    fn put_small<'a>(
        &'a self,
        project: &'a ProjectId,
        contents: Vec<(BlobHash, Bytes)>,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let (project, shelf) = (project.clone(), self.shelf);
        Box::pin(self.store.writer.write(move |write| {
            let now = to_ms(SystemTime::now());
            for (hash, bytes) in &contents {
                if shelf.use_now(write, &project, hash, now)? {
                    continue;
                }
                let upload = WriteId::next().to_bytes();
                if !bytes.is_empty() {
                    shelf.put_part(write, &upload, 0, bytes)?;
                }
                shelf.insert(write, &project, hash, bytes.len() as u64, now, &upload)?;
            }
            Ok(())
        }))
    }

    fn discard<'a>(
        &'a self,
        _: &'a ProjectId,
        upload: WriteId,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let (upload, shelf) = (upload.to_bytes(), self.shelf);
        Box::pin(
            self.store
                .writer
                .write(move |write| shelf.delete_parts(write, &upload)),
        )
    }

    fn find<'a>(
        &'a self,
        project: &'a ProjectId,
        hash: BlobHash,
    ) -> BoxFuture<'a, Result<Option<StoredBlob>, StoreError>> {
        let (project, shelf) = (project.clone(), self.shelf);
        Box::pin(self.store.read(move |connection| {
            let query =
                format!("SELECT {COLUMNS} FROM {{contents}} WHERE project = ?1 AND hash = ?2");
            connection
                .prepare_cached(&shelf.sql(&query))
                .and_then(|mut find| {
                    find.query_row(params![project.as_str(), hash.0], stored)
                        .optional()
                })
                .map_err(to_store_error)
        }))
    }

    fn part<'a>(
        &'a self,
        project: &'a ProjectId,
        blob: &'a StoredBlob,
        place: u32,
    ) -> BoxFuture<'a, Result<Bytes, StoreError>> {
        let (project, blob, shelf) = (project.clone(), blob.clone(), self.shelf);
        Box::pin(
            self.store
                .read(move |connection| shelf.part(connection, &project, &blob, place)),
        )
    }

    fn touch<'a>(
        &'a self,
        project: &'a ProjectId,
        hashes: &'a [BlobHash],
    ) -> BoxFuture<'a, Result<HashSet<BlobHash>, StoreError>> {
        let (project, hashes, shelf) = (project.clone(), hashes.to_vec(), self.shelf);
        Box::pin(self.store.writer.write(move |write| {
            let now = to_ms(SystemTime::now());
            let mut there = HashSet::new();
            for hash in hashes {
                if shelf.use_now(write, &project, &hash, now)? {
                    there.insert(hash);
                }
            }
            Ok(there)
        }))
    }

    fn blobs<'a>(
        &'a self,
        project: &'a ProjectId,
    ) -> BoxFuture<'a, Result<Vec<StoredBlob>, StoreError>> {
        let (project, shelf) = (project.clone(), self.shelf);
        Box::pin(
            self.store
                .read(move |connection| shelf.all(connection, &project).map_err(to_store_error)),
        )
    }

    fn collect<'a>(
        &'a self,
        project: &'a ProjectId,
        unused_since: SystemTime,
        named: &'a HashSet<BlobHash>,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        let shelf = self.shelf;
        Box::pin(async move {
            let unused =
                |blob: &StoredBlob| blob.used_at < unused_since && !named.contains(&blob.hash);
            let mut collected = 0;
            let all = self.blobs(project).await?;
            // One at a time, so that no edit waits for more than one of them.
            for blob in all.into_iter().filter(unused) {
                let (project, upload) = (project.clone(), blob.upload.to_bytes());
                let since = to_ms(unused_since);
                let gone = self.store.writer.write(move |write| {
                    let delete = shelf.sql(
                        "DELETE FROM {contents} WHERE project = ?1 AND hash = ?2 AND used_at < ?3",
                    );
                    let gone =
                        write.execute(&delete, params![project.as_str(), blob.hash.0, since])?;
                    if gone > 0 {
                        shelf.delete_parts(write, &upload)?;
                    }
                    Ok(gone as u64)
                });
                collected += gone.await?;
            }
            Ok(collected)
        })
    }

    fn sweep(&self, begun_before: SystemTime) -> BoxFuture<'_, Result<(), StoreError>> {
        let before = WriteId::earliest_at(begun_before).to_bytes();
        let delete = self.shelf.sql(
            "DELETE FROM {parts} WHERE upload < ?1 AND upload NOT IN (SELECT upload FROM {contents})",
        );
        Box::pin(self.store.writer.write(move |write| {
            write.execute(&delete, [before])?;
            Ok(())
        }))
    }

    fn delete_blobs<'a>(&'a self, project: &'a ProjectId) -> BoxFuture<'a, Result<(), StoreError>> {
        let (project, shelf) = (project.clone(), self.shelf);
        Box::pin(self.store.writer.write(move |write| {
            for delete in [
                "DELETE FROM {parts}
                 WHERE upload IN (SELECT upload FROM {contents} WHERE project = ?1)",
                "DELETE FROM {contents} WHERE project = ?1",
            ] {
                write.execute(&shelf.sql(delete), [project.as_str()])?;
            }
            Ok(())
        }))
    }
}

impl Shelf {
    fn put_part(
        self,
        write: &Transaction<'_>,
        upload: &[u8; 16],
        place: u32,
        bytes: &[u8],
    ) -> rusqlite::Result<()> {
        let insert = "INSERT INTO {parts} (upload, place, bytes, checksum) VALUES (?1, ?2, ?3, ?4)";
        write.prepare_cached(&self.sql(insert))?.execute(params![
            upload,
            place,
            bytes,
            checksum(upload, bytes)
        ])?;
        Ok(())
    }

    fn insert(
        self,
        write: &Transaction<'_>,
        project: &ProjectId,
        hash: &BlobHash,
        bytes: u64,
        now: i64,
        upload: &[u8; 16],
    ) -> rusqlite::Result<()> {
        let insert = "INSERT INTO {contents} (project, hash, bytes, used_at, upload)
                      VALUES (?1, ?2, ?3, ?4, ?5)";
        write.prepare_cached(&self.sql(insert))?.execute(params![
            project.as_str(),
            hash.0,
            bytes as i64,
            now,
            upload
        ])?;
        Ok(())
    }

    /// Whether the content is there; it counts as used then.
    fn use_now(
        self,
        write: &Transaction<'_>,
        project: &ProjectId,
        hash: &BlobHash,
        now: i64,
    ) -> rusqlite::Result<bool> {
        let update = "UPDATE {contents} SET used_at = ?3 WHERE project = ?1 AND hash = ?2";
        let used = write.prepare_cached(&self.sql(update))?.execute(params![
            project.as_str(),
            hash.0,
            now
        ])?;
        Ok(used > 0)
    }

    fn delete_parts(self, write: &Transaction<'_>, upload: &[u8; 16]) -> rusqlite::Result<()> {
        write
            .prepare_cached(&self.sql("DELETE FROM {parts} WHERE upload = ?1"))?
            .execute([upload])?;
        Ok(())
    }

    fn all(
        self,
        connection: &Connection,
        project: &ProjectId,
    ) -> rusqlite::Result<Vec<StoredBlob>> {
        let query = format!("SELECT {COLUMNS} FROM {{contents}} WHERE project = ?1 ORDER BY hash");
        let mut all = connection.prepare_cached(&self.sql(&query))?;
        all.query_map([project.as_str()], stored)?.collect()
    }

    fn part(
        self,
        connection: &Connection,
        project: &ProjectId,
        blob: &StoredBlob,
        place: u32,
    ) -> Result<Bytes, StoreError> {
        let upload = blob.upload.to_bytes();
        let query = "SELECT bytes, checksum FROM {parts} WHERE upload = ?1 AND place = ?2";
        let row: Option<(Vec<u8>, u32)> = connection
            .prepare_cached(&self.sql(query))
            .and_then(|mut one| {
                one.query_row(params![upload, place], |row| Ok((row.get(0)?, row.get(1)?)))
                    .optional()
            })
            .map_err(to_store_error)?;
        match row {
            None => Err(damaged(project, &blob.hash, "a part of it is missing")),
            Some((bytes, expected))
                if bytes.len() != blob.part_bytes(place)
                    || checksum(&upload, &bytes) != expected =>
            {
                let what = "a part of it does not match its checksum";
                Err(damaged(project, &blob.hash, what))
            }
            Some((bytes, _)) => Ok(bytes.into()),
        }
    }
}
