//! How fast Tutti is. `cargo xtask bench` runs what lies in `benches/`; this is what it runs with.

pub mod person;
pub mod table;
pub mod texts;
pub mod trace;
