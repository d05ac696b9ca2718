//! A server that speaks MongoDB's protocol, for tests of the MongoDB store.

use std::path::Path;

use anyhow::Result;

use super::editors::{self, Recipe};

const SERVER: Recipe = Recipe {
    directory: "mongodb",
    script: "xtask/src/setup/mongodb.sh",
    text: include_str!("mongodb.sh"),
    editors: "a MongoDB-compatible server",
};

pub(super) fn install(dir: &Path) -> Result<()> {
    editors::install(dir, &SERVER)
}
