//! Whether `.tutti` still is what this bridge opened: other programs take it away, `git clean -fdx` for one.

use std::io;

use cap_fs_ext::MetadataExt;
use cap_std::fs::Dir;
use tutti_protocol::ids::ProjectId;

use super::lock::LOCK_FILE;
use super::state::STATE;
use super::tree::{Private, Tree, read_small};
use crate::project::{PROJECT_FILE, id_in};

/// What stands in the place of the `.tutti` that was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// That one.
    There,
    /// That one, and nothing tells any more that it belongs to this project.
    Unnamed,
    /// Nothing.
    Gone,
    /// Another one, of the same project: it was joined anew.
    Replaced,
}

/// What `.tutti` was when it was opened.
#[derive(Debug)]
pub(super) struct Opened {
    /// The project that it names, if it named one then.
    project: Option<ProjectId>,
    /// Its directory of states, and its lock.
    state: Identity,
    lock: Identity,
}

/// Tells a file or directory from another one of the same name: the device and the number on it.
type Identity = (u64, u64);

impl Opened {
    pub(super) fn look(private: &Private) -> io::Result<Self> {
        Ok(Self {
            project: project(private),
            state: identity(private.dir(), STATE)?,
            lock: identity(private.dir(), LOCK_FILE)?,
        })
    }

    /// What has become of it.
    pub(super) fn standing(&self, tree: &Tree) -> Standing {
        let Ok(private) = tree.private() else {
            return Standing::Gone;
        };
        let now = Self::look(&private).ok();
        let same = now.filter(|now| (now.state, now.lock) == (self.state, self.lock));
        let is_named = project(&private) == self.project;
        match (same.is_some(), is_named) {
            (true, true) => Standing::There,
            (true, false) if self.project.is_some() => Standing::Unnamed,
            (true, false) => Standing::There,
            (false, true) if self.project.is_some() => Standing::Replaced,
            (false, _) => Standing::Gone,
        }
    }
}

fn project(private: &Private) -> Option<ProjectId> {
    let text = read_small(private.dir(), PROJECT_FILE).ok()?;
    id_in(std::str::from_utf8(&text).ok()?)
}

fn identity(dir: &Dir, name: &str) -> io::Result<Identity> {
    let found = dir.symlink_metadata(name)?;
    Ok((MetadataExt::dev(&found), MetadataExt::ino(&found)))
}
