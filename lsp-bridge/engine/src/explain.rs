//! What a change means that arrives while an edit of ours is under way.
//!
//! The change may be the person's, ours, or both in one; ours may have fallen on places that the
//! person's unsent keys had moved. Each possibility says what the person must have typed for the
//! text to come out as it did. The one that needs the fewest characters is believed; where two
//! need the same, the person typed it, since text is rather doubled than lost.

use ropey::Rope;

use crate::diff::diff;
use crate::patch::{Patch, Side, Splice};
use crate::position::{Encoding, Position, TextEdit, locate, position};

/// The edit under way, as far as explaining needs it.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    /// What has not landed yet, in the coordinates of the text that the editor is known to show.
    pub(crate) left: Patch,
    /// The request as it was sent: positions in the text of that moment.
    pub(crate) raw: Vec<TextEdit>,
    /// Whether the person has typed since it was sent.
    pub(crate) overtaken: bool,
    /// Whether the edit must be in this change: the editor said yes, and its yes is certain.
    pub(crate) certain: bool,
}

/// What happened between two reports of the editor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Explanation {
    /// The person's change; ours is not in it.
    User,
    /// Our edit landed. The person's change, if any, follows it: it starts from `landed`.
    Ours {
        /// The text with our edit in it.
        landed: Rope,
        /// What has not landed, in the coordinates of `landed`.
        left: Patch,
    },
    /// The person's change led to `typed`; then our edit fell on moved places.
    Stale {
        /// The text before our edit fell in.
        typed: Rope,
    },
}

/// Explains the step from `shown` to `next`.
pub(crate) fn explain(
    shown: &Rope,
    next: &Rope,
    expected: &Expected,
    encoding: Encoding,
) -> Explanation {
    let whole = landed(shown, &expected.left);
    if whole == *next {
        return Explanation::Ours {
            landed: whole,
            left: Patch::default(),
        };
    }
    let mut best: Option<(usize, Explanation)> = None;
    let mut consider = |cost: usize, explanation: Explanation| {
        if best.as_ref().is_none_or(|(least, _)| cost < *least) {
            best = Some((cost, explanation));
        }
    };
    // In this order: an earlier one wins a tie.
    if !expected.certain {
        consider(diff(shown, next).cost(), Explanation::User);
    }
    consider(
        diff(&whole, next).cost(),
        Explanation::Ours {
            landed: whole,
            left: Patch::default(),
        },
    );
    for (landed, left) in parts(shown, &expected.left) {
        consider(
            diff(&landed, next).cost(),
            Explanation::Ours { landed, left },
        );
    }
    if let Some(typed) = before_stale(shown, next, &expected.raw, encoding) {
        consider(diff(shown, &typed).cost(), Explanation::Stale { typed });
    }
    if expected.overtaken {
        let raw = raw_patch(shown, &expected.raw, encoding);
        if let Some(fallen) = raw.map(|patch| landed(shown, &patch)) {
            let cost = diff(&fallen, next).cost();
            if cost == 0 {
                consider(
                    cost,
                    Explanation::Stale {
                        typed: shown.clone(),
                    },
                );
            }
        }
    }
    best.map_or(Explanation::User, |(_, explanation)| explanation)
}

fn landed(text: &Rope, patch: &Patch) -> Rope {
    let mut text = text.clone();
    patch.apply(&mut text);
    text
}

/// Editors that split a request apply its edits from the last to the first, or the other way.
fn parts<'a>(shown: &'a Rope, left: &'a Patch) -> impl Iterator<Item = (Rope, Patch)> + 'a {
    /// Beyond this many edits a request is not split by any editor that was recorded.
    const MOST: usize = 16;
    let n = left.splices().len();
    let cuts = if n <= MOST { 1..n.max(1) } else { 1..1 };
    cuts.flat_map(move |cut| {
        let (head, tail) = (left.part(0, cut), left.part(cut, n));
        let side = Side::After;
        let after_tail = (landed(shown, &tail), head.rebase(&tail, side));
        let after_head = (landed(shown, &head), tail.rebase(&head, side));
        [after_tail, after_head]
    })
}

/// The request's edits as a patch of `text`; `None` if it names places that `text` lacks.
fn raw_patch(text: &Rope, raw: &[TextEdit], encoding: Encoding) -> Option<Patch> {
    let mut patch = Patch::default();
    let mut behind = 0;
    for edit in raw {
        let start = locate(text, edit.range.start, encoding);
        let end = locate(text, edit.range.end, encoding);
        if !start.exact || !end.exact || start.at < behind || end.at < start.at {
            return None;
        }
        behind = end.at;
        patch.push(Splice {
            at: start.at,
            delete: end.at - start.at,
            insert: normalised(&edit.new_text),
        });
    }
    Some(patch)
}

fn normalised(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// The text that the person had typed before the request fell in at the places it names, if the
/// request explains `next` so.
///
/// What the request inserted is found in `next` at the very places, and taken out. What it deleted
/// there is gone from `next`; it is put back from `shown`, whose end the person has not touched
/// then.
fn before_stale(shown: &Rope, next: &Rope, raw: &[TextEdit], encoding: Encoding) -> Option<Rope> {
    let only_inserts = raw.iter().all(|edit| edit.range.start == edit.range.end);
    if raw.len() > 1 && !only_inserts {
        return None;
    }
    let mut typed = next.clone();
    for edit in raw {
        let at = locate(&typed, edit.range.start, encoding);
        let inserted = normalised(&edit.new_text);
        let end = at.at + inserted.chars().count();
        if !at.exact || end > typed.len_chars() || typed.slice(at.at..end) != *inserted {
            return None;
        }
        typed.remove(at.at..end);
        if let Some(deleted) = deleted_by(edit, shown, typed.len_chars() - at.at, encoding)? {
            typed.insert(at.at, &deleted);
        }
    }
    let again = landed(&typed, &raw_patch(&typed, raw, encoding)?);
    (again == *next).then_some(typed)
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
        let left = Patch::single(at, end - at, new);
        let expected = Expected {
            left,
            raw,
            overtaken: false,
            certain: false,
        };
        (shown, expected)
    }

    fn explained(marked: &str, new: &str, next: &str) -> String {
        let (shown, expected) = expected(marked, new);
        match explain(&shown, &Rope::from_str(next), &expected, Encoding::Utf16) {
            Explanation::User => "user".into(),
            Explanation::Ours { landed, left } => {
                assert!(left.is_empty());
                format!("ours, then from {:?}", landed.to_string())
            }
            Explanation::Stale { typed } => format!("typed {:?}, then stale", typed.to_string()),
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
    fn a_certain_yes_leaves_no_doubt() {
        let (shown, mut expected) = expected("a«»b", "x");
        let next = Rope::from_str("");
        let explain = |expected: &Expected| explain(&shown, &next, expected, Encoding::Utf16);
        assert_eq!(explain(&expected), Explanation::User);
        expected.certain = true;
        assert!(matches!(explain(&expected), Explanation::Ours { .. }));
    }
}
