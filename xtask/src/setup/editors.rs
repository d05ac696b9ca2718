//! Editors at fixed versions, each set by the recipe of its name: Neovim, Helix and Emacs from Debian, VS Code from npm.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::run;
use crate::tools::repository;

pub(super) struct Recipe {
    /// The directory that it fills.
    pub(super) directory: &'static str,
    pub(super) script: &'static str,
    /// The script itself is the stamp: any change to it makes what it installs anew.
    pub(super) text: &'static str,
    pub(super) editors: &'static str,
}

const TERMINAL: Recipe = Recipe {
    directory: "editors",
    script: "xtask/src/setup/editors.sh",
    text: include_str!("editors.sh"),
    editors: "Neovim, Helix and Emacs",
};

const VSCODE: Recipe = Recipe {
    directory: "vscode",
    script: "xtask/src/setup/vscode.sh",
    text: include_str!("vscode.sh"),
    editors: "VS Code",
};

pub(super) fn install_terminal(dir: &Path) -> Result<()> {
    install(dir, &TERMINAL)
}

pub(super) fn install_vscode(dir: &Path) -> Result<()> {
    install(dir, &VSCODE)
}

pub(super) fn install(dir: &Path, recipe: &Recipe) -> Result<()> {
    let editors = dir.join(recipe.directory);
    let stamp = editors.join("recipe");
    if fs::read_to_string(&stamp).is_ok_and(|made_by| made_by == recipe.text) {
        return Ok(());
    }
    println!("setup: unpacking {}", recipe.editors);
    if editors.exists() {
        fs::remove_dir_all(&editors)
            .with_context(|| format!("cannot remove {}", editors.display()))?;
    }
    fs::create_dir_all(&editors).with_context(|| format!("cannot make {}", editors.display()))?;
    run(Command::new("bash")
        .arg(repository().join(recipe.script))
        .arg(&editors))
    .with_context(|| format!("{} could not be installed", recipe.editors))?;
    fs::write(&stamp, recipe.text).with_context(|| format!("cannot write {}", stamp.display()))
}
