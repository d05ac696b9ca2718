//! What some updates say together, and several updates as one.

use std::collections::HashMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;

use super::{ScannedUpdate, scan};

/// The structs and deletions that are in some updates.
#[derive(Debug, Default)]
pub struct Coverage {
    structs: Ranges,
    deletions: Ranges,
}

/// For each client the clocks, in order; what touches is one range.
#[derive(Debug, Default)]
struct Ranges(HashMap<u64, Vec<Range<u32>>>);

impl Ranges {
    fn of(all: impl Iterator<Item = (u64, Range<u32>)>) -> Self {
        let mut ranges: HashMap<u64, Vec<Range<u32>>> = HashMap::new();
        for (client, range) in all {
            ranges.entry(client).or_default().push(range);
        }
        for of in ranges.values_mut() {
            of.sort_unstable_by_key(|range| range.start);
            of.dedup_by(|next, last| {
                let touches = next.start <= last.end;
                if touches {
                    last.end = last.end.max(next.end);
                }
                touches
            });
        }
        Self(ranges)
    }

    fn hold(&self, client: u64, wanted: &Range<u32>) -> bool {
        let Some(of) = self.0.get(&client) else {
            return false;
        };
        let after = of.partition_point(|range| range.start <= wanted.start);
        let before = after.checked_sub(1).and_then(|at| of.get(at));
        before.is_some_and(|range| wanted.end <= range.end)
    }
}

fn structs<'a>(update: &'a ScannedUpdate<'_>) -> impl Iterator<Item = (u64, Range<u32>)> + 'a {
    let there = update.structs().filter(|(_, piece)| !piece.skip);
    there.map(|(client, piece)| (client, piece.clock..piece.end()))
}

impl Coverage {
    /// What is in these updates. What is no update says nothing.
    pub fn of<'a>(updates: impl Iterator<Item = &'a Bytes>) -> Self {
        let scanned: Vec<_> = updates.filter_map(|update| scan(update).ok()).collect();
        Self {
            structs: Ranges::of(scanned.iter().flat_map(structs)),
            deletions: Ranges::of(scanned.iter().flat_map(ScannedUpdate::deletions)),
        }
    }

    /// Whether all that an update says is in them.
    pub fn covers(&self, update: &Bytes) -> bool {
        scan(update).is_ok_and(|update| {
            structs(&update).all(|(client, range)| self.structs.hold(client, &range))
                && update
                    .deletions()
                    .all(|(client, range)| self.deletions.hold(client, &range))
        })
    }
}

/// Several updates as one that says the same. `None` where they cannot be put together, or where what came of it lacks
/// something of them.
pub fn merged(updates: &[Bytes]) -> Option<Bytes> {
    let merge = || yrs::merge_updates_v1(updates);
    // As wherever something is made of what others sent: a panic costs no room.
    let merged = Bytes::from(catch_unwind(AssertUnwindSafe(merge)).ok()?.ok()?);
    let coverage = Coverage::of(std::iter::once(&merged));
    let holds_all = updates.iter().all(|update| coverage.covers(update));
    holds_all.then_some(merged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Document, Wanted};
    use tutti_protocol::index::new_doc;
    use yrs::updates::decoder::Decode;
    use yrs::{GetString, ReadTxn, StateVector, Text, Transact, Update};

    fn text_of(updates: &[Bytes]) -> (String, Vec<u8>) {
        let mut document = Document::default();
        for update in updates {
            document.apply(update, Wanted::AsSent).unwrap();
        }
        assert_eq!(document.held_bytes(), 0);
        let txn = document.doc().transact();
        let text = txn.get_text("content").unwrap().get_string(&txn);
        drop(txn);
        (text, document.diff(&StateVector::default()))
    }

    /// People who type and delete, and hear of each other now and then; what each of them sends.
    fn typed(rng: &mut fastrand::Rng) -> Vec<Bytes> {
        let docs: Vec<_> = (1..=3).map(new_doc).collect();
        let mut sent: Vec<Bytes> = Vec::new();
        for _ in 0..rng.usize(2..60) {
            let doc = &docs[rng.usize(..docs.len())];
            let text = doc.get_or_insert_text("content");
            let mut txn = doc.transact_mut();
            if rng.bool() {
                for update in &sent {
                    txn.apply_update(Update::decode_v1(update).unwrap())
                        .unwrap();
                }
            }
            let (before, length) = (txn.state_vector(), text.len(&txn));
            match length > 2 && rng.u8(..4) == 0 {
                true => text.remove_range(&mut txn, rng.u32(..length - 1), 1),
                false => text.insert(&mut txn, rng.u32(..=length), "ab"),
            }
            sent.push(txn.encode_diff_v1(&before).into());
        }
        sent
    }

    #[test]
    #[allow(clippy::print_stdout, reason = "a failed run must be repeatable")]
    fn what_is_put_together_says_the_same_wherever_it_is_cut() {
        let seed =
            std::env::var("SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
        println!("SEED={seed}");
        let mut rng = fastrand::Rng::with_seed(seed);
        for _ in 0..300 {
            let sent = typed(&mut rng);
            let mut log = Vec::new();
            let mut rest = &sent[..];
            while !rest.is_empty() {
                let (some, after) = rest.split_at(rng.usize(1..=rest.len()));
                log.push(merged(some).expect("it can be put together"));
                rest = after;
            }
            let (text, whole) = text_of(&sent);
            let (again, together) = text_of(&log);
            assert_eq!(text, again);
            let whole = Coverage::of([Bytes::from(whole)].iter());
            let together = Coverage::of([Bytes::from(together)].iter());
            assert!(
                sent.iter()
                    .all(|update| together.covers(update) == whole.covers(update))
            );
            assert!(
                sent.iter()
                    .all(|update| Coverage::of(log.iter()).covers(update))
            );
        }
    }

    #[test]
    fn what_lacks_a_part_does_not_cover_it() {
        let sent = typed(&mut fastrand::Rng::with_seed(5));
        for left_out in 0..sent.len() {
            let mut others = sent.clone();
            let update = others.remove(left_out);
            let alone = Coverage::of(others.iter()).covers(&update);
            // Every update of these has something of its own: a text, or a deletion that nobody else made.
            assert!(!alone, "the one at {left_out}");
        }
    }

    #[test]
    fn what_is_no_update_is_not_put_together() {
        let sent = typed(&mut fastrand::Rng::with_seed(1));
        let broken = Bytes::from_static(b"\xff\xff");
        assert!(merged(&[sent[0].clone(), broken.clone()]).is_none());
        assert!(!Coverage::of([broken].iter()).covers(&sent[0]));
    }
}
