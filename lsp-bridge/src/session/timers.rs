//! What is done when its time has come.

use tutti_engine::{Event, Millis};
use tutti_protocol::ids::DocumentId;

use super::disk::Task;
use super::project::{NEIGHBOURS_MS, Project};
use super::room::{Held, Step, earlier};

impl Project {
    /// The next moment at which something is to be done.
    pub(super) fn due(&self) -> Option<Millis> {
        let own = [
            self.index_refresh_at,
            self.index_store_at,
            self.neighbours_at,
            self.busy_files_at,
            self.transfers_at,
            self.shut_out_of_at,
            self.outage.due(),
            self.saving.due(),
            self.reloads.values().map(|reload| reload.due).min(),
            self.people.due(),
        ];
        let rooms = self.rooms.values().map(|room| room.due());
        let opening = self.opening.values().map(|opening| opening.due());
        own.into_iter()
            .chain(rooms)
            .chain(opening)
            .fold(None, earlier)
    }

    /// Does all that is due.
    pub(super) fn time_passed(&mut self) {
        let now = self.clock.now();
        if take_due(&mut self.index_refresh_at, now) {
            self.index_refreshed();
            if std::mem::take(&mut self.catch_up_wanted) {
                self.index_to_mirror();
                self.enqueue_all();
            }
            self.show_sync_progress();
        }
        if take_due(&mut self.index_store_at, now) {
            self.store_index();
        }
        if take_due(&mut self.neighbours_at, now) {
            self.neighbours_at = Some(self.clock.after(NEIGHBOURS_MS));
            self.disk.give(match self.owner {
                true => Task::LookAfterGuests,
                false => Task::TakeOver,
            });
        }
        if take_due(&mut self.shut_out_of_at, now) {
            self.tell_of_shut_out();
        }
        self.outage.tell(now, &self.client);
        self.saving_due(now);
        self.transfers_due(now);
        let due: Vec<DocumentId> = self
            .rooms
            .iter()
            .filter(|(_, room)| room.due().is_some_and(|due| due <= now))
            .map(|(document, _)| document.clone())
            .collect();
        for document in due {
            self.room_due(&document, now);
        }
        self.opening_due(now);
        self.reloads_due(now);
        self.presence_due(now);
    }

    fn room_due(&mut self, document: &DocumentId, now: Millis) {
        let Some(room) = self.rooms.get_mut(document) else {
            return;
        };
        let (decision, is_over) = room.meeting_due(now);
        if take_due(&mut room.store_at, now) {
            self.store(document);
            self.renew_journal(document);
        }
        if let Some(decision) = decision {
            self.take_in(document, decision.clone());
            self.decided(document, decision);
        }
        if is_over {
            self.advance(document);
        }
        let Some(room) = self.rooms.get_mut(document) else {
            return;
        };
        match &mut room.held {
            Held::Open(open) => {
                if take_due(&mut open.wake_at, now) {
                    let effects = open.document.handle(Event::Tick, now);
                    self.perform(document, effects);
                }
            }
            Held::Closed(closed) => {
                if matches!(closed.step, Step::Lingering(until) if until <= now) {
                    closed.step = Step::Syncing;
                    closed.touched = true;
                    // The mirror keeps of it what nobody else has, if others have deleted it.
                    self.store(document);
                    self.close_journal(document);
                    self.disk.give(Task::Closed(document.clone()));
                    self.advance(document);
                }
            }
        }
    }

    /// Stores a document's replica.
    fn store(&mut self, document: &DocumentId) {
        let Some(room) = self.rooms.get_mut(document) else {
            return;
        };
        if !room.complete {
            room.store_at = None;
            return;
        }
        let (state, unsaved) = room.store_now();
        self.disk.give(Task::Persist {
            document: document.clone(),
            state,
            unsaved,
        });
    }

    pub(super) fn store_index(&mut self) {
        self.index_store_at = None;
        self.disk.give(Task::Persist {
            document: DocumentId::index(),
            state: self.index.state(),
            unsaved: !self.index_saved.all(),
        });
    }

    /// Stores all that has changed since it was stored last.
    pub(super) fn store_all(&mut self) {
        if self.index_store_at.is_some() {
            self.store_index();
        }
        let due = |(_, room): &(&DocumentId, &super::room::Room)| room.store_at.is_some();
        let documents: Vec<_> = self
            .rooms
            .iter()
            .filter(due)
            .map(|(document, _)| document.clone())
            .collect();
        for document in documents {
            self.store(&document);
        }
    }
}

/// Whether a planned moment has come; it is planned no longer then.
pub(super) fn take_due(at: &mut Option<Millis>, now: Millis) -> bool {
    at.take_if(|at| *at <= now).is_some()
}
