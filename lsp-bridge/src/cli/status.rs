//! `tutti status`.

use tutti_protocol::role::Role;

use super::{current_dir, output};
use crate::api::{Api, ApiError};
use crate::credentials::Credentials;
use crate::mirror::{LeftAlone, Survey, survey};
use crate::project::Project;

pub(super) fn run() -> anyhow::Result<()> {
    let project = Project::find(&current_dir()?)?;
    let access = Credentials::of_user()?.project(&project)?;
    let asked = access.map(|access| Api::new(&project.server, &access.token).project(&project.id));
    let mut may_edit = true;
    let (name, connection) = match asked {
        Some(Ok(found)) => {
            may_edit = found.role == Role::Editor;
            let may = match found.role {
                Role::Editor => "you may edit",
                Role::Viewer => "you may view",
            };
            (Some(found.name), format!("reachable, {may}"))
        }
        Some(Err(ApiError::NoServer { reason, .. })) => {
            let text = format!("not reachable ({reason}): edits are kept here until it is");
            (None, text)
        }
        Some(Err(error)) => (None, error.to_string()),
        None => (
            None,
            "no access from here: run `tutti join LINK` in this directory".to_owned(),
        ),
    };
    let id = &project.id;
    let name = name.map_or(id.to_string(), |name| format!("{name} ({id})"));
    output::line(format_args!("Project    {name}"))?;
    output::line(format_args!("Directory  {}", project.root.display()))?;
    output::line(format_args!("Server     {}: {connection}", project.server))?;
    report(&survey(&project.root)?, may_edit)
}

fn report(survey: &Survey, may_edit: bool) -> anyhow::Result<()> {
    let bridge = match survey.bridge_runs {
        true => "running",
        false => "not running: it starts with your editor",
    };
    output::line(format_args!("Bridge     {bridge}"))?;
    output::line(format_args!(
        "Files      {} in step with the project, {} changed here",
        output::files(survey.followed),
        survey.differing()
    ))?;
    let list = |title: &str, paths: &[String]| {
        if paths.is_empty() {
            return Ok(());
        }
        output::line(format_args!("{title}: {}", output::files(paths.len())))?;
        paths
            .iter()
            .try_for_each(|path| output::line(format_args!("  {path}")))
    };
    let unsaved = match may_edit {
        true => "Not yet confirmed by the server",
        false => "Changed here alone, since your link is view-only",
    };
    list(unsaved, &survey.unsaved)?;
    list("Changed here since the bridge last ran", &survey.changed)?;
    let left_alone: Vec<String> = survey
        .left_alone
        .iter()
        .map(|(path, reason): &(String, LeftAlone)| format!("{path}: {reason}"))
        .collect();
    list("Left alone", &left_alone)?;
    if survey.recovered > 0 {
        let count = output::files(survey.recovered);
        output::line(format_args!("Kept for you in .tutti/recovered: {count}"))?;
    }
    Ok(())
}
