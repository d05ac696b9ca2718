//! What the operator decides: one list of options, read from four places.
//!
//! Each option of [`Settings`] is a command line flag (`--cache-mb`), an environment variable
//! (`TUTTI_CACHE_MB`) and a key of the file that `--config` names (`cache-mb`). A flag goes before
//! the environment, the environment before the file, the file before the default. All three are
//! read by the same parser, so a bad value is refused in the same words wherever it stands.

mod settings;
mod sources;

pub use settings::{LogFormat, PublicUrl, Settings};
pub(crate) use sources::clap_failure;
pub use sources::{ConfigError, from_sources};

#[cfg(test)]
mod tests;
