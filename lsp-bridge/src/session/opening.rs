//! Documents that an editor has just opened, until the engine has them.

use std::collections::VecDeque;

use ropey::Rope;
use tutti_engine::{Change, Document, Effect, Event, Left, Millis, Opened, Replica};
use tutti_protocol::ids::DocumentId;
use tutti_protocol::index::Eol;

use super::disk::Task;
use super::project::{Connection, Project, new_client_id};
use super::room::{Closed, Held, Open, Step};
use crate::mirror::{nearest, shown_of, what_is_new};

/// How long a text that nothing here accounts for waits for what the server has of it.
const PATIENCE_MS: u64 = 3_000;
/// The mark that some files begin with, and that some editors hide.
const BOM: char = '\u{feff}';

/// A document that the editor shows and whose replica is not at hand yet.
pub(super) struct Opening {
    pub(super) uri: String,
    pub(super) text: String,
    pub(super) version: i32,
    /// What the editor has reported since.
    pub(super) reports: Vec<Report>,
    /// The state that the file on disk came from, once the mirror has told.
    base: Option<Option<Vec<u8>>>,
    /// The states that the file on disk came from a moment ago, the last one first.
    overwritten: Vec<Vec<u8>>,
    /// What an editor may have shown of it when its bridge ended.
    left: Vec<Left>,
    /// The editor has closed it already. What it reported counts all the same.
    pub(super) gone: bool,
    patience: Patience,
}

/// How long the server is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    Unneeded,
    Until(Millis),
    Over,
}

/// What an editor reports of a document.
pub(super) enum Report {
    Changed(i32, Vec<Change>),
    Saved(Option<String>),
}

impl Opening {
    pub(super) fn new(uri: String, text: String, version: i32, reports: Vec<Report>) -> Self {
        Self {
            uri,
            text,
            version,
            reports,
            base: None,
            overwritten: Vec::new(),
            left: Vec::new(),
            gone: false,
            patience: Patience::Unneeded,
        }
    }

    /// The mirror has told what the editor may have read.
    pub(super) fn read(
        &mut self,
        base: Option<Vec<u8>>,
        overwritten: Vec<Vec<u8>>,
        left: Vec<Left>,
    ) {
        self.base = Some(base);
        self.overwritten = overwritten;
        self.left = left;
    }

    /// The version of the last report.
    pub(super) fn latest(&self) -> i32 {
        let version = |report: &Report| match report {
            Report::Changed(version, _) => Some(*version),
            Report::Saved(_) => None,
        };
        self.reports
            .iter()
            .rev()
            .find_map(version)
            .unwrap_or(self.version)
    }

    /// When the server is waited for no longer.
    pub(super) fn due(&self) -> Option<Millis> {
        match self.patience {
            Patience::Until(until) => Some(until),
            _ => None,
        }
    }
}

impl Project {
    /// Shows the document if everything that is needed has come.
    pub(super) fn try_open(&mut self, document: &DocumentId) {
        let Some(room) = self.rooms.get(document) else {
            return;
        };
        let Some(opening) = self.opening.get_mut(document) else {
            return;
        };
        if !room.complete || opening.base.is_none() {
            return;
        }
        let entry = self.index.entries().get(document);
        let eol_crlf = entry.is_some_and(|entry| entry.eol == Eol::Crlf);
        let keeps_newline = self.abilities.dialect.keeps_final_newline;
        let text = |like: &Replica| as_shared(&opening.text, eol_crlf, keeps_newline, like);
        let shows = |replica: &Replica| *replica.rope() == text(replica);
        let overwritten = self.overwritten.iter().rev();
        let overwritten = overwritten
            .filter(|(other, _)| other == document)
            .map(|(_, state)| state);
        let overwritten = opening.overwritten.iter().chain(overwritten);
        let overwritten = overwritten.map(Vec::as_slice);
        let newest = opening.base.as_ref().and_then(|base| base.as_deref());
        let picked = pick_base(newest, &opening.left, overwritten, text);
        let is_known = shows(room.replica()) || picked.is_known;
        let (mut base, is_left) = (picked.base, picked.is_left);
        let came_back = base.as_ref().filter(|_| is_left).map(&text);
        let empty = Replica::new(new_client_id());
        if base.is_none() && shows(&empty) {
            // A file of the project that is not on this disk yet: the editor made a new one of it.
            base = Some(empty);
        }
        let is_synced = room.synced;
        let mut new = None;
        if !is_known {
            // The person may have written it, or an earlier bridge that sent it and could not
            // store it any more: what was sent is not to be written a second time.
            let may_hear =
                matches!(self.connection, Connection::Unknown | Connection::Online) && !is_synced;
            if may_hear && opening.patience != Patience::Over {
                if opening.patience == Patience::Unneeded {
                    opening.patience = Patience::Until(self.clock.after(PATIENCE_MS));
                }
                return;
            }
            new = base
                .as_ref()
                .and_then(|base| what_is_new(base, room.replica(), &text(base)));
        }
        let before = (!is_known && !is_synced).then(|| room.replica().state());
        let Some(opening) = self.opening.remove(document) else {
            return;
        };
        let is_merged = new.is_some();
        tracing::debug!(%document, is_known, is_left, is_synced, is_merged, "shown");
        if let Some(update) = new.flatten() {
            self.changed_on_disk(document, update);
        }
        if is_merged {
            let main = self.rooms.get(document).map(|room| room.replica());
            let as_in_main = |main| as_shared(&opening.text, eol_crlf, keeps_newline, main);
            base = main.and_then(|main| shown_of(main, &as_in_main(main)));
        }
        let opened = Opened {
            text: opening.text,
            version: opening.version,
            encoding: self.abilities.encoding,
            dialect: self.abilities.dialect.clone(),
            eol_crlf,
            user: new_client_id(),
        };
        let is_made_of = base.is_some() || is_known;
        let was_left = !opening.left.is_empty();
        let mut effects = self.show(document, opening.uri, base, opened);
        if is_made_of && let Some(read) = self.as_in_editor(document) {
            self.disk.give(Task::EditorRead {
                document: document.clone(),
                read,
                is_late: false,
            });
        }
        self.may_have_read(document, true);
        if let Some(text) = came_back {
            self.disk.give(Task::CameBack(document.clone(), text));
        }
        if is_merged {
            // The engine, without a base, takes the text for one that was never merged.
            let of_no_base = |e: &Effect| matches!(e, Effect::Recover { .. } | Effect::Tell { .. });
            effects.retain(|effect| !of_no_base(effect));
        }
        if let Some(before) = before
            && let Some(room) = self.rooms.get_mut(document)
        {
            room.guess_at(&before);
        }
        if was_left && let Some(open) = self.rooms.get_mut(document).and_then(|r| r.open_mut()) {
            effects.extend(open.document.ask_whether_it_hears(self.clock.now()));
        }
        // Shown first, so that what they typed meanwhile finds them there.
        self.announce(document);
        self.perform(document, effects);
        // The editor may have asked for hints while there was no text to place them in.
        if self.people.any_caret(document) {
            self.hints_changed();
        }
        for report in opening.reports {
            match report {
                Report::Changed(version, changes) => {
                    self.document_changed(document, Some(version), changes);
                }
                Report::Saved(text) => self.document_saved(document, text),
            }
        }
        if opening.gone {
            self.close_document(document);
        }
    }

    /// Hands the document to the engine.
    fn show(
        &mut self,
        id: &DocumentId,
        uri: String,
        base: Option<Replica>,
        opened: Opened,
    ) -> Vec<Effect> {
        // Opened twice, without having been closed.
        self.tell_engine(id, Event::Closing);
        let (now, user) = (self.clock.now(), opened.user);
        let Some(room) = self.rooms.get_mut(id) else {
            return Vec::new();
        };
        let placeholder = Held::Closed(Box::new(Closed {
            replica: Replica::new(user),
            step: Step::Leaving,
            touched: false,
            on_disk: None,
        }));
        let main = match std::mem::replace(&mut room.held, placeholder) {
            Held::Closed(closed) => closed.replica,
            Held::Open(open) => open.document.close(),
        };
        let (document, effects) = Document::open(main, base, opened, now);
        room.held = Held::Open(Box::new(Open {
            document,
            uri,
            user,
            wake_at: None,
            was_deaf: false,
            is_beyond_file: false,
            recent: VecDeque::new(),
            journal: None,
        }));
        self.begin_journal(id);
        effects
    }

    /// The server will not say more of the document for now.
    pub(super) fn open_as_it_is(&mut self, document: &DocumentId) {
        if let Some(opening) = self.opening.get_mut(document) {
            opening.patience = Patience::Over;
            self.try_open(document);
        }
    }

    /// Opens what the server has been waited for long enough.
    pub(super) fn opening_due(&mut self, now: Millis) {
        let is_due = |opening: &Opening| opening.due().is_some_and(|due| due <= now);
        let opening = self.opening.iter();
        let due = opening.filter(|(_, opening)| is_due(opening));
        for document in due.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            self.open_as_it_is(&document);
        }
    }

    /// The session ends: what was typed into documents that waited for the server is taken in. An
    /// untouched text is left as it is, the next session looks at it anew.
    pub(super) fn open_what_was_typed(&mut self) {
        let opening = self.opening.iter();
        let typed = opening.filter(|(_, opening)| !opening.reports.is_empty());
        for document in typed.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            self.open_as_it_is(&document);
        }
    }
}

/// The editor's text as the shared text would have it if it was made of `like`.
fn as_shared(text: &str, crlf: bool, keeps_newline: bool, like: &Replica) -> Rope {
    let mut text = match crlf {
        true => text.replace("\r\n", "\n"),
        false => text.to_owned(),
    };
    let like = like.rope();
    if like.chars().next() == Some(BOM) && !text.starts_with(BOM) {
        text.insert(0, BOM);
    }
    if keeps_newline {
        let ends = like.len_chars() > 0 && like.char(like.len_chars() - 1) == '\n';
        match text.ends_with('\n') {
            true if !ends => drop(text.pop()),
            false if ends => text.push('\n'),
            _ => {}
        }
    }
    Rope::from(text)
}

/// The state that an opened text came from.
struct Picked {
    base: Option<Replica>,
    /// Whatever differs from it is the person's.
    is_known: bool,
    /// It is what an editor showed when its bridge ended: that editor is still there.
    is_left: bool,
}

/// Picks the state that an opened text came from: one that has exactly this text, first what the
/// mirror says of the file; else that, or, if it is nearer, what an editor showed when its bridge
/// ended.
fn pick_base<'a>(
    newest: Option<&[u8]>,
    left: &[Left],
    overwritten: impl Iterator<Item = &'a [u8]>,
    text: impl Fn(&Replica) -> Rope,
) -> Picked {
    let nearest = nearest(newest, left, &text);
    if nearest.as_ref().is_none_or(|near| near.cost > 0) {
        let replica = |state: &[u8]| Replica::from_state(new_client_id(), state).ok();
        let shows = |replica: &Replica| *replica.rope() == text(replica);
        if let Some(base) = overwritten.filter_map(replica).find(shows) {
            return Picked {
                base: Some(base),
                is_known: true,
                is_left: false,
            };
        }
    }
    match nearest {
        Some(near) => Picked {
            is_known: near.left.is_some() || near.cost == 0,
            is_left: near.left.is_some(),
            base: Some(near.replica),
        },
        None => Picked {
            base: None,
            is_known: false,
            is_left: false,
        },
    }
}
