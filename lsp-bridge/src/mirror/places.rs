//! Where each document's file is to stand, and which document a path belongs to.

use std::collections::{BTreeMap, HashMap, HashSet};

use tutti_protocol::ids::DocumentId;
use tutti_protocol::index::{self, FileEntry};
use tutti_protocol::path::{PathError, ProjectPath};

/// The places of all that an index lists.
#[derive(Debug, Default)]
pub(super) struct Places {
    by_document: BTreeMap<DocumentId, Result<ProjectPath, PathError>>,
    by_path: HashMap<ProjectPath, DocumentId>,
    contested: HashSet<String>,
}

impl Places {
    pub(super) fn of(entries: &BTreeMap<DocumentId, FileEntry>) -> Self {
        let (by_document, contested) = index::visible_and_contested(entries);
        let by_path = by_document
            .iter()
            .filter_map(|(document, place)| Some((place.clone().ok()?, document.clone())))
            .collect();
        Self {
            by_document,
            by_path,
            contested,
        }
    }

    pub(super) fn get(&self, document: &DocumentId) -> Option<&Result<ProjectPath, PathError>> {
        self.by_document.get(document)
    }

    pub(super) fn document_at(&self, path: &ProjectPath) -> Option<&DocumentId> {
        self.by_path.get(path)
    }

    /// Whether several documents claim this name.
    pub(super) fn is_contested(&self, path: &ProjectPath) -> bool {
        self.contested.contains(&path.folded())
    }

    /// Whether several documents claim any one name.
    pub(super) fn are_any_contested(&self) -> bool {
        !self.contested.is_empty()
    }

    pub(super) fn contains(&self, document: &DocumentId) -> bool {
        self.by_document.contains_key(document)
    }

    pub(super) fn documents(&self) -> impl Iterator<Item = &DocumentId> {
        self.by_document.keys()
    }

    /// The places that a file may stand at.
    pub(super) fn paths(&self) -> impl Iterator<Item = &ProjectPath> {
        self.by_document.values().flatten()
    }

    pub(super) fn iter(
        &self,
    ) -> impl Iterator<Item = (&DocumentId, &Result<ProjectPath, PathError>)> {
        self.by_document.iter()
    }

    /// Takes a document out that `entries` does not list any more. To reckon with all the others
    /// anew would make it costly to delete many, so that is done only where one of them may move.
    pub(super) fn remove(
        &mut self,
        document: &DocumentId,
        entries: &BTreeMap<DocumentId, FileEntry>,
    ) {
        match self.by_document.get(document) {
            Some(Ok(path)) if !self.contested.contains(&path.folded()) => {
                self.by_path.remove(path);
                self.by_document.remove(document);
            }
            Some(Err(_)) => {
                self.by_document.remove(document);
            }
            Some(Ok(_)) => *self = Self::of(entries),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use tutti_protocol::index::Eol;

    use super::*;

    #[test]
    fn one_taken_out_leaves_what_the_rest_gives() {
        let seed = std::env::var("SEED")
            .ok()
            .and_then(|seed| seed.parse().ok());
        let seed: u64 = seed.unwrap_or_else(|| fastrand::u64(..));
        println!("SEED={seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let paths = [
            "x", "X", "x (a)", "x (ab)", "d/x", "D/x (a)", "y", "..", "x (ab 2)",
        ];
        let ids = ["a", "A", "ab", "aB", "Ab", "AB", "b", "abcd", "abcD", "c"];
        for _ in 0..2_000 {
            let mut entries: BTreeMap<DocumentId, FileEntry> = BTreeMap::new();
            for id in ids {
                let entry = FileEntry {
                    path: paths[random.usize(..paths.len())].to_owned(),
                    eol: Eol::Lf,
                    executable: false,
                    created_at: 0,
                    created_by: String::new(),
                    blob: None,
                };
                entries.insert(id.parse().unwrap(), entry);
            }
            let mut places = Places::of(&entries);
            while !entries.is_empty() {
                let nth = random.usize(..entries.len());
                let gone = entries.keys().nth(nth).cloned().unwrap();
                entries.remove(&gone);
                places.remove(&gone, &entries);
                let anew = Places::of(&entries);
                assert_eq!(places.by_document, anew.by_document);
                assert_eq!(places.by_path, anew.by_path);
            }
        }
    }
}
