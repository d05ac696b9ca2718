//! A file that one person deletes while another types in it: what was typed is in the project again once it is saved, or
//! lies in `.tutti/recovered`, and both are told.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use tempfile::TempDir;
use tutti_tests::bridge::Bridge;
use tutti_tests::browser::Browser;
use tutti_tests::cli::Person;
use tutti_tests::project;
use tutti_tests::rest::{Project, Rest};
use tutti_tests::server::Server;
use tutti_tests::wait::until;

const FILE: &str = "a.txt";
const OTHER: &str = "b.txt";
/// What the page says then.
const SAYS: &str = "Bob deleted this file while it was changed: it is there again.";

/// Ada types in a file that Bob deletes; each has a bridge.
struct Scene {
    server: Server,
    project: Project,
    ada: Person,
    adas: TempDir,
    types: Bridge,
    bob: Person,
    bobs: TempDir,
    deletes: Bridge,
}

impl Scene {
    fn new() -> Result<Self> {
        let server = Server::start()?;
        let (ada, bob) = (Person::new("Ada")?, Person::new("Bob")?);
        let (adas, bobs) = (tempfile::tempdir()?, tempfile::tempdir()?);
        project::write(adas.path(), &[(FILE, "one\n"), (OTHER, "other\n")])?;
        let project = ada.share(adas.path(), &server)?;
        bob.join(&project.editor_link, bobs.path())?;
        Ok(Self {
            types: Bridge::open(&ada, adas.path(), FILE)?,
            deletes: Bridge::open(&bob, bobs.path(), OTHER)?,
            server,
            project,
            ada,
            adas,
            bob,
            bobs,
        })
    }

    /// The text of the file in the project, if it is there.
    fn shared(&self) -> Result<Option<String>> {
        let rest = Rest::new(self.server.url(), self.project.editor_token().to_owned());
        let files = rest.files(&self.project.id)?;
        let found = files.iter().find(|(_, path)| path == FILE);
        found
            .map(|(id, _)| rest.text(&self.project.id, id))
            .transpose()
    }

    /// Serves both editors until `done`.
    fn until(&mut self, what: &str, done: impl Fn(&Self) -> Result<bool>) -> Result<()> {
        until(what, || {
            self.types.catch_up().ok()?;
            self.deletes.catch_up().ok()?;
            done(self).ok()?.then_some(())
        })
    }

    fn ada_types(&mut self, text: &str) -> Result<()> {
        self.types.type_at(0, text)?;
        Ok(())
    }

    fn bob_deletes(&mut self) -> Result<()> {
        fs::remove_file(self.bobs.path().join(FILE))?;
        self.until("the file to be deleted", |scene| {
            Ok(scene.shared()?.is_none() && is_told(&scene.types, "was deleted by Bob"))
        })
    }
}

fn is_told(bridge: &Bridge, words: &str) -> bool {
    times_told(bridge, words) > 0
}

fn times_told(bridge: &Bridge, words: &str) -> usize {
    let told = bridge.told().iter();
    told.filter(|told| told.contains(words)).count()
}

fn read(dir: &Path) -> Option<String> {
    fs::read_to_string(dir.join(FILE)).ok()
}

#[test]
fn saving_brings_it_back_for_both_and_both_are_told() -> Result<()> {
    let mut scene = Scene::new()?;
    scene.ada_types("before, ")?;
    scene.until("the text to arrive", |scene| {
        Ok(read(scene.bobs.path()).as_deref() == Some("before, one\n"))
    })?;
    scene.bob_deletes()?;
    scene.ada_types("after, ")?;
    scene.types.save()?;
    let whole = "after, before, one\n";
    scene.until("the file to be back", |scene| {
        Ok(read(scene.bobs.path()).as_deref() == Some(whole)
            && scene.shared()?.as_deref() == Some(whole)
            && is_told(&scene.deletes, "is there again"))
    })?;
    // And goes on as before.
    scene.ada_types("more, ")?;
    scene.until("the text to arrive", |scene| {
        Ok(scene
            .shared()?
            .is_some_and(|text| text.starts_with("more, after")))
    })?;
    let told = scene.types.told();
    ensure!(told.len() == 1, "Ada knows that she saved it: {told:?}");
    Ok(())
}

/// Who deleted it had not seen what was typed: it was never deleted for the others.
#[test]
fn one_that_was_changed_meanwhile_is_there_again_and_both_are_told() -> Result<()> {
    let mut scene = Scene::new()?;
    for round in 1..=2 {
        scene.deletes.lose()?;
        fs::remove_file(scene.bobs.path().join(FILE))?;
        scene.ada_types("meanwhile, ")?;
        let whole = "meanwhile, ".repeat(round) + "one\n";
        until("the text to arrive", || {
            scene.types.catch_up().ok()?;
            (scene.shared().ok()?.as_ref() == Some(&whole)).then_some(())
        })?;
        scene.deletes.come_back(&scene.bob)?;
        scene.until("both to be told", |scene| {
            Ok(read(scene.bobs.path()).as_ref() == Some(&whole)
                && times_told(&scene.deletes, "is there again") == round
                && times_told(&scene.types, "was deleted by Bob while it was changed") == round)
        })?;
    }
    Ok(())
}

/// The same for one who writes with a program.
#[test]
fn who_writes_with_a_program_is_told_as_well() -> Result<()> {
    let mut scene = Scene::new()?;
    scene.types.close()?;
    scene.deletes.lose()?;
    fs::remove_file(scene.bobs.path().join(FILE))?;
    let whole = "one\nmeanwhile\n";
    project::write(scene.adas.path(), &[(FILE, whole)])?;
    scene.until("the text to arrive", |scene| {
        Ok(scene.shared()?.as_deref() == Some(whole))
    })?;
    scene.deletes.come_back(&scene.bob)?;
    scene.until("both to be told", |scene| {
        Ok(read(scene.bobs.path()).as_deref() == Some(whole)
            && is_told(&scene.deletes, "is there again")
            && is_told(&scene.types, "was deleted by Bob while it was changed"))
    })
}

/// Bob makes a directory of the file in which Ada types meanwhile, and goes back.
#[test]
fn one_whose_name_is_a_directorys_waits_and_both_are_told() -> Result<()> {
    let mut scene = Scene::new()?;
    scene.deletes.lose()?;
    let place = scene.bobs.path().join(FILE);
    fs::remove_file(&place)?;
    project::write(&place, &[("inner.txt", "new\n")])?;
    scene.ada_types("meanwhile, ")?;
    let whole = "meanwhile, one\n";
    until("the text to arrive", || {
        scene.types.catch_up().ok()?;
        (scene.shared().ok()?.as_deref() == Some(whole)).then_some(())
    })?;
    scene.deletes.come_back(&scene.bob)?;
    scene.until("both to be told", |scene| {
        Ok(is_told(
            &scene.deletes,
            "a.txt, in which Ada has written, has no place here",
        ) && is_told(&scene.types, "a.txt does not reach Bob"))
    })?;
    let status = scene.bob.tutti(scene.bobs.path(), &["status"])?;
    let status = status.success()?.stdout;
    ensure!(
        status.contains("0 changed here") && status.contains("Left alone: 2 files"),
        "{status}"
    );
    fs::remove_dir_all(&place)?;
    project::write(scene.bobs.path(), &[(FILE, "one\n")])?;
    scene.until("the text to have its place", |scene| {
        Ok(read(scene.bobs.path()).as_deref() == Some(whole))
    })?;
    for bridge in [&scene.types, &scene.deletes] {
        ensure!(bridge.told().len() == 1, "{:?}", bridge.told());
    }
    Ok(())
}

/// To those who have it open it is another file from then on.
#[test]
fn one_that_becomes_no_text_is_not_called_deleted() -> Result<()> {
    let data = b"\0\x01\xff";
    let mut scene = Scene::new()?;
    fs::write(scene.bobs.path().join(FILE), data)?;
    scene.until("the other kind to arrive", |scene| {
        Ok(is_told(
            &scene.types,
            "Bob made a.txt a binary file; close it",
        ))
    })?;
    scene.ada_types("after, ")?;
    scene.types.close()?;
    scene.until("the text to be kept", |scene| {
        let there = fs::read(scene.adas.path().join(FILE)).ok();
        let because = "because someone else made it a file that is no text";
        Ok(there.as_deref() == Some(data) && is_told(&scene.types, because))
    })?;
    let kept = fs::read_to_string(scene.adas.path().join(".tutti/recovered").join(FILE))?;
    ensure!(kept == "after, one\n", "{kept}");
    Ok(())
}

/// The editor that has it open still shows the first text.
#[test]
fn one_that_is_a_text_again_is_not_called_deleted_either() -> Result<()> {
    let mut scene = Scene::new()?;
    let there = scene.bobs.path().join(FILE);
    fs::write(&there, b"\0\x01\xff")?;
    scene.until("the other kind to arrive", |scene| {
        Ok(is_told(&scene.types, "Bob made a.txt a binary file"))
    })?;
    fs::write(&there, "two\n")?;
    scene.until("the text to arrive", |scene| {
        Ok(is_told(
            &scene.types,
            "a.txt is another text by now; close it and open it again",
        ))
    })?;
    scene.ada_types("after, ")?;
    scene.types.close()?;
    scene.until("both to be there", |scene| {
        Ok(read(scene.adas.path()).as_deref() == Some("two\n")
            && is_told(&scene.types, "because someone else made the file anew"))
    })?;
    let kept = fs::read_to_string(scene.adas.path().join(".tutti/recovered").join(FILE))?;
    ensure!(kept == "after, one\n", "{kept}");
    let told = scene.types.told();
    ensure!(
        !told.iter().any(|told| told.contains("deleted")),
        "{told:?}"
    );
    Ok(())
}

/// The same for a person in a browser.
#[test]
fn who_types_in_a_browser_is_told_as_well() -> Result<()> {
    let mut scene = Scene::new()?;
    let mut browser = Browser::open(&scene.project.editor_link)?;
    browser.introduce("Carol")?;
    browser.open_file(FILE)?;
    browser.holds("one\n")?;
    scene.deletes.lose()?;
    fs::remove_file(scene.bobs.path().join(FILE))?;
    browser.type_behind("one")?;
    browser.type_text(" more", Duration::from_millis(20))?;
    scene.until("the text to arrive", |scene| {
        Ok(scene.shared()?.as_deref() == Some("one more\n"))
    })?;
    ensure!(!browser.page()?.contains(SAYS), "nothing has happened yet");
    scene.deletes.come_back(&scene.bob)?;
    scene.until("the file to be back", |scene| {
        Ok(is_told(&scene.deletes, "is there again"))
    })?;
    browser.shows(SAYS)?;
    browser.holds("one more\n")?;
    // It is said of that file alone.
    browser.open_file(OTHER)?;
    browser.holds("other\n")?;
    browser.open_file(FILE)?;
    browser.holds("one more\n")?;
    let page = browser.page()?;
    ensure!(!page.contains(SAYS), "{page}");
    Ok(())
}

#[test]
fn who_deleted_it_is_named_in_a_browser_and_by_one() -> Result<()> {
    let mut scene = Scene::new()?;
    let mut browser = Browser::open(&scene.project.editor_link)?;
    browser.introduce("Carol")?;
    browser.open_file(FILE)?;
    browser.holds("one\n")?;
    scene.bob_deletes()?;
    browser.shows("Bob deleted this file. Its text is still here.")?;
    browser.delete_file(OTHER)?;
    scene.until("Bob to be told", |scene| {
        Ok(is_told(&scene.deletes, "b.txt was deleted by Carol"))
    })?;
    scene.deletes.save()?;
    let rest = Rest::new(scene.server.url(), scene.project.editor_token().to_owned());
    let id = scene.project.id.clone();
    scene.until("it to be back", |_| {
        let files = rest.files(&id)?;
        Ok(files.iter().any(|(_, path)| path == OTHER))
    })?;
    browser.shows("b.txt is there again: you deleted")
}

#[test]
fn what_is_not_saved_is_kept_for_who_typed_it() -> Result<()> {
    for quits in [false, true] {
        let mut scene = Scene::new()?;
        scene.bob_deletes()?;
        scene.ada_types("after, ")?;
        if quits {
            // Neovim tells of no file that it closes as it goes; the next bridge finds what it left.
            let next = Bridge::open(&scene.ada, scene.adas.path(), OTHER)?;
            std::mem::replace(&mut scene.types, next).quit()?;
        } else {
            scene.types.close()?;
        }
        scene.until("the text to be kept", |scene| {
            let is_gone = read(scene.adas.path()).is_none();
            Ok(is_gone && is_told(&scene.types, "was kept in .tutti/recovered"))
        })?;
        scene.until("who deleted it to be told", |scene| {
            Ok(is_told(
                &scene.deletes,
                "Ada had changed a.txt when you deleted it",
            ))
        })?;
        let by_bob = is_told(&scene.types, "because Bob deleted the file");
        ensure!(quits || by_bob, "{:?}", scene.types.told());
        let kept = fs::read_dir(scene.adas.path().join(".tutti/recovered"))?;
        let kept = kept.map(|entry| Ok(fs::read_to_string(entry?.path())?));
        let kept = kept.collect::<Result<Vec<_>>>()?;
        ensure!(kept == ["after, one\n"], "{kept:?}");
        let status = scene.ada.tutti(scene.adas.path(), &["status"])?;
        let status = status.success()?.stdout;
        ensure!(
            status.contains("Kept for you in .tutti/recovered: 1 file"),
            "{status}"
        );
    }
    Ok(())
}

#[test]
fn what_was_typed_while_the_server_was_away_is_kept_as_well() -> Result<()> {
    let mut scene = Scene::new()?;
    scene.ada_types("before, ")?;
    scene.until("the text to arrive", |scene| {
        Ok(read(scene.bobs.path()).as_deref() == Some("before, one\n"))
    })?;
    scene.server.kill()?;
    scene.ada_types("meanwhile, ")?;
    fs::remove_file(scene.bobs.path().join(FILE))?;
    scene.server.restart()?;
    // Whoever was first: it is there with all that was typed, or deleted, and Ada is told.
    scene.until("both to agree", |scene| {
        let there = scene.shared()?;
        let is_back = there.as_deref() == Some("meanwhile, before, one\n");
        let is_gone = there.is_none() && is_told(&scene.types, "was deleted by Bob");
        Ok(is_back && read(scene.bobs.path()) == there || is_gone)
    })?;
    scene.types.save()?;
    let whole = "meanwhile, before, one\n";
    scene.until("the file to be back", |scene| {
        Ok(read(scene.bobs.path()).as_deref() == Some(whole)
            && scene.shared()?.as_deref() == Some(whole))
    })
}
