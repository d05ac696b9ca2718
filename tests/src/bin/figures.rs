//! Prints figures of the programs in `TUTTI_BIN_DIR`; `cargo xtask figures` builds them optimised and calls this.
#![allow(clippy::print_stdout)] // What it prints is what it is for.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tutti_tests::bridge::Bridge;
use tutti_tests::browser::Browser;
use tutti_tests::cli::Person;
use tutti_tests::project;
use tutti_tests::server::{Server, resident_bytes};
use tutti_tests::tools;

const KEYS: usize = 1000;
const FILE: &str = "score.txt";

fn main() -> Result<()> {
    let binaries = tools::binaries()?;
    for name in ["tutti-server", "tutti"] {
        let bytes = fs::metadata(binaries.join(name))?.len();
        println!("{name}: {}", mib(bytes));
    }

    let server = Server::start()?;
    println!(
        "server that nobody uses: {} resident",
        mib(server.resident_bytes()?)
    );
    let (ada, bob) = (Person::new("Ada")?, Person::new("Bob")?);
    let (adas, bobs) = (tempfile::tempdir()?, tempfile::tempdir()?);
    // A file of a usual length: 500 lines.
    let text: String = (0..500)
        .map(|line| format!("{line:4} la la la la la la la\n"))
        .collect();
    project::write(adas.path(), &[(FILE, &text)])?;
    let project = ada.share(adas.path(), &server)?;
    bob.join(&project.editor_link, bobs.path())?;

    let mut browser = Browser::open(&project.editor_link)?;
    browser.open_file(FILE)?;
    browser.holds(&text)?;
    let loaded = browser.loaded_bytes()?;
    println!(
        "web client, loaded to show a file, compressed: {} KiB",
        loaded / 1024
    );
    drop(browser);

    let mut from = Bridge::open(&ada, adas.path(), FILE)?;
    let mut to = Bridge::open(&bob, bobs.path(), FILE)?;
    let mut latencies = Vec::with_capacity(KEYS);
    let line = text.find("\n 250").context("line 250")?;
    for key in 0..KEYS {
        let expected_len = from.text().len() + 1;
        let typed = from.type_at(line + key, "x")?;
        let arrived = to.text_is(|text| text.len() == expected_len)?;
        latencies.push(arrived.duration_since(typed));
        from.catch_up()?;
    }
    ensure!(from.text() == to.text(), "the texts differ");
    latencies.sort_unstable();
    println!(
        "keystroke in one bridge to applyEdit out of another, {KEYS} keys: p50 {}, p99 {}, most {}",
        ms(latencies[KEYS / 2]),
        ms(latencies[KEYS * 99 / 100]),
        ms(latencies[KEYS - 1])
    );
    println!(
        "bridge with one open file: {} resident",
        mib(resident_bytes(from.pid())?)
    );
    println!(
        "server with one open file: {} resident",
        mib(server.resident_bytes()?)
    );
    from.quit()?;
    to.quit()
}

fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

fn ms(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}
