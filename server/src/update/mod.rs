//! Yjs updates, read before yrs sees them.
//!
//! [`scan()`] walks an update without building anything: a frame that claims huge counts, nests
//! without end or overflows a clock is refused before a decoder allocates for it. It also finds
//! what each struct depends on, so that [`ScannedUpdate::split`] can tell what can be integrated
//! from what has to wait. A document that only ever integrates the former never has holes, and so
//! never serves any (Yjs 13 silently truncates some updates with holes).

mod canonical;
mod coverage;
mod scan;
mod split;

use std::collections::HashMap;

use thiserror::Error;
use tutti_protocol::codec::{DecodeError, Reader};
use yrs::{ClientID, IdSet, ReadTxn, StateVector};

pub use canonical::canonical;
pub use coverage::{Coverage, merged};
pub use scan::{ScannedUpdate, scan};
pub use split::Split;

/// The update that says nothing.
pub const EMPTY: &[u8] = &[0, 0];

/// For each client the first clock that a document lacks: a state vector.
pub type Clocks = HashMap<u64, u32>;

/// Why bytes are not an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ScanError {
    /// The encoding is broken.
    #[error("{0}")]
    Encoding(#[from] DecodeError),
    /// A count is larger than what could follow it.
    #[error("a count in it is larger than the message")]
    Count,
    /// A clock or client id is out of range.
    #[error("a clock or client id in it is out of range")]
    Range,
    /// A value nests too deeply.
    #[error("a value in it nests too deeply")]
    Depth,
    /// A kind of content that Yjs 13 does not write any more, or does not know.
    #[error("content of kind {0} in it is not supported")]
    Content(u8),
    /// A client stands in it twice.
    #[error("a client stands in it twice")]
    Twice,
    /// Something follows its end.
    #[error("something follows its end")]
    Trailing,
}

/// The clocks of a state vector.
pub fn clocks(vector: &StateVector) -> Clocks {
    vector
        .iter()
        .map(|(client, &clock)| (client.get(), clock))
        .collect()
}

/// Reads a state vector in v1 encoding, without believing its counts.
///
/// # Errors
/// [`ScanError`] when it is none.
pub fn read_state_vector(bytes: &[u8]) -> Result<StateVector, ScanError> {
    let mut reader = Reader::new(bytes);
    let count = reader.var_uint()?;
    if count > (bytes.len() / 2) as u64 {
        return Err(ScanError::Count);
    }
    let mut clocks = Vec::new();
    for _ in 0..count {
        let (client, clock) = (reader.var_uint()?, reader.var_uint()?);
        if client > scan::MAX_CLIENT || clock > scan::MAX_CLOCK {
            return Err(ScanError::Range);
        }
        clocks.push((ClientID::new(client), clock as u32));
    }
    if !reader.is_empty() {
        return Err(ScanError::Trailing);
    }
    Ok(clocks.into_iter().collect())
}

/// What a document contains: used to tell whether an update would add anything to it.
pub struct Contents {
    clocks: Clocks,
    deleted: IdSet,
}

impl Contents {
    /// What the document of `txn` contains now.
    pub fn of(txn: &impl ReadTxn) -> Self {
        let snapshot = txn.snapshot();
        Self {
            clocks: clocks(&snapshot.state_map),
            deleted: snapshot.delete_set,
        }
    }

    /// Whether every struct and every deletion of `update` is in the document.
    pub fn cover(&self, update: &ScannedUpdate<'_>) -> bool {
        let inserted = update
            .structs()
            .filter(|(_, piece)| !piece.skip)
            .all(|(client, piece)| piece.end() <= self.clocks.get(&client).copied().unwrap_or(0));
        inserted
            && update.deletions().all(|(client, range)| {
                let mut at = range.start;
                // Ranges are sorted and disjoint, so one pass follows them.
                if let Some(ranges) = self.deleted.get(&ClientID::new(client)) {
                    for (deleted, ()) in ranges.iter() {
                        if deleted.start <= at && at < deleted.end {
                            at = deleted.end;
                        }
                    }
                }
                at >= range.end
            })
    }
}

#[cfg(test)]
mod tests;
