//! Closed documents: brought up to date with the server, handed to the mirror, and left.

use tutti_engine::Replica;
use tutti_protocol::ids::DocumentId;
use tutti_protocol::role::Role;

use super::disk::Task;
use super::link_events::STORE_MS;
use super::project::{Connection, Project, new_client_id};
use super::room::{Held, Room, Step};
use crate::link::Command;
use crate::mirror::{Settled, Stored};

/// How many closed documents are looked after at a time.
const AT_ONCE: usize = 16;
/// Beside those, so many may stay until they have met the others who came back at the same moment.
const MEETING_AT_ONCE: usize = 1024;
/// How many overwritten states are remembered, and how many bytes of them.
const OVERWRITTEN: usize = 512;
const OVERWRITTEN_BYTES: usize = 32 << 20;

impl Project {
    /// Puts a document in line to be brought up to date.
    pub(super) fn enqueue(&mut self, document: DocumentId) {
        if document.is_index() {
            return;
        }
        if let Some(room) = self.rooms.get_mut(&document) {
            if let Held::Closed(closed) = &mut room.held {
                closed.touched = true;
                // One that lingers is not the mirror's yet.
                if closed.step == Step::Leaving {
                    closed.step = Step::Syncing;
                }
            }
            return self.advance(&document);
        }
        self.bulk.cancel(&document);
        self.line.push(document);
    }

    /// The same where the mirror asks for it. What is about to be brought up to date with thousands of others is
    /// left to that, if there is no room to spare.
    pub(super) fn enqueue_for_mirror(&mut self, document: DocumentId) {
        let is_full = self.line.len() + self.busy() >= AT_ONCE;
        if !(is_full && self.bulk.works && self.bulk.contains(&document)) {
            self.enqueue(document);
        }
    }

    /// The same where others have changed it.
    pub(super) fn enqueue_ahead(&mut self, document: DocumentId) {
        // A room that is joined hears of the change itself.
        if !self.rooms.contains_key(&document) {
            self.bulk.cancel(&document);
            self.line.push_ahead(document);
        }
    }

    /// Takes documents from the line while there is room.
    pub(super) fn start_waiting(&mut self) {
        while self.busy() < AT_ONCE
            && let Some(document) = self.line.pop()
        {
            if !self.rooms.contains_key(&document) && self.loading.insert(document.clone()) {
                self.disk.give(Task::Load(document));
            }
        }
        self.ask_in_bulk();
    }

    fn busy(&self) -> usize {
        let (mut busy, mut meeting) = (self.loading.len(), 0_usize);
        for room in self.rooms.values() {
            match &room.held {
                Held::Open(_) => {}
                Held::Closed(closed) if closed.step == Step::Leaving && room.meeting.is_some() => {
                    meeting += 1;
                }
                Held::Closed(_) => busy += 1,
            }
        }
        busy + meeting.saturating_sub(MEETING_AT_ONCE)
    }

    /// A document's stored replica has been read: its room is joined.
    pub(super) fn loaded(
        &mut self,
        document: DocumentId,
        stored: Option<Stored>,
        base: Option<Vec<u8>>,
    ) {
        self.loading.remove(&document);
        if !self.rooms.contains_key(&document) {
            let was_stored = stored.as_ref();
            let was_stored = was_stored.map(|stored| (stored.unsaved, stored.confirmed.clone()));
            let on_disk = base.or_else(|| stored.as_ref().map(|stored| stored.state.clone()));
            let replica = match stored {
                None => Replica::new(new_client_id()),
                Some(stored) => match Replica::from_state(new_client_id(), &stored.state) {
                    Ok(replica) => replica,
                    Err(error) => {
                        return tracing::error!(%document, %error, "a stored replica is damaged");
                    }
                },
            };
            let mut room = Room::closed(replica, Step::Syncing);
            if let Held::Closed(closed) = &mut room.held {
                closed.on_disk = on_disk;
                closed.touched = true;
            }
            if let Some((unsaved, confirmed)) = was_stored {
                room.was_stored(unsaved, confirmed);
            }
            self.join(&document, room);
        }
        self.try_open(&document);
        self.advance(&document);
    }

    /// Takes part in a room from now on.
    fn join(&mut self, document: &DocumentId, room: Room) {
        self.outbox.send(Command::Join {
            document: document.clone(),
            state_vector: room.replica().state_vector(),
        });
        self.rooms.insert(document.clone(), room);
    }

    /// Takes a closed document as far as it can go now.
    pub(super) fn advance(&mut self, document: &DocumentId) {
        if self.opening.contains_key(document) {
            return;
        }
        // Before that is known, the server may still have written what the file has more.
        let offline = matches!(self.connection, Connection::Offline | Connection::Denied);
        let viewer = self.role == Role::Viewer;
        let all_saved = |room: &Room| room.saved.all() || viewer;
        let Some(room) = self.rooms.get_mut(document) else {
            return;
        };
        let level = room.synced && room.offered && all_saved(room);
        let unsaved = room.saved.is_ahead();
        // What the file holds by now may be what it takes.
        let apart = offline || (room.held_back && room.complete);
        let Held::Closed(closed) = &mut room.held else {
            return;
        };
        match closed.step {
            Step::Lingering(_) | Step::Settling => {}
            // Nothing is known of this text, which is not the same as an empty one: it must not
            // reach the file. Each new connection brings every document up to date again.
            Step::Syncing if offline && !room.complete => {
                self.leave(document);
            }
            // Offline, the mirror gets what there is, and again once it is more.
            Step::Syncing if level || (apart && closed.touched) => {
                closed.step = Step::Settling;
                closed.touched = false;
                let state = closed.replica.state();
                self.disk.give(Task::Settle {
                    document: document.clone(),
                    state,
                    level,
                });
            }
            Step::Syncing => {}
            // What is guessed of it is known here alone.
            // What another writes here a moment later was written apart, too.
            Step::Leaving if room.meeting.is_some() && !offline => {}
            Step::Leaving if level || (offline && room.guess.is_none()) => {
                let state = closed.replica.state();
                self.disk.give(Task::Persist {
                    document: document.clone(),
                    state,
                    unsaved,
                });
                self.leave(document);
                self.show_sync_progress();
            }
            Step::Leaving => {}
        }
    }

    /// Takes part in a document no longer.
    pub(super) fn leave(&mut self, document: &DocumentId) {
        self.rooms.remove(document);
        self.outbox.send(Command::Leave(document.clone()));
        self.is_left(document);
    }

    /// The mirror has brought the file and the document together.
    pub(super) fn settled(&mut self, document: &DocumentId, settled: Settled) {
        if let Some(update) = settled.update {
            self.found(document, update);
        }
        let mut overwritten = None;
        if let Some(room) = self.rooms.get_mut(document)
            && let Held::Closed(closed) = &mut room.held
        {
            if closed.step == Step::Settling {
                closed.step = match closed.touched {
                    true => Step::Syncing,
                    false => Step::Leaving,
                };
            }
            let state = closed.replica.state();
            overwritten = closed.on_disk.replace(state);
            if overwritten == closed.on_disk {
                overwritten = None;
            }
        }
        if let Some(state) = overwritten {
            self.remember_overwritten(document.clone(), state);
        }
        self.mirror_effects(settled.effects);
        self.advance(document);
    }

    /// Another program has changed the file: its change is this person's.
    pub(super) fn changed_on_disk(&mut self, document: &DocumentId, update: Vec<u8>) {
        let (now, store_at) = (self.clock.now(), self.clock.after(STORE_MS));
        let editor = self.role == Role::Editor;
        self.note_written(document);
        let Some(room) = self.rooms.get_mut(document) else {
            return;
        };
        room.store_by(store_at);
        room.stored_unsaved = true;
        match editor {
            true => room.saved.sent(),
            false => room.saved.withheld(),
        }
        match &mut room.held {
            Held::Open(open) => {
                let event = tutti_engine::Event::Remote {
                    update: update.clone(),
                };
                let effects = open.document.handle(event, now);
                self.perform(document, effects);
            }
            Held::Closed(closed) => {
                if let Err(error) = closed.replica.apply(&update) {
                    tracing::error!(%document, %error, "the mirror's update is bad");
                }
            }
        }
        if editor {
            self.send_update(document, update);
        }
    }

    /// Remembers a state that the mirror has had: an editor may have read that file just before
    /// the next one was written.
    pub(super) fn remember_overwritten(&mut self, document: DocumentId, state: Vec<u8>) {
        self.overwritten.push_back((document, state));
        let mut bytes: usize = self.overwritten.iter().map(|(_, state)| state.len()).sum();
        while self.overwritten.len() > OVERWRITTEN || bytes > OVERWRITTEN_BYTES {
            match self.overwritten.pop_front() {
                Some((_, state)) => bytes -= state.len(),
                None => return,
            }
        }
    }

    /// Shows how much is left to sync.
    pub(super) fn show_sync_progress(&mut self) {
        if self.connection != Connection::Online {
            return;
        }
        let in_bulk = self.bulk.left();
        let left = self.line.len() + self.busy() + in_bulk;
        if !self.index_synced || self.index_refresh_at.is_some() {
            return;
        }
        if let Some(message) = self.saving.message() {
            self.progress.show(message);
        } else if left == 0 {
            self.progress.end("in step");
        } else if in_bulk > 0 || left.is_multiple_of(AT_ONCE) {
            self.progress.show(format!("syncing, {left} files left"));
        }
    }
}
