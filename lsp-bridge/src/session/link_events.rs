//! What the server says.

use tutti_engine::Event as DocumentEvent;
use tutti_protocol::close;
use tutti_protocol::ids::DocumentId;
use tutti_protocol::role::Role;

use super::apart::MEETING_MS;
use super::disk::Task;
use super::project::{Connection, Project};
use super::room::{Held, Open, Step};
use super::saved::Saved;
use crate::link::{Command, Event, Status};
use crate::lsp::Severity;
use crate::mirror::both;

/// The update that contains nothing.
const EMPTY_UPDATE: [u8; 2] = [0, 0];
/// Changes of the index are looked at together when they follow each other this closely.
pub(super) const INDEX_QUIET_MS: u64 = 20;
/// Of a document that is held back.
const FOR_NOW: &str = "is not in step for now";
/// What is refused together is refused within this time.
const SHUT_OUT_MS: u64 = 500;
/// A replica is stored this long after it has changed.
pub(super) const STORE_MS: u64 = 1_000;

/// Why a document that the editor shows is not in step, in the server's words.
pub(super) enum ShutOut {
    /// It is tried again soon.
    ForNow(String),
    /// It is tried again with the next connection.
    Denied(String),
}

impl Project {
    pub(super) fn link_event(&mut self, event: Event) {
        match event {
            Event::Status(status) => self.link_status(status),
            Event::StateVectorWanted(document) => self.send_state_vector(document),
            Event::DiffWanted {
                document,
                state_vector,
            } => self.send_diff(document, &state_vector),
            Event::Authenticated { document, role } => self.authenticated(&document, role),
            Event::Synced(document) => self.synced(&document),
            Event::Update { document, update } => self.remote_update(&document, update),
            Event::Unsaved {
                document,
                count,
                commanded,
            } => self.unsaved(&document, count, commanded),
            // Why an edit of somebody who may write is refused, the server says as it closes the room.
            Event::Refused(_) if self.role == Role::Viewer => self.tell_view_only(),
            Event::Refused(_) => {}
            Event::Awareness { document, update } => self.others_present(&document, &update),
            Event::AwarenessWanted(document) => self.announce(&document),
            Event::Changed(documents) => self.changed_elsewhere(documents),
            Event::Saving { document, remark } => self.saving(document, remark),
            Event::Interrupted { document, reason } => {
                tracing::info!(%document, reason, "interrupted by the server");
                self.away(&document);
                if let Some(room) = self.rooms.get_mut(&document) {
                    room.held_back = true;
                    let is_shown = room.open().is_some();
                    self.advance(&document);
                    if is_shown {
                        self.is_shut_out_of(document, ShutOut::ForNow(reason));
                    }
                }
            }
            Event::Denied { document, reason } => self.denied(&document, &reason),
        }
    }

    fn link_status(&mut self, status: Status) {
        match status {
            // After a refusal this is another try, whose refusal is news.
            Status::Connecting if self.connection == Connection::Denied => {
                self.connection = Connection::Offline;
            }
            Status::Connecting => {}
            Status::Connected => {
                self.connection = Connection::Online;
                self.online_since = Some(self.clock.now());
                self.progress.show("syncing");
            }
            Status::Offline { reason, .. } => {
                self.without_connection(Connection::Offline);
                self.progress
                    .show(format!("offline, edits are kept here: {reason}"));
                self.outage_begins(&reason);
            }
            Status::Denied { reason } => self.shut_out(&reason),
        }
    }

    /// Each room that is refused gives a reason, and so does the socket's end: the first is told.
    fn shut_out(&mut self, reason: &str) {
        let before = self.without_connection(Connection::Denied);
        self.outage_ends();
        if before == Connection::Denied {
            return;
        }
        self.progress.end("not connected");
        self.tell_once(
            Severity::Warning,
            &format!("not connected, edits are kept here: {reason}"),
        );
    }

    /// Returns what there was.
    fn without_connection(&mut self, connection: Connection) -> Connection {
        let before = std::mem::replace(&mut self.connection, connection);
        self.saving.is_away();
        self.bulk.interrupt();
        let documents: Vec<_> = self.rooms.keys().cloned().collect();
        for document in &documents {
            self.away(document);
        }
        self.away(&DocumentId::index());
        for document in &documents {
            self.open_as_it_is(document);
            // One that was only there to meet others is asked about with all the others next time.
            let held = self.rooms.get(document).map(|room| &room.held);
            let is_leaving =
                matches!(held, Some(Held::Closed(closed)) if closed.step == Step::Leaving);
            if before == Connection::Unknown || is_leaving {
                self.advance(document);
            }
        }
        before
    }

    /// A room is not connected now.
    fn away(&mut self, document: &DocumentId) {
        if let Some(room) = self.rooms.get_mut(document) {
            room.parts();
            room.synced = false;
            room.offered = false;
        }
        if self.people.any_caret(document) {
            self.hints_changed();
        }
        self.people.forget_others(document);
    }

    fn send_state_vector(&mut self, document: DocumentId) {
        let state_vector = if document.is_index() {
            self.index.state_vector()
        } else {
            match self.rooms.get(&document) {
                Some(room) => room.replica().state_vector(),
                None => return,
            }
        };
        self.outbox.send(Command::StateVector {
            document,
            state_vector,
        });
    }

    fn send_diff(&mut self, document: DocumentId, state_vector: &[u8]) {
        let diff = if document.is_index() {
            self.index.diff(state_vector)
        } else {
            match self.rooms.get(&document) {
                Some(room) => room.diff(state_vector).map_err(|error| error.to_string()),
                None => return,
            }
        };
        let update = match diff {
            // A viewer's own edits would be refused; they stay here.
            Ok(update) if self.role == Role::Viewer => {
                let room = self.rooms.get(&document);
                if update != EMPTY_UPDATE && room.is_some_and(|room| room.open().is_some()) {
                    self.tell_view_only();
                }
                EMPTY_UPDATE.to_vec()
            }
            Ok(update) => update,
            Err(error) => {
                tracing::warn!(%document, error, "the server's state vector is not understood");
                EMPTY_UPDATE.to_vec()
            }
        };
        let store_at = self.clock.after(STORE_MS);
        let nothing_missing = update == EMPTY_UPDATE;
        let is_viewer = self.role == Role::Viewer;
        let offered = |saved: &mut Saved| {
            if is_viewer && !saved.all() {
                saved.withheld();
            }
            match nothing_missing {
                true => saved.nothing_missing(),
                false => saved.sent_diff(),
            }
        };
        if document.is_index() {
            let was_unsaved = !self.index_saved.all();
            offered(&mut self.index_saved);
            if was_unsaved && self.index_saved.all() {
                self.index_store_at.get_or_insert(store_at);
            }
        } else if let Some(room) = self.rooms.get_mut(&document) {
            room.offered = true;
            offered(&mut room.saved);
            room.confirmed(store_at);
        }
        self.outbox.send(Command::Diff {
            document: document.clone(),
            update,
        });
        self.advance(&document);
    }

    fn authenticated(&mut self, document: &DocumentId, role: Role) {
        if role != self.role {
            self.role = role;
            self.disk.give(Task::ReadOnly(role == Role::Viewer));
        }
        self.is_let_in();
        self.is_heard_anew(document);
        self.announce(document);
    }

    pub(super) fn tell_view_only(&mut self) {
        self.tell_once(
            Severity::Warning,
            "your link is view-only: what you type stays here",
        );
    }

    fn synced(&mut self, document: &DocumentId) {
        if document.is_index() {
            self.index_synced = true;
            self.may_save();
            self.bulk.works = true;
            self.catch_up_wanted = true;
            self.ask_for_cap();
            self.index_refresh_at = Some(self.clock.now());
            return;
        }
        let until = self.clock.after(MEETING_MS);
        if let Some(room) = self.rooms.get_mut(document) {
            if self.role == Role::Editor {
                room.meets();
            }
            room.has_met(until);
            room.synced = true;
            room.complete = true;
            if let Some(resolved) = room.resolved() {
                for update in resolved.updates {
                    self.remote_update(document, update);
                }
                if let Some(own) = resolved.own {
                    self.changed_on_disk(document, own);
                }
            }
        }
        self.held_back_no_more(document);
        self.try_open(document);
        self.advance(document);
        self.show_sync_progress();
    }

    fn remote_update(&mut self, document: &DocumentId, update: Vec<u8>) {
        if update == EMPTY_UPDATE {
            return;
        }
        if document.is_index() {
            if let Err(error) = self.index.apply(&update) {
                return tracing::warn!(error, "an update of the index was dropped");
            }
            let due = self.clock.after(INDEX_QUIET_MS);
            self.index_refresh_at.get_or_insert(due);
            self.index_store_at
                .get_or_insert(self.clock.after(STORE_MS));
            return;
        }
        let now = self.clock.now();
        let Some(room) = self.rooms.get_mut(document) else {
            return;
        };
        if !room.synced
            && let Some(guess) = &mut room.guess
        {
            return guess.hold(update);
        }
        if self.role == Role::Editor {
            room.meets();
        }
        let agreed = room.agreed(&update, now);
        let update = match &agreed {
            // In one, lest anybody sees the one without the other.
            Some(agreed) => both(&update, agreed),
            None => update,
        };
        self.take_in(document, update);
        if let Some(agreed) = agreed {
            self.decided(document, agreed);
        }
    }

    /// Sends what was decided of what two have written apart, and was taken in.
    pub(super) fn decided(&mut self, document: &DocumentId, decision: Vec<u8>) {
        tracing::info!(%document, "what two have written apart is brought together");
        self.changed_on_disk(document, decision);
    }

    /// Takes an update of others into a document.
    pub(super) fn take_in(&mut self, document: &DocumentId, update: Vec<u8>) {
        let (now, store_at) = (self.clock.now(), self.clock.after(STORE_MS));
        let Some(room) = self.rooms.get_mut(document) else {
            return;
        };
        match &mut room.held {
            Held::Open(open) => {
                room.store_at.get_or_insert(store_at);
                let waiting = |open: &Open| {
                    let doc = open.document.main().doc();
                    self.people.wait_for_text(document, doc)
                };
                let waited = waiting(open);
                let event = DocumentEvent::Remote { update };
                let effects = open.document.handle(event, now);
                let can_be_shown = waited && !waiting(open);
                self.perform(document, effects);
                if can_be_shown {
                    self.hints_changed();
                }
            }
            Held::Closed(closed) => match closed.replica.apply(&update) {
                Ok(_) => {
                    closed.touched = true;
                    if closed.step == Step::Leaving {
                        closed.step = Step::Syncing;
                        self.advance(document);
                    }
                }
                Err(error) => tracing::warn!(%document, %error, "an update was dropped"),
            },
        }
    }

    fn unsaved(&mut self, document: &DocumentId, count: u32, commanded: u64) {
        if document.is_index() {
            let was_saved = self.index_saved.all();
            self.index_saved.told(count, commanded);
            if !was_saved && self.index_saved.all() {
                self.saves();
            }
            if self.index_saved.all() {
                self.index_store_at
                    .get_or_insert(self.clock.after(STORE_MS));
            }
            return;
        }
        let store_at = self.clock.after(STORE_MS);
        if let Some(room) = self.rooms.get_mut(document) {
            let was_saved = room.saved.all();
            room.saved.told(count, commanded);
            room.confirmed(store_at);
            if !was_saved && room.saved.all() {
                self.saves();
            }
        }
        self.held_back_no_more(document);
        self.advance(document);
    }

    /// Of a document that the server has all of again: should it be held back once more, that is news.
    fn held_back_no_more(&mut self, document: &DocumentId) {
        let room = self.rooms.get_mut(document);
        if !room.is_some_and(|room| room.saved.all() && std::mem::take(&mut room.held_back)) {
            return;
        }
        let told = format!("{} {FOR_NOW}", self.name_of(document));
        self.told.retain(|message| !message.starts_with(&told));
    }

    fn denied(&mut self, document: &DocumentId, reason: &str) {
        if document.is_index() && close::is_damage(reason) {
            return self.shut_out(
                "the server cannot read the list of this project's files, as it is damaged; its administrator has to restore a backup",
            );
        }
        if document.is_index() {
            let reason = as_clause(reason);
            return self.shut_out(&format!(
                "the server does not let you into this project: {reason}; `tutti join LINK` takes a new link up"
            ));
        }
        let room = self.rooms.get(document);
        let is_open = room.is_some_and(|room| room.open().is_some());
        if is_open || self.opening.contains_key(document) {
            self.open_as_it_is(document);
            self.is_shut_out_of(document.clone(), ShutOut::Denied(reason.to_owned()));
        } else {
            tracing::warn!(%document, reason, "the server does not let us in");
            self.leave(document);
        }
    }

    /// Where it is the project that we are not let into, one message says so: it is waited for.
    fn is_shut_out_of(&mut self, document: DocumentId, why: ShutOut) {
        self.shut_out_of.insert(document, why);
        let soon = self.clock.after(SHUT_OUT_MS);
        self.shut_out_of_at.get_or_insert(soon);
    }

    /// Tells of the documents that the server does not let us into, while it does into the project.
    pub(super) fn tell_of_shut_out(&mut self) {
        for (document, why) in std::mem::take(&mut self.shut_out_of) {
            if self.connection != Connection::Denied {
                let path = self.name_of(&document);
                let message = match why {
                    ShutOut::ForNow(reason) => {
                        format!("{path} {FOR_NOW}, edits are kept here: {reason}")
                    }
                    // What comes behind the colon stands for itself.
                    ShutOut::Denied(reason) => {
                        let reason = reason.trim_start_matches("damaged: ");
                        format!("{path} is not shared now, your edits are kept here: {reason}")
                    }
                };
                self.tell_once(Severity::Warning, &message);
            }
        }
    }

    fn changed_elsewhere(&mut self, documents: Vec<DocumentId>) {
        if !self.owner {
            return;
        }
        for document in documents {
            self.enqueue_ahead(document);
        }
    }

    /// The document's path, for the person.
    pub(super) fn name_of(&self, document: &DocumentId) -> String {
        match self.index.path_of(document) {
            Some(path) => path.to_string(),
            None => document.to_string(),
        }
    }
}

/// A sentence of the server's as part of one of ours.
fn as_clause(sentence: &str) -> String {
    let mut chars = sentence.trim_end_matches('.').chars();
    let first = chars.next().map(char::to_lowercase);
    first.into_iter().flatten().chain(chars).collect()
}
