//! Projects of many files: `tutti share` and `tutti join` go on where they were cut off.
//!
//! The cuts are random; `SEED` repeats a run.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use tutti_tests::cli::Person;
use tutti_tests::rest::Project;
use tutti_tests::server::Server;
use tutti_tests::wait::pause;

const FILES: usize = 1_500;
/// Kills of one command before it is let through.
const KILLS: u32 = 4;

fn seed() -> Result<u64> {
    match env::var("SEED") {
        Ok(text) => text.parse().context("SEED is no number"),
        Err(_) => Ok(fastrand::u64(..)),
    }
}

/// A tree of text files, of the same content for the same seed.
fn grow(root: &Path, random: &mut Rng) -> Result<()> {
    for number in 0..FILES {
        let directory = root.join(format!("d{}/e{}", random.u8(..9), random.u8(..9)));
        fs::create_dir_all(&directory)?;
        let lines = random.usize(..60);
        let line = |random: &mut Rng| {
            let letters = random.usize(..70);
            (0..letters).map(|_| random.lowercase()).collect::<String>() + "\n"
        };
        let text: String = (0..lines).map(|_| line(random)).collect();
        fs::write(directory.join(format!("f{number}.txt")), text)?;
    }
    Ok(())
}

/// Every file but Tutti's own, with its content.
fn files(root: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            let name = path.strip_prefix(root)?.to_string_lossy().into_owned();
            if name == ".tutti" {
                continue;
            }
            if path.is_dir() {
                waiting.push(path);
            } else {
                found.insert(name, fs::read(&path)?);
            }
        }
    }
    Ok(found)
}

/// Checks that a directory holds these files and no others.
fn expect(root: &Path, expected: &BTreeMap<String, Vec<u8>>) -> Result<()> {
    let found = files(root)?;
    let names = expected.keys().chain(found.keys());
    let differs = |name: &&String| expected.get(*name) != found.get(*name);
    let different: Vec<&String> = names.filter(differs).collect();
    if let Some(name) = different.first() {
        let bytes = |files: &BTreeMap<String, Vec<u8>>| files.get(*name).map(Vec::len);
        anyhow::bail!(
            "{name} has {:?} bytes instead of {:?}, and {} files differ",
            bytes(&found),
            bytes(expected),
            different.len()
        );
    }
    Ok(())
}

/// Starts a command, kills it after a moment, several times over.
fn cut(person: &Person, dir: &Path, words: &[&str], random: &mut Rng) -> Result<()> {
    for _ in 0..KILLS {
        let mut child = person.start(dir, words)?;
        // The moment of the kill is what the test is about.
        pause(Duration::from_millis(random.u64(20..900)));
        child.kill()?;
        child.wait()?;
    }
    Ok(())
}

#[test]
fn a_share_and_a_join_that_are_killed_go_on() -> Result<()> {
    let seed = seed()?;
    println!("SEED={seed}");
    let mut random = Rng::with_seed(seed);
    let mut server = Server::start()?;
    let (ada, bob) = (Person::new("Ada")?, Person::new("Bob")?);
    let (tree, place) = (tempfile::tempdir()?, tempfile::tempdir()?);
    grow(tree.path(), &mut random)?;
    let before = files(tree.path())?;

    let (url, token) = (server.url(), server.admin_token()?);
    let share = ["share", "--server", &url, "--token", &token, "--json"];
    cut(&ada, tree.path(), &share, &mut random)?;
    // And once the server is what ends.
    let mut child = ada.start(tree.path(), &share)?;
    pause(Duration::from_millis(random.u64(20..600)));
    server.kill()?;
    child.kill()?;
    child.wait()?;
    server.restart()?;
    let shared = ada.tutti(tree.path(), &share)?;
    let project = match shared.code {
        Some(0) => Project::from_json(shared.stdout.trim())?,
        // The command that was killed had done all already.
        _ => {
            let said = shared.failure(&["is shared already"])?.stderr;
            let link = |from: &str| -> Result<String> {
                let at = said.find(from).context("no link")? + from.len();
                Ok(said[at..]
                    .split_whitespace()
                    .next()
                    .context("no link")?
                    .to_owned())
            };
            let editor_link = link("to edit: ")?;
            let id = editor_link
                .split("/p/")
                .nth(1)
                .and_then(|rest| rest.split('#').next());
            Project {
                id: id.context("no id")?.to_owned(),
                viewer_link: link("to view: ")?,
                editor_link,
            }
        }
    };
    expect(tree.path(), &before)?;

    let there = place.path().join("there");
    let to = there.to_str().context("a path in UTF-8")?;
    let join = ["join", project.editor_link.as_str(), to];
    cut(&bob, place.path(), &join, &mut random)?;
    bob.tutti(place.path(), &join)?.success()?;
    expect(&there, &before)?;

    // Two more at once, one of them only to look.
    let (carol, dave) = (Person::new("Carol")?, Person::new("Dave")?);
    let (one, two) = (place.path().join("one"), place.path().join("two"));
    let joined = std::thread::scope(|scope| {
        let first = scope.spawn(|| carol.join(&project.editor_link, &one));
        let second = dave.join(&project.viewer_link, &two);
        first.join().map(|first| first.and(second))
    });
    joined.map_err(|_| anyhow::anyhow!("a join panicked"))??;
    expect(&one, &before)?;
    expect(&two, &before)?;
    ensure!(
        !there.join(".tutti/recovered").exists() && !tree.path().join(".tutti/recovered").exists()
    );

    let listed = server.rest()?.files(&project.id)?;
    ensure!(listed.len() == FILES, "{} files are listed", listed.len());
    Ok(())
}

/// A zstd frame that holds a short content as it is.
fn frame(content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).expect("short");
    let block = (u32::from(length) << 3 | 1).to_le_bytes();
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x20, length];
    frame.extend(&block[..3]);
    frame.extend(content);
    frame
}

#[test]
fn an_exchange_is_for_those_who_may_and_for_what_it_is_meant_for() -> Result<()> {
    let server = Server::start()?;
    let project = server.rest()?.make_project("exchange")?;
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into();
    let url = format!("{}/api/projects/{}/exchange", server.url(), project.id);
    let post = |token: &str, body: &[u8]| -> Result<u16> {
        let request = agent
            .post(&url)
            .header("Authorization", format!("Bearer {token}"));
        Ok(request.send(body)?.status().as_u16())
    };
    let (editor, viewer) = (project.editor_token(), project.viewer_token());
    // A document `d`, of which its client has nothing, and one with a state that says nothing.
    let (reads, writes) = (b"\x01d\x00\x00", b"\x01d\x01\x02\x00\x00");
    let table: &[(&str, &[u8], u16)] = &[
        (viewer, &frame(reads), 200),
        (viewer, &frame(writes), 403),
        (editor, &frame(writes), 200),
        ("nonsense", &frame(reads), 401),
        (editor, b"", 400),
        (editor, b"no zstd", 400),
        (editor, &frame(b""), 400),
        (editor, &frame(b"\x01d\x00"), 400),
        (editor, &frame(b"\x01d\x02\x00"), 400),
        (editor, &frame(b"\x02..\x00\x00"), 400),
        (editor, &frame(b"\x05index\x00\x00"), 400),
        (editor, &frame(b"\x01d\x01\x03abc"), 400),
    ];
    for (number, (token, body, status)) in table.iter().enumerate() {
        let answered = post(token, body).with_context(|| format!("row {number}"))?;
        ensure!(
            answered == *status,
            "row {number}: {answered} instead of {status}"
        );
    }
    Ok(())
}
