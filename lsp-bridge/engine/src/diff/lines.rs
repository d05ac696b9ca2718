//! What stands in the place of changed lines: which new line is which old one, changed.

use std::cmp::Ordering;

use super::{CHARACTER_DIFF_LIMIT, by_characters, by_characters_between_ends, chars};
use crate::patch::{Patch, Splice};

/// How many pairs of lines are compared at most.
const PAIRS_LIMIT: usize = 40_000;
/// How many characters of pairs of lines are looked through at most for what lies between their ends.
const PIECES_LIMIT: usize = 20_000_000;
/// Two lines are one that was changed if they have this part of their characters in common, in
/// hundredths; or if the one is the other and more.
const ALIKE: usize = 50;
/// So many characters in a row are no chance.
const PIECE: usize = 4;

/// From so many deleted characters on, it is made sure that they have really gone.
const MANY: usize = 8;
/// They have not if, character by character, not even this part of them has, and what is left of them
/// stands in pieces of some length: the lines were changed all over.
const FEWER: usize = 10;
/// How many characters those pieces have at least, on average.
const PIECES_LEFT: usize = 2;
/// In a text that is so many times as long, any letters are found one behind the other.
const LONGER: usize = 4;

/// Adds to `patch` what makes the lines `new` of the lines `old`, which begin at `offset`. A line that
/// was changed is compared by its characters; others come and go as a whole.
pub(super) fn changed(old: &[&str], new: &[&str], offset: usize, patch: &mut Patch) {
    let mut changed = Patch::default();
    by_pairs(old, new, offset, &mut changed);
    let (was, is) = (old.concat(), new.concat());
    let is_long = was.len() + is.len() > CHARACTER_DIFF_LIMIT || is.len() > LONGER * was.len();
    if gone(&changed) >= MANY && !is_long {
        let mut all_over = Patch::default();
        by_characters(&was, &is, offset, &mut all_over);
        let left = was.chars().count() - gone(&all_over);
        let is_whole = left >= PIECES_LEFT * (all_over.splices().len() + 1);
        if is_whole && FEWER * gone(&all_over) < gone(&changed) {
            changed = all_over;
        }
    }
    for splice in changed.splices() {
        patch.push(splice.clone());
    }
}

fn gone(patch: &Patch) -> usize {
    patch.splices().iter().map(|splice| splice.delete).sum()
}

fn by_pairs(old: &[&str], new: &[&str], offset: usize, patch: &mut Patch) {
    let mut at = offset;
    let (mut next_old, mut next_new) = (0, 0);
    let ends = [(old.len(), new.len())];
    for (old_line, new_line) in pairs(old, new).into_iter().chain(ends) {
        let gone = chars(&old[next_old..old_line]);
        patch.push(Splice {
            at,
            delete: gone,
            insert: new[next_new..new_line].concat(),
        });
        at += gone;
        if let (Some(was), Some(is)) = (old.get(old_line), new.get(new_line)) {
            by_characters_between_ends(was, is, at, patch);
            at += was.chars().count();
        }
        (next_old, next_new) = (old_line + 1, new_line + 1);
    }
}

/// The lines that are one, in ascending order: those that together have most in common.
fn pairs(old: &[&str], new: &[&str]) -> Vec<(usize, usize)> {
    if old.len() == 1 && new.len() == 1 {
        return vec![(0, 0)];
    }
    if old.len().saturating_mul(new.len()) > PAIRS_LIMIT {
        return Vec::new();
    }
    let width = new.len() + 1;
    // The most that the lines from here on have in common.
    let mut most = vec![0; (old.len() + 1) * width];
    let work = chars(old).saturating_mul(new.len()) + chars(new).saturating_mul(old.len());
    let lines = |lines: &[&str]| -> Vec<Line> {
        let line = |line: &&str| Line::of(line, work <= PIECES_LIMIT);
        lines.iter().map(line).collect()
    };
    let (was, is) = (lines(old), lines(new));
    let common: Vec<usize> = was
        .iter()
        .flat_map(|was| is.iter().map(|is| was.in_common(is)))
        .collect();
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            let both = match common[i * new.len() + j] {
                0 => 0,
                own => own + most[(i + 1) * width + j + 1],
            };
            most[i * width + j] = both
                .max(most[(i + 1) * width + j])
                .max(most[i * width + j + 1]);
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut pairs = Vec::new();
    while i < old.len() && j < new.len() {
        let here = most[i * width + j];
        let own = common[i * new.len() + j];
        if own > 0 && here == own + most[(i + 1) * width + j + 1] {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if here == most[(i + 1) * width + j] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

/// A line as it is compared with others.
struct Line {
    chars: Vec<char>,
    /// All that follow each other in it, sorted; none where it is compared by its ends alone.
    pieces: Vec<[char; PIECE]>,
}

impl Line {
    fn of(line: &str, in_pieces: bool) -> Self {
        let chars: Vec<char> = line.chars().collect();
        let mut pieces = Vec::new();
        if in_pieces {
            pieces.extend(chars.array_windows().copied());
            pieces.sort_unstable();
        }
        Self { chars, pieces }
    }

    /// How many characters two lines have in common; 0 if they are too different to be one.
    ///
    /// What they share at their ends tells of a line that was changed in one place. One that was
    /// changed in several, as a long line is by several people, shares what lies between them.
    fn in_common(&self, other: &Self) -> usize {
        let (ours, theirs) = (&self.chars, &other.chars);
        let same = |(a, b): &(&char, &char)| a == b;
        let head = std::iter::zip(ours, theirs).take_while(same).count();
        let shorter = ours.len().min(theirs.len());
        let ends = std::iter::zip(ours.iter().rev(), theirs.iter().rev());
        let tail = ends.take(shorter - head).take_while(same).count();
        let ends = head + tail;
        let goes_on = ends > 1 && ends == shorter;
        let shared = ends.max(self.shared_pieces(other));
        match goes_on || 200 * shared >= ALIKE * (ours.len() + theirs.len()) {
            true => shared,
            false => 0,
        }
    }

    /// How many characters the pieces that both have make up, at least.
    fn shared_pieces(&self, other: &Self) -> usize {
        let (mut ours, mut theirs) = (&self.pieces[..], &other.pieces[..]);
        let mut shared = 0;
        while let ([own, behind @ ..], [other, behind_other @ ..]) = (ours, theirs) {
            match own.cmp(other) {
                Ordering::Less => ours = behind,
                Ordering::Greater => theirs = behind_other,
                Ordering::Equal => {
                    (ours, theirs) = (behind, behind_other);
                    shared += 1;
                }
            }
        }
        match shared {
            0 => 0,
            shared => shared + PIECE - 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_common(was: &str, is: &str) -> usize {
        Line::of(was, true).in_common(&Line::of(is, true))
    }

    /// The most that pairs of these lines in ascending order have in common, by trying all.
    fn most(old: &[&str], new: &[&str]) -> usize {
        let ([was, old_rest @ ..], [is, new_rest @ ..]) = (old, new) else {
            return 0;
        };
        let own = in_common(was, is);
        let both = if own > 0 {
            own + most(old_rest, new_rest)
        } else {
            0
        };
        both.max(most(old_rest, new)).max(most(old, new_rest))
    }

    #[test]
    fn no_other_pairs_have_more_in_common() {
        for seed in 0..2_000 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut lines = || -> Vec<&str> {
                let some = ["aaaa\n", "aaab\n", "aabb\n", "abbb\n", "bbbbbb\n", "x\n"];
                (0..rng.usize(2..5))
                    .map(|_| *rng.choice(&some).unwrap())
                    .collect()
            };
            let (old, new) = (lines(), lines());
            let pairs = pairs(&old, &new);
            assert!(
                pairs.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1),
                "seed {seed}"
            );
            let common = pairs.iter().map(|(i, j)| in_common(old[*i], new[*j]));
            assert_eq!(
                common.sum::<usize>(),
                most(&old, &new),
                "seed {seed}: {old:?} {new:?}"
            );
        }
    }

    /// Comparing each line with each would take too long beyond that: they go and come as a whole.
    #[test]
    fn too_many_lines_are_not_compared_one_by_one() {
        for (count, pairs_wanted) in [(200, 200), (201, 0)] {
            let old = vec!["a line\n"; count];
            let new = vec!["a lime\n"; count];
            assert_eq!(pairs(&old, &new).len(), pairs_wanted);
        }
    }
}
