//! Rooms that nobody opens for a while, because something is written past them.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use tutti_protocol::ids::{ProjectId, RoomName};

use super::{Registry, Slot};
use crate::rooms::RoomError;

/// Who wants to open one of these rooms waits until this is dropped.
pub(in crate::rooms) struct Reserved {
    registry: Arc<Registry>,
    /// Those that were not open.
    pub(in crate::rooms) rooms: Vec<RoomName>,
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.registry.release(&self.rooms);
    }
}

impl Registry {
    /// Keeps rooms that are not open from being opened until they are dropped; those that are open already are left out.
    pub(in crate::rooms) fn reserve(
        self: &Arc<Self>,
        project: &ProjectId,
        rooms: impl Iterator<Item = RoomName>,
    ) -> Result<Reserved, RoomError> {
        let mut slots = self.slots();
        if let Some(refusal) = slots.refusal(project) {
            return Err(refusal);
        }
        let mut reserved = Vec::new();
        for room in rooms {
            if let Entry::Vacant(free) = slots.rooms.entry(room.clone()) {
                free.insert(Slot::Opening(Vec::new()));
                reserved.push(room);
            }
        }
        let registry = self.clone();
        Ok(Reserved {
            registry,
            rooms: reserved,
        })
    }

    /// Lets reserved rooms be opened, and opens those that somebody waits for.
    fn release(self: &Arc<Self>, rooms: &[RoomName]) {
        let mut slots = self.slots();
        for room in rooms {
            match slots.rooms.get(room) {
                Some(Slot::Opening(waiting)) if waiting.is_empty() => {
                    slots.rooms.remove(room);
                }
                Some(Slot::Opening(_)) => {
                    tokio::spawn(self.clone().open_from_store(room.clone()));
                }
                Some(Slot::Open(_)) | None => {}
            }
        }
    }
}
