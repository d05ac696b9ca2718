//! `tutti leave`.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, bail, ensure};

use super::{current_dir, output};
use crate::credentials::Credentials;
use crate::mirror::survey;
use crate::project::{Project, ProjectError};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Leave although edits have not reached the server: the others will not get them
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let current = current_dir()?;
    let project = match Project::find(&current) {
        Err(ProjectError::NotFound(path)) => {
            Project::pending(&current)?.ok_or(ProjectError::NotFound(path))?
        }
        found => found?,
    };
    let survey = survey(&project.root)?;
    ensure!(
        !survey.bridge_runs,
        "an editor is at work in {}: close it first",
        project.root.display()
    );
    let unsent = survey.unsaved.len() + survey.changed.len();
    if unsent > 0 && !args.force {
        bail!(
            "the edits in {} have not reached the server: open an editor while it is reachable, \
             or leave all the same with --force",
            output::files(unsent)
        );
    }
    let kept = clear(&project.private())?;
    Credentials::of_user()?.forget_project(&project)?;
    output::line(format_args!(
        "Left: {} is an ordinary directory again, with its files as they are.",
        project.root.display()
    ))?;
    if kept {
        output::line("Texts that were kept for you are still in .tutti/recovered.")?;
    }
    Ok(())
}

/// Removes `.tutti` but for what was kept for the person; says whether there is any.
fn clear(private: &Path) -> anyhow::Result<bool> {
    let recovered = private.join("recovered");
    // An empty one goes with the rest.
    let _ = fs::remove_dir(&recovered);
    let doing = || format!("{} cannot be removed", private.display());
    for entry in fs::read_dir(private).with_context(doing)? {
        let path = entry.with_context(doing)?.path();
        if path == recovered {
            continue;
        }
        let is_dir = fs::symlink_metadata(&path).with_context(doing)?.is_dir();
        let removed = match is_dir {
            true => fs::remove_dir_all(&path),
            false => fs::remove_file(&path),
        };
        removed.with_context(doing)?;
    }
    match fs::remove_dir(private) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(true),
        removed => {
            removed.with_context(doing)?;
            Ok(false)
        }
    }
}
