//! `cargo xtask …`: the one entry point for every task of this repository; CI calls nothing else.
//!
//! | task | does |
//! | --- | --- |
//! | `run` | builds everything, starts a server, shares a directory, prints the links |
//! | `test` | sets up, then every check and every test |
//! | `check` | the quick half: formatting, lints, the web client's types |
//! | `setup` | installs what the tests need |
//! | `bench` | how fast the engine is |
//! | `fuzz` | hostile paths and indexes, found by libFuzzer |
//! | `chaos` | nodes, Redis and the database, killed, frozen and cut off under thirty people who type |
//! | `simulate` | people in simulated editors, over as many seeds as one has time for |
//! | `figures` | sizes, memory and latency of the optimised programs |
#![allow(clippy::print_stdout, clippy::print_stderr)] // A task's output is what its caller reads.

mod bench;
mod chaos;
mod command;
mod figures;
mod fuzz;
mod run;
mod setup;
mod simulate;
mod steps;
mod tally;
mod test;
mod tidy;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Tutti's tasks")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build everything, start a server, share a directory and print the links.
    Run(run::Args),
    /// Set up, then run every check and every test.
    Test,
    /// The quick half of `test`: formatting, lints, the web client's types.
    Check,
    /// Install what the tests need: terminal editors, a browser, a database, npm packages, cargo tools.
    Setup,
    /// Measure how fast the engine is, and what its speed depends on.
    Bench(bench::Args),
    /// Kill, freeze and cut off nodes, Redis and the database while people type.
    Chaos(chaos::Args),
    /// Feed hostile paths and indexes to what reads them.
    Fuzz(fuzz::Args),
    /// Let people type in simulated editors, over many seeds.
    Simulate(simulate::Args),
    /// Build optimised programs and print their sizes, memory and latency.
    Figures,
}

fn main() -> ExitCode {
    let done = match Args::parse().task {
        Task::Run(args) => run::run(&args),
        Task::Test => test::test(),
        Task::Check => test::check(),
        Task::Setup => setup::setup(),
        Task::Bench(args) => bench::bench(&args),
        Task::Chaos(args) => chaos::chaos(&args),
        Task::Fuzz(args) => fuzz::fuzz(&args),
        Task::Simulate(args) => simulate::simulate(&args),
        Task::Figures => figures::figures(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
