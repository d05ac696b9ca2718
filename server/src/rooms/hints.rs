//! Tells the members of a project's index which other documents have changed, collected for a
//! moment: so that they can follow documents whose rooms they have not joined.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tutti_protocol::hint::Hint;
use tutti_protocol::ids::{DocumentId, ProjectId, RoomName};

use super::Registry;
use crate::fanout::Message;
use crate::room::Command;

/// How long changes are collected.
const COLLECT: Duration = Duration::from_millis(200);

/// Ids in one message to other nodes.
const IDS_AT_ONCE: usize = 1_000;

#[derive(Default)]
pub(crate) struct Hints {
    changed: Mutex<HashMap<ProjectId, BTreeSet<DocumentId>>>,
}

impl Registry {
    /// Notes that a document has changed.
    pub(crate) fn document_changed(self: &Arc<Self>, room: &RoomName) {
        if room.document.is_index() {
            return;
        }
        let mut changed = self
            .hints
            .changed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(collecting) = changed.get_mut(&room.project) {
            collecting.insert(room.document.clone());
            return;
        }
        changed.insert(
            room.project.clone(),
            BTreeSet::from([room.document.clone()]),
        );
        drop(changed);
        let (registry, project) = (self.clone(), room.project.clone());
        tokio::spawn(async move {
            tokio::time::sleep(COLLECT).await;
            registry.tell(project).await;
        });
    }

    async fn tell(&self, project: ProjectId) {
        let collected = self
            .hints
            .changed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&project)
            .unwrap_or_default();
        let documents: Arc<[DocumentId]> = collected.into_iter().collect();
        let index = RoomName::new(project, DocumentId::index());
        for part in documents.chunks(IDS_AT_ONCE) {
            let text = Hint::Changed(part.to_vec()).to_json();
            self.fanout.publish(&index, Message::Stateless(text.into()));
        }
        // Nobody is in an index that is not open, so nobody waits for the hint.
        if let Some(handle) = self.resident(&index) {
            let _ = handle.send(Command::Changed(documents)).await;
        }
    }
}
