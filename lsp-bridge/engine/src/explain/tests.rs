//! What is made of reports: those of real editors first.

use super::*;
use crate::position::{Range, position};

/// `«` and `»` in `shown` mark what the request replaces by `new`.
pub(super) fn expected(marked: &str, new: &str) -> (Rope, Expected) {
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
        may_round_up: false,
        accepted: false,
        certain: false,
    };
    (shown, expected)
}

fn explained(marked: &str, new: &str, next: &str) -> String {
    let (shown, expected) = expected(marked, new);
    match explain(&shown, &Rope::from_str(next), &expected, Encoding::Utf16) {
        Explanation::User => "user".into(),
        Explanation::Ours { edit, .. } => {
            format!("ours, then from {:?}", landed(&shown, &edit).to_string())
        }
        Explanation::Stale { typed, .. } => {
            format!("typed {:?}, then stale", landed(&shown, &typed).to_string())
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
    let Explanation::Ours { edit, .. } = explain(&shown, &next, &expected, Encoding::Utf16) else {
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
    let explained = |next: &str| explain(&shown, &Rope::from_str(next), &expected, Encoding::Utf8);
    assert_eq!(
        fell(explained("abefghj"), &shown),
        ("abefghij".into(), Patch::single(6, 1, ""))
    );
    // Nothing leads it to the `j`: that is the person's, and `g` was taken where it stood.
    let Explanation::Ours { edit, .. } = explained("abcdefhi") else {
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
        fell(explained, &shown),
        ("é𠠀xy".into(), Patch::single(1, 1, ""))
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
        fell(explained, &shown),
        ("ag\nxy".into(), Patch::single(2, 0, "!"))
    );
}

/// What the person has typed says something about an edit only if it stands where that was meant.
#[test]
fn after_a_yes_what_we_took_away_was_not_typed_anew_elsewhere() {
    let (shown, mut expected) = expected("one\nab«b»a\n", "");
    expected.may_fall = false;
    expected.accepted = true;
    let next = Rope::from_str("oneb\naba\n");
    let explained = explain(&shown, &next, &expected, Encoding::Utf16);
    assert!(
        matches!(explained, Explanation::Ours { .. }),
        "{explained:?}"
    );
}

/// After a yes, nobody has taken away by chance just what was asked to go: they have typed two letters.
#[test]
fn after_a_yes_what_has_gone_as_asked_is_ours() {
    let (shown, mut expected) = expected("«a11pxx||iii»a\n", "");
    expected.may_fall = false;
    expected.accepted = true;
    let next = Rope::from_str("a11\n");
    let explained = explain(&shown, &next, &expected, Encoding::Utf16);
    assert!(
        matches!(explained, Explanation::Ours { .. }),
        "{explained:?}"
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

/// The text that the person had made of `shown`, and how the edit fell in it.
fn fell(explanation: Explanation, shown: &Rope) -> (String, Patch) {
    match explanation {
        Explanation::Stale { typed, fallen } => (landed(shown, &typed).to_string(), fallen),
        other => panic!("{other:?}"),
    }
}

fn in_kakoune(marked: &str, new: &str, next: &str) -> Explanation {
    let (shown, mut expected) = expected(marked, new);
    (expected.accepted, expected.certain) = (true, true);
    explain(&shown, &Rope::from_str(next), &expected, Encoding::Utf16)
}

fn fell_in_kakoune(marked: &str, new: &str, next: &str) -> (String, Patch) {
    fell(in_kakoune(marked, new, next), &expected(marked, new).0)
}

/// Two empty lines are to go, and the person has just broken the line before them: the first place
/// that is named is the end of the line by then, the last the start of what stood in one line.
#[test]
fn a_deletion_of_lines_falls_on_a_line_that_was_just_split() {
    assert_eq!(
        fell_in_kakoune("abcd«\n\n»\n", "", "ab\n\n"),
        ("abcd\n\n\n".into(), Patch::single(2, 3, ""))
    );
}

/// The person has typed a letter far before the place that is named, and what the edit fell on is what
/// it brings: nothing shows where it fell.
#[test]
fn an_edit_that_leaves_no_trace_fell_where_it_was_led() {
    assert_eq!(
        fell_in_kakoune("abcdefghij1«2»", "1", "aXbcdefghij12"),
        ("aXbcdefghij12".into(), Patch::single(11, 1, "1"))
    );
}

/// Of several letters like those that an edit brings, those are the edit's that stand where it was
/// led: the person had typed two before it.
#[test]
fn an_edit_among_letters_like_its_own_is_where_it_was_led() {
    assert_eq!(
        fell_in_kakoune("st«»art", "f", "afffgstart"),
        ("affgstart".into(), Patch::single(2, 0, "f"))
    );
}

/// The person has typed two letters at the first place that is named, and they went with two of those
/// that were meant.
#[test]
fn a_deletion_takes_letters_that_nobody_has_seen() {
    assert_eq!(
        fell_in_kakoune("ab«cdef»gh", "", "abefgh"),
        ("abcdefgh".into(), Patch::single(2, 2, ""))
    );
}

/// Two letters are to go, the second of which the person had put one of more units before.
#[test]
fn a_deletion_that_ends_within_a_letter_that_nobody_has_seen_leaves_it() {
    assert_eq!(
        fell_in_kakoune("a«bc»d", "", "a𠠀cd"),
        ("ab𠠀cd".into(), Patch::single(1, 1, ""))
    );
}

/// An insertion within a letter that the person had typed comes before it.
#[test]
fn an_insertion_falls_within_a_letter_that_nobody_has_seen() {
    assert_eq!(
        fell_in_kakoune("x«»mark", "  ", "  𠠀xmark"),
        ("𠠀xmark".into(), Patch::single(0, 0, "  "))
    );
}

/// A line that is broken before the place that is named ends before it.
#[test]
fn an_edit_falls_on_the_end_of_a_line_that_was_just_split() {
    assert_eq!(
        fell_in_kakoune("ab cd«»ef", "!", "ab!\n cdef"),
        ("ab\n cdef".into(), Patch::single(2, 0, "!"))
    );
}

/// Others delete a letter, and the person types one like it elsewhere: nothing has fallen.
#[test]
fn people_type_what_others_delete() {
    let Explanation::Ours { edit, .. } = in_kakoune("aaba«b»", "", "ababa") else {
        panic!("it fell where it was meant");
    };
    assert_eq!(edit, Patch::single(4, 1, ""));
}

/// Of an edit in several places, the later ones stand behind what the first have brought.
#[test]
fn what_is_deleted_of_the_second_place_is_counted_there() {
    let mut ours = Patch::single(0, 0, "XX");
    ours.push(Splice {
        at: 3,
        delete: 1,
        insert: "YZ".into(),
    });
    let whole = Rope::from_str("XXabcYZef");
    let deleted = |at, len| deleted_of(&ours, &Patch::single(at, len, ""), &whole);
    assert_eq!(
        [(5, 1), (6, 1), (5, 2), (2, 3), (7, 2)].map(|(at, len)| deleted(at, len)),
        [1, 1, 2, 0, 0]
    );
}

/// A report that can hold but one of the two holds the person's change, unless a yes was carried over
/// what they had typed since.
#[test]
fn a_report_holds_both_only_where_it_can() {
    let (shown, mut expected) = expected("on«»e\ntwo\n", "|");
    expected.may_merge = false;
    let next = Rope::from_str("on|e\ntwoX\n");
    for (accepted, overtaken) in [(false, false), (false, true), (true, false), (true, true)] {
        (expected.accepted, expected.overtaken) = (accepted, overtaken);
        let explained = explain(&shown, &next, &expected, Encoding::Utf16);
        let is_ours = matches!(explained, Explanation::Ours { .. });
        assert_eq!(is_ours, accepted && overtaken, "{explained:?}");
    }
}

/// Of two ways of one length from the edit to what is shown, one takes the edit's letter away and
/// types it anew: it is not that one.
#[test]
fn what_an_edit_has_brought_stays_where_it_can() {
    let (shown, mut expected) = expected("«»\n", "x");
    (expected.accepted, expected.certain) = (true, true);
    let Explanation::Ours { edit, typed } =
        explain(&shown, &Rope::from_str("ab\nx"), &expected, Encoding::Utf16)
    else {
        panic!("it is certain");
    };
    let whole = landed(&shown, &edit);
    assert_eq!(deleted_of(&edit, &typed, &whole), 0, "{typed:?}");
    assert_eq!(landed(&whole, &typed).to_string(), "ab\nx");
}

/// What the person would have typed anew of what an edit took away makes it unlikely, or, where the edit
/// is certain, the less likely of two that ask as much of them.
#[test]
fn to_type_anew_what_was_taken_away_is_unlikely() {
    let (shown, mut expected) = expected("ab«hello»cd world\n", "XY");
    let mut ours = expected.edit[0].clone();
    ours.push(Splice {
        at: 10,
        delete: 5,
        insert: String::new(),
    });
    let cost = |expected: &Expected, typed: Patch| expected.cost(&shown, &ours, &typed, 1);
    let typed = |at, text| Patch::single(at, 0, text);
    // Just there, and within its own length of it.
    assert_eq!(cost(&expected, typed(4, "hello")), (5 + 1 + 4 * 5, 0));
    assert_eq!(cost(&expected, typed(2, "hell")), (4 + 1 + 4 * 4, 0));
    // What the second place has lost is where the first has moved it to.
    assert_eq!(cost(&expected, typed(7, "world")), (5 + 1 + 4 * 5, 0));
    // Something else, one letter of it, and the other place's.
    assert_eq!(cost(&expected, typed(4, "water")), (5 + 1, 0));
    assert_eq!(cost(&expected, typed(4, "h")), (1 + 1, 0));
    expected.certain = true;
    assert_eq!(cost(&expected, typed(4, "hello")), (5 + 1, 5));
}

#[test]
fn what_lies_near_is_what_is_within_reach() {
    let mut typed = Patch::single(0, 2, "a");
    for (at, delete) in [(5, 0), (14, 1), (20, 0)] {
        typed.push(Splice {
            at,
            delete,
            insert: "b".into(),
        });
    }
    let at = |place: std::ops::Range<usize>, reach| {
        let near = near(&typed, place, reach);
        near.splices().iter().map(|s| s.at).collect::<Vec<_>>()
    };
    assert_eq!(at(5..7, 0), [5]);
    assert_eq!(at(5..7, 2), [5]);
    assert_eq!(at(5..7, 3), [0, 5]);
    assert_eq!(at(7..12, 2), [5, 14]);
    assert_eq!(at(7..11, 2), [5]);
    assert_eq!(at(17..19, 1), [20]);
    assert_eq!(at(17..19, 2), [14, 20]);
    assert_eq!(at(8..9, 1), [0; 0]);
}

#[test]
fn alike_is_what_stands_beside_each_other() {
    let like = |text: &str, typed: &[&str]| {
        let mut patch = Patch::default();
        for (place, insert) in typed.iter().enumerate() {
            patch.push(Splice {
                at: 10 * place,
                delete: 1,
                insert: (*insert).into(),
            });
        }
        likeness(text.into(), &patch)
    };
    assert_eq!(like("hello", &["say hello"]), 5);
    assert_eq!(like("hello", &["xx", "ello!"]), 4);
    // One of several letters proves nothing, the only one does; blanks never do.
    assert_eq!(like("hello", &["h", "o"]), 0);
    assert_eq!(like("h", &["oh"]), 1);
    assert_eq!(like("  ", &["    "]), 0);
    assert_eq!(like("he", &[]), 0);
    assert_eq!(like("abcabd", &["xabdx"]), 3);
}

/// After a yes: what the person has taken out between makes no difference to where they typed.
#[test]
fn what_was_said_to_have_come_is_found_behind_what_has_gone() {
    let accepted = |marked, new, next: &str| {
        let (shown, mut expected) = expected(marked, new);
        expected.accepted = true;
        expected.may_fall = false;
        let next = Rope::from_str(next);
        matches!(
            explain(&shown, &next, &expected, Encoding::Utf16),
            Explanation::Ours { .. }
        )
    };
    assert!(accepted("«»vw\nx", "Z", "\nZ"));
    assert!(accepted("«»rk\n", "YZ", "one\ntwo\nYZ"));
}

/// Without an answer: who would have typed anew a part of what an edit has taken away has rather not seen it.
#[test]
fn what_is_put_back_was_not_taken() {
    assert_eq!(explained("b𐐀«sta»rt", "", "bart"), "user");
    assert_eq!(
        explained("b𐐀«sta»rt", "", "brt"),
        "ours, then from \"b𐐀rt\""
    );
}
