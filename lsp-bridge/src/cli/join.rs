//! `tutti join`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use tutti_protocol::ids::DocumentId;
use tutti_protocol::index::FileEntry;
use tutti_protocol::link::ShareLink;
use tutti_protocol::role::Role;

use super::alone::Alone;
use super::transfer::Transfer;
use super::workspace::{Index, Workspace, link_config, open_mirror};
use super::{current_dir, identity, output, runtime};
use crate::api::{Api, ApiError};
use crate::credentials::{Access, Credentials, CredentialsError};
use crate::mirror::{Changes, Comparison, compare};
use crate::project::{Project, ProjectError, is_unnamed};

/// So many paths of a kind are named; the rest is counted.
const SHOWN_PATHS: usize = 10;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The link that you were given
    link: String,
    /// A new or empty directory [default: the project's name, in the current directory; or, in a
    /// directory of this project or of that name, that one]
    dir: Option<PathBuf>,
    /// Join a directory that holds files. Where one differs from the project's, your text is kept
    /// in .tutti/recovered; files that only you have are added to the project
    #[arg(long)]
    merge: bool,
}

/// How the directory is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    /// Not there, or empty.
    Fresh,
    /// A join of the same project was interrupted here.
    Interrupted,
    /// It holds files, and the person has agreed to what that means.
    Merged,
    /// It holds files, and the person may not know.
    Unmerged,
    /// It is this project already.
    Joined,
    /// It is this project, whose server was found elsewhere before.
    Moved,
}

pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let link: ShareLink = args.link.parse()?;
    let credentials = Credentials::of_user()?;
    let Entered { token, role, name } = enter(&link, &credentials)?;
    let dir = match &args.dir {
        Some(dir) => dir.clone(),
        None => match Project::find(&current_dir()?) {
            // Called where it is followed already: the access is to be renewed.
            Ok(here) if here.id == link.project => here.root,
            _ => by_name(&current_dir()?, &name),
        },
    };
    // Its parent must be there; the directory itself need not.
    let root = absolute(&dir)?;
    let project = Project {
        root,
        server: link.server.clone(),
        id: link.project.clone(),
    };
    let condition = examine(&project, args.merge)?;
    let keep = || {
        credentials.keep_project(
            &project,
            Access {
                token: token.clone(),
                name: Some(name.clone()),
                editor_link: None,
                viewer_link: None,
            },
        )
    };
    if condition == Condition::Moved {
        return move_there(&project, &credentials, keep);
    }
    if condition == Condition::Joined {
        keep()?;
        let may = match role {
            Role::Editor => "you may edit",
            Role::Viewer => "this link lets you only view from now on",
        };
        return output::line(format_args!(
            "{} is this project already; your access was renewed: {may}.",
            project.root.display()
        ));
    }
    let download = download(&project, &token, condition, role, &credentials, keep);
    let count = runtime()?.block_on(download)?;
    project.finish()?;
    let may = match role {
        Role::Editor => "edit",
        Role::Viewer => "view",
    };
    output::line(format_args!(
        "Joined {name} in {}: {} to {may}. Open it in your editor.",
        project.root.display(),
        output::files(count)
    ))
}

/// From now on the directory follows its project on the server where that is now.
fn move_there(
    project: &Project,
    credentials: &Credentials,
    keep: impl FnOnce() -> Result<(), CredentialsError>,
) -> anyhow::Result<()> {
    keep()?;
    let before = Project::at(&project.root)?;
    project.begin()?;
    project.finish()?;
    if let Some(before) = before {
        credentials.forget_project(&before)?;
    }
    let root = project.root.display();
    let server = &project.server;
    output::line(format_args!("{root} follows its project on {server} now."))
}

/// What a link leads to.
struct Entered {
    token: String,
    role: Role,
    name: String,
}

/// Uses the link, unless this person has used it before: it may let one in only.
fn enter(link: &ShareLink, credentials: &Credentials) -> anyhow::Result<Entered> {
    Api::new(&link.server, &link.token).hears()?;
    let find = |token: &str| Api::new(&link.server, token).project(&link.project);
    if let Some(token) = credentials.entered(link)?
        && let Ok(found) = find(&token)
    {
        let (role, name) = (found.role, found.name);
        return Ok(Entered { token, role, name });
    }
    let joined = Api::new(&link.server, &link.token).join(&link.project);
    let token = joined.map_err(explain)?.token;
    if token != link.token {
        credentials.keep_entered(link, &token)?;
    }
    let found = find(&token)?;
    let (role, name) = (found.role, found.name);
    Ok(Entered { token, role, name })
}

fn explain(error: ApiError) -> anyhow::Error {
    match error {
        ApiError::Unauthorized(_) | ApiError::NotFound(_) => {
            anyhow::anyhow!(
                "this link is unknown or has expired, or its project is gone: ask for a new one"
            )
        }
        error => error.into(),
    }
}

fn absolute(dir: &Path) -> anyhow::Result<PathBuf> {
    match dir.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let dir = std::path::absolute(dir)?;
            let parent = dir.parent().and_then(|parent| parent.canonicalize().ok());
            Ok(match (parent, dir.file_name()) {
                (Some(parent), Some(name)) => parent.join(name),
                _ => dir,
            })
        }
        found => found.with_context(|| format!("{} cannot be joined", dir.display())),
    }
}

/// The directory of a project in `current`: that itself where it has the project's name, as a clone
/// by git has.
fn by_name(current: &Path, name: &str) -> PathBuf {
    let name = directory_name(name);
    match current.file_name() == Some(name.as_ref()) {
        true => current.to_owned(),
        false => current.join(name),
    }
}

/// A project's name as a directory's.
fn directory_name(name: &str) -> String {
    let plain = |c: char| {
        if c.is_alphanumeric() || "-_.".contains(c) {
            c
        } else {
            '-'
        }
    };
    let name: String = name.chars().take(60).map(plain).collect();
    let name = name.trim_matches(['-', '.']);
    if name.is_empty() {
        "project".to_owned()
    } else {
        name.to_owned()
    }
}

/// Looks at the directory, and refuses those in which the project has no place.
fn examine(project: &Project, merge: bool) -> anyhow::Result<Condition> {
    let root = &project.root;
    let shown = root.display();
    let entries = match fs::read_dir(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            bail!("{shown} is a file: name a new or empty directory")
        }
        read => Some(read.with_context(|| format!("{shown} cannot be read"))?),
    };
    let above = root.ancestors().find(|above| above.is_dir());
    match Project::find(above.unwrap_or(root)) {
        Err(ProjectError::NotFound(_) | ProjectError::Unnamed(_)) => {}
        Err(error) => return Err(error.into()),
        Ok(other) if other.root == *root => {
            ensure!(
                other.id == project.id,
                "{shown} belongs to another project: name a new or empty directory"
            );
            if other.server != project.server {
                ensure!(
                    merge,
                    "{shown} is this project on {}: if its server has moved to {}, agree with \
                     --merge",
                    other.server,
                    project.server
                );
            }
            // A clone by git brings the project's name along, and none of Tutti's own state.
            if project.private().join("state").is_dir() {
                return Ok(match other.server == project.server {
                    true => Condition::Joined,
                    false => Condition::Moved,
                });
            }
        }
        Ok(other) => bail!(
            "{shown} lies inside the shared project {}: name a directory outside of it",
            other.root.display()
        ),
    }
    if let Some(pending) = Project::pending(root)? {
        ensure!(
            (&pending.server, &pending.id) == (&project.server, &project.id),
            "another project was begun in {shown} and not ended: name a new or empty directory"
        );
        return Ok(match merge {
            true => Condition::Merged,
            false => Condition::Interrupted,
        });
    }
    let empty = entries.is_none_or(|mut entries| entries.next().is_none());
    Ok(if empty {
        Condition::Fresh
    } else if merge {
        Condition::Merged
    } else {
        Condition::Unmerged
    })
}

/// Writes the project into the directory; returns the number of files.
async fn download(
    project: &Project,
    token: &str,
    condition: Condition,
    role: Role,
    credentials: &Credentials,
    keep: impl FnOnce() -> Result<(), CredentialsError>,
) -> anyhow::Result<usize> {
    let mut transfer = Transfer::start(link_config(project, token));
    let mut index = Index::new(None)?;
    index.sync(&mut transfer).await?;
    if condition == Condition::Unmerged {
        transfer.close().await;
        return Err(refusal(&compare(&project.root, &index.entries())?, project));
    }
    fs::create_dir_all(&project.root)
        .with_context(|| format!("{} cannot be made", project.root.display()))?;
    let _alone = Alone::in_directory(&project.root)?;
    if is_unnamed(&project.root) {
        ensure!(
            knows_any_of(project, &index.entries())?,
            "{}/.tutti is left of another project: remove it, and run this again",
            project.root.display()
        );
    }
    ensure!(
        examine(project, condition == Condition::Merged)? == condition,
        "another program has changed {} meanwhile: run this again",
        project.root.display()
    );
    // Before the first file, so that an interrupted join can go on. What cannot be kept is not
    // begun.
    keep()?;
    if let Err(error) = project.begin() {
        credentials.forget_project(project)?;
        return Err(error.into());
    }
    let me = identity::shown_name(&project.root);
    let entries = index.entries();
    let mirror = open_mirror(project, &me)?;
    let mut workspace = Workspace::new(mirror, index, transfer, project, token);
    workspace.mirror.set_read_only(role == Role::Viewer)?;
    let written = write(&mut workspace, entries, condition).await;
    written.context("the project is not complete here; the same command goes on with it")?;
    workspace.tell_left_alone();
    let count = workspace.files_here();
    workspace.close().await;
    Ok(count)
}

/// Whether what is left of a project in the directory knows a file of this one. The files of another one would pass for
/// deleted.
fn knows_any_of(
    project: &Project,
    entries: &BTreeMap<DocumentId, FileEntry>,
) -> anyhow::Result<bool> {
    let known = open_mirror(project, "")?.files();
    Ok(known.is_empty() || known.keys().any(|document| entries.contains_key(document)))
}

async fn write(
    workspace: &mut Workspace,
    entries: BTreeMap<DocumentId, FileEntry>,
    condition: Condition,
) -> anyhow::Result<()> {
    let mut effects = workspace.ask_for_cap()?;
    effects.extend(workspace.mirror.index_changed(entries, true)?);
    workspace.carry_out(effects, "Downloading").await?;
    if condition == Condition::Interrupted {
        workspace.mirror.clean_up()?;
    }
    if condition == Condition::Merged {
        let effects = workspace.mirror.files_changed(&Changes::everything())?;
        workspace.carry_out(effects, "Uploading").await?;
    }
    Ok(())
}

/// States what joining would change in a directory that holds files.
fn refusal(compared: &Comparison, project: &Project) -> anyhow::Error {
    let shown = project.root.display();
    let lists = [
        (
            &compared.both,
            "here and in the project: the project's text takes the place of yours; where they \
             differ, yours is kept in .tutti/recovered",
        ),
        (&compared.only_here, "only here: added to the project"),
        (&compared.only_there, "only in the project: written here"),
    ];
    output::note(format_args!("Joining in {shown} with --merge would mean:"));
    for (paths, meaning) in lists {
        if !paths.is_empty() {
            output::note(format_args!("  {} {meaning}", output::files(paths.len())));
        }
        for path in paths.iter().take(SHOWN_PATHS) {
            output::note(format_args!("    {path}"));
        }
        if paths.len() > SHOWN_PATHS {
            output::note(format_args!("    … and {} more", paths.len() - SHOWN_PATHS));
        }
    }
    anyhow::anyhow!(
        "{shown} is not empty and nothing was changed: agree with --merge, or name a new directory"
    )
}
