//! Which document's file is which, whatever it is called on disk by now.

use std::collections::HashMap;

use tutti_protocol::ids::DocumentId;

use super::state::BaseFile;
use super::tree::Identity;

/// The documents by the identities of their files.
#[derive(Debug, Default)]
pub(super) struct Identities {
    of: HashMap<Identity, Vec<DocumentId>>,
}

impl Identities {
    pub(super) fn add(&mut self, document: &DocumentId, file: Option<&BaseFile>) {
        if let Some(identity) = file.and_then(|file| file.identity) {
            self.of.entry(identity).or_default().push(document.clone());
        }
    }

    pub(super) fn remove(&mut self, document: &DocumentId, file: Option<&BaseFile>) {
        let Some(identity) = file.and_then(|file| file.identity) else {
            return;
        };
        if let Some(all) = self.of.get_mut(&identity) {
            all.retain(|one| one != document);
            if all.is_empty() {
                self.of.remove(&identity);
            }
        }
    }

    /// The document whose file it is. One file that has two names tells nothing.
    pub(super) fn document(&self, identity: &Identity) -> Option<&DocumentId> {
        match self.of.get(identity)?.as_slice() {
            [document] => Some(document),
            _ => None,
        }
    }

    pub(super) fn clear(&mut self) {
        self.of.clear();
    }
}
