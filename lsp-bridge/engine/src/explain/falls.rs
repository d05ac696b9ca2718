//! Edits that fell on moved places.
//!
//! An editor that applies an edit to text we do not know yet puts it where the positions lead, not
//! where it was meant. Here the ways are listed in which the text can have come out so.

use ropey::Rope;

use super::{Expected, landed};
use crate::diff::diff;
use crate::patch::{Patch, Splice};
use crate::position::{Encoding, Position, TextEdit, locate, position};

/// The ways in which our edit may have fallen on moved places: what it costs the person, the text
/// that they had typed before, and the edit as it fell.
pub(super) fn falls(
    shown: &Rope,
    next: &Rope,
    expected: &Expected,
    encoding: Encoding,
) -> Vec<(usize, Rope, Patch)> {
    // Whoever lets edits fall is asked for one at a time.
    let [edit] = &*expected.raw else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let inserted = normalised(&edit.new_text);
    let mut places = vec![locate(next, edit.range.start, encoding).at];
    if expected.accepted {
        places.extend(places_of(shown, next, &inserted));
    }
    for at in places {
        found.extend(before(shown, next, edit, at, encoding));
    }
    for typed in parts_of(shown, next) {
        let fallen = as_patch(&typed, std::slice::from_ref(edit), encoding);
        let behind = diff(&landed(&typed, &fallen), next).cost();
        // Where it did not come out just so, only a certain yes tells that the edit fell at all.
        if behind == 0 || (expected.certain && expected.overtaken) {
            found.push((behind, typed, fallen));
        }
    }
    for (cost, typed, _) in &mut found {
        *cost += diff(shown, typed).cost();
    }
    found
}

/// A request's edits as a patch of `text`, in which they may name places that are none: those become
/// the nearest.
pub(crate) fn as_patch(text: &Rope, edits: &[TextEdit], encoding: Encoding) -> Patch {
    let mut patch = Patch::default();
    let mut behind = 0;
    for edit in edits {
        let start = locate(text, edit.range.start, encoding).at.max(behind);
        let end = locate(text, edit.range.end, encoding).at.max(start);
        behind = end;
        patch.push(Splice {
            at: start,
            delete: end - start,
            insert: normalised(&edit.new_text),
        });
    }
    patch
}

fn normalised(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// The texts that the person may have typed before the request fell in at `at`, each with the
/// request as a patch of it, if what it inserts stands there.
///
/// What it deleted there is gone from `next`. It is put back if it can be told what that was: a
/// part of `shown` whose surroundings the person has not touched, or what is missing just there.
/// Else the request has taken away what the person had typed and we have never seen.
fn before(
    shown: &Rope,
    next: &Rope,
    edit: &TextEdit,
    at: usize,
    encoding: Encoding,
) -> Vec<(usize, Rope, Patch)> {
    let inserted = normalised(&edit.new_text);
    let end = at + inserted.chars().count();
    if end > next.len_chars() || next.slice(at..end) != *inserted.as_str() {
        return Vec::new();
    }
    let mut rest = next.clone();
    rest.remove(at..end);
    let with = |deleted: &str| {
        let mut typed = rest.clone();
        typed.insert(at, deleted);
        let fallen = Patch::single(at, deleted.chars().count(), inserted.as_str());
        (0, typed, fallen)
    };
    let mut found = Vec::new();
    if edit.range.start != edit.range.end {
        let geometry = deleted_by(edit, shown, rest.len_chars() - at, encoding);
        let missing = missing_at(shown, &rest, at);
        for deleted in geometry.into_iter().chain(missing) {
            found.push(with(&deleted));
        }
    }
    found.push(with(""));
    found
}

/// What `shown` has and `rest` lacks just at `at`.
fn missing_at(shown: &Rope, rest: &Rope, at: usize) -> Option<String> {
    let mut shift = 0isize;
    for splice in diff(shown, rest).splices() {
        let start = (splice.at as isize + shift) as usize;
        let new = splice.insert.chars().count();
        if splice.delete > 0 && start <= at && at <= start + new {
            return Some(shown.slice(splice.at..splice.end()).to_string());
        }
        shift += new as isize - splice.delete as isize;
    }
    None
}

/// Texts that the person may have typed before the request fell in: each with some of the changes
/// that lead from `shown` to `next`, the first ones and the last ones.
fn parts_of(shown: &Rope, next: &Rope) -> Vec<Rope> {
    /// Of longer lists of changes only the first and the last so many are tried.
    const MOST: usize = 4;
    let all = diff(shown, next);
    let count = all.splices().len();
    let mut texts = Vec::new();
    for head in 0..=count.min(MOST) {
        for tail in 0..=(count - head).min(MOST) {
            if head + tail < count {
                let behind = landed(shown, &all.part(count - tail, count));
                texts.push(landed(&behind, &all.part(0, head)));
            }
        }
    }
    texts
}

/// The places at which what an edit of ours inserts may stand in `next`, with keys typed both before
/// and behind its fall: wherever its text is new.
fn places_of(shown: &Rope, next: &Rope, inserted: &str) -> Vec<usize> {
    /// More places than this are not tried.
    const MOST: usize = 16;
    let length = inserted.chars().count();
    if length == 0 || length > next.len_chars() {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut shift = 0isize;
    for splice in diff(shown, next).splices() {
        let start = (splice.at as isize + shift) as usize;
        let new = splice.insert.chars().count();
        shift += new as isize - splice.delete as isize;
        let first = start.saturating_sub(length - 1);
        let last = (start + new).min(next.len_chars() - length);
        for at in first..=last {
            if found.len() < MOST && next.slice(at..at + length) == *inserted {
                found.push(at);
            }
        }
    }
    found
}

/// What an edit that fell on a moved place has deleted: the part of `shown` that ends `suffix`
/// characters before its end. `None` if it cannot be told.
fn deleted_by(edit: &TextEdit, shown: &Rope, suffix: usize, encoding: Encoding) -> Option<String> {
    let (from, to) = (edit.range.start, edit.range.end);
    let end = shown.len_chars().checked_sub(suffix)?;
    let line = shown.char_to_line(end);
    let start = if from.line == to.line {
        let column = position(shown, end, encoding).character;
        let character = column.checked_sub(to.character - from.character)?;
        let line = line as u32;
        let start = locate(shown, Position { line, character }, encoding);
        start.exact.then_some(start.at)?
    } else if from.character == 0 && to.character == 0 && shown.line_to_char(line) == end {
        shown.line_to_char(line.checked_sub((to.line - from.line) as usize)?)
    } else {
        return None;
    };
    Some(shown.slice(start..end).to_string())
}
