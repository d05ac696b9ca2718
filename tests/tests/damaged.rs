//! What a server has stored of one document is damaged: it does not open, everybody concerned is told what is the case,
//! nothing else suffers, and what was typed meanwhile is not lost.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tutti_tests::bridge::Bridge;
use tutti_tests::browser::Browser;
use tutti_tests::cli::Person;
use tutti_tests::collab;
use tutti_tests::project;
use tutti_tests::rest::Project;
use tutti_tests::server::Server;
use tutti_tests::tools;
use tutti_tests::wait::until;

/// The server says: do not come back before somebody has put it right.
const DAMAGED: u16 = 4422;

struct Scene {
    server: Server,
    project: Project,
    ada: Person,
    dir: TempDir,
}

/// Ada shares two files.
fn scene() -> Result<Scene> {
    let server = Server::start()?;
    let ada = Person::new("Ada")?;
    let dir = tempfile::tempdir()?;
    project::write(dir.path(), &[("good.txt", "good\n"), ("bad.txt", "bad\n")])?;
    let project = ada.share(dir.path(), &server)?;
    Ok(Scene {
        server,
        project,
        ada,
        dir,
    })
}

impl Scene {
    /// Changes the checksums of a document while the server does not run.
    fn damage(&mut self, document: &str, change: &str) -> Result<()> {
        self.server.kill()?;
        let of = format!("(SELECT doc FROM documents WHERE document = '{document}')");
        let set =
            |table| format!("UPDATE {table} SET checksum = checksum {change} WHERE doc = {of}; ");
        let status = Command::new("sqlite3")
            .arg(self.server.data().join("documents.db"))
            .arg(set("updates") + &set("snapshots"))
            .status()
            .context("sqlite3 is missing: run `cargo xtask setup`")?;
        ensure!(status.success(), "sqlite3 failed ({status})");
        self.server.restart()
    }

    fn bad(&self) -> Result<String> {
        self.server.rest()?.file_id(&self.project.id, "bad.txt")
    }

    fn server_holds(&self, file: &str, text: &str, editor: &mut Bridge) -> Result<()> {
        let rest = self.server.rest()?;
        let id = rest.file_id(&self.project.id, file)?;
        until(&format!("the server to hold {text:?}"), || {
            editor.catch_up().ok()?;
            (rest.text(&self.project.id, &id).ok()? == text).then_some(())
        })
    }

    fn copy_of(&self, person: &Person) -> PathBuf {
        person.home().join("copy")
    }
}

fn is_told(editor: &mut Bridge, words: &[&str]) -> Result<()> {
    until(&format!("{words:?} to be told"), || {
        editor.catch_up().ok()?;
        let says = |told: &String| words.iter().all(|word| told.contains(word));
        editor.told().iter().any(says).then_some(())
    })
}

#[test]
fn a_damaged_file_is_told_of_and_the_others_are_as_ever() -> Result<()> {
    let mut scene = scene()?;
    let bad = scene.bad()?;
    scene.damage(&bad, "+ 1")?;
    let rest = scene.server.rest()?;

    // Whoever asks by REST or as a stock client.
    let path = format!("/api/projects/{}/files/{bad}/text", scene.project.id);
    let answer = rest.get(&path)?;
    ensure!(answer.status == 500, "{answer:?}");
    for words in ["urn:tutti:damaged", "restore a backup"] {
        ensure!(answer.body.contains(words), "{answer:?}");
    }
    let token = scene.project.editor_token();
    let path = format!("/ws/{}/{bad}?token={token}", scene.project.id);
    let url = scene.server.ws_url();
    let (code, reason) = collab::closed(&mut collab::connect(&url, &path)?)?;
    ensure!(
        code == DAMAGED && reason.contains("restore a backup"),
        "{code} {reason}"
    );

    // Who joins gets all the rest.
    let bob = Person::new("Bob")?;
    let copy = scene.copy_of(&bob);
    let to = copy.to_str().context("a path in UTF-8")?;
    let words = ["join", &scene.project.editor_link, to];
    let joined = bob.tutti(bob.home(), &words)?.success()?;
    for words in ["bad.txt", "damaged", "administrator"] {
        ensure!(joined.stderr.contains(words), "{joined:?}");
    }
    ensure!(joined.stdout.contains("1 file "), "{joined:?}");
    ensure!(std::fs::read_to_string(copy.join("good.txt"))? == "good\n");
    ensure!(
        !copy.join("bad.txt").exists(),
        "an empty file was made of it"
    );

    // Who opens it in an editor is told, types on, and the file beside it is as ever.
    let mut ada = Bridge::open(&scene.ada, scene.dir.path(), "bad.txt")?;
    is_told(
        &mut ada,
        &["bad.txt", "edits are kept here", "restore a backup"],
    )?;
    ada.type_at(0, "not ")?;
    let mut editor = Bridge::open(&bob, &copy, "good.txt")?;
    editor.type_at(0, "still ")?;
    scene.server_holds("good.txt", "still good\n", &mut editor)?;

    // The administrator learns which it is.
    let told = rest.get("/readyz")?;
    ensure!(
        told.status == 200 && told.body.contains("damaged"),
        "{told:?}"
    );
    until("the figure", || {
        let figures = rest.get("/metrics").ok()?.body;
        figures
            .contains("\ntutti_damaged_documents 1\n")
            .then_some(())
    })?;
    let log = scene.server.log();
    let room = format!("{}/{bad}", scene.project.id);
    let lines = log
        .lines()
        .filter(|line| line.contains("is damaged and does not open"));
    let lines: Vec<&str> = lines.collect();
    ensure!(lines.len() == 1, "{lines:?}");
    ensure!(
        lines[0].contains(&room) && lines[0].contains("backup"),
        "{lines:?}"
    );

    // As it is after a backup was restored.
    scene.damage(&bad, "- 1")?;
    scene.server_holds("bad.txt", "not bad\n", &mut ada)?;
    until("Bob to have it too", || {
        editor.catch_up().ok()?;
        let text = std::fs::read_to_string(copy.join("bad.txt")).ok()?;
        (text == "not bad\n").then_some(())
    })?;
    editor.quit()?;
    ada.quit()
}

#[test]
fn a_damaged_list_of_files_is_not_taken_for_a_bad_link() -> Result<()> {
    let mut scene = scene()?;
    scene.damage("index", "+ 1")?;
    let bob = Person::new("Bob")?;
    let copy = scene.copy_of(&bob);
    let to = copy.to_str().context("a path in UTF-8")?;
    let words = ["join", &scene.project.editor_link, to];
    let refused = bob.tutti(bob.home(), &words)?;
    refused.failure(&["damaged", "restore a backup"])?;
    ensure!(!copy.exists(), "a directory was made");

    let mut browser = Browser::open(&scene.project.editor_link)?;
    let said = browser.message()?;
    ensure!(
        said.contains("damaged") && said.contains("restore a backup"),
        "{said}"
    );

    let mut ada = Bridge::open(&scene.ada, scene.dir.path(), "good.txt")?;
    is_told(&mut ada, &["damaged", "restore a backup"])?;
    let told = ada.told().join("\n");
    ensure!(!told.contains("new link"), "{told}");
    ada.type_at(0, "very ")?;
    scene.damage("index", "- 1")?;
    scene.server_holds("good.txt", "very good\n", &mut ada)?;
    ada.quit()
}

/// As docs/operations.md has it for who has no backup.
#[test]
fn a_damaged_file_without_a_backup_is_given_back_by_who_has_it() -> Result<()> {
    let mut scene = scene()?;
    let bad = scene.bad()?;
    let mut ada = Bridge::open(&scene.ada, scene.dir.path(), "bad.txt")?;
    ada.type_at(0, "not ")?;
    scene.server_holds("bad.txt", "not bad\n", &mut ada)?;
    scene.damage(&bad, "+ 1")?;
    is_told(&mut ada, &["bad.txt", "restore a backup"])?;
    ada.type_at(0, "really ")?;

    scene.server.kill()?;
    let words = [
        ("DATA", scene.server.data().display().to_string()),
        ("PROJECT", scene.project.id.clone()),
        ("DOCUMENT", bad),
    ];
    let manual = std::fs::read_to_string(tools::repository().join("docs/operations.md"))?;
    let command = manual.lines().find(|line| line.contains("DELETE FROM"));
    let command = command.context("the manual names no command")?.to_owned();
    let command = words.iter().fold(command, |command, (word, meant)| {
        command.replace(word, meant)
    });
    let status = Command::new("sh").args(["-c", &command]).status()?;
    ensure!(status.success(), "{command} failed ({status})");
    scene.server.restart()?;
    scene.server_holds("bad.txt", "really not bad\n", &mut ada)?;
    ada.quit()
}
