//! An edit that was under way when its document was closed, and what becomes of it.

use super::tests::{edits, open, others_write, reports};
use super::*;

const VS_CODE: &str = "Visual Studio Code";

/// A document that shows "ab", closed while it is asked for the `x` of "xab".
fn closed() -> (Replica, Replica) {
    closed_by(VS_CODE)
}

fn closed_by(client: &str) -> (Replica, Replica) {
    let mut document = open(client, "ab", "ab");
    others_write(&mut document, "xab");
    document.handle(Event::Closing, Millis(2));
    let base = Replica::from_state(9, &document.shown_state()).unwrap();
    (document.close(), base)
}

fn reopen(closed: (Replica, Replica), text: &str) -> (Document, Vec<Effect>) {
    reopen_by(VS_CODE, closed, text)
}

fn reopen_by(
    client: &str,
    (main, base): (Replica, Replica),
    text: &str,
) -> (Document, Vec<Effect>) {
    let opened = Opened {
        text: text.into(),
        version: 1,
        encoding: Encoding::Utf16,
        dialect: Dialect::choose(Some(client)),
        eol_crlf: false,
        user: 4,
    };
    Document::open(main, Some(base), opened, Millis(3))
}

const EDIT: EditId = EditId(3);

/// A request names the version of an opening that is over, and the next one has come to the same.
#[test]
fn an_edit_for_an_earlier_opening_is_known_in_the_next() {
    let again = |answer: Answer, text: &str| {
        let (mut document, effects) = reopen(closed(), "ab");
        assert_eq!(edits(&effects), [], "one is under way");
        let mut told = Vec::new();
        if text != "ab" {
            told.extend(reports(&mut document, 8, text));
        }
        let edit = EDIT;
        told.extend(document.handle(Event::Answered { edit, answer }, Millis(4)));
        told.extend(document.handle(Event::Tick, Millis(60)));
        let told = edits(&told).len();
        (document.main().text(), document.shown(), told)
    };
    let (text, shown) = ("xab".to_owned(), "xab".to_owned());
    assert_eq!(again(Answer::Applied, "xab"), (text.clone(), shown, 0));
    let refused = Answer::Refused { reason: None };
    assert_eq!(again(refused, "ab"), (text, "ab".to_owned(), 1));
}

/// The person types just what was asked for, saves, closes and opens again; then the editor says that it has not
/// made the edit.
#[test]
fn a_no_that_comes_in_the_next_opening_is_heard() {
    let mut document = open("something new", "ab", "ab");
    others_write(&mut document, "xab");
    reports(&mut document, 8, "xab");
    assert_eq!(document.main().text(), "xab", "it seems to be there");
    document.handle(Event::Closing, Millis(2));
    let base = Replica::from_state(9, &document.shown_state()).unwrap();
    let (mut document, _) = reopen_by("something new", (document.close(), base), "xab");
    let answer = Answer::Refused { reason: None };
    let told = document.handle(Event::Answered { edit: EDIT, answer }, Millis(4));
    assert_eq!(document.main().text(), "xxab");
    assert_eq!(edits(&told), [(0, 1, 0, 1, "x")]);
}

/// Turned down while nobody showed the document: it is asked for anew at once.
#[test]
fn what_was_refused_meanwhile_is_not_waited_for() {
    let (mut main, base) = closed();
    main.answered(EDIT, &Answer::Refused { reason: None });
    let (_, effects) = reopen((main, base), "ab");
    assert_eq!(edits(&effects), [(0, 0, 0, 0, "x")]);
}

/// The answer to another edit says nothing of this one.
#[test]
fn an_answer_is_to_the_edit_that_it_names() {
    let (mut main, base) = closed();
    main.answered(EditId(99), &Answer::Refused { reason: None });
    main.answered(EditId(99), &Answer::Applied);
    let (document, effects) = reopen((main, base), "xabc");
    assert_eq!(edits(&effects), [], "one is under way");
    assert_eq!(document.main().text(), "xxabc", "the person's");
}

/// Made while nobody showed the document: what is opened holds it, and perhaps what the person has
/// typed beside it.
#[test]
fn what_was_made_meanwhile_is_in_the_text_that_is_opened() {
    for text in ["xab", "xabc"] {
        let (mut main, base) = closed();
        main.answered(EDIT, &Answer::Applied);
        let (document, effects) = reopen((main, base), text);
        assert_eq!(
            (document.main().text(), document.shown()),
            (text.into(), text.into())
        );
        assert_eq!(edits(&effects), [], "nothing is left to do");
    }
}

/// The same, but the text is opened as it was, and the edit is reported behind it: whatever version
/// it was asked for, that of this opening is lower.
#[test]
fn what_was_made_meanwhile_may_be_reported_later() {
    let (mut main, base) = closed();
    main.answered(EDIT, &Answer::Applied);
    let (mut document, effects) = reopen((main, base), "ab");
    assert_eq!(edits(&effects), [], "one is under way");
    reports(&mut document, 2, "xab");
    assert_eq!(document.main().text(), "xab");
    assert!(document.is_settled());
}

/// Or it was made in a buffer that is gone: then what comes is the person's, and it is asked for
/// again.
#[test]
fn what_was_made_in_a_buffer_that_is_gone_is_asked_for_again() {
    let (mut main, base) = closed();
    main.answered(EDIT, &Answer::Applied);
    let (mut document, _) = reopen((main, base), "ab");
    let effects = reports(&mut document, 2, "abc");
    assert_eq!(document.main().text(), "xabc");
    assert_eq!(edits(&effects), [(0, 0, 0, 0, "x")]);
}

/// In Emacs, what is reported for a version beyond that of the request waits for its answer, and what
/// is not is the person's.
#[test]
fn what_may_hold_an_earlier_edit_waits_for_the_answer() {
    for (version, sent) in [(7, true), (8, false)] {
        let (mut document, _) = reopen_by("Emacs", closed_by("Emacs"), "ab");
        reports(&mut document, version, "abc");
        assert_eq!(document.main().text() == "xabc", sent, "version {version}");
    }
}
