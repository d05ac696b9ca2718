//! `chmod` of a file that an editor shows: the others have it at once, and the editor sees no change of its file.
#![cfg(unix)]

use std::fs::{self, Metadata, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use anyhow::{Result, ensure};
use tutti_tests::bridge::Bridge;
use tutti_tests::cli::Person;
use tutti_tests::project;
use tutti_tests::server::Server;
use tutti_tests::wait::until;

const SCRIPT: &str = "run.sh";

fn chmod(dir: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(dir.join(SCRIPT), Permissions::from_mode(mode))?;
    Ok(())
}

fn is_executable(dir: &Path) -> bool {
    let found = fs::metadata(dir.join(SCRIPT));
    found.is_ok_and(|found| found.mode() & 0o100 != 0)
}

/// What an editor goes by to find out that its file has changed.
fn looks(dir: &Path) -> Result<(u64, i64, i64, u64)> {
    let found: Metadata = fs::metadata(dir.join(SCRIPT))?;
    Ok((found.ino(), found.mtime(), found.mtime_nsec(), found.len()))
}

#[test]
fn it_goes_both_ways_while_the_file_is_open() -> Result<()> {
    let server = Server::start()?;
    let (ada, bob) = (Person::new("Ada")?, Person::new("Bob")?);
    let (adas, bobs) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let (adas, bobs) = (adas.path(), bobs.path());
    project::write(adas, &[(SCRIPT, "#!/bin/sh\n"), ("other.txt", "other\n")])?;
    let project = ada.share(adas, &server)?;
    bob.join(&project.editor_link, bobs)?;
    let mut runs = Bridge::open(&ada, adas, "other.txt")?;
    let mut shows = Bridge::open(&bob, bobs, SCRIPT)?;
    let mut wait = |what: &str, done: &dyn Fn(&Bridge) -> bool| {
        until(what, || {
            runs.catch_up().ok()?;
            shows.catch_up().ok()?;
            done(&shows).then_some(())
        })
    };
    fs::write(adas.join(SCRIPT), "#!/bin/sh\necho\n")?;
    wait("the text", &|shows| shows.text() == "#!/bin/sh\necho\n")?;

    let before = looks(bobs)?;
    chmod(adas, 0o755)?;
    wait("Ada's mode", &|_| is_executable(bobs))?;
    chmod(bobs, 0o644)?;
    wait("Bob's mode", &|_| !is_executable(adas))?;
    chmod(bobs, 0o755)?;
    wait("Bob's mode again", &|_| is_executable(adas))?;
    ensure!(looks(bobs)? == before, "Bob's editor sees another file");
    ensure!(shows.told().is_empty(), "{:?}", shows.told());
    Ok(())
}
