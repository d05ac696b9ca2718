//! What one document does, event by event. How many of them fare together is the simulation's.

use super::*;
use crate::position::Range;

/// A document on which everyone has agreed on `shared`, opened by a client that shows `shown`.
fn open(client: &str, shared: &str, shown: &str) -> Document {
    let mut main = Replica::new(1);
    main.edit(shared);
    let base = main.fork(2);
    let opened = Opened {
        text: shown.into(),
        version: 7,
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
fn others_write(document: &mut Document, text: &str) -> Vec<Effect> {
    let mut other = document.main().fork(99);
    let update = other.edit(text);
    document.handle(Event::Remote { update }, Millis(1))
}

fn reports(document: &mut Document, version: i32, text: &str) -> Vec<Effect> {
    let changes = vec![Change {
        range: None,
        text: text.into(),
    }];
    document.handle(Event::Changed { version, changes }, Millis(2))
}

fn edits(effects: &[Effect]) -> Vec<(u32, u32, u32, u32, &str)> {
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
fn a_mark_that_the_editor_hides_stays() {
    let mut document = open("Neovim", "\u{feff}bom\n", "bom\n");
    let text = Some("bom\n".to_owned());
    assert_eq!(document.handle(Event::Saved { text }, Millis(1)), []);
    let effects = others_write(&mut document, "\u{feff}boom\n");
    assert_eq!(edits(&effects), [(0, 2, 0, 2, "o")]);
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
    reports(&mut document, 8, "a\nb");
    assert_eq!(document.main().text(), "a\nb\n");
    reports(&mut document, 9, "a\nbc\n");
    assert_eq!(document.main().text(), "a\nbc\n");
    assert!(document.is_settled());
}

/// And one that is nobody's becomes the person's when they write behind it.
#[test]
fn a_newline_that_the_editor_insists_on_is_no_change() {
    let mut document = open("Neovim", "a", "a\n");
    assert_eq!(
        edits(&others_write(&mut document, "ab")),
        [(0, 1, 0, 1, "b")]
    );
    reports(&mut document, 8, "ab\n");
    assert_eq!(document.main().text(), "ab");
    reports(&mut document, 9, "ab\nc\n");
    assert_eq!(document.main().text(), "ab\nc\n");
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
            edit: EditId(0),
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
