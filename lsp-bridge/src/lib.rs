//! Tutti's local bridge: any LSP editor becomes a participant.

pub mod api;
pub mod cli;
pub mod credentials;
pub mod link;
pub mod mirror;
pub mod project;
