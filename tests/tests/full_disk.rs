//! A disk that does not take everything: it is full, or directories may not be written to. What is not written is known
//! by name, the person is told once, and all of it comes by itself when there is room.
#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Result, ensure};
use rustix::process::geteuid;
use rustix::thread::{CapabilitySet, remove_capability_from_bounding_set};
use tempfile::TempDir;
use tutti_tests::bridge::Bridge;
use tutti_tests::cli::Person;
use tutti_tests::project;
use tutti_tests::rest::{Project, Rest};
use tutti_tests::server::{Server, let_files_grow_to};
use tutti_tests::wait::until_or;

const OPEN: &str = "open.txt";
const AGAIN: &str = "nothing waits to be written here";
const IN_STATUS: &str = "Not written here, and tried again";

/// Bob's disk does not take all that Ada writes.
struct Scene {
    server: Server,
    project: Project,
    adas: TempDir,
    adas_editor: Bridge,
    bob: Person,
    bobs: TempDir,
    bobs_editor: Bridge,
}

impl Scene {
    fn new(files: &[(&str, &str)]) -> Result<Self> {
        let server = Server::start()?;
        let (ada, bob) = (Person::new("Ada")?, Person::new("Bob")?);
        let (adas, bobs) = (tempfile::tempdir()?, tempfile::tempdir()?);
        project::write(adas.path(), &[(OPEN, "open\n")])?;
        project::write(adas.path(), files)?;
        let project = ada.share(adas.path(), &server)?;
        bob.join(&project.editor_link, bobs.path())?;
        let mut scene = Self {
            adas_editor: Bridge::start(&ada, adas.path())?,
            bobs_editor: as_anybody(|| Bridge::open(&bob, bobs.path(), OPEN))?,
            project,
            server,
            adas,
            bob,
            bobs,
        };
        scene.ada_writes("first.txt", "first\n")?;
        scene.until("Bob's bridge to be at work", |scene| {
            Ok(scene.bobs("first.txt").as_deref() == Some("first\n"))
        })?;
        Ok(scene)
    }

    fn until(&mut self, what: &str, done: impl Fn(&Self) -> Result<bool>) -> Result<()> {
        let instead = std::cell::RefCell::new(String::new());
        until_or(
            what,
            || {
                self.adas_editor.catch_up().ok()?;
                self.bobs_editor.catch_up().ok()?;
                let found = done(self);
                *instead.borrow_mut() = format!("{:?}\n{:?}", found, self.bobs_editor.told());
                found.ok()?.then_some(())
            },
            || instead.borrow().clone(),
        )
    }

    /// No file of Bob's bridge may be longer than this.
    fn limit(&self, bytes: Option<u64>) -> Result<()> {
        let_files_grow_to(self.bobs_editor.pid(), bytes)
    }

    fn ada_writes(&self, file: &str, text: &str) -> Result<()> {
        // In one step, as most programs do.
        let made = self.adas.path().join(".tuttiignored~");
        fs::write(&made, text)?;
        fs::rename(made, self.adas.path().join(file))?;
        Ok(())
    }

    fn bobs(&self, file: &str) -> Option<String> {
        read(self.bobs.path(), file)
    }

    fn bob_is_told(&self, words: &str) -> usize {
        let told = self.bobs_editor.told().iter();
        told.filter(|told| told.contains(words)).count()
    }

    /// What `tutti status` lists as not written.
    fn unwritten(&self) -> Result<Vec<String>> {
        let (bob, at) = (&self.bob, self.bobs.path());
        let status = as_anybody(|| bob.tutti(at, &["status"]))?;
        let status = status.success()?.stdout;
        let lines = status
            .lines()
            .skip_while(|line| !line.starts_with(IN_STATUS));
        let items = lines.skip(1).take_while(|line| line.starts_with("  "));
        let paths = items.filter_map(|line| Some(line.trim().split_once(": ")?.0.to_owned()));
        Ok(paths.collect())
    }

    fn paths(&self) -> Result<Vec<String>> {
        let rest = Rest::new(self.server.url(), self.project.editor_token().to_owned());
        let files = rest.files(&self.project.id)?;
        let mut paths: Vec<_> = files.into_iter().map(|(_, path)| path).collect();
        paths.sort();
        Ok(paths)
    }
}

/// Does something with no more rights than anybody has: an administrator may write anywhere.
fn as_anybody<T: Send>(act: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    if !geteuid().is_root() {
        return act();
    }
    let bounded = || {
        remove_capability_from_bounding_set(CapabilitySet::DAC_OVERRIDE)?;
        act()
    };
    std::thread::scope(|scope| scope.spawn(bounded).join())
        .map_err(|_| anyhow::anyhow!("it panicked"))?
}

fn read(dir: &Path, file: &str) -> Option<String> {
    fs::read_to_string(dir.join(file)).ok()
}

fn allow(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    Ok(())
}

fn allow_all(path: &Path, file: u32, directory: u32) -> Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => allow_all(&entry.path(), file, directory)?,
            false => allow(&entry.path(), file)?,
        }
    }
    allow(path, directory)
}

#[test]
fn what_has_no_room_is_named_and_comes_when_there_is() -> Result<()> {
    let long = "a line that takes room\n".repeat(10_000);
    let mut scene = Scene::new(&[("grows.txt", "short\n")])?;
    scene.limit(Some(64 << 10))?;
    scene.ada_writes("grows.txt", &long)?;
    scene.ada_writes("new.txt", &long)?;
    fs::write(scene.adas.path().join("image.bin"), [0xff; 300_000])?;
    scene.ada_writes("small.txt", "small\n")?;
    let all = ["grows.txt", "image.bin", "new.txt"];
    scene.until("what has no room to be named", |scene| {
        Ok(scene.unwritten()? == all && scene.bobs("small.txt").as_deref() == Some("small\n"))
    })?;
    ensure!(scene.bobs("grows.txt").as_deref() == Some("short\n"));
    // It was listed before it had a text.
    ensure!(scene.bobs("new.txt").is_none_or(|text| text.is_empty()));
    // All else goes on, in both directions.
    scene.bobs_editor.type_at(0, "still ")?;
    scene.ada_writes("grows.txt", &(long.clone() + "more\n"))?;
    fs::write(scene.bobs.path().join("from-bob.txt"), "mine\n")?;
    scene.until("the rest to go on", |scene| {
        Ok(
            read(scene.adas.path(), OPEN).as_deref() == Some("still open\n")
                && read(scene.adas.path(), "from-bob.txt").is_some(),
        )
    })?;
    ensure!(scene.unwritten()? == all);
    ensure!(scene.bob_is_told("cannot be written here") == 1);
    ensure!(scene.bob_is_told(AGAIN) == 0);

    scene.limit(None)?;
    scene.until("all to be written", |scene| {
        Ok(scene.bobs("grows.txt") == Some(long.clone() + "more\n")
            && scene.bobs("new.txt").as_ref() == Some(&long)
            && fs::read(scene.bobs.path().join("image.bin")).is_ok_and(|all| all.len() == 300_000)
            && scene.bob_is_told(AGAIN) == 1
            && scene.unwritten()?.is_empty())
    })?;
    let left = fs::read_dir(scene.bobs.path())?;
    for entry in left {
        let name = entry?.file_name();
        ensure!(
            !name.to_string_lossy().ends_with(".tmp"),
            "{name:?} is left"
        );
    }
    Ok(())
}

#[test]
fn what_is_typed_while_nothing_can_be_stored_is_not_lost() -> Result<()> {
    let long = "a line that takes room\n".repeat(10_000);
    let mut scene = Scene::new(&[])?;
    scene.server.kill()?;
    scene.limit(Some(64 << 10))?;
    scene.bobs_editor.type_at(0, &long)?;
    scene.until("Bob to be told", |scene| {
        Ok(scene.bob_is_told("is typed in open.txt cannot be stored") == 1)
    })?;
    scene.bobs_editor.close()?;
    scene.limit(None)?;
    scene.until("it to be stored", |scene| Ok(scene.bob_is_told(AGAIN) == 1))?;
    scene.bobs_editor.lose()?;
    scene.bobs_editor.come_back(&scene.bob)?;
    scene.server.restart()?;
    scene.until("it to arrive", |scene| {
        Ok(read(scene.adas.path(), OPEN) == Some(long.clone() + "open\n"))
    })
}

#[test]
fn directories_that_may_not_be_written_to_are_made_up_for() -> Result<()> {
    let files = [
        ("src/a.txt", "a\n"),
        ("src/b.txt", "b\n"),
        ("src/c.txt", "c\n"),
    ];
    let mut scene = Scene::new(&files)?;
    let (root, src) = (scene.bobs.path().to_owned(), scene.bobs.path().join("src"));
    for round in 0..2 {
        allow(&src, 0o555)?;
        allow(&root, 0o555)?;
        let new = format!("new{round}.txt");
        scene.ada_writes(&new, "new\n")?;
        scene.ada_writes("src/a.txt", &format!("a {round}\n"))?;
        let (moved, gone) = match round {
            0 => ("src/b.txt", "src/c.txt"),
            _ => ("src/moved0.txt", "src/late0.txt"),
        };
        let later = format!("src/moved{round}.txt");
        fs::rename(
            scene.adas.path().join(moved),
            scene.adas.path().join(&later),
        )?;
        fs::remove_file(scene.adas.path().join(gone))?;
        let mut all = vec![
            new.clone(),
            "src/a.txt".to_owned(),
            gone.to_owned(),
            later.clone(),
        ];
        all.sort();
        scene.until("all to be named", |scene| {
            let named = scene.unwritten()?;
            ensure!(named == all, "{named:?}");
            Ok(true)
        })?;
        // It is looked at as a new start would, and must not pass for a new file.
        fs::write(scene.bobs.path().join(".tutti/touched"), "")?;

        allow(&root, 0o755)?;
        allow(&src, 0o755)?;
        scene.until("all to be made up for", |scene| {
            Ok(scene.bobs(&new).as_deref() == Some("new\n")
                && scene.bobs("src/a.txt") == Some(format!("a {round}\n"))
                && scene.bobs(&later).is_some()
                && scene.bobs(moved).is_none()
                && scene.bobs(gone).is_none()
                && scene.unwritten()?.is_empty()
                && scene.bob_is_told(AGAIN) == round + 1)
        })?;
        ensure!(!scene.paths()?.contains(&gone.to_owned()), "it came back");
        scene.ada_writes(&format!("src/late{round}.txt"), "late\n")?;
        scene.until("it to come", |scene| {
            let late = scene.bobs(&format!("src/late{round}.txt"));
            Ok(late.as_deref() == Some("late\n"))
        })?;
    }
    Ok(())
}

#[test]
fn a_directory_of_tuttis_own_that_may_not_be_written_to_is_told_of_and_made_up_for() -> Result<()> {
    let mut scene = Scene::new(&[("a.txt", "a\n"), ("b.txt", "b\n")])?;
    let private = scene.bobs.path().join(".tutti");
    allow_all(&private, 0o444, 0o555)?;
    scene.ada_writes("a.txt", "a from Ada\n")?;
    fs::write(scene.bobs.path().join("b.txt"), "b from Bob\n")?;
    scene.until("it to be named", |scene| {
        Ok(scene.unwritten()?.contains(&"a.txt".to_owned()))
    })?;
    allow_all(&private, 0o644, 0o755)?;
    scene.until("all to be made up for", |scene| {
        Ok(scene.bobs("a.txt").as_deref() == Some("a from Ada\n")
            && read(scene.adas.path(), "b.txt").as_deref() == Some("b from Bob\n")
            && scene.unwritten()?.is_empty())
    })?;
    // The same for a bridge that is started meanwhile.
    scene.bobs_editor.lose()?;
    allow_all(&private, 0o444, 0o555)?;
    let (editor, bob) = (&mut scene.bobs_editor, &scene.bob);
    as_anybody(|| editor.come_back(bob))?;
    scene.until("Bob to be told", |scene| {
        Ok(scene.bob_is_told("Permission denied") > 1)
    })?;
    scene.ada_writes("a.txt", "a once more\n")?;
    allow_all(&private, 0o644, 0o755)?;
    scene.until("the bridge to begin", |scene| {
        Ok(scene.bobs("a.txt").as_deref() == Some("a once more\n"))
    })
}
