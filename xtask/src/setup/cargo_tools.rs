//! The cargo subcommands that the checks call.

use std::path::Path;

use anyhow::{Context, Result};

use crate::command::{run, succeeds};
use crate::tools::cargo;

/// Subcommand and the versions to install. Any version that is there already serves.
const TOOLS: &[(&str, &str)] = &[("nextest", "^0.9"), ("deny", "^0.20")];

pub(super) fn install(dir: &Path) -> Result<()> {
    for (name, version) in TOOLS {
        if succeeds(cargo(&[name, "--version"])?.env_remove("RUSTUP_TOOLCHAIN")) {
            continue;
        }
        println!("setup: cargo builds cargo-{name}");
        // Without optimisation they are ready in a quarter of the time, and run fast enough for one workspace.
        let tool = format!("cargo-{name}@{version}");
        let root = dir.join("cargo");
        run(
            cargo(&["install", "--quiet", "--locked", "--debug", "--root"])?
                .arg(&root)
                .arg(&tool)
                .env("CARGO_PROFILE_DEV_DEBUG", "0")
                .env("CARGO_TARGET_DIR", dir.join("cargo-build")),
        )
        .with_context(|| format!("cargo-{name} could not be built; is there a network?"))?;
    }
    // Only the programs are needed.
    let build = dir.join("cargo-build");
    if build.exists() {
        std::fs::remove_dir_all(&build)
            .with_context(|| format!("cannot remove {}", build.display()))?;
    }
    Ok(())
}
