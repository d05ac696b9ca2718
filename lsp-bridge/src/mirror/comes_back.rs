//! Files that others have deleted while this bridge's editor shows them: one that comes to be on disk all the same is
//! wanted, whatever it holds. `git checkout -- FILE` makes it with exactly the text that it had.

use std::collections::HashMap;

use tutti_protocol::ids::DocumentId;
use tutti_protocol::path::ProjectPath;

use super::Mirror;
use super::tree::Stamp;

/// What the files of open documents looked like when they were looked at last; `None` for one that was not there.
pub(super) type OpenFiles = HashMap<DocumentId, Option<Stamp>>;

impl Mirror {
    /// The file of a document that the session's editor shows is known as it is now. Others may delete it, and who
    /// makes it anew may do so before that is heard of here.
    pub(super) fn look_at_open(&mut self, document: &DocumentId) {
        let known = self.known.get(document);
        let path = known.and_then(|known| Some(known.file.as_ref()?.path.clone()));
        if let Some(path) = path.filter(|_| self.open.contains(document)) {
            let looked = self.tree.look(&path).ok().flatten();
            let stamp = looked.map(|looked| looked.stamp);
            self.open_files.insert(document.clone(), stamp);
        }
    }

    /// Whether the file has come to be since it was looked at, and others have deleted it.
    pub(super) fn comes_to_be(&mut self, document: &DocumentId, path: &ProjectPath) -> bool {
        let Some(before) = self.open_files.get_mut(document) else {
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
        let is_deleted = self.is_current && !self.shown.contains(document);
        is_deleted && !is_same && !self.read_only && !self.announced.contains(document)
    }
}
