//! Whether two documents contain the same, told by a few bytes: a state vector alone does not know what was deleted.

use std::collections::BTreeMap;
use std::ops::Range;

use sha2::{Digest as _, Sha256};
use yrs::ReadTxn;

/// Documents that have it in common contain the same characters and deletions.
pub type Fingerprint = [u8; 16];

/// The fingerprint of the document of `txn`.
///
/// The beginning of the SHA-256 of 64-bit little-endian numbers: how many clients there are; of each, by its id, the id
/// and the first clock that is lacking; then of each that wrote something that was deleted, by its id, the id and the
/// first and the last clock but one of each stretch of it.
pub fn fingerprint(txn: &impl ReadTxn) -> Fingerprint {
    let snapshot = txn.snapshot();
    let mut hasher = Sha256::new();
    let mut number = |number: u64| hasher.update(number.to_le_bytes());
    let clocks = snapshot.state_map.iter();
    let clocks: BTreeMap<u64, u32> = clocks.map(|(c, &n)| (c.get(), n)).collect();
    number(clocks.len() as u64);
    for (client, clock) in clocks {
        number(client);
        number(u64::from(clock));
    }
    for (client, ranges) in snapshot.delete_set.iter() {
        number(client.get());
        // Where one document deleted in one go, another one did in two.
        let mut joined: Option<Range<u32>> = None;
        for range in ranges.iter() {
            match &mut joined {
                Some(before) if range.start <= before.end => {
                    before.end = before.end.max(range.end);
                }
                _ => {
                    if let Some(before) = joined.replace(range.clone()) {
                        number(u64::from(before.start));
                        number(u64::from(before.end));
                    }
                }
            }
        }
        if let Some(last) = joined {
            number(u64::from(last.start));
            number(u64::from(last.end));
        }
    }
    let mut short = Fingerprint::default();
    short.copy_from_slice(&hasher.finalize()[..16]);
    short
}

#[cfg(test)]
mod tests {
    use yrs::updates::decoder::Decode;
    use yrs::{Doc, StateVector, Text, Transact, Update};

    use super::*;

    fn of(doc: &Doc) -> Fingerprint {
        fingerprint(&doc.transact())
    }

    #[test]
    fn what_is_deleted_counts_and_not_in_how_many_goes() {
        let (one, other) = (Doc::with_client_id(1), Doc::with_client_id(2));
        let text = one.get_or_insert_text("content");
        text.push(&mut one.transact_mut(), "abcdef");
        let pass = |from: &Doc, to: &Doc| {
            let update = from.transact().encode_diff_v1(&StateVector::default());
            let update = Update::decode_v1(&update).unwrap();
            to.transact_mut().apply_update(update).unwrap();
        };
        pass(&one, &other);
        assert_eq!(of(&one), of(&other));
        text.remove_range(&mut one.transact_mut(), 1, 2);
        assert_ne!(of(&one), of(&other));
        let theirs = other.get_or_insert_text("content");
        for _ in 0..2 {
            theirs.remove_range(&mut other.transact_mut(), 1, 1);
        }
        assert_eq!(of(&one), of(&other));
        theirs.push(&mut other.transact_mut(), "g");
        assert_ne!(of(&one), of(&other));
        pass(&other, &one);
        assert_eq!(of(&one), of(&other));
    }
}
