//! `cargo xtask setup`: everything the tests need beyond Rust and Node, installed once.
//!
//! What is there already is left alone, so a second run takes a second.

mod apt;
mod cargo_tools;
mod editors;
mod mongodb;
pub(crate) mod npm;

use std::thread;
use std::time::Instant;

use anyhow::{Result, anyhow};

use crate::tools;

/// Installs what is missing.
pub(crate) fn setup() -> Result<()> {
    let start = Instant::now();
    let dir = tools::directory()?;
    // Editors are unpacked by Debian's tools and checked against Debian's keys, so these come first.
    apt::install()?;
    // The rest waits for the network or for one core, so it goes side by side.
    thread::scope(|scope| {
        let parts = [
            scope.spawn(|| editors::install_terminal(&dir)),
            scope.spawn(|| editors::install_vscode(&dir)),
            scope.spawn(|| mongodb::install(&dir)),
            scope.spawn(|| npm::install(npm::NEEDED)),
            scope.spawn(|| cargo_tools::install(&dir)),
        ];
        parts.into_iter().try_for_each(|part| {
            part.join()
                .unwrap_or_else(|_| Err(anyhow!("a part of the set-up panicked")))
        })
    })?;
    println!(
        "setup: ready in {:.1} s ({})",
        start.elapsed().as_secs_f64(),
        dir.display()
    );
    Ok(())
}
