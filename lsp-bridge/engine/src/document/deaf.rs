//! Editors that do what they are asked and report nothing.
//!
//! Neovim 0.10 stops to report the changes of a buffer for good if its person types after a language
//! server has ended and before the next one is there. It still makes edits, so asking again for what
//! it does not report would write a text a second time, and a third.

use super::{Document, Effect};

impl Document {
    /// The edit under way has been made, for the editor said so and does not check what it is asked,
    /// and no report of it has come. Nothing more is asked until one comes; a save tells what was
    /// typed.
    pub(super) fn found_deaf(&mut self, effects: &mut Vec<Effect>) {
        let edit = self.flight.as_ref().map(|flight| flight.edit[1].clone());
        if let Some(edit) = edit {
            self.take_in_flight(&edit);
        }
        self.is_deaf = true;
        effects.push(Effect::Tell {
            message: "This editor has stopped to tell what changes in this file, so others do not \
                      see what you type, nor you what they do: save it, close it for good \
                      (in Neovim: `:bwipeout`) and open it again."
                .into(),
        });
    }

    /// The editor has reported something.
    pub(super) fn found_hearing(&mut self) {
        self.is_deaf = false;
    }
}
