//! What becomes of a `\r` in editors that cannot be sent one.

use super::tests::{edits, open, others_write, ranged, reports};
use super::*;

/// The editor has made the edit, says so, and reports this text.
fn makes(document: &mut Document, effects: &[Effect], version: i32, text: &str) -> Vec<Effect> {
    document.handle(Event::Flushed { is_sure: true }, Millis(2));
    let mut next = reports(document, version, text);
    let edit = effects.iter().find_map(|effect| match effect {
        Effect::Edit { edit, .. } => Some(*edit),
        _ => None,
    });
    let edit = edit.expect("it was asked for");
    let answer = Answer::Applied;
    next.extend(document.handle(Event::Answered { edit, answer }, Millis(3)));
    next.extend(document.handle(Event::Flushed { is_sure: true }, Millis(3)));
    next
}

#[test]
fn one_that_others_write_is_not_sent_and_stays() {
    for (shared, shown, edit) in [
        ("one\nx\r\ny\ntwo\n", "one\nx\ny\ntwo\n", "x\ny\n"),
        ("one\na\rb\ntwo\n", "one\nab\ntwo\n", "ab\n"),
        ("one\n\r\ntwo\n", "one\n\ntwo\n", "\n"),
    ] {
        let mut document = open("Neovim", "one\ntwo\n", "one\ntwo\n");
        let effects = others_write(&mut document, shared);
        assert_eq!(edits(&effects), [(1, 0, 1, 0, edit)]);
        let effects = makes(&mut document, &effects, 8, shown);
        assert_eq!(edits(&effects), []);
        assert!(document.is_settled());
        assert_eq!(document.main().text(), shared);
        assert_eq!(document.shown(), shown);
        // And it goes on.
        let effects = others_write(&mut document, &shared.replace("two", "two!"));
        assert_eq!(edits(&effects).len(), 1);
        let shown = shown.replace("two", "two!");
        makes(&mut document, &effects, 9, &shown);
        assert!(document.is_settled());
        reports(&mut document, 10, &shown.replace("one", "One"));
        let expected = shared.replace("two", "two!").replace("one", "One");
        assert_eq!(document.main().text(), expected);
    }
}

#[test]
fn one_that_comes_later_is_not_sent_either() {
    let mut document = open("Neovim", "one\ntwo\n", "one\ntwo\n");
    let effects = others_write(&mut document, "one!\ntwo\n");
    makes(&mut document, &effects, 8, "one!\ntwo\n");
    let effects = others_write(&mut document, "one!\nx\r\ntwo\n");
    assert_eq!(edits(&effects), [(1, 0, 1, 0, "x\n")]);
    makes(&mut document, &effects, 9, "one!\nx\ntwo\n");
    assert!(document.is_settled());
    assert_eq!(document.main().text(), "one!\nx\r\ntwo\n");
}

#[test]
fn one_alone_is_nothing_to_do() {
    let mut document = open("Neovim", "one\ntwo\n", "one\ntwo\n");
    assert_eq!(others_write(&mut document, "one\r\ntwo\r\n"), []);
    assert!(document.is_settled());
    assert_eq!(document.shown(), "one\ntwo\n");
}

#[test]
fn the_end_of_a_line_is_before_it_and_goes_with_the_line() {
    for (shown, shared) in [
        ("one!\ntwo\n", "one!\r\ntwo\r\n"),
        ("onetwo\n", "onetwo\r\n"),
        ("two\n", "two\r\n"),
        ("one\nX\ntwo\n", "one\r\nX\ntwo\r\n"),
    ] {
        let mut document = open("Neovim", "one\ntwo\n", "one\ntwo\n");
        others_write(&mut document, "one\r\ntwo\r\n");
        reports(&mut document, 8, shown);
        assert_eq!(document.main().text(), shared);
        assert!(document.is_settled());
    }
}

/// The file has it, and so the editor shows it; nobody touches it who writes beside it.
#[test]
fn one_that_is_shown_is_not_touched() {
    let text = "one\nthree\r\nfour\n";
    let mut document = open("Neovim", text, text);
    let effects = others_write(&mut document, "one\nthree\rX\nfour\n");
    assert_eq!(edits(&effects), [(1, 6, 1, 6, "X")]);
    let effects = makes(&mut document, &effects, 8, "one\nthree\rX\nfour\n");
    assert_eq!(edits(&effects), []);
    assert!(document.is_settled());
    // Nor is it written anew when the person does: at once with others it stands there once.
    let mut other = document.main().fork(99);
    reports(&mut document, 9, "one\nthree\rYX\nfour\n");
    let update = other.edit("one\nthree\rXZ\nfour\n");
    document.handle(Event::Remote { update }, Millis(4));
    assert_eq!(document.main().text(), "one\nthree\rYXZ\nfour\n");
}

/// Emacs and Helix show it as what it is, and their people type behind it, two at once.
#[test]
fn who_types_behind_one_does_not_write_it_anew() {
    for client in ["Emacs", "helix"] {
        let text = "three\r\nfour\n";
        let mut document = open(client, text, text);
        let mut other = document.main().fork(99);
        let changes = vec![ranged((0, 6), (0, 6), "X")];
        let version = 8;
        document.handle(Event::Changed { version, changes }, Millis(2));
        let update = other.edit("three\rY\nfour\n");
        document.handle(Event::Remote { update }, Millis(3));
        let text = document.main().text();
        let both = ["three\rXY\nfour\n", "three\rYX\nfour\n"];
        assert!(both.contains(&text.as_str()), "{client}: {text:?}");
    }
}

/// Emacs makes an edit where a key that it has not reported has moved its place: the `\r` in it is the
/// others' there as well.
#[test]
fn one_in_an_edit_that_fell_is_not_the_persons() {
    let mut document = open("Emacs", "one\ntwo\n", "one\ntwo\n");
    let effects = others_write(&mut document, "on\r\ne\ntwo\n");
    assert_eq!(edits(&effects), [(0, 2, 0, 2, "\r\n")]);
    let edit = EditId(3);
    let answer = Answer::Applied;
    document.handle(Event::Answered { edit, answer }, Millis(2));
    let changes = vec![ranged((0, 0), (0, 2), "ko\r\nn")];
    let version = 8;
    document.handle(Event::Changed { version, changes }, Millis(3));
    assert_eq!(document.main().text(), "kon\r\ne\ntwo\n");
}

/// Nobody knows whether a stranger has a place between a `\r` and a `\n`.
#[test]
fn a_stranger_shows_one_no_more_where_others_write_behind_it() {
    let text = "one\nthree\r\nfour\n";
    let mut document = open("a stranger", text, text);
    let effects = others_write(&mut document, "one\nthree\rX\nfour\n");
    assert_eq!(edits(&effects), [(1, 5, 2, 0, "X\n")]);
    let effects = makes(&mut document, &effects, 8, "one\nthreeX\nfour\n");
    assert_eq!(edits(&effects), []);
    assert!(document.is_settled());
    assert_eq!(document.main().text(), "one\nthree\rX\nfour\n");
}

/// Who undoes a deletion brings it back for everyone else.
#[test]
fn what_was_deleted_with_a_line_comes_back_with_it() {
    let mut document = open("Neovim", "one\ntwo\n", "one\ntwo\n");
    others_write(&mut document, "one\r\ntwo\n");
    reports(&mut document, 8, "two\n");
    assert_eq!(document.main().text(), "two\n");
    let effects = document.handle(Event::Undo, Millis(900));
    assert_eq!(document.main().text(), "one\r\ntwo\n");
    assert_eq!(edits(&effects), [(0, 0, 0, 0, "one\n")]);
}

/// A bridge that was killed knows what its editor did not show.
#[test]
fn the_journal_knows_it() {
    let mut document = open("Neovim", "one\ntwo\n", "one\ntwo\n");
    others_write(&mut document, "one\r\ntwo\n");
    let start = document.begin_journal();
    let left = Left::read(11, &start, []).expect("an own journal");
    let shown = Replica::from_state(12, &left.shown[0]).expect("a state");
    assert_eq!(shown.text(), "one\ntwo\n");
    let main = Replica::from_state(13, &left.state).expect("a state");
    assert_eq!(main.text(), "one\r\ntwo\n");
    let opened = Opened {
        text: "one!\ntwo\n".into(),
        version: 0,
        encoding: Encoding::Utf16,
        dialect: Dialect::choose(Some("Neovim")),
        eol_crlf: false,
        user: 4,
    };
    let (document, effects) = Document::open(main, Some(shown), opened, Millis(0));
    assert_eq!(edits(&effects), []);
    assert_eq!(document.main().text(), "one!\r\ntwo\n");
    assert!(document.is_settled());
}
