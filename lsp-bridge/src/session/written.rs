//! Files that another program writes while the editor shows them.
//!
//! Some editors read such a file again by themselves, and report of it as if that had been typed. Then
//! it is known what the file was made of. For those that do not, the mirror merges it.

use ropey::Rope;
use tutti_protocol::ids::DocumentId;

use super::disk::Task;
use super::project::Project;

impl Project {
    /// Another program has written this text.
    pub(super) fn written(&mut self, document: DocumentId, text: &str) {
        let room = self.rooms.get(&document);
        let is_open = room.is_some_and(|room| room.open().is_some());
        if is_open || self.opening.contains_key(&document) {
            self.written.insert(document.clone(), Rope::from(text));
            self.may_have_read(&document, false);
        }
    }

    /// The editor has read what another program has written, if it shows that now. Unless it does so
    /// only after that was seen, it may have written it itself.
    pub(super) fn may_have_read(&mut self, document: &DocumentId, is_late: bool) {
        let Some(written) = self.written.get(document) else {
            return;
        };
        let open = self.rooms.get(document).and_then(|room| room.open());
        if open.is_some_and(|open| open.document.shown_after(&[]) == *written)
            && let Some(read) = self.as_in_editor(document)
        {
            self.written.remove(document);
            self.disk.give(Task::EditorRead {
                document: document.clone(),
                read,
                is_late,
            });
        }
    }

    /// What another program has written is to be merged with what an editor shows, here or elsewhere.
    pub(super) fn beneath(&mut self, document: DocumentId) {
        self.written.remove(&document);
        match self.as_in_editor(&document) {
            Some(shown) => self.disk.give(Task::Beneath(document, shown)),
            None => self.enqueue(document),
        }
    }
}
