//! What was under way between an editor and a document when that was closed.

use ropey::Rope;

use super::{Mark, Replica};
use crate::document::{Alignment, Answer, EditId};
use crate::position::TextEdit;

/// A request that may still be on its way: it reaches the next opening of the document, and whoever
/// checks its version finds one that may have come round again.
#[derive(Debug)]
pub(crate) struct Request {
    /// The number of the edit.
    pub(crate) id: u64,
    /// The version that it names.
    pub(crate) version: i32,
    /// The request as sent, in the places of the shared text's form.
    pub(crate) edits: Vec<TextEdit>,
    /// The characters that it stands for.
    pub(crate) marks: Vec<Mark>,
    /// Until when it is waited for, in milliseconds.
    pub(crate) until_ms: u64,
    /// The editor has said that it has made it: the text with which the document is opened again may
    /// hold it.
    pub(crate) is_made: bool,
}

/// What the editor showed last, where that is not the view: some of it stands elsewhere. If the
/// document is opened again with this text, nothing has changed.
#[derive(Debug)]
pub(crate) struct Parted {
    pub(crate) shown: Rope,
    pub(crate) alignment: Alignment,
}

impl Replica {
    /// The answer to an [`crate::Effect::Edit`] that was under way when the document was closed, and
    /// that comes before it is opened again.
    pub fn answered(&mut self, edit: EditId, answer: &Answer) {
        self.request.take_if(|request| {
            let is_it = request.id == edit.0;
            request.is_made |= is_it && *answer == Answer::Applied;
            is_it && *answer != Answer::Applied
        });
    }
}
