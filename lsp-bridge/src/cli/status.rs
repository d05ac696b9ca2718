//! `tutti status`.

use tutti_protocol::blob::DEFAULT_MAX_BYTES;
use tutti_protocol::role::Role;

use super::{current_dir, output};
use crate::api::{Api, ApiError};
use crate::credentials::Credentials;
use crate::mirror::{LeftAlone, Survey, survey_for};
use crate::project::Project;

pub(super) fn run() -> anyhow::Result<()> {
    let project = Project::find(&current_dir()?)?;
    let access = Credentials::of_user()?.project(&project)?;
    let known_name = access.as_ref().and_then(|access| access.name.clone());
    let api = access.map(|access| Api::new(&project.server, &access.token));
    let ask = |api: &Api| api.hears().and_then(|()| api.project(&project.id));
    let asked = api.as_ref().map(ask);
    let mut role = None;
    let mut cap = DEFAULT_MAX_BYTES;
    let (name, connection) = match asked {
        Some(Ok(found)) => {
            role = Some(found.role);
            cap = found.max_blob_bytes.unwrap_or(0);
            let may = match found.role {
                Role::Editor => "you may edit",
                Role::Viewer => "you may view",
            };
            (Some(found.name), format!("reachable, {may}"))
        }
        Some(Err(ApiError::NoServer { reason, .. })) => {
            let text = format!("not reachable ({reason}): edits are kept here meanwhile");
            (None, text)
        }
        Some(Err(error)) => (None, error.to_string()),
        None => (
            None,
            "no access from here: run `tutti join LINK` in this directory".to_owned(),
        ),
    };
    let id = &project.id;
    let server = project.server.as_str().trim_end_matches('/');
    let name = name.or(known_name);
    let name = name.map_or(id.to_string(), |name| format!("{name} ({id})"));
    output::line(format_args!("Project    {name}"))?;
    output::line(format_args!("Directory  {}", project.root.display()))?;
    output::line(format_args!("Server     {server}  {connection}"))?;
    if role.is_some()
        && let Some(Ok(reason)) = api.map(|api| api.not_ready())
        && !reason.is_empty()
    {
        output::line(format_args!("Not saved  {reason}"))?;
    }
    lines(&survey_for(&project.root, cap)?, role)
        .into_iter()
        .try_for_each(output::line)
}

/// What is known of the directory. `role` is what the server says that this person may do, if it
/// answers.
fn lines(survey: &Survey, role: Option<Role>) -> Vec<String> {
    let bridge = match survey.bridge_runs {
        true => "running",
        false => "not running: it starts with your editor",
    };
    let mut lines = vec![
        format!("Bridge     {bridge}"),
        format!(
            "Files      {} in step with the project, {} changed here",
            output::files(survey.followed),
            survey.differing()
        ),
    ];
    let mut list = |title: &str, items: &[String]| {
        if !items.is_empty() {
            lines.push(format!("{title}: {}", output::files(items.len())));
            lines.extend(items.iter().map(|item| format!("  {item}")));
        }
    };
    if role == Some(Role::Viewer) {
        let mut alone = [survey.unsaved.as_slice(), &survey.changed].concat();
        alone.sort();
        list("Changed here alone, since your link is view-only", &alone);
    } else {
        // A viewer's edits never will be: without an answer nobody knows whose they are.
        let unsaved = match role {
            Some(_) => "Not yet confirmed by the server",
            None => "Not confirmed by the server",
        };
        list(unsaved, &survey.unsaved);
        let changed = match (survey.bridge_runs, role) {
            (true, Some(_)) => "Changed here, and on the way into the project",
            (true, None) => "Changed here, and not in the project",
            (false, _) => "Changed here since the bridge last ran",
        };
        list(changed, &survey.changed);
    }
    list(
        "Open in an editor that no longer tells what changes there (save it, close it for good and open it again)",
        &survey.unheard,
    );
    let unwritten = survey.unwritten.iter();
    let unwritten: Vec<_> = unwritten
        .map(|(path, reason)| format!("{path}: {reason}"))
        .collect();
    let title = match survey.unwritten_more {
        0 => "Not written here, and tried again".to_owned(),
        more => format!("Not written here, and tried again, with {more} more"),
    };
    list(&title, &unwritten);
    let waiting = match survey.bridge_runs && role.is_some() {
        true => "On the way here",
        false => "Not here yet",
    };
    list(waiting, &survey.waiting);
    let renamed = match survey.bridge_runs {
        true => "Renamed while open here",
        false => "Renamed in the project, and not yet here",
    };
    let names = survey.renamed.iter();
    let names: Vec<_> = names
        .map(|(here, there)| format!("{here}: {there} in the project"))
        .collect();
    list(renamed, &names);
    let deleted = match survey.bridge_runs {
        true => "Deleted by others while open here",
        false => "Deleted by others, and still here",
    };
    list(deleted, &survey.deleted);
    let left_alone = survey.left_alone.iter();
    let left_alone: Vec<_> = left_alone
        .map(|(path, reason): &(String, LeftAlone)| format!("{path}: {reason}"))
        .collect();
    list("Left alone", &left_alone);
    if survey.recovered > 0 {
        let count = output::files(survey.recovered);
        lines.push(format!("Kept for you in .tutti/recovered: {count}"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists(bridge_runs: bool, role: Option<Role>) -> Vec<String> {
        let survey = Survey {
            unsaved: vec!["b".to_owned()],
            changed: vec!["a".to_owned()],
            renamed: vec![("c".to_owned(), "d".to_owned())],
            deleted: vec!["e".to_owned()],
            followed: 1,
            bridge_runs,
            ..Survey::default()
        };
        let lines = lines(&survey, role);
        assert_eq!(
            lines[1],
            "Files      1 file in step with the project, 2 changed here"
        );
        lines[2..].to_vec()
    }

    #[test]
    fn a_heading_says_what_will_become_of_a_change() {
        let renamed = ["Renamed while open here: 1 file", "  c: d in the project"];
        let deleted = ["Deleted by others while open here: 1 file", "  e"];
        let runs = |unsaved, changed| {
            let changes = [unsaved, "  b", changed, "  a"];
            [changes.as_slice(), &renamed, &deleted].concat()
        };
        assert_eq!(
            lists(true, Some(Role::Editor)),
            runs(
                "Not yet confirmed by the server: 1 file",
                "Changed here, and on the way into the project: 1 file",
            )
        );
        assert_eq!(
            lists(true, None),
            runs(
                "Not confirmed by the server: 1 file",
                "Changed here, and not in the project: 1 file",
            )
        );
        let ended = lists(false, Some(Role::Editor));
        assert_eq!(ended[2], "Changed here since the bridge last ran: 1 file");
        assert_eq!(ended[4], "Renamed in the project, and not yet here: 1 file");
        assert_eq!(ended[6], "Deleted by others, and still here: 1 file");
    }

    #[test]
    fn what_a_viewer_changes_is_listed_once_and_called_theirs_alone() {
        for bridge_runs in [false, true] {
            let lists = lists(bridge_runs, Some(Role::Viewer));
            let alone = "Changed here alone, since your link is view-only: 2 files";
            assert_eq!(lists[..3], [alone, "  a", "  b"]);
            assert!(lists[3].starts_with("Renamed"), "{lists:?}");
            assert_eq!(lists.len(), 7);
        }
    }
}
