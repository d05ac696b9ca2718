//! Looks for what else a person may have done, so that their editor would have said the same.
//!
//! What an engine has written is what it believes that its person did. If that differs from what they did,
//! a way is looked for in which they did just that: the text before the report, the requests, and the
//! text behind it are given (`search.rs`). Each way that is found is played by the editor itself
//! (`record.rs`): if it says the same at the same times, nobody can know better.

use ropey::Rope;
use tutti_engine::patch::Patch;
use tutti_engine::{Staleness, locate};

use crate::kind::Refusal;
use crate::record::{Cause, Input, Other, Told};
use crate::search::{MARGIN, Named, Search};
use crate::story::Difference;

/// What the person must have done in total.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// What they took out, as far as anybody can see.
    pub(crate) gone: Difference,
    /// Besides that they may have taken out what others had.
    pub(crate) hidden: Difference,
    pub(crate) new: Difference,
}

/// A play in which the person did what is wanted, and the editor said the same: all that they took out
/// and put in.
pub(crate) fn find(told: &Told, wanted: &Wanted) -> Option<(String, String)> {
    let mut ways = told.ways_with_late().into_iter();
    ways.find_map(|with_late| find_with(told, wanted, with_late))
}

fn find_with(
    told: &Told,
    wanted: &Wanted,
    with_late: (Staleness, Refusal),
) -> Option<(String, String)> {
    let Cause::Letter(typed) = &told.cause else {
        return find_to(told, &told.end, wanted, None, with_late);
    };
    // The last key was a letter that is reported at once: the one that was typed, or another that is new.
    let place = typed.splices().first()?.at;
    let near = place.saturating_sub(MARGIN)..(place + MARGIN).min(told.end.len_chars());
    let others = near.map(|at| Patch::single(at, 0, told.end.char(at)));
    [typed.clone()].into_iter().chain(others).find_map(|last| {
        let [splice] = last.splices() else {
            return None;
        };
        let mut wanted = wanted.clone();
        let left = wanted.new.get_mut(&splice.insert.chars().next()?)?;
        *left = left.checked_sub(1).filter(|left| *left >= 0)?;
        let mut end = told.end.clone();
        end.remove(splice.at..splice.at + 1);
        find_to(told, &end, &wanted, Some(&last), with_late)
    })
}

fn find_to(
    told: &Told,
    end: &Rope,
    wanted: &Wanted,
    last: Option<&Patch>,
    with_late: (Staleness, Refusal),
) -> Option<(String, String)> {
    let start = &told.record.start;
    let old: Vec<char> = start.buffer.chars().collect();
    let new: Vec<char> = end.chars().collect();
    let play = |edit, named: Option<Named>| {
        let is_made = named.is_some();
        let mut search = Search::new(start.encoding, wanted, &old, &new, named);
        search.run(&mut |before, behind| {
            told.says_the_same(&Other {
                edit,
                before,
                behind,
                last,
                is_made,
                with_late,
            })
        })
    };
    // Nothing was asked for, or all of it was done before the edit, which is too late then.
    let edits = told.edits();
    let none = told.record.inputs.len();
    let skipped = edits
        .iter()
        .chain([&none])
        .find_map(|edit| play(*edit, None));
    skipped.or_else(|| {
        let ways = [(false, true), (true, false), (true, true)];
        edits.into_iter().find_map(|edit| {
            let named = |may_be| named(told, edit, may_be);
            ways.into_iter()
                .find_map(|may_be| play(edit, Some(named(may_be)?)))
        })
    })
}

/// The edit of this number among the inputs, if it is one.
fn named(told: &Told, number: usize, may_be: (bool, bool)) -> Option<Named> {
    let start = &told.record.start;
    let edits = match &told.record.inputs[number] {
        Input::Edit { asked, .. } | Input::Pending(asked) => &asked.edits,
        Input::Person | Input::Asked { .. } => return None,
    };
    let [asked] = &**edits else {
        return None;
    };
    let (from, to) = (asked.range.start, asked.range.end);
    Some(Named {
        from: (from.line, from.character),
        to: (to.line, to.character),
        inserted: start.taken(&asked.new_text).chars().collect(),
        at: locate(&start.buffer, from, start.encoding).at,
        end: locate(&start.buffer, to, start.encoding).at,
        may_be,
    })
}
