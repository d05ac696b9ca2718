//! Documents that the editor shows: opening, typing, saving, closing.

use std::collections::HashMap;
use std::time::Instant;

use tutti_engine::{Change, Effect, Event, Reload, Replica};
use tutti_protocol::ids::DocumentId;
use tutti_protocol::path::ProjectPath;

use super::disk::Task;
use super::link_events::STORE_MS;
use super::opening::{Opening, Report};
use super::project::{Project, new_client_id};
use super::room::{Closed, Held, Step};
use super::tracked::Tracked;
use crate::lsp::{self, Severity, file_path};
use crate::mirror::{Changes, EditorSaved, text_on_disk};

/// What a name that the editor uses stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// Nothing of this project.
    Foreign,
    /// A file of the project's directory that is no document (yet).
    Unlisted(ProjectPath),
    /// A document.
    Document(DocumentId),
}

/// An open file that is no document (yet): new, or ignored.
pub(super) struct Unlisted {
    pub(super) path: ProjectPath,
    pub(super) tracked: Tracked,
    /// The mirror has been asked whether the editor shows a document there all the same.
    pub(super) in_doubt: bool,
}

/// How long a closed document waits for the editor to open it again (a reload from disk) before
/// its file follows the project.
const LINGER_MS: u64 = 500;

/// What the editor tells of a file.
pub(super) enum Told {
    /// `didOpen`, with what followed before this project was there.
    Opened(String, Tracked),
    Changed(lsp::Change),
    Saved(lsp::Save),
    Closed(lsp::Close),
    /// `didChangeWatchedFiles`: files that have changed on disk.
    Files(lsp::FilesChanged),
}

impl Project {
    /// Takes in what the editor tells, once it is known which files are documents.
    pub(super) fn told(&mut self, told: Told) {
        if !self.ready {
            return self.early.push(told);
        }
        match told {
            Told::Opened(uri, tracked) => self.opened(uri, tracked),
            Told::Changed(change) => self.did_change(change),
            Told::Saved(save) => self.did_save(save),
            Told::Closed(close) => self.closed(&close.text_document.uri),
            Told::Files(files) => self.files_are_read_again(files),
        }
    }

    /// The stored index has been loaded, or never will be.
    pub(super) fn now_ready(&mut self) {
        self.ready = true;
        for told in std::mem::take(&mut self.early) {
            self.told(told);
        }
    }

    /// The editor shows a file, and reported this of it.
    fn opened(&mut self, uri: String, tracked: Tracked) {
        // Emacs opens twice: the second text replaces the first.
        if self.places.contains_key(&uri) {
            self.closed(&uri);
        }
        let Some(path) = self.path_named(&uri) else {
            tracing::debug!(uri, "not of this project");
            self.places.insert(uri, Place::Foreign);
            return;
        };
        if self.may_be_another(&path) {
            return self.choose(uri, path, tracked);
        }
        match self.index.document_at(&path) {
            Some(document) => self.begin_open(document.clone(), uri, tracked),
            None => {
                self.disk
                    .give(Task::FilesChanged(Changes::of([path.as_str()])));
                self.unlisted(uri, path, tracked, false);
            }
        }
    }

    /// Keeps what the editor reports of a file that is no document yet, or not known to be one.
    pub(super) fn unlisted(
        &mut self,
        uri: String,
        path: ProjectPath,
        tracked: Tracked,
        in_doubt: bool,
    ) {
        self.places
            .insert(uri.clone(), Place::Unlisted(path.clone()));
        let unlisted = Unlisted {
            path,
            tracked,
            in_doubt,
        };
        self.unlisted.insert(uri, unlisted);
    }

    /// The document that the editor calls `uri`.
    pub(super) fn document_named(&self, uri: &str) -> Option<DocumentId> {
        match self.places.get(uri)? {
            Place::Document(document) => Some(document.clone()),
            _ => None,
        }
    }

    /// The path within the project; links on the way to the project's directory are followed.
    fn project_path(&self, path: &std::path::Path) -> Option<ProjectPath> {
        let alias = self
            .aliases
            .iter()
            .find_map(|root| path.strip_prefix(root).ok());
        let relative = match alias {
            Some(relative) => relative.to_owned(),
            None => {
                // Another name of the directory, through a symbolic link. The file itself may be
                // one, too: it stays what it is called.
                let real = path.parent()?.canonicalize().ok()?.join(path.file_name()?);
                real.strip_prefix(&self.root).ok()?.to_owned()
            }
        };
        let parts: Option<Vec<&str>> = relative.iter().map(|part| part.to_str()).collect();
        parts?.join("/").parse().ok()
    }

    /// Waits for what is needed to show the document, and remembers what happens meanwhile.
    pub(super) fn begin_open(&mut self, document: DocumentId, uri: String, tracked: Tracked) {
        let Some((text, version, reports)) = tracked.into_reports() else {
            return;
        };
        if let Some(opening) = self.opening.get_mut(&document)
            && (opening.gone || opening.uri == uri)
        {
            // Opened anew before its replica was at hand: the later text counts.
            self.places
                .insert(uri.clone(), Place::Document(document.clone()));
            (opening.uri, opening.text, opening.version) = (uri, text, version);
            (opening.reports, opening.gone) = (reports, false);
            return;
        }
        let taken = self.opening.contains_key(&document)
            || self
                .rooms
                .get(&document)
                .is_some_and(|room| room.open().is_some());
        if taken {
            // The same file under a second name: the first one is the document.
            tracing::info!(uri, %document, "open under another name already");
            self.places.insert(uri, Place::Foreign);
            return;
        }
        self.places
            .insert(uri.clone(), Place::Document(document.clone()));
        tracing::debug!(uri, %document, "opened");
        // The next bridge must know a document that an editor may still show.
        if self.index_store_at.is_some() {
            self.store_index();
        }
        let path = self.path_named(&uri);
        self.note_opened_as(&document, path.as_ref());
        let opening = Opening::new(uri, text, version, reports);
        self.opening.insert(document.clone(), opening);
        self.disk.give(Task::Opened(document.clone(), path));
        self.loading.insert(document.clone());
        self.disk.give(Task::Load(document));
    }

    fn did_change(&mut self, change: lsp::Change) {
        let uri = change.text_document.uri;
        let version = change.text_document.version;
        let changes: Vec<Change> = change.content_changes.into_iter().map(Into::into).collect();
        let document = match self.places.get(&uri) {
            Some(Place::Document(document)) => document.clone(),
            Some(Place::Unlisted(_)) => {
                if let Some(unlisted) = self.unlisted.get_mut(&uri) {
                    unlisted.tracked.changed(version, changes);
                }
                return;
            }
            Some(Place::Foreign) => return,
            None => return self.changed_unopened(&uri),
        };
        if let Some(opening) = self.opening.get_mut(&document) {
            let version = version.unwrap_or(opening.latest() + 1);
            opening.reports.push(Report::Changed(version, changes));
            return;
        }
        if !self.is_held_as_reload(&document, &uri, version, &changes) {
            self.document_changed(&document, version, changes);
        }
    }

    /// The text that has changed is not known.
    fn changed_unopened(&mut self, uri: &str) {
        let path = file_path(uri).and_then(|path| self.project_path(&path));
        let Some(path) = path else {
            return;
        };
        let message = format!(
            "this editor has changed {path} without having opened it, so nobody else sees the change: \
             close the file and open it again"
        );
        self.tell_once(Severity::Warning, &message);
    }

    pub(super) fn document_changed(
        &mut self,
        document: &DocumentId,
        version: Option<i32>,
        changes: Vec<Change>,
    ) {
        let (now, store_at) = (self.clock.now(), self.clock.after(STORE_MS));
        let Some(room) = self.rooms.get_mut(document) else {
            return;
        };
        let Some(open) = room.open_mut() else {
            return;
        };
        let version = version.unwrap_or(open.document.version() + 1);
        open.note_shown(now);
        let effects = open
            .document
            .handle(Event::Changed { version, changes }, now);
        if effects
            .iter()
            .any(|effect| matches!(effect, Effect::Send { .. }))
        {
            open.note_typed_on();
        }
        room.store_by(store_at);
        self.perform(document, effects);
        // It may write what it tells of only now.
        let is_typed = self.abilities.dialect.reload == Reload::Reopens;
        self.may_have_read(document, !is_typed);
        self.caret_moved(document);
    }

    fn did_save(&mut self, save: lsp::Save) {
        let uri = save.text_document.uri;
        self.was_typed(&uri);
        self.outage.saves(&self.client);
        if self.saving.message().is_some() {
            self.saving.trouble.saves(&self.client);
        }
        match self.places.get(&uri).cloned() {
            Some(Place::Document(document)) => match self.opening.get_mut(&document) {
                Some(opening) => opening.reports.push(Report::Saved(save.text)),
                None => self.document_saved(&document, save.text),
            },
            Some(Place::Unlisted(path)) => {
                let mut in_doubt = false;
                if let Some(unlisted) = self.unlisted.get_mut(&uri) {
                    unlisted.tracked.saved(save.text, &self.abilities);
                    in_doubt = unlisted.in_doubt;
                }
                if !in_doubt {
                    self.disk
                        .give(Task::FilesChanged(Changes::of([path.as_str()])));
                }
            }
            Some(Place::Foreign) | None => {}
        }
    }

    pub(super) fn document_saved(&mut self, document: &DocumentId, text: Option<String>) {
        self.bring_back(document);
        self.written.remove(document);
        let now = self.clock.now();
        let text = text.or_else(|| self.saved_after_drift(document));
        let Some(open) = self
            .rooms
            .get_mut(document)
            .and_then(|room| room.open_mut())
        else {
            return;
        };
        open.is_beyond_file = false;
        let effects = open.document.handle(Event::Saved { text }, now);
        self.perform(document, effects);
        if let Some(saved) = self.as_in_editor(document) {
            self.disk.give(Task::EditorSaved(document.clone(), saved));
        }
    }

    /// What was saved, as its file has it: for an editor that does not send that, though it was asked to,
    /// and whose text is unknown.
    fn saved_after_drift(&self, document: &DocumentId) -> Option<String> {
        let open = self.rooms.get(document)?.open()?;
        let path = self.path_in_editor(document)?;
        let is_unknown = open.document.has_drifted();
        is_unknown.then(|| text_on_disk(&self.root, &path, |_| true))?
    }

    /// Under which path the editor shows a document: its name there may be older than the project's.
    pub(super) fn path_in_editor(&self, document: &DocumentId) -> Option<ProjectPath> {
        let open = self.rooms.get(document)?.open()?;
        self.path_named(&open.uri)
    }

    /// The path within the project that a name stands for.
    pub(super) fn path_named(&self, uri: &str) -> Option<ProjectPath> {
        file_path(uri).and_then(|path| self.project_path(&path))
    }

    /// What the editor shows, with the replica that it came from, as what its file holds by now.
    pub(super) fn as_in_editor(&mut self, document: &DocumentId) -> Option<EditorSaved> {
        let path = self.path_in_editor(document)?;
        let now = self.clock.now();
        let room = self.rooms.get_mut(document)?;
        let open = room.open()?;
        let shown = open.document.shown_state();
        let told = Instant::now();
        let recent = open.shown_before(now, told);
        let (state, unsaved) = room.store_now();
        Some(EditorSaved {
            path,
            shown,
            state,
            unsaved,
            recent,
            told,
        })
    }

    pub(super) fn closed(&mut self, uri: &str) {
        self.end_reload(uri);
        self.unlisted.remove(uri);
        let Some(Place::Document(document)) = self.places.remove(uri) else {
            return;
        };
        match self.opening.get_mut(&document) {
            Some(opening) => opening.gone = true,
            None => self.close_document(&document),
        }
    }

    /// Nobody shows the document any more.
    pub(super) fn close_document(&mut self, document: &DocumentId) {
        self.tell_engine(document, Event::Closing);
        self.asked.forget(document);
        let linger = Step::Lingering(self.clock.after(LINGER_MS));
        let store_at = self.clock.after(STORE_MS);
        if let Some(room) = self.rooms.get_mut(document) {
            let placeholder = Held::Closed(Box::new(Closed {
                replica: Replica::new(new_client_id()),
                step: linger,
                touched: true,
                on_disk: None,
            }));
            let replica = match std::mem::replace(&mut room.held, placeholder) {
                Held::Open(open) => open.document.close(),
                Held::Closed(closed) => closed.replica,
            };
            if let Held::Closed(closed) = &mut room.held {
                closed.replica = replica;
            }
            room.store_by(store_at);
        }
        self.deleted.remove(document);
        self.written.remove(document);
        self.left(document);
    }

    /// The texts that the editor shows, for the time after this project.
    pub(super) fn open_files(&self) -> HashMap<String, Tracked> {
        let open = self.rooms.values().filter_map(|room| room.open());
        open.map(|open| {
            let tracked = Tracked::opened(open.document.shown(), open.document.version());
            (open.uri.clone(), tracked)
        })
        .collect()
    }

    /// The look-ups of the index have changed: files may have become documents.
    pub(super) fn open_listed(&mut self) {
        let listed: Vec<_> = self
            .unlisted
            .iter()
            .filter(|(_, unlisted)| unlisted.tracked.is_known() && !unlisted.in_doubt)
            .filter_map(|(uri, unlisted)| {
                let document = self.index.document_at(&unlisted.path)?;
                Some((uri.clone(), document.clone()))
            })
            .collect();
        for (uri, document) in listed {
            if let Some(unlisted) = self.unlisted.remove(&uri) {
                self.begin_open(document, uri, unlisted.tracked);
            }
        }
    }
}
