//! Documents that the server is asked about without their rooms, many at once: what it is told of each, and
//! what is done with its answer.

use tutti_engine::BadUpdate;
use tutti_protocol::bulk::Differing;
use tutti_protocol::fingerprint::{Fingerprint, fingerprint};
use tutti_protocol::ids::DocumentId;
use yrs::updates::encoder::Encode;
use yrs::{ReadTxn, Transact};

use super::effect::Settled;
use super::merge::{self, Whole};
use super::state::{Base, Hash, hash};
use super::{Mirror, MirrorError};
use crate::bulk::is_large;

/// The state of a document that nobody has written to.
const NOTHING: [u8; 2] = [0, 0];

/// What the server is asked with about a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToAsk {
    /// The state vector of what is stored.
    pub vector: Vec<u8>,
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// Of what is stored, as it was then.
    stored: Hash,
}

/// What came of the server's answer about one document.
#[derive(Debug)]
pub struct Answered {
    /// The file and the document have come together. What the server lacks by now is stored as unsaved.
    pub settled: Settled,
    /// What the file held before others' edits were written into it.
    pub overwritten: Option<Vec<u8>>,
}

/// What is stored of a document.
struct Known {
    state: Vec<u8>,
    base: Option<Base>,
}

impl Mirror {
    /// What the server is asked with about a document. `None` if it takes a room to bring it up to date, as
    /// something of it may be here alone, or something is to be decided with the server as it is at that moment.
    pub fn to_ask(&self, document: &DocumentId) -> Result<Option<ToAsk>, MirrorError> {
        let known = self.free_to_ask(document)?;
        // What cannot be read is told of by who opens its room.
        Ok(known.and_then(|known| to_ask(&known.state).ok()))
    }

    /// What is stored of a document that may be asked about.
    fn free_to_ask(&self, document: &DocumentId) -> Result<Option<Known>, MirrorError> {
        let is_undecided = self.vanished.contains(document)
            || self.removed.contains(document)
            || self.is_turning(document);
        if is_undecided || !self.left(document).is_empty() {
            return Ok(None);
        }
        Ok(match self.own_record(document)? {
            None => Some(Known {
                state: NOTHING.to_vec(),
                base: None,
            }),
            Some(record) if record.unsaved || is_large(&record.state) => None,
            Some(record) => Some(Known {
                state: record.state,
                base: record.base,
            }),
        })
    }

    /// Brings a document and its file together after the server has given this for what it was asked with,
    /// see [`Differing`]. `None` if it takes a room after all: the server may lack something that others
    /// have once sent it, and that it has lost.
    pub fn answered(
        &mut self,
        document: &DocumentId,
        asked: &ToAsk,
        given: &[u8],
    ) -> Result<Option<Answered>, MirrorError> {
        // An editor may have opened and closed it meanwhile.
        let known = self.free_to_ask(document)?;
        let Some(known) = known.filter(|known| hash(&known.state) == asked.stored) else {
            return Ok(None);
        };
        let Some(whole) = both(document, known.state, given) else {
            return Ok(None);
        };
        let settled = self.settle(document, &whole.state)?;
        match &settled.update {
            Some(own) => {
                let state = self.whole(document, &whole.state, own)?.state;
                self.persist(document, &state, true)?;
            }
            None if whole.lacked.is_some() => self.persist(document, &whole.state, false)?,
            None => {}
        }
        let base = known.base.filter(|_| whole.lacked.is_some());
        Ok(Some(Answered {
            settled,
            overwritten: base.map(|base| base.state),
        }))
    }
}

fn to_ask(state: &[u8]) -> Result<ToAsk, BadUpdate> {
    let replica = merge::replica(state)?;
    let txn = replica.doc().transact();
    Ok(ToAsk {
        vector: txn.state_vector().encode_v1(),
        fingerprint: fingerprint(&txn),
        stored: hash(state),
    })
}

/// A state with what the server has given, if both sides have that in common now.
fn both(document: &DocumentId, state: Vec<u8>, given: &[u8]) -> Option<Whole> {
    let differing = match Differing::read(given) {
        Ok(None) => {
            let lacked = None;
            return Some(Whole { state, lacked });
        }
        Ok(Some(differing)) => differing,
        Err(error) => {
            tracing::warn!(%document, %error, "the server's answer is not understood");
            return None;
        }
    };
    let whole = merge::whole(&state, differing.update);
    let has_all = whole.and_then(|whole| {
        let has_all = to_ask(&whole.state)?.fingerprint == differing.fingerprint;
        Ok(has_all.then_some(whole))
    });
    has_all.unwrap_or_else(|error| {
        tracing::warn!(%document, %error, "what the server has given is no update");
        None
    })
}
