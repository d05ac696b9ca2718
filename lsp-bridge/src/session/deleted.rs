//! Files that someone deletes while the editor shows them.

use tutti_protocol::ids::DocumentId;
use tutti_protocol::index::FileEntry;
use tutti_protocol::role::Role;

use super::disk::Task;
use super::project::Project;
use crate::lsp::Severity;
use crate::mirror::{IndexEdit, MAX_FILE_BYTES, text_on_disk};

/// One that someone has deleted.
pub(super) struct Deleted {
    /// As it was listed.
    entry: FileEntry,
    /// What the editor showed, if that was not saved.
    unsaved: Option<String>,
    /// Its name is another text's by now, and that was told.
    is_replaced: bool,
}

impl Project {
    /// What the index lists of the documents that the editor shows.
    pub(super) fn entries_of_open(&self) -> Vec<(DocumentId, FileEntry)> {
        let entries = self.index.entries().iter();
        entries
            .filter(|(document, _)| self.is_shown(document))
            .map(|(document, entry)| (document.clone(), entry.clone()))
            .collect()
    }

    pub(super) fn is_shown(&self, document: &DocumentId) -> bool {
        let room = self.rooms.get(document);
        self.opening.contains_key(document) || room.is_some_and(|room| room.open().is_some())
    }

    /// Tells the person which of these files the index has lost. What they type there goes to
    /// nobody until they save.
    pub(super) fn note_deleted(&mut self, open: Vec<(DocumentId, FileEntry)>) {
        for (document, entry) in open {
            if self.index.entries().contains_key(&document) {
                continue;
            }
            // Short: editors cut messages that do not fit a line.
            let path = &entry.path;
            let who = self.who_deleted(&document);
            let who = who.as_deref().unwrap_or("someone");
            let message = match (self.role, self.turned_into(&entry)) {
                (Role::Editor, None) => {
                    format!("{path} was deleted by {who}; save to bring it back")
                }
                (Role::Viewer, None) => format!("{path} was deleted by {who}"),
                (Role::Editor, Some(what)) => {
                    format!(
                        "{who} made {path} {what}; close it, or save to keep your text beside it"
                    )
                }
                (Role::Viewer, Some(what)) => format!("{who} made {path} {what}; close it"),
            };
            self.client.show(Severity::Warning, &message);
            let unsaved = self.unsaved_text(&document);
            let deleted = Deleted {
                entry,
                unsaved,
                is_replaced: false,
            };
            self.deleted.insert(document, deleted);
        }
        self.note_replaced();
    }

    /// Tells the person where others have made another text in the place of one that they had made a file that is
    /// none: the editor still shows the first.
    fn note_replaced(&mut self) {
        for deleted in self.deleted.values_mut().filter(|one| !one.is_replaced) {
            let mut entries = self.index.entries().values();
            let path = &deleted.entry.path;
            if entries.any(|other| other.path == *path && other.is_text()) {
                deleted.is_replaced = true;
                let or_save = match self.role {
                    Role::Editor => ", or save to keep yours beside it",
                    Role::Viewer => "",
                };
                let message = format!(
                    "{path} is another text by now; close it and open it again to see that{or_save}"
                );
                self.client.show(Severity::Warning, &message);
            }
        }
    }

    /// What is listed in the place of a text that is not any more.
    fn turned_into(&self, text: &FileEntry) -> Option<&'static str> {
        let mut entries = self.index.entries().values();
        let other = entries.find(|other| other.path == text.path && other.is_there())?;
        match other.blob.as_ref()?.bytes > MAX_FILE_BYTES {
            true => Some("larger than the 10 MiB of a text that can be edited together"),
            false => Some("a binary file"),
        }
    }

    /// Others have brought a file back that they had deleted, with a text of their own perhaps: what
    /// the editor showed of it and never saved is kept. The mirror knows of the index by now.
    pub(super) fn note_made_anew(&mut self) {
        let entries = self.index.entries();
        let is_back = |document: &&DocumentId| entries.contains_key(*document);
        let back: Vec<_> = self.deleted.keys().filter(is_back).cloned().collect();
        for document in back {
            let deleted = self.deleted.remove(&document);
            let Some((entry, text)) = deleted.and_then(|one| Some((one.entry, one.unsaved?)))
            else {
                continue;
            };
            self.disk.give(Task::Recover { document, text });
            let path = &entry.path;
            let message = format!("{path} was made anew; your text is kept in .tutti/recovered");
            self.client.show(Severity::Warning, &message);
        }
    }

    /// What the editor shows of a document, if its file does not hold that.
    fn unsaved_text(&self, document: &DocumentId) -> Option<String> {
        let shown = self.rooms.get(document)?.open()?.document.shown();
        let path = self.path_in_editor(document)?;
        let is_saved = text_on_disk(&self.root, &path, |_| true).as_ref() == Some(&shown);
        (!is_saved).then_some(shown)
    }

    /// The editor has saved a file, or another program has made it anew: one that was deleted is back in the project
    /// by that.
    pub(super) fn bring_back(&mut self, document: &DocumentId) {
        if self.role == Role::Viewer {
            return;
        }
        if let Some(Deleted { entry, .. }) = self.deleted.remove(document) {
            self.edit_index(&[IndexEdit::Insert(document.clone(), entry)]);
            self.brought_back(document);
            // At once, so that the mirror knows the file before it hears of the save.
            self.index_refreshed();
        }
    }
}
