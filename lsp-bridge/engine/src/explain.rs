//! What a change means that arrives while an edit of ours is under way.
//!
//! The change may be the person's, ours, or both in one; ours may have fallen on places that the
//! person's unsent keys had moved. Each possibility says what the person must have typed for the
//! text to come out as it did. The one that needs the fewest characters is believed; where two
//! need the same, the person typed it, since text is rather doubled than lost.

use ropey::Rope;

use crate::diff::diff;
use crate::patch::{Patch, Splice};
use crate::position::{Encoding, Position, TextEdit, locate, position};

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
    },
    /// The person's change led to `typed`; then our edit fell on moved places; then the person may
    /// have gone on.
    Stale {
        /// The text before our edit fell in.
        typed: Rope,
        /// The edit as it fell, a patch of `typed`.
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
        };
    }
    let was_carried_over = expected.accepted && expected.overtaken;
    if !(expected.may_merge || was_carried_over) {
        return Explanation::User;
    }
    let mut best: Option<(usize, Explanation)> = None;
    let mut consider = |cost: usize, explanation: Explanation| {
        if best.as_ref().is_none_or(|(least, _)| cost < *least) {
            best = Some((cost, explanation));
        }
    };
    let then_typed = wholes.each_ref().map(|whole| diff(whole, next));
    // In this order: an earlier one wins a tie.
    if !expected.certain {
        let mut cost = diff(shown, next).cost();
        if expected.accepted {
            // That the person typed just what we sent is no likely story after a yes.
            let fates = std::iter::zip(&expected.edit, &then_typed).map(|(e, t)| fate(e, t));
            cost += 4 * fates.map(|fate| fate.survivors).max().unwrap_or(0);
        }
        consider(cost, Explanation::User);
    }
    for (edit, typed) in std::iter::zip(&expected.edit, &then_typed) {
        // If a part of it is missing, it may as well never have come: that is the story in which
        // nothing is lost. People do type alike.
        let deleted = fate(edit, typed).deleted;
        if expected.certain || deleted == 0 {
            consider(
                typed.cost() + deleted,
                Explanation::Ours { edit: edit.clone() },
            );
        }
    }
    if expected.may_fall {
        for (cost, typed, fallen) in falls(shown, next, expected, encoding) {
            consider(cost, Explanation::Stale { typed, fallen });
        }
    }
    best.map_or(Explanation::User, |(_, explanation)| explanation)
}

fn landed(text: &Rope, patch: &Patch) -> Rope {
    let mut text = text.clone();
    patch.apply(&mut text);
    text
}

/// The ways in which our edit may have fallen on moved places: what it costs the person, the text
/// that they had typed before, and the edit as it fell.
fn falls(
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

/// What became of the characters that an edit of ours inserted.
#[derive(Debug, Clone, Copy, Default)]
struct Fate {
    /// How many are still there, beside each other. A letter by itself proves nothing, nor does
    /// white space: people type those everywhere.
    survivors: usize,
    /// How many are gone.
    deleted: usize,
}

/// The fate of `ours` after `typed`, a patch of the text with `ours` in it.
fn fate(ours: &Patch, typed: &Patch) -> Fate {
    let mut fate = Fate::default();
    let mut shift = 0isize;
    for splice in ours.splices() {
        let start = (splice.at as isize + shift) as usize;
        let letters: Vec<char> = splice.insert.chars().collect();
        let is_gone = |at: usize| typed.splices().iter().any(|s| s.at <= at && at < s.end());
        let fates: Vec<bool> = (start..start + letters.len()).map(is_gone).collect();
        fate.deleted += fates.iter().filter(|gone| **gone).count();
        let runs = letters.iter().zip(&fates).collect::<Vec<_>>();
        for run in runs.split(|(letter, gone)| **gone || letter.is_whitespace()) {
            if run.len() > 1 || letters.len() == 1 {
                fate.survivors += run.len();
            }
        }
        shift += letters.len() as isize - splice.delete as isize;
    }
    fate
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::Range;

    /// `«` and `»` in `shown` mark what the request replaces by `new`.
    fn expected(marked: &str, new: &str) -> (Rope, Expected) {
        let at = marked.chars().position(|c| c == '«').unwrap();
        let end = marked.chars().position(|c| c == '»').unwrap() - 1;
        let shown = Rope::from_str(&marked.replace(['«', '»'], ""));
        let place = |at| position(&shown, at, Encoding::Utf16);
        let raw = vec![TextEdit {
            range: Range {
                start: place(at),
                end: place(end),
            },
            new_text: new.into(),
        }];
        let edit = Patch::single(at, end - at, new);
        let expected = Expected {
            edit: [edit.clone(), edit],
            raw,
            overtaken: false,
            may_merge: true,
            may_fall: true,
            accepted: false,
            certain: false,
        };
        (shown, expected)
    }

    fn explained(marked: &str, new: &str, next: &str) -> String {
        let (shown, expected) = expected(marked, new);
        match explain(&shown, &Rope::from_str(next), &expected, Encoding::Utf16) {
            Explanation::User => "user".into(),
            Explanation::Ours { edit } => {
                format!("ours, then from {:?}", landed(&shown, &edit).to_string())
            }
            Explanation::Stale { typed, .. } => {
                format!("typed {:?}, then stale", typed.to_string())
            }
        }
    }

    /// The shapes that real editors were recorded with.
    #[test]
    fn recorded_shapes() {
        let ours = |landed: &str| format!("ours, then from {landed:?}");
        let stale = |typed: &str| format!("typed {typed:?}, then stale");
        // Landed as asked.
        assert_eq!(explained("on«»e\n", "|", "on|e\n"), ours("on|e\n"));
        // A key alone.
        assert_eq!(explained("on«»e\n", "|", "kone\n"), "user");
        // Neovim at version 0, Emacs and Kakoune with an unsent key: on a moved place.
        assert_eq!(explained("on«»e\n", "|", "ko|ne\n"), stale("kone\n"));
        assert_eq!(
            explained("NYRQM«»0\n", "|", "YNYRQ|M0\n"),
            stale("YNYRQM0\n")
        );
        // Emacs, a key and our edit at one place.
        assert_eq!(explained("«»abc\n", "R", "RQabc\n"), ours("Rabc\n"));
        // Ours and a key elsewhere, in one change.
        assert_eq!(
            explained("on«»e\ntwo\n", "|", "on|e\ntwoX\n"),
            ours("on|e\ntwo\n")
        );
        // A deletion that fell on a moved place took the wrong letters.
        assert_eq!(
            explained("abc«def»ghi\n", "", "Xabfghi\n"),
            stale("Xabcdefghi\n")
        );
        // A line deleted below a new one.
        assert_eq!(
            explained("one\n«two\n»three\n", "", "xyz\ntwo\nthree\n"),
            stale("xyz\none\ntwo\nthree\n")
        );
    }

    #[test]
    fn the_same_letter_elsewhere_is_the_persons() {
        let (shown, mut expected) = expected("one\ntw«»o\n", "a");
        expected.may_fall = false;
        expected.accepted = true;
        let next = Rope::from_str("onea\ntwo\n");
        let explained = explain(&shown, &next, &expected, Encoding::Utf16);
        assert_eq!(explained, Explanation::User);
    }

    /// Two people type alike at one place; the editor has skipped ours.
    #[test]
    fn alike_is_not_the_same() {
        let (shown, mut expected) = expected("a«»b", "<2.6>");
        expected.may_fall = false;
        let next = Rope::from_str("aé<3.6>b");
        for (accepted, may_merge) in [(false, false), (false, true), (true, true)] {
            expected.accepted = accepted;
            expected.may_merge = may_merge;
            let explained = explain(&shown, &next, &expected, Encoding::Utf16);
            assert_eq!(explained, Explanation::User, "{accepted} {may_merge}");
        }
    }

    #[test]
    fn a_certain_yes_leaves_no_doubt() {
        let (shown, mut expected) = expected("a«»b", "x");
        let next = Rope::from_str("");
        let explain = |expected: &Expected| explain(&shown, &next, expected, Encoding::Utf16);
        assert_eq!(explain(&expected), Explanation::User);
        expected.certain = true;
        assert!(matches!(explain(&expected), Explanation::Ours { .. }));
    }
}
