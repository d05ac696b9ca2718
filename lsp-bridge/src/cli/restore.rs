//! `tutti restore`.

use std::path::{Component, Path, PathBuf};

use anyhow::{Context, bail};
use tutti_protocol::rest::RestoredVersion;

use super::{current_dir, output};
use crate::api::Api;
use crate::credentials::Credentials;
use crate::mirror::survey_for;
use crate::project::Project;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The number of the version, as `tutti log` has it
    version: u32,
    /// The file or directory to restore [default: the whole project]
    path: Option<PathBuf>,
    /// Print what was done as one line of JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let here = current_dir()?;
    let project = Project::find(&here)?;
    let path = match &args.path {
        Some(path) => in_project(&project.root, &here, path)?,
        None => None,
    };
    let access = Credentials::of_user()?.project(&project)?;
    let access = access.context("no access from here: run `tutti join LINK` in this directory")?;
    let api = Api::new(&project.server, &access.token);
    let restored = api.restore(&project.id, args.version, path)?;
    if args.json {
        return output::line(serde_json::to_string(&restored)?);
    }
    let path = args.path.as_ref().map(|path| path.to_string_lossy());
    output::line(said(args.version, path.as_deref(), &restored))?;
    if !survey_for(&project.root, 0)?.bridge_runs {
        output::note("This directory follows when its bridge runs: it starts with your editor.");
    }
    Ok(())
}

fn said(version: u32, path: Option<&str>, restored: &RestoredVersion) -> String {
    let done = [
        (restored.changed, "changed"),
        (restored.returned, "brought back"),
        (restored.deleted, "deleted"),
    ];
    let done: Vec<String> = done
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{} {what}", output::files(count as usize)))
        .collect();
    match done.is_empty() {
        true => format!("Nothing differs from version {version}"),
        false => format!(
            "Restored version {version}: {}; `tutti restore {}{}` takes this back",
            done.join(", "),
            restored.before,
            path.map_or(String::new(), |path| format!(" {path}")),
        ),
    }
}

/// A path as the project has it; `None` for the project itself. What it names need not be there.
fn in_project(root: &Path, here: &Path, path: &Path) -> anyhow::Result<Option<String>> {
    let whole = here.join(path);
    let mut plain = PathBuf::new();
    for part in whole.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    let Ok(within) = plain.strip_prefix(root) else {
        bail!(
            "{} is not in this project, which is {}",
            path.display(),
            root.display()
        );
    };
    let parts: Option<Vec<&str>> = within.iter().map(|part| part.to_str()).collect();
    let parts = parts.with_context(|| format!("{} is no text", path.display()))?;
    Ok(Some(parts.join("/")).filter(|path| !path.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_named_from_where_one_stands() {
        let named = |here: &str, path: &str| {
            in_project(Path::new("/p"), Path::new(here), Path::new(path))
                .map_err(|error| error.to_string())
        };
        let some = |path: &str| Ok(Some(path.to_owned()));
        assert_eq!(named("/p", "src/a.rs"), some("src/a.rs"));
        assert_eq!(named("/p/src", "a.rs"), some("src/a.rs"));
        assert_eq!(named("/p/src", "./../b/"), some("b"));
        assert_eq!(named("/p/src", "/p/c"), some("c"));
        assert_eq!(named("/p/src", ".."), Ok(None));
        for outside in ["../../x", "/etc/passwd", "/pq"] {
            assert!(
                named("/p/src", outside)
                    .unwrap_err()
                    .contains("not in this project")
            );
        }
    }

    #[test]
    fn what_was_done_in_one_sentence() {
        let mut restored = RestoredVersion {
            before: 7,
            changed: 2,
            returned: 0,
            deleted: 1,
        };
        let line = "Restored version 3: 2 files changed, 1 file deleted; `tutti restore 7` takes this back";
        assert_eq!(said(3, None, &restored), line);
        let line = line.replace("restore 7", "restore 7 src");
        assert_eq!(said(3, Some("src"), &restored), line);
        (restored.changed, restored.deleted) = (0, 0);
        assert_eq!(said(3, None, &restored), "Nothing differs from version 3");
    }
}
