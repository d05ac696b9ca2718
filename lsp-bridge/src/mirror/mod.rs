//! The disk mirror: the directory follows the project, and the project follows the directory.
//!
//! One [`Mirror`] a directory, owned by one task and driven by it. Every method is synchronous and
//! does its disk work before it returns; what only the session can do comes back as [`Effect`]s.
//! Documents cross this seam as encoded states (Yjs v1 updates that hold a whole document), so the
//! mirror needs no handle to the session's replicas.
//!
//! How a session drives it:
//!
//! ```text
//! start      Mirror::open(root, me)          the owner follows files, a guest only stores replicas
//!            stored(index), stored(doc)      the replicas of last time, for work offline
//!            unsaved()                       documents that the server has not confirmed
//! index      index_changed(entries, current) after the first sync and each change, own ones too
//! hint       settle(doc, state)              after syncing a closed document
//!            settle_offline(doc, state)      the same without a connection
//! bulk       to_ask(doc)                     what the server is asked with about a closed document
//!            answered(doc, asked, given)     the same as settle, with its answer
//! disk       watch(), files_changed(changes) as DiskChanges::next() tells; and once
//!                                            Changes::everything() after the first index_changed
//! editor     opened(doc) / closed(doc)       an open file is the editor's: neither read nor written
//!            editor_saved(doc, saved)        at its didSave
//! contents   carried(outcome)                of each Send and Fetch; transfers() once connected
//! room       tend()                          after each of these: what could not be written is tried again
//! replicas   persist(doc, state, unsaved)    some time after each change, and on confirmation
//! ```
//!
//! What decides is the *disk base*: for each document the state whose text was last written to the
//! file or read from it. A file that differs from its base was changed by another program; the
//! difference becomes operations on the base, which merge into whatever the document has become.
//! A base is stored together with a state that contains it, never ahead of it.
//!
//! An index that is handed over shows each [`Effect::Index`] before it, but new files perhaps: one that
//! the session has not applied yet is made up for.
//! An index that could not be loaded must never reach [`Mirror::index_changed`] as an empty one:
//! what the index lacks is deleted here.

mod alike;
mod alike_edits;
mod arrivals;
mod aside;
mod asked;
mod beneath;
mod beside;
mod blob;
mod claim;
mod comes_back;
mod confirmed;
mod cut_off;
mod editor;
mod effect;
mod follow;
mod guest;
mod held;
mod holds;
mod identities;
mod ignores;
mod journals;
mod lately;
mod leavings;
mod local;
mod lock;
mod made_of;
mod marks;
mod merge;
mod missing;
mod mode;
mod moved;
mod moves;
mod names;
mod nearest;
mod outlived;
mod overwritten;
mod pairs;
mod places;
mod put;
mod recent;
mod removed;
mod renamed;
mod replicas;
mod same_lines;
mod settle;
mod standing;
mod state;
mod survey;
#[cfg(test)]
mod tests;
mod text;
mod traded;
mod tree;
mod twins;
mod unwritten;
mod walk;
mod watch;
mod way;
mod written_over;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use cap_std::fs::Dir;
use thiserror::Error;
use tutti_engine::BadUpdate;
use tutti_protocol::ids::DocumentId;
use tutti_protocol::index::FileEntry;
use tutti_protocol::path::ProjectPath;

pub(crate) use alike_edits::write_decision;
pub use asked::{Answered, ToAsk};
use beneath::Beneath;
use blob::Blobs;
pub use blob::Carried;
use comes_back::OpenFiles;
use cut_off::CutOff;
pub use editor::{Earlier, EditorSaved};
pub use effect::{Cargo, Effect, IndexEdit, Notice, Settled, Waiting};
use guest::GuestStore;
pub use held::HeldOpen;
pub(crate) use holds::{Holds, text_on_disk};
use identities::Identities;
use ignores::Ignores;
use journals::LeftBehind;
pub use journals::{Journal, Journals, ShownAt};
use lately::Lately;
use lock::Lock;
use marks::Mark;
pub(crate) use merge::{both, shown_of, take_once, what_is_new};
use moved::Moved;
pub(crate) use nearest::nearest;
use overwritten::Overwritten;
use places::Places;
use recent::Recent;
pub use renamed::Candidates;
use replicas::Known;
pub use replicas::Stored;
pub use standing::Standing;
use state::{Record, StateStore};
pub use survey::{Comparison, Survey, compare, survey, survey_for};
pub use tree::{LeftAlone, MAX_FILE_BYTES};
use tree::{Private, Staging, Tree};
use unwritten::Unwritten;
pub(crate) use walk::shown;
use watch::Watcher;
pub use watch::{Changes, DiskChanges};

/// Why the mirror cannot go on.
#[derive(Debug, Error)]
pub enum MirrorError {
    /// The disk refused.
    #[error("{doing}: {source}")]
    Io {
        /// What was tried.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
    /// A state that is no Yjs update.
    #[error("the stored copy of {document} cannot be read: {source}")]
    BadState {
        /// The document.
        document: DocumentId,
        /// What is wrong with it.
        source: BadUpdate,
    },
    /// The project's directory has gone, or is no project any more.
    #[error("{0} is no shared project any more: its .tutti directory is not there")]
    Gone(String),
}

/// Adds what was tried to an I/O error.
fn doing<T>(what: impl Into<String>, result: io::Result<T>) -> Result<T, MirrorError> {
    result.map_err(|source| MirrorError::Io {
        doing: what.into(),
        source,
    })
}

/// See the [module's documentation](self).
#[derive(Debug)]
pub struct Mirror {
    tree: Tree,
    private: Private,
    /// What `.tutti` was then.
    opened: standing::Opened,
    /// `.tutti/guests`.
    guests: Dir,
    store: StateStore,
    /// Contents on their way here.
    staging: Staging,
    /// Files that are no texts.
    blobs: Blobs,
    /// Where this bridge keeps its journals, if an editor is there.
    journals: Option<Arc<Journals>>,
    left_behind: LeftBehind,
    beneath: HashMap<DocumentId, Beneath>,
    /// What this bridge is in its directory: the owner holds the lock, a guest a store of its own.
    role: Role,
    ignores: Ignores,
    watcher: Option<Watcher>,
    me: String,
    read_only: bool,
    known: HashMap<DocumentId, Known>,
    /// The documents by the path of their file on disk.
    at: HashMap<ProjectPath, DocumentId>,
    identities: Identities,
    /// The index as last told; `None` before the first time.
    entries: Option<BTreeMap<DocumentId, FileEntry>>,
    /// It is as the server has it, see [`Mirror::index_changed`].
    is_current: bool,
    shown: Places,
    /// New documents of this bridge that the index has not been seen to list yet.
    announced: HashSet<DocumentId>,
    open: HashSet<DocumentId>,
    open_files: OpenFiles,
    /// Under which names the session's editor shows them.
    open_at: HashMap<DocumentId, ProjectPath>,
    /// Those of which it has read another file than was known, or none.
    read_elsewhere: HashSet<DocumentId>,
    moved: Moved,
    /// Which document's file this bridge has moved away from a place, as others have renamed it.
    moved_from: HashMap<ProjectPath, DocumentId>,
    /// Where files of open documents were left when their editors saved them under another name.
    strays: BTreeSet<ProjectPath>,
    /// The same as the session has it, which is ahead.
    held_open: HeldOpen,
    recent: Recent,
    cut_off: CutOff,
    /// Texts that lacked what others wrote, where that was put back: of each file the last one.
    put_back: HashMap<DocumentId, state::Hash>,
    overwritten: Overwritten,
    /// Documents that were passed over because a guest's editor had them open, or one that lives on
    /// after its bridge may have.
    with_guests: BTreeSet<DocumentId>,
    /// Files here that are not shared.
    left_alone: BTreeMap<String, LeftAlone>,
    /// Listed documents that are not written here, with the path as it is shown.
    refused: BTreeMap<DocumentId, (String, LeftAlone)>,
    /// Documents whose files were seen to be missing, and since when.
    missing: HashMap<DocumentId, SystemTime>,
    /// Those of texts that have been for long: whether they were deleted is decided with the documents as
    /// the server has them.
    vanished: HashSet<DocumentId>,
    /// Documents whose files were deleted here, and whose records are aside until the index is known not to
    /// list them.
    removed: BTreeSet<DocumentId>,
    /// Documents whose files were deleted here, or made here and never known to be listed: a file that
    /// is found there is the same document.
    deleted: HashMap<ProjectPath, (DocumentId, Record)>,
    lately: Lately,
    unwritten: Unwritten,
}

#[derive(Debug)]
enum Role {
    Owner { _lock: Lock },
    Guest(GuestStore),
}

impl Mirror {
    /// Opens the project in the directory `root`; `me` is the shown name of the person, for files
    /// that they add. The first bridge of a directory owns its mirror; others are guests until
    /// [`Mirror::take_over`] succeeds.
    pub fn open(root: &Path, me: &str) -> Result<Self, MirrorError> {
        let tree = doing(format!("opening {}", root.display()), Tree::open(root))?;
        let private = doing("opening .tutti", tree.private())?;
        let store = doing("opening .tutti/state", StateStore::open(&private))?;
        let staging = doing("opening .tutti/blobs", Staging::open(&private))?;
        let guests = doing("opening .tutti/guests", private.subdirectory(guest::GUESTS))?;
        let overwritten = doing("opening .tutti/overwritten", Overwritten::open(&private))?;
        let lock = doing("locking .tutti/lock", Lock::try_acquire(&private))?;
        let role = match lock {
            Some(lock) => Role::Owner { _lock: lock },
            None => Role::Guest(doing("opening .tutti/guests", GuestStore::new(&guests))?),
        };
        let mut mirror = Self {
            ignores: Ignores::new(root),
            read_only: private.is_view_only(),
            opened: doing("opening .tutti", standing::Opened::look(&private))?,
            tree,
            private,
            guests,
            store,
            staging,
            blobs: Blobs::default(),
            journals: None,
            left_behind: LeftBehind::default(),
            beneath: HashMap::new(),
            role,
            watcher: None,
            me: me.to_owned(),
            known: HashMap::new(),
            at: HashMap::new(),
            identities: Identities::default(),
            entries: None,
            is_current: false,
            shown: Places::default(),
            announced: HashSet::new(),
            open: HashSet::new(),
            open_files: OpenFiles::new(),
            open_at: HashMap::new(),
            read_elsewhere: HashSet::new(),
            moved: Moved::new(),
            moved_from: HashMap::new(),
            strays: BTreeSet::new(),
            held_open: HeldOpen::default(),
            recent: Recent::default(),
            cut_off: CutOff::default(),
            put_back: HashMap::new(),
            overwritten,
            with_guests: BTreeSet::new(),
            left_alone: BTreeMap::new(),
            refused: BTreeMap::new(),
            missing: HashMap::new(),
            vanished: HashSet::new(),
            removed: BTreeSet::new(),
            deleted: HashMap::new(),
            lately: Lately::default(),
            unwritten: Unwritten::default(),
        };
        mirror.load_known()?;
        Ok(mirror)
    }

    /// Whether this bridge writes the directory's files.
    pub fn is_owner(&self) -> bool {
        matches!(self.role, Role::Owner { .. })
    }

    /// What has become of the `.tutti` that was opened. While it is not there, or not this project's, no
    /// file may be read or written that no editor has open: one that is missing would pass for deleted.
    pub fn standing(&self) -> Standing {
        self.opened.standing(&self.tree)
    }

    /// Becomes the owner if the former one has gone; `true` if it just did. Then call
    /// [`Mirror::index_changed`] and [`Mirror::files_changed`] with [`Changes::everything`].
    pub fn take_over(&mut self) -> Result<bool, MirrorError> {
        if self.is_owner() {
            return Ok(false);
        }
        let lock = doing("locking .tutti/lock", Lock::try_acquire(&self.private))?;
        let Some(lock) = lock else {
            return Ok(false);
        };
        // The guest's own store ends here and is taken in like any other.
        self.role = Role::Owner { _lock: lock };
        self.load_known()?;
        Ok(true)
    }

    fn load_known(&mut self) -> Result<(), MirrorError> {
        if self.is_owner() {
            self.keep_note();
            self.take_in_guests()?;
            let unmarked = self.store.unmark_all(Mark::Deaf);
            doing("writing to .tutti/state", unmarked)?;
            let taken_over = self.overwritten.take_over();
            doing("reading .tutti/overwritten", taken_over)?;
            self.load_moved()?;
            self.load_removed()?;
        }
        self.known.clear();
        self.at.clear();
        self.identities.clear();
        let documents = doing("reading .tutti/state", self.store.documents())?;
        for document in documents {
            if let Some(record) = self.load(&document)? {
                self.note(&document, &record);
            }
        }
        for (document, record) in doing("reading .tutti/state", self.store.blobs())? {
            self.note_blob(&document, record);
        }
        if self.is_owner() {
            self.finish_moves()?;
            self.take_away_contents()?;
        }
        Ok(())
    }

    /// In a project that this person may only read, changes on disk go nowhere: the text is kept
    /// in `.tutti/recovered`, and the file follows the project again.
    /// The next mirror of this directory starts with that.
    pub fn set_read_only(&mut self, read_only: bool) -> Result<(), MirrorError> {
        self.read_only = read_only;
        doing("writing to .tutti", self.private.mark_view_only(read_only))
    }

    /// What [`Mirror::set_read_only`] was told last, by this bridge or an earlier one.
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// The document's file, as shown everywhere; `None` for one that is not listed or refused.
    pub fn path_of(&self, document: &DocumentId) -> Option<&ProjectPath> {
        self.shown.get(document)?.as_ref().ok()
    }

    /// The document that is shown at `path`.
    pub fn document_at(&self, path: &ProjectPath) -> Option<&DocumentId> {
        self.shown.document_at(path)
    }

    /// The listed documents of texts, each of which has its file here or a reason in
    /// [`Mirror::left_alone`].
    pub fn documents(&self) -> impl Iterator<Item = &DocumentId> {
        let documents = self.shown.documents();
        documents.filter(|document| !self.is_blob(document))
    }

    /// What is neither shared nor written, with the reason; the paths are fit for a terminal.
    pub fn left_alone(&self) -> impl Iterator<Item = (&str, &LeftAlone)> {
        let refused = self.refused.values().map(|(path, reason)| (path, reason));
        let mut all: Vec<_> = self.left_alone.iter().chain(refused).collect();
        all.sort_by_key(|(path, _)| *path);
        all.dedup_by_key(|(path, reason)| (*path, reason.to_string()));
        all.into_iter()
            .map(|(path, reason)| (path.as_str(), reason))
    }

    /// Notes why a listed document is not written here; whether that is news.
    fn refuse(&mut self, document: &DocumentId, path: &str, reason: impl Into<LeftAlone>) -> bool {
        let refused = (walk::shown(path), reason.into());
        let known = self.refused.insert(document.clone(), refused.clone());
        known.as_ref() != Some(&refused)
    }

    /// Starts to watch the directory; once. Everything that happened before needs a
    /// [`Changes::everything`].
    pub fn watch(&mut self) -> Result<DiskChanges, MirrorError> {
        let started = watch::start(self.tree.path()).map_err(io::Error::other);
        let (mut watcher, changes) = doing("watching the directory", started)?;
        watcher.watch(&walk::walk(&self.tree, &mut self.ignores, "").directories);
        self.watcher = Some(watcher);
        Ok(changes)
    }
}
