//! Neovim, Helix and Emacs at fixed versions, by the recipe in `editors.sh`.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::run;
use crate::tools::repository;

/// The recipe itself is the stamp: any change to it makes the editors anew.
const RECIPE: &str = include_str!("editors.sh");

pub(super) fn install(dir: &Path) -> Result<()> {
    let editors = dir.join("editors");
    let stamp = editors.join("recipe");
    if fs::read_to_string(&stamp).is_ok_and(|made_by| made_by == RECIPE) {
        return Ok(());
    }
    println!("setup: unpacking Neovim, Helix and Emacs");
    if editors.exists() {
        fs::remove_dir_all(&editors)
            .with_context(|| format!("cannot remove {}", editors.display()))?;
    }
    fs::create_dir_all(&editors).with_context(|| format!("cannot make {}", editors.display()))?;
    run(Command::new("bash")
        .arg(repository().join("xtask/src/setup/editors.sh"))
        .arg(&editors))
    .context("the terminal editors could not be installed")?;
    fs::write(&stamp, RECIPE).with_context(|| format!("cannot write {}", stamp.display()))
}
