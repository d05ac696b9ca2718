//! The pure state machine that keeps an LSP editor and a shared text in agreement.
//!
//! An editor is a replica that happens to speak LSP: asynchronous, versioned, free to reject,
//! delay, merge, split or silently change what it is asked for. So the text that the editor
//! reports is the truth about the editor, and its answers to edit requests are only hints.
//!
//! [`Document`] takes events with the time at which they happened and returns effects; it never
//! looks at a clock, a socket or a file. What differs between editors is data, a [`Dialect`].

mod dialect;
pub mod diff;
mod document;
mod explain;
pub mod patch;
mod position;
mod replica;

pub use dialect::{Dialect, Flush, Reload, Returns, Staleness, SyncKind};
pub use document::{Answer, Document, EditId, Effect, Event, Left, Millis, Opened};
pub use position::{Change, Encoding, Located, Position, Range, TextEdit, locate, position};
pub use replica::{Apart, BadUpdate, DECISIONS, Merge, NAMES, Replica, merge_lines};
