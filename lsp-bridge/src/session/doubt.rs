//! Names under which the editor may still show another document than the project has there.
//!
//! A file that others have renamed keeps its name while the editor shows it, and another file may
//! have that name in the project by then. When the bridge or the file is opened anew, the text tells
//! which of them the editor shows: taken for the other one, it would replace that one's text.

use tutti_protocol::ids::DocumentId;
use tutti_protocol::path::ProjectPath;

use super::disk::Task;
use super::project::Project;
use super::tracked::Tracked;
use crate::mirror::{Candidates, Changes};

impl Project {
    /// Whether a document was shown under this name that the project has elsewhere.
    pub(super) fn may_be_another(&self, path: &ProjectPath) -> bool {
        self.others_at(path).next().is_some()
    }

    fn others_at(&self, path: &ProjectPath) -> impl Iterator<Item = &DocumentId> {
        let listed = self.index.document_at(path);
        let shown = self.shown_at.get(path).into_iter().flatten();
        shown.filter(move |document| {
            Some(*document) != listed
                && self.index.entries().contains_key(document)
                && !self.is_shown(document)
        })
    }

    /// Asks the mirror which document the editor shows.
    pub(super) fn choose(&mut self, uri: String, path: ProjectPath, tracked: Tracked) {
        let candidates = Candidates {
            listed: self.index.document_at(&path).cloned(),
            others: self.others_at(&path).cloned().collect(),
            text: tracked.text().unwrap_or_default().to_owned(),
            path: path.clone(),
        };
        self.unlisted(uri.clone(), path, tracked, true);
        self.disk.give(Task::Choose(uri, candidates));
    }

    /// The mirror has told which.
    pub(super) fn chosen(&mut self, uri: String, document: Option<DocumentId>) {
        let in_doubt = self.unlisted.get_mut(&uri).filter(|file| file.in_doubt);
        // Closed meanwhile, or opened once more.
        let Some(unlisted) = in_doubt else {
            return;
        };
        unlisted.in_doubt = false;
        match document {
            Some(document) => {
                if let Some(unlisted) = self.unlisted.remove(&uri) {
                    self.begin_open(document, uri, unlisted.tracked);
                }
            }
            None => {
                let changes = Changes::of([unlisted.path.as_str()]);
                self.disk.give(Task::FilesChanged(changes));
                self.open_listed();
            }
        }
        if self.index_waits && !self.is_in_doubt() {
            self.index_to_mirror();
        }
    }

    /// Whether the mirror has still to say which document a file is.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.unlisted.values().any(|file| file.in_doubt)
    }
}
