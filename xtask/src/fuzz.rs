//! `cargo xtask fuzz`: libFuzzer on the parsers of what others send, with the stable compiler.

use std::fs;

use anyhow::Result;
use clap::{Args as ClapArgs, ValueEnum};

use crate::command::run;
use crate::tools::{cargo, repository, target};

/// What has libFuzzer see which ways an input takes; `cargo fuzz` passes the same to a nightly compiler.
const COVERAGE: &str = "--cfg fuzzing -Clink-dead-code -Cpasses=sancov-module \
     -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
     -Cllvm-args=-sanitizer-coverage-pc-table";

/// With a target named, build scripts and procedural macros are compiled without these.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

#[derive(ClapArgs)]
pub(crate) struct Args {
    /// What to feed.
    #[arg(value_enum)]
    what: What,
    /// For how long.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// Paths of files, as any client may write them into an index.
    Path,
    /// Updates of an index.
    Index,
}

/// Feeds it. What was found to be worth keeping lies in `target/fuzz/NAME` and is where the next run begins; an input that
/// fails is written beside it.
pub(crate) fn fuzz(args: &Args) -> Result<()> {
    let name = match args.what {
        What::Path => "path",
        What::Index => "index",
    };
    let place = target().join("fuzz");
    let corpus = place.join(name);
    fs::create_dir_all(&corpus)?;
    let mut build = cargo(&["build", "--release", "--locked", "--quiet", "--bin", name])?;
    build
        .args(["--target", PLATFORM])
        .env("RUSTFLAGS", COVERAGE)
        .env("CARGO_TARGET_DIR", &place)
        .current_dir(repository().join("fuzz"));
    run(&mut build)?;
    let program = place.join(PLATFORM).join("release").join(name);
    run(std::process::Command::new(program)
        .arg(&corpus)
        .arg(format!("-max_total_time={}", args.seconds))
        .arg(format!(
            "-artifact_prefix={}/{name}-failed-",
            place.display()
        )))
}
