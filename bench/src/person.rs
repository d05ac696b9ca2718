//! A person at an editor, as the engine sees one: every call gives the engine what the bridge would
//! give it, checks what it asks for in return, and says how long the engine took: time of the
//! processor, so that a machine with other work to do gives the same figures.

use std::time::Duration;

use cpu_time::ThreadTime;
use ropey::Rope;
use tutti_engine::patch::Splice;
use tutti_engine::{
    Answer, Change, Dialect, Document, Effect, Encoding, Event, Millis, Opened, Range, Replica,
    position,
};

const ENCODING: Encoding = Encoding::Utf16;
/// Nothing here waits for a time-out.
const NOW: Millis = Millis(0);

/// A person with one open document.
pub struct Person {
    document: Document,
    version: i32,
}

impl Person {
    /// Opens a document, whose text the file on disk has, in the editor that calls itself `client`.
    ///
    /// # Panics
    /// When the engine wants anything of the editor: there is nothing to want.
    pub fn open(main: Replica, client: &str) -> (Self, Duration) {
        let opened = Opened {
            text: main.text(),
            version: 0,
            encoding: ENCODING,
            dialect: Dialect::choose(Some(client)),
            eol_crlf: false,
            user: 1000,
        };
        let start = ThreadTime::now();
        let (document, effects) = Document::open(main, None, opened, NOW);
        let took = start.elapsed();
        assert!(effects.is_empty(), "opening asks for {effects:?}");
        let version = 0;
        (Self { document, version }, took)
    }

    /// The shared text.
    pub fn text(&self) -> &Rope {
        self.document.main().rope()
    }

    /// What the editor shows.
    pub fn shown(&self) -> String {
        self.document.shown()
    }

    /// The replica that the link keeps in sync.
    pub fn replica(&self) -> &Replica {
        self.document.main()
    }

    /// The person changes the text; returns the update for the server.
    ///
    /// # Panics
    /// When the engine does not send just that.
    pub fn type_in(&mut self, change: Change) -> (Vec<u8>, Duration) {
        let (mut effects, took) = self.report(vec![change]);
        let Some(Effect::Send { update }) = effects.pop().filter(|_| effects.is_empty()) else {
            panic!("typing leads to {effects:?}");
        };
        (update, took)
    }

    /// Somebody else's update arrives, the editor makes the edit that the engine asks for, says
    /// yes and reports it.
    ///
    /// # Panics
    /// When the engine asks for anything else, or is not content with the report.
    pub fn remote(&mut self, update: Vec<u8>) -> Duration {
        let (effects, arrived) = self.handle(Event::Remote { update });
        let mut asked = effects.into_iter().filter_map(|effect| match effect {
            Effect::Edit { edit, edits, .. } => Some((edit, edits)),
            Effect::WakeAt(_) => None,
            other => panic!("a remote edit leads to {other:?}"),
        });
        let (edit, edits) = asked.next().expect("a remote edit is shown");
        assert!(asked.next().is_none(), "one edit at a time");
        let changes = edits.into_iter().rev().map(|edit| Change {
            range: Some(edit.range),
            text: edit.new_text,
        });
        let answer = Answer::Applied;
        let (_, answered) = self.handle(Event::Answered { edit, answer });
        let (effects, reported) = self.report(changes.collect());
        assert!(effects.is_empty(), "its report leads to {effects:?}");
        arrived + answered + reported
    }

    fn report(&mut self, changes: Vec<Change>) -> (Vec<Effect>, Duration) {
        self.version += 1;
        self.handle(Event::Changed {
            version: self.version,
            changes,
        })
    }

    fn handle(&mut self, event: Event) -> (Vec<Effect>, Duration) {
        let start = ThreadTime::now();
        let effects = self.document.handle(event, NOW);
        (effects, start.elapsed())
    }
}

/// A change of `text` as an editor reports it that sends ranges.
pub fn incremental(text: &Rope, splice: &Splice) -> Change {
    Change {
        range: Some(Range {
            start: position(text, splice.at, ENCODING),
            end: position(text, splice.end(), ENCODING),
        }),
        text: splice.insert.clone(),
    }
}

/// A text as an editor reports it that sends all of it each time.
pub fn full(text: &Rope) -> Change {
    Change {
        range: None,
        text: text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use tutti_engine::patch::Patch;

    use super::*;
    use crate::texts;

    #[test]
    fn what_is_typed_reaches_the_other_and_back() {
        let server = texts::lines(5);
        for client in ["Visual Studio Code", "Emacs"] {
            let (mut ada, _) = Person::open(server.fork(1), client);
            let mut bob = server.fork(2);
            let text = bob.rope().clone();
            for (at, delete, insert) in [(7, 0, "x"), (8, 0, "y"), (90, 3, ""), (0, 1, "\n")] {
                let splice = Splice {
                    at,
                    delete,
                    insert: insert.into(),
                };
                let (update, _) = ada.type_in(incremental(bob.rope(), &splice));
                bob.apply(&update).unwrap();
                assert_eq!(ada.text(), bob.rope());
            }
            assert_ne!(*bob.rope(), text);
            for patch in [Patch::single(50, 0, "z"), Patch::single(3, 60, "")] {
                ada.remote(bob.splice(&patch));
                assert_eq!(ada.shown(), bob.text());
            }
            let mut whole = bob.rope().clone();
            whole.insert(11, "whole");
            let (update, _) = ada.type_in(full(&whole));
            bob.apply(&update).unwrap();
            assert_eq!(*bob.rope(), whole);
        }
    }
}
