//! Merging a document's log into its snapshot.
//!
//! It works on what is stored, not on a room's document: so any node may compact any document at
//! any time. Only entries that the new snapshot demonstrably contains are deleted; an update that
//! waits for its predecessors is not in the snapshot, and so stays in the log.

use bytes::Bytes;
use tutti_protocol::ids::RoomName;
use yrs::updates::encoder::Encode;
use yrs::{GetString, ReadTxn, StateVector, Transact};

use super::{DocumentStore, Replacement, StoreError, StoredDocument};
use crate::document::{Document, Wanted};
use crate::update::scan;

/// What is left after a compaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compacted {
    /// The snapshot's size.
    pub snapshot_bytes: usize,
    /// Entries that went into it.
    pub merged_entries: usize,
    /// Entries that had to stay.
    pub kept_entries: usize,
}

/// Compacts a document; `None` when there was nothing to merge or another node was faster.
///
/// # Errors
/// The store's, or [`StoreError::Corrupt`] when the merged snapshot does not hold what it was
/// merged from; nothing is deleted then.
pub async fn compact(
    store: &dyn DocumentStore,
    room: &RoomName,
) -> Result<Option<Compacted>, StoreError> {
    let Some(stored) = store.load(room).await? else {
        return Ok(None);
    };
    if stored.log.is_empty() {
        return Ok(None);
    }
    let name = room.to_string();
    // Merging a large document takes longer than a task may hold its thread.
    let (replacement, compacted) = tokio::task::spawn_blocking(move || merge(&stored, &name))
        .await
        .map_err(|error| StoreError::Unavailable(error.to_string()))??;
    if replacement.contains.is_empty() {
        return Ok(None);
    }
    let replaced = store.replace(room, replacement).await?;
    metrics::counter!("tutti_store_compactions_total").increment(1);
    Ok(replaced.then_some(compacted))
}

fn merge(stored: &StoredDocument, room: &str) -> Result<(Replacement, Compacted), StoreError> {
    let damaged = |what: String| StoreError::Corrupt {
        room: room.to_owned(),
        what,
    };
    let merged = Document::from_stored(stored).map_err(|error| damaged(error.to_string()))?;
    let snapshot = Bytes::from(merged.diff(&StateVector::default()));

    let mut again = Document::default();
    again
        .apply(&snapshot, Wanted::AsSent)
        .map_err(|error| damaged(format!("its merged snapshot does not read: {error}")))?;
    if again.held_bytes() > 0 || fingerprint(&again) != fingerprint(&merged) {
        return Err(damaged(
            "its merged snapshot differs from what it was merged from".to_owned(),
        ));
    }
    let contents = again.contents();
    let mut contains = Vec::new();
    for entry in &stored.log {
        let update = scan(&entry.update).map_err(|error| damaged(error.to_string()))?;
        if contents.cover(&update) {
            contains.push(entry.id);
        }
    }
    let compacted = Compacted {
        snapshot_bytes: snapshot.len(),
        merged_entries: contains.len(),
        kept_entries: stored.log.len() - contains.len(),
    };
    let replacement = Replacement {
        generation: stored.generation,
        snapshot,
        contains,
    };
    Ok((replacement, compacted))
}

/// State vector, deletions and the text: what must be equal.
fn fingerprint(document: &Document) -> (StateVector, Vec<u8>, Option<String>) {
    let txn = document.doc().transact();
    let text = txn.get_text("content").map(|text| text.get_string(&txn));
    (
        txn.state_vector(),
        txn.snapshot().delete_set.encode_v1(),
        text,
    )
}
