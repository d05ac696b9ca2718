//! What a change means that arrives while an edit of ours is under way.
//!
//! The change may be the person's, ours, or both in one; ours may have fallen on places that the
//! person's unsent keys had moved. Each possibility says what the person must have typed for the
//! text to come out as it did. The one that needs the fewest characters is believed; where two
//! need the same, the person typed it, since text is rather doubled than lost.

mod falls;

use falls::Fall;
pub(crate) use falls::as_patch;

use ropey::Rope;

use crate::diff::diff;
use crate::patch::{Patch, Splice};
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
        let typed = diff(shown, next);
        let mut cost = typed.cost();
        if expected.accepted {
            // That the person typed just what we sent is no likely story after a yes.
            cost += 4 * typed_there(&expected.edit[0], &typed);
        }
        consider(cost, Explanation::User);
    }
    for (edit, typed) in std::iter::zip(&expected.edit, &then_typed) {
        // If a part of it is missing, it may as well never have come: that is the story in which
        // nothing is lost. People do type alike.
        let deleted = deleted_of(edit, typed, &landed(shown, edit));
        if expected.certain || deleted == 0 {
            let cost = typed.cost() + retyped(shown, edit, typed);
            consider(cost, Explanation::Ours { edit: edit.clone() });
        }
    }
    if expected.may_fall
        && let Some(Fall {
            cost,
            typed,
            fallen,
        }) = falls::fall(shown, next, expected, encoding)
    {
        consider(cost, Explanation::Stale { typed, fallen });
    }
    best.map_or(Explanation::User, |(_, explanation)| explanation)
}

/// Nor is it likely that the person typed anew, in `typed`, just what an edit of ours took away.
fn retyped(shown: &Rope, edit: &Patch, typed: &Patch) -> usize {
    let taken = edit.splices().iter();
    let taken = taken.map(|splice| shown.slice(splice.at..splice.end()).to_string());
    4 * likeness(taken, typed)
}

fn landed(text: &Rope, patch: &Patch) -> Rope {
    let mut text = text.clone();
    patch.apply(&mut text);
    text
}

/// Of what is inserted in one place, so much is compared.
const MOST_COMPARED: usize = 256;

/// How many of the characters of these texts are in what the person would have typed, beside each
/// other. A letter by itself proves nothing, nor does white space: people type those everywhere.
fn likeness(texts: impl Iterator<Item = String>, typed: &Patch) -> usize {
    let typed = typed.splices().iter().map(|splice| splice.insert.as_str());
    let typed: Vec<&str> = typed.filter(|text| !text.is_empty()).collect();
    let is_typed = |run: &str| typed.iter().any(|text| text.contains(run));
    let longest_run = |text: String| {
        let letters: Vec<char> = text.chars().take(MOST_COMPARED).collect();
        let mut longest = 0;
        for start in 0..letters.len() {
            let longer = |end: &usize| is_typed(&String::from_iter(&letters[start..*end]));
            let least = start + longest + 1;
            let end = (least..=letters.len()).take_while(longer).last();
            longest = end.map_or(longest, |end| end - start);
        }
        let is_blank = text.trim().is_empty();
        let proves = longest > 1 || letters.len() == 1;
        if proves && !is_blank { longest } else { 0 }
    };
    texts.map(longest_run).sum()
}

/// How much of what an edit of ours inserts the person would have typed in the very place.
fn typed_there(ours: &Patch, typed: &Patch) -> usize {
    let near = |ours: &Splice, typed: &Splice| {
        let reach = ours.insert.chars().count();
        typed.at <= ours.end() + reach && ours.at <= typed.end() + reach
    };
    let count = |ours: &Splice| {
        let mut there = Patch::default();
        for splice in typed.splices().iter().filter(|typed| near(ours, typed)) {
            there.push(splice.clone());
        }
        likeness(std::iter::once(ours.insert.clone()), &there)
    };
    ours.splices().iter().map(count).sum()
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
mod tests {
    use super::*;
    use crate::position::{Range, position};

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

    /// Two people type the same letter behind the same letter, in two places; the editor says yes to
    /// the one and has skipped it.
    #[test]
    fn an_equal_letter_is_not_taken_for_ours() {
        let (shown, mut expected) = expected("h1«»\nn1\n", "1");
        expected.may_fall = false;
        expected.accepted = true;
        let next = Rope::from_str("h1\nn11\n");
        let explained = explain(&shown, &next, &expected, Encoding::Utf16);
        assert_eq!(explained, Explanation::User);
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

    /// After a yes, what stands there just as we sent it is ours, and the blanks that we took away
    /// have been typed anew: people type those everywhere.
    #[test]
    fn after_a_yes_what_we_sent_is_ours() {
        let (shown, mut expected) = expected("a«     »b", "ok");
        expected.may_fall = false;
        expected.accepted = true;
        let next = Rope::from_str("aok     b");
        let explained = explain(&shown, &next, &expected, Encoding::Utf16);
        assert!(
            matches!(explained, Explanation::Ours { .. }),
            "{explained:?}"
        );
    }

    /// Emacs, four letters deleted and not reported before one that we had sent to be replaced: the
    /// request names one letter, so it has not taken more.
    #[test]
    fn an_edit_takes_no_more_than_it_names() {
        let (shown, mut expected) = expected("ABpqrs«X»Y", "123\n");
        (expected.accepted, expected.certain) = (true, true);
        let next = Rope::from_str("AB123\nY");
        let Explanation::Ours { edit } = explain(&shown, &next, &expected, Encoding::Utf16) else {
            panic!("it fell where it was meant");
        };
        assert_eq!(edit, Patch::single(6, 1, "123\n"));
    }

    /// What stood before the place that is named can have led the edit no further than that.
    #[test]
    fn an_edit_falls_only_where_it_can_have_been_led() {
        // The person deletes `cd`, which draws the place of the `g` to that of the `i`.
        let (shown, mut expected) = expected("abcdef«g»hij", "");
        (expected.accepted, expected.certain) = (true, true);
        let explained =
            |next: &str| explain(&shown, &Rope::from_str(next), &expected, Encoding::Utf8);
        assert_eq!(
            explained("abefghj"),
            Explanation::Stale {
                typed: Rope::from_str("abefghij"),
                fallen: Patch::single(6, 1, ""),
            }
        );
        // Nothing leads it to the `j`: that is the person's, and `g` was taken where it stood.
        let Explanation::Ours { edit } = explained("abcdefhi") else {
            panic!("nothing has moved it");
        };
        assert_eq!(edit, Patch::single(6, 1, ""));
    }

    /// A place within a letter, in the client's units, is that of the letter.
    #[test]
    fn an_edit_that_falls_within_a_letter_takes_it() {
        let (shown, mut expected) = expected("𠠀«x»y", "");
        (expected.accepted, expected.certain) = (true, true);
        // The request names the bytes 4 to 6; `é`, typed before them, has led it into the `𠠀`.
        expected.raw[0].range.start.character = 4;
        expected.raw[0].range.end.character = 6;
        let explained = explain(&shown, &Rope::from_str("éxy"), &expected, Encoding::Utf8);
        assert_eq!(
            explained,
            Explanation::Stale {
                typed: Rope::from_str("é𠠀xy"),
                fallen: Patch::single(1, 1, ""),
            }
        );
    }

    /// Where a line has become shorter than the place that is named, the edit falls on its end.
    #[test]
    fn an_edit_behind_the_end_of_its_line_falls_on_it() {
        let (shown, mut expected) = expected("abcdef«»g\nxy", "!");
        (expected.accepted, expected.certain) = (true, true);
        let explained = explain(
            &shown,
            &Rope::from_str("ag!\nxy"),
            &expected,
            Encoding::Utf16,
        );
        assert_eq!(
            explained,
            Explanation::Stale {
                typed: Rope::from_str("ag\nxy"),
                fallen: Patch::single(2, 0, "!"),
            }
        );
    }

    /// The same with a word: nobody types anew, letter by letter, what we have just taken away.
    #[test]
    fn a_word_that_stands_there_still_was_not_taken_away() {
        let (shown, mut expected) = expected("a«hello»b", "");
        expected.may_fall = false;
        expected.accepted = true;
        let next = Rope::from_str("axxxxxxxhellob");
        let explained = explain(&shown, &next, &expected, Encoding::Utf16);
        assert_eq!(explained, Explanation::User);
    }
}
