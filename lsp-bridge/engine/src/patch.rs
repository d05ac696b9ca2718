//! A change from one text to another, and what becomes of it when another change came first.

use std::ops::Range;

use ropey::Rope;

/// Replaces `delete` characters at `at` by `insert`. Offsets count characters (Unicode scalar
/// values), as ropey does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Splice {
    /// Where, in characters from the start of the old text.
    pub at: usize,
    /// How many characters go.
    pub delete: usize,
    /// What comes in their place.
    pub insert: String,
}

impl Splice {
    /// Where the replaced part ends in the old text.
    pub fn end(&self) -> usize {
        self.at + self.delete
    }
}

/// Splices in ascending order that do not overlap, all in the coordinates of the old text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Patch {
    splices: Vec<Splice>,
}

impl From<Splice> for Patch {
    fn from(splice: Splice) -> Self {
        let mut patch = Self::default();
        patch.push(splice);
        patch
    }
}

/// Which of two texts at one place comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The rebased one stands before the other.
    Before,
    /// The rebased one stands behind the other.
    After,
}

impl Patch {
    /// Appends a splice that lies behind all others; one that touches the last joins it.
    pub fn push(&mut self, splice: Splice) {
        if splice.delete == 0 && splice.insert.is_empty() {
            return;
        }
        match self.splices.last_mut() {
            Some(last) if last.end() == splice.at => {
                last.delete += splice.delete;
                last.insert.push_str(&splice.insert);
            }
            last => {
                debug_assert!(last.is_none_or(|last| last.end() < splice.at));
                self.splices.push(splice);
            }
        }
    }

    /// One splice.
    pub fn single(at: usize, delete: usize, insert: impl Into<String>) -> Self {
        Self::from(Splice {
            at,
            delete,
            insert: insert.into(),
        })
    }

    /// The splices, in ascending order.
    pub fn splices(&self) -> &[Splice] {
        &self.splices
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.splices.is_empty()
    }

    /// How many characters are touched: those that go and those that come.
    pub fn cost(&self) -> usize {
        self.splices
            .iter()
            .map(|s| s.delete + s.insert.chars().count())
            .sum()
    }

    /// By how many characters the new text is longer than the old one.
    pub fn grows(&self) -> isize {
        let grows = |s: &Splice| s.insert.chars().count() as isize - s.delete as isize;
        self.splices.iter().map(grows).sum()
    }

    /// Changes `text`, which must be the old text.
    pub fn apply(&self, text: &mut Rope) {
        for splice in self.splices.iter().rev() {
            text.remove(splice.at..splice.end());
            text.insert(splice.at, &splice.insert);
        }
    }

    /// The splices from number `from` up to `to`, as a patch of the same old text.
    pub fn part(&self, from: usize, to: usize) -> Self {
        Self {
            splices: self.splices[from..to].to_vec(),
        }
    }

    /// The same change for a text that `over` has changed already. Characters that `over` has
    /// deleted are not deleted again; `side` says where an insertion goes that meets an insertion
    /// of `over`.
    pub fn rebase(&self, over: &Self, side: Side) -> Self {
        let mut out = Self::default();
        for splice in &self.splices {
            rebase_splice(splice, over, side, &mut out);
        }
        out
    }
}

/// Moves one splice over a patch. Its insertion stays with its start; what it deletes may fall
/// into pieces around text that `over` has put inside.
fn rebase_splice(splice: &Splice, over: &Patch, side: Side, out: &mut Patch) {
    out.push(Splice {
        at: map_offset(splice.at, over, side),
        delete: 0,
        insert: splice.insert.clone(),
    });
    // The parts of the deleted range that `over` leaves in place.
    let mut kept_from = splice.at;
    let mut keep = |from: usize, to: usize| {
        out.push(Splice {
            at: map_kept(from, over),
            delete: to.saturating_sub(from),
            insert: String::new(),
        });
    };
    for other in over.splices() {
        if other.end() < splice.at || other.at > splice.end() {
            continue;
        }
        keep(kept_from, other.at.min(splice.end()));
        kept_from = kept_from.max(other.end());
    }
    keep(kept_from, splice.end());
}

/// Where the gap before old character `offset` lies in the new text.
fn map_offset(offset: usize, over: &Patch, side: Side) -> usize {
    let mut shift = 0isize;
    for other in over.splices() {
        let inserted = other.insert.chars().count();
        if other.end() < offset {
            shift += inserted as isize - other.delete as isize;
        } else if other.at <= offset {
            // Inside a replaced part, at its end, or at the place of an insertion.
            let at = (other.at as isize + shift) as usize;
            return match side {
                Side::Before => at,
                Side::After => at + inserted,
            };
        } else {
            break;
        }
    }
    (offset as isize + shift) as usize
}

/// Where old character `offset`, which `over` keeps, stands in the new text.
fn map_kept(offset: usize, over: &Patch) -> usize {
    let shift: isize = over
        .splices()
        .iter()
        .take_while(|other| other.end() <= offset)
        .map(|other| other.insert.chars().count() as isize - other.delete as isize)
        .sum();
    (offset as isize + shift) as usize
}

/// Over so many letters like it an insertion or deletion is moved.
const MOST_MOVED: usize = 256;

/// By how many characters, backwards and forwards, the part at `place` may be moved so that the text without
/// it stays the same: of equal letters beside each other a whole text does not tell which are new.
pub(crate) fn slack(text: &Rope, place: Range<usize>) -> [usize; 2] {
    let Range { start, end } = place;
    let is_alike = |(one, other): &(usize, usize)| {
        let letter = text.get_char(*one);
        letter.is_some() && letter == text.get_char(*other)
    };
    let back = std::iter::zip((0..start).rev(), (0..end).rev());
    let on = std::iter::zip(start.., end..);
    [
        back.take(MOST_MOVED).take_while(is_alike).count(),
        on.take(MOST_MOVED).take_while(is_alike).count(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::diff;

    fn applied(text: &str, patch: &Patch) -> String {
        let mut rope = Rope::from_str(text);
        patch.apply(&mut rope);
        rope.to_string()
    }

    /// A change of `old` that brings some of `letters`, in the place of others too where it `replaces`.
    fn change(rng: &mut fastrand::Rng, old: &str, letters: &str, replaces: bool) -> Patch {
        let mut patch = Patch::default();
        let mut at = 0;
        while at < old.len() && rng.u8(0..3) > 0 {
            at += rng.usize(0..=(old.len() - at).min(3));
            let delete = rng.usize(0..=(old.len() - at).min(3));
            let most = if delete > 0 && !replaces {
                0
            } else {
                letters.len()
            };
            let insert = letters[..rng.usize(0..=most)].to_owned();
            patch.push(Splice { at, delete, insert });
            at += delete + 1;
        }
        patch
    }

    #[test]
    fn rebase_keeps_both_changes() {
        let table = [
            // old, mine, other, side, mine over other
            ("abc", (1, 0, "X"), (0, 0, "12"), Side::Before, "12aXbc"),
            ("abc", (1, 0, "X"), (1, 0, "12"), Side::Before, "aX12bc"),
            ("abc", (1, 0, "X"), (1, 0, "12"), Side::After, "a12Xbc"),
            ("abc", (0, 3, ""), (1, 0, "12"), Side::Before, "12"),
            ("abc", (0, 2, ""), (1, 2, ""), Side::Before, ""),
            ("abcd", (2, 0, "X"), (1, 2, "12"), Side::After, "a12Xd"),
            ("abcd", (1, 2, "X"), (0, 4, ""), Side::Before, "X"),
            ("abcd", (3, 1, "X"), (0, 1, ""), Side::Before, "bcX"),
            ("abcd", (1, 1, "X"), (1, 1, "Y"), Side::After, "aYXcd"),
        ];
        for (old, mine, other, side, expected) in table {
            let mine = Patch::single(mine.0, mine.1, mine.2);
            let other = Patch::single(other.0, other.1, other.2);
            let between = applied(old, &other);
            assert_eq!(
                applied(&between, &mine.rebase(&other, side)),
                expected,
                "{mine:?} over {other:?}"
            );
        }
    }

    /// Whatever two changes there are: nothing that came in is lost, nothing that went comes back.
    #[test]
    fn rebase_loses_nothing() {
        for seed in 0..5_000u64 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let old: String = (0..rng.usize(0..12)).map(|_| rng.lowercase()).collect();
            let (mine, other) = (
                change(&mut rng, &old, "123", true),
                change(&mut rng, &old, "XYZ", true),
            );
            let between = applied(&old, &other);
            for side in [Side::Before, Side::After] {
                let rebased = mine.rebase(&other, side);
                let end = applied(&between, &rebased);
                let count = |text: &str, of: fn(&char) -> bool| text.chars().filter(of).count();
                assert_eq!(
                    count(&end, char::is_ascii_digit),
                    count(&applied(&old, &mine), char::is_ascii_digit),
                    "seed {seed}"
                );
                assert_eq!(
                    count(&end, char::is_ascii_uppercase),
                    count(&between, char::is_ascii_uppercase),
                    "seed {seed}"
                );
                // The old letters that remain are those that both sides keep.
                let kept = |patch: &Patch| {
                    let gone = |i| patch.splices().iter().any(|s| s.at <= i && i < s.end());
                    (0..old.len()).map(|i| !gone(i)).collect::<Vec<_>>()
                };
                let both: String = std::iter::zip(kept(&mine), kept(&other))
                    .zip(old.chars())
                    .filter_map(|((a, b), c)| (a && b).then_some(c))
                    .collect();
                let letters: String = end.chars().filter(char::is_ascii_lowercase).collect();
                assert_eq!(letters, both, "seed {seed}: {mine:?} over {other:?}");
            }
        }
    }

    /// Both ways round two changes lead to one text, where the one's text stands before the other's. What
    /// is replaced counts as one piece, whatever comes into its midst, and is left out here.
    #[test]
    fn the_order_of_two_changes_does_not_matter() {
        for seed in 0..20_000u64 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let old: String = (0..rng.usize(0..10)).map(|_| rng.lowercase()).collect();
            let (mine, other) = (
                change(&mut rng, &old, "123", false),
                change(&mut rng, &old, "XYZ", false),
            );
            let one = applied(&applied(&old, &other), &mine.rebase(&other, Side::Before));
            let two = applied(&applied(&old, &mine), &other.rebase(&mine, Side::After));
            assert_eq!(one, two, "seed {seed}: {old:?}, {mine:?} and {other:?}");
        }
    }

    #[test]
    fn a_diff_leads_from_old_to_new() {
        for seed in 0..2_000u64 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut text = |n: usize| -> String {
                (0..rng.usize(0..n))
                    .map(|_| *rng.choice(&['a', 'b', '\n', '\r', '😀', 'é']).unwrap())
                    .collect()
            };
            let (old, new) = (text(30), text(30));
            let patch = diff(&Rope::from_str(&old), &Rope::from_str(&new));
            assert_eq!(applied(&old, &patch), new, "seed {seed}");
        }
    }
}
