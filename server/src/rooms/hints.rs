//! Tells the members of a project's index which other documents have changed, collected for a
//! moment: so that they can follow documents whose rooms they have not joined.
//!
//! A node tells the others what its own members change, also where their index is not open here;
//! what it hears from them it tells its own members only.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tutti_protocol::ids::{DocumentId, ProjectId, RoomName};

use super::Registry;
use crate::fanout::{Message, Topic};
use crate::room::Command;

/// How long changes are collected.
const COLLECT: Duration = Duration::from_millis(200);

/// Ids in one message to other nodes.
const IDS_AT_ONCE: usize = 1_000;

/// How long own changes are told again to nodes that may have missed them, and how many.
const LATELY: Duration = Duration::from_secs(120);
const MOST_LATELY: usize = 10_000;

#[derive(Default)]
pub(crate) struct Hints {
    changed: Mutex<HashMap<ProjectId, Changed>>,
    lately: Mutex<HashMap<ProjectId, BTreeMap<DocumentId, Instant>>>,
}

/// What has changed in one project and was not told yet.
#[derive(Default)]
struct Changed {
    /// By members of this node.
    here: BTreeSet<DocumentId>,
    elsewhere: BTreeSet<DocumentId>,
}

impl Hints {
    fn changed(&self) -> MutexGuard<'_, HashMap<ProjectId, Changed>> {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lately(&self) -> MutexGuard<'_, HashMap<ProjectId, BTreeMap<DocumentId, Instant>>> {
        self.lately.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_lately(&self, project: &ProjectId, documents: &BTreeSet<DocumentId>) {
        let now = Instant::now();
        let mut lately = self.lately();
        lately.retain(|_, documents| {
            documents.retain(|_, at| now.duration_since(*at) < LATELY);
            !documents.is_empty()
        });
        let noted = lately.entry(project.clone()).or_default();
        for document in documents {
            if noted.len() < MOST_LATELY {
                noted.insert(document.clone(), now);
            }
        }
    }
}

impl Registry {
    /// Notes that a member of this node has changed a document.
    pub(crate) fn document_changed(self: &Arc<Self>, room: &RoomName) {
        self.edited.here(&room.project);
        if !room.document.is_index() {
            self.collect(&room.project, |changed| {
                changed.here.insert(room.document.clone());
            });
        }
    }

    /// Notes that a change was durable only after so long. Who was told of it before that may have asked another
    /// node, which answers from the store.
    pub(crate) fn document_stored(self: &Arc<Self>, room: &RoomName, waited: Duration) {
        if waited > COLLECT && self.fanout.has_others() && !room.document.is_index() {
            self.collect(&room.project, |changed| {
                changed.here.insert(room.document.clone());
            });
        }
    }

    /// Notes that a change of another node has arrived.
    pub(crate) fn changed_by_others(self: &Arc<Self>, room: &RoomName) {
        self.edited.elsewhere(&room.project);
        if !room.document.is_index() {
            self.collect(&room.project, |changed| {
                changed.elsewhere.insert(room.document.clone());
            });
        }
    }

    /// Takes note of what another node says about this index.
    pub(crate) fn changed_elsewhere(self: &Arc<Self>, index: &RoomName, documents: &[DocumentId]) {
        if index.document.is_index() {
            self.edited.elsewhere(&index.project);
            self.collect(&index.project, |changed| {
                changed.elsewhere.extend(documents.iter().cloned());
            });
        }
    }

    /// What members of this node have changed in the last minutes, to be told again.
    pub(crate) fn lately_changed(&self, project: &ProjectId) -> Vec<Arc<[DocumentId]>> {
        let lately = self.hints.lately();
        let Some(documents) = lately.get(project) else {
            return Vec::new();
        };
        let documents: Vec<DocumentId> = documents.keys().cloned().collect();
        documents.chunks(IDS_AT_ONCE).map(Arc::from).collect()
    }

    fn collect(self: &Arc<Self>, project: &ProjectId, note: impl FnOnce(&mut Changed)) {
        let mut changed = self.hints.changed();
        if let Some(collecting) = changed.get_mut(project) {
            return note(collecting);
        }
        note(changed.entry(project.clone()).or_default());
        drop(changed);
        let (registry, project) = (self.clone(), project.clone());
        tokio::spawn(async move {
            tokio::time::sleep(COLLECT).await;
            registry.tell(project).await;
        });
    }

    async fn tell(&self, project: ProjectId) {
        let Some(mut changed) = self.hints.changed().remove(&project) else {
            return;
        };
        let index = RoomName::new(project, DocumentId::index());
        if self.fanout.has_others() && !changed.here.is_empty() {
            self.hints.note_lately(&index.project, &changed.here);
            let topic = Topic::Room(index.clone());
            let here: Vec<DocumentId> = changed.here.iter().cloned().collect();
            for part in here.chunks(IDS_AT_ONCE) {
                self.fanout
                    .publish(&topic, None, Message::Changed(part.into()));
            }
        }
        changed.here.append(&mut changed.elsewhere);
        // Nobody is in an index that is not open, so nobody waits for the hint.
        if let Some(handle) = self.resident(&index) {
            let documents = changed.here.into_iter().collect();
            let _ = handle.send(Command::Changed(documents)).await;
        }
    }
}
