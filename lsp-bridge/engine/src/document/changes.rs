//! What a client reports, as texts and patches: line ends, ranges, order of versions.

use std::collections::VecDeque;

use ropey::Rope;

use super::form::Form;
use super::{Document, Effect, Millis};
use crate::diff::{diff, refine, whole_lines};
use crate::patch::{Patch, Splice};
use crate::position::{Change, locate};

/// How many changes may wait for one that has not come.
const MOST_EARLY: usize = 64;
/// How long they wait.
pub(super) const EARLY_MS: u64 = 1_000;

/// What changes do to a text.
pub(super) struct Replayed {
    /// The text after them.
    pub(super) text: Rope,
    /// The same as patches, each on the text that the one before has made.
    pub(super) patches: Vec<Patch>,
    /// Whether a range named a place that the text does not have.
    pub(super) drifted: bool,
}

impl Replayed {
    /// Which of two patches these changes are, if they are just one of them.
    pub(super) fn exactly(&self, expected: &[Patch; 2]) -> Option<usize> {
        expected.iter().position(|expected| match &*self.patches {
            [one] => one == expected,
            // The last place first, so that each stands in the coordinates of the old text.
            several => {
                let splices = expected.splices();
                let reported = several.iter().rev().map(Patch::splices);
                splices.len() == several.len()
                    && std::iter::zip(splices, reported)
                        .all(|(splice, one)| one == [splice.clone()])
            }
        })
    }
}

/// Replays `changes` on `text`.
pub(super) fn replay(text: &Rope, changes: &[Change], form: Form) -> Replayed {
    let mut out = Replayed {
        text: text.clone(),
        patches: Vec::new(),
        drifted: false,
    };
    for change in changes {
        let change = form.change(change);
        let patch = match change.range {
            None => {
                let patch = diff(&out.text, &Rope::from_str(&change.text));
                whole_lines(&out.text, patch)
            }
            Some(range) => {
                let start = locate(&out.text, range.start, form.encoding());
                let end = locate(&out.text, range.end, form.encoding());
                out.drifted |= !start.exact || !end.exact || end.at < start.at;
                let (from, to) = (start.at.min(end.at), start.at.max(end.at));
                // Emacs reports what lies between two changes as changed, too.
                refine(&out.text, &Patch::single(from, to - from, change.text))
            }
        };
        if !patch.is_empty() {
            patch.apply(&mut out.text);
            out.patches.push(patch);
        }
    }
    out
}

/// The same change in as few patches as may be: those are one of which each lies behind all before it, or
/// before them. Editors name the places of a replacement everywhere in either order.
pub(super) fn joined(patches: &[Patch]) -> Vec<Patch> {
    let mut joined = Vec::new();
    let mut run: VecDeque<Splice> = VecDeque::new();
    // By how much the run moves what lies behind it.
    let mut moved = 0isize;
    let one = |run: &mut VecDeque<Splice>| {
        let mut one = Patch::default();
        run.drain(..).for_each(|splice| one.push(splice));
        one
    };
    for patch in patches {
        let ([first, ..], [.., last]) = (patch.splices(), patch.splices()) else {
            continue;
        };
        let is_before = run.front().is_some_and(|front| last.end() < front.at);
        let is_behind = run
            .back()
            .is_some_and(|back| back.end().saturating_add_signed(moved) < first.at);
        if is_before {
            for splice in patch.splices().iter().rev() {
                run.push_front(splice.clone());
            }
        } else {
            if !is_behind && !run.is_empty() {
                joined.push(one(&mut run));
                moved = 0;
            }
            run.extend(patch.splices().iter().map(|splice| Splice {
                at: splice.at.saturating_add_signed(-moved),
                ..splice.clone()
            }));
        }
        moved += patch.grows();
    }
    if !run.is_empty() {
        joined.push(one(&mut run));
    }
    joined
}

impl Document {
    /// What the editor shows after these changes, if they are the next: nothing is taken in.
    pub fn shown_after(&self, changes: &[Change]) -> Rope {
        replay(&self.shown, changes, self.form).text
    }

    /// A `didChange`: brought into order where the client's versions step by one.
    pub(super) fn changed(
        &mut self,
        version: i32,
        changes: Vec<Change>,
        now: Millis,
        effects: &mut Vec<Effect>,
    ) {
        self.found_hearing();
        let is_whole = changes.iter().any(|change| change.range.is_none());
        if is_whole && self.was_overtaken(version) {
            return self.tell_drift(effects);
        }
        if is_whole && self.has_come(version, &changes) {
            return;
        }
        self.has_drifted &= !is_whole;
        let is_early = self.dialect.consecutive_versions && version > self.newest_version() + 1;
        if !is_early {
            self.comes_in(version, changes, now, effects);
        } else {
            if self.early.is_empty() {
                self.early_since = now;
            }
            self.early.insert(version, changes);
        }
        while let Some((version, changes)) = self.next_early() {
            self.comes_in(version, changes, now, effects);
        }
        if self.early.len() > MOST_EARLY {
            self.take_early(now, effects);
        }
    }

    /// Whether a report of this version comes behind one of a later version: it lies between two that have
    /// come.
    fn was_overtaken(&self, version: i32) -> bool {
        let mut earlier = self.earlier.iter().map(|(earlier, _)| *earlier);
        let is_between = earlier.next().is_some_and(|first| first < version);
        is_between && version < self.newest_version() && earlier.all(|other| other != version)
    }

    /// Whether this report of a whole text has come before. One of a lower version that has not is from an
    /// editor that counts anew, and is the truth.
    fn has_come(&self, version: i32, changes: &[Change]) -> bool {
        let is_alike = |(earlier, text): &(i32, Rope)| {
            *earlier == version && replay(&self.shown, changes, self.form).text == *text
        };
        version < self.newest_version() && self.earlier.iter().any(is_alike)
    }

    /// Takes the changes that wait for one that never came, in the order of their versions.
    pub(super) fn take_early(&mut self, now: Millis, effects: &mut Vec<Effect>) {
        for (version, changes) in std::mem::take(&mut self.early) {
            self.tell_drift(effects);
            self.comes_in(version, changes, now, effects);
        }
    }

    fn next_early(&mut self) -> Option<(i32, Vec<Change>)> {
        let next = self.newest_version() + 1;
        self.early.remove(&next).map(|changes| (next, changes))
    }

    /// Whether the text that the editor shows is unknown, since it has changed what was not there. A save
    /// heals that, with what was saved.
    pub fn has_drifted(&self) -> bool {
        self.has_drifted
    }

    /// Tells the person once that editor and engine have drifted apart.
    pub(super) fn tell_drift(&mut self, effects: &mut Vec<Effect>) {
        self.has_drifted = true;
        self.tell_once(
            "Tutti and this editor do not agree about the text of this file. Save it: what you see \
             then counts, and nothing is dropped.",
            effects,
        );
    }

    /// Or that they had, unless they know.
    pub(super) fn tell_once(&mut self, message: &str, effects: &mut Vec<Effect>) {
        if !std::mem::replace(&mut self.told, true) {
            let message = message.into();
            effects.push(Effect::Tell { message });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the order, the text is the same, and places that never meet make one patch.
    #[test]
    fn changes_in_order_are_one() {
        for seed in 0..2_000 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let text = Rope::from_str(&"abcdefghij\n".repeat(4));
            let (mut now, mut patches) = (text.clone(), Vec::new());
            for _ in 0..rng.usize(0..6) {
                let at = rng.usize(0..=now.len_chars());
                let delete = rng.usize(0..=3.min(now.len_chars() - at));
                let insert = &"XYZ"[..rng.usize(0..=3)];
                let patch = Patch::single(at, delete, insert);
                patch.apply(&mut now);
                patches.push(patch);
            }
            let mut other = text;
            for patch in joined(&patches) {
                assert!(!patch.is_empty());
                patch.apply(&mut other);
            }
            assert_eq!(other, now, "seed {seed}");
        }
    }

    #[test]
    fn a_replacement_everywhere_is_one() {
        let one = |patches: &[Patch]| joined(patches).len();
        let each = |at: usize| Patch::single(at, 1, "long");
        assert_eq!(one(&[each(20), each(10), each(0)]), 1);
        assert_eq!(one(&[each(0), each(13), each(26)]), 1);
        // What is typed on is typed on.
        assert_eq!(
            one(&[Patch::single(0, 0, "a"), Patch::single(1, 0, "b")]),
            2
        );
        assert_eq!(one(&[Patch::default()]), 0);
    }
}
