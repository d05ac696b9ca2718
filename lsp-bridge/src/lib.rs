//! Tutti's local bridge: any LSP editor becomes a participant.

pub mod api;
mod bulk;
mod carrier;
pub mod cli;
pub mod credentials;
pub mod link;
pub mod lsp;
pub mod mirror;
mod presence;
pub mod project;
mod session;
