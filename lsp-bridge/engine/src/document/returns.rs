//! Editors that make something else of a `\r` in an edit.
//!
//! Neovim makes a line end of each (`vim.lsp.util.apply_text_edits`), others do so too, or drop it. Such
//! an editor reports another text than it was asked for; that would be taken for its person's, and the
//! `\r` would be wanted again, without end. So it is never sent. It stays in the shared text, for all who
//! can show it, and out of the view, as if it had not come yet: of `a\rb` such an editor shows `ab`. It
//! goes with what it stands beside: with the line end behind it, or with the letters around it.
//!
//! A `\r` that the editor shows, since it stands in the file or the person has typed it, is in the view,
//! and is touched by nobody who writes beside it.

use super::Document;
use super::alignment::Alignment;
use crate::dialect::Returns;
use crate::diff::whole_line_ends;
use crate::patch::{Patch, Splice};

impl Document {
    /// Whether a `\r` can be sent to this editor.
    fn takes_returns(&self) -> bool {
        self.dialect.returns == Returns::Kept && !self.form.hides_returns()
    }

    /// What others have written is wanted, but for what cannot be shown.
    pub(super) fn keep_back_returns(&mut self) {
        if !self.takes_returns() && !self.main.is_shown() {
            self.main.keep_back_returns();
        }
    }

    /// `patch`, an edit for the editor, in the form that this editor takes.
    pub(super) fn with_line_ends(&self, patch: &Patch) -> Patch {
        if self.takes_returns() {
            return whole_line_ends(&self.shown, patch.clone());
        }
        let whole = match self.dialect.returns {
            Returns::Unknown => whole_line_ends(&self.shown, patch.clone()),
            Returns::Kept | Returns::Lost => patch.clone(),
        };
        let mut out = Patch::default();
        for splice in whole.splices() {
            out.push(Splice {
                insert: splice.insert.replace('\r', ""),
                ..splice.clone()
            });
        }
        out
    }

    /// Of `repair`, which leads from what is shown to the view, what cannot be sent is out of the view
    /// from now on; whether there is any of that.
    pub(super) fn hide_returns_of(&mut self, repair: &Patch) -> bool {
        if self.takes_returns() {
            return false;
        }
        let mut gone = Patch::default();
        let mut shift = 0isize;
        for splice in repair.splices() {
            let start = (splice.at as isize + shift) as usize;
            for (offset, letter) in splice.insert.chars().enumerate() {
                if letter == '\r' && self.view().get_char(start + offset) == Some('\r') {
                    gone.push(Splice {
                        at: start + offset,
                        delete: 1,
                        insert: String::new(),
                    });
                }
            }
            shift += splice.insert.chars().count() as isize - splice.delete as isize;
        }
        if gone.is_empty() {
            return false;
        }
        for splice in gone.splices().iter().rev() {
            for at in (splice.at..splice.end()).rev() {
                self.main.hide(at);
            }
        }
        let alignment = std::mem::replace(&mut self.alignment, Alignment::Same);
        self.alignment = alignment.hidden(&gone, &self.shown, self.main.shown());
        true
    }
}
