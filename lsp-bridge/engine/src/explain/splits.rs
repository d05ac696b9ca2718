//! Where in a new text an edit stands, if a person has typed before it and behind it.
//!
//! A comparison of two texts shows one of the shortest ways from the one to the other. Where equal
//! letters stand beside each other there are several, and an edit can have fallen so that only another
//! one of them explains it. So all places are looked at: for each, what the person must have done
//! before it and behind it.

use std::collections::BTreeSet;

use ropey::Rope;

use super::Expected;
use super::falls::{Aim, Fall, MOST_PLACES, Window, units};
use crate::diff::diff;
use crate::patch::{Patch, Splice};
use crate::position::{Encoding, Position, locate};

/// In so many ways an edit is seen that stands whole somewhere, the shortest first.
const MOST_WAYS: usize = 1_024;
/// So many pairs of characters are compared at most.
const MOST_PAIRS: usize = 1 << 18;

impl Window {
    /// The places about which something is new or gone, and all that this may have moved to the one that
    /// was meant: what falls on letters like its own leaves no trace.
    pub(super) fn all_places(&self, changed: &Patch) -> Vec<usize> {
        let meant = locate(&self.shown, self.from, self.encoding).at;
        let mut places = BTreeSet::from_iter(self.places(changed));
        let (mut new, mut gone) = (String::new(), String::new());
        for splice in changed.splices() {
            new.push_str(&splice.insert);
            gone.push_str(&self.shown.slice(splice.at..splice.end()).to_string());
        }
        let lines = |text: &str| text.matches('\n').count() as u32;
        let first = self.from.line.saturating_sub(lines(&new));
        for line in first..=self.from.line + lines(&gone) {
            let at = locate(&self.shown, Position { line, ..self.from }, self.encoding).at;
            let units = |text: &str| units(text, self.encoding) as usize;
            let last = (at + units(&gone)).min(self.shown.len_chars());
            places.extend(at.saturating_sub(units(&new))..=last);
        }
        let mut places: Vec<usize> = places.into_iter().collect();
        places.sort_by_key(|at| at.abs_diff(meant));
        places.truncate(MOST_PLACES);
        places
    }

    /// How the edit may have fallen at `at` if what it names ends within a letter that the person had
    /// put there: an end within a letter is the place before it.
    pub(super) fn aims_within(&self, at: usize) -> Vec<Aim> {
        if self.from.line != self.to.line {
            return Vec::new();
        }
        let named = self.to.character - self.from.character;
        let most = match self.encoding {
            Encoding::Utf8 => 3,
            Encoding::Utf16 => 1,
            Encoding::Utf32 => 0,
        };
        let mut aims = Vec::new();
        let mut units = 0;
        for (delete, letter) in self.shown.chars_at(at).enumerate() {
            if units >= named || letter == '\n' {
                break;
            }
            if named - units <= most {
                aims.push(Aim {
                    at,
                    within: 0,
                    delete,
                    unseen: 0,
                    rest: named - units,
                    line_ends: 0,
                    behind: 0,
                });
            }
            units += self.units_of(Some(letter));
        }
        aims
    }

    /// A way that needs fewer than `best`, if there is one, in which the edit stands in the new text
    /// as a whole. A comparison finds but one of the places.
    pub(super) fn fall_whole(
        &self,
        aims: &[Aim],
        expected: &Expected,
        best: Option<Fall>,
    ) -> Option<Fall> {
        let letters = |text: &Rope| text.chars().collect::<Vec<char>>();
        let (shown, next) = (letters(&self.shown), letters(&self.next));
        let inserted: Vec<char> = self.inserted.chars().collect();
        let Some(distances) = Distances::between(&shown, &next) else {
            return best;
        };
        let most = best.as_ref().map_or(usize::MAX, |best| best.cost.0);
        let starts = 0..(next.len() + 1).saturating_sub(inserted.len());
        let starts: Vec<usize> = starts
            .filter(|start| next[*start..].starts_with(&inserted))
            .collect();
        let mut ways = Vec::new();
        for aim in aims {
            for &start in &starts {
                let behind = (aim.at + aim.delete, start + inserted.len());
                let cost = distances.before(aim.at, start) + distances.behind(behind.0, behind.1);
                if cost + aim.unseen < most {
                    ways.push((cost + aim.unseen, aim, start));
                }
            }
        }
        // The nearest places come first among those of one cost.
        ways.sort_by_key(|(cost, ..)| *cost);
        let mut best = best;
        for (cost, aim, start) in ways.into_iter().take(MOST_WAYS) {
            if best.as_ref().is_some_and(|best| best.cost.0 <= cost) {
                break;
            }
            let fall = self.fall_at(aim, start, expected);
            let is_better = |fall: &Fall| best.as_ref().is_none_or(|best| fall.cost < best.cost);
            if let Some(fall) = fall.filter(is_better) {
                best = Some(fall);
            }
        }
        best
    }

    /// The edit fell so and stands whole at `start` of the new text, if it can have.
    fn fall_at(&self, aim: &Aim, start: usize, expected: &Expected) -> Option<Fall> {
        let Aim { at, delete, .. } = *aim;
        let inserted = self.inserted.chars().count();
        let part = |text: &Rope, from: usize, to: usize| Rope::from(text.slice(from..to));
        let before = diff(&part(&self.shown, 0, at), &part(&self.next, 0, start));
        let gone = aim.gone(&self.shown);
        let mut typed = self.next.clone();
        typed.remove(start..start + inserted);
        typed.insert(start, &gone);
        let follows = self.next.get_char(start + inserted);
        if aim.rest > 0 && self.units_of(follows) <= aim.rest {
            return None;
        }
        if !self.can_be_meant(before.splices(), aim, &typed, start) {
            return None;
        }
        let rest = part(&self.shown, at + delete, self.shown.len_chars());
        let behind = diff(
            &rest,
            &part(&self.next, start + inserted, self.next.len_chars()),
        );
        let mut done = before;
        for splice in behind.splices() {
            done.push(Splice {
                at: at + inserted + splice.at,
                ..splice.clone()
            });
        }
        let edit = Patch::single(at, delete, self.inserted.as_str());
        Some(Fall {
            cost: expected.cost(&self.shown, &edit, &done, aim.unseen),
            typed,
            fallen: Patch::single(start, delete + aim.line_ends, self.inserted.as_str()),
        })
    }
}

/// How many characters a person must have typed or deleted, from any place of one text to any place of
/// the other.
struct Distances {
    /// Characters of the new text, and one more.
    width: usize,
    before: Vec<u32>,
    behind: Vec<u32>,
}

impl Distances {
    /// `None` if the texts are too long.
    fn between(old: &[char], new: &[char]) -> Option<Self> {
        let width = new.len() + 1;
        let size = (old.len() + 1).checked_mul(width)?;
        if size > MOST_PAIRS {
            return None;
        }
        let (mut before, mut behind) = (vec![0; size], vec![0; size]);
        for i in 0..=old.len() {
            for j in 0..=new.len() {
                before[i * width + j] = match (i, j) {
                    (0, _) | (_, 0) => (i + j) as u32,
                    _ if old[i - 1] == new[j - 1] => before[(i - 1) * width + j - 1],
                    _ => 1 + before[(i - 1) * width + j].min(before[i * width + j - 1]),
                };
            }
        }
        for i in (0..=old.len()).rev() {
            for j in (0..=new.len()).rev() {
                behind[i * width + j] = match (old.get(i), new.get(j)) {
                    (None, _) | (_, None) => (old.len() - i + new.len() - j) as u32,
                    (old, new) if old == new => behind[(i + 1) * width + j + 1],
                    _ => 1 + behind[(i + 1) * width + j].min(behind[i * width + j + 1]),
                };
            }
        }
        Some(Self {
            width,
            before,
            behind,
        })
    }

    /// What it takes to make the first `new` characters of the first `old`.
    fn before(&self, old: usize, new: usize) -> usize {
        self.before[old * self.width + new] as usize
    }

    /// What it takes to make all from `new` on of all from `old` on.
    fn behind(&self, old: usize, new: usize) -> usize {
        self.behind[old * self.width + new] as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The shortest way, by trying all.
    fn shortest(old: &[char], new: &[char]) -> usize {
        match (old, new) {
            ([], rest) | (rest, []) => rest.len(),
            ([one, old @ ..], [other, new @ ..]) if one == other => shortest(old, new),
            ([_, less @ ..], [_, rest @ ..]) => 1 + shortest(less, new).min(shortest(old, rest)),
        }
    }

    #[test]
    fn what_lies_before_and_behind_is_the_shortest_way() {
        for seed in 0..200 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut text = || -> Vec<char> {
                let count = rng.usize(0..8);
                (0..count)
                    .map(|_| *rng.choice(&['a', 'b', '\n']).expect("not empty"))
                    .collect()
            };
            let (old, new) = (text(), text());
            let distances = Distances::between(&old, &new).expect("short texts");
            for i in 0..=old.len() {
                for j in 0..=new.len() {
                    assert_eq!(distances.before(i, j), shortest(&old[..i], &new[..j]));
                    assert_eq!(distances.behind(i, j), shortest(&old[i..], &new[j..]));
                }
            }
        }
    }

    #[test]
    fn long_texts_are_not_compared_so() {
        let text = vec!['a'; 600];
        assert!(Distances::between(&text, &text).is_none());
        assert!(Distances::between(&text, &text[..100]).is_some());
    }
}
