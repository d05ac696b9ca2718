//! Files that are moved with git and changed before the bridge has looked, while it runs, while it is killed, and while
//! there is none: each stays the one that it was, with what others type into it meanwhile.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use tempfile::TempDir;
use tutti_tests::bridge::Bridge;
use tutti_tests::cli::Person;
use tutti_tests::project;
use tutti_tests::rest::{Project, Rest};
use tutti_tests::server::Server;
use tutti_tests::wait::until_or;

const FILES: usize = 24;
const OPEN: &str = "open.txt";
/// Bob types at the start of this one.
const TYPED: usize = 7;

/// Ada moves files that Bob has as well.
struct Scene {
    server: Server,
    project: Project,
    ada: Person,
    adas: TempDir,
    bobs: TempDir,
    moves: Option<Bridge>,
    types: Bridge,
    /// The documents by their paths, before.
    before: BTreeMap<String, String>,
}

fn lines(of: usize) -> String {
    (0..20).map(|n| format!("line {n} of {of}\n")).collect()
}

impl Scene {
    fn new() -> Result<Self> {
        let server = Server::start()?;
        let (ada, bob) = (Person::new("Ada")?, Person::new("Bob")?);
        let (adas, bobs) = (tempfile::tempdir()?, tempfile::tempdir()?);
        let dir = adas.path();
        for n in 0..FILES {
            project::write(dir, &[(&format!("old/{n}/mod.rs"), &lines(n))])?;
        }
        project::write(dir, &[(OPEN, "open\n")])?;
        let project = ada.share(dir, &server)?;
        run(dir, "git init -q && git add . && git commit -q -m start")?;
        bob.join(&project.editor_link, bobs.path())?;
        let typed = format!("old/{TYPED}/mod.rs");
        let mut scene = Self {
            moves: Some(Bridge::open(&ada, dir, OPEN)?),
            types: Bridge::open(&bob, bobs.path(), &typed)?,
            before: BTreeMap::new(),
            server,
            project,
            ada,
            adas,
            bobs,
        };
        // Both are there once each has heard of the other.
        if let Some(moves) = &mut scene.moves {
            moves.type_at(0, "start ")?;
        }
        scene.types.type_at(0, "first ")?;
        let first = scene.adas.path().join(typed);
        scene.until("both to be there", |_| {
            Ok(fs::read_to_string(&first)?.starts_with("first "))
        })?;
        scene.before = scene.listed()?;
        Ok(scene)
    }

    fn rest(&self) -> Rest {
        Rest::new(self.server.url(), self.project.editor_token().to_owned())
    }

    fn listed(&self) -> Result<BTreeMap<String, String>> {
        let files = self.rest().files(&self.project.id)?;
        Ok(files.into_iter().map(|(id, path)| (path, id)).collect())
    }

    fn until(&mut self, what: &str, done: impl Fn(&Self) -> Result<bool>) -> Result<()> {
        let told = std::cell::RefCell::new(String::new());
        until_or(
            what,
            || {
                if let Some(moves) = &mut self.moves {
                    moves.catch_up().ok()?;
                }
                self.types.catch_up().ok()?;
                let listed = self.listed().ok()?;
                let others = listed.iter().filter(|(path, id)| {
                    let was = path.replace("new/", "old/");
                    self.before.get(&was) != Some(*id)
                });
                let others: Vec<_> = others.collect();
                *told.borrow_mut() = format!("made anew: {others:?}; {:?}", self.types.text());
                done(self).ok()?.then_some(())
            },
            || told.borrow().clone(),
        )
    }

    /// Each file is where it was moved to, the same document, with what Ada and Bob have written.
    fn is_whole(&mut self, changed: &[usize]) -> Result<()> {
        let expected: BTreeMap<_, _> = self
            .before
            .iter()
            .map(|(path, id)| (path.replace("old/", "new/"), id.clone()))
            .collect();
        let text = |n: usize| {
            let first = if n == TYPED { "second first " } else { "" };
            let text = first.to_owned() + &lines(n);
            match changed.contains(&n) {
                true => text.replace("line 12 ", "changed "),
                false => text,
            }
        };
        self.until("the files to be moved", |scene| {
            let dirs = [scene.adas.path(), scene.bobs.path()];
            let is_there = |dir: &Path, n| {
                // What an editor shows stays where it was until it is closed.
                let name = if dir == scene.bobs.path() && n == TYPED {
                    "old"
                } else {
                    "new"
                };
                let file = fs::read_to_string(dir.join(format!("{name}/{n}/mod.rs")));
                file.is_ok_and(|found| found == text(n)) || name == "old"
            };
            let are_there = |dir| (0..FILES).all(|n| is_there(dir, n));
            let is_gone = |n| !scene.adas.path().join(format!("old/{n}/mod.rs")).exists();
            Ok(scene.listed()? == expected
                && dirs.into_iter().all(are_there)
                && (0..FILES).all(is_gone)
                && scene.types.text() == text(TYPED))
        })
    }
}

fn run(dir: &Path, script: &str) -> Result<()> {
    let mut command = Command::new("sh");
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "Ada");
        command.env(format!("GIT_{role}_EMAIL"), "ada@example.org");
    }
    let done = command.args(["-ec", script]).current_dir(dir).output()?;
    ensure!(done.status.success(), "{script}: {done:?}");
    Ok(())
}

/// One by one, as a script does it.
const ONE_BY_ONE: &str = "for n in $(ls old); do
    mkdir -p new/$n; git mv old/$n/mod.rs new/$n/mod.rs; sed -i 's/line 12 /changed /' new/$n/mod.rs
done";
const AS_ONE: &str = "git mv old new; sed -i 's/line 12 /changed /' new/7/mod.rs new/8/mod.rs";

fn changed(script: &str) -> Vec<usize> {
    match script {
        ONE_BY_ONE => (0..FILES).collect(),
        _ => vec![TYPED, 8],
    }
}

#[test]
fn while_the_bridge_runs() -> Result<()> {
    for script in [ONE_BY_ONE, AS_ONE] {
        let mut scene = Scene::new()?;
        run(scene.adas.path(), script)?;
        scene.types.type_at(0, "second ")?;
        scene.is_whole(&changed(script))?;
    }
    Ok(())
}

#[test]
fn while_there_is_none() -> Result<()> {
    for script in [ONE_BY_ONE, AS_ONE] {
        let mut scene = Scene::new()?;
        scene.moves.take().map(Bridge::quit).transpose()?;
        run(scene.adas.path(), script)?;
        scene.types.type_at(0, "second ")?;
        scene.moves = Some(Bridge::open(&scene.ada, scene.adas.path(), OPEN)?);
        scene.is_whole(&changed(script))?;
    }
    Ok(())
}

#[test]
fn while_it_is_killed() -> Result<()> {
    let seed = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for script in [ONE_BY_ONE, AS_ONE] {
        let mut scene = Scene::new()?;
        let ms = random.u64(0..400);
        let dir = scene.adas.path().to_owned();
        let moving = std::thread::spawn(move || run(&dir, script));
        // Any moment will do.
        std::thread::sleep(Duration::from_millis(ms));
        if let Some(mut bridge) = scene.moves.take() {
            bridge.lose()?;
        }
        moving.join().map_err(|_| anyhow::anyhow!("no script"))??;
        scene.types.type_at(0, "second ")?;
        scene.moves = Some(Bridge::open(&scene.ada, scene.adas.path(), OPEN)?);
        scene.is_whole(&changed(script))?;
    }
    Ok(())
}
