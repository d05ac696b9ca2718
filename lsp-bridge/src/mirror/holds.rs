//! What those who carry contents may touch of a project's directory.

use std::fs::File;
use std::io;
use std::path::Path;

use tutti_protocol::blob::BlobHash;
use tutti_protocol::path::ProjectPath;

use super::tree::{Incoming, Staging, Tree};

/// The files of a directory, to be read, and the place where contents arrive.
pub(crate) struct Holds {
    tree: Tree,
    staging: Staging,
}

impl Holds {
    /// Opens the directory `root`.
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        let tree = Tree::open(root)?;
        let staging = Staging::open(&tree.private()?)?;
        Ok(Self { tree, staging })
    }

    /// A file; `None` if nothing stands there.
    pub(crate) fn file(&self, path: &ProjectPath) -> io::Result<Option<File>> {
        self.tree.open_file(path).map_err(io::Error::other)
    }

    /// A content that arrives, as far as it has come before.
    pub(crate) fn incoming(&self, hash: BlobHash) -> io::Result<Incoming<'_>> {
        self.staging.fetch(hash)
    }
}
