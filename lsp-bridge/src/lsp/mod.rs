//! The LSP face: what editors say, decoded tolerantly and in wire order, and what is said to
//! them.
//!
//! tower-lsp polls handlers concurrently, and answers overtake notifications. So nothing here is
//! a handler: [`mod@wire`] turns each message into an [`Inbound`] while it is being read and pushes
//! it into one channel, which one task reads. That task asks the editor things through
//! [`Client`] and never awaits an answer: answers come through the same channel. One request, for
//! which editors stand still at each key, is answered where it is read.

mod client;
mod ended;
mod frames;
mod initialize;
mod params;
mod run;
mod stdio;
mod uri;
mod wire;

pub(crate) use client::{Client, Severity};
pub(crate) use ended::{EndOfInput, Watched};
pub(crate) use initialize::{Abilities, initialize_result};
pub(crate) use params::{
    Change, Close, FilesChanged, Open, OpenedDocument, Positioned, Save, read,
};
pub use run::run;
#[cfg(test)]
pub(crate) use run::serve;
pub(crate) use stdio::Threaded;
pub(crate) use uri::file_path;
pub(crate) use wire::{Inbound, Reply, Wire, wire};
