//! The smallest edit that makes one text of another.

use std::time::{Duration, Instant};

use similar::{Algorithm, DiffOp, capture_diff_slices_deadline};
use tutti_protocol::index::CONTENT;
use yrs::{Doc, GetString, Text, Transact};

/// How long the smallest edit is looked for; then one is taken that is larger.
const PATIENCE: Duration = Duration::from_secs(2);

/// One place of an edit. Positions are in UTF-16 code units, in the text before all of them.
#[derive(Debug, PartialEq, Eq)]
struct Splice<'a> {
    at: u32,
    remove: u32,
    insert: &'a str,
}

/// The text of a document.
pub(super) fn text_of(doc: &Doc) -> String {
    let content = doc.get_or_insert_text(CONTENT);
    content.get_string(&doc.transact())
}

/// Makes the text of a document another one. Returns the update that says so; `None` where it is
/// that already. It takes away only what the document has: what others type at the same time stays.
pub(super) fn write_text(doc: &Doc, wanted: &str) -> Option<Vec<u8>> {
    let now = text_of(doc);
    if now == wanted {
        return None;
    }
    let content = doc.get_or_insert_text(CONTENT);
    let mut txn = doc.transact_mut();
    // From the end, so that what is before keeps its place.
    for splice in splices(&now, wanted).iter().rev() {
        if splice.remove > 0 {
            content.remove_range(&mut txn, splice.at, splice.remove);
        }
        if !splice.insert.is_empty() {
            content.insert(&mut txn, splice.at, splice.insert);
        }
    }
    Some(txn.encode_update_v1())
}

fn splices<'a>(before: &'a str, after: &'a str) -> Vec<Splice<'a>> {
    let old: Vec<&str> = before.split_inclusive('\n').collect();
    let new: Vec<&str> = after.split_inclusive('\n').collect();
    let deadline = Some(Instant::now() + PATIENCE);
    let operations = capture_diff_slices_deadline(Algorithm::Myers, &old, &new, deadline);
    let mut splices = Vec::new();
    let (mut at, mut byte, mut byte_after) = (0, 0, 0);
    for operation in operations {
        let removed = length(&old[operation.old_range()]);
        let inserted = length(&new[operation.new_range()]);
        let old_text = &before[byte..byte + removed];
        let new_text = &after[byte_after..byte_after + inserted];
        if !matches!(operation, DiffOp::Equal { .. }) {
            splices.push(within(at, old_text, new_text));
        }
        at += units(old_text);
        byte += removed;
        byte_after += inserted;
    }
    splices
}

/// Lines that stand for others, without what both begin and end with.
fn within<'a>(at: u32, old: &'a str, new: &'a str) -> Splice<'a> {
    let same = |(a, b): &(char, char)| a == b;
    let begin: usize = old
        .chars()
        .zip(new.chars())
        .take_while(same)
        .map(|(c, _)| c.len_utf8())
        .sum();
    let (old_rest, new_rest) = (&old[begin..], &new[begin..]);
    let end: usize = old_rest
        .chars()
        .rev()
        .zip(new_rest.chars().rev())
        .take_while(same)
        .map(|(c, _)| c.len_utf8())
        .sum();
    Splice {
        at: at + units(&old[..begin]),
        remove: units(&old_rest[..old_rest.len() - end]),
        insert: &new_rest[..new_rest.len() - end],
    }
}

fn length(lines: &[&str]) -> usize {
    lines.iter().map(|line| line.len()).sum()
}

fn units(text: &str) -> u32 {
    text.chars().map(|c| c.len_utf16() as u32).sum()
}

#[cfg(test)]
mod tests {
    use tutti_protocol::index::new_doc;
    use yrs::updates::decoder::Decode;
    use yrs::{ReadTxn, StateVector, Update};

    use super::*;

    fn take(doc: &Doc, update: &[u8]) {
        let update = Update::decode_v1(update).unwrap();
        doc.transact_mut().apply_update(update).unwrap();
    }

    fn state(doc: &Doc) -> Vec<u8> {
        doc.transact().encode_diff_v1(&StateVector::default())
    }

    fn with_text(client: u64, text: &str) -> Doc {
        let doc = new_doc(client);
        let content = doc.get_or_insert_text(CONTENT);
        content.insert(&mut doc.transact_mut(), 0, text);
        doc
    }

    /// The text after the edit, by a document that gets no more than the update.
    fn written(before: &str, after: &str) -> String {
        let (doc, other) = (with_text(1, before), new_doc(2));
        take(&other, &state(&doc));
        match write_text(&doc, after) {
            Some(update) => take(&other, &update),
            None => assert_eq!(before, after),
        }
        text_of(&other)
    }

    #[test]
    fn what_is_typed_at_the_same_time_stays() {
        let doc = with_text(1, "a\nb\nc\n");
        let replica = new_doc(2);
        take(&replica, &state(&doc));
        let content = doc.get_or_insert_text(CONTENT);
        content.insert(&mut doc.transact_mut(), 5, " ♪");
        content.insert(&mut doc.transact_mut(), 0, "new\n");
        let update = write_text(&replica, "A\nb\n").unwrap();
        take(&doc, &update);
        assert_eq!(text_of(&doc), "new\nA\nb\n ♪");
    }

    #[test]
    fn lines_that_are_equal_stay_and_so_do_the_ends_of_others() {
        let cases = [
            ("a\nb\nc\n", "a\nB\nc\n", vec![(2, 1, "B")]),
            ("♪♪𝄞\nb\n", "♪x𝄞\nb\nc\n", vec![(1, 1, "x"), (7, 0, "c\n")]),
            ("", "x\n", vec![(0, 0, "x\n")]),
            ("x\n", "", vec![(0, 2, "")]),
            ("one two\n", "one 2 two\n", vec![(4, 0, "2 ")]),
            ("𝄞", "𝄢", vec![(0, 2, "𝄢")]),
        ];
        for (before, after, expected) in cases {
            let found = splices(before, after);
            let found: Vec<_> = found
                .iter()
                .map(|splice| (splice.at, splice.remove, splice.insert))
                .collect();
            assert_eq!(found, expected, "{before:?} -> {after:?}");
            assert_eq!(written(before, after), after);
        }
    }

    #[test]
    fn any_text_becomes_any_other() {
        let seed = std::env::var("SEED")
            .ok()
            .and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| fastrand::u64(..));
        print_seed(seed);
        let mut rng = fastrand::Rng::with_seed(seed);
        for _ in 0..2_000 {
            let mut text = || -> String {
                let letters = ["a", "b", "\n", "\n", "♪", "𝄞", "e\u{301}"];
                (0..rng.usize(..30))
                    .map(|_| letters[rng.usize(..letters.len())])
                    .collect()
            };
            let (before, after) = (text(), text());
            assert_eq!(written(&before, &after), after, "{before:?}");
        }
    }

    #[allow(clippy::print_stderr, reason = "a failed run must be repeatable")]
    fn print_seed(seed: u64) {
        eprintln!("restoring texts: SEED={seed}");
    }
}
