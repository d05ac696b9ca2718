//! The session's replica of the project index.

use std::collections::{BTreeMap, HashMap};

use tutti_protocol::ids::DocumentId;
use tutti_protocol::index::{self, FileEntry, Roots};
use tutti_protocol::path::ProjectPath;
use yrs::updates::decoder::Decode;
use yrs::updates::encoder::Encode;
use yrs::{Doc, ReadTxn, StateVector, Transact, Update};

use crate::mirror::IndexEdit;

/// Which document is which file.
pub(super) struct Index {
    doc: Doc,
    roots: Roots,
    entries: BTreeMap<DocumentId, FileEntry>,
    paths: BTreeMap<DocumentId, ProjectPath>,
    documents: HashMap<ProjectPath, DocumentId>,
    /// How many edits of the mirror it was given.
    given: u64,
    /// How many of them the look-ups show.
    shown: u64,
}

/// Says why bytes are no update.
fn bad(error: &impl std::fmt::Display) -> String {
    format!("the project's index was sent in a form that is not understood: {error}")
}

impl Index {
    /// An empty index that writes as `client_id`.
    pub(super) fn new(client_id: u64) -> Self {
        let doc = index::new_doc(client_id);
        let roots = Roots::of(&doc);
        Self {
            doc,
            roots,
            entries: BTreeMap::new(),
            paths: BTreeMap::new(),
            documents: HashMap::new(),
            given: 0,
            shown: 0,
        }
    }

    pub(super) fn apply(&mut self, update: &[u8]) -> Result<(), String> {
        let update = Update::decode_v1(update).map_err(|error| bad(&error))?;
        let mut txn = self.doc.transact_mut();
        txn.apply_update(update).map_err(|error| bad(&error))
    }

    /// Makes edits of this person as one; returns the update. Two files that trade their names never have one name.
    pub(super) fn edit(&mut self, edits: &[IndexEdit]) -> Vec<u8> {
        let mut txn = self.doc.transact_mut();
        for edit in edits {
            edit.apply(&mut txn, &self.roots);
        }
        txn.encode_update_v1()
    }

    pub(super) fn state_vector(&self) -> Vec<u8> {
        self.doc.transact().state_vector().encode_v1()
    }

    pub(super) fn diff(&self, state_vector: &[u8]) -> Result<Vec<u8>, String> {
        let state_vector = StateVector::decode_v1(state_vector).map_err(|error| bad(&error))?;
        Ok(self.doc.transact().encode_diff_v1(&state_vector))
    }

    pub(super) fn state(&self) -> Vec<u8> {
        self.doc.transact().encode_diff_v1(&StateVector::default())
    }

    /// Counts edits that the mirror has asked for, once they were made or refused.
    pub(super) fn count(&mut self, edits: usize) {
        self.given += edits as u64;
    }

    /// How many of those the look-ups below show.
    pub(super) fn shown(&self) -> u64 {
        self.shown
    }

    /// Brings the look-ups below up to date; returns the paths as they were, if anything has changed.
    pub(super) fn refresh(&mut self) -> Option<BTreeMap<DocumentId, ProjectPath>> {
        let entries = index::entries(&self.doc.transact());
        self.shown = self.given;
        if entries == self.entries {
            return None;
        }
        let paths = index::visible(&entries)
            .into_iter()
            .filter(|(document, _)| entries.get(document).is_some_and(FileEntry::is_text))
            .filter_map(|(document, path)| Some((document, path.ok()?)))
            .collect();
        let before = std::mem::replace(&mut self.paths, paths);
        self.documents = self
            .paths
            .iter()
            .map(|(document, path)| (path.clone(), document.clone()))
            .collect();
        self.entries = entries;
        Some(before)
    }

    /// All entries, as of the last [`Index::refresh`].
    pub(super) fn entries(&self) -> &BTreeMap<DocumentId, FileEntry> {
        &self.entries
    }

    /// The documents of texts that have a file, as of the last [`Index::refresh`].
    pub(super) fn documents(&self) -> impl Iterator<Item = &DocumentId> {
        self.paths.keys()
    }

    pub(super) fn document_at(&self, path: &ProjectPath) -> Option<&DocumentId> {
        self.documents.get(path)
    }

    pub(super) fn path_of(&self, document: &DocumentId) -> Option<&ProjectPath> {
        self.paths.get(document)
    }
}
