//! `cargo xtask chaos`: three nodes, thirty people, and everything that can go wrong with them.

use anyhow::Result;
use clap::Args as ClapArgs;

use crate::command::run;
use crate::tools::{cargo, directory};

#[derive(ClapArgs)]
pub(crate) struct Args {
    /// Every fault of the table (about ten minutes), and not only one of each kind.
    #[arg(long, conflicts_with = "only")]
    all: bool,
    /// These faults: `freeze-redis,kill-node`; a wrong name has all of them listed.
    #[arg(long)]
    only: Option<String>,
    /// Plays a run again.
    #[arg(long)]
    seed: Option<u64>,
    /// So many people, instead of 300, come back at once when their node dies.
    #[arg(long)]
    storm: Option<usize>,
}

/// Plays the faults, and prints how long each took to recover from.
pub(crate) fn chaos(args: &Args) -> Result<()> {
    run(&mut cargo(&["build", "--workspace", "--bins", "--quiet"])?)?;
    let words = ["test", "--package", "tutti-tests", "--test", "chaos", "--"];
    let mut chaos = cargo(&words)?;
    chaos
        .args(["--nocapture", "--test-threads", "1"])
        .env("TUTTI_TEST_TOOLS", directory()?);
    let chosen = args.all.then(|| "all".to_owned());
    if let Some(chosen) = chosen.or_else(|| args.only.clone()) {
        chaos.env("CHAOS", chosen);
    }
    if let Some(seed) = args.seed {
        chaos.env("SEED", seed.to_string());
    }
    if let Some(storm) = args.storm {
        chaos.env("STORM", storm.to_string());
    }
    run(&mut chaos)
}
