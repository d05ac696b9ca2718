//! What the mirror says.

use std::collections::BTreeMap;

use tutti_protocol::ids::DocumentId;
use tutti_protocol::path::ProjectPath;
use tutti_protocol::role::Role;

use super::disk::{News, Task};
use super::link_events::STORE_MS;
use super::project::{NEIGHBOURS_MS, Project};
use super::saved::Saved;
use crate::carrier::Job;
use crate::link::Command;
use crate::lsp::Severity;
use crate::mirror::{Changes, DiskChanges, Effect, IndexEdit, Stored};

impl Project {
    pub(super) fn disk_news(&mut self, news: News) {
        match news {
            News::Ready {
                owner,
                read_only,
                index,
                changes,
                journals,
                shown_at,
                files,
            } => {
                if read_only {
                    self.role = Role::Viewer;
                }
                self.keep_journals(journals, shown_at);
                self.mirror_ready(owner, index, changes, files);
            }
            News::Failed(error) => {
                self.disk_ended = true;
                self.now_ready();
                self.progress.end("not connected");
                self.tell_once(Severity::Warning, &error.to_string());
            }
            News::NotYet(error) => {
                self.progress.end("not connected");
                self.tell_once(Severity::Warning, &format!("{error}; it is tried again"));
            }
            News::Loaded {
                document,
                stored,
                base,
                overwritten,
                left,
            } => {
                if let Some(opening) = self.opening.get_mut(&document) {
                    opening.read(base.clone(), overwritten, left);
                }
                self.loaded(document, stored, base);
            }
            News::Chosen(uri, document) => self.chosen(uri, document),
            News::Settled(document, settled) => self.settled(&document, settled),
            News::ToAsk(to_ask) => self.put_questions(to_ask),
            News::Answered(answered) => self.settled_in_bulk(answered),
            News::Beneath(document, update) => {
                // Who changes a file by a program, that others have deleted, wants it as much as who saves it.
                self.bring_back(&document);
                self.changed_on_disk(&document, update);
            }
            News::Effects(effects) => self.mirror_effects(effects),
            News::TookOver(changes) => {
                self.owner = true;
                self.disk_changes = changes;
                self.mirror_has_index = false;
                self.index_to_mirror();
                self.enqueue_all();
            }
            News::Away(standing) => self.mirror_pauses(standing),
            News::Back => self.mirror_goes_on(),
            News::Trouble(error) => self.tell_once(Severity::Warning, &error.to_string()),
        }
    }

    /// An error of Tutti's own has ended the mirror. Whoever could not open it has told so already.
    pub(super) fn without_disk(&mut self) {
        self.now_ready();
        self.progress.end("not connected");
        self.tell_once(
            Severity::Warning,
            "Tutti has stopped to look after this directory because of an error of its own: what \
             others write does not reach your files, and new files are not shared; restart the \
             language server, and please report what its log says",
        );
    }

    fn mirror_ready(
        &mut self,
        owner: bool,
        index: Option<Stored>,
        changes: Option<DiskChanges>,
        files: BTreeMap<DocumentId, ProjectPath>,
    ) {
        self.owner = owner;
        self.disk_changes = changes;
        self.neighbours_at = Some(self.clock.after(NEIGHBOURS_MS));
        let mut is_listed = false;
        if let Some(stored) = index {
            self.index_saved = Saved::stored(stored.unsaved);
            match self.index.apply(&stored.state) {
                Ok(()) => is_listed = self.index.refresh().is_some(),
                Err(error) => tracing::error!(error, "the stored index is damaged"),
            }
        }
        self.note_old_names(files);
        self.outbox.send(Command::Join {
            document: DocumentId::index(),
            state_vector: self.index.state_vector(),
        });
        // Which files are the editor's the mirror hears before it moves any.
        self.now_ready();
        if is_listed {
            self.index_to_mirror();
        }
    }

    pub(super) fn mirror_effects(&mut self, effects: Vec<Effect>) {
        let (mut edits, mut cargo) = (Vec::new(), Vec::new());
        self.tell_of_edits(&effects);
        for effect in effects {
            match effect {
                Effect::Send(one) => cargo.push(one),
                Effect::Offer(all) => self.carrier.give(Job::Offer(all)),
                Effect::Fetch(one) => self.carrier.give(Job::Fetch(one)),
                Effect::LookAgain(path) => self.look_again(path),
                Effect::Index(edit) => edits.push(edit),
                Effect::Sync(document) => self.enqueue_for_mirror(document),
                Effect::Written(document, text) => self.written(document, &text),
                Effect::Beneath(document) => self.beneath(document),
                Effect::Wanted(document) => self.bring_back(&document),
                Effect::BeginAgain => self.begin_again(),
                Effect::Tell(notice) => self.tell(&notice),
            }
        }
        if !edits.is_empty() {
            self.edit_index(&edits);
            self.index.count(edits.len());
            // The next bridge must not know less of the index than the mirror has stored of files.
            self.store_index();
        }
        self.send_files(cargo);
    }

    /// The mirror is to do everything that it may not have done.
    fn begin_again(&mut self) {
        self.index_to_mirror();
        self.disk.give(Task::FilesChanged(Changes::everything()));
        self.enqueue_all();
    }

    pub(super) fn edit_index(&mut self, edits: &[IndexEdit]) {
        if self.role == Role::Viewer {
            return;
        }
        for edit in edits {
            if let IndexEdit::Rename(document, path) = edit {
                self.renamed_here.insert(document.clone());
                self.own_names.insert(document.clone(), path.clone());
            }
        }
        let update = self.index.edit(edits);
        self.index_saved.sent();
        self.send_update(&DocumentId::index(), update);
        self.index_store_at
            .get_or_insert(self.clock.after(STORE_MS));
        self.index_refresh_at = Some(self.clock.now());
    }

    /// The index may have changed: look-ups, the editor's files and the mirror follow.
    pub(super) fn index_refreshed(&mut self) {
        let open = self.entries_of_open();
        if let Some(before) = self.index.refresh() {
            self.note_deleted(open);
            self.forget_deletions();
            self.note_old_names(before);
            self.open_listed();
            self.index_to_mirror();
            self.note_made_anew();
        }
    }

    /// Tells the mirror the index: never one that has not come from the server or the disk.
    pub(super) fn index_to_mirror(&mut self) {
        let stored_only = !self.index_synced && self.index.entries().is_empty();
        self.index_waits = self.is_in_doubt();
        if stored_only || self.index_waits {
            return;
        }
        self.disk.give(Task::IndexChanged {
            entries: self.index.entries().clone(),
            current: self.index_synced,
            shown: self.index.shown(),
        });
        if !std::mem::replace(&mut self.mirror_has_index, true) && self.owner {
            self.disk.give(Task::FilesChanged(Changes::everything()));
        }
    }

    /// Brings every file up to date: at the start, and after each time without connection.
    pub(super) fn enqueue_all(&mut self) {
        if !self.owner {
            return;
        }
        let documents: Vec<_> = self.index.documents().cloned().collect();
        for document in documents {
            match self.bulk.works {
                _ if self.rooms.contains_key(&document) => {}
                true if !self.line.contains(&document) => self.bulk.push(document),
                _ => self.enqueue(document),
            }
        }
    }
}
