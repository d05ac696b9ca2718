//! How often and how long an editor is asked, and what is made of a report that could be anyone's.

use super::tests::{edits, open, others_write, ranged, reports, told};
use super::*;

/// When the document wants to be woken.
fn wakes_at(effects: &[Effect]) -> Option<u64> {
    effects.iter().find_map(|effect| match effect {
        Effect::WakeAt(at) => Some(at.0),
        _ => None,
    })
}

fn asked(effects: &[Effect]) -> Option<EditId> {
    effects.iter().find_map(|effect| match effect {
        Effect::Edit { edit, .. } => Some(*edit),
        _ => None,
    })
}

/// An editor that turns everything down is asked more and more seldom, and in the end no more; what
/// is new there is worth another try.
#[test]
fn who_always_refuses_is_not_asked_for_ever() {
    let mut document = open("Visual Studio Code", "ab", "ab");
    let mut effects = others_write(&mut document, "axb");
    let (mut now, mut waits) = (1, Vec::new());
    while let Some(edit) = asked(&effects) {
        assert!(waits.len() < 1_000, "for ever");
        let answer = Answer::Refused { reason: None };
        effects = document.handle(Event::Answered { edit, answer }, Millis(now));
        assert_eq!(asked(&effects), None, "not at once");
        if let Some(at) = wakes_at(&effects) {
            waits.push(at - now);
            now = at;
            effects = document.handle(Event::Tick, Millis(now));
        }
    }
    let round = [50, 100, 200, 400, 800, 1_600, 2_000, 2_000];
    let pauses = [2_000, 4_000, 8_000, 16_000];
    let mut expected = Vec::new();
    for pause in pauses {
        expected.extend(round);
        expected.push(pause);
    }
    expected.extend(round);
    assert_eq!(waits, expected);
    assert_eq!(document.handle(Event::Tick, Millis(now + 100_000)), []);
    let effects = reports(&mut document, 8, "abc");
    assert_eq!(edits(&effects), [(0, 1, 0, 1, "x")]);
}

/// An editor turned an edit down too often; what others write on is another one.
#[test]
fn what_others_write_on_is_worth_another_try() {
    let mut document = open("Visual Studio Code", "ab", "ab");
    let mut effects = others_write(&mut document, "axb");
    let mut now = 1;
    while let Some(edit) = asked(&effects) {
        let answer = Answer::Refused { reason: None };
        effects = document.handle(Event::Answered { edit, answer }, Millis(now));
        if document.retry.not_before.is_some() {
            now = wakes_at(&effects).unwrap();
            effects = document.handle(Event::Tick, Millis(now));
        }
    }
    let effects = others_write(&mut document, "axyb");
    assert_eq!(edits(&effects), [(0, 1, 0, 1, "xy")]);
}

/// A report that never comes is not waited for longer than a second.
#[test]
fn a_gap_that_is_never_filled_is_told_and_passed() {
    let mut document = open("helix", "ab", "ab");
    let changes = vec![ranged((0, 2), (0, 2), "d")];
    let version = 9;
    let effects = document.handle(Event::Changed { version, changes }, Millis(5));
    assert_eq!(effects, [Effect::WakeAt(Millis(1_005))]);
    assert_eq!(document.main().text(), "ab");
    document.handle(Event::Tick, Millis(1_004));
    assert_eq!(document.main().text(), "ab");
    let effects = document.handle(Event::Tick, Millis(1_005));
    assert_eq!(document.main().text(), "abd");
    assert_eq!(told(&effects), 1);
}

/// Nor are more than 64 reports kept for it.
#[test]
fn a_gap_is_passed_when_too_much_waits_behind_it() {
    let mut document = open("helix", "", "");
    let mut types = |version: i32| {
        let changes = vec![ranged((0, 0), (0, 0), "x")];
        let effects = document.handle(Event::Changed { version, changes }, Millis(5));
        (told(&effects), document.main().text().len())
    };
    for version in 9..9 + 64 {
        assert_eq!(types(version), (0, 0));
    }
    assert_eq!(types(9 + 64), (1, 65));
    assert_eq!(types(9 + 65), (0, 66));
}

/// An end outside the text is told as well as a start, and so are the two the wrong way round.
#[test]
fn each_end_of_a_range_is_looked_at() {
    for (start, end) in [((0, 1), (0, 9)), ((0, 2), (0, 1)), ((9, 0), (9, 0))] {
        let mut document = open("helix", "abc", "abc");
        let changes = vec![ranged(start, end, "x")];
        let version = 8;
        let effects = document.handle(Event::Changed { version, changes }, Millis(5));
        assert_eq!(told(&effects), 1, "{start:?} to {end:?}");
    }
}

/// The report that fills a gap brings what waited behind it, in order.
#[test]
fn what_is_early_waits_for_what_is_due() {
    let mut document = open("helix", "", "");
    for (version, at, letter) in [(10, 2, "c"), (9, 1, "b")] {
        let changes = vec![ranged((0, at), (0, at), letter)];
        document.handle(Event::Changed { version, changes }, Millis(5));
        assert_eq!(document.main().text(), "");
    }
    let changes = vec![ranged((0, 0), (0, 0), "a")];
    let version = 8;
    let effects = document.handle(Event::Changed { version, changes }, Millis(6));
    assert_eq!(document.main().text(), "abc");
    assert_eq!((told(&effects), document.version()), (0, 10));
}

/// Whoever sends whole texts may name a version twice.
#[test]
fn a_whole_text_of_the_same_version_is_news() {
    let mut document = open("a stranger", "ab", "ab");
    let effects = reports(&mut document, 7, "abc");
    assert_eq!((told(&effects), document.main().text()), (0, "abc".into()));
}

/// The report looks as if the edit had landed; then the editor says that it has not.
#[test]
fn what_looked_like_ours_and_was_refused_is_the_persons() {
    let mut document = open("a stranger", "ab", "ab");
    let edit = asked(&others_write(&mut document, "axb")).unwrap();
    reports(&mut document, 8, "axb");
    assert_eq!(document.main().text(), "axb", "as if it had landed");
    let answer = Answer::Refused { reason: None };
    let effects = document.handle(Event::Answered { edit, answer }, Millis(3));
    assert_eq!(document.main().text(), "axxb");
    assert!(matches!(edits(&effects)[..], [(.., "x")]), "{effects:?}");
    reports(&mut document, 9, "axxb");
    assert_eq!(document.main().text(), "axxb");
}

/// Helix: an edit is reported just as it was asked for, so that what is different goes on at once;
/// and any number of places in one request.
#[test]
fn an_editor_that_merges_nothing_is_not_waited_for() {
    let mut document = open("helix", "one\n", "one\n");
    let effects = others_write(&mut document, "Xone\nY");
    assert_eq!(edits(&effects), [(0, 0, 0, 0, "X"), (1, 0, 1, 0, "Y")]);
    let changes = vec![ranged((0, 3), (0, 3), "!")];
    let version = 8;
    let effects = document.handle(Event::Changed { version, changes }, Millis(3));
    assert!(matches!(effects[0], Effect::Send { .. }), "{effects:?}");
    assert_eq!(document.main().text(), "Xone!\nY");
}

/// The same of one that reports what was typed and what was asked for as one text.
#[test]
fn an_editor_that_merges_is_asked_for_one_place_at_a_time() {
    let mut document = open("Sublime Text", "one\n", "one\n");
    let effects = others_write(&mut document, "Xone\nY");
    assert_eq!(edits(&effects), [(0, 0, 0, 0, "X")]);
}

/// A file from which an older state was made is not taken for the newest.
#[test]
fn what_was_shown_before_is_not_shown_now() {
    let mut document = open("helix", "old\n", "old\n");
    others_write(&mut document, "new\n");
    let older = Replica::from_state(9, &document.shown_state()).unwrap();
    let mut main = document.close();
    main.begin_showing(None);
    assert_eq!(main.shown().to_string(), "new\n");
    main.begin_showing(Some(&older));
    assert_eq!(main.shown().to_string(), "old\n");
    assert!(!main.is_shown());
}

/// A save may be overtaken by a few reports; a text that has not been there for long is another
/// matter.
#[test]
fn a_save_is_overtaken_by_a_few_reports_at_most() {
    let mut document = open("helix", "0", "0");
    for version in 8..=16 {
        reports(&mut document, version, &version.to_string());
    }
    let mut save = |text: &str| {
        let text = Some(text.to_owned());
        told(&document.handle(Event::Saved { text }, Millis(3)))
    };
    assert_eq!(["16", "15", "12", "8"].map(&mut save), [0, 0, 0, 0]);
    assert_eq!(save("0"), 1, "a drift");
}

#[test]
fn what_would_be_shown_is_not_taken_in() {
    let document = open("helix", "one\n", "one\n");
    let changes = [ranged((0, 3), (0, 3), "!"), ranged((0, 0), (0, 1), "O")];
    assert_eq!(document.shown_after(&changes).to_string(), "One!\n");
    assert_eq!(document.shown(), "one\n");
}
