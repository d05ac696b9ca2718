//! The thread that writes.
//!
//! It takes everything that waits into one transaction. While it syncs that one to the disk, the
//! next gathers: a burst costs one sync, a lone write is not kept waiting, and no write waits for
//! more than the group ahead of it and its own.

use std::collections::HashMap;
use std::sync::mpsc;
use std::time::Instant;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use tokio::sync::oneshot;
use tutti_protocol::ids::{ProjectId, RoomName};

use super::{CHUNK_BYTES, checksum, reader, to_store_error};
use crate::store::{Append, Replacement, StoreError};

/// The most bytes of updates in one transaction, which bounds how long one takes.
const GROUP_BYTES: usize = 16 * 1024 * 1024;

/// Jobs that may wait. Each room has at most one append and one compaction under way, so this
/// bounds a burst, not throughput.
const WAITING_JOBS: usize = 4_096;

type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

enum Job {
    Append(Vec<Append>, Answer<()>),
    Replace(RoomName, Replacement, Answer<bool>),
    DeleteProject(ProjectId, Answer<()>),
    LimitSize(Option<u64>, Answer<()>),
    Write(Box<dyn FnOnce(&mut Thread) + Send>),
}

/// A handle to the thread; it ends with the last handle.
#[derive(Clone)]
pub(super) struct Writer {
    jobs: tokio::sync::mpsc::Sender<Job>,
}

impl Writer {
    pub(super) fn start(connection: Connection) -> Result<Self, StoreError> {
        let (jobs, receiver) = tokio::sync::mpsc::channel(WAITING_JOBS);
        let (ready, started) = mpsc::channel();
        std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || {
                let _ = ready.send(());
                Thread { connection }.run(receiver);
            })
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let _ = started.recv();
        Ok(Self { jobs })
    }

    async fn ask<T>(&self, job: impl FnOnce(Answer<T>) -> Job) -> Result<T, StoreError> {
        let ended = || StoreError::Unavailable("the store's thread has ended".to_owned());
        let (answer, result) = oneshot::channel();
        self.jobs.send(job(answer)).await.map_err(|_| ended())?;
        result.await.map_err(|_| ended())?
    }

    pub(super) async fn append(&self, batch: Vec<Append>) -> Result<(), StoreError> {
        self.ask(|answer| Job::Append(batch, answer)).await
    }

    pub(super) async fn replace(
        &self,
        room: RoomName,
        replacement: Replacement,
    ) -> Result<bool, StoreError> {
        self.ask(|answer| Job::Replace(room, replacement, answer))
            .await
    }

    pub(super) async fn delete_project(&self, project: ProjectId) -> Result<(), StoreError> {
        self.ask(|answer| Job::DeleteProject(project, answer)).await
    }

    /// Does `work` in a transaction of its own.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let ask = |answer: Answer<T>| {
            Job::Write(Box::new(move |thread: &mut Thread| {
                let _ = answer.send(thread.write(work).map_err(to_store_error));
            }))
        };
        self.ask(ask).await
    }

    pub(super) async fn limit_size(&self, bytes: Option<u64>) -> Result<(), StoreError> {
        self.ask(|answer| Job::LimitSize(bytes, answer)).await
    }
}

struct Thread {
    connection: Connection,
}

impl Thread {
    fn run(mut self, mut jobs: tokio::sync::mpsc::Receiver<Job>) {
        let mut next = None;
        while let Some(job) = next.take().or_else(|| jobs.blocking_recv()) {
            match job {
                Job::Append(batch, answer) => {
                    let mut bytes = size(&batch);
                    let mut group = vec![(batch, answer)];
                    while bytes < GROUP_BYTES {
                        match jobs.try_recv() {
                            Ok(Job::Append(batch, answer)) => {
                                bytes += size(&batch);
                                group.push((batch, answer));
                            }
                            Ok(other) => {
                                next = Some(other);
                                break;
                            }
                            Err(_) => break,
                        }
                    }
                    self.commit(group);
                }
                Job::Replace(room, replacement, answer) => {
                    let _ = answer.send(self.replace(&room, &replacement));
                }
                Job::DeleteProject(project, answer) => {
                    let result = self.delete_project(&project).map_err(to_store_error);
                    let _ = answer.send(result);
                }
                Job::Write(work) => work(&mut self),
                Job::LimitSize(bytes, answer) => {
                    let _ = answer.send(self.limit_size(bytes).map_err(to_store_error));
                }
            }
        }
    }

    fn commit(&mut self, group: Vec<(Vec<Append>, Answer<()>)>) {
        let started = Instant::now();
        let all = self.append(group.iter().map(|(batch, _)| batch.as_slice()));
        metrics::histogram!("tutti_store_commit_seconds").record(started.elapsed());
        match all {
            Ok(()) => {
                let updates: usize = group.iter().map(|(batch, _)| batch.len()).sum();
                metrics::counter!("tutti_store_commits_total").increment(1);
                metrics::histogram!("tutti_store_group_updates").record(updates as f64);
                for (_, answer) in group {
                    let _ = answer.send(Ok(()));
                }
            }
            Err(error) if group.len() == 1 => {
                metrics::counter!("tutti_store_failures_total").increment(1);
                for (_, answer) in group {
                    let _ = answer.send(Err(error.clone()));
                }
            }
            // What is too large for the space left must not keep the small ones from it.
            Err(_) => {
                for (batch, answer) in group {
                    self.commit(vec![(batch, answer)]);
                }
            }
        }
    }

    fn append<'a>(
        &mut self,
        batches: impl Iterator<Item = &'a [Append]>,
    ) -> Result<(), StoreError> {
        let write = self.begin().map_err(to_store_error)?;
        insert(&write, batches.flatten()).map_err(to_store_error)?;
        write.commit().map_err(to_store_error)
    }

    fn replace(&mut self, room: &RoomName, replacement: &Replacement) -> Result<bool, StoreError> {
        let write = self.begin().map_err(to_store_error)?;
        let doc: Option<i64> = write
            .query_row(
                "SELECT doc FROM documents WHERE project = ?1 AND document = ?2 AND generation = ?3",
                params![
                    room.project.as_str(),
                    room.document.as_str(),
                    replacement.generation as i64
                ],
                |row| row.get(0),
            )
            .optional()
            .map_err(to_store_error)?;
        let Some(doc) = doc else {
            return Ok(false);
        };
        let generation = replacement.generation as i64 + 1;
        put_snapshot(&write, doc, generation, &replacement.snapshot).map_err(to_store_error)?;

        // Read back before anything goes; an error rolls everything back.
        let written = reader::snapshot(&write, room, doc, generation)?;
        if written.as_ref() != Some(&replacement.snapshot) {
            return Err(StoreError::Corrupt {
                room: room.to_string(),
                what: "a snapshot reads otherwise than it was written".to_owned(),
            });
        }
        let delete = || -> rusqlite::Result<()> {
            write.execute(
                "DELETE FROM snapshot_chunks WHERE doc = ?1 AND generation < ?2",
                params![doc, generation],
            )?;
            let mut entry =
                write.prepare_cached("DELETE FROM updates WHERE seq = ?1 AND doc = ?2")?;
            for id in &replacement.contains {
                entry.execute(params![id.0 as i64, doc])?;
            }
            Ok(())
        };
        delete().map_err(to_store_error)?;
        write.commit().map_err(to_store_error)?;
        Ok(true)
    }

    fn delete_project(&mut self, project: &ProjectId) -> rusqlite::Result<()> {
        let write = self.begin()?;
        for table in ["updates", "snapshots", "snapshot_chunks"] {
            write.execute(
                &format!(
                    "DELETE FROM {table} WHERE doc IN (SELECT doc FROM documents WHERE project = ?1)"
                ),
                [project.as_str()],
            )?;
        }
        write.execute(
            "DELETE FROM documents WHERE project = ?1",
            [project.as_str()],
        )?;
        write.commit()
    }

    fn limit_size(&mut self, bytes: Option<u64>) -> rusqlite::Result<()> {
        let page: i64 = self
            .connection
            .pragma_query_value(None, "page_size", |row| row.get(0))?;
        // SQLite's own largest number of pages stands for "no limit".
        let pages = bytes.map_or(4_294_967_294, |bytes| (bytes as i64 / page).max(1));
        self.connection
            .pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
    }

    fn write<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let write = self.begin()?;
        let done = work(&write)?;
        write.commit()?;
        Ok(done)
    }

    fn begin(&mut self) -> rusqlite::Result<Transaction<'_>> {
        self.connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
    }
}

fn size(batch: &[Append]) -> usize {
    batch.iter().map(|append| append.update.len()).sum()
}

fn insert<'a>(
    write: &Transaction<'_>,
    updates: impl Iterator<Item = &'a Append>,
) -> rusqlite::Result<()> {
    let mut docs: HashMap<&RoomName, i64> = HashMap::new();
    let mut insert =
        write.prepare_cached("INSERT INTO updates (doc, bytes, checksum) VALUES (?1, ?2, ?3)")?;
    for append in updates {
        let doc = match docs.get(&append.room) {
            Some(&doc) => doc,
            None => {
                let doc = document(write, &append.room)?;
                docs.insert(&append.room, doc);
                doc
            }
        };
        let update: &[u8] = &append.update;
        insert.execute(params![doc, update, checksum(doc, update)])?;
    }
    Ok(())
}

/// The number of a document, which it gets here if it has none.
fn document(write: &Transaction<'_>, room: &RoomName) -> rusqlite::Result<i64> {
    let names = params![room.project.as_str(), room.document.as_str()];
    let known = write
        .prepare_cached("SELECT doc FROM documents WHERE project = ?1 AND document = ?2")?
        .query_row(names, |row| row.get(0))
        .optional()?;
    if let Some(doc) = known {
        return Ok(doc);
    }
    write
        .prepare_cached("INSERT INTO documents (project, document) VALUES (?1, ?2)")?
        .execute(names)?;
    Ok(write.last_insert_rowid())
}

fn put_snapshot(
    write: &Transaction<'_>,
    doc: i64,
    generation: i64,
    snapshot: &[u8],
) -> rusqlite::Result<()> {
    let mut insert = write.prepare_cached(
        "INSERT INTO snapshot_chunks (doc, generation, chunk, bytes) VALUES (?1, ?2, ?3, ?4)",
    )?;
    let mut chunks = 0i64;
    for chunk in snapshot.chunks(CHUNK_BYTES) {
        insert.execute(params![doc, generation, chunks, chunk])?;
        chunks += 1;
    }
    write.execute(
        "INSERT OR REPLACE INTO snapshots (doc, generation, chunks, bytes, checksum)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            doc,
            generation,
            chunks,
            snapshot.len() as i64,
            checksum(doc, snapshot)
        ],
    )?;
    write.execute(
        "UPDATE documents SET generation = ?2 WHERE doc = ?1",
        params![doc, generation],
    )?;
    Ok(())
}
