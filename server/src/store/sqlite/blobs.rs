//! Contents of files that are no texts.

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

impl BlobStore for SqliteStore {
    fn put_part<'a>(
        &'a self,
        _: &'a ProjectId,
        upload: WriteId,
        place: u32,
        bytes: Bytes,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let upload = upload.to_bytes();
        Box::pin(self.writer.write(move |write| {
            write
                .prepare_cached(
                    "INSERT INTO blob_parts (upload, place, bytes, checksum) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![upload, place, &bytes[..], checksum(&upload, &bytes)])?;
            Ok(())
        }))
    }

    fn finish<'a>(
        &'a self,
        project: &'a ProjectId,
        upload: WriteId,
        hash: BlobHash,
        bytes: u64,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let project = project.clone();
        Box::pin(async move {
            let (name, whole) = (project.clone(), upload.to_bytes());
            let finished = self.writer.write(move |write| {
                let now = to_ms(SystemTime::now());
                if use_now(write, &name, &hash, now)? {
                    delete_parts(write, &whole)?;
                    return Ok(true);
                }
                let (parts, size): (u32, i64) = write.query_row(
                    "SELECT count(*), coalesce(sum(length(bytes)), 0) FROM blob_parts
                     WHERE upload = ?1",
                    [whole],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )?;
                if parts != parts_of(bytes) || size as u64 != bytes {
                    return Ok(false);
                }
                write.execute(
                    "INSERT INTO blobs (project, hash, bytes, used_at, upload)
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![name.as_str(), hash.0, bytes as i64, now, whole],
                )?;
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

    fn discard<'a>(
        &'a self,
        _: &'a ProjectId,
        upload: WriteId,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let upload = upload.to_bytes();
        Box::pin(self.writer.write(move |write| delete_parts(write, &upload)))
    }

    fn find<'a>(
        &'a self,
        project: &'a ProjectId,
        hash: BlobHash,
    ) -> BoxFuture<'a, Result<Option<StoredBlob>, StoreError>> {
        let project = project.clone();
        Box::pin(self.read(move |connection| {
            let query = format!("SELECT {COLUMNS} FROM blobs WHERE project = ?1 AND hash = ?2");
            connection
                .prepare_cached(&query)
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
        let (project, blob) = (project.clone(), blob.clone());
        Box::pin(self.read(move |connection| part(connection, &project, &blob, place)))
    }

    fn touch<'a>(
        &'a self,
        project: &'a ProjectId,
        hashes: &'a [BlobHash],
    ) -> BoxFuture<'a, Result<HashSet<BlobHash>, StoreError>> {
        let (project, hashes) = (project.clone(), hashes.to_vec());
        Box::pin(self.writer.write(move |write| {
            let now = to_ms(SystemTime::now());
            let mut there = HashSet::new();
            for hash in hashes {
                if use_now(write, &project, &hash, now)? {
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
        let project = project.clone();
        Box::pin(self.read(move |connection| all(connection, &project).map_err(to_store_error)))
    }

    fn collect<'a>(
        &'a self,
        project: &'a ProjectId,
        unused_since: SystemTime,
        named: &'a HashSet<BlobHash>,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        Box::pin(async move {
            let unused =
                |blob: &StoredBlob| blob.used_at < unused_since && !named.contains(&blob.hash);
            let mut collected = 0;
            let all = self.blobs(project).await?;
            // One at a time, so that no edit waits for more than one of them.
            for blob in all.into_iter().filter(unused) {
                let (project, upload) = (project.clone(), blob.upload.to_bytes());
                let since = to_ms(unused_since);
                let gone = self.writer.write(move |write| {
                    let gone = write.execute(
                        "DELETE FROM blobs WHERE project = ?1 AND hash = ?2 AND used_at < ?3",
                        params![project.as_str(), blob.hash.0, since],
                    )?;
                    if gone > 0 {
                        delete_parts(write, &upload)?;
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
        Box::pin(self.writer.write(move |write| {
            write.execute(
                "DELETE FROM blob_parts
                 WHERE upload < ?1 AND upload NOT IN (SELECT upload FROM blobs)",
                [before],
            )?;
            Ok(())
        }))
    }

    fn delete_blobs<'a>(&'a self, project: &'a ProjectId) -> BoxFuture<'a, Result<(), StoreError>> {
        let project = project.clone();
        Box::pin(self.writer.write(move |write| {
            write.execute(
                "DELETE FROM blob_parts
                 WHERE upload IN (SELECT upload FROM blobs WHERE project = ?1)",
                [project.as_str()],
            )?;
            write.execute("DELETE FROM blobs WHERE project = ?1", [project.as_str()])?;
            Ok(())
        }))
    }
}

/// Whether the content is there; it counts as used then.
fn use_now(
    write: &Transaction<'_>,
    project: &ProjectId,
    hash: &BlobHash,
    now: i64,
) -> rusqlite::Result<bool> {
    let used = write
        .prepare_cached("UPDATE blobs SET used_at = ?3 WHERE project = ?1 AND hash = ?2")?
        .execute(params![project.as_str(), hash.0, now])?;
    Ok(used > 0)
}

fn delete_parts(write: &Transaction<'_>, upload: &[u8; 16]) -> rusqlite::Result<()> {
    write
        .prepare_cached("DELETE FROM blob_parts WHERE upload = ?1")?
        .execute([upload])?;
    Ok(())
}

fn all(connection: &Connection, project: &ProjectId) -> rusqlite::Result<Vec<StoredBlob>> {
    let query = format!("SELECT {COLUMNS} FROM blobs WHERE project = ?1 ORDER BY hash");
    let mut all = connection.prepare_cached(&query)?;
    all.query_map([project.as_str()], stored)?.collect()
}

fn part(
    connection: &Connection,
    project: &ProjectId,
    blob: &StoredBlob,
    place: u32,
) -> Result<Bytes, StoreError> {
    let upload = blob.upload.to_bytes();
    let row: Option<(Vec<u8>, u32)> = connection
        .prepare_cached("SELECT bytes, checksum FROM blob_parts WHERE upload = ?1 AND place = ?2")
        .and_then(|mut one| {
            one.query_row(params![upload, place], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
        })
        .map_err(to_store_error)?;
    match row {
        None => Err(damaged(project, &blob.hash, "a part of it is missing")),
        Some((bytes, expected))
            if bytes.len() != blob.part_bytes(place) || checksum(&upload, &bytes) != expected =>
        {
            let what = "a part of it does not match its checksum";
            Err(damaged(project, &blob.hash, what))
        }
        Some((bytes, _)) => Ok(bytes.into()),
    }
}
