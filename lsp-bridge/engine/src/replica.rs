//! One copy of a shared text: a Yjs document and, always in step with it, its text as a rope.

use std::sync::{Arc, Mutex, PoisonError};

use ropey::Rope;
use thiserror::Error;
use yrs::types::Delta;
use yrs::updates::decoder::Decode;
use yrs::updates::encoder::Encode;
use yrs::{
    Any, ClientID, Doc, Observable, OffsetKind, Options, Out, ReadTxn, StateVector, Text, TextRef,
    Transact, Update,
};

use crate::diff::diff;
use crate::patch::{Patch, Splice};

/// Bytes that are not a Yjs update or state vector in v1 encoding.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not a valid Yjs message: {0}")]
pub struct BadUpdate(String);

/// The name of the root text (the project's protocol fixes it).
const CONTENT: &str = "content";
/// The origin of the transactions that [`Replica::splice`] makes.
const LOCAL: &str = "local";
/// Stands for whatever a foreign client has put between the characters (an embed of a rich text
/// editor): one UTF-16 unit long, as in the document.
const EMBED: char = '\u{fffc}';

/// A copy of a shared text.
pub struct Replica {
    doc: Doc,
    content: TextRef,
    text: Rope,
    /// What each transaction since the last look has changed, in UTF-16 units; filled by an
    /// observer.
    changes: Arc<Mutex<Vec<Vec<Delta>>>>,
}

impl std::fmt::Debug for Replica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Replica").field(&self.text).finish()
    }
}

impl Replica {
    /// An empty replica that writes as `client_id` (at most 53 bits; no two replicas that write
    /// may share one).
    pub fn new(client_id: u64) -> Self {
        let mut options = Options::with_client_id(ClientID::new(client_id));
        options.offset_kind = OffsetKind::Utf16;
        let doc = Doc::with_options(options);
        let content = doc.get_or_insert_text(CONTENT);
        let changes = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&changes);
        content.observe("rope", move |txn, event| {
            if txn.origin() != Some(&LOCAL.into()) {
                let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
                sink.push(event.delta(txn).to_vec());
            }
        });
        Self {
            doc,
            content,
            text: Rope::new(),
            changes,
        }
    }

    /// A replica with the given state (an update in v1 encoding).
    ///
    /// # Errors
    /// [`BadUpdate`] when `state` is not an update.
    pub fn from_state(client_id: u64, state: &[u8]) -> Result<Self, BadUpdate> {
        let mut replica = Self::new(client_id);
        replica.apply(state)?;
        Ok(replica)
    }

    /// A second replica of the same state that writes as `client_id`.
    pub fn fork(&self, client_id: u64) -> Self {
        let mut fork = Self::new(client_id);
        fork.apply(&self.state())
            .expect("a replica's own state is a valid update");
        fork
    }

    /// The text.
    pub fn rope(&self) -> &Rope {
        &self.text
    }

    /// The text as a string.
    pub fn text(&self) -> String {
        self.text.to_string()
    }

    /// The underlying Yjs document, for awareness positions and the like. Its root text is changed
    /// through this replica alone.
    pub fn doc(&self) -> &Doc {
        &self.doc
    }

    /// What this replica has seen, in v1 encoding.
    pub fn state_vector(&self) -> Vec<u8> {
        self.doc.transact().state_vector().encode_v1()
    }

    /// What a replica with `state_vector` lacks, in v1 encoding.
    ///
    /// Updates whose predecessors have not come yet are no part of it; whoever sent them has them
    /// still. (yrs 0.28.1 would merge them in, and that merge cuts surrogate pairs in half.)
    ///
    /// # Errors
    /// [`BadUpdate`] when `state_vector` is none.
    pub fn diff(&self, state_vector: &[u8]) -> Result<Vec<u8>, BadUpdate> {
        let state_vector =
            StateVector::decode_v1(state_vector).map_err(|error| BadUpdate(error.to_string()))?;
        Ok(self.doc.transact().encode_state_as_update_v1(&state_vector))
    }

    /// Everything that is in the text, as one update in v1 encoding; see [`Replica::diff`].
    pub fn state(&self) -> Vec<u8> {
        self.doc.transact().encode_diff_v1(&StateVector::default())
    }

    /// Takes in an update and returns what it changed in the text. One that is known already
    /// changes nothing.
    ///
    /// # Errors
    /// [`BadUpdate`] when the bytes are not an update; the replica is unchanged then.
    pub fn apply(&mut self, update: &[u8]) -> Result<Patch, BadUpdate> {
        let bad = |error: &dyn std::fmt::Display| BadUpdate(error.to_string());
        let update = Update::decode_v1(update).map_err(|error| bad(&error))?;
        self.doc
            .transact_mut()
            .apply_update(update)
            .map_err(|error| bad(&error))?;
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let transactions = std::mem::take(&mut *changes);
        drop(changes);
        let before = self.text.clone();
        let mut patch = Patch::default();
        for deltas in &transactions {
            patch = patch_of(&self.text, deltas);
            patch.apply(&mut self.text);
        }
        Ok(match transactions.len() {
            0 | 1 => patch,
            _ => diff(&before, &self.text),
        })
    }

    /// What taking in `update` would change in the text.
    ///
    /// # Errors
    /// [`BadUpdate`] when the bytes are not an update.
    pub fn preview(&self, update: &[u8]) -> Result<Patch, BadUpdate> {
        self.fork(0).apply(update)
    }

    /// Changes the text by `patch`, whose old text must be this replica's; returns the update.
    pub fn splice(&mut self, patch: &Patch) -> Vec<u8> {
        let mut txn = self.doc.transact_mut_with(LOCAL);
        for splice in patch.splices().iter().rev() {
            let start = self.text.char_to_utf16_cu(splice.at);
            let end = self.text.char_to_utf16_cu(splice.end());
            if end > start {
                self.content
                    .remove_range(&mut txn, start as u32, (end - start) as u32);
            }
            if !splice.insert.is_empty() {
                self.content.insert(&mut txn, start as u32, &splice.insert);
            }
        }
        let update = txn.encode_update_v1();
        drop(txn);
        patch.apply(&mut self.text);
        update
    }

    /// Makes the text `new` by the smallest edits; returns the update.
    pub fn edit(&mut self, new: &str) -> Vec<u8> {
        let patch = diff(&self.text, &Rope::from_str(new));
        self.splice(&patch)
    }
}

/// A Yjs text event as a patch of `text`, the text before it.
fn patch_of(text: &Rope, deltas: &[Delta]) -> Patch {
    let mut patch = Patch::default();
    let mut units = 0;
    for delta in deltas {
        let at = text.utf16_cu_to_char(units);
        let mut splice = Splice {
            at,
            delete: 0,
            insert: String::new(),
        };
        match delta {
            Delta::Retain(length, _) => {
                units += *length as usize;
                continue;
            }
            Delta::Deleted(length) => {
                units += *length as usize;
                splice.delete = text.utf16_cu_to_char(units) - at;
            }
            Delta::Inserted(Out::Any(Any::String(inserted)), _) => {
                splice.insert = inserted.to_string();
            }
            Delta::Inserted(_, _) => splice.insert.push(EMBED),
        }
        patch.push(splice);
    }
    patch
}

#[cfg(test)]
mod tests {
    use super::*;
    use yrs::GetString;

    #[test]
    fn the_rope_follows_the_document() {
        for seed in 0..300u64 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut replicas = [Replica::new(1), Replica::new(2), Replica::new(3)];
            for _ in 0..60 {
                let writer = rng.usize(0..3);
                let old = replicas[writer].rope().clone();
                let at = rng.usize(0..=old.len_chars());
                let delete = rng.usize(0..=(old.len_chars() - at).min(4));
                let insert: String = (0..rng.usize(0..4))
                    .map(|_| *rng.choice(&['a', '\n', 'é', '😀']).unwrap())
                    .collect();
                let update = replicas[writer].splice(&Patch::single(at, delete, insert));
                for (reader, replica) in replicas.iter_mut().enumerate() {
                    if reader != writer && rng.bool() {
                        replica.apply(&update).unwrap();
                    }
                }
            }
            let states = replicas.each_ref().map(Replica::state);
            for replica in &mut replicas {
                for state in &states {
                    replica.apply(state).unwrap();
                }
                let txn = replica.doc.transact();
                assert_eq!(
                    replica.text(),
                    replica.content.get_string(&txn),
                    "seed {seed}"
                );
            }
            assert_eq!(replicas[0].text(), replicas[1].text(), "seed {seed}");
        }
    }

    #[test]
    fn garbage_is_refused_and_changes_nothing() {
        let mut replica = Replica::new(1);
        replica.edit("kept");
        assert!(replica.apply(b"\xff\xff\xff garbage").is_err());
        assert!(replica.diff(b"\xff\xff").is_err());
        assert_eq!(replica.text(), "kept");
    }
}
