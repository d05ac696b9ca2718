//! The registry's books. Its locks are brief and never held across an await.

mod figures;
mod reading;
mod reserved;
mod shutdown;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lru::LruCache;
use tokio::sync::{Semaphore, oneshot};
use tutti_protocol::close;
use tutti_protocol::ids::{DocumentId, ProjectId, RoomName};

use super::edited::Edited;
use super::hints::Hints;
use super::sockets::Sockets;
use super::{Health, RoomError};
use crate::fanout::{FanOut, Topic};
use crate::limits::Limits;
use crate::room::{self, Closing, Command, Others, RoomHandle};
use crate::store::compaction::{self, Compacted};
use crate::store::{DocumentStore, StoreError};
use crate::ws::GrantId;

/// Compactions at a time: each holds a document in memory twice.
const CONCURRENT_COMPACTIONS: usize = 2;

/// Exchanges of many documents at a time: each holds a request's worth of them in memory.
const CONCURRENT_EXCHANGES: u32 = 4;

/// How long a room waits for what others say before it is read. It opens in any case.
const SUBSCRIBE_PATIENCE: Duration = Duration::from_secs(1);

/// How long a withdrawn grant is remembered: longer than a join takes that was let in before.
const REMEMBER_REVOKED: Duration = Duration::from_secs(300);

pub(crate) struct Registry {
    pub(crate) store: Arc<dyn DocumentStore>,
    pub(crate) fanout: Arc<dyn FanOut>,
    pub(crate) limits: Limits,
    pub(crate) started: Instant,
    pub(super) sockets: Sockets,
    pub(super) hints: Hints,
    pub(super) edited: Edited,
    slots: Mutex<Slots>,
    failing: Mutex<HashMap<RoomName, String>>,
    damaged: Mutex<HashSet<RoomName>>,
    revoked: Mutex<HashMap<GrantId, Instant>>,
    loads: Semaphore,
    looks: Semaphore,
    compactions: Semaphore,
    /// Turns of [`super::Rooms::exchange`].
    pub(super) bulk: Arc<Semaphore>,
    unsaved_bytes: AtomicUsize,
    resident_bytes: AtomicUsize,
}

struct Slots {
    rooms: HashMap<RoomName, Slot>,
    /// Rooms that nobody is in, the longest unused first to go.
    idle: LruCache<RoomName, ()>,
    in_use: HashMap<ProjectId, HashSet<DocumentId>>,
    deleting: HashSet<ProjectId>,
    closed: bool,
}

type Opened = Result<RoomHandle, RoomError>;

enum Slot {
    /// Being loaded; these wait for it.
    Opening(Vec<oneshot::Sender<Opened>>),
    Open(RoomHandle),
}

impl Slots {
    fn refusal(&self, project: &ProjectId) -> Option<RoomError> {
        if self.closed {
            return Some(RoomError::ShuttingDown);
        }
        self.deleting
            .contains(project)
            .then_some(RoomError::Deleted)
    }

    fn open_handles(&self) -> Vec<RoomHandle> {
        self.rooms
            .values()
            .filter_map(|slot| match slot {
                Slot::Open(handle) => Some(handle.clone()),
                Slot::Opening(_) => None,
            })
            .collect()
    }

    fn is(&self, name: &RoomName, handle: &RoomHandle) -> bool {
        matches!(self.rooms.get(name), Some(Slot::Open(open)) if open.serial() == handle.serial())
    }

    fn not_in_use(&mut self, name: &RoomName) {
        if let Some(documents) = self.in_use.get_mut(&name.project) {
            documents.remove(&name.document);
            if documents.is_empty() {
                self.in_use.remove(&name.project);
            }
        }
    }
}

impl Registry {
    pub(super) fn new(
        store: Arc<dyn DocumentStore>,
        fanout: Arc<dyn FanOut>,
        limits: Limits,
    ) -> Self {
        Self {
            store,
            fanout,
            started: Instant::now(),
            sockets: Sockets::default(),
            hints: Hints::default(),
            edited: Edited::default(),
            slots: Mutex::new(Slots {
                rooms: HashMap::new(),
                idle: LruCache::unbounded(),
                in_use: HashMap::new(),
                deleting: HashSet::new(),
                closed: false,
            }),
            failing: Mutex::default(),
            damaged: Mutex::default(),
            revoked: Mutex::default(),
            loads: Semaphore::new(limits.concurrent_loads.max(1)),
            looks: Semaphore::new(limits.concurrent_loads.max(1)),
            compactions: Semaphore::new(CONCURRENT_COMPACTIONS),
            bulk: Arc::new(Semaphore::new(CONCURRENT_EXCHANGES as usize)),
            unsaved_bytes: AtomicUsize::new(0),
            resident_bytes: AtomicUsize::new(0),
            limits,
        }
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The room, opened by whoever comes first and shared by all who come meanwhile.
    pub(super) async fn open(self: &Arc<Self>, name: &RoomName) -> Opened {
        let opened = {
            let mut slots = self.slots();
            if let Some(refusal) = slots.refusal(&name.project) {
                return Err(refusal);
            }
            let (answer, opened) = oneshot::channel();
            match slots.rooms.get_mut(name) {
                Some(Slot::Open(handle)) if handle.is_alive() => {
                    metrics::counter!("tutti_room_opens_total", "from" => "memory").increment(1);
                    return Ok(handle.clone());
                }
                Some(Slot::Opening(waiting)) => waiting.push(answer),
                // A room takes itself out of the books before it ends; one that is still there
                // without a task has failed, and is opened anew.
                Some(Slot::Open(_)) | None => {
                    metrics::counter!("tutti_room_opens_total", "from" => "store").increment(1);
                    slots
                        .rooms
                        .insert(name.clone(), Slot::Opening(vec![answer]));
                    // A task of its own: the first to come may also be the first to give up.
                    tokio::spawn(self.clone().open_from_store(name.clone()));
                }
            }
            opened
        };
        opened.await.unwrap_or(Err(RoomError::ShuttingDown))
    }

    async fn open_from_store(self: Arc<Self>, name: RoomName) {
        // Heard first and read then, so that nothing falls between.
        let mut subscription = self.fanout.subscribe(&Topic::Room(name.clone()));
        let heard = tokio::time::timeout(SUBSCRIBE_PATIENCE, subscription.ready()).await;
        let others = Others {
            subscription,
            before_load: heard.unwrap_or(false),
        };
        let loaded = self.load(&name).await;
        let (waiting, opened) = {
            let mut slots = self.slots();
            let opened = match (slots.refusal(&name.project), loaded) {
                (Some(refusal), _) => Err(refusal),
                (None, Err(error)) => Err(error),
                (None, Ok((document, stored))) => Ok(room::start(
                    self.clone(),
                    name.clone(),
                    document,
                    stored.as_ref(),
                    others,
                )),
            };
            let before = match &opened {
                Ok(handle) => slots.rooms.insert(name.clone(), Slot::Open(handle.clone())),
                Err(_) => slots.rooms.remove(&name),
            };
            match before {
                Some(Slot::Opening(waiting)) => (waiting, opened),
                _ => (Vec::new(), opened),
            }
        };
        // Damage has been told of when it was found.
        if let Err(error) = &opened
            && !error.is_damage()
        {
            tracing::warn!(room = %name, %error, "a room does not open");
        }
        for answer in waiting {
            // Who does not wait any more does not need the answer.
            let _ = answer.send(opened.clone());
        }
        self.evict();
    }

    pub(crate) async fn compact(&self, name: &RoomName) -> Option<Compacted> {
        let _turn = self.compactions.acquire().await.ok()?;
        match compaction::compact(&*self.store, name).await {
            Ok(compacted) => compacted,
            Err(error) => {
                self.note_damage(name, &error);
                tracing::error!(room = %name, %error, "compaction failed; the log stays as it is");
                None
            }
        }
    }

    /// The room, if it is open.
    pub(super) fn resident(&self, name: &RoomName) -> Option<RoomHandle> {
        match self.slots().rooms.get(name) {
            Some(Slot::Open(handle)) => Some(handle.clone()),
            _ => None,
        }
    }

    pub(super) fn check_project(&self, name: &RoomName) -> Result<(), RoomError> {
        let slots = self.slots();
        let most = self.limits.rooms_per_project;
        match slots.in_use.get(&name.project) {
            Some(used) if used.len() >= most && !used.contains(&name.document) => {
                Err(RoomError::Limit(format!(
                    "{most} files of this project are open, which is the most there may be"
                )))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn room_in_use(&self, name: &RoomName, handle: &RoomHandle) {
        let mut slots = self.slots();
        if slots.is(name, handle) {
            slots.idle.pop(name);
            slots
                .in_use
                .entry(name.project.clone())
                .or_default()
                .insert(name.document.clone());
        }
    }

    pub(crate) fn room_idle(&self, name: &RoomName, handle: &RoomHandle) {
        let mut slots = self.slots();
        if slots.is(name, handle) {
            slots.not_in_use(name);
            slots.idle.put(name.clone(), ());
            drop(slots);
            self.evict();
        }
    }

    /// Takes a room that ends out of the books, so that the next to come opens it anew.
    pub(crate) fn forget(&self, name: &RoomName, handle: &RoomHandle) {
        let mut slots = self.slots();
        if slots.is(name, handle) {
            slots.rooms.remove(name);
            slots.idle.pop(name);
            slots.not_in_use(name);
            metrics::counter!("tutti_room_evictions_total").increment(1);
        }
    }

    /// Asks idle rooms to go until the rest fits the cache. A room that cannot go yet stays, and
    /// comes back here when it has saved.
    fn evict(&self) {
        let mut resident = self.resident_bytes.load(Ordering::Relaxed);
        if resident <= self.limits.cache_bytes {
            return;
        }
        let mut slots = self.slots();
        while resident > self.limits.cache_bytes {
            let Some((name, ())) = slots.idle.pop_lru() else {
                return;
            };
            if let Some(Slot::Open(handle)) = slots.rooms.get(&name) {
                let bytes = handle.stats().resident_bytes.load(Ordering::Relaxed);
                resident = resident.saturating_sub(bytes);
                // A room with a full mailbox is not idle; it says so again when it is.
                handle.try_send(Command::Unload);
            }
        }
    }

    pub(crate) fn resident_changed(&self, before: usize, now: usize) {
        // Wrapping, so that the order of the two does not matter.
        self.resident_bytes
            .fetch_add(now.wrapping_sub(before), Ordering::Relaxed);
    }

    pub(crate) fn unsaved_more(&self, bytes: usize) {
        self.unsaved_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn unsaved_less(&self, bytes: usize) {
        self.unsaved_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(crate) fn unsaved_bytes(&self) -> usize {
        self.unsaved_bytes.load(Ordering::Relaxed)
    }

    fn failing(&self) -> MutexGuard<'_, HashMap<RoomName, String>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn saving_fails(&self, name: &RoomName, error: &StoreError) {
        self.failing().insert(name.clone(), error.to_string());
    }

    pub(crate) fn saving_works(&self, name: &RoomName) {
        self.failing().remove(name);
    }

    pub(super) fn health(&self) -> Health {
        let failing = self.failing();
        Health {
            not_saving: failing.values().next().cloned(),
            failing_rooms: failing.len(),
            damaged_documents: self.damaged().len(),
        }
    }

    fn revoked(&self) -> MutexGuard<'_, HashMap<GrantId, Instant>> {
        self.revoked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_revoked(&self, grant: &GrantId) -> bool {
        self.revoked().contains_key(grant)
    }

    /// Turns out whoever came in by this grant, on this node.
    pub(super) fn revoke(&self, grant: &GrantId) {
        {
            // Remembered, for a join that was let in just before and has not come in yet.
            let mut revoked = self.revoked();
            revoked.retain(|_, at| at.elapsed() < REMEMBER_REVOKED);
            revoked.insert(grant.clone(), Instant::now());
        }
        let handles = self.slots().open_handles();
        let grant = grant.clone();
        tokio::spawn(async move {
            for handle in handles {
                // A room that has gone has no members.
                let _ = handle.send(Command::Revoke(grant.clone())).await;
            }
        });
    }

    /// Closes a project's rooms on this node, for good. They open no more until `deleted`.
    pub(super) async fn close_project(&self, project: &ProjectId) {
        let handles: Vec<RoomHandle> = {
            let mut slots = self.slots();
            slots.deleting.insert(project.clone());
            let of_project = slots
                .rooms
                .iter()
                .filter(|(name, _)| name.project == *project);
            of_project
                .filter_map(|(_, slot)| match slot {
                    Slot::Open(handle) => Some(handle.clone()),
                    // It finds out when it has been loaded.
                    Slot::Opening(_) => None,
                })
                .collect()
        };
        let closing = Closing::new(close::NOT_FOUND, "the project has been deleted");
        shutdown::end(&handles, &closing, true).await;
        // Those under way end first; what comes after them is refused.
        drop(self.bulk.acquire_many(CONCURRENT_EXCHANGES).await);
    }

    /// A project that was closed is no more being deleted.
    pub(super) fn deleted(&self, project: &ProjectId) {
        self.slots().deleting.remove(project);
    }

    /// The projects that have open rooms, and the rooms.
    pub(super) fn open_projects(&self) -> (HashSet<ProjectId>, Vec<RoomHandle>) {
        let slots = self.slots();
        let projects = slots.rooms.keys().map(|name| name.project.clone());
        (projects.collect(), slots.open_handles())
    }

    #[cfg(test)]
    pub(super) fn counts(&self) -> (usize, usize) {
        let slots = self.slots();
        (slots.rooms.len(), slots.idle.len())
    }
}
