//! What stands in the place of changed lines: which new line is which old one, changed.

use std::cmp::Ordering;

use imara_diff::{Algorithm, Diff, InternedInput};

use super::{by_characters, by_characters_between_ends, chars};
use crate::patch::{Patch, Splice};

/// Of how many pairs of lines each is compared, at most.
const PAIRS_LIMIT: usize = 10_000;
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
/// Up to how many characters (old and new together) are looked at that way.
const ALL_OVER_LIMIT: usize = 8_000;
/// How many characters those pieces have at least, on average.
const PIECES_LEFT: usize = 2;
/// In a text that is so many times as long, any letters are found one behind the other.
const LONGER: usize = 4;

/// Adds to `patch` what makes the lines `new` of the lines `old`, which begin at `offset`. A line that
/// was changed is compared by its characters; others come and go as a whole.
pub(super) fn changed(old: &[&str], new: &[&str], offset: usize, patch: &mut Patch) {
    let mut changed = Patch::default();
    let whole = by_pairs(old, new, offset, &mut changed);
    let (was, is) = (old.concat(), new.concat());
    let is_long = was.len() + is.len() > ALL_OVER_LIMIT || is.len() > LONGER * was.len();
    if whole >= MANY && !is_long {
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

/// Returns how many characters have gone with whole lines.
fn by_pairs(old: &[&str], new: &[&str], offset: usize, patch: &mut Patch) -> usize {
    let mut at = offset;
    let mut whole = 0;
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
        whole += gone;
        if let (Some(was), Some(is)) = (old.get(old_line), new.get(new_line)) {
            by_characters_between_ends(was, is, at, patch);
            at += was.chars().count();
        }
        (next_old, next_new) = (old_line + 1, new_line + 1);
    }
    whole
}

/// The lines that are one, in ascending order.
fn pairs(old: &[&str], new: &[&str]) -> Vec<(usize, usize)> {
    if old.len().saturating_mul(new.len()) <= PAIRS_LIMIT {
        return best_pairs(old, new);
    }
    one_by_one(old, new).unwrap_or_else(|| around_indented(old, new))
}

/// Each with its own, if as many have come as have gone and all are alike: somebody has changed something
/// in every line.
fn one_by_one(old: &[&str], new: &[&str]) -> Option<Vec<(usize, usize)>> {
    let line = |line: &&str| Line::of(line, true);
    let alike = |(was, is)| line(was).in_common(&line(is)) > 0;
    let is_so = old.len() == new.len() && std::iter::zip(old, new).all(alike);
    is_so.then(|| (0..old.len()).map(|n| (n, n)).collect())
}

/// Those of which only the blanks were changed, as one does who indents them, and between them as ever.
/// Too many lines that have gone between two of them are not compared.
fn around_indented(old: &[&str], new: &[&str]) -> Vec<(usize, usize)> {
    let letters = |line: &&str| -> String { line.split_whitespace().collect() };
    let (was, is): (Vec<_>, Vec<_>) = (
        old.iter().map(letters).collect(),
        new.iter().map(letters).collect(),
    );
    let mut input = InternedInput::default();
    input.update_before(was.iter().map(String::as_str));
    input.update_after(is.iter().map(String::as_str));
    let mut pairs = Vec::new();
    let (mut next_old, mut next_new) = (0, 0);
    for hunk in Diff::compute(Algorithm::Histogram, &input).hunks() {
        let (start, new_start) = (hunk.before.start as usize, hunk.after.start as usize);
        pairs.extend(std::iter::zip(next_old..start, next_new..new_start));
        (next_old, next_new) = (hunk.before.end as usize, hunk.after.end as usize);
        let (gone, come) = (&old[start..next_old], &new[new_start..next_new]);
        let between = match gone.len().saturating_mul(come.len()) <= PAIRS_LIMIT {
            true => best_pairs(gone, come),
            false => one_by_one(gone, come).unwrap_or_default(),
        };
        pairs.extend(between.iter().map(|(i, j)| (start + i, new_start + j)));
    }
    pairs.extend(std::iter::zip(next_old..old.len(), next_new..new.len()));
    pairs
}

/// Those that together have most in common.
fn best_pairs(old: &[&str], new: &[&str]) -> Vec<(usize, usize)> {
    if old.len() == 1 && new.len() == 1 {
        return vec![(0, 0)];
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

    #[test]
    fn lines_are_alike_by_their_ends_or_by_pieces() {
        for (was, is, common) in [
            ("abcdef", "abcxyz", 3),
            ("abcdef", "abwxyz", 0),
            // The one is the other and more, by two characters at least.
            ("ab", "ab and much more than this", 2),
            ("a", "a and much more than this", 0),
            // What stands elsewhere in it, in one piece or two, of four characters at least.
            ("call(them)", "log(call(them)))", 10),
            ("12345678", "12ab5678", 6),
            ("..wxyz..mnop..", "!mnop!!wxyz!!", 0),
            ("mnopq.wxyz", "!mnopq!wxyz", 6),
        ] {
            assert_eq!(in_common(was, is), common, "{was:?} {is:?}");
        }
    }

    /// Two lines that one was torn into, unlike it either: it has gone, unless nearly all of it is there.
    #[test]
    fn who_changes_lines_all_over_has_kept_their_letters() {
        let gone_of = |old: &[&str], new: &[&str]| {
            let mut patch = Patch::default();
            changed(old, new, 3, &mut patch);
            let mut text = ropey::Rope::from_str(&["...", &old.concat()].concat());
            patch.apply(&mut text);
            assert_eq!(text.to_string(), ["...", &new.concat()].concat());
            gone(&patch)
        };
        let (old, first) = (["abcdefghi\n"], "abc0123456789\n");
        let torn = |fill: usize| format!("def{}ghi{}\n", "x".repeat(fill), "y".repeat(9));
        // Up to four times as long; else any letters would be found in it.
        assert_eq!(gone_of(&old, &[first, &torn(10)]), 0);
        assert_eq!(gone_of(&old, &[first, &torn(11)]), 10);
        // In pieces of one letter, that proves nothing.
        assert_eq!(gone_of(&old, &["a0b1c2d3e\n", "4f5g6h7i8\n"]), 10);
        // Nor in pieces of one or two, however many; those of three do, in a line of a hundred letters.
        let letters: Vec<char> = (0..102).map(|n| char::from(b'a' + n % 26)).collect();
        let in_pieces = |sizes: [usize; 2]| {
            let mut left = letters.as_slice();
            let mut lines = [String::new(), String::new()];
            for (n, size) in sizes.into_iter().cycle().enumerate() {
                let (piece, rest) = left.split_at(size.min(left.len()));
                lines[usize::from(left.len() < 51)].extend(piece.iter().chain(['0'].iter()));
                if rest.is_empty() {
                    break;
                }
                left = rest;
                assert!(n < 102);
            }
            let line: String = letters.iter().chain(['\n'].iter()).collect();
            gone_of(&[&line], &lines.each_ref().map(|line| line.as_str()))
        };
        assert_eq!(in_pieces([1, 2]), 103);
        assert_eq!(in_pieces([3, 3]), 1);
        // A tenth of it may be another.
        assert_eq!(gone_of(&old, &[first, "def0123gh456\n"]), 10);
        // What is too short to be made sure of.
        assert_eq!(gone_of(&["abcdef\n"], &["abc01234567\n", "def890123\n"]), 7);
        // What is too long for it.
        let long = |with: &str| ["abc", "def", "ghi"].map(|piece| piece.repeat(1_334) + with);
        let [a, b, c] = long("");
        let (old, new) = (a + &b + &c + "\n", long("\n"));
        assert!(gone_of(&[&old], &new.each_ref().map(String::as_str)) > 100);
    }

    /// Comparing each line with each would take too long then.
    #[test]
    fn many_lines_are_compared_with_their_own() {
        let made =
            |count: usize, line: fn(usize) -> String| (0..count).map(line).collect::<Vec<_>>();
        let old = made(300, |n| format!("let value_{n} = {n};\n"));
        let renamed = made(300, |n| format!("let result_{n} = {n};\n"));
        let indented = made(300, |n| match n {
            7 => "if it {\n    let value_7 = 7;\n".to_owned(),
            n => format!("    let value_{n} = {n};\n"),
        });
        let reworked = made(300, |n| match n {
            7 => "if it {\n    let values_7 = 7;\n".to_owned(),
            n => format!("    let value_{n} = {n};\n"),
        });
        let others = made(290, |n| format!("call({n} * {n})\n"));
        let paired = |new: &[String]| {
            let new = new.concat();
            let new: Vec<&str> = new.split_inclusive('\n').collect();
            let old: Vec<&str> = old.iter().map(String::as_str).collect();
            pairs(&old, &new)
        };
        assert_eq!(
            paired(&renamed),
            (0..300).map(|n| (n, n)).collect::<Vec<_>>()
        );
        let one_later = |n: usize| (n, n + usize::from(n > 6));
        for new in [indented, reworked] {
            assert_eq!(paired(&new), (0..300).map(one_later).collect::<Vec<_>>());
        }
        assert_eq!(paired(&others), []);
    }
}
