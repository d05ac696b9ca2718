//! Where things lie: the repository, and the directory that `setup` fills.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// The repository's root.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the repository")
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| repository().join("target"), |dir| repository().join(dir))
}

/// The directory of the tools that tests need: `TUTTI_TEST_TOOLS`, else `tutti-test-tools` in the user's cache.
/// The tests (`tests/src/tools.rs`) look in the same place.
pub(crate) fn directory() -> Result<PathBuf> {
    if let Some(dir) = env::var_os("TUTTI_TEST_TOOLS") {
        return Ok(dir.into());
    }
    let cache = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".cache")))
        .context("neither HOME nor XDG_CACHE_HOME is set; set TUTTI_TEST_TOOLS")?;
    Ok(cache.join("tutti-test-tools"))
}

/// `cargo …` in the repository, with the subcommands that `setup` installed.
pub(crate) fn cargo(args: &[&str]) -> Result<Command> {
    let mut path = OsString::from(directory()?.join("cargo/bin"));
    if let Some(outer) = env::var_os("PATH") {
        path =
            env::join_paths(std::iter::once(PathBuf::from(path)).chain(env::split_paths(&outer)))?;
    }
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(args).env("PATH", path).current_dir(repository());
    // What `cargo run` tells of this very package. Build scripts that look at such variables would run again whenever
    // it is the other way of calling cargo, and everything above them be compiled anew.
    for (name, _) in env::vars_os() {
        let is_own = |name: &str| {
            ["CARGO_PKG_", "CARGO_MANIFEST_"]
                .iter()
                .any(|own| name.starts_with(own))
        };
        if name.to_str().is_some_and(is_own) {
            cargo.env_remove(name);
        }
    }
    Ok(cargo)
}

/// `npm …` in one of the repository's packages.
pub(crate) fn npm(package: &str, args: &[&str]) -> Command {
    let mut npm = Command::new("npm");
    npm.args(args).current_dir(repository().join(package));
    npm
}
