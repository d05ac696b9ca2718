//! The pure state machine that keeps an LSP editor and a shared text in agreement.
