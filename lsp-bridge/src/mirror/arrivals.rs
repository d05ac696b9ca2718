//! New files, found by what they are, by what they hold and by their names.

use std::collections::HashMap;

use tutti_protocol::blob::BlobHash;
use tutti_protocol::path::ProjectPath;

use super::blob::see::Seen;
use super::state::Hash;
use super::text::TextFile;
use super::tree::{Identity, Looked};

/// A file that is no document yet.
pub(super) struct NewFile {
    pub(super) path: ProjectPath,
    /// With its text, if it is one.
    pub(super) seen: Seen,
}

impl NewFile {
    pub(super) fn text(path: ProjectPath, text: TextFile, hash: BlobHash, looked: Looked) -> Self {
        let text = Some(text);
        let seen = Seen { hash, looked, text };
        Self { path, seen }
    }
}

/// New files, to be found by content and by name: a directory that moved brings thousands.
pub(super) struct Arrivals {
    files: Vec<Option<NewFile>>,
    by_hash: HashMap<Hash, Vec<usize>>,
    by_name: HashMap<String, usize>,
    by_identity: HashMap<Identity, usize>,
}

impl Arrivals {
    pub(super) fn of(files: Vec<NewFile>) -> Self {
        let mut by_hash: HashMap<_, Vec<usize>> = HashMap::new();
        let mut by_name = HashMap::new();
        let mut by_identity = HashMap::new();
        for (at, file) in files.iter().enumerate() {
            by_hash.entry(file.seen.hash.0).or_default().push(at);
            by_name.entry(file.path.folded()).or_insert(at);
            let identity = file.seen.looked.stamp.identity;
            by_identity.extend(identity.map(|identity| (identity, at)));
        }
        Self {
            files: files.into_iter().map(Some).collect(),
            by_hash,
            by_name,
            by_identity,
        }
    }

    /// The one at a path, or at one that differs in case or form alone.
    pub(super) fn named(&self, path: &ProjectPath, is_text: bool) -> Option<usize> {
        let at = *self.by_name.get(&path.folded())?;
        let same_kind = |file: &NewFile| file.seen.text.is_some() == is_text;
        self.files[at].as_ref().is_some_and(same_kind).then_some(at)
    }

    /// The one that is this file, if it will do.
    pub(super) fn identical(
        &self,
        identity: Option<Identity>,
        will_do: impl Fn(&NewFile) -> bool,
    ) -> Option<usize> {
        let at = *self.by_identity.get(&identity?)?;
        self.files[at].as_ref().is_some_and(will_do).then_some(at)
    }

    /// The first with this content that will do.
    pub(super) fn find(&self, hash: &Hash, will_do: impl Fn(&NewFile) -> bool) -> Option<usize> {
        let alike = self.by_hash.get(hash)?.iter().copied();
        let mut found = alike.filter(|at| self.files[*at].as_ref().is_some_and(&will_do));
        found.next()
    }

    pub(super) fn take(&mut self, at: usize) -> Option<NewFile> {
        self.files[at].take()
    }

    pub(super) fn rest(self) -> Vec<NewFile> {
        self.files.into_iter().flatten().collect()
    }
}
