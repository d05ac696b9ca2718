//! Who is there, and where: awareness states in the form of y-codemirror.next, so that carets
//! show in every Yjs editor.
//!
//! A state is `{ user: { name, color, colorLight }, cursor: { anchor, head } }` with relative
//! positions; in the project's index room it also names the open file's document as `file`, and what has
//! become of files (see [`Word`]): as `restored`, say, the documents whose files this person has just deleted,
//! and which are there again since somebody typed in them meanwhile. Each of these is
//! `{ DOCUMENT: number }`, with another number each time.

mod others;
mod own;
mod word;

pub(crate) use others::Others;
pub(crate) use own::Own;
pub(crate) use word::Word;

/// A client whose state has not been renewed for this long has gone (y-protocols
/// `awareness.js`, `outdatedTimeout`).
pub(crate) const OUTDATED_MS: u64 = 30_000;
/// How often the own state is renewed.
pub(crate) const RENEW_MS: u64 = OUTDATED_MS / 2;
