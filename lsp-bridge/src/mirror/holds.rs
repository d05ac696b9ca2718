//! What those who carry contents may touch of a project's directory.

use std::fs::File;
use std::io;
use std::path::Path;

use tutti_protocol::blob::BlobHash;
use tutti_protocol::path::ProjectPath;

use super::text::parse;
use super::tree::{Found, Incoming, Staging, Tree};

/// The text of a file of the directory `root`, if it is one whose length in bytes `may_be`.
pub(crate) fn text_on_disk(
    root: &Path,
    path: &ProjectPath,
    may_be: impl Fn(u64) -> bool,
) -> Option<String> {
    // The length decides most of the time, at each key perhaps: one call, before the directory is opened.
    let there = root.join(path.as_str()).symlink_metadata().ok()?;
    if !may_be(there.len()) {
        return None;
    }
    match Tree::open(root).ok()?.read(path) {
        Found::File(file) => Some(parse(file.bytes, None)?.text),
        _ => None,
    }
}

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
