//! Tutti's local bridge: any LSP editor becomes a participant.

pub mod link;
pub mod mirror;
