//! A document's hash, by what is in it: equal in every store, however it is cut into a snapshot and
//! a log there.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use yrs::StateVector;

use crate::document::{ApplyError, Document, Wanted};
use crate::store::StoredDocument;
use crate::update::{canonical, scan};

/// The hash of a document's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ContentHash([u8; 32]);

/// Hashes the merged document, and what waits in its log for updates that have not come.
pub(super) fn content_hash(stored: &StoredDocument) -> Result<ContentHash, ApplyError> {
    let document = Document::from_stored(stored)?;
    let merged = document.diff(&StateVector::default());
    // How the pieces came makes no difference any more once they are read as one.
    let mut whole = Document::default();
    whole.apply(&merged.into(), Wanted::AsSent)?;
    let contents = document.contents();
    let mut waiting: BTreeSet<[u8; 32]> = BTreeSet::new();
    for entry in &stored.log {
        if !contents.cover(&scan(&entry.update)?) {
            waiting.insert(Sha256::digest(&entry.update).into());
        }
    }
    let mut hash = Sha256::new();
    hash.update(canonical(&whole.diff(&StateVector::default()))?);
    for update in waiting {
        hash.update(update);
    }
    Ok(ContentHash(hash.finalize().into()))
}
