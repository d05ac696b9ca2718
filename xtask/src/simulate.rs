//! `cargo xtask simulate`: the engine's simulation over as many seeds as one has time for.

use anyhow::Result;
use clap::Args as ClapArgs;

use crate::command::run;
use crate::tools::cargo;

#[derive(ClapArgs)]
pub(crate) struct Args {
    /// How many seeds of each kind of editor.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first one.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Only this test of the simulation, such as `neovim` or `all_together`.
    #[arg(long)]
    only: Option<String>,
}

/// Runs the seeds; the first that fails is printed with the smallest plan that was found to fail.
pub(crate) fn simulate(args: &Args) -> Result<()> {
    let mut simulation = cargo(&["test", "--package", "tutti-engine", "--test", "simulation"])?;
    simulation.args(["--", "--nocapture", "--test-threads", "1"]);
    if let Some(only) = &args.only {
        simulation.args(["--exact", only]);
    }
    run(simulation
        .env("SEED", args.seed.to_string())
        .env("SEEDS", args.seeds.to_string()))
}
