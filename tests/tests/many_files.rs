//! A bridge that starts, or comes back, in a project of many files brings them up to date without opening a room for
//! each at the server, and nothing is missed that happened meanwhile on either side.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tutti_tests::bridge::Bridge;
use tutti_tests::cli::Person;
use tutti_tests::project;
use tutti_tests::rest::{Project, Rest};
use tutti_tests::server::Server;
use tutti_tests::wait::{pause, until_or};

/// Nobody touches these.
const FILES: usize = 400;
/// A start that has nothing to do with most of them opens far fewer rooms.
const FEW: u64 = 60;
/// So many looks in a row must find nothing else.
const CALM: u32 = 20;

/// Ada's and Bob's directories of one project.
struct Scene {
    server: Server,
    project: Project,
    people: [Person; 2],
    dirs: [TempDir; 2],
}

/// The texts of the files beneath a directory, by path.
fn texts(dir: &Path) -> Result<BTreeMap<String, String>> {
    let mut texts = BTreeMap::new();
    let mut waiting = vec![dir.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(next)? {
            let path = entry?.path();
            if path.is_dir() {
                if !path.ends_with(".tutti") {
                    waiting.push(path);
                }
                continue;
            }
            let name = path.strip_prefix(dir)?.to_str().context("UTF-8")?;
            texts.insert(name.to_owned(), fs::read_to_string(&path)?);
        }
    }
    Ok(texts)
}

impl Scene {
    fn new(special: &[(&str, &str)]) -> Result<Self> {
        let server = Server::start()?;
        let people = [Person::new("Ada")?, Person::new("Bob")?];
        let dirs = [tempfile::tempdir()?, tempfile::tempdir()?];
        for number in 0..FILES {
            let (path, text) = (format!("d{}/{number}", number / 50), format!("{number}\n"));
            project::write(dirs[0].path(), &[(&path, &text)])?;
        }
        project::write(dirs[0].path(), special)?;
        let project = people[0].share(dirs[0].path(), &server)?;
        people[1].join(&project.editor_link, dirs[1].path())?;
        Ok(Self {
            server,
            project,
            people,
            dirs,
        })
    }

    fn start(&self, who: usize) -> Result<Bridge> {
        Bridge::start(&self.people[who], self.dirs[who].path())
    }

    fn rest(&self) -> Rest {
        Rest::new(self.server.url(), self.project.editor_token().to_owned())
    }

    /// One of the server's figures.
    fn figure(&self, name: &str) -> Result<u64> {
        let figures = self.server.rest()?.get("/metrics")?.body;
        let values = figures.lines().filter(|line| line.starts_with(name));
        let values = values.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
        Ok(values.sum::<f64>() as u64)
    }

    /// Both have exactly these files, `special` and those that nobody touches, and the project lists them.
    fn have(&self, special: &[(&str, &str)]) -> Result<()> {
        let mut expected: BTreeMap<String, String> = (0..FILES)
            .map(|number| (format!("d{}/{number}", number / 50), format!("{number}\n")))
            .collect();
        let special = special.iter();
        expected.extend(
            special
                .clone()
                .map(|(path, text)| ((*path).to_owned(), (*text).to_owned())),
        );
        let told = RefCell::new(String::new());
        let mut calm = 0;
        let is_so = || {
            let listed = self.rest().files(&self.project.id).ok()?;
            let mut listed: Vec<_> = listed.into_iter().map(|(_, path)| path).collect();
            listed.sort_unstable();
            let differing = self.dirs.each_ref().map(|dir| {
                let found = texts(dir.path()).unwrap_or_default();
                let paths = expected.keys().chain(found.keys());
                let differs = paths.filter(|path| expected.get(*path) != found.get(*path));
                differs
                    .map(|path| format!("{path}: {:?}", found.get(path)))
                    .collect::<Vec<_>>()
            });
            let is_right = differing.iter().all(Vec::is_empty) && listed.iter().eq(expected.keys());
            calm = if is_right { calm + 1 } else { 0 };
            *told.borrow_mut() = format!("{differing:?}; {} are listed", listed.len());
            (calm == CALM).then_some(())
        };
        until_or("both to have the files", is_so, || told.borrow().clone())?;
        let special: Vec<_> = special.copied().collect();
        self.server_has(&special)
    }

    /// The server has these texts.
    fn server_has(&self, texts: &[(&str, &str)]) -> Result<()> {
        let rest = self.rest();
        let told = RefCell::new(String::new());
        let is_so = || {
            let files = rest.files(&self.project.id).ok()?;
            let lacking = texts.iter().find(|(path, text)| {
                let id = files.iter().find(|(_, found)| found == path);
                let found = id.and_then(|(id, _)| rest.text(&self.project.id, id).ok());
                found.as_deref() != Some(*text)
            });
            *told.borrow_mut() = format!("not so: {lacking:?}");
            lacking.is_none().then_some(())
        };
        until_or("the server to have the texts", is_so, || {
            told.borrow().clone()
        })
    }

    /// How many rooms the server has opened since it was started.
    fn rooms_opened(&self) -> Result<u64> {
        self.figure(r#"tutti_room_opens_total{from="store"}"#)
    }

    /// Both bridges have asked the server about all files since it was started, and have nothing more to ask.
    fn is_asked_of_all_by_both(&self) -> Result<()> {
        let loads = RefCell::new(0);
        let mut calm = 0;
        let is_so = || {
            let now = self.figure("tutti_document_load_seconds_count").ok()?;
            calm = if loads.replace(now) == now {
                calm + 1
            } else {
                0
            };
            (calm == CALM && now >= 2 * FILES as u64).then_some(())
        };
        until_or("both to ask about all files", is_so, || {
            format!("{loads:?}")
        })
    }

    fn has_opened_few_rooms(&self) -> Result<()> {
        let opened = self.rooms_opened()?;
        ensure!(opened < FEW, "{opened} rooms were opened");
        Ok(())
    }
}

/// What is in the project besides.
const BEFORE: [(&str, &str); 8] = [
    ("theirs", "one\ntwo\n"),
    ("ours", "one\ntwo\n"),
    ("both", "one\n\ntwo\n"),
    ("typed", "one\ntwo\n"),
    ("deleted there", "gone\n"),
    ("deleted here", "gone\n"),
    ("renamed there", "renamed there\n"),
    ("renamed here", "renamed here\n"),
];
const AFTER: [(&str, &str); 6] = [
    ("theirs", "one\nand\ntwo\n"),
    ("ours", "one\nand\ntwo\n"),
    ("both", "one there\n\ntwo here\n"),
    ("typed", "first one\ntwo last\n"),
    ("moved there", "renamed there\n"),
    ("moved here", "renamed here\n"),
];

#[test]
fn what_happened_meanwhile_is_right_on_both_sides() -> Result<()> {
    let mut scene = Scene::new(&BEFORE)?;
    // Bob types without a server, and leaves.
    scene.server.kill()?;
    let mut bob = Bridge::open(&scene.people[1], scene.dirs[1].path(), "typed")?;
    bob.type_at(0, "first ")?;
    bob.quit()?;
    scene.server.restart()?;

    // Ada goes on, with a bridge. In Bob's directory there is none.
    let mut ada = scene.start(0)?;
    let here = |who: usize, path: &str| scene.dirs[who].path().join(path);
    fs::write(here(0, "theirs"), "one\nand\ntwo\n")?;
    fs::write(here(0, "both"), "one there\n\ntwo\n")?;
    fs::write(here(0, "typed"), "one\ntwo last\n")?;
    fs::remove_file(here(0, "deleted there"))?;
    fs::rename(here(0, "renamed there"), here(0, "moved there"))?;
    fs::write(here(1, "ours"), "one\nand\ntwo\n")?;
    fs::write(here(1, "both"), "one\n\ntwo here\n")?;
    fs::remove_file(here(1, "deleted here"))?;
    fs::rename(here(1, "renamed here"), here(1, "moved here"))?;
    scene.server_has(&[
        ("theirs", "one\nand\ntwo\n"),
        ("both", "one there\n\ntwo\n"),
        ("typed", "one\ntwo last\n"),
        ("moved there", "renamed there\n"),
    ])?;
    scene.has_opened_few_rooms()?;

    let mut bob = scene.start(1)?;
    scene.have(&AFTER)?;
    scene.has_opened_few_rooms()?;

    // The server goes and comes back, and both have done something meanwhile.
    scene.server.kill()?;
    let here = |who: usize, path: &str| scene.dirs[who].path().join(path);
    fs::write(here(0, "theirs"), "one\ntwo\n")?;
    fs::write(here(1, "ours"), "one\ntwo\n")?;
    scene.server.restart()?;
    let mut after = AFTER;
    (after[0].1, after[1].1) = ("one\ntwo\n", "one\ntwo\n");
    scene.have(&after)?;
    scene.has_opened_few_rooms()?;
    for bridge in [&mut ada, &mut bob] {
        bridge.catch_up()?;
        ensure!(bridge.told().is_empty(), "{:?}", bridge.told());
    }
    Ok(())
}

/// Whatever the server had answered when it changed.
#[test]
fn what_changes_while_a_bridge_starts_arrives() -> Result<()> {
    let mut scene = Scene::new(&[])?;
    let _bridges = [scene.start(0)?, scene.start(1)?];
    let mut expected = BTreeMap::new();
    for number in (0..FILES).step_by(9) {
        let path = format!("d{}/{number}", number / 50);
        let text = format!("another {}\n", number + 1);
        fs::write(scene.dirs[number % 2].path().join(&path), &text)?;
        expected.insert(path, text);
        pause(Duration::from_millis(30));
    }
    let expected: Vec<_> = expected
        .iter()
        .map(|(a, b)| (a.as_str(), b.as_str()))
        .collect();
    scene.have(&expected)?;

    // All is in step, what was deleted as well: the index is the only room that is needed.
    scene.server.stop()?;
    scene.server.restart()?;
    scene.is_asked_of_all_by_both()?;
    let rooms = scene.rooms_opened()?;
    ensure!(rooms == 1, "{rooms} rooms were opened");
    Ok(())
}

/// The server's disk has failed, and the backup is from before.
#[test]
fn what_a_server_has_lost_it_is_given_again() -> Result<()> {
    let mut scene = Scene::new(&[("written", "one\ntwo\n"), ("deleted", "one\ntwo\n")])?;
    scene.server.stop()?;
    let documents = scene.server.data().join("documents.db");
    let backup = fs::read(&documents)?;
    scene.server.restart()?;
    let (ada, bob) = (scene.start(0)?, scene.start(1)?);
    fs::write(scene.dirs[0].path().join("written"), "one\nand\ntwo\n")?;
    fs::write(scene.dirs[0].path().join("deleted"), "two\n")?;
    let after = [("written", "one\nand\ntwo\n"), ("deleted", "two\n")];
    scene.have(&after)?;
    // She is not there any more.
    ada.quit()?;
    scene.server.stop()?;
    fs::write(&documents, backup)?;
    scene.server.restart()?;
    scene.server_has(&after)?;
    scene.has_opened_few_rooms()?;
    bob.quit()
}
