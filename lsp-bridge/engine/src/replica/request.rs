//! What an editor was asked for and had not answered when its document was closed.

use super::Mark;
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
