//! What the mirror asks of the session that drives it.

use tutti_protocol::ids::DocumentId;
use tutti_protocol::index::{self, Eol, FileEntry};
use tutti_protocol::path::ProjectPath;
use yrs::{MapRef, TransactionMut};

/// One thing for the session to do, in the order given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Write this to the index document, as this person's own edit.
    Index(IndexEdit),
    /// Bring the document up to date and then call [`super::Mirror::settle`]: take its open
    /// replica or [`super::Mirror::stored`], join its room, exchange, and wait until the server
    /// has confirmed what it lacked. Offline: call [`super::Mirror::settle_offline`] with what
    /// there is, and `settle` once connected.
    Sync(DocumentId),
    /// Tell the person.
    Tell(Notice),
}

/// A change to the project index that follows from a change on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexEdit {
    /// A new file.
    Insert(DocumentId, FileEntry),
    /// A file has a new path; its text stays the same document.
    Rename(DocumentId, ProjectPath),
    /// A file's line ends were converted.
    SetEol(DocumentId, Eol),
    /// A file became executable, or stopped being so.
    SetExecutable(DocumentId, bool),
    /// A file was deleted.
    Remove(DocumentId),
}

impl IndexEdit {
    /// Writes the edit into the index document's root map [`index::FILES`].
    pub fn apply(&self, txn: &mut TransactionMut<'_>, files: &MapRef) {
        match self {
            Self::Insert(id, entry) => index::insert(txn, files, id, entry),
            Self::Rename(id, path) => index::rename(txn, files, id, path),
            Self::SetEol(id, eol) => index::set_eol(txn, files, id, *eol),
            Self::SetExecutable(id, on) => index::set_executable(txn, files, id, *on),
            Self::Remove(id) => index::remove(txn, files, id),
        }
    }
}

/// Something that the person should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A text that had no place in the project any more was kept.
    Recovered {
        /// The file that it belonged to.
        path: String,
        /// Where it lies now, relative to the project's directory.
        kept_at: String,
        /// Why: a subordinate clause such as `it was deleted by someone else`.
        reason: &'static str,
    },
    /// A file of the project is not written here, or a file here is not shared.
    LeftAlone {
        /// The path, escaped for a terminal where it is hostile.
        path: String,
        /// Why, as a clause.
        reason: String,
    },
}

impl std::fmt::Display for Notice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Recovered {
                path,
                kept_at,
                reason,
            } => write!(
                f,
                "Your text of {path} was kept in {kept_at}, because {reason}."
            ),
            Self::LeftAlone { path, reason } => write!(f, "{path} is left alone: {reason}."),
        }
    }
}

/// The outcome of [`super::Mirror::settle`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settled {
    /// An update (Yjs encoding v1) with what other programs wrote into the file, and whatever else
    /// was stored that the document's main replica lacks: apply it there and send it.
    pub update: Option<Vec<u8>>,
    /// What else is to be done.
    pub effects: Vec<Effect>,
}
