//! What the mirror asks of the session that drives it.

use std::collections::BTreeMap;

use tutti_protocol::blob::BlobHash;
use tutti_protocol::ids::DocumentId;
use tutti_protocol::index::{self, Blob, Eol, FileEntry, Roots};
use tutti_protocol::path::ProjectPath;
use yrs::TransactionMut;

use super::merge;
use super::tree::LeftAlone;

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
    /// This text, with `\n` as line end, stands in a file that an editor shows. If it is the session's
    /// and shows the same, now or later, call [`super::Mirror::editor_read`].
    Written(DocumentId, String),
    /// Another program has changed a file that an editor shows: if it is the session's, call
    /// [`super::Mirror::take_beneath`]; if a guest's, bring the document up to date as for
    /// [`Effect::Sync`].
    Beneath(DocumentId),
    /// The file of a document that the session's editor shows, and that others have deleted, has come to be: the
    /// document is wanted.
    Wanted(DocumentId),
    /// Send a file's content to the server, unless it has it, and tell
    /// [`super::Mirror::carried`] what has become of it.
    Send(Cargo),
    /// See that the server has these contents, and send what it lacks. Nobody waits for that.
    Offer(Vec<Cargo>),
    /// Fetch a content from the server, and tell [`super::Mirror::carried`].
    Fetch(Cargo),
    /// Look at this file again in a moment, with [`super::Mirror::files_changed`]: someone is
    /// writing to it.
    LookAgain(ProjectPath),
    /// Not all could be done. Tell the mirror the index anew, have it look at everything, and bring every document
    /// up to date.
    BeginAgain,
    /// Tell the person.
    Tell(Notice),
}

/// What waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Waiting {
    /// A file.
    File,
    /// What was typed, to be stored for the next bridge.
    Typed,
    /// What the next bridge should know of a file, and would find out.
    Known,
    /// Something else that is told of already.
    Rest,
}

impl Waiting {
    /// What `tutti status` says of it, behind its path.
    pub(super) fn in_status(self, reason: &LeftAlone) -> String {
        match self {
            Self::Typed => format!("what is typed there is not stored here: {reason}"),
            Self::Known => format!("what Tutti knows of it is not stored here: {reason}"),
            Self::File | Self::Rest => reason.to_string(),
        }
    }
}

/// The content of a file that is no text, on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cargo {
    /// The file.
    pub path: ProjectPath,
    /// The content's hash.
    pub hash: BlobHash,
    /// Its length.
    pub bytes: u64,
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
    /// A text was deleted.
    Remove(DocumentId),
    /// A file that is no text has another content, or was deleted.
    SetBlob(DocumentId, Blob),
}

impl IndexEdit {
    /// Writes the edit into the index document.
    pub fn apply(&self, txn: &mut TransactionMut<'_>, roots: &Roots) {
        match self {
            Self::Insert(id, entry) => index::insert(txn, roots, id, entry),
            Self::Rename(id, path) => index::rename(txn, roots, id, path),
            Self::SetEol(id, eol) => index::set_eol(txn, roots, id, *eol),
            Self::SetExecutable(id, on) => index::set_executable(txn, roots, id, *on),
            Self::Remove(id) => index::remove(txn, roots, id),
            Self::SetBlob(id, blob) => index::set_blob(txn, roots, id, blob),
        }
    }

    /// Makes the edit in what an index lists.
    pub(crate) fn list(&self, entries: &mut BTreeMap<DocumentId, FileEntry>) {
        match self {
            Self::Insert(id, entry) => {
                entries.insert(id.clone(), entry.clone());
            }
            Self::Remove(id) => {
                entries.remove(id);
            }
            Self::Rename(id, _)
            | Self::SetEol(id, _)
            | Self::SetExecutable(id, _)
            | Self::SetBlob(id, _) => {
                if let Some(entry) = entries.get_mut(id) {
                    self.change(entry);
                }
            }
        }
    }

    fn change(&self, entry: &mut FileEntry) {
        match self {
            Self::Rename(_, path) => entry.path = path.to_string(),
            Self::SetEol(_, eol) => entry.eol = *eol,
            Self::SetExecutable(_, on) => entry.executable = *on,
            Self::SetBlob(_, blob) => entry.blob = Some(blob.clone()),
            Self::Insert(..) | Self::Remove(_) => {}
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
    /// A program has written a file that lacks what others had written since an earlier text of it. The
    /// text before was kept.
    Before {
        /// The file.
        path: String,
        /// Where it lies now, relative to the project's directory.
        kept_at: String,
    },
    /// What others had written into a file was put back there: what was written lacks it, by somebody who
    /// may not have known of it.
    PutBack {
        /// The file.
        path: String,
        /// Why they may not: a clause.
        why: &'static str,
    },
    /// A file that is no text, and that the project has another content for, was kept.
    Kept {
        /// The file.
        path: String,
        /// Where it lies now, relative to the project's directory.
        kept_at: String,
        /// Why: a subordinate clause.
        reason: &'static str,
    },
    /// What was changed in a file here, when someone else deleted it, was kept.
    Deleted {
        /// The document.
        document: DocumentId,
        /// The file.
        path: String,
        /// Where what it held lies now, relative to the project's directory.
        kept_at: String,
    },
    /// A file that others have written has no place here, as long as something else has its name.
    Waits {
        /// The document.
        document: DocumentId,
        /// The file.
        path: String,
        /// What stands in its way: a clause.
        reason: String,
    },
    /// A file was moved to a name that the project has made up, as another file has the name that it had.
    OtherName {
        /// The name that it had.
        path: String,
        /// The one that it has now.
        now: String,
        /// The other file, whose name may differ in case.
        other: String,
        /// Who has made that one.
        by: String,
    },
    /// A file is in the project again, because it was changed here while someone deleted it.
    CameBack {
        /// The file.
        path: String,
    },
    /// A file that was deleted here is there again, because someone changed it meanwhile.
    ChangedMeanwhile {
        /// The file.
        path: String,
    },
    /// Something cannot be written here, and is tried again.
    Unwritten {
        /// The file that it is about.
        path: String,
        /// How many others there are of the kind.
        more: usize,
        /// What waits.
        waiting: Waiting,
        /// Why.
        reason: LeftAlone,
    },
    /// Nothing of that is left.
    WrittenAgain,
    /// A file that had been emptied or cut off, as a full disk leaves one, has its text again.
    WholeAgain {
        /// The file.
        path: String,
        /// How many others there are.
        more: usize,
    },
    /// A file of the project is not written here, or a file here is not shared.
    LeftAlone {
        /// The path, escaped for a terminal where it is hostile.
        path: String,
        /// Why, as a clause.
        reason: String,
    },
}

impl Notice {
    /// What there is to say of a file that is left alone. Of those that are tried again all is told at once, see
    /// [`super::Mirror::tend`].
    pub(super) fn left_alone(
        document: &DocumentId,
        path: String,
        reason: &LeftAlone,
    ) -> Option<Self> {
        if reason.may_pass() {
            return None;
        }
        let is_in_the_way = matches!(reason, LeftAlone::Directory | LeftAlone::ParentIsFile);
        let reason = reason.to_string();
        Some(match is_in_the_way {
            true => Self::Waits {
                document: document.clone(),
                path,
                reason,
            },
            false => Self::LeftAlone { path, reason },
        })
    }

    /// The message, if it is known who has done what it is about.
    pub(crate) fn because_of(&self, who: &str) -> String {
        match self {
            Self::Recovered {
                path,
                kept_at,
                reason,
            } => format!("Your text of {path} was kept in {kept_at}, because {reason}."),
            Self::Before { path, kept_at } => format!(
                "What was written into {path} lacks what others had written there: if that was not \
                 meant, the text before is in {kept_at}."
            ),
            Self::PutBack { path, why } => format!(
                "What others had written in {path} was put back, though what was written there lacks it: \
                 {why}. If you have taken it out yourself, do that once more."
            ),
            Self::Kept {
                path,
                kept_at,
                reason,
            } => format!("Your copy of {path} was kept in {kept_at}, because {reason}."),
            Self::Deleted { path, kept_at, .. } => {
                format!(
                    "Your text of {path} was kept in {kept_at}, because {who} deleted the file."
                )
            }
            Self::Waits { path, reason, .. } => {
                format!("{path}, in which {who} has written, has no place here: {reason}.")
            }
            Self::OtherName {
                path,
                now,
                other,
                by,
            } => format!(
                "Your {path} is {now} now: {by} has made {other}, and no two files can have one name, \
                 nor names that differ in case alone; rename one of the two."
            ),
            Self::CameBack { path } => {
                format!("{path} is in the project again: {who} deleted it while you changed it.")
            }
            Self::ChangedMeanwhile { path } => {
                format!("{path} is there again: {who} changed it while you deleted it.")
            }
            Self::Unwritten {
                path,
                more,
                waiting,
                reason,
            } => unwritten(path, *more, *waiting, reason),
            Self::WrittenAgain => {
                "The disk takes everything again: nothing waits to be written here.".to_owned()
            }
            Self::WholeAgain { path, more } => format!(
                "{} text again, which the full disk had cut off: if you have emptied or shortened a file \
                 yourself, do that once more.",
                match more {
                    0 => format!("{path} has its"),
                    1 => format!("{path} and another file have their"),
                    more => format!("{path} and {more} other files have their"),
                }
            ),
            Self::LeftAlone { path, reason } => format!("{path} is left alone: {reason}."),
        }
    }
}

fn unwritten(path: &str, more: usize, waiting: Waiting, reason: &LeftAlone) -> String {
    let (all, are) = match more {
        0 => (path.to_owned(), "is"),
        1 => (format!("{path} and another file"), "are"),
        more => (format!("{path} and {more} other files"), "are"),
    };
    match (waiting, reason) {
        (Waiting::File, LeftAlone::Full) => format!(
            "The disk is full: {all} {are} not written here until there is room; `tutti status` lists what waits."
        ),
        (Waiting::Typed, LeftAlone::Full) => format!(
            "The disk is full: what is typed in {all} is not stored on this computer until there is room."
        ),
        (Waiting::Typed, reason) => format!(
            "What is typed in {all} cannot be stored on this computer, which is tried again: {reason}."
        ),
        (Waiting::Known, LeftAlone::Full) => format!(
            "The disk is full: what Tutti knows of {all} is not stored on this computer until there is room."
        ),
        (Waiting::Known, reason) => format!(
            "What Tutti knows of {all} cannot be stored on this computer, which is tried again: {reason}."
        ),
        (Waiting::File | Waiting::Rest, reason) => {
            format!("{all} cannot be written here, which is tried again: {reason}.")
        }
    }
}

impl std::fmt::Display for Notice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.because_of("someone else"))
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

impl Settled {
    /// The document lacks this as well.
    pub(super) fn add(&mut self, update: Vec<u8>) {
        self.update = Some(match self.update.take() {
            None => update,
            Some(earlier) => merge::both(&earlier, &update),
        });
    }
}
