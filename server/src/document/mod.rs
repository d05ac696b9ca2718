//! One document in memory.
//!
//! It integrates only what has all its predecessors ([`crate::update`]); the rest is held until
//! they arrive. So what it serves never has holes. A decoder or integration that panics spoils the
//! [`Document`], which says so ([`ApplyError::Spoilt`]) and is then built again from what was
//! accepted before; it never spoils the process.

#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use thiserror::Error;
use tutti_protocol::fingerprint::{Fingerprint, fingerprint};
use tutti_protocol::index::new_doc;
use yrs::updates::decoder::Decode;
use yrs::updates::encoder::Encode;
use yrs::{Doc, ReadTxn, StateVector, Transact, TransactionMut, Update};

use crate::store::StoredDocument;
use crate::update::{Clocks, Contents, ScanError, ScannedUpdate, Split, scan};

/// The server never edits, so its documents may share an id.
const SERVER_CLIENT: u64 = 0;

/// What a document takes in memory: something at all, and as measured for each of its items with
/// yrs 0.28 (1.0 MB for 5,000 single characters at random places).
const RESIDENT_AT_LEAST: usize = 8 * 1024;
const RESIDENT_PER_ITEM: usize = 200;

/// A document and the updates that wait for their predecessors.
pub struct Document {
    doc: Doc,
    clocks: Clocks,
    held: Vec<Held>,
    held_bytes: usize,
    encoded_bytes: usize,
    items: usize,
}

struct Held {
    update: Vec<u8>,
    missing: Vec<(u64, u32)>,
}

/// What [`Document::apply`] shall hand on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The update as it came, where all of it was integrated. Right for edits.
    AsSent,
    /// Only what was new in it. Right for a Step2, which repeats every deletion.
    OnlyNew,
}

/// What an update did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// What the document has now and had not before: an update; `None` for nothing.
    pub integrated: Option<Bytes>,
    /// Whether a part of it has to wait for predecessors.
    pub held: bool,
    /// Whether [`Change::integrated`] also has what waited for this update: its sender may lack
    /// it too.
    pub released: bool,
}

/// Why an update was not applied.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ApplyError {
    /// It is no update. The document is unchanged.
    #[error("{0}")]
    NoUpdate(String),
    /// It broke the document, which must be built again.
    #[error("it cannot be integrated: {0}")]
    Spoilt(String),
}

impl From<ScanError> for ApplyError {
    fn from(error: ScanError) -> Self {
        Self::NoUpdate(error.to_string())
    }
}

impl Default for Document {
    fn default() -> Self {
        Self {
            doc: new_doc(SERVER_CLIENT),
            clocks: Clocks::new(),
            held: Vec::new(),
            held_bytes: 0,
            encoded_bytes: 0,
            items: 0,
        }
    }
}

impl Document {
    /// Builds what is stored.
    ///
    /// # Errors
    /// A stored update cannot be applied.
    pub fn from_stored(stored: &StoredDocument) -> Result<Self, ApplyError> {
        let mut document = Self::default();
        let log = stored.log.iter().map(|entry| &entry.update);
        for update in stored.snapshot.iter().chain(log) {
            document.apply(update, Wanted::AsSent)?;
        }
        Ok(document)
    }

    /// Integrates an update, and what has waited for it.
    ///
    /// # Errors
    /// [`ApplyError`]; after [`ApplyError::Spoilt`] the document must not be used any more.
    pub fn apply(&mut self, update: &Bytes, wanted: Wanted) -> Result<Change, ApplyError> {
        let scanned = scan(update)?;
        // Decoded before anything changes: the scan does not know every rule of the decoder.
        let decoded = decode(update)?;
        self.items += scanned
            .structs()
            .filter(|(client, piece)| piece.is_item(*client))
            .count();
        let skips = scanned.structs().any(|(_, piece)| piece.skip);
        let (first, held) = match scanned.split(&mut self.clocks) {
            Split::Ready => (decoded, None),
            Split::Partly {
                ready,
                held,
                missing,
            } => (
                decode(&ready)?,
                Some(Held {
                    update: held,
                    missing,
                }),
            ),
        };
        let as_sent = wanted == Wanted::AsSent && held.is_none() && !skips;
        let is_held = held.is_some();
        if let Some(held) = held {
            self.held_bytes += held.update.len();
            self.held.push(held);
        }
        // What is ready may release what an earlier part has waited for, and that the rest.
        let (integrated, released) = self.integrate(first, as_sent.then_some(update))?;
        let change = Change {
            held: is_held && !self.held.is_empty(),
            integrated,
            released,
        };
        if let Some(integrated) = &change.integrated {
            self.encoded_bytes += integrated.len();
        }
        Ok(change)
    }

    fn integrate(
        &mut self,
        first: Update,
        as_sent: Option<&Bytes>,
    ) -> Result<(Option<Bytes>, bool), ApplyError> {
        // Not moved into the closure below: dropping a transaction commits it, and a panic out of
        // a drop during a panic would end the process. A spoilt one is forgotten instead.
        let mut txn = self.doc.transact_mut();
        let (clocks, held, held_bytes) = (&mut self.clocks, &mut self.held, &mut self.held_bytes);
        let result = catch_unwind(AssertUnwindSafe(|| {
            txn.apply_update(first)
                .map_err(|error| ApplyError::Spoilt(error.to_string()))?;
            let retried = retry_held(&mut txn, clocks, held, held_bytes)?;
            let integrated = match (txn.has_changes(), as_sent) {
                (false, _) => None,
                (true, Some(update)) if !retried => Some(update.clone()),
                (true, _) => Some(Bytes::from(txn.encode_update_v1())),
            };
            Ok((integrated, retried))
        }));
        match result {
            Ok(Ok(integrated)) => {
                catch_unwind(AssertUnwindSafe(move || drop(txn))).map_err(|_| panicked())?;
                Ok(integrated)
            }
            Ok(Err(error)) => {
                std::mem::forget(txn);
                Err(error)
            }
            Err(_) => {
                std::mem::forget(txn);
                Err(panicked())
            }
        }
    }

    /// All that is known of it, as updates: what it shows, and what waits for its predecessors.
    pub fn everything(&self) -> impl Iterator<Item = Bytes> {
        let shown = self.diff(&StateVector::default());
        let held = self.held.iter().map(|held| held.update.clone());
        std::iter::once(shown).chain(held).map(Bytes::from)
    }

    /// What a peer with this state vector lacks: an update without holes.
    pub fn diff(&self, vector: &StateVector) -> Vec<u8> {
        self.doc.transact().encode_diff_v1(vector)
    }

    /// The state vector, encoded.
    pub fn state_vector(&self) -> Vec<u8> {
        self.doc.transact().state_vector().encode_v1()
    }

    /// What it has in common with documents that contain the same.
    pub fn fingerprint(&self) -> Fingerprint {
        fingerprint(&self.doc.transact())
    }

    /// What is in the document, to compare updates with.
    pub fn contents(&self) -> Contents {
        Contents::of(&self.doc.transact())
    }

    /// The document itself, for reading.
    pub fn doc(&self) -> &Doc {
        &self.doc
    }

    /// About the size of the encoded document: never less than it is, more after deletions,
    /// until [`Document::measure`].
    pub fn encoded_bytes(&self) -> usize {
        self.encoded_bytes
    }

    /// Encodes the document to learn its size.
    pub fn measure(&mut self) -> usize {
        self.encoded_bytes = self.diff(&StateVector::default()).len();
        self.encoded_bytes
    }

    /// An estimate of the memory the document takes, in bytes.
    pub fn resident_bytes(&self) -> usize {
        RESIDENT_AT_LEAST + self.items * RESIDENT_PER_ITEM + self.encoded_bytes + self.held_bytes
    }

    /// The bytes of what waits for predecessors.
    pub fn held_bytes(&self) -> usize {
        self.held_bytes
    }
}

/// Tries again what has waited and may now have what it waited for; says whether anything was.
fn retry_held(
    txn: &mut TransactionMut<'_>,
    clocks: &mut Clocks,
    held: &mut Vec<Held>,
    held_bytes: &mut usize,
) -> Result<bool, ApplyError> {
    let mut retried = false;
    let mut index = 0;
    while index < held.len() {
        let arrived =
            |&(client, clock): &(u64, u32)| clocks.get(&client).is_some_and(|&known| clock < known);
        if !held[index].missing.iter().any(arrived) {
            index += 1;
            continue;
        }
        retried = true;
        let waiting = held.swap_remove(index);
        *held_bytes -= waiting.update.len();
        let scanned: ScannedUpdate<'_> = scan(&waiting.update)?;
        let ready = match scanned.split(clocks) {
            Split::Ready => decode(&waiting.update)?,
            Split::Partly {
                ready,
                held: rest,
                missing,
            } => {
                *held_bytes += rest.len();
                held.push(Held {
                    update: rest,
                    missing,
                });
                decode(&ready)?
            }
        };
        txn.apply_update(ready)
            .map_err(|error| ApplyError::Spoilt(error.to_string()))?;
        // It may have brought what an earlier one waits for.
        index = 0;
    }
    Ok(retried)
}

fn decode(update: &[u8]) -> Result<Update, ApplyError> {
    catch_unwind(|| Update::decode_v1(update))
        .map_err(|_| ApplyError::NoUpdate("it cannot be decoded".to_owned()))?
        .map_err(|error| ApplyError::NoUpdate(error.to_string()))
}

fn panicked() -> ApplyError {
    ApplyError::Spoilt("its integration failed".to_owned())
}
