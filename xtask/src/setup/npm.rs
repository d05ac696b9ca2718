//! The npm packages: the web client's own, and those that only tests use (stock Yjs clients, the browser's driver, VS
//! Code's extension).

use std::fs;

use anyhow::{Context, Result};

use crate::command::run;
use crate::tools::{npm, repository};

/// What tests and builds need.
pub(crate) const NEEDED: &[&str] = &["tests/node", "tests/node/vscode-client", "server/web"];
/// Servers to measure beside Tutti's.
pub(crate) const PEERS: &str = "bench/peers";

/// Installs packages that are not there as their lock files have them.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    for package in packages {
        if !current(package)? {
            println!("setup: npm installs {package}");
            run(&mut npm(
                package,
                &["ci", "--no-audit", "--no-fund", "--loglevel=error"],
            ))
            .with_context(|| format!("npm could not install {package}; is there a network?"))?;
            fs::copy(lock(package), stamp(package))
                .with_context(|| format!("cannot write into {package}/node_modules"))?;
        }
    }
    Ok(())
}

/// Whether `node_modules` was installed from the lock file as it is now.
fn current(package: &str) -> Result<bool> {
    let wanted = fs::read(lock(package))
        .with_context(|| format!("{package}/package-lock.json cannot be read"))?;
    Ok(fs::read(stamp(package)).is_ok_and(|installed| installed == wanted))
}

fn lock(package: &str) -> std::path::PathBuf {
    repository().join(package).join("package-lock.json")
}

fn stamp(package: &str) -> std::path::PathBuf {
    repository()
        .join(package)
        .join("node_modules/.installed-from.json")
}
