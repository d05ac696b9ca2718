//! `cargo xtask bench`: how fast the engine is, of optimised code.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::command::run;
use crate::tools::cargo;

/// What `cargo xtask bench` is told.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// An editing trace to replay (JSON as in josephg/editing-traces, packed with gzip or not); one of the same shape
    /// is made if none is given.
    #[arg(long)]
    trace: Option<PathBuf>,
    /// For criterion: a part of the names of what is to be measured, `--save-baseline NAME`, …
    #[arg(last = true)]
    criterion: Vec<String>,
}

/// Measures, and prints a table with ratios.
pub(crate) fn bench(args: &Args) -> Result<()> {
    let mut command = cargo(&[
        "bench",
        "--quiet",
        "--package",
        "tutti-bench",
        "--bench",
        "engine",
        "--",
    ])?;
    if let Some(trace) = &args.trace {
        command.env("TUTTI_TRACE", absolute(trace)?);
    }
    run(command.args(&args.criterion))
}

/// Cargo runs elsewhere.
fn absolute(path: &Path) -> Result<PathBuf> {
    std::fs::canonicalize(path).with_context(|| format!("there is no {}", path.display()))
}
