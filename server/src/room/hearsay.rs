//! What other nodes have told this one, and nobody has shown to be stored.
//!
//! Whoever tells of an edit stores it, and may die before it has. Its author then comes to another
//! node, which has the edit and therefore does not ask for it again: were the author told that all
//! is saved, the edit would be in the memory of this node only. So what is heard is remembered
//! until a look into the store has found it, and what was not found by the time that somebody
//! counts on it is stored by this node too. An edit that is stored twice is there once.
//!
//! Whoever types on behind it counts on it as well: stored without what it builds on, an edit is
//! in no document that is read, so its author must not be told that it is saved.

use bytes::Bytes;

use super::actor::Room;
use crate::store::LogEntry;
use crate::update::{Clocks, Contents, Coverage, merged, scan};

/// After so much more hearsay the store is looked into, to forget what it has by then.
const LOOK_EVERY: usize = 1_024;
const LOOK_EVERY_BYTES: usize = 1024 * 1024;

/// More than this is not remembered one by one; the whole document stands for it.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// Updates that only their senders are known to have.
#[derive(Default)]
pub(super) struct Hearsay {
    updates: Vec<Bytes>,
    bytes: usize,
    /// For each client from which clock on its text is hearsay, or builds on some.
    doubtful: Clocks,
    /// Heard since the last look was asked for.
    fresh: usize,
    is_too_much: bool,
    /// Whether what the next look does not find is to be stored.
    is_orphaned: bool,
}

impl Hearsay {
    pub(super) fn is_empty(&self) -> bool {
        self.updates.is_empty() && !self.is_too_much
    }

    /// Notes an update, and what of it is new in the document; says whether it is time to look
    /// into the store.
    fn note(&mut self, update: &Bytes, news: Option<&Bytes>) -> bool {
        for update in [Some(update), news].into_iter().flatten() {
            self.doubt(update);
        }
        self.fresh += 1;
        let before = self.bytes;
        self.bytes += update.len();
        if self.bytes > MOST_BYTES || self.is_too_much {
            self.updates = Vec::new();
            self.is_too_much = true;
        } else {
            // Not a slice of its frame, which would stay as a whole.
            self.updates.push(Bytes::copy_from_slice(update));
        }
        let is_much = before / LOOK_EVERY_BYTES != self.bytes / LOOK_EVERY_BYTES;
        is_much || self.fresh.is_multiple_of(LOOK_EVERY)
    }

    fn doubt(&mut self, update: &Bytes) {
        let Ok(scanned) = scan(update) else { return };
        for (client, piece) in scanned.structs().filter(|(_, piece)| !piece.skip) {
            let from = self.doubtful.entry(client).or_insert(piece.clock);
            *from = piece.clock.min(*from);
        }
    }

    /// Takes note of what is stored and new here: where it builds on hearsay, who builds on it does.
    pub(super) fn spread(&mut self, stored: &Bytes) {
        if self.is_under(stored) {
            self.doubt(stored);
        }
    }

    /// Whether an update builds on it.
    fn is_under(&self, update: &Bytes) -> bool {
        let is_doubtful = |(client, clock): (u64, u32)| {
            let from = self.doubtful.get(&client);
            from.is_some_and(|from| clock >= *from)
        };
        !self.is_empty() && scan(update).is_ok_and(|scanned| scanned.needs().any(is_doubtful))
    }

    /// Forgets what is among the entries, or in the document, that a look has found.
    pub(super) fn found(&mut self, log: &[LogEntry], contents: Option<&Contents>) {
        if self.updates.is_empty() {
            self.fresh = 0;
            return;
        }
        // Whoever stored it may have stored it together with more.
        let stored = Coverage::of(log.iter().map(|entry| &entry.update));
        let is_covered = |update: &Bytes| {
            contents
                .is_some_and(|contents| scan(update).is_ok_and(|scanned| contents.cover(&scanned)))
        };
        self.forget(|update| stored.covers(update) || is_covered(update));
        self.fresh = 0;
    }

    /// Forgets what this node has stored itself.
    pub(super) fn stored<'a>(&mut self, updates: impl Iterator<Item = &'a Bytes>) {
        if self.updates.is_empty() {
            return;
        }
        let stored = Coverage::of(updates);
        self.forget(|update| stored.covers(update));
    }

    fn forget(&mut self, is_stored: impl Fn(&Bytes) -> bool) {
        self.updates.retain(|update| !is_stored(update));
        self.bytes = self.updates.iter().map(Bytes::len).sum();
        if self.is_empty() {
            self.doubtful.clear();
        }
    }

    /// All of it in one update; `None` where the whole document stands for it.
    fn merged(&self) -> Option<Bytes> {
        match self.is_too_much {
            true => None,
            false => merged(&self.updates),
        }
    }

    /// Who told some of it has gone, or may have.
    pub(super) fn orphaned(&mut self) {
        self.is_orphaned = !self.is_empty();
    }

    pub(super) fn is_orphaned(&self) -> bool {
        self.is_orphaned
    }
}

impl Room {
    /// Remembers an update that another node has told of; `news` is what is new in it.
    pub(super) fn note_hearsay(&mut self, update: &Bytes, news: Option<&Bytes>) {
        if self.hearsay.note(update, news) {
            self.follow_store();
        }
    }

    /// Call it before an edit is accepted that will be acknowledged.
    pub(super) fn vouch_for_what_is_under(&mut self, update: &Bytes) {
        if self.hearsay.is_under(update) {
            self.vouch();
        }
    }

    /// Stores what only others are known to have. Whoever waits from now on waits for that too.
    pub(super) fn vouch(&mut self) {
        if self.hearsay.is_empty() {
            return;
        }
        metrics::counter!("tutti_fanout_vouched_total").increment(1);
        let hearsay = std::mem::take(&mut self.hearsay);
        let update = match hearsay.merged() {
            Some(update) => update,
            None => self.document.diff(&yrs::StateVector::default()).into(),
        };
        self.accept(update);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Document, Wanted};
    use crate::store::EntryId;
    use tutti_protocol::index::new_doc;
    use yrs::updates::decoder::Decode;
    use yrs::{ReadTxn, Text, Transact};

    /// Two edits, one after the other, and a deletion of both.
    fn edits() -> [Bytes; 3] {
        let doc = new_doc(1);
        let text = doc.get_or_insert_text("content");
        let edit = |change: &dyn Fn(&mut yrs::TransactionMut<'_>)| {
            let mut txn = doc.transact_mut();
            change(&mut txn);
            Bytes::from(txn.encode_update_v1())
        };
        [
            edit(&|txn| text.insert(txn, 0, "a")),
            edit(&|txn| text.insert(txn, 1, "b")),
            edit(&|txn| text.remove_range(txn, 0, 2)),
        ]
    }

    fn entry(update: &Bytes) -> LogEntry {
        LogEntry {
            id: EntryId(0),
            update: update.clone(),
        }
    }

    #[test]
    fn what_a_look_finds_is_forgotten_and_nothing_else() {
        let [a, b, gone] = edits();
        let mut hearsay = Hearsay::default();
        for update in [&a, &b, &gone] {
            assert!(!hearsay.note(update, None));
        }
        hearsay.found(&[entry(&b)], None);
        assert_eq!(hearsay.updates, [a.clone(), gone.clone()]);
        // A snapshot with both letters, in which they are not deleted.
        let mut document = Document::default();
        for update in [&a, &b] {
            document.apply(update, Wanted::AsSent).unwrap();
        }
        hearsay.found(&[], Some(&document.contents()));
        assert_eq!(hearsay.updates, std::slice::from_ref(&gone));
        document.apply(&gone, Wanted::AsSent).unwrap();
        hearsay.found(&[], Some(&document.contents()));
        assert!(hearsay.is_empty());
    }

    #[test]
    fn what_is_stored_in_one_goes_together_with_the_rest() {
        let [a, b, gone] = edits();
        let mut hearsay = Hearsay::default();
        for update in [&a, &gone] {
            hearsay.note(update, None);
        }
        // Between what it has of one author, another node has stored something.
        let merged = hearsay.merged().unwrap();
        for log in [[&merged, &b], [&b, &merged]] {
            let mut document = Document::default();
            let mut held = false;
            for update in log {
                held = document.apply(update, Wanted::AsSent).unwrap().held;
            }
            assert!(!held && document.held_bytes() == 0);
            let all = document.contents();
            assert!(
                [&a, &b, &gone]
                    .iter()
                    .all(|update| all.cover(&scan(update).unwrap()))
            );
        }
    }

    #[test]
    fn what_builds_on_hearsay_is_known_whatever_way_it_comes() {
        let doc = new_doc(1);
        let text = doc.get_or_insert_text("content");
        let typed = |client: u64, at: u32, on: &[&Bytes]| {
            let doc = new_doc(client);
            let text = doc.get_or_insert_text("content");
            let mut txn = doc.transact_mut();
            for update in on {
                let update = yrs::Update::decode_v1(update).unwrap();
                txn.apply_update(update).unwrap();
            }
            let before = txn.state_vector();
            text.insert(&mut txn, at, "x");
            Bytes::from(txn.encode_diff_v1(&before))
        };
        let (first, heard) = {
            let mut txn = doc.transact_mut();
            text.insert(&mut txn, 0, "ab");
            let first = Bytes::from(txn.encode_update_v1());
            drop(txn);
            let mut txn = doc.transact_mut();
            text.insert(&mut txn, 2, "c");
            (first, Bytes::from(txn.encode_update_v1()))
        };
        let (ahead, behind) = (
            typed(2, 1, &[&first, &heard]),
            typed(3, 3, &[&first, &heard]),
        );
        let behind_that = typed(4, 4, &[&first, &heard, &behind]);
        let mut hearsay = Hearsay::default();
        assert!(!hearsay.is_under(&behind));
        hearsay.note(&heard, None);
        assert!(!hearsay.is_under(&ahead) && hearsay.is_under(&behind));
        // By itself it does not build on what was heard; what is between does.
        assert!(!hearsay.is_under(&behind_that));
        hearsay.spread(&behind);
        assert!(hearsay.is_under(&behind_that) && !hearsay.is_under(&ahead));
        hearsay.found(&[entry(&heard)], None);
        assert!(!hearsay.is_under(&behind) && !hearsay.is_under(&behind_that));
    }

    #[test]
    fn it_is_bounded_and_looks_are_asked_for() {
        let mut hearsay = Hearsay::default();
        let update = Bytes::from(vec![0; MOST_BYTES / LOOK_EVERY / 2]);
        let looks = (0..LOOK_EVERY)
            .filter(|_| hearsay.note(&update, None))
            .count();
        let megabytes = MOST_BYTES / 2 / LOOK_EVERY_BYTES;
        assert_eq!((looks, hearsay.updates.len()), (megabytes, LOOK_EVERY));
        let tiny = Bytes::from_static(b"u");
        let mut other = Hearsay::default();
        let looks = (0..3 * LOOK_EVERY)
            .filter(|_| other.note(&tiny, None))
            .count();
        assert_eq!(looks, 3);
        for _ in 0..2 * LOOK_EVERY {
            hearsay.note(&update, None);
        }
        assert!(hearsay.updates.is_empty() && !hearsay.is_empty());
        // What a look finds then says nothing about the rest.
        hearsay.found(&[entry(&update)], None);
        assert!(!hearsay.is_empty());
    }
}
