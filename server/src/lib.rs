//! Tutti's collaboration server.
