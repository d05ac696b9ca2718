//! What lies on this machine: the project's directory, and this person's secrets.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::finding::{Report, shown};
use crate::cli::output;
use crate::credentials::{Access, Credentials};
use crate::mirror::{LeftAlone, survey};
use crate::project::{Project, ProjectError};

/// The project that `dir` lies in.
pub(super) fn project(dir: &Path, report: &mut Report) -> Option<Project> {
    const CHECK: &str = "Project";
    let error = match Project::find(dir) {
        Ok(project) => {
            let Project { id, root, .. } = &project;
            report.good(CHECK, format!("{id}, in {}", shown(root)));
            return Some(project);
        }
        Err(error) => error,
    };
    let pending = dir.ancestors().find_map(|dir| Project::pending(dir).ok()?);
    match (error, pending) {
        (_, Some(pending)) => report.wrong(
            CHECK,
            format!("half made, in {}", shown(&pending.root)),
            "Run the `tutti share` or `tutti join LINK` again that was interrupted there.",
        ),
        (ProjectError::NotFound(_), None) => report.note(
            CHECK,
            "none here or above: `tutti share` makes one, `tutti join LINK` joins one",
        ),
        (error, None) => report.wrong(
            CHECK,
            error.to_string(),
            "Then run `tutti doctor` again, which looks at the rest.",
        ),
    };
    None
}

/// The file with this person's secrets, if it can be used.
pub(super) fn credentials(report: &mut Report) -> Option<Credentials> {
    const CHECK: &str = "Credentials";
    let credentials = match Credentials::of_user() {
        Ok(credentials) => credentials,
        Err(error) => {
            report.wrong(CHECK, "nowhere to keep them", format!("{error}."));
            return None;
        }
    };
    let path = credentials.path();
    let name = shown(path);
    let known = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            report.note(CHECK, "none yet: sharing and joining keep theirs");
            return Some(credentials);
        }
        known => known,
    };
    if let Err(error) = credentials.check() {
        report.wrong(
            CHECK,
            error.to_string(),
            "After that join your projects again with their links.",
        );
        return None;
    }
    match known.is_ok_and(|known| is_private(&known)) {
        true => report.good(CHECK, format!("{name}, readable by you alone")),
        false => report.wrong(
            CHECK,
            format!("others on this machine can read {name}"),
            format!("Run `chmod 600 {name}`: it holds the secrets of your links."),
        ),
    };
    Some(credentials)
}

#[cfg(unix)]
fn is_private(known: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    known.permissions().mode() & 0o077 == 0
}

#[cfg(not(unix))]
fn is_private(_: &fs::Metadata) -> bool {
    true
}

/// What opens the project from its directory.
pub(super) fn access(
    credentials: &Credentials,
    project: &Project,
    report: &mut Report,
) -> Option<Access> {
    // What cannot be read has been told.
    let access = credentials.project(project).ok()?;
    if access.is_none() {
        report.wrong(
            "Access",
            "this directory has no token for its project",
            "Run `tutti join LINK` here, with a link that someone in the project gives you.",
        );
    }
    access
}

/// The project's own directory: whether its state can be kept, who is at work, what is left out.
pub(super) fn directory(project: &Project, report: &mut Report) {
    let state = project.private().join("state");
    match can_write(&state) {
        Ok(()) => report.good("State", ".tutti/state can be written"),
        Err(error) => report.wrong(
            "State",
            format!("{} cannot be written: {error}", shown(&state)),
            "Make it a directory of yours: edits that the server does not have yet are kept there.",
        ),
    };
    let survey = match survey(&project.root) {
        Ok(survey) => survey,
        Err(error) => {
            let advice = "See whether this directory is yours to read and write.";
            report.wrong("Files", format!("not readable: {error}"), advice);
            return;
        }
    };
    match survey.bridge_runs {
        true => report.good("Bridge", "at work in this directory"),
        false => report.note("Bridge", "not running: it starts with your editor"),
    };
    let mut shared = format!("{} in step", output::files(survey.followed));
    let others = survey.differing() + survey.waiting.len() + survey.unheard.len();
    if others > 0 {
        shared += &format!(", {others} not yet: `tutti status` names them");
    }
    if survey.left_alone.is_empty() {
        report.good("Files", shared);
        return;
    }
    let line = |(path, reason): &(String, LeftAlone)| format!("{path}: {reason}");
    report
        .note(
            "Files",
            format!("{shared}, {} left out", survey.left_alone.len()),
        )
        .list(survey.left_alone.iter().map(line).collect());
}

fn can_write(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let probe = dir.join(format!("doctor-{:016x}.tmp", fastrand::u64(..)));
    File::create_new(&probe)?;
    fs::remove_file(probe)
}
