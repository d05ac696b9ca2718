//! `tutti share`.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use tutti_protocol::ids::DocumentId;
use tutti_protocol::link::ShareLink;
use tutti_protocol::rest::CreatedProject;
use url::Url;

use super::alone::Alone;
use super::transfer::Transfer;
use super::workspace::{Index, Workspace, link_config, open_mirror};
use super::{DEFAULT_SERVER, current_dir, identity, output, runtime, server_url, token};
use crate::api::{Api, ApiError};
use crate::credentials::{Access, Credentials};
use crate::mirror::Changes;
use crate::project::{Project, ProjectError};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The directory [default: the current one]
    dir: Option<PathBuf>,
    /// The server [default: http://127.0.0.1:4400]
    #[arg(long, value_name = "URL", value_parser = server_url, env = "TUTTI_SERVER")]
    server: Option<Url>,
    /// The project's name [default: the directory's]
    #[arg(long)]
    name: Option<String>,
    /// A token that may make projects on the server
    #[arg(long)]
    token: Option<String>,
    /// Print the project and its links as one line of JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let dir = match &args.dir {
        Some(dir) => dir.clone(),
        None => current_dir()?,
    };
    let root = dir
        .canonicalize()
        .with_context(|| format!("{} cannot be shared", dir.display()))?;
    anyhow::ensure!(root.is_dir(), "{} is not a directory", dir.display());
    let credentials = Credentials::of_user()?;
    let _alone = Alone::in_directory(&root)?;
    refuse_shared(&root, &credentials)?;
    let (project, access) = match Project::pending(&root)? {
        Some(pending) => resume(pending, &args, &credentials)?,
        None => create(&root, &args, &credentials)?,
    };
    let uploaded = runtime()?.block_on(upload(&project, &access, args.json));
    let count = uploaded.context("the upload is not complete; `tutti share` goes on with it")?;
    project.finish()?;
    let created = CreatedProject {
        project: project.id.to_string(),
        editor_link: access.editor_link.unwrap_or_default(),
        viewer_link: access.viewer_link.unwrap_or_default(),
    };
    if args.json {
        return output::line(serde_json::to_string(&created)?);
    }
    output::line(format_args!("Shared {}.", output::files(count)))?;
    output::line(format_args!("To edit:  {}", created.editor_link))?;
    output::line(format_args!("To view:  {}", created.viewer_link))?;
    output::line("Others open a link in a browser, or run: tutti join LINK")
}

fn refuse_shared(root: &Path, credentials: &Credentials) -> anyhow::Result<()> {
    let project = match Project::find(root) {
        Err(ProjectError::NotFound(_)) => return Ok(()),
        // What is left would take the new project's files for deleted ones of the old.
        Err(error @ ProjectError::Unnamed(_)) => {
            bail!("{error}, or remove .tutti to share the files anew")
        }
        found => found?,
    };
    if project.root != root {
        bail!(
            "{} lies inside the shared project {}: share a directory outside of it",
            root.display(),
            project.root.display()
        );
    }
    let access = credentials.project(&project)?;
    match access.and_then(|access| Some((access.editor_link?, access.viewer_link?))) {
        Some((editor, viewer)) => bail!(
            "{} is shared already; to edit: {editor} , to view: {viewer}",
            root.display()
        ),
        None => bail!(
            "{} is shared already; who may edit makes a link with `tutti link --role editor`, and \
             `tutti leave` ends taking part",
            root.display()
        ),
    }
}

/// Goes on with a share that was interrupted.
fn resume(
    pending: Project,
    args: &Args,
    credentials: &Credentials,
) -> anyhow::Result<(Project, Access)> {
    let access = credentials.project(&pending)?;
    let shared_from_here = access.filter(|access| access.editor_link.is_some());
    let Some(access) = shared_from_here else {
        bail!(
            "a `tutti join` in {} was interrupted: run it again, or `tutti leave` first",
            pending.root.display()
        );
    };
    if args
        .server
        .as_ref()
        .is_some_and(|server| *server != pending.server)
    {
        bail!(
            "a `tutti share` to {} was interrupted here: run it again without --server, or \
             `tutti leave` first",
            pending.server
        );
    }
    Ok((pending, access))
}

fn create(
    root: &Path,
    args: &Args,
    credentials: &Credentials,
) -> anyhow::Result<(Project, Access)> {
    let server = match &args.server {
        Some(server) => server.clone(),
        None => DEFAULT_SERVER.parse()?,
    };
    let token = token::find(args.token.as_deref(), &server, credentials).map_err(name_another)?;
    let name = match &args.name {
        Some(name) => name.clone(),
        None => directory_name(root),
    };
    let api = Api::new(&server, &token.token);
    api.hears().map_err(|error| name_another(error.into()))?;
    let created = match api.create_project(&name) {
        // The server's own words are for links.
        Err(ApiError::Unauthorized(_)) => bail!(
            "{server} does not know the token from {}: give the administrator's with --token or \
             TUTTI_TOKEN (the server says at its first start in which file it lies)",
            token.source
        ),
        Err(error @ ApiError::Forbidden(_)) => {
            return Err(anyhow::Error::new(error).context(format!(
                "the token from {} does not let you share on {server}",
                token.source
            )));
        }
        created => created.map_err(|error| name_another(error.into()))?,
    };
    let link: ShareLink = created.editor_link.parse()?;
    let project = Project {
        root: root.to_owned(),
        // As the person wrote it: the link may name the server as others reach it.
        server: server.clone(),
        id: link.project,
    };
    let access = Access {
        token: link.token,
        name: Some(name),
        editor_link: Some(created.editor_link),
        viewer_link: Some(created.viewer_link),
    };
    // Before anything else, so that nothing is left behind that nobody can open.
    credentials.keep_project(&project, access.clone())?;
    if matches!(token.source, token::Source::Flag) {
        credentials.keep_server(&server, &token.token)?;
    }
    project.begin()?;
    Ok((project, access))
}

/// Where no server answers, another one may be meant.
fn name_another(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref() {
        Some(ApiError::NoServer { .. }) => {
            anyhow::anyhow!("{error}, or name another with --server")
        }
        _ => error,
    }
}

/// The directory's own name, cut to what a project's name may be.
fn directory_name(root: &Path) -> String {
    let name = root.file_name().map(|name| name.to_string_lossy());
    let plain: String = name
        .unwrap_or_default()
        .chars()
        .filter(|c| !c.is_control())
        .take(200)
        .collect();
    if plain.trim().is_empty() {
        "project".to_owned()
    } else {
        plain
    }
}

/// Uploads everything; returns the number of files.
async fn upload(project: &Project, access: &Access, quiet: bool) -> anyhow::Result<usize> {
    let me = identity::shown_name(&project.root);
    let mirror = open_mirror(project, &me)?;
    let stored = mirror.stored(&DocumentId::index())?;
    let mut index = Index::new(stored.as_ref().map(|stored| stored.state.as_slice()))?;
    let mut transfer = Transfer::start(link_config(project, &access.token));
    index.sync(&mut transfer).await?;
    let entries = index.entries();
    let mut workspace = Workspace::new(mirror, index, transfer, project, &access.token);
    workspace.quiet = quiet;
    let mut effects = workspace.ask_for_cap()?;
    effects.extend(workspace.mirror.index_changed(entries, true)?);
    effects.extend(workspace.mirror.files_changed(&Changes::everything())?);
    workspace.carry_out(effects, "Uploading").await?;
    workspace.tell_left_alone();
    let count = workspace.files_here();
    workspace.close().await;
    Ok(count)
}
