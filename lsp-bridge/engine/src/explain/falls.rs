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
    let mut found = Vec::new();
    if let Some((typed, fallen)) = before_stale(shown, next, &expected.raw, encoding) {
        found.push((0, typed, fallen));
    }
    for typed in parts_of(shown, next) {
        let Some(fallen) = raw_patch(&typed, &expected.raw, encoding) else {
            continue;
        };
        let behind = diff(&landed(&typed, &fallen), next).cost();
        // Where it did not come out just so, only a certain yes tells that the edit fell at all.
        if behind == 0 || (expected.certain && expected.overtaken) {
            found.push((behind, typed, fallen));
        }
    }
    if expected.accepted {
        let anywhere = fallen_anywhere(shown, next, &expected.raw);
        found.extend(
            anywhere
                .into_iter()
                .map(|(typed, fallen)| (0, typed, fallen)),
        );
    }
    for (cost, typed, _) in &mut found {
        *cost += diff(shown, typed).cost();
    }
    found
}

/// The request's edits as a patch of `text`, in which they may name places that are none: those
/// become the nearest. `None` if edits then overlap.
fn raw_patch(text: &Rope, raw: &[TextEdit], encoding: Encoding) -> Option<Patch> {
    let mut patch = Patch::default();
    let mut behind = 0;
    for edit in raw {
        let start = locate(text, edit.range.start, encoding).at;
        let end = locate(text, edit.range.end, encoding).at;
        if start < behind || end < start {
            return None;
        }
        behind = end;
        patch.push(Splice {
            at: start,
            delete: end - start,
            insert: normalised(&edit.new_text),
        });
    }
    Some(patch)
}

fn normalised(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// The text that the person had typed before the request fell in at the places it names, if the
/// request explains `next` so; and the request as a patch of it.
///
/// What the request inserted is found in `next` at the very places, and taken out. What it deleted
/// there is gone from `next`; it is put back from `shown`, whose end the person has not touched
/// then.
fn before_stale(
    shown: &Rope,
    next: &Rope,
    raw: &[TextEdit],
    encoding: Encoding,
) -> Option<(Rope, Patch)> {
    let only_inserts = raw.iter().all(|edit| edit.range.start == edit.range.end);
    if raw.len() > 1 && !only_inserts {
        return None;
    }
    let mut typed = next.clone();
    for edit in raw {
        let at = locate(&typed, edit.range.start, encoding).at;
        let inserted = normalised(&edit.new_text);
        let end = at + inserted.chars().count();
        if end > typed.len_chars() || typed.slice(at..end) != *inserted {
            return None;
        }
        typed.remove(at..end);
        if let Some(deleted) = deleted_by(edit, shown, typed.len_chars() - at, encoding)? {
            typed.insert(at, &deleted);
        }
    }
    let fallen = raw_patch(&typed, raw, encoding)?;
    (landed(&typed, &fallen) == *next).then_some((typed, fallen))
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

/// The places at which an insertion of ours may stand in `next`, with keys typed both before and
/// behind its fall: wherever its text is new. Each with the text without it.
fn fallen_anywhere(shown: &Rope, next: &Rope, raw: &[TextEdit]) -> Vec<(Rope, Patch)> {
    /// More places than this are not tried.
    const MOST: usize = 16;
    let [edit] = raw else { return Vec::new() };
    let inserted = normalised(&edit.new_text);
    let length = inserted.chars().count();
    let is_insertion = edit.range.start == edit.range.end && length > 0;
    if !is_insertion || length > next.len_chars() {
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
                let mut typed = next.clone();
                typed.remove(at..at + length);
                found.push((typed, Patch::single(at, 0, inserted.as_str())));
            }
        }
    }
    found
}

/// What an edit that fell on a moved place has deleted: the part of `shown` that ends `suffix`
/// characters before its end. `Some(None)` for a pure insertion; `None` if it cannot be told.
fn deleted_by(
    edit: &TextEdit,
    shown: &Rope,
    suffix: usize,
    encoding: Encoding,
) -> Option<Option<String>> {
    let (from, to) = (edit.range.start, edit.range.end);
    if from == to {
        return Some(None);
    }
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
    Some(Some(shown.slice(start..end).to_string()))
}
