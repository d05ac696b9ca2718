//! An editor that makes every edit and says no ends with the others all the same.

use ropey::Rope;

use super::tests::{open, others_write, reports};
use super::{Answer, Document, EditId, Effect, Event, Millis};
use crate::explain::as_patch;
use crate::position::{Encoding, TextEdit};

/// So many edits at most bring one text.
const BOUND: usize = 8;

/// When it says no.
#[derive(Debug, Clone, Copy)]
enum Says {
    BeforeReport,
    BehindReport,
}

fn asked(effects: &[Effect]) -> Option<(EditId, Vec<TextEdit>)> {
    effects.iter().find_map(|effect| match effect {
        Effect::Edit { edit, edits, .. } => Some((*edit, edits.clone())),
        _ => None,
    })
}

fn tells(effects: &[Effect]) -> usize {
    let told = effects.iter().filter(|e| matches!(e, Effect::Tell { .. }));
    told.count()
}

/// Makes what is asked for, and says that it has not, until nothing more is asked. How often it was asked,
/// and how often its person was told something.
fn makes_all(
    document: &mut Document,
    case: &str,
    says: Says,
    effects: Vec<Effect>,
    version: &mut i32,
    now: &mut u64,
) -> (usize, usize) {
    let (mut count, mut told) = (0, tells(&effects));
    let mut next = asked(&effects);
    while let Some((edit, edits)) = next.take() {
        count += 1;
        assert!(count <= BOUND, "{case}: {}", document.shown());
        let mut text = Rope::from_str(&document.shown());
        as_patch(&text, &edits, Encoding::Utf16).apply(&mut text);
        let no = |document: &mut Document, now| {
            let answer = Answer::Refused { reason: None };
            document.handle(Event::Answered { edit, answer }, Millis(now))
        };
        *version += 1;
        let flushed = Event::Flushed { is_sure: false };
        let mut all = document.handle(flushed.clone(), Millis(*now));
        if let Says::BeforeReport = says {
            all.extend(no(document, *now));
        }
        all.extend(reports(document, *version, &text.to_string()));
        if let Says::BehindReport = says {
            all.extend(no(document, *now));
        }
        all.extend(document.handle(flushed, Millis(*now)));
        for _ in 0..100 {
            if asked(&all).is_some() {
                break;
            }
            *now += 500;
            all.extend(document.handle(Event::Tick, Millis(*now)));
        }
        told += tells(&all);
        next = asked(&all);
    }
    (count, told)
}

#[test]
fn what_it_has_made_does_not_come_without_end() {
    for client in [
        "someone",
        "Emacs",
        "Visual Studio Code",
        "Neovim",
        "kak-lsp",
        "Zed",
        "Sublime",
    ] {
        for says in [Says::BeforeReport, Says::BehindReport] {
            for new in ["TOKEN;", "x"] {
                let case = format!("{client} {says:?} {new}");
                let mut document = open(client, "one\n", "one\n");
                let (mut version, mut now) = (7, 10);
                let effects = others_write(&mut document, &format!("one{new}\n"));
                let (_, told) =
                    makes_all(&mut document, &case, says, effects, &mut version, &mut now);
                let copies = document.main().text().matches(new).count();
                assert!(
                    (1..=5).contains(&copies),
                    "{case}: {}",
                    document.main().text()
                );
                assert_eq!(told, usize::from(copies > 1), "{case}");
                assert_eq!(document.shown(), document.main().text(), "{case}");
                // From then on all is as it should be.
                let text = format!("two {}", document.main().text());
                let effects = others_write(&mut document, &text);
                let (_, told) =
                    makes_all(&mut document, &case, says, effects, &mut version, &mut now);
                assert_eq!(told, 0, "{case}");
                assert_eq!(document.main().text(), text, "{case}");
                assert_eq!(document.shown(), text, "{case}");
            }
        }
    }
}

/// A single no tells the truth: the person has typed what others have.
#[test]
fn who_has_typed_the_same_has_typed_it() {
    for client in ["someone", "Visual Studio Code"] {
        let mut document = open(client, "one\n", "one\n");
        let effects = others_write(&mut document, "oneTOKEN;\n");
        let (edit, _) = asked(&effects).expect("it is asked for");
        let answer = Answer::Refused { reason: None };
        document.handle(Event::Answered { edit, answer }, Millis(3));
        reports(&mut document, 8, "oneTOKEN;\n");
        assert_eq!(document.main().text(), "oneTOKEN;TOKEN;\n");
    }
}
