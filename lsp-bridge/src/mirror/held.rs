//! The documents that the session's editor has open, as of now.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};

use tutti_protocol::ids::DocumentId;

/// Shared by the session and the mirror, which is behind it by all that it has still to do: a file
/// that it is about to read may be the editor's by now, and what the editor has saved there reaches
/// the document another way.
#[derive(Debug, Clone, Default)]
pub struct HeldOpen {
    documents: Arc<Mutex<HashSet<DocumentId>>>,
}

impl HeldOpen {
    /// An editor has opened the document.
    pub fn hold(&self, document: &DocumentId) {
        self.documents().insert(document.clone());
    }

    /// Nobody shows it any more.
    pub fn release(&self, document: &DocumentId) {
        self.documents().remove(document);
    }

    pub(super) fn has(&self, document: &DocumentId) -> bool {
        self.documents().contains(document)
    }

    fn documents(&self) -> MutexGuard<'_, HashSet<DocumentId>> {
        // A set is whole whoever panicked beside it.
        self.documents
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
