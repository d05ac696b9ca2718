//! What is made of the text that a file is opened with.

use super::tests::edits;
use super::*;

fn open(main: &Replica, base: Option<&str>, text: &str) -> (Document, Vec<Effect>) {
    let opened = Opened {
        text: text.into(),
        version: 1,
        encoding: Encoding::Utf16,
        dialect: Dialect::choose(Some("Visual Studio Code")),
        eol_crlf: false,
        user: 3,
    };
    let base = base.map(|text| {
        let mut base = main.fork(2);
        base.edit(text);
        base
    });
    Document::open(main.fork(4), base, opened, Millis(0))
}

fn shared(text: &str) -> Replica {
    let mut main = Replica::new(1);
    main.edit(text);
    main
}

/// Nobody knows what the text was made from: it is kept, and takes no part in the shared one.
#[test]
fn a_text_of_unknown_origin_is_kept_and_not_merged() {
    let (document, effects) = open(&shared("one\n"), None, "two\n");
    assert_eq!(document.main().text(), "one\n");
    let kept = |effect: &Effect| matches!(effect, Effect::Recover { text, .. } if text == "two\n");
    assert!(effects.iter().any(kept), "{effects:?}");
    let told = |effect: &Effect| matches!(effect, Effect::Tell { .. });
    assert!(effects.iter().any(told), "{effects:?}");
    assert_eq!(edits(&effects), [(0, 0, 0, 3, "one")]);
    let sent = |effect: &Effect| matches!(effect, Effect::Send { .. });
    assert!(!effects.iter().any(sent), "{effects:?}");
}

#[test]
fn a_text_like_the_shared_one_needs_no_origin() {
    let (document, effects) = open(&shared("one\n"), None, "one\n");
    assert_eq!(effects, []);
    assert_eq!(document.shown(), "one\n");
}

#[test]
fn what_was_not_saved_of_a_known_text_is_merged() {
    let main = shared("one\ntwo\n");
    let mut theirs = main.fork(9);
    theirs.edit("one!\ntwo\n");
    let (document, effects) = open(&theirs, Some("one\ntwo\n"), "one\ntwo, three\n");
    assert_eq!(document.main().text(), "one!\ntwo, three\n");
    let sent = |effect: &Effect| matches!(effect, Effect::Send { .. });
    assert!(effects.iter().any(sent), "{effects:?}");
    assert_eq!(edits(&effects), [(0, 3, 0, 3, "!")]);
}
