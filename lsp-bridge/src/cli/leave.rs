//! `tutti leave`.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use tutti_protocol::rest::Project as Found;
use tutti_protocol::role::Role;

use super::{current_dir, output};
use crate::api::{Api, ApiError};
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
    let credentials = Credentials::of_user()?;
    let unsent = survey.differing();
    if unsent > 0 && !args.force {
        let edits = format!("the edits in {}", output::files(unsent));
        let why = match ask(&project, &credentials)? {
            Some(Ok(found)) if found.role == Role::Viewer => {
                "are yours alone, since your link is view-only"
            }
            Some(Err(ApiError::Unauthorized(_) | ApiError::NotFound(_))) => {
                "are yours alone, since the project is gone or your link not valid any more"
            }
            _ => bail!(
                "{edits} have not reached the server: open an editor while it is reachable, or \
                 leave all the same with --force"
            ),
        };
        bail!("{edits} {why}: leave with --force, the files stay as they are");
    }
    let kept = clear(&project.private())?;
    credentials.forget_project(&project)?;
    output::line(format_args!(
        "Left: {} is an ordinary directory again, with its files as they are.",
        project.root.display()
    ))?;
    if kept {
        output::line("Texts that were kept for you are still in .tutti/recovered.")?;
    }
    Ok(())
}

/// What the server says of the project, if there is access to it from here. Without an answer, what is
/// not sent may yet be.
fn ask(
    project: &Project,
    credentials: &Credentials,
) -> anyhow::Result<Option<Result<Found, ApiError>>> {
    let access = credentials.project(project)?;
    Ok(access.map(|access| {
        let api = Api::new(&project.server, &access.token);
        api.hears().and_then(|()| api.project(&project.id))
    }))
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
