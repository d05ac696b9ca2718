//! What a change means that arrives while an edit of ours is under way.
//!
//! The change may be the person's, ours, or both in one; ours may have fallen on places that the
//! person's unsent keys had moved. Each possibility says what the person must have typed for the
//! text to come out as it did. The one that needs the fewest characters is believed; where two
//! need the same, the person typed it, since text is rather doubled than lost.

mod distances;
mod falls;
mod kept;
mod search;

use std::ops::Range;

use falls::Fall;
pub(crate) use falls::as_patch;
use ropey::Rope;

use crate::diff::diff;
use crate::patch::{Patch, Splice, slack};
use crate::position::{Encoding, TextEdit};

/// The edit under way, as far as explaining needs it.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    /// The edit in the coordinates of the text that the editor is known to show: where it met the
    /// person's own insertions, standing before them and standing behind them.
    pub(crate) edit: [Patch; 2],
    /// The request as it was sent: positions in the text of that moment.
    pub(crate) raw: Vec<TextEdit>,
    /// Whether the person has typed since it was sent.
    pub(crate) overtaken: bool,
    /// Whether a report may hold the person's change beside ours.
    pub(crate) may_merge: bool,
    /// Whether the editor applies an edit that comes too late at places that have moved. Else what
    /// is new elsewhere is never ours, however much it looks like it.
    pub(crate) may_fall: bool,
    /// Whether an insertion at a place within a character may come behind it. Else it comes before.
    pub(crate) may_round_up: bool,
    /// Whether the editor said yes.
    pub(crate) accepted: bool,
    /// Whether the edit must be in this change: the editor said yes, and its yes is certain.
    pub(crate) certain: bool,
}

/// What happened between two reports of the editor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Explanation {
    /// The person's change; ours is not in it.
    User,
    /// Our edit landed. The person's change, if any, follows it.
    Ours {
        /// The edit, as a patch of the text shown before.
        edit: Patch,
        /// What the person did, as a patch of the text behind it.
        typed: Patch,
    },
    /// The person did `typed`; then our edit fell on moved places; then the person may have gone on.
    Stale {
        /// What the person did, but to what our edit had brought: a patch of the text shown before.
        typed: Patch,
        /// The edit as it fell, a patch of the text behind `typed`.
        fallen: Patch,
    },
}

/// Explains the step from `shown` to `next`.
pub(crate) fn explain(
    shown: &Rope,
    next: &Rope,
    expected: &Expected,
    encoding: Encoding,
) -> Explanation {
    let wholes = expected.edit.each_ref().map(|edit| landed(shown, edit));
    if let Some(exact) = wholes.iter().position(|whole| whole == next) {
        return Explanation::Ours {
            edit: expected.edit[exact].clone(),
            typed: Patch::default(),
        };
    }
    let was_carried_over = expected.accepted && expected.overtaken;
    if !(expected.may_merge || was_carried_over) {
        return Explanation::User;
    }
    // In this order: an earlier one wins a tie.
    let mut stories: Vec<(Cost, Explanation)> = Vec::new();
    let mut is_elsewhere = false;
    if !expected.certain {
        let typed = diff(shown, next);
        let mut cost = typed.cost();
        let ours = &expected.edit[0];
        let alike = typed_there(shown, ours, &typed) + gone_with(ours, &typed);
        is_elsewhere = alike == 0 && is_typed_whole(ours, &typed);
        if expected.accepted {
            // That the person has done just what we sent is no likely story after a yes.
            cost += 4 * alike;
        }
        stories.push(((cost, 0), Explanation::User));
    }
    for (edit, whole) in std::iter::zip(&expected.edit, &wholes) {
        let mut typed = diff(whole, next);
        let mut is_whole = !is_torn(edit, &typed, whole);
        if !is_whole && let Some(way) = kept::keeping(edit, whole, next, typed.cost()) {
            (typed, is_whole) = (way, true);
        }
        // If so much of it is missing, or of what it took away is there, it may as well never have come:
        // that is the story in which nothing is lost. People do type alike.
        is_whole &= expected.accepted || !is_put_back(shown, edit, &typed);
        is_whole &= !(is_elsewhere && mostly_moves(&typed, whole));
        if expected.certain || is_whole {
            let cost = expected.cost(shown, edit, &typed, 0);
            let edit = edit.clone();
            stories.push((cost, Explanation::Ours { edit, typed }));
        }
    }
    let most = stories
        .iter()
        .map(|(cost, _)| cost.0)
        .min()
        .unwrap_or(usize::MAX);
    if expected.may_fall
        && let Some(Fall {
            cost,
            typed,
            fallen,
        }) = falls::fall(shown, next, expected, encoding, most, is_elsewhere)
    {
        stories.push((cost, Explanation::Stale { typed, fallen }));
    }
    let best = stories.into_iter().min_by_key(|(cost, _)| *cost);
    best.map_or(Explanation::User, |(_, explanation)| explanation)
}

/// How much a story asks of the person, in characters; between two that ask the same, how much of it
/// is unlikely.
type Cost = (usize, usize);

impl Expected {
    /// What it costs if the person has done `typed` and so much `more`, where `edit` took place.
    ///
    /// Nor is it likely that they typed anew just what an edit of ours took away. But if it is certain
    /// that it took place, then no story is worth more of the person's keys, and that decides only
    /// between stories of one length. So it does behind a yes where they have typed a letter or two, which
    /// people type alike.
    fn cost(&self, shown: &Rope, edit: &Patch, typed: &Patch, more: usize) -> Cost {
        let retyped = self.retyped(shown, edit, typed);
        let is_likely = self.accepted && !self.overtaken && typed.cost() <= TYPED_ALIKE;
        match self.certain || is_likely {
            true => (typed.cost() + more, retyped),
            false => (typed.cost() + more + 4 * retyped, 0),
        }
    }

    /// How much of what `edit` took away the person has typed anew there.
    fn retyped(&self, shown: &Rope, edit: &Patch, typed: &Patch) -> usize {
        let again = |taken: &Splice| {
            let text = shown.slice(taken.at..taken.end()).to_string();
            let at = moved(edit, taken);
            let there = at..at + taken.insert.chars().count();
            likeness(text, &near(typed, there, taken.delete))
        };
        edit.splices().iter().map(again).sum()
    }
}

fn landed(text: &Rope, patch: &Patch) -> Rope {
    let mut text = text.clone();
    patch.apply(&mut text);
    text
}

/// So few characters people type just as others have.
const TYPED_ALIKE: usize = 2;

/// So many nobody types just as somebody else has in the very place, but for one in so many.
const NOT_TYPED_ALIKE: usize = 32;
const BUT_ONE_IN: usize = 8;

/// Of what is inserted in one place, so much is compared.
const MOST_COMPARED: usize = 256;

/// How many of the characters of `text` are in what the person would have typed, beside each other. A
/// letter by itself proves nothing, nor does white space: people type those everywhere.
fn likeness(text: String, typed: &Patch) -> usize {
    let typed = typed.splices().iter().map(|splice| splice.insert.as_str());
    let typed: Vec<&str> = typed.filter(|text| !text.is_empty()).collect();
    let is_typed = |run: &str| typed.iter().any(|text| text.contains(run));
    let letters: Vec<char> = text.chars().take(MOST_COMPARED).collect();
    let mut longest = 0;
    for start in 0..letters.len() {
        let longer = |end: &usize| is_typed(&String::from_iter(&letters[start..*end]));
        let least = start + longest;
        let end = (least..=letters.len()).take_while(longer).last();
        longest = end.map_or(longest, |end| end - start);
    }
    let is_blank = text.trim().is_empty();
    let proves = longest > 1 || letters.len() == 1;
    if proves && !is_blank { longest } else { 0 }
}

/// The part of `typed` that lies no more than `reach` characters from `place`.
fn near(typed: &Patch, place: Range<usize>, reach: usize) -> Patch {
    let mut near = Patch::default();
    for splice in typed.splices() {
        if splice.at <= place.end + reach && place.start <= splice.end() + reach {
            near.push(splice.clone());
        }
    }
    near
}

/// Where what `splice`, one of `patch`, has brought begins in the text behind `patch`.
fn moved(patch: &Patch, splice: &Splice) -> usize {
    let before = patch
        .splices()
        .iter()
        .take_while(|other| other.at < splice.at);
    let grown = |other: &Splice| other.insert.chars().count() as isize - other.delete as isize;
    (splice.at as isize + before.map(grown).sum::<isize>()) as usize
}

/// How much of what an edit of ours inserts the person would have typed in the very place. What they
/// would have taken out before it makes it no further away.
fn typed_there(shown: &Rope, ours: &Patch, typed: &Patch) -> usize {
    let mut gone = 0;
    let mut kept = Patch::default();
    for splice in typed.splices() {
        kept.push(Splice {
            at: splice.at - gone,
            delete: 0,
            insert: splice.insert.clone(),
        });
        gone += splice.delete;
    }
    let kept_before = |at: usize| {
        let before = typed.splices().iter().take_while(|splice| splice.at < at);
        at - before
            .map(|splice| splice.end().min(at) - splice.at)
            .sum::<usize>()
    };
    let count = |ours: &Splice| {
        let len = ours.insert.chars().count();
        let reach = if len <= TYPED_ALIKE { len } else { 0 };
        let there = kept_before(ours.at)..kept_before(ours.end());
        let like = likeness(ours.insert.clone(), &near(&kept, there, reach));
        let is_moved = || ours.delete == 0 && stands_beside(shown, ours, &kept);
        if like < len && is_moved() { len } else { like }
    };
    ours.splices().iter().map(count).sum()
}

/// Whether the person would have typed just what `ours` inserts where among letters like it that may as well
/// have come.
fn stands_beside(shown: &Rope, ours: &Splice, typed: &Patch) -> bool {
    let mut inserted: Vec<char> = ours.insert.chars().collect();
    let place = ours.at..ours.at + inserted.len();
    let [back, on] = slack(&landed(shown, &Patch::from(ours.clone())), place);
    let first = ours.at - back;
    let len = inserted.len();
    inserted.rotate_right(back % len.max(1));
    typed.splices().iter().any(|splice| {
        let by = splice.at.checked_sub(first).filter(|by| *by <= back + on);
        by.is_some_and(|by| {
            let mut there = inserted.clone();
            there.rotate_left(by % len.max(1));
            splice.insert.contains(&String::from_iter(there))
        })
    })
}

/// Whether the person would have typed, somewhere, all that `ours` brings, and that is no mere letter or two.
fn is_typed_whole(ours: &Patch, typed: &Patch) -> bool {
    let [Splice { insert, .. }] = ours.splices() else {
        return false;
    };
    let is_there = |splice: &Splice| splice.insert.contains(insert.as_str());
    insert.chars().count() > TYPED_ALIKE && typed.splices().iter().any(is_there)
}

/// Whether most of what `typed` brings is what it takes away from `text`: it moves that to another place.
fn mostly_moves(typed: &Patch, text: &Rope) -> bool {
    let gone = typed.splices().iter().map(|s| text.slice(s.at..s.end()));
    let mut gone: Vec<char> = gone.flat_map(|gone| gone.chars()).collect();
    let come = typed.splices().iter().flat_map(|s| s.insert.chars());
    let mut moved = 0;
    for letter in come.take(MOST_COMPARED) {
        if let Some(at) = gone.iter().position(|other| *other == letter) {
            gone.swap_remove(at);
            moved += 1;
        }
    }
    4 * moved > typed.cost()
}

/// How much of what an edit of ours deletes the person would have deleted as well.
fn gone_with(ours: &Patch, typed: &Patch) -> usize {
    let both = |ours: &Splice| {
        let gone = typed.splices().iter();
        let gone = gone.map(|s| s.end().min(ours.end()).saturating_sub(s.at.max(ours.at)));
        gone.sum::<usize>()
    };
    ours.splices().iter().map(both).sum()
}

/// Whether the person would have typed anew, in its very place, the beginning or the end of what an edit of
/// ours has taken away.
fn is_put_back(shown: &Rope, ours: &Patch, typed: &Patch) -> bool {
    ours.splices().iter().any(|taken| {
        let gone = shown.slice(taken.at..taken.end()).to_string();
        let at = moved(ours, taken);
        let there = near(typed, at..at + taken.insert.chars().count(), 0);
        let is_part =
            |text: &str| !text.is_empty() && (gone.starts_with(text) || gone.ends_with(text));
        there.splices().iter().any(|splice| is_part(&splice.insert))
    })
}

/// Whether so much of what an edit of ours inserted is gone after `typed`, a patch of `whole`, that somebody
/// may have typed what is left as well. People do write lines in one place that differ in a number or a name.
fn is_torn(ours: &Patch, typed: &Patch, whole: &Rope) -> bool {
    let gone = deleted_of(ours, typed, whole);
    let brought = ours.splices().iter().map(|s| s.insert.chars().count());
    let brought = brought.sum::<usize>();
    let differs = typed
        .splices()
        .iter()
        .any(|s| s.delete > 0 && !s.insert.is_empty());
    gone > 0
        && (differs || brought - gone.min(brought) < NOT_TYPED_ALIKE || gone * BUT_ONE_IN > brought)
}

/// How many of the characters that an edit of ours inserted are gone after `typed`, a patch of
/// `whole`, the text with them in it. Which of several equal letters is gone nobody can say.
fn deleted_of(ours: &Patch, typed: &Patch, whole: &Rope) -> usize {
    let mut deleted = 0;
    let mut shift = 0isize;
    for splice in ours.splices() {
        let start = (splice.at as isize + shift) as usize;
        let len = splice.insert.chars().count();
        shift += len as isize - splice.delete as isize;
        if len == 0 {
            continue;
        }
        let (first, last) = (whole.char(start), whole.char(start + len - 1));
        let before = whole.chars_at(start).reversed();
        let from = start - before.take_while(|letter| *letter == first).count();
        let behind = whole.chars_at(start + len);
        let to = start + len + behind.take_while(|letter| *letter == last).count();
        let gone = typed.splices().iter();
        let gone = gone.map(|s| s.end().min(to).saturating_sub(s.at.max(from)));
        deleted += gone.sum::<usize>();
    }
    deleted
}

#[cfg(test)]
mod alike_tests;
#[cfg(test)]
mod search_tests;
#[cfg(test)]
mod tests;
