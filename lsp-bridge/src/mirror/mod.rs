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
//! start      Mirror::open(project, me)       the owner follows files, a guest only stores replicas
//!            stored(index), stored(doc)      the replicas of last time, for work offline
//!            unsaved()                       documents that the server has not confirmed
//! index      index_changed(entries)          after the first sync and each later change of it
//! hint       settle(doc, state)              after syncing a closed document
//! disk       files_changed(changes)          from Watcher::changed(); once Changes::everything()
//!                                            after the first index_changed
//! editor     opened(doc) / closed(doc)       an open file is the editor's: neither read nor written
//!            editor_saved(doc, state)        with the editor's replica at its didSave
//! replicas   persist(doc, state, unsaved)    some time after each change, and on confirmation
//! ```
//!
//! What decides is the *disk base*: for each document the state whose text was last written to the
//! file or read from it. A file that differs from its base was changed by another program; the
//! difference becomes operations on the base, which merge into whatever the document has become.

mod effect;
mod text;
mod tree;

pub use effect::{Effect, IndexEdit, Notice, Settled};
pub use tree::{Found, LeftAlone, MAX_FILE_BYTES, Tree};
