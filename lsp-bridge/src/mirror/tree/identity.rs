//! Which file it is, whatever it is called.

use cap_std::fs::Metadata;
use serde::{Deserialize, Serialize};
use tutti_protocol::path::ProjectPath;

use super::Tree;

/// What stays the same of a file that is renamed or written in place. A file that is written anew and renamed to an
/// older name is another one.
///
/// The number of one that has gone is soon given to another, often to the next that is made: only with the time at
/// which it was made does it tell for sure. The device is left out, since it may have another number tomorrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Identity {
    inode: u64,
    /// In nanoseconds since 1970, where the file system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    born: Option<u64>,
}

impl Identity {
    /// `None` where the system tells nothing that lasts.
    #[cfg(unix)]
    pub(super) fn of(found: &Metadata) -> Option<Self> {
        use cap_std::fs::MetadataExt;
        use std::time::UNIX_EPOCH;
        let born = found.created().ok().map(|at| at.into_std());
        let born = born.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        Some(Self {
            inode: found.ino(),
            // Some file systems give a time that is none.
            born: born.map(|at| at.as_nanos() as u64).filter(|at| *at > 0),
        })
    }

    #[cfg(not(unix))]
    pub(super) fn of(_: &Metadata) -> Option<Self> {
        None
    }

    /// Whether no file that came later can have the same.
    pub(crate) fn is_sure(&self) -> bool {
        self.born.is_some()
    }
}

impl Tree {
    /// The identity of the file at a path; `None` as well if no file stands there that may be looked at.
    pub(crate) fn identity(&self, path: &ProjectPath) -> Option<Identity> {
        let looked = self.look(path).ok().flatten();
        looked.and_then(|looked| looked.stamp.identity)
    }
}
