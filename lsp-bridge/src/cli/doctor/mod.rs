//! `tutti doctor`: looks at everything that must be in order, and says what to do about the rest.

mod configuration;
mod editors;
mod finding;
mod helix;
mod place;
mod program;
mod server;
mod setup;

use anyhow::bail;
use url::Url;

use editors::{Editor, Homes};
use finding::Report;

use super::{DEFAULT_SERVER, current_dir, output, server_url};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Look at these editors' set-up; without any, at all that are installed
    editors: Vec<Editor>,
    /// Outside of a project: the server to look at
    #[arg(long, value_name = "URL", value_parser = server_url)]
    server: Option<Url>,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let mut report = Report::default();
    let dir = current_dir()?;
    let project = place::project(&dir, &mut report);
    match &project {
        Some(project) => {
            let there = server::look_at(&project.server, &mut report);
            let credentials = place::credentials(&mut report);
            let access = credentials.and_then(|file| place::access(&file, project, &mut report));
            if let (Some(access), true) = (access, there) {
                server::let_in(project, &access.token, &mut report);
            }
            place::directory(project, &mut report);
        }
        None => {
            match &args.server {
                Some(server) => {
                    server::look_at(server, &mut report);
                }
                None => server::look_for(&DEFAULT_SERVER.parse()?, &mut report),
            }
            place::credentials(&mut report);
        }
    }
    program::tutti(&mut report);
    let root = project.as_ref().map_or(&*dir, |project| &project.root);
    editors::look_at(&args.editors, &Homes::of_user(root), &mut report);

    match args.json {
        true => output::line(report.to_json())?,
        false => report.print()?,
    }
    if report.all_well() {
        return Ok(());
    }
    bail!(
        "something needs doing: see what is marked with {}",
        finding::WRONG
    );
}
