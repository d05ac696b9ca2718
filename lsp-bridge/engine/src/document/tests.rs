//! What one document does, event by event. How many of them fare together is the simulation's.

use yrs::{Text, Transact};

use super::*;
use crate::position::Range;

/// A document on which everyone has agreed on `shared`, opened by a client that shows `shown`.
pub(super) fn open(client: &str, shared: &str, shown: &str) -> Document {
    open_at(7, client, shared, shown)
}

pub(super) fn open_at(version: i32, client: &str, shared: &str, shown: &str) -> Document {
    let mut main = Replica::new(1);
    main.edit(shared);
    let base = main.fork(2);
    let opened = Opened {
        text: shown.into(),
        version,
        encoding: Encoding::Utf16,
        dialect: Dialect::choose(Some(client)),
        eol_crlf: false,
        user: 3,
    };
    let (document, effects) = Document::open(main, Some(base), opened, Millis(0));
    assert_eq!(effects, [], "opening {shared:?} as {shown:?}");
    document
}

/// Somebody else makes the shared text `text`.
pub(super) fn others_write(document: &mut Document, text: &str) -> Vec<Effect> {
    let mut other = document.main().fork(99);
    let update = other.edit(text);
    document.handle(Event::Remote { update }, Millis(1))
}

pub(super) fn reports(document: &mut Document, version: i32, text: &str) -> Vec<Effect> {
    let changes = vec![Change {
        range: None,
        text: text.into(),
    }];
    document.handle(Event::Changed { version, changes }, Millis(2))
}

/// The editor has reported everything that it had to report.
fn has_reported(document: &mut Document) -> Vec<Effect> {
    document.handle(Event::Flushed { is_sure: true }, Millis(2))
}

pub(super) fn edits(effects: &[Effect]) -> Vec<(u32, u32, u32, u32, &str)> {
    let edits = effects.iter().find_map(|effect| match effect {
        Effect::Edit { edits, .. } => Some(edits),
        _ => None,
    });
    let edits = edits.into_iter().flatten();
    edits
        .map(|edit| {
            let Range { start, end } = edit.range;
            let text = edit.new_text.as_str();
            (start.line, start.character, end.line, end.character, text)
        })
        .collect()
}

#[test]
fn a_pair_that_somebody_cuts_is_shown_as_the_two_halves_that_it_is_then() {
    let mut document = open("helix", "a😀b\n", "a😀b\n");
    let other = document.main().fork(99);
    let update = {
        let content = other.doc().get_or_insert_text("content");
        let mut txn = other.doc().transact_mut();
        content.insert(&mut txn, 2, "x");
        txn.encode_update_v1()
    };
    let effects = document.handle(Event::Remote { update }, Millis(1));
    assert_eq!(edits(&effects), [(0, 1, 0, 3, "\u{fffd}\u{fffd}")]);
    reports(&mut document, 8, "a\u{fffd}\u{fffd}b\n");
    let (edit, answer) = (EditId(document.next_edit - 1), Answer::Applied);
    let effects = document.handle(Event::Answered { edit, answer }, Millis(3));
    assert_eq!(edits(&effects), [(0, 2, 0, 2, "x")]);
    assert_eq!(document.main().text(), "a\u{fffd}x\u{fffd}b\n");
}

#[test]
fn a_mark_that_the_editor_hides_stays() {
    let mut document = open("Neovim", "\u{feff}bom\n", "bom\n");
    let text = Some("bom\n".to_owned());
    assert_eq!(document.handle(Event::Saved { text }, Millis(1)), []);
    let effects = others_write(&mut document, "\u{feff}boom\n");
    assert_eq!(edits(&effects), [(0, 2, 0, 2, "o")]);
    has_reported(&mut document);
    reports(&mut document, 8, "boom\n");
    reports(&mut document, 9, "boom!\n");
    assert_eq!(document.main().text(), "\u{feff}boom!\n");
    let place = Position {
        line: 0,
        character: 1,
    };
    assert_eq!(document.to_shown(document.to_shared(place)), place);
}

#[test]
fn a_mark_that_somebody_takes_away_is_gone() {
    let mut document = open("helix", "\u{feff}bom\n", "bom\n");
    assert_eq!(edits(&others_write(&mut document, "bom\n")), []);
    assert_eq!(document.shown(), "bom\n");
    assert_eq!(
        edits(&others_write(&mut document, "boom\n")),
        [(0, 2, 0, 2, "o")]
    );
}

/// Neovim shows a file that lacks its final newline without one, adds one to the disk when it
/// saves, and shows it from its next report on.
#[test]
fn a_final_newline_comes_once() {
    let mut document = open("Neovim", "a", "a");
    assert_eq!(others_write(&mut document, "a\n"), [], "nothing to show");
    assert_eq!(
        edits(&others_write(&mut document, "a\nb\n")),
        [(0, 1, 0, 1, "\nb")]
    );
    has_reported(&mut document);
    reports(&mut document, 8, "a\nb");
    assert_eq!(document.main().text(), "a\nb\n");
    reports(&mut document, 9, "a\nbc\n");
    assert_eq!(document.main().text(), "a\nbc\n");
    assert!(document.is_settled());
}

/// And one that is nobody's stays that when they write a line behind it: nobody has typed a second one.
#[test]
fn a_newline_that_the_editor_insists_on_is_no_change() {
    let mut document = open("Neovim", "a", "a\n");
    assert_eq!(
        edits(&others_write(&mut document, "ab")),
        [(0, 1, 0, 1, "b")]
    );
    has_reported(&mut document);
    reports(&mut document, 8, "ab\n");
    assert_eq!(document.main().text(), "ab");
    reports(&mut document, 9, "ab\nc\n");
    assert_eq!(document.main().text(), "ab\nc");
    reports(&mut document, 10, "ab\nc\n\n");
    assert_eq!(document.main().text(), "ab\nc\n");
    reports(&mut document, 11, "ab\nc\n");
    assert_eq!(document.main().text(), "ab\nc");
    reports(&mut document, 12, "ab\n\n");
    assert_eq!(document.main().text(), "ab\n");
}

/// Neovim's version counts changes: one of them is not the person's and ours.
#[test]
fn one_change_is_the_persons_or_ours() {
    let mut document = open("Neovim", "a\n", "a\n");
    reports(&mut document, 8, "ab\n");
    others_write(&mut document, "abXY\n");
    has_reported(&mut document);
    let (edit, answer) = (EditId(document.next_edit - 1), Answer::Applied);
    document.handle(Event::Answered { edit, answer }, Millis(3));
    // As if the edit had come and its `Y` been deleted.
    reports(&mut document, 9, "abX\n");
    assert_eq!(document.main().text(), "abXXY\n");
}

/// VS Code makes no edit for a text that it has left, so what looks like one is the person's.
#[test]
fn what_comes_too_late_does_not_come() {
    let mut document = open("Visual Studio Code", "abbb\n", "abbb\n");
    assert_eq!(
        edits(&others_write(&mut document, "abb\n")),
        [(0, 3, 0, 4, "")]
    );
    reports(&mut document, 8, "Xabbb\n");
    let place = |character| Position { line: 0, character };
    let changes = vec![Change {
        range: Some(Range {
            start: place(2),
            end: place(3),
        }),
        text: String::new(),
    }];
    let version = 9;
    document.handle(Event::Changed { version, changes }, Millis(3));
    assert_eq!(document.main().text(), "Xab\n");
}

#[test]
fn a_refusal_is_answered_with_the_next_try() {
    let mut document = open("Visual Studio Code", "ab\n", "ab\n");
    assert_eq!(
        edits(&others_write(&mut document, "aXb\n")),
        [(0, 1, 0, 1, "X")]
    );
    let typed = Change {
        range: Some(Range {
            start: Position {
                line: 0,
                character: 0,
            },
            end: Position {
                line: 0,
                character: 0,
            },
        }),
        text: "Y".into(),
    };
    let changes = vec![typed];
    document.handle(
        Event::Changed {
            version: 8,
            changes,
        },
        Millis(2),
    );
    let answer = Answer::Refused { reason: None };
    let effects = document.handle(
        Event::Answered {
            edit: EditId(3),
            answer,
        },
        Millis(3),
    );
    assert_eq!(edits(&effects), [(0, 2, 0, 2, "X")]);
    assert_eq!(document.main().text(), "YaXb\n");
}

#[test]
fn a_save_heals_what_had_drifted() {
    let mut document = open("helix", "ab\n", "ab\n");
    let text = Some("abc\n".to_owned());
    let effects = document.handle(Event::Saved { text }, Millis(1));
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::Tell { .. }))
    );
    assert_eq!(document.main().text(), "abc\n");
}

pub(super) fn ranged(start: (u32, u32), end: (u32, u32), text: &str) -> Change {
    let place = |(line, character)| Position { line, character };
    Change {
        range: Some(Range {
            start: place(start),
            end: place(end),
        }),
        text: text.into(),
    }
}

pub(super) fn told(effects: &[Effect]) -> usize {
    let is_told = |effect: &&Effect| matches!(effect, Effect::Tell { .. });
    effects.iter().filter(is_told).count()
}

/// Places that the text does not have: behind its end, behind a line, inside a surrogate pair, the
/// wrong way round. The document survives, the person is told once, and a save puts all right.
#[test]
fn nonsense_is_survived_told_once_and_healed() {
    let mut document = open("helix", "a😀b\n", "a😀b\n");
    let nonsense = [
        ranged((9, 9), (9, 9), "1"),
        ranged((0, 99), (0, 99), "2"),
        ranged((0, 2), (0, 2), "3"),
        ranged((0, 3), (0, 1), "4"),
        ranged((u32::MAX, u32::MAX), (u32::MAX, u32::MAX), "5"),
    ];
    let mut count = 0;
    for (version, change) in (8..).zip(nonsense) {
        let changes = vec![change];
        let effects = document.handle(Event::Changed { version, changes }, Millis(2));
        count += told(&effects);
        assert_eq!(document.main().text(), document.shown());
    }
    assert_eq!(count, 1);
    let text = Some("what the editor really shows\n".to_owned());
    document.handle(Event::Saved { text }, Millis(3));
    assert_eq!(document.main().text(), "what the editor really shows\n");
}

#[test]
fn an_older_text_does_not_undo_a_newer_one() {
    let mut document = open("something new", "a\n", "a\n");
    reports(&mut document, 9, "ab\n");
    let effects = reports(&mut document, 8, "a\n");
    assert_eq!(told(&effects), 1);
    assert_eq!(document.main().text(), "ab\n");
    reports(&mut document, 10, "abc\n");
    assert_eq!(document.main().text(), "abc\n");
}

/// An editor whose versions begin anew is heard, and what comes twice is taken once.
#[test]
fn versions_that_go_backwards_are_followed() {
    for client in ["something new", "Neovim", "Sublime Text", "kak-lsp"] {
        let mut document = open_at(24, client, "a\n", "a\n");
        reports(&mut document, 25, "ab\n");
        let effects = reports(&mut document, 4, "abc\n");
        assert_eq!((told(&effects), document.version()), (0, 4), "{client}");
        assert_eq!(document.main().text(), "abc\n", "{client}");
        reports(&mut document, 5, "abcd\n");
        assert_eq!(told(&reports(&mut document, 4, "abc\n")), 0, "{client}");
        assert_eq!(document.main().text(), "abcd\n", "{client}");
        assert_eq!(document.version(), 5, "{client}");
    }
}

/// Saves are written in the background, and others' text lands meanwhile.
#[test]
fn a_save_that_is_overtaken_takes_nothing_back() {
    let mut document = open("helix", "ab\n", "ab\n");
    let changes = vec![ranged((0, 2), (0, 2), "c")];
    let version = 8;
    document.handle(Event::Changed { version, changes }, Millis(2));
    let text = Some("ab\n".to_owned());
    let effects = document.handle(Event::Saved { text }, Millis(3));
    assert_eq!(effects, []);
    assert_eq!(document.main().text(), "abc\n");
}

#[test]
fn a_hundred_thousand_changes_are_taken_in() {
    let mut document = open("helix", "", "");
    for version in 8..100_008 {
        let changes = vec![ranged((0, 0), (0, 0), "x")];
        document.handle(Event::Changed { version, changes }, Millis(2));
    }
    assert_eq!(document.main().rope().len_chars(), 100_000);
}

/// Emacs reports what lies between two changes as changed: it stays the same text to others.
#[test]
fn a_range_around_two_changes_is_two_changes() {
    let mut document = open("Emacs", "abcdef\n", "abcdef\n");
    let before = document.main().fork(50);
    let changes = vec![ranged((0, 0), (0, 6), "XbcdeY")];
    let version = 8;
    document.handle(Event::Changed { version, changes }, Millis(2));
    // Someone else deletes the middle at the same time.
    let mut other = before;
    let update = other.edit("af\n");
    document.handle(Event::Remote { update }, Millis(3));
    assert_eq!(document.main().text(), "XY\n");
}

/// What is reported before the answer to what was asked just before an edit is never the edit, even
/// if it looks like it; what has not been reported by the answer to what was asked just behind it
/// has not been done.
#[test]
fn a_report_ahead_of_an_edit_is_the_persons() {
    let mut document = open("Neovim", "ab\n", "ab\n");
    others_write(&mut document, "axb\n");
    reports(&mut document, 8, "axb\n");
    assert_eq!(document.main().text(), "axxb\n");
    has_reported(&mut document);
    let (edit, answer) = (EditId(3), Answer::Applied);
    let effects = document.handle(Event::Answered { edit, answer }, Millis(3));
    assert!(matches!(edits(&effects)[..], [(.., "x")]), "{effects:?}");
    // The answers to what was asked behind the first, and before and behind the second.
    for _ in 0..2 {
        assert!(document.flight.is_some());
        has_reported(&mut document);
    }
    reports(&mut document, 10, "axxb\n");
    has_reported(&mut document);
    assert_eq!(document.main().text(), "axxb\n");
    assert!(document.is_settled());
}

/// Kakoune answers before it reports what it has made.
#[test]
fn what_is_reported_before_an_answer_that_comes_first_is_the_persons() {
    let mut document = open("kak-lsp", "\n", "\n");
    let asked = others_write(&mut document, "x\n");
    assert_eq!(edits(&asked), [(0, 0, 0, 0, "x")]);
    let Some(Effect::Edit { edit, .. }) = asked.into_iter().next() else {
        panic!("it is asked for nothing else");
    };
    reports(&mut document, 8, "x\n");
    assert_eq!(document.main().text(), "xx\n");
    let answer = Answer::Applied;
    document.handle(Event::Answered { edit, answer }, Millis(3));
    assert_eq!(edits(&reports(&mut document, 9, "xx\n")), []);
    assert_eq!(document.main().text(), "xx\n");
}

/// A line of a million characters, half of them outside the first plane.
#[test]
fn a_very_long_line_is_a_line_like_others() {
    let line = "a😀".repeat(500_000);
    let mut document = open("helix", &line, &line);
    let changes = vec![ranged((0, 750_000), (0, 750_000), "X")];
    let version = 8;
    document.handle(Event::Changed { version, changes }, Millis(2));
    let text = document.main().text();
    assert_eq!(text.chars().position(|c| c == 'X'), Some(500_000));
    let effects = others_write(&mut document, &format!("{text}Y"));
    assert_eq!(edits(&effects), [(0, 1_500_001, 0, 1_500_001, "Y")]);
}

/// Others insert "x" where the person types one, too, before the edit reaches their editor.
#[test]
fn of_two_who_type_alike_each_keeps_their_letter() {
    for (client, answer) in [
        ("Visual Studio Code", Answer::Refused { reason: None }),
        ("helix", Answer::Refused { reason: None }),
        ("Sublime Text", Answer::Refused { reason: None }),
    ] {
        let mut document = open(client, "ab", "ab");
        assert_eq!(
            edits(&others_write(&mut document, "axb")),
            [(0, 1, 0, 1, "x")]
        );
        assert_eq!(document.main().text(), "axb");
        let sent = |effects: &[Effect]| effects.iter().any(|e| matches!(e, Effect::Send { .. }));
        let effects = reports(&mut document, 8, "axb");
        assert!(!sent(&effects), "{client}: whose it is the answer tells");
        let edit = EditId(3);
        let effects = document.handle(Event::Answered { edit, answer }, Millis(3));
        assert!(sent(&effects), "{client}");
        assert_eq!(document.main().text(), "axxb");
    }
}

#[test]
fn a_report_does_not_wait_for_an_answer_that_never_comes() {
    let mut document = open("Sublime Text", "ab", "ab");
    others_write(&mut document, "axb");
    let effects = reports(&mut document, 8, "aby");
    assert!(
        effects.contains(&Effect::WakeAt(Millis(2_002))),
        "{effects:?}"
    );
    assert_eq!(document.shown(), "ab");
    document.handle(Event::Tick, Millis(2_002));
    assert_eq!(document.main().text(), "axby");
}

#[test]
fn what_waits_for_an_answer_is_sent_before_the_end() {
    let mut document = open("Sublime Text", "ab", "ab");
    others_write(&mut document, "axb");
    reports(&mut document, 8, "aby");
    let effects = document.handle(Event::Closing, Millis(3));
    assert!(matches!(effects[..], [Effect::Send { .. }]), "{effects:?}");
    assert_eq!(document.close().text(), "axby");
}

/// An editor that reports its whole text does not say whether a line was written above one that begins
/// alike, or into it.
#[test]
fn a_line_written_above_one_that_others_delete_is_whole() {
    let mut document = open("unknown", "line 7\nline 8\n", "line 7\nline 8\n");
    let mut other = document.main().fork(99);
    reports(&mut document, 8, "line 39\nline 7\nline 8\n");
    let update = other.splice(&Patch::single(0, "line 7\n".len(), ""));
    let effects = document.handle(Event::Remote { update }, Millis(3));
    assert_eq!(document.main().text(), "line 39\nline 8\n");
    assert_eq!(edits(&effects), [(1, 0, 2, 0, "")]);
}
