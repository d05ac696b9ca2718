//! Files that someone deletes while the editor shows them.

use tutti_protocol::ids::DocumentId;
use tutti_protocol::index::FileEntry;
use tutti_protocol::role::Role;

use super::project::Project;
use crate::lsp::Severity;
use crate::mirror::IndexEdit;

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
        let entries = self.index.entries();
        self.deleted
            .retain(|document, _| !entries.contains_key(document));
        for (document, entry) in open {
            if self.index.entries().contains_key(&document) {
                continue;
            }
            // Short: editors cut messages that do not fit a line.
            let path = &entry.path;
            let message = match self.role {
                Role::Editor => format!("{path} was deleted by someone; save to bring it back"),
                Role::Viewer => format!("{path} was deleted by someone"),
            };
            self.client.show(Severity::Warning, &message);
            self.deleted.insert(document, entry);
        }
    }

    /// The editor has saved a file: one that was deleted is back in the project by that.
    pub(super) fn bring_back(&mut self, document: &DocumentId) {
        if self.role == Role::Viewer {
            return;
        }
        if let Some(entry) = self.deleted.remove(document) {
            self.edit_index(&IndexEdit::Insert(document.clone(), entry));
            // At once, so that the mirror knows the file before it hears of the save.
            self.index_refreshed();
        }
    }
}
