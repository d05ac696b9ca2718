//! Edits that both have made in one name.
//!
//! A program that changes a file writes in the name of the change, and who makes the same one writes the
//! very same characters. Nobody is told again of characters that they have, so what comes of the others
//! does not say that they have these, too. But with the ones that they have not their text has lines that
//! nobody would have written: what is left of one that was replaced, or two in one.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use super::blocks::{Piece, Writer};

/// Yjs draws its clients' names out of the first 32 bits, and none has more than 53. From here on they are those of
/// edits.
pub const NAMES: u64 = 1 << 52;
/// The names of decisions.
pub const DECISIONS: Range<u64> = 1 << 51..NAMES;

/// How often all names are looked at. Edits of one line may be there only together.
const ROUNDS: usize = 3;

/// A piece and its characters.
pub(super) type Spelt = (Piece, String);

/// Has the others have those named edits of ours with which their text has the fewest lines beyond those of
/// `base`, which both had, and of our text.
pub(super) fn add_to_theirs(pieces: &mut [Spelt], base: &str) {
    let named = pieces.iter().filter(|(piece, _)| is_named(piece));
    let names: BTreeSet<u64> = named.map(|(piece, _)| name(piece)).collect();
    if names.is_empty() {
        return;
    }
    let ours = text(pieces, |piece| piece.ours.is_some());
    let (before, with_us) = (counted(base), counted(&ours));
    let known = |line: &str| {
        before
            .get(line)
            .max(with_us.get(line))
            .copied()
            .unwrap_or(0)
    };
    let strange = |names: &BTreeSet<u64>| {
        let is_theirs = |piece: &Piece| {
            piece.theirs.is_some() || is_named(piece) && names.contains(&name(piece))
        };
        let theirs = text(pieces, is_theirs);
        let lines = counted(&theirs).into_iter();
        let beyond = lines.map(|(line, times)| times.saturating_sub(known(line)));
        beyond.sum::<usize>()
    };
    let likeliest = |from: BTreeSet<u64>| {
        let (mut chosen, mut fewest) = (from, usize::MAX);
        for _ in 0..ROUNDS {
            let before = fewest;
            fewest = strange(&chosen);
            for name in &names {
                flip(&mut chosen, *name);
                let lines = strange(&chosen);
                match lines < fewest {
                    true => fewest = lines,
                    false => flip(&mut chosen, *name),
                }
            }
            if fewest == before {
                break;
            }
        }
        (fewest, chosen)
    };
    let (with, without) = (likeliest(names.clone()), likeliest(BTreeSet::new()));
    let (_, chosen) = if without.0 < with.0 { without } else { with };
    for (piece, _) in pieces.iter_mut() {
        if is_named(piece) && chosen.contains(&name(piece)) {
            piece.writer = Writer::Both;
            piece.theirs.clone_from(&piece.ours);
        }
    }
}

/// How often there is each line.
fn counted(text: &str) -> HashMap<&str, usize> {
    let mut counted = HashMap::new();
    for line in text.lines() {
        *counted.entry(line).or_default() += 1;
    }
    counted
}

fn flip(names: &mut BTreeSet<u64>, name: u64) {
    if !names.remove(&name) {
        names.insert(name);
    }
}

fn text(pieces: &[Spelt], is_in: impl Fn(&Piece) -> bool) -> String {
    let pieces = pieces.iter().filter(|(piece, _)| is_in(piece));
    pieces.map(|(_, content)| content.as_str()).collect()
}

fn name(piece: &Piece) -> u64 {
    piece.id.client.get()
}

/// Whether it is of an edit of ours that has a name, and stands.
fn is_named(piece: &Piece) -> bool {
    piece.writer == Writer::We && piece.ours.is_some() && name(piece) >= NAMES
}

#[cfg(test)]
mod tests {
    use super::*;
    use yrs::{ClientID, ID};

    /// The others have the one of two named edits, and not the other.
    #[test]
    fn each_edit_is_looked_at_by_itself() {
        let piece = |client: u64, writer, content: &str, [ours, theirs]: [bool; 2]| {
            let place = |is_there: bool| is_there.then_some(0..0);
            let piece = Piece {
                id: ID::new(ClientID::new(client), 0),
                len: content.len() as u32,
                writer,
                ours: place(ours),
                theirs: place(theirs),
                now: None,
            };
            (piece, content.to_owned())
        };
        let (one, two) = (NAMES + 1, NAMES + 2);
        let mut pieces = vec![
            piece(1, Writer::Both, "first", [false, false]),
            piece(one, Writer::We, "FIRST", [true, false]),
            piece(1, Writer::Both, "\n", [true, true]),
            piece(1, Writer::Both, "second", [false, true]),
            piece(two, Writer::We, "SECOND", [true, false]),
            piece(1, Writer::Both, "\n", [true, true]),
        ];
        add_to_theirs(&mut pieces, "first\nsecond\n");
        assert_eq!(
            text(&pieces, |piece| piece.theirs.is_some()),
            "FIRST\nsecond\n"
        );
        let named = pieces.iter().filter(|(piece, _)| name(piece) >= NAMES);
        let writers: Vec<Writer> = named.map(|(piece, _)| piece.writer).collect();
        assert_eq!(writers, [Writer::Both, Writer::We]);
    }
}
