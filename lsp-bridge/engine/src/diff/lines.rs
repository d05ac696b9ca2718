//! What stands in the place of changed lines: which new line is which old one, changed.

use super::{CHARACTER_DIFF_LIMIT, by_characters, chars};
use crate::patch::{Patch, Splice};

/// How many pairs of lines are compared at most.
const PAIRS_LIMIT: usize = 40_000;
/// Two lines are one that was changed if they have this part of their characters in common, in
/// hundredths; or if the one is the other and more.
const ALIKE: usize = 50;

/// Adds to `patch` what makes the lines `new` of the lines `old`, which begin at `offset`. A line that
/// was changed is compared by its characters; others come and go as a whole.
pub(super) fn by_pairs(old: &[&str], new: &[&str], offset: usize, patch: &mut Patch) {
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
            by_characters(was, is, at, patch);
            at += was.chars().count();
        }
        (next_old, next_new) = (old_line + 1, new_line + 1);
    }
}

/// The lines that are one, in ascending order: those that together have most in common.
fn pairs(old: &[&str], new: &[&str]) -> Vec<(usize, usize)> {
    if let ([was], [is]) = (old, new)
        && was.len() + is.len() <= CHARACTER_DIFF_LIMIT
    {
        return vec![(0, 0)];
    }
    if old.len().saturating_mul(new.len()) > PAIRS_LIMIT {
        return Vec::new();
    }
    let width = new.len() + 1;
    // The most that the lines from here on have in common.
    let mut most = vec![0; (old.len() + 1) * width];
    let common: Vec<usize> = old
        .iter()
        .flat_map(|was| new.iter().map(|is| in_common(was, is)))
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

/// How many characters two lines share at their ends; 0 if they are too different to be one.
fn in_common(was: &str, is: &str) -> usize {
    if was.len() + is.len() > CHARACTER_DIFF_LIMIT {
        return 0;
    }
    let same = |(a, b): &(char, char)| a == b;
    let head = std::iter::zip(was.chars(), is.chars())
        .take_while(same)
        .count();
    let (was_chars, is_chars) = (was.chars().count(), is.chars().count());
    let left = was_chars.min(is_chars) - head;
    let ends = std::iter::zip(was.chars().rev(), is.chars().rev());
    let tail = ends.take(left).take_while(same).count();
    let shared = head + tail;
    let goes_on = shared > 1 && shared == was_chars.min(is_chars);
    match goes_on || 200 * shared >= ALIKE * (was_chars + is_chars) {
        true => shared,
        false => 0,
    }
}
