//! Presence in this session: announcing ourselves, and hints at the others' carets.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::{Value, json};
use tower_lsp::jsonrpc::{ErrorCode, Id, Result as RpcResult};
use tutti_engine::Millis;
use tutti_protocol::ids::DocumentId;
use yrs::Doc;

use super::project::{Connection, Project, new_client_id};
use super::room::earlier;
use crate::link::Command;
use crate::lsp::Positioned;
use crate::presence::{Others, Own, RENEW_MS, Word};

/// A caret that moves is announced this often at most.
const CARET_MS: u64 = 80;
/// The editor is asked to look at the hints again this often at most.
const REFRESH_MS: u64 = 250;
/// Everybody's presence.
pub(super) struct People {
    own: Own,
    /// Every client id that this person has had, also of documents that were closed since: what
    /// the server still has to say of those is not about somebody else.
    mine: HashSet<u64>,
    others: HashMap<DocumentId, Others>,
    /// Rooms whose own state is to be announced, and when.
    moved: BTreeSet<DocumentId>,
    announce_at: Option<Millis>,
    /// When the others were last told of files at once.
    told: Millis,
    renew_at: Millis,
    /// The editor shows hints: it has asked for them.
    hints_shown: bool,
    refresh_at: Option<Millis>,
    refreshed: Millis,
    /// The question whose answer has not come.
    refresh_asked: Option<Id>,
}

impl People {
    pub(super) fn new(name: &str) -> Self {
        let mut own = Own::new(name);
        let index_client = new_client_id();
        own.enter(&DocumentId::index(), index_client);
        Self {
            own,
            mine: HashSet::from([index_client]),
            others: HashMap::new(),
            moved: BTreeSet::new(),
            announce_at: None,
            told: Millis(0),
            renew_at: Millis(RENEW_MS),
            hints_shown: false,
            refresh_at: None,
            refreshed: Millis(0),
            refresh_asked: None,
        }
    }

    pub(super) fn due(&self) -> Option<Millis> {
        let soon = earlier(self.announce_at, self.refresh_at);
        earlier(soon, Some(self.renew_at))
    }

    /// They typed this.
    pub(super) fn typed(&mut self, document: &DocumentId, update: &[u8]) {
        self.own.typed(document, update);
    }

    /// They tell this of a file. `number` is another one each time.
    pub(super) fn tells(&mut self, word: Word, document: &DocumentId, number: u64) {
        self.own.tells(word, document, number);
    }

    /// The connection to a room is gone: nobody is known to be there.
    pub(super) fn forget_others(&mut self, document: &DocumentId) {
        self.others.remove(document);
    }

    /// Whether anyone else has shown a caret in this document.
    pub(super) fn any_caret(&self, document: &DocumentId) -> bool {
        let others = self.others.get(document);
        others.is_some_and(Others::any_caret)
    }

    /// Whether someone's caret stands in text that `doc` does not have yet.
    pub(super) fn wait_for_text(&self, document: &DocumentId, doc: &Doc) -> bool {
        let others = self.others.get(document);
        others.is_some_and(|others| others.wait_for_text(doc))
    }
}

impl Project {
    /// Shows the person in a room that was joined or opened.
    pub(super) fn announce(&mut self, document: &DocumentId) {
        if let Some(open) = self.rooms.get(document).and_then(|room| room.open()) {
            self.people.own.enter(document, open.user);
            self.people.mine.insert(open.user);
            self.look_at(document);
        }
        self.send_presence(document);
    }

    fn send_presence(&mut self, document: &DocumentId) {
        if let Some(update) = self.people.own.announce(document) {
            self.outbox.send(Command::Awareness {
                document: document.clone(),
                update,
            });
        }
    }

    /// Those who are in the index's room hear what is told of files: at once if they can, before the edits of the
    /// index that are about to be made.
    pub(super) fn people_hear(&mut self) {
        let (index, now) = (DocumentId::index(), self.clock.now());
        if now.0 < self.people.told.0 + CARET_MS {
            return self.moved_in(index);
        }
        self.people.told = now;
        self.send_presence(&index);
    }

    /// Whoever else is in the project.
    pub(super) fn others_in_index(&self) -> Option<&Others> {
        self.people.others.get(&DocumentId::index())
    }

    /// They look at this document now.
    fn look_at(&mut self, document: &DocumentId) {
        if self.people.own.looks_at(Some(document)) {
            self.moved_in(DocumentId::index());
        }
    }

    fn moved_in(&mut self, document: DocumentId) {
        self.people.moved.insert(document);
        let due = self.clock.after(CARET_MS);
        self.people.announce_at.get_or_insert(due);
    }

    /// They have typed.
    pub(super) fn caret_moved(&mut self, document: &DocumentId) {
        self.look_at(document);
        self.moved_in(document.clone());
    }

    /// The editor has closed the document.
    pub(super) fn left(&mut self, document: &DocumentId) {
        if let Some(update) = self.people.own.leave(document) {
            self.outbox.send(Command::Awareness {
                document: document.clone(),
                update,
            });
        }
        let other = self
            .rooms
            .iter()
            .find(|(_, room)| room.open().is_some())
            .map(|(document, _)| document.clone());
        if self.people.own.looks_at(other.as_ref()) {
            self.moved_in(DocumentId::index());
        }
    }

    /// Tells everybody that this person goes.
    pub(super) fn say_goodbye(&mut self) {
        let rooms: Vec<_> = self.people.own.rooms().cloned().collect();
        for document in rooms {
            if let Some(update) = self.people.own.leave(&document) {
                self.outbox.send(Command::Awareness { document, update });
            }
        }
    }

    /// A request carried a place: the person's caret.
    pub(super) fn caret_learned(&mut self, positioned: &Positioned) {
        let Some(place) = positioned.position else {
            return;
        };
        let Some(document) = self.document_named(&positioned.text_document.uri) else {
            return;
        };
        let Some(open) = self.rooms.get(&document).and_then(|room| room.open()) else {
            return;
        };
        let units = open.document.to_shared(place.into());
        let doc = open.document.main().doc();
        if self.people.own.caret_at(&document, doc, units) {
            self.caret_moved(&document);
        }
    }

    /// Others have shown themselves.
    pub(super) fn others_present(&mut self, document: &DocumentId, update: &[u8]) {
        let now = self.clock.now();
        let others = self.people.others.entry(document.clone()).or_default();
        if others.take(update, &self.people.mine, now.0) && !document.is_index() {
            self.hints_changed();
        }
        if document.is_index() {
            self.hear_others();
        }
    }

    /// Hints have changed: the editor is asked to look again, if it can and if it shows any.
    ///
    /// Not for changes of the text, whoever makes them: hints move with their text in every
    /// editor, and every editor looks again by itself after a change that it has reported.
    pub(super) fn hints_changed(&mut self) {
        if self.abilities.inlay_hint_refresh && self.people.hints_shown {
            let earliest = Millis(self.people.refreshed.0 + REFRESH_MS);
            let due = earliest.max(self.clock.now());
            self.people.refresh_at.get_or_insert(due);
        }
    }

    /// The editor has answered; whether it was asked to look at the hints again. One that does not
    /// know the question is not asked any more.
    pub(super) fn refresh_answered(&mut self, id: &Id, result: &RpcResult<Value>) -> bool {
        let asked = self.people.refresh_asked.take_if(|asked| asked == id);
        let unknown = |error: &tower_lsp::jsonrpc::Error| error.code == ErrorCode::MethodNotFound;
        if asked.is_some() && result.as_ref().is_err_and(unknown) {
            self.abilities.inlay_hint_refresh = false;
        }
        asked.is_some()
    }

    /// Does what is due.
    pub(super) fn presence_due(&mut self, now: Millis) {
        if self.people.announce_at.take_if(|at| *at <= now).is_some() {
            for document in std::mem::take(&mut self.people.moved) {
                self.send_presence(&document);
            }
        }
        if self.people.refresh_at.take_if(|at| *at <= now).is_some() {
            self.people.refreshed = now;
            self.people.refresh_asked = self.client.ask("workspace/inlayHint/refresh", Value::Null);
        }
        if self.people.renew_at <= now {
            self.people.renew_at = Millis(now.0 + RENEW_MS);
            // What nobody could hear is told once there is a connection.
            if self.connection == Connection::Online {
                self.people.own.renew();
            }
            let rooms: Vec<_> = self.people.own.rooms().cloned().collect();
            for document in rooms {
                self.send_presence(&document);
            }
            let mut gone = false;
            for (document, others) in &mut self.people.others {
                gone |= others.expire(now.0) && !document.is_index();
            }
            if gone {
                self.hints_changed();
            }
        }
    }

    /// The answer to `textDocument/inlayHint`: the others' names at their carets.
    pub(super) fn inlay_hints(&mut self, uri: &str, lines: Option<(u32, u32)>) -> Value {
        self.people.hints_shown = true;
        let Some(document) = self.document_named(uri) else {
            return json!([]);
        };
        let (Some(open), Some(others)) = (
            self.rooms.get(&document).and_then(|room| room.open()),
            self.people.others.get(&document),
        ) else {
            return json!([]);
        };
        let doc = open.document.main().doc();
        let hints = others.iter().filter_map(|other| {
            let place = open.document.to_shown(other.caret(doc)?);
            let within = lines.is_none_or(|(from, to)| (from..=to).contains(&place.line));
            let at_start = place.line == 0 && place.character == 0;
            within.then(|| {
                json!({
                    "position": { "line": place.line, "character": place.character },
                    "label": other.name,
                    // Emacs fails at a hint of kind 2 at the very start of a text, and at one of
                    // kind 1 at its very end.
                    "kind": if at_start { 1 } else { 2 },
                    "paddingLeft": true,
                    "paddingRight": true,
                })
            })
        });
        hints.collect()
    }

    /// Who is in the project, for `tutti.peers`.
    pub(super) fn peers(&self) -> Value {
        let others = self.people.others.get(&DocumentId::index());
        let peers = others.into_iter().flat_map(Others::iter).map(|other| {
            let file = other
                .file
                .as_ref()
                .and_then(|file| self.index.path_of(file));
            json!({
                "name": other.name,
                "color": other.color,
                "file": file.map(|path| path.as_str()),
            })
        });
        peers.collect()
    }
}
