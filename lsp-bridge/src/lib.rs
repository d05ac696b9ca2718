//! Tutti's local bridge: any LSP editor becomes a participant.

pub mod api;
pub mod cli;
pub mod credentials;
pub mod link;
pub mod lsp;
pub mod mirror;
mod presence;
pub mod project;
mod session;
