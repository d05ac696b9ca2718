//! `cargo xtask figures`: what `tests/src/bin/figures.rs` measures, of programs as they are released.

use anyhow::Result;

use crate::command::run;
use crate::setup;
use crate::tools::{cargo, directory, target};

pub(crate) fn figures() -> Result<()> {
    setup::npm::install(setup::npm::NEEDED)?;
    run(&mut cargo(&[
        "build",
        "--release",
        "--quiet",
        "--package",
        "tutti-server",
        "--package",
        "tutti",
        "--bins",
    ])?)?;
    run(cargo(&[
        "run",
        "--quiet",
        "--package",
        "tutti-tests",
        "--bin",
        "figures",
    ])?
    .env("TUTTI_BIN_DIR", target().join("release"))
    .env("TUTTI_TEST_TOOLS", directory()?))
}
