//! `cargo xtask test`, which CI runs, and its quick half, `cargo xtask check`.

use anyhow::{Result, bail};

use crate::command::run;
use crate::steps::Steps;
use crate::tally::{Runner, Tally};
use crate::tools::{cargo, directory, npm};
use crate::{setup, tidy};

const WEB: &str = "server/web";
/// Tests that need the whole machine: real editors and a browser, with people's typing in real time.
const EDITORS: &str = "binary(editors) | binary(durability)";
/// Processes that are stopped and killed, and people who measure how long that keeps them apart.
const CHAOS: &str = "binary(chaos)";
const WHOLE_WAY: &str = "binary(whole_way)";
/// Half a minute of typing each, and mostly waiting for the next key, so several go at a time.
const PAIRS: &str = "binary(pairs)";
const PAIRS_AT_A_TIME: &str = "4";

/// Every check and every test.
pub(crate) fn test() -> Result<()> {
    let mut steps = Steps::default();
    let mut tally = Tally::default();
    steps.step("setup", setup::setup);
    quick(&mut steps);
    steps.step("documentation", || {
        // It is for those who work on the code, so it tells of private items too.
        run(cargo(&[
            "doc",
            "--workspace",
            "--no-deps",
            "--document-private-items",
            "--quiet",
        ])?
        .env(
            "RUSTDOCFLAGS",
            "--deny warnings --allow rustdoc::private_intra_doc_links",
        ))
    });
    steps.step("cargo-deny", || {
        run(&mut cargo(&[
            "deny",
            "--log-level",
            "error",
            "check",
            "bans",
            "licenses",
            "sources",
        ])?)
    });
    steps.step("web client tests", || {
        tally.run(Runner::Vitest, &mut npm(WEB, &["test"]))
    });
    steps.step("build", build);
    steps.step("documentation tests", || {
        tally.run(
            Runner::Rustdoc,
            &mut cargo(&["test", "--workspace", "--doc", "--quiet"])?,
        )
    });
    steps.step("tests", || {
        tally.run(
            Runner::Nextest,
            &mut nextest(&format!(
                "not ({EDITORS} | {CHAOS} | {WHOLE_WAY} | {PAIRS})"
            ))?,
        )
    });
    steps.step("tests in real time", || {
        tally.run(
            Runner::Nextest,
            nextest(EDITORS)?.args(["--test-threads", "1"]),
        )
    });
    steps.step("nodes in trouble", || {
        tally.run(
            Runner::Nextest,
            nextest(CHAOS)?.args(["--test-threads", "1"]),
        )
    });
    steps.step("pairs of editors", || {
        tally.run(
            Runner::Nextest,
            nextest(PAIRS)?.args(["--test-threads", PAIRS_AT_A_TIME]),
        )
    });
    steps.step("the whole way", || {
        tally.run(Runner::Nextest, &mut nextest(WHOLE_WAY)?)
    });

    let closed = steps.close();
    println!("{} passed, {} failed", tally.passed, tally.failed);
    closed?;
    if tally.passed == 0 || tally.failed > 0 {
        bail!("the tests did not pass");
    }
    Ok(())
}

/// The quick half: what needs no test to run.
pub(crate) fn check() -> Result<()> {
    let mut steps = Steps::default();
    steps.step("npm packages", || setup::npm::install(setup::npm::NEEDED));
    quick(&mut steps);
    steps.close()
}

fn quick(steps: &mut Steps) {
    steps.step("formatting", || {
        run(&mut cargo(&["fmt", "--all", "--check"])?)
    });
    steps.step("wording and lock files", tidy::check);
    steps.step("clippy", || {
        run(&mut cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--quiet",
            "--",
            "--deny",
            "warnings",
        ])?)
    });
    steps.step("web client check", || run(&mut npm(WEB, &["run", "check"])));
}

/// The programs that the end-to-end tests start. Building them is a step of its own, so that its time is seen.
fn build() -> Result<()> {
    run(&mut cargo(&["build", "--workspace", "--bins", "--quiet"])?)?;
    run(&mut cargo(&[
        "nextest",
        "run",
        "--workspace",
        "--no-run",
        "--cargo-quiet",
    ])?)
}

fn nextest(filter: &str) -> Result<std::process::Command> {
    let mut nextest = cargo(&[
        "nextest",
        "run",
        "--workspace",
        "--no-fail-fast",
        "-E",
        filter,
    ])?;
    nextest
        .env("TUTTI_TEST_TOOLS", directory()?)
        // An error says what was expected and what was there; where it was made adds pages.
        .env("RUST_LIB_BACKTRACE", "0");
    Ok(nextest)
}
