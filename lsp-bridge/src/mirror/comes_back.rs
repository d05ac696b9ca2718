//! Files that others have deleted while this bridge's editor shows them: one that comes to be on disk all the same is
//! wanted, whatever it holds. `git checkout -- FILE` makes it with exactly the text that it had.

use std::collections::HashMap;

use tutti_protocol::ids::DocumentId;
use tutti_protocol::path::ProjectPath;

use super::Mirror;
use super::tree::Stamp;

/// What their files looked like when they were looked at last; `None` for one that was not there.
pub(super) type DeletedOpen = HashMap<DocumentId, Option<Stamp>>;

impl Mirror {
    /// The index is this now, as the server has it.
    pub(super) fn note_deleted_open(&mut self) {
        let is_deleted = |one: &DocumentId| !self.shown.contains(one);
        self.deleted_open.retain(|one, _| is_deleted(one));
        let deleted: Vec<_> = self.open.iter().filter(|one| is_deleted(one)).collect();
        for document in deleted {
            let known = self.known.get(document);
            if let Some(file) = known.and_then(|known| known.file.as_ref())
                && !self.deleted_open.contains_key(document)
            {
                let stamp = self.tree.look(&file.path).ok().flatten();
                let stamp = stamp.map(|looked| looked.stamp);
                self.deleted_open.insert(document.clone(), stamp);
            }
        }
    }

    /// Whether the file of such a document has come to be since it was looked at.
    pub(super) fn comes_to_be(&mut self, document: &DocumentId, path: &ProjectPath) -> bool {
        let Some(before) = self.deleted_open.get_mut(document) else {
            return false;
        };
        let looked = self.tree.look(path).ok().flatten();
        let now = looked.map(|looked| looked.stamp);
        let is_same = match (&*before, now) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(before), Some(now)) => now.of_same_content(before).is_some(),
        };
        *before = now;
        !is_same && !self.read_only
    }
}
