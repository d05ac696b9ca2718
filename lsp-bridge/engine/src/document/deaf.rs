//! Whether an editor still reports what changes.
//!
//! Neovim 0.10 stops to report the changes of a buffer for good if its person types after a language
//! server has ended and before the next one is there. It still makes edits, and makes those for
//! version 0, which it calls every buffer until it reports a change, wherever they are to go: what its
//! person has typed since has moved those places. So before anything else it is asked for an edit that
//! changes nothing. It reports that, with a version that it looks at from then on, or nothing any more.

use super::flight::Flight;
use super::{Document, Effect, Millis};
use crate::patch::Patch;
use crate::position::{Range, TextEdit, position};

impl Document {
    /// Asks an editor that may have gone deaf whether it has, without waiting for something to ask it
    /// for. This marks its buffer as changed.
    pub fn ask_whether_it_hears(&mut self, now: Millis) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.is_unheard() && self.flight.is_none() {
            self.ask_for_nothing(now, &mut effects);
            self.synchronise(now, &mut effects);
        }
        effects
    }

    /// Whether the editor has yet to show that it reports what changes.
    pub(super) fn is_unheard(&self) -> bool {
        self.dialect.does_all(self.version)
    }

    /// Asks for an edit that changes nothing.
    pub(super) fn ask_for_nothing(&mut self, now: Millis, effects: &mut Vec<Effect>) {
        if self.retry.is_futile(self.version, &self.shown, now) {
            return;
        }
        let start = position(&self.shown, 0, self.form.encoding());
        let nothing = TextEdit {
            range: Range { start, end: start },
            new_text: String::new(),
        };
        self.send(Patch::default(), vec![nothing], Vec::new(), now, effects);
    }

    /// No report has come of an edit that the editor says it has made, or its person has saved what
    /// it never reported. Nothing is asked until a report comes; a save tells what was typed.
    pub(super) fn found_deaf(&mut self, effects: &mut Vec<Effect>) {
        self.drop_question();
        if !std::mem::replace(&mut self.is_deaf, true) {
            effects.push(Effect::Tell {
                message: "This editor no longer tells what changes in this file, so others do \
                          not see what you type, nor you what they do: save it, close it for good \
                          (in Neovim: `:bwipeout`) and open it again."
                    .into(),
            });
        }
    }

    /// The editor has reported something.
    pub(super) fn found_hearing(&mut self) {
        self.is_deaf = false;
        // Whether the report holds the edit that changes nothing does not matter.
        self.drop_question();
    }

    /// Whether the edit under way is the one that changes nothing.
    pub(super) fn is_asked(&self) -> bool {
        let is_question = |flight: &Flight| !flight.is_earlier && flight.version == self.version;
        self.is_unheard() && self.flight.as_ref().is_some_and(is_question)
    }

    fn drop_question(&mut self) {
        if self.is_asked() {
            self.drop_flight();
        }
    }
}
