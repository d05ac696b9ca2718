//! An editor of which nothing is known shows by its answers what can be believed.

use super::tests::{edits, open, others_write, reports};
use super::*;

/// The edit that `effects` ask for is answered.
fn answered(document: &mut Document, asked: &[Effect], answer: Answer) -> Vec<Effect> {
    let edit = asked.iter().find_map(|effect| match effect {
        Effect::Edit { edit, .. } => Some(*edit),
        _ => None,
    });
    let edit = edit.expect("something is asked for");
    document.handle(Event::Answered { edit, answer }, Millis(3))
}

const NO: Answer = Answer::Refused { reason: None };

/// A person has deleted what came before it was reported: to who does not believe the yes, it has not
/// come yet.
#[test]
fn who_has_said_no_is_believed_when_they_say_yes() {
    for has_refused in [false, true] {
        let mut document = open("something new", "ab\n", "ab\n");
        let mut asked = others_write(&mut document, "aXb\n");
        assert_eq!(edits(&asked), [(0, 1, 0, 1, "X")]);
        reports(&mut document, 8, "Yab\n");
        if has_refused {
            asked = answered(&mut document, &asked, NO);
            assert_eq!(edits(&asked), [(0, 2, 0, 2, "X")]);
        }
        answered(&mut document, &asked, Answer::Applied);
        reports(&mut document, 9, "Yab\n");
        let text = if has_refused { "Yab\n" } else { "YaXb\n" };
        assert_eq!(document.main().text(), text, "{has_refused}");
    }
}

/// One that says no for keys that it had not reported lets no edit fall on places that they have moved:
/// where it stands is where it came, or where the person has put it.
#[test]
fn who_says_no_for_unsent_keys_misplaces_nothing() {
    for (reports_first, text) in [(true, "kon|e?\n"), (false, "ko|ne?\n")] {
        let mut document = open("something new", "one\n", "one\n");
        let mut asked = others_write(&mut document, "on|e\n");
        if reports_first {
            reports(&mut document, 8, "one?\n");
            asked = answered(&mut document, &asked, NO);
        } else {
            answered(&mut document, &asked, NO);
            asked = reports(&mut document, 8, "one?\n");
        }
        assert_eq!(edits(&asked), [(0, 2, 0, 2, "|")]);
        answered(&mut document, &asked, Answer::Applied);
        reports(&mut document, 9, "ko|ne?\n");
        assert_eq!(document.main().text(), text, "{reports_first}");
    }
}

/// One that makes every edit, and answers before it reports that or behind: a person who types the same
/// beside it has typed it as well.
#[test]
fn the_order_of_answer_and_report_tells_whose_a_letter_is() {
    let types = |document: &mut Document, version, character| {
        let place = Position { line: 0, character };
        let changes = vec![Change {
            range: Some(crate::position::Range {
                start: place,
                end: place,
            }),
            text: "b".into(),
        }];
        document.handle(Event::Changed { version, changes }, Millis(2));
    };
    for answers_first in [true, false] {
        let mut document = open("Zed", "a\n", "a\n");
        let asked = others_write(&mut document, "ba\n");
        if answers_first {
            answered(&mut document, &asked, Answer::Applied);
        }
        types(&mut document, 8, 0);
        if !answers_first {
            answered(&mut document, &asked, Answer::Applied);
        }
        assert_eq!(document.dialect.answers_first, Some(answers_first));
        assert_eq!(document.main().text(), "ba\n");
        // Now the person's comes first.
        let asked = others_write(&mut document, "bab\n");
        types(&mut document, 9, 2);
        if answers_first {
            assert_eq!(
                document.main().text().len(),
                5,
                "it is the person's at once"
            );
            answered(&mut document, &asked, Answer::Applied);
        }
        types(&mut document, 10, 2);
        if !answers_first {
            answered(&mut document, &asked, Answer::Applied);
        }
        assert_eq!(document.main().text(), "babb\n", "{answers_first}");
        assert!(document.is_settled());
    }
}

fn reports_at(document: &mut Document, at: u64, version: i32, text: &str) -> Vec<Effect> {
    let changes = vec![Change {
        range: None,
        text: text.into(),
    }];
    document.handle(Event::Changed { version, changes }, Millis(at))
}

/// A person has come first, and the editor says yes to what it skips. Once that is known it is asked anew
/// at once, and what its person types meanwhile is theirs, however much it looks like the edit.
#[test]
fn who_says_yes_to_what_it_skips_is_known_by_that() {
    let mut document = open("something new", "ab\n", "ab\n");
    let mut asked = others_write(&mut document, "aXYZb\n");
    let mut version = 7;
    let mut typed = String::new();
    for is_known in [false, false, true] {
        typed.push('1');
        version += 1;
        reports(&mut document, version, &format!("{typed}ab\n"));
        let again = answered(&mut document, &asked, Answer::Applied);
        assert_eq!(edits(&again).is_empty(), !is_known);
        if !is_known {
            typed.push('2');
            version += 1;
            asked = reports(&mut document, version, &format!("{typed}ab\n"));
            assert!(!edits(&asked).is_empty(), "it has not come");
        }
    }
    assert_eq!(document.main().text(), "12121aXYZb\n");
}

/// One that has made an edit that came late, so that it carries edits over, is asked for nothing twice.
#[test]
fn who_makes_what_comes_late_is_waited_for() {
    let mut document = open("something new", "ab\n", "ab\n");
    for (version, before, behind, wanted) in [
        (8, "1ab\n", "1aXYZb\n", "aXYZb\n"),
        (10, "11aXYZb\n", "11aXYZUVWb\n", "1aXYZUVWb\n"),
        (12, "111aXYZUVWb\n", "111aXYZUVWRSTb\n", "11aXYZUVWRSTb\n"),
    ] {
        let asked = others_write(&mut document, wanted);
        reports(&mut document, version, before);
        assert_eq!(edits(&answered(&mut document, &asked, Answer::Applied)), []);
        reports(&mut document, version + 1, behind);
        assert_eq!(document.main().text(), behind);
        assert!(document.is_settled());
    }
}

/// One that never answers has reported something without the edit when that must have come: a letter like it
/// is the person's then. Before that it is the edit.
#[test]
fn what_was_missed_is_not_looked_for() {
    for (at, text) in [(20, "1aXb\n"), (200, "1aXXb\n")] {
        let mut document = open("something new", "ab\n", "ab\n");
        others_write(&mut document, "aXb\n");
        reports_at(&mut document, at, 8, "1ab\n");
        reports_at(&mut document, at + 10, 9, "1aXb\n");
        assert_eq!(document.main().text(), text, "{at}");
    }
}

/// It was slow, and says now that it has made the edit: what was taken for the person's was that.
#[test]
fn who_answers_after_all_was_slow() {
    let mut document = open("something new", "ab\n", "ab\n");
    let asked = others_write(&mut document, "aXb\n");
    reports_at(&mut document, 150, 8, "1ab\n");
    reports_at(&mut document, 200, 9, "1aXb\n");
    assert_eq!(document.main().text(), "1aXXb\n");
    assert_eq!(edits(&answered(&mut document, &asked, Answer::Applied)), []);
    assert_eq!(document.main().text(), "1aXb\n");
    assert!(document.is_settled());
    // Its silence is forgotten, and so what it seemed to do.
    let asked = others_write(&mut document, "1aXbYZ\n");
    reports_at(&mut document, 400, 10, "12aXb\n");
    reports_at(&mut document, 500, 11, "12aXbYZ\n");
    answered(&mut document, &asked, Answer::Applied);
    assert_eq!(document.main().text(), "12aXbYZ\n");
}

/// Who saves without it has not done what they said yes to.
#[test]
fn what_is_saved_lacks_what_was_not_done() {
    let mut document = open("something new", "ab\n", "ab\n");
    let asked = others_write(&mut document, "aXb\n");
    answered(&mut document, &asked, Answer::Applied);
    let saved = Event::Saved {
        text: Some("ab\n".into()),
    };
    let asked = document.handle(saved, Millis(100));
    assert_eq!(edits(&asked), [(0, 1, 0, 1, "X")], "once more");
    // Neovim writes what it has not reported, and is asked to.
    let mut document = open("Neovim", "ab\n", "ab\n");
    let asked = others_write(&mut document, "aXb\n");
    answered(&mut document, &asked, Answer::Applied);
    let saved = Event::Saved {
        text: Some("ab\n".into()),
    };
    assert_eq!(edits(&document.handle(saved, Millis(100))), []);
}

/// Behind its yes the editor reports the text as it was, since its person has taken the edit back. What they
/// take out next is theirs, though the edit could have done a part of it on places that have moved.
#[test]
fn what_was_taken_back_at_once_is_not_waited_for() {
    let mut document = open("something new", "abcdefg\n", "abcdefg\n");
    let asked = others_write(&mut document, "abcdg\n");
    assert_eq!(edits(&asked), [(0, 4, 0, 6, "")]);
    answered(&mut document, &asked, Answer::Applied);
    assert_eq!(edits(&reports(&mut document, 8, "abcdefg\n")), []);
    let asked = reports(&mut document, 9, "xyefg\n");
    assert_eq!(document.main().text(), "xyg\n");
    assert_eq!(edits(&asked), [(0, 2, 0, 4, "")], "once more");
}

/// And who says yes and reports the text as it was, ever again, is asked less and less often, and then no
/// more until something changes.
#[test]
fn what_leaves_no_trace_is_asked_for_less_and_less_often() {
    let mut document = open("something new", "ab\n", "ab\n");
    let mut asked = others_write(&mut document, "aXb\n");
    let (mut now, mut version, mut waits) = (0, 7, Vec::new());
    while !edits(&asked).is_empty() && waits.len() < 9 {
        answered(&mut document, &asked, Answer::Applied);
        version += 1;
        let effects = reports_at(&mut document, now, version, "ab\n");
        assert_eq!(edits(&effects), []);
        let wait = effects.iter().find_map(|effect| match effect {
            Effect::WakeAt(at) => Some(at.0 - now),
            _ => None,
        });
        let Some(wait) = wait else { break };
        waits.push(wait);
        now += wait;
        asked = document.handle(Event::Tick, Millis(now));
    }
    assert_eq!(waits, [2_000, 4_000, 8_000, 16_000]);
    let asked = reports_at(&mut document, now, version + 1, "abc\n");
    assert_eq!(edits(&asked), [(0, 1, 0, 1, "X")]);
}

/// Blanks beside blanks: which of them are new a whole text does not tell, and so not where an edit between
/// them is carried to.
#[test]
fn an_edit_is_found_on_either_side_of_letters_that_are_alike() {
    for landed in ["aXYZ    b\n", "a  XYZ  b\n"] {
        let mut document = open("something new", "a  b\n", "a  b\n");
        others_write(&mut document, "aXYZ  b\n");
        reports(&mut document, 8, "a    b\n");
        reports(&mut document, 9, landed);
        let written = document.main().text();
        assert_eq!(written.matches("XYZ").count(), 1, "{landed:?}");
        assert_eq!(written.matches(' ').count(), 4, "{landed:?}");
    }
    // Or which of two equal letters has gone.
    let mut document = open("something new", "abbc\n", "abbc\n");
    others_write(&mut document, "abXYZbc\n");
    reports(&mut document, 8, "abc\n");
    reports(&mut document, 9, "aXYZbc\n");
    assert_eq!(document.main().text().matches("XYZ").count(), 1);
}

/// The no to an edit that seemed to have come is heard, though another has come since.
#[test]
fn a_late_no_is_for_the_edit_that_it_names() {
    let mut document = open("something new", "ab\n", "ab\n");
    let first = others_write(&mut document, "aXb\n");
    reports(&mut document, 8, "aXb\n");
    let second = others_write(&mut document, "aXYZb\n");
    assert_eq!(edits(&second), [(0, 2, 0, 2, "YZ")]);
    reports(&mut document, 9, "aXYZb\n");
    answered(&mut document, &first, NO);
    answered(&mut document, &second, Answer::Applied);
    // The person has typed one, and the others'.
    assert_eq!(document.main().text().matches('X').count(), 2);
    assert!(document.main().text().contains("YZ"));
}

/// In one that was seen to report at once no edit falls on what its person has typed at the same time: they
/// have replaced a letter, and written another elsewhere.
#[test]
fn who_reports_at_once_has_typed_nothing_on_which_an_edit_fell() {
    for (is_known, text) in [(true, "X--abYef"), (false, "X--abYcef")] {
        let mut document = open("something new", "--abcdef\n", "--abcdef\n");
        let (mut shown, mut version) = ("--abcdef".to_owned(), 7);
        for at in [1_000, 2_000, 3_000].into_iter().filter(|_| is_known) {
            for (letter, wait) in [('1', 0), ('!', 10)] {
                shown.push(letter);
                if letter == '!' {
                    others_write(&mut document, &format!("{shown}\n"));
                }
                version += 1;
                reports_at(&mut document, at + wait, version, &format!("{shown}\n"));
            }
        }
        let wanted = shown.replace('d', "");
        let asked = others_write(&mut document, &format!("{wanted}\n"));
        assert_eq!(edits(&asked), [(0, 5, 0, 6, "")]);
        let typed = format!("X{}\n", shown.replace('c', "Y"));
        reports_at(&mut document, 9_000, version + 1, &typed);
        let text = shown.replace("--abcdef", text) + "\n";
        assert_eq!(document.main().text(), text, "{is_known}");
    }
}
