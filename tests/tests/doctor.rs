//! `tutti doctor` with a real server, real editors, and the lines that the documents give.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tutti_tests::bridge::Bridge;
use tutti_tests::cli::{Person, Ran};
use tutti_tests::project;
use tutti_tests::readme;
use tutti_tests::rest::Project;
use tutti_tests::server::Server;
use tutti_tests::tools;

const FILE: &str = "metronome.py";

/// Runs `tutti doctor` in `dir`, with the real editors on the path; no secret may be in what it says.
fn doctor(person: &Person, dir: &Path, words: &[&str], secrets: &[&str]) -> Result<Ran> {
    let outer = std::env::var_os("PATH").unwrap_or_default();
    let mut path = vec![tools::binaries()?, tools::editors()?];
    path.extend(std::env::split_paths(&outer));
    let path: OsString = std::env::join_paths(path)?;
    let output = tools::command(tools::binaries()?.join("tutti"), person.home())?
        .arg("doctor")
        .args(words)
        .env("PATH", path)
        .current_dir(dir)
        .output()?;
    let ran = Ran::new("tutti doctor", &output);
    for secret in secrets {
        let shown = ran.stdout.contains(secret) || ran.stderr.contains(secret);
        ensure!(!shown, "a secret is shown: {ran:#?}");
    }
    Ok(ran)
}

/// What it finds of one thing, told to machines.
fn finding(ran: &Ran, check: &str) -> Result<Value> {
    let found: Value = serde_json::from_str(&ran.stdout).with_context(|| format!("{ran:#?}"))?;
    ensure!(found["ok"] == (ran.code == Some(0)), "{ran:#?}");
    let checks = found["checks"].as_array().context("checks")?;
    let found = checks.iter().find(|found| found["check"] == check);
    found
        .cloned()
        .with_context(|| format!("no {check}: {ran:#?}"))
}

fn shared(person: &Person, server: &Server) -> Result<(tempfile::TempDir, Project)> {
    let dir = tempfile::tempdir()?;
    project::write(dir.path(), &[(FILE, "beat = 1\n"), ("notes.txt", "x\n")])?;
    let project = person.share(dir.path(), server)?;
    Ok((dir, project))
}

/// The lines that are printed are the README's, and with them, where it says, each editor is in order.
#[test]
fn the_lines_it_prints_set_each_editor_up() -> Result<()> {
    let server = Server::start()?;
    let person = Person::new("Ada")?;
    let (dir, project) = shared(&person, &server)?;
    let secrets = [project.editor_token()];
    for (editor, version) in [
        ("Neovim", "0.10.4"),
        ("Helix", "25.01.1"),
        ("Emacs", "30.1"),
    ] {
        let word = editor.to_lowercase();
        let words = [&*word, "--json"];
        let before = doctor(&person, dir.path(), &words, &secrets)?;
        let found = finding(&before, editor)?;
        ensure!(found["state"] == "wrong", "{found}");
        ensure!(found["says"] == format!("{version}, not set up"), "{found}");
        let lines = found["paste"]["lines"].as_str().context("lines")?;
        ensure!(format!("{lines}\n") == readme::block(editor)?, "{lines}");

        let file = found["paste"]["file"].as_str().context("a file")?;
        let file = person
            .home()
            .join(file.strip_prefix("~/").context("in the home")?);
        fs::create_dir_all(file.parent().context("in a directory")?)?;
        fs::write(&file, lines)?;
        let after = doctor(&person, dir.path(), &words, &secrets)?.success()?;
        let found = finding(&after, editor)?;
        ensure!(found["state"] == "good", "{found}");
    }
    // All of it at once, for people.
    let all = doctor(&person, dir.path(), &[], &secrets)?.success()?;
    for part in [
        "✓ Project",
        "✓ Server ",
        "✓ Clock        agrees",
        "✓ Access       you may edit",
        "✓ State",
        "· Bridge       not running",
        "✓ Files        2 files in step",
        "✓ Neovim       0.10.4, set up in ~/config/nvim/init.lua",
    ] {
        ensure!(all.stdout.contains(part), "no {part}: {all:#?}");
    }
    ensure!(
        all.stderr.is_empty() && !all.stdout.contains('✗'),
        "{all:#?}"
    );
    Ok(())
}

/// A bridge at work, a token that is withdrawn, a server that is gone: each is told as what it is.
#[test]
fn it_tells_what_has_happened() -> Result<()> {
    let mut server = Server::start()?;
    let person = Person::new("Ada")?;
    let (dir, project) = shared(&person, &server)?;
    let secrets = [project.editor_token(), "not-the-token"];
    let look = |check: &str| {
        let ran = doctor(&person, dir.path(), &["--json"], &secrets)?;
        finding(&ran, check)
    };
    ensure!(look("Bridge")?["state"] == "note");
    let bridge = Bridge::open(&person, dir.path(), FILE)?;
    let found = tutti_tests::wait::until("the bridge to be seen", || {
        look("Bridge").ok().filter(|found| found["state"] == "good")
    })?;
    ensure!(found["says"] == "at work in this directory", "{found}");
    drop(bridge);

    let file = person.home().join("config/tutti/credentials.toml");
    let kept = fs::read_to_string(&file)?;
    let lines = kept.lines().map(|line| match line.starts_with("token = ") {
        true => "token = \"not-the-token\"\n".to_owned(),
        false => format!("{line}\n"),
    });
    fs::write(&file, lines.collect::<String>())?;
    let found = look("Access")?;
    ensure!(found["state"] == "wrong", "{found}");
    let advice = found["do"].as_str().context("what to do")?;
    ensure!(advice.contains("`tutti join LINK`"), "{advice}");
    fs::write(&file, kept)?;
    ensure!(look("Access")?["state"] == "good");

    server.kill()?;
    let found = look("Server")?;
    ensure!(found["state"] == "wrong", "{found}");
    let said = format!("{} {}", found["says"], found["do"]);
    for word in [&*server.url(), "does not answer", "kept here"] {
        ensure!(said.contains(word), "no {word}: {said}");
    }
    let ran = doctor(&person, dir.path(), &[], &secrets)?;
    ran.failure(&["something needs doing"]).map(drop)
}
