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
//! index      index_changed(entries)          after the first sync and each later change of it
//! hint       settle(doc, state)              after syncing a closed document
//! disk       watch(), files_changed(changes) as DiskChanges::next() tells; and once
//!                                            Changes::everything() after the first index_changed
//! editor     opened(doc) / closed(doc)       an open file is the editor's: neither read nor written
//!            editor_saved(doc, state)        with the editor's replica at its didSave
//! replicas   persist(doc, state, unsaved)    some time after each change, and on confirmation
//! ```
//!
//! What decides is the *disk base*: for each document the state whose text was last written to the
//! file or read from it. A file that differs from its base was changed by another program; the
//! difference becomes operations on the base, which merge into whatever the document has become.
//!
//! An index that could not be loaded must never reach [`Mirror::index_changed`] as an empty one:
//! what the index lacks is deleted here.

mod effect;
mod follow;
mod guest;
mod ignores;
mod local;
mod lock;
mod merge;
mod settle;
mod state;
mod survey;
#[cfg(test)]
mod tests;
mod text;
mod tree;
mod walk;
mod watch;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::Path;

use thiserror::Error;
use tutti_engine::BadUpdate;
use tutti_protocol::ids::DocumentId;
use tutti_protocol::index::{self, FileEntry};
use tutti_protocol::path::{PathError, ProjectPath};

pub use effect::{Effect, IndexEdit, Notice, Settled};
use guest::GuestStore;
use ignores::Ignores;
use lock::Lock;
use state::{Base, BaseFile, Record, StateStore, hash};
pub use survey::{Comparison, Survey, compare, survey};
use tree::{Found, Private, Tree};
pub use tree::{LeftAlone, MAX_FILE_BYTES};
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

/// A document's replica as it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its state, an update in v1 encoding.
    pub state: Vec<u8>,
    /// Whether it holds edits that the server has not confirmed.
    pub unsaved: bool,
}

/// What the mirror keeps in memory of each document.
#[derive(Debug, Clone, Default)]
struct Known {
    file: Option<BaseFile>,
    unsaved: bool,
}

/// See the [module's documentation](self).
#[derive(Debug)]
pub struct Mirror {
    tree: Tree,
    private: Private,
    store: StateStore,
    /// What this bridge is in its directory: the owner holds the lock, a guest a store of its own.
    role: Role,
    ignores: Ignores,
    watcher: Option<Watcher>,
    me: String,
    read_only: bool,
    known: HashMap<DocumentId, Known>,
    /// The documents by the path of their file on disk.
    at: HashMap<ProjectPath, DocumentId>,
    /// The index as last told; `None` before the first time.
    entries: Option<BTreeMap<DocumentId, FileEntry>>,
    shown: BTreeMap<DocumentId, Result<ProjectPath, PathError>>,
    open: HashSet<DocumentId>,
    /// Files here that are not shared.
    left_alone: BTreeMap<String, LeftAlone>,
    /// Listed documents that are not written here, with the path as it is shown.
    refused: BTreeMap<DocumentId, (String, LeftAlone)>,
    /// Documents whose files were deleted here: a file that comes back is the same document.
    deleted: HashMap<ProjectPath, (DocumentId, Record)>,
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
        let lock = doing("locking .tutti/lock", Lock::try_acquire(&private))?;
        let role = match lock {
            Some(lock) => Role::Owner { _lock: lock },
            None => Role::Guest(doing("opening .tutti/guests", GuestStore::new(&private))?),
        };
        let mut mirror = Self {
            ignores: Ignores::new(root),
            tree,
            private,
            store,
            role,
            watcher: None,
            me: me.to_owned(),
            read_only: false,
            known: HashMap::new(),
            at: HashMap::new(),
            entries: None,
            shown: BTreeMap::new(),
            open: HashSet::new(),
            left_alone: BTreeMap::new(),
            refused: BTreeMap::new(),
            deleted: HashMap::new(),
        };
        mirror.load_known()?;
        Ok(mirror)
    }

    /// Whether this bridge writes the directory's files.
    pub fn is_owner(&self) -> bool {
        matches!(self.role, Role::Owner { .. })
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
            self.take_in_guests()?;
        }
        self.known.clear();
        self.at.clear();
        let documents = doing("reading .tutti/state", self.store.documents())?;
        for document in documents {
            if let Some(record) = self.load(&document)? {
                self.note(&document, &record);
            }
        }
        Ok(())
    }

    /// In a project that this person may only read, changes on disk go nowhere: the text is kept
    /// in `.tutti/recovered`, and the file follows the project again.
    pub fn set_read_only(&mut self, read_only: bool) {
        self.read_only = read_only;
    }

    /// The replica of a document, or of [`DocumentId::index`], as it was stored.
    pub fn stored(&self, document: &DocumentId) -> Result<Option<Stored>, MirrorError> {
        let record = match &self.role {
            Role::Owner { .. } => self.load(document)?,
            Role::Guest(own) => match doing("reading a stored replica", own.load(document))? {
                Some(record) => Some(record),
                None => self.load(document)?,
            },
        };
        Ok(record.map(|record| Stored {
            state: record.state,
            unsaved: record.unsaved,
        }))
    }

    /// Stores a document's replica. `unsaved` says whether it holds edits that the server has not
    /// confirmed; such a replica is safe from a loss of power before this returns.
    pub fn persist(
        &mut self,
        document: &DocumentId,
        state: &[u8],
        unsaved: bool,
    ) -> Result<(), MirrorError> {
        let base = match &self.role {
            Role::Owner { .. } => self.load(document)?.and_then(|record| record.base),
            Role::Guest(_) => None,
        };
        let record = Record {
            state: state.to_vec(),
            unsaved,
            base,
        };
        self.save(document, &record, unsaved)
    }

    /// The documents with edits that the server has not confirmed.
    pub fn unsaved(&self) -> Vec<DocumentId> {
        let unsaved = self.known.iter().filter(|(_, known)| known.unsaved);
        unsaved.map(|(document, _)| document.clone()).collect()
    }

    /// A file that an editor has opened is the editor's until [`Mirror::closed`].
    pub fn opened(&mut self, document: &DocumentId) -> Result<(), MirrorError> {
        self.open.insert(document.clone());
        self.mark_open(document, true)
    }

    fn mark_open(&self, document: &DocumentId, open: bool) -> Result<(), MirrorError> {
        match &self.role {
            Role::Owner { .. } => Ok(()),
            Role::Guest(own) => doing("writing to .tutti/guests", own.mark_open(document, open)),
        }
    }

    /// The editor has closed the file: the mirror brings it up to date.
    pub fn closed(&mut self, document: &DocumentId) -> Result<Vec<Effect>, MirrorError> {
        if !self.open.remove(document) {
            return Ok(Vec::new());
        }
        self.mark_open(document, false)?;
        match self.entries.clone() {
            Some(entries) if !self.is_moved_or_gone(document) => {
                let listed = entries.contains_key(document);
                Ok(listed
                    .then(|| Effect::Sync(document.clone()))
                    .into_iter()
                    .collect())
            }
            // Renamed or removed while it was open: that is made up for now.
            Some(entries) => {
                let mut effects = self.index_changed(entries)?;
                let sync = Effect::Sync(document.clone());
                if self.shown.contains_key(document) && !effects.contains(&sync) {
                    effects.push(sync);
                }
                Ok(effects)
            }
            None => Ok(Vec::new()),
        }
    }

    /// The editor has written the file; `state` is what its text was in the document's terms. What
    /// the disk holds beyond it (a final newline, a formatter's work) counts as another program's.
    pub fn editor_saved(&mut self, document: &DocumentId, state: &[u8]) -> Result<(), MirrorError> {
        let (Some(Ok(path)), true) = (self.shown.get(document).cloned(), self.is_owner()) else {
            return Ok(());
        };
        let record = self.load(document)?;
        let entry = self.entries.as_ref().and_then(|e| e.get(document));
        let (eol, listed_executable) =
            entry.map_or((index::Eol::Lf, false), |e| (e.eol, e.executable));
        let text = self.text_of(document, state)?;
        let executable = match self.tree.read(&path) {
            Found::File(file) => file.executable.unwrap_or(listed_executable),
            _ => listed_executable,
        };
        let base = Base {
            state: state.to_vec(),
            file: BaseFile {
                path,
                eol,
                executable,
                hash: hash(&text::render(&text, eol)),
            },
        };
        let record = match record {
            Some(record) => Record {
                base: Some(base),
                ..record
            },
            None => Record {
                state: state.to_vec(),
                unsaved: false,
                base: Some(base),
            },
        };
        self.save(document, &record, false)
    }

    /// The document's file, as shown everywhere; `None` for one that is not listed or refused.
    pub fn path_of(&self, document: &DocumentId) -> Option<&ProjectPath> {
        self.shown.get(document)?.as_ref().ok()
    }

    /// The document that is shown at `path`.
    pub fn document_at(&self, path: &ProjectPath) -> Option<&DocumentId> {
        let shown = self.shown.iter();
        let mut found = shown.filter(|(_, shown)| shown.as_ref() == Ok(path));
        found.next().map(|(document, _)| document)
    }

    /// The listed documents, each of which has its file here or a reason in
    /// [`Mirror::left_alone`].
    pub fn documents(&self) -> impl Iterator<Item = &DocumentId> {
        self.shown.keys()
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

    fn load(&self, document: &DocumentId) -> Result<Option<Record>, MirrorError> {
        let loaded = self.store.load(document);
        doing(format!("reading the stored copy of {document}"), loaded)
    }

    /// Stores a record and what the mirror knows by it.
    fn save(
        &mut self,
        document: &DocumentId,
        record: &Record,
        durable: bool,
    ) -> Result<(), MirrorError> {
        let saved = match &self.role {
            Role::Owner { .. } => self.store.save(document, record, durable),
            Role::Guest(own) => own.save(document, record, durable),
        };
        doing(format!("storing {document} in .tutti/state"), saved)?;
        self.note(document, record);
        Ok(())
    }

    fn note(&mut self, document: &DocumentId, record: &Record) {
        let file = record.base.as_ref().map(|base| base.file.clone());
        let known = Known {
            file,
            unsaved: record.unsaved,
        };
        self.unplace(document);
        if let Some(file) = &known.file {
            self.at.insert(file.path.clone(), document.clone());
        }
        self.known.insert(document.clone(), known);
    }

    fn forget(&mut self, document: &DocumentId) -> Result<(), MirrorError> {
        self.unplace(document);
        self.known.remove(document);
        doing("forgetting a document", self.store.forget(document))
    }

    fn unplace(&mut self, document: &DocumentId) {
        let known = self.known.get(document);
        if let Some(file) = known.and_then(|known| known.file.as_ref())
            && self.at.get(&file.path) == Some(document)
        {
            self.at.remove(&file.path);
        }
    }

    fn text_of(&self, document: &DocumentId, state: &[u8]) -> Result<String, MirrorError> {
        Ok(self.replica(document, state)?.text())
    }

    fn replica(
        &self,
        document: &DocumentId,
        state: &[u8],
    ) -> Result<tutti_engine::Replica, MirrorError> {
        merge::replica(state).map_err(|source| MirrorError::BadState {
            document: document.clone(),
            source,
        })
    }
}
