//! A directory that is a project of its own within one that is shared: each keeps its files.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};
use tutti_tests::cli::Person;
use tutti_tests::project;
use tutti_tests::rest::{Project, Rest};
use tutti_tests::server::Server;

const SAYS: &str = "it is a shared project of its own";
const LISTS: &str = "inner: the directory inner is a shared project of its own";

fn paths(server: &Server, project: &Project) -> Result<Vec<String>> {
    let rest = Rest::new(server.url(), project.editor_token().to_owned());
    let files = rest.files(&project.id)?;
    let mut paths: Vec<_> = files.into_iter().map(|(_, path)| path).collect();
    paths.sort();
    Ok(paths)
}

fn status(person: &Person, dir: &Path) -> Result<String> {
    Ok(person.tutti(dir, &["status"])?.success()?.stdout)
}

#[test]
fn an_outer_share_leaves_the_inner_one_alone() -> Result<()> {
    let server = Server::start()?;
    let (ada, bob) = (Person::new("Ada")?, Person::new("Bob")?);
    let (outer, bobs) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let inner = outer.path().join("inner");
    project::write(outer.path(), &[("a", "outer\n"), ("inner/b", "inner\n")])?;
    let of_inner = ada.share(&inner, &server)?;
    let shared = ada.shares(outer.path(), &server)?.success()?;
    ensure!(
        shared.stderr.contains("inner was left alone") && shared.stderr.contains(SAYS),
        "{shared:?}"
    );
    let of_outer = Project::from_json(shared.stdout.trim())?;
    ensure!(paths(&server, &of_outer)? == ["a"]);
    ensure!(paths(&server, &of_inner)? == ["b"]);
    let said = status(&ada, outer.path())?;
    ensure!(said.contains(LISTS), "{said}");
    ensure!(
        said.contains("1 file in step with the project, 0 changed"),
        "{said}"
    );

    // Bob has an inner one, too, and what he joins around it.
    bob.join(&of_inner.editor_link, &bobs.path().join("inner"))?;
    let words = ["join", &of_outer.editor_link, ".", "--merge"];
    let joined = bob.tutti(bobs.path(), &words)?.success()?;
    ensure!(joined.stderr.contains(SAYS), "{joined:?}");
    ensure!(paths(&server, &of_outer)? == ["a"]);
    let said = status(&bob, bobs.path())?;
    ensure!(said.contains(LISTS), "{said}");
    ensure!(fs::read_to_string(bobs.path().join("inner/b"))? == "inner\n");
    Ok(())
}

#[test]
fn a_copy_of_the_same_project_within_it_goes_up_once() -> Result<()> {
    let server = Server::start()?;
    let (ada, bob) = (Person::new("Ada")?, Person::new("Bob")?);
    let (adas, bobs) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let files = [("a", "one\n"), ("d/b", "two\n")];
    project::write(adas.path(), &files)?;
    let project = ada.share(adas.path(), &server)?;
    // A clone by git, in which Bob first joins without a directory.
    project::write(bobs.path(), &files)?;
    bob.tutti(bobs.path(), &["join", &project.editor_link])?
        .success()?;
    let words = ["join", &project.editor_link, ".", "--merge"];
    let joined = bob.tutti(bobs.path(), &words)?.success()?;
    ensure!(joined.stderr.contains(SAYS), "{joined:?}");
    ensure!(joined.stdout.contains("2 files to edit"), "{joined:?}");
    ensure!(paths(&server, &project)? == ["a", "d/b"]);
    Ok(())
}
