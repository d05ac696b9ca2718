//! What happened between two reports of an editor, and what its engine made of it.
//!
//! A report in which an edit of the server's is mixed with what the person did meanwhile can have come
//! about in several ways: the text before and the text behind are all that is sent, and that the edit
//! was made. Nobody can tell two such stories from each other. So the engine's story counts as well as
//! the true one if it leads to the same report and needs no more of the person. A longer one than the
//! truth does not count, nor one that takes away more than the edit can have taken away.

use std::collections::{BTreeMap, BTreeSet};

use crate::other::{Wanted, find};
use crate::record::Told;

/// What happened.
#[derive(Debug, Clone, Default)]
pub(crate) struct Story {
    /// The text before.
    pub(crate) before: String,
    /// The text behind.
    pub(crate) behind: String,
    /// What the person took out and put in.
    pub(crate) gone: String,
    pub(crate) new: String,
    /// The server's edits.
    pub(crate) edits: Vec<Asked>,
    /// Whether a change in the report is just what the person put in.
    pub(crate) is_exact: bool,
    /// All of it, if that is recorded.
    pub(crate) told: Option<Box<Told>>,
}

/// An edit that the editor has made.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) inserts: String,
    /// At most so many characters and line ends it may take away.
    pub(crate) characters: usize,
    pub(crate) lines: usize,
}

/// How often each letter more than in another story.
pub(crate) type Difference = BTreeMap<char, isize>;

/// In what the engine's story differs from the true one.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) gone: Difference,
    pub(crate) new: Difference,
    /// What the person took out where others had already, so that there was nothing to tell.
    pub(crate) untold: Difference,
}

impl Story {
    /// Whether the report that tells it leaves something open.
    pub(crate) fn is_mixed(&self) -> bool {
        !(self.gone.is_empty() && self.new.is_empty())
    }

    /// What both the person and an edit have put in.
    pub(crate) fn typed_alike(&self) -> BTreeSet<char> {
        let inserted = self.edits.iter().flat_map(|edit| edit.inserts.chars());
        let inserted: BTreeSet<char> = inserted.collect();
        let typed: BTreeSet<char> = self.new.chars().collect();
        &inserted & &typed
    }

    /// The letters that stood there already, where the engine says that the person put in `new`, which is
    /// the same in another order. Who types `ab` before an `a` leaves the same text as one who types `ba`
    /// behind it, and two texts, or one replacement that leads from one to the other, do not tell which.
    pub(crate) fn put_beside_alike(&self, new: &str) -> BTreeSet<char> {
        if self.is_exact || new == self.new || counts(new) != counts(&self.new) {
            return BTreeSet::new();
        }
        let is_there = |letter: &char| self.before.contains(*letter);
        self.new.chars().filter(is_there).collect()
    }

    /// The engine says that the person took out `gone` and put in `new`; `shared` were the text that it
    /// knew and everyone's, and `hidden` is what others had taken out of the text before. `None` if that is
    /// just what happened, all of it told, or cannot have happened, or is the longer story.
    pub(crate) fn or_else(
        &self,
        gone: &str,
        new: &str,
        hidden: &str,
        shared: [&str; 2],
    ) -> Option<Verdict> {
        let (true_gone, true_new) = (counts(&self.gone), counts(&self.new));
        let (gone, new) = (counts(gone), counts(new));
        if (&gone, &new) == (&true_gone, &true_new) {
            return None;
        }
        // Who takes out what others have taken out already has nothing to tell, and may have done so
        // in the engine's story or not.
        let shared = in_both(shared);
        let hidden = self.hidden(&shared, hidden);
        let mut all_gone = gone.clone();
        for (letter, count) in &true_gone {
            let left = shared.get(letter).copied().unwrap_or_default();
            let told = all_gone.entry(*letter).or_default();
            *told = (*told).max((count - left).min(*count));
        }
        let true_size = size(&true_gone) + size(&true_new);
        let difference = |told: &Difference| Verdict {
            gone: less(told, &true_gone),
            new: less(&new, &true_new),
            untold: less(told, &gone),
        };
        let all = difference(&all_gone);
        if all.gone.is_empty() && all.new.is_empty() {
            return (!all.untold.is_empty()).then_some(all);
        }
        let mut stories = [all_gone, gone.clone()].into_iter();
        let is_short = |gone: &Difference| {
            let unseen = self.left_over(gone, &new, &hidden)?;
            (size(gone) + unseen + size(&new) <= true_size).then_some(())
        };
        let story = stories.find(|gone| is_short(gone).is_some());
        story.map(|gone| difference(&gone))
    }

    /// The same where the engine's story is told by another play, in which the editor says the very same.
    pub(crate) fn proven(
        &self,
        told: &Told,
        gone: &str,
        new: &str,
        hidden: &str,
        shared: [&str; 2],
    ) -> Option<Verdict> {
        let (true_gone, true_new) = (counts(&self.gone), counts(&self.new));
        if (counts(gone), counts(new)) == (true_gone.clone(), true_new.clone()) {
            return None;
        }
        let hidden = self.hidden(&in_both(shared), hidden);
        // An edit's `\r\n` may have become something else in the editor.
        let shown = [gone, new].map(|text| told.record.start.taken(text));
        let mut ways = vec![[gone, new]];
        if shown != [gone, new] {
            ways.push([&shown[0], &shown[1]]);
        }
        let (gone, new) = ways.into_iter().find_map(|[gone, new]| {
            let wanted = Wanted {
                gone: counts(gone),
                hidden: hidden.clone(),
                new: counts(new),
            };
            find(told, &wanted)
        })?;
        Some(Verdict {
            gone: less(&counts(&gone), &true_gone),
            new: less(&counts(&new), &true_new),
            untold: Difference::new(),
        })
    }

    /// What the editor has shown of others': the text before, and what the edits have brought.
    fn shown(&self) -> Difference {
        let mut shown = counts(&self.before);
        let inserts = self.edits.iter().flat_map(|edit| edit.inserts.chars());
        for letter in inserts {
            *shown.entry(letter).or_default() += 1;
        }
        shown
    }

    /// What of that the shared text has no longer, such as what its writer has taken back while the edit
    /// that brings it was on its way. Who takes it out has nothing to tell. Of the text before `known` is
    /// gone, even where others have written letters like it elsewhere.
    fn hidden(&self, shared: &Difference, known: &str) -> Difference {
        let mut hidden = counts(known);
        for (letter, count) in less(&self.shown(), shared) {
            let gone = hidden.entry(letter).or_default();
            *gone = count.max(*gone);
        }
        hidden
    }

    /// How much of what is gone the edits cannot have taken away: the person must have, where others
    /// had already, so nothing was told. `None` if others had not.
    fn left_over(&self, gone: &Difference, new: &Difference, hidden: &Difference) -> Option<isize> {
        let mut left = self.shown();
        for (letter, count) in new {
            *left.entry(*letter).or_default() += count;
        }
        let left = less(&less(&left, gone), &counts(&self.behind));
        if left.values().any(|count| *count < 0) {
            return None;
        }
        let hidden = |letter: char| hidden.get(&letter).copied().unwrap_or_default();
        let sum = |part: fn(&Asked) -> usize| self.edits.iter().map(part).sum::<usize>() as isize;
        let lines = left.get(&'\n').copied().unwrap_or_default() - sum(|edit| edit.lines);
        let all = size(&left) - sum(|edit| edit.characters);
        let most: isize = left.iter().map(|(c, n)| hidden(*c).min(*n)).sum();
        let is_possible = lines <= hidden('\n') && all <= most;
        is_possible.then_some(all.max(lines).max(0))
    }
}

/// How often each letter stands in both texts.
fn in_both(texts: [&str; 2]) -> Difference {
    let [one, other] = texts.map(counts);
    let in_other = |letter| other.get(letter).copied().unwrap_or_default();
    let both = one.iter();
    both.map(|(letter, count)| (*letter, (*count).min(in_other(letter))))
        .collect()
}

/// How often each letter stands in a text.
pub(crate) fn counts(text: &str) -> Difference {
    let mut counts = Difference::new();
    for letter in text.chars() {
        *counts.entry(letter).or_default() += 1;
    }
    counts
}

/// How often each letter more than there.
pub(crate) fn less(one: &Difference, other: &Difference) -> Difference {
    let mut out = one.clone();
    for (letter, count) in other {
        *out.entry(*letter).or_default() -= count;
    }
    out.retain(|_, count| *count != 0);
    out
}

fn size(counts: &Difference) -> isize {
    counts.values().map(|count| count.abs()).sum()
}
