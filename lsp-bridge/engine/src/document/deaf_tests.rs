//! An editor that may report nothing any more is asked for an edit that changes nothing before any other.

use super::tests::{edits, open_at, others_write, reports};
use super::{Answer, Document, EditId, Effect, Event, Millis};

/// The edit that changes nothing.
const NOTHING: (u32, u32, u32, u32, &str) = (0, 0, 0, 0, "");

fn neovim(text: &str) -> Document {
    open_at(0, "Neovim", text, text)
}

/// The editor has done what it was asked for, or says so.
fn says_yes(document: &mut Document, effects: &[Effect]) -> Vec<Effect> {
    let asked = effects.iter().find_map(|effect| match effect {
        Effect::Edit { edit, .. } => Some(*edit),
        _ => None,
    });
    let (edit, answer) = (asked.expect("it was asked"), Answer::Applied);
    document.handle(Event::Answered { edit, answer }, Millis(2))
}

/// It has reported everything.
fn is_sure(document: &mut Document) -> Vec<Effect> {
    document.handle(Event::Flushed { is_sure: true }, Millis(3))
}

fn tells(effects: &[Effect]) -> bool {
    effects.iter().any(|e| matches!(e, Effect::Tell { .. }))
}

#[test]
fn an_editor_that_hears_is_asked_for_others_text_next() {
    for answers_first in [false, true] {
        let mut document = neovim("one\n");
        let asked = others_write(&mut document, "one two\n");
        assert_eq!(edits(&asked), [NOTHING]);
        is_sure(&mut document);
        if answers_first {
            assert_eq!(edits(&says_yes(&mut document, &asked)), []);
        }
        // What its person has typed since is theirs.
        let effects = reports(&mut document, 9, "my one\n");
        assert_eq!(edits(&effects), [(0, 6, 0, 6, " two")]);
        assert_eq!(document.main().text(), "my one two\n");
        if !answers_first {
            assert_eq!(edits(&says_yes(&mut document, &asked)), []);
        }
        assert!(!tells(&is_sure(&mut document)));
        // The edit of nothing is reported by itself.
        let edit = EditId(document.next_edit - 1);
        reports(&mut document, 10, "my one\n");
        assert!(document.flight.as_ref().is_some_and(|f| f.id == edit));
        is_sure(&mut document);
        reports(&mut document, 11, "my one two\n");
        assert!(document.is_settled());
        assert_eq!(document.main().text(), "my one two\n");
    }
}

/// The report of the edit that changes nothing moves the version on, and Neovim skips the next with a yes.
/// What its person types alike is theirs.
#[test]
fn an_edit_whose_version_is_gone_is_not_waited_for() {
    let mut document = neovim("one\n");
    let nothing = others_write(&mut document, "aone\n");
    is_sure(&mut document);
    says_yes(&mut document, &nothing);
    let asked = reports(&mut document, 9, "my one\n");
    assert_eq!(edits(&asked), [(0, 3, 0, 3, "a")]);
    is_sure(&mut document);
    reports(&mut document, 10, "my one\n");
    is_sure(&mut document);
    let again = says_yes(&mut document, &asked);
    assert_eq!(edits(&again), [(0, 3, 0, 3, "a")]);
    reports(&mut document, 11, "my aone\n");
    assert_eq!(document.main().text(), "my aaone\n");
}

#[test]
fn one_that_is_deaf_is_asked_for_nothing_more() {
    for hears_again in [false, true] {
        let mut document = neovim("one\n");
        let asked = others_write(&mut document, "one two\n");
        is_sure(&mut document);
        says_yes(&mut document, &asked);
        let effects = is_sure(&mut document);
        assert!(matches!(effects[..], [Effect::Tell { .. }]), "{effects:?}");
        assert!(document.is_deaf());
        assert_eq!(others_write(&mut document, "one two three\n"), []);
        assert_eq!(document.handle(Event::Tick, Millis(60_000)), []);
        // What was typed meanwhile comes with the save, or with a report after all.
        if hears_again {
            let effects = reports(&mut document, 9, "my one\n");
            assert_eq!(edits(&effects), [(0, 6, 0, 6, " two three")]);
            assert!(!document.is_deaf());
        } else {
            let text = Some("my one\n".to_owned());
            let effects = document.handle(Event::Saved { text }, Millis(60_001));
            assert!(!tells(&effects), "once is enough");
        }
        assert_eq!(document.main().text(), "my one two three\n");
    }
}

#[test]
fn a_save_of_what_was_never_reported_shows_it() {
    let mut document = neovim("one\n");
    let text = Some("my one\n".to_owned());
    let effects = document.handle(Event::Saved { text }, Millis(1));
    assert!(tells(&effects) && document.is_deaf());
    assert_eq!(document.main().text(), "my one\n");
    assert_eq!(others_write(&mut document, "my one two\n"), []);
}

/// The refusal is no report, and no yes.
#[test]
fn one_that_refuses_is_asked_again() {
    let mut document = neovim("one\n");
    let asked = others_write(&mut document, "one two\n");
    let Some(Effect::Edit { edit, .. }) = asked.iter().find(|e| matches!(e, Effect::Edit { .. }))
    else {
        panic!("{asked:?}");
    };
    let refused = Event::Answered {
        edit: *edit,
        answer: Answer::Refused { reason: None },
    };
    assert_eq!(edits(&document.handle(refused, Millis(2))), []);
    let effects = document.handle(Event::Tick, Millis(60));
    assert_eq!(edits(&effects), [NOTHING]);
}

#[test]
fn it_can_be_asked_at_once() {
    let mut document = neovim("one\n");
    let asked = document.ask_whether_it_hears(Millis(1));
    assert_eq!(edits(&asked), [NOTHING]);
    assert_eq!(edits(&others_write(&mut document, "one two\n")), []);
    is_sure(&mut document);
    says_yes(&mut document, &asked);
    assert!(tells(&is_sure(&mut document)));
    for other in ["helix", "unknown"] {
        let mut document = open_at(0, other, "one\n", "one\n");
        assert_eq!(document.ask_whether_it_hears(Millis(1)), []);
    }
    let mut document = open_at(3, "Neovim", "one\n", "one\n");
    assert_eq!(document.ask_whether_it_hears(Millis(1)), []);
}
