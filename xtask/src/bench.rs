//! `cargo xtask bench`: how fast the engine is, a whole project on its way, and servers under load, of optimised code.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::command::run;
use crate::setup::npm::{self, PEERS};
use crate::tools::{cargo, target};

/// What `cargo xtask bench` is told.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// An editing trace to replay (JSON as in josephg/editing-traces, packed with gzip or not); one of the same shape
    /// is made if none is given.
    #[arg(long)]
    trace: Option<PathBuf>,
    /// Measure instead how a whole project is shared and joined, beside `git clone` and `rsync`: of this directory, or
    /// of a tree of so many files.
    #[arg(long, value_name = "DIR|FILES", num_args = 0..=1, default_missing_value = "10000")]
    project: Option<String>,
    /// Measure instead what delivering an edit costs the server, beside Hocuspocus, the server of y-websocket, and a
    /// bare relay.
    #[arg(long, conflicts_with = "project")]
    load: bool,
    /// For criterion: a part of the names of what is to be measured, `--save-baseline NAME`, …; with `--load`
    /// how many nodes, people, and so on: `-- --help` lists them.
    #[arg(last = true)]
    more: Vec<String>,
}

/// Measures, and prints a table with ratios.
pub(crate) fn bench(args: &Args) -> Result<()> {
    if let Some(tree) = &args.project {
        return project(tree);
    }
    if args.load {
        return load(&args.more);
    }
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
    run(command.args(&args.more))
}

fn load(more: &[String]) -> Result<()> {
    npm::install(&[PEERS])?;
    let mut build = cargo(&["build", "--quiet", "--release", "--bin", "load"])?;
    run(build.args(["--package", "tutti-bench"]))?;
    let mut measure = std::process::Command::new(target().join("release/load"));
    run(measure.arg("--beside").args(more))
}

fn project(tree: &str) -> Result<()> {
    run(&mut cargo(&[
        "build",
        "--quiet",
        "--release",
        "--bins",
        "--package",
        "tutti",
        "--package",
        "tutti-server",
        "--package",
        "tutti-bench",
    ])?)?;
    let tree = match tree.parse::<usize>() {
        Ok(_) => PathBuf::from(tree),
        Err(_) => absolute(Path::new(tree))?,
    };
    let programs = target().join("release");
    let mut measure = std::process::Command::new(programs.join("project"));
    run(measure
        .arg(programs.join("tutti-server"))
        .arg(programs.join("tutti"))
        .arg(tree))
}

/// Cargo runs elsewhere.
fn absolute(path: &Path) -> Result<PathBuf> {
    std::fs::canonicalize(path).with_context(|| format!("there is no {}", path.display()))
}
