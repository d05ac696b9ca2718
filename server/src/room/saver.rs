//! A room's way into the store: what waits, what is being written, and who waits for it.
//!
//! Saving is counted, not flagged: each update that has to be stored moves `accepted` on, each
//! commit moves `saved` on, and whoever waits names the count it waits for. So nothing that
//! arrives during a write can be taken for written.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tutti_protocol::ids::RoomName;

use super::MemberId;
use crate::rooms::RoomError;
use crate::store::{Append, DocumentStore, StoreError};
use crate::update::merged;

/// Waiting times between tries of a write that failed.
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(5);

/// A write that takes longer than this is told of like one that failed, and goes on.
const SLOW: Duration = Duration::from_secs(2);

/// Updates in one append.
const BATCH_UPDATES: usize = 4_096;

/// From so many on, what waits is stored as one update: a database takes time for each record. Fewer are as soon stored as
/// put together.
const MERGED_UPDATES: usize = 4;

/// Larger ones gain nothing by it.
const MERGED_BYTES: usize = 64 * 1024;

/// Where several write at once, a write starts so long after the last one did, at the soonest: what comes meanwhile is one
/// record. What one alone writes is stored at once, and so is what a program waits for.
const PACE: Duration = Duration::from_millis(40);

/// Several write at once if not all was written by the same one for so long.
const CROWD: Duration = Duration::from_secs(1);

/// What the task that writes tells its room.
#[derive(Debug)]
pub(super) enum SaveEvent {
    /// Everything that was being written is durable.
    Saved,
    /// A try failed, and the next one follows; or it takes long.
    Failing(StoreError),
}

/// Who waits for a count of updates to be durable.
pub(super) enum Waiter {
    /// Gets an acknowledgement.
    Member(MemberId),
    /// Gets its update back.
    Echo(MemberId, Option<Bytes>),
    /// Gets an answer.
    Caller(oneshot::Sender<Result<(), RoomError>>),
    /// Another part of the server, which is only told.
    Flush(oneshot::Sender<()>),
    /// Other nodes, which are told to look into the store.
    Announce,
}

/// What an update takes besides its bytes while it waits: its place in the queue, and its share of
/// what it came in. For a keystroke that is several times its bytes.
const WAITING_BYTES: usize = 128;

/// What an update takes while it waits.
fn weight(update: &Bytes) -> usize {
    update.len() + WAITING_BYTES
}

#[derive(Default)]
pub(super) struct Saver {
    waiting: VecDeque<Bytes>,
    writing: Written,
    /// What everything that waits or is being written takes.
    unsaved_bytes: usize,
    accepted: u64,
    saved: u64,
    waiters: VecDeque<(u64, Waiter)>,
    oldest: Option<Instant>,
    write_started: Option<Instant>,
    next_start: Option<Instant>,
    /// Who has written last, and when it last was somebody else than before.
    last_writer: Option<MemberId>,
    crowded: Option<Instant>,
    /// Somebody waits who does nothing else meanwhile.
    is_pressed: bool,
    failing: Option<StoreError>,
    task: Option<tokio::task::AbortHandle>,
}

impl Saver {
    /// Takes an update to be stored; returns what it takes in memory until then.
    pub(super) fn accept(&mut self, update: Bytes) -> usize {
        let weight = weight(&update);
        self.accepted += 1;
        self.unsaved_bytes += weight;
        self.oldest.get_or_insert_with(Instant::now);
        self.waiting.push_back(update);
        weight
    }

    /// Tells `waiter` once everything accepted so far is durable. Returned at once when it is.
    pub(super) fn wait(&mut self, waiter: Waiter) -> Option<Waiter> {
        if self.saved == self.accepted {
            return Some(waiter);
        }
        match &waiter {
            Waiter::Caller(_) | Waiter::Flush(_) => self.is_pressed = true,
            Waiter::Member(id) | Waiter::Echo(id, _) => {
                if self
                    .last_writer
                    .replace(*id)
                    .is_some_and(|last| last != *id)
                {
                    self.crowded = Some(Instant::now());
                }
            }
            Waiter::Announce => {}
        }
        self.waiters.push_back((self.accepted, waiter));
        None
    }

    /// When a write of what waits may start; none if nothing waits, or a write is under way.
    pub(super) fn due(&self) -> Option<Instant> {
        let idle = self.writing.appends.is_empty() && !self.waiting.is_empty();
        self.next_start.filter(|_| idle)
    }

    /// Starts writing what waits, unless a write is under way or has started only just now.
    pub(super) fn start(
        &mut self,
        store: &Arc<dyn DocumentStore>,
        room: &RoomName,
        events: &mpsc::Sender<SaveEvent>,
    ) {
        if !self.writing.appends.is_empty() || self.waiting.is_empty() {
            return;
        }
        let now = Instant::now();
        let is_crowded = self.crowded.is_some_and(|at| now - at < CROWD);
        let is_soon = self.next_start.is_some_and(|start| now < start);
        if is_soon && is_crowded && !self.is_pressed {
            return;
        }
        self.next_start = Some(now + PACE);
        self.write_started = Some(now);
        let batch = self.take_batch(room);
        let task = tokio::spawn(write(store.clone(), batch, events.clone()));
        self.task = Some(task.abort_handle());
    }

    /// What is to be written next.
    fn take_batch(&mut self, room: &RoomName) -> Vec<Append> {
        self.is_pressed = false;
        let count = self.waiting.len().min(BATCH_UPDATES);
        let updates: Vec<Bytes> = self.waiting.drain(..count).collect();
        let (bytes, weight) = updates.iter().fold((0, 0), |(bytes, sum), update| {
            (bytes + update.len(), sum + weight(update))
        });
        let merged = (count >= MERGED_UPDATES && bytes <= MERGED_BYTES)
            .then(|| merged(&updates))
            .flatten();
        let stored = merged.map_or(updates, |merged| vec![merged]);
        let append = |update| Append::new(room.clone(), update);
        self.writing = Written {
            updates: count,
            weight,
            appends: stored.into_iter().map(append).collect(),
        };
        self.writing.appends.clone()
    }

    /// Drops what is not durable, and who waits for it; returns what it took.
    pub(super) fn give_up(&mut self) -> usize {
        if let Some(task) = self.task.take() {
            task.abort();
        }
        let bytes = std::mem::take(&mut self.unsaved_bytes);
        *self = Self {
            accepted: self.accepted,
            saved: self.accepted,
            ..Self::default()
        };
        bytes
    }

    /// The write under way is durable; returns who has waited for it, and what it was.
    pub(super) fn saved(&mut self) -> (Vec<Waiter>, Written) {
        let written = std::mem::take(&mut self.writing);
        self.saved += written.updates as u64;
        self.unsaved_bytes -= written.weight;
        self.failing = None;
        // What still waits arrived after this write had been put together.
        self.oldest = self
            .write_started
            .take()
            .filter(|_| self.saved < self.accepted);
        let mut ready = Vec::new();
        while self
            .waiters
            .front()
            .is_some_and(|(count, _)| *count <= self.saved)
        {
            ready.extend(self.waiters.pop_front().map(|(_, waiter)| waiter));
        }
        (ready, written)
    }

    /// A try failed; says whether this is news.
    pub(super) fn failing(&mut self, error: StoreError) -> bool {
        self.failing.replace(error).is_none()
    }

    /// Why the last try failed, while it is not made good.
    pub(super) fn failure(&self) -> Option<&StoreError> {
        self.failing.as_ref()
    }

    /// Whether everything accepted is durable.
    pub(super) fn is_clean(&self) -> bool {
        self.saved == self.accepted
    }

    /// Since when something has been waiting to be durable.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.oldest
    }

    /// Every update that is not known to be durable, in order.
    pub(super) fn unsaved(&self) -> impl Iterator<Item = &Bytes> {
        let writing = self.writing.appends.iter().map(|append| &append.update);
        writing.chain(&self.waiting)
    }
}

/// What a write adds to the log.
#[derive(Default)]
pub(super) struct Written {
    /// How many updates it takes from those that wait.
    updates: usize,
    /// What these took in memory.
    pub(super) weight: usize,
    /// What is stored of them.
    pub(super) appends: Vec<Append>,
}

impl Written {
    pub(super) fn bytes(&self) -> usize {
        self.appends.iter().map(|append| append.update.len()).sum()
    }
}

/// Writes until it succeeds. A write keeps its name over all tries, so one whose outcome is not
/// known is simply tried again.
async fn write(store: Arc<dyn DocumentStore>, batch: Vec<Append>, events: mpsc::Sender<SaveEvent>) {
    let mut pause = FIRST_RETRY;
    loop {
        let mut append = store.append(batch.clone());
        let ended = match tokio::time::timeout(SLOW, &mut append).await {
            Ok(ended) => ended,
            Err(_) => {
                if events
                    .send(SaveEvent::Failing(StoreError::Silent))
                    .await
                    .is_err()
                {
                    return;
                }
                append.await
            }
        };
        let event = match ended {
            Ok(()) => SaveEvent::Saved,
            Err(error) => SaveEvent::Failing(error),
        };
        let saved = matches!(event, SaveEvent::Saved);
        // A room outlives its write; it has gone only when the whole runtime has.
        if events.send(event).await.is_err() || saved {
            return;
        }
        // Jittered, so that the rooms of a store that comes back do not return as one.
        tokio::time::sleep(pause.mul_f64(0.5 + jitter())).await;
        pause = (pause * 2).min(LAST_RETRY);
    }
}

/// Between 0 and 0.5.
fn jitter() -> f64 {
    let mut byte = [0u8];
    // Without randomness there is simply no jitter.
    let _ = getrandom::fill(&mut byte);
    f64::from(byte[0]) / 512.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::SqliteStore;

    #[test]
    fn what_arrives_during_a_write_is_not_taken_for_written() {
        let mut saver = Saver::default();
        let flush = || oneshot::channel().0;
        let room: RoomName = "p/d".parse().unwrap();
        saver.accept(Bytes::from_static(b"one"));
        assert!(saver.wait(Waiter::Flush(flush())).is_none());
        saver.take_batch(&room);
        saver.accept(Bytes::from_static(b"second"));
        assert!(saver.wait(Waiter::Flush(flush())).is_none());

        let (ready, written) = saver.saved();
        assert_eq!(ready.len(), 1);
        assert_eq!((written.appends.len(), written.bytes()), (1, 3));
        assert_eq!(written.weight, 3 + WAITING_BYTES);
        assert!(!saver.is_clean());
        assert_eq!(saver.unsaved_bytes, 6 + WAITING_BYTES);
        assert_eq!(saver.unsaved().collect::<Vec<_>>(), [&b"second"[..]]);

        saver.take_batch(&room);
        assert_eq!(saver.saved().0.len(), 1);
        assert!(saver.is_clean() && saver.oldest().is_none());
        assert!(saver.wait(Waiter::Flush(flush())).is_some());
    }

    #[tokio::test]
    async fn what_many_type_is_gathered_and_who_stands_by_is_not_kept_waiting() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&dir.path().join("documents.sqlite3")).unwrap();
        let store: Arc<dyn DocumentStore> = Arc::new(store);
        let (events, mut told) = mpsc::channel(2);
        let room: RoomName = "p/d".parse().unwrap();
        let mut saver = Saver::default();
        saver.accept(Bytes::from_static(b"one"));
        saver.start(&store, &room, &events);
        assert!(matches!(told.recv().await, Some(SaveEvent::Saved)));
        assert_eq!(saver.saved().1.appends.len(), 1);
        assert!(saver.due().is_none(), "nothing waits");

        let later = Instant::now() + Duration::from_secs(3_600);
        saver.next_start = Some(later);
        saver.accept(Bytes::from_static(b"two"));
        saver.wait(Waiter::Member(MemberId(1)));
        saver.start(&store, &room, &events);
        assert_eq!(saver.writing.appends.len(), 1, "one writes alone");
        assert!(matches!(told.recv().await, Some(SaveEvent::Saved)));
        saver.saved();

        saver.next_start = Some(later);
        saver.accept(Bytes::from_static(b"three"));
        saver.wait(Waiter::Member(MemberId(2)));
        saver.crowded = Some(later);
        saver.start(&store, &room, &events);
        assert!(saver.writing.appends.is_empty());
        assert_eq!(saver.due(), Some(later));

        saver.wait(Waiter::Flush(oneshot::channel().0));
        saver.start(&store, &room, &events);
        assert_eq!(saver.writing.appends.len(), 1);
        assert!(saver.due().is_none(), "it is under way");
        assert!(matches!(told.recv().await, Some(SaveEvent::Saved)));
        assert_eq!(saver.saved().0.len(), 2);
    }
}
