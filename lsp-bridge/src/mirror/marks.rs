//! What a bridge tells the other processes of a directory about a document that its editor has open:
//! an empty file beside the document's record for each.

use std::io;

use tutti_protocol::ids::DocumentId;

use super::state::{StateStore, file_name};

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// An editor of this guest has it open.
    Open,
    /// The editor that has it open does not report any more what is typed.
    Deaf,
}

impl Mark {
    /// Behind the document's file name.
    fn suffix(self) -> &'static str {
        match self {
            Self::Open => ".open",
            Self::Deaf => ".deaf",
        }
    }
}

impl StateStore {
    /// Leaves a mark, or takes it away.
    pub(super) fn mark(&self, document: &DocumentId, mark: Mark, is_so: bool) -> io::Result<()> {
        let name = file_name(document) + mark.suffix();
        match is_so {
            true => self.dir().write(name, b""),
            false => self.unmark(&name),
        }
    }

    /// Whether [`StateStore::mark`] has left it.
    pub(super) fn is_marked(&self, document: &DocumentId, mark: Mark) -> bool {
        let name = file_name(document) + mark.suffix();
        self.dir().symlink_metadata(name).is_ok()
    }

    /// Takes the mark away from all documents: whoever has left them has ended.
    pub(super) fn unmark_all(&self, mark: Mark) -> io::Result<()> {
        let names = self.names()?.into_iter();
        names
            .filter(|name| name.ends_with(mark.suffix()))
            .try_for_each(|name| self.unmark(&name))
    }

    fn unmark(&self, name: &str) -> io::Result<()> {
        match self.dir().remove_file(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}
