//! What was under way between an editor and a document when that was closed.

use ropey::Rope;

use super::Mark;
use crate::document::Alignment;
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
}

/// What the editor showed last, where that is not the view: some of it stands elsewhere. If the
/// document is opened again with this text, nothing has changed.
#[derive(Debug)]
pub(crate) struct Parted {
    pub(crate) shown: Rope,
    pub(crate) alignment: Alignment,
}
