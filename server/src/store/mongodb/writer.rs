//! The task that writes the log.
//!
//! It takes everything that waits into one insertion. While the database commits that one, the
//! next gathers: a burst costs one round trip, a lone write is not kept waiting, and no write waits
//! for more than the group ahead of it and its own.

use std::collections::HashSet;
use std::time::Instant;

use mongodb::Collection;
use tokio::sync::{mpsc, oneshot};

use super::Tables;
use super::layout::{LogRecord, binary, checksum, named};
use crate::mongo::{Failure, Mongo, not_inserted};
use crate::store::{Append, StoreError};

/// The most bytes of updates in one insertion, which bounds how long one takes.
const GROUP_BYTES: usize = 16 * 1024 * 1024;

/// The most updates in one insertion; the database takes 100,000.
const GROUP_UPDATES: usize = 50_000;

/// A larger update goes into chunks of its own, ahead of its record.
pub(super) const INLINE_BYTES: usize = 1024 * 1024;

/// Appends that may wait. Each room has at most one under way, so this bounds a burst, not
/// throughput.
const WAITING_JOBS: usize = 4_096;

struct Job {
    records: Vec<LogRecord>,
    answer: oneshot::Sender<Result<(), StoreError>>,
}

impl Job {
    fn bytes(&self) -> usize {
        let updates = self.records.iter().flat_map(|record| &record.update);
        updates.map(|update| update.bytes.len()).sum()
    }
}

/// A handle to the task; it ends with the last handle.
#[derive(Clone)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Job>,
}

impl Writer {
    pub(super) fn start(mongo: Mongo, log: Collection<LogRecord>) -> Self {
        let (jobs, receiver) = mpsc::channel(WAITING_JOBS);
        tokio::spawn(write(mongo, log, receiver));
        Self { jobs }
    }

    pub(super) async fn append(&self, records: Vec<LogRecord>) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        let ended = || StoreError::Unavailable("the store's task has ended".to_owned());
        let (answer, result) = oneshot::channel();
        let job = Job { records, answer };
        self.jobs.send(job).await.map_err(|_| ended())?;
        result.await.map_err(|_| ended())?
    }
}

impl Tables {
    /// What is stored of an update.
    pub(super) async fn record(&self, append: &Append) -> Result<LogRecord, StoreError> {
        let room = append.room.to_string();
        let (update, blob) = if append.update.len() > INLINE_BYTES {
            (None, Some(self.write_blob(&room, &append.update).await?))
        } else {
            (Some(binary(append.update.as_ref())), None)
        };
        Ok(LogRecord {
            id: named(append.write),
            size: append.update.len() as i64,
            checksum: checksum(&room, &append.update),
            room,
            update,
            blob,
        })
    }
}

async fn write(mongo: Mongo, log: Collection<LogRecord>, mut jobs: mpsc::Receiver<Job>) {
    while let Some(first) = jobs.recv().await {
        let (mut bytes, mut updates) = (first.bytes(), first.records.len());
        let mut group = vec![first];
        while bytes < GROUP_BYTES && updates < GROUP_UPDATES {
            let Ok(job) = jobs.try_recv() else { break };
            bytes += job.bytes();
            updates += job.records.len();
            group.push(job);
        }
        commit(&mongo, &log, group).await;
    }
}

async fn commit(mongo: &Mongo, log: &Collection<LogRecord>, group: Vec<Job>) {
    let started = Instant::now();
    let all: Vec<&LogRecord> = group.iter().flat_map(|job| &job.records).collect();
    let updates = all.len();
    // Not in order, so that what is there already does not keep the rest from being inserted.
    let inserted = mongo
        .attempt("insert", log.insert_many(all).ordered(false))
        .await;
    metrics::histogram!("tutti_store_commit_seconds").record(started.elapsed());
    let (failed, error) = match inserted {
        Ok(Ok(_)) => (HashSet::new(), None),
        // What is there already was inserted by an earlier try whose answer was lost.
        Ok(Err(error)) => {
            let failed = not_inserted(&error).unwrap_or_else(|| (0..updates).collect());
            (failed, Some(StoreError::from(Failure::from(error))))
        }
        Err(failure) => ((0..updates).collect(), Some(failure.into())),
    };
    match failed.is_empty() {
        true => {
            metrics::counter!("tutti_store_commits_total").increment(1);
            metrics::histogram!("tutti_store_group_updates").record(updates as f64);
        }
        false => metrics::counter!("tutti_store_failures_total").increment(1),
    }
    let mut place = 0;
    for job in group {
        let own = place..place + job.records.len();
        place = own.end;
        // What the database does not take must not keep the others from it.
        let result = match &error {
            Some(error) if own.clone().any(|place| failed.contains(&place)) => Err(error.clone()),
            _ => Ok(()),
        };
        // Who has given up waiting does not need the answer.
        let _ = job.answer.send(result);
    }
}
