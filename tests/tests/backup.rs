//! The backup that docs/operations.md describes: taken while people type, and restored.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tutti_tests::collab::Member;
use tutti_tests::rest::Project;
use tutti_tests::server::Server;
use tutti_tests::stock::Target;
use tutti_tests::wait;

/// Typed before the backup begins, and at least while it is taken.
const WORDS: usize = 200;

/// As the documentation has it: the databases with SQLite's own backup, the directory first.
fn back_up(data: &Path, to: &Path) -> Result<()> {
    for name in ["directory.db", "documents.db"] {
        let status = Command::new("sqlite3")
            .arg(data.join(name))
            .arg(format!(".backup '{}'", to.join(name).display()))
            .status()
            .context("sqlite3 is missing: run `cargo xtask setup`")?;
        ensure!(status.success(), "sqlite3 failed on {name} ({status})");
    }
    fs::copy(data.join("admin-token"), to.join("admin-token"))?;
    Ok(())
}

/// Puts the files back, without any that belonged to the databases that were there.
fn restore(data: &Path, from: &Path) -> Result<()> {
    for entry in fs::read_dir(data)? {
        fs::remove_file(entry?.path())?;
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::copy(entry.path(), data.join(entry.file_name()))?;
    }
    Ok(())
}

/// A server, and somebody who has typed words into a document of a project there, all of them saved.
fn typed() -> Result<(Server, Project, Member)> {
    let server = Server::start()?;
    let project = server.rest()?.make_project("backup")?;
    let url = server.ws_url();
    let target = Target {
        server: &url,
        project: &project.id,
        document: "score",
        token: project.editor_token(),
    };
    let mut member = Member::join(target, 1)?;
    for number in 0..WORDS {
        member.append(&format!("before{number} "))?;
    }
    member.saved()?;
    Ok((server, project, member))
}

#[test]
fn a_backup_taken_while_people_type_holds_what_was_saved_before() -> Result<()> {
    let (mut server, project, mut member) = typed()?;
    let before = member.text();

    let backup = tempfile::tempdir()?;
    let is_taken = AtomicBool::new(false);
    std::thread::scope(|scope| -> Result<()> {
        let typist = scope.spawn(|| -> Result<()> {
            let mut number = 0;
            while number < WORDS || !is_taken.load(Ordering::Relaxed) {
                member.append(&format!("meanwhile{number} "))?;
                member.receive(Duration::from_millis(1))?;
                number += 1;
            }
            member.saved()
        });
        let taken = back_up(&server.data(), backup.path());
        is_taken.store(true, Ordering::Relaxed);
        typist.join().expect("the typist does not panic")?;
        taken
    })?;
    let all = member.text();
    ensure!(all.len() > before.len(), "nothing was typed meanwhile");
    member.leave();
    server.kill()?;
    restore(&server.data(), backup.path())?;
    server.restart()?;

    // The project, its links and the administrator's token are those of before.
    let restored = server.rest()?.text(&project.id, "score")?;
    ensure!(
        restored.starts_with(&before),
        "saved before the backup and gone: {restored}"
    );
    ensure!(all.starts_with(&restored), "the backup is torn: {restored}");
    // Whoever has newer edits sends them again.
    member.connect()?;
    member.saved()?;
    wait::until_or(
        "the newer edits to be back",
        || (server.rest().ok()?.text(&project.id, "score").ok()? == all).then_some(()),
        || all.clone(),
    )
}

/// What a server leaves that is told to stop is whole in the files of the databases themselves.
#[test]
fn a_copy_after_a_stop_needs_no_log() -> Result<()> {
    let (mut server, project, mut member) = typed()?;
    let all = member.text();
    let stopped = server.stop()?;
    ensure!(stopped.success(), "it ended with {stopped}");
    member.leave();
    let backup = tempfile::tempdir()?;
    for name in ["directory.db", "documents.db", "admin-token"] {
        fs::copy(server.data().join(name), backup.path().join(name))?;
    }
    restore(&server.data(), backup.path())?;
    server.restart()?;
    let restored = server.rest()?.text(&project.id, "score")?;
    ensure!(
        restored == all,
        "saved before the stop and gone: {restored}"
    );
    Ok(())
}
