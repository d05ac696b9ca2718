//! `.tutti` is taken away under a running bridge, as git does it: what is open goes on, nothing passes for deleted, and
//! the person is told once what to do.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use serde_json::json;
use tempfile::TempDir;
use tutti_tests::bridge::Bridge;
use tutti_tests::cli::Person;
use tutti_tests::project;
use tutti_tests::rest::{Project, Rest};
use tutti_tests::server::Server;
use tutti_tests::wait::until;

const OPEN: &str = "open.txt";
const CLOSED: &str = "closed.txt";
const AWAY: &str = "is not there any more";
const GONE: &str = ".tutti is not there any more";

/// Ada's directory loses its `.tutti`; Bob works on.
struct Scene {
    server: Server,
    project: Project,
    rest: Rest,
    ada: Person,
    adas: TempDir,
    adas_editor: Bridge,
    bob: Person,
    bobs: TempDir,
    bobs_editor: Bridge,
}

impl Scene {
    fn new() -> Result<Self> {
        let server = Server::start()?;
        let (ada, bob) = (Person::new("Ada")?, Person::new("Bob")?);
        let (adas, bobs) = (tempfile::tempdir()?, tempfile::tempdir()?);
        git(adas.path(), &["init", "-q"])?;
        project::write(adas.path(), &[(OPEN, "one\n"), (CLOSED, "closed\n")])?;
        git(adas.path(), &["add", "."])?;
        git(adas.path(), &["commit", "-q", "-m", "start"])?;
        let project = ada.share(adas.path(), &server)?;
        bob.join(&project.editor_link, bobs.path())?;
        let mut scene = Self {
            adas_editor: Bridge::open(&ada, adas.path(), OPEN)?,
            bobs_editor: Bridge::open(&bob, bobs.path(), OPEN)?,
            rest: Rest::new(server.url(), project.editor_token().to_owned()),
            project,
            server,
            ada,
            adas,
            bob,
            bobs,
        };
        // A file that is only about to be opened is not shared while `.tutti` is away.
        scene.open_text_is_shared("start ")?;
        Ok(scene)
    }

    fn until(&mut self, what: &str, done: impl Fn(&Self) -> Result<bool>) -> Result<()> {
        until(what, || {
            self.adas_editor.catch_up().ok()?;
            self.bobs_editor.catch_up().ok()?;
            done(self).ok()?.then_some(())
        })
    }

    fn told(&self, words: &str) -> usize {
        let told = self.adas_editor.told().iter();
        told.filter(|told| told.contains(words)).count()
    }

    fn paths(&self) -> Result<Vec<String>> {
        let files = self.rest.files(&self.project.id)?;
        let mut paths: Vec<_> = files.into_iter().map(|(_, path)| path).collect();
        paths.sort();
        Ok(paths)
    }

    fn bob_has(&self, file: &str, text: &str) -> bool {
        read(self.bobs.path(), file).as_deref() == Some(text)
    }

    fn ada_has(&self, file: &str, text: &str) -> bool {
        read(self.adas.path(), file).as_deref() == Some(text)
    }

    /// The two still see what the other types.
    fn open_text_is_shared(&mut self, mark: &str) -> Result<()> {
        self.adas_editor.type_at(0, mark)?;
        self.until("Ada's text to arrive", |scene| {
            Ok(scene.bobs_editor.text().starts_with(mark))
        })?;
        let back = format!("({mark}");
        self.bobs_editor.type_at(0, "(")?;
        self.until("Bob's text to arrive", |scene| {
            Ok(scene.adas_editor.text().starts_with(&back))
        })
    }
}

fn read(dir: &Path, file: &str) -> Option<String> {
    fs::read_to_string(dir.join(file)).ok()
}

fn git(dir: &Path, words: &[&str]) -> Result<()> {
    let person = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"];
    let output = Command::new("git")
        .args(person)
        .args(words)
        .current_dir(dir)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()?;
    ensure!(output.status.success(), "git {words:?}: {output:?}");
    Ok(())
}

#[test]
fn git_clean_ends_it_for_closed_files_until_it_is_joined_anew() -> Result<()> {
    let mut scene = Scene::new()?;
    fs::write(scene.adas.path().join("untracked.txt"), "mine\n")?;
    scene.until("the file to arrive", |scene| {
        Ok(scene.bob_has("untracked.txt", "mine\n"))
    })?;
    let before = scene.paths()?;

    git(scene.adas.path(), &["clean", "-fdxq"])?;
    ensure!(!scene.adas.path().join(".tutti").exists());
    ensure!(!scene.adas.path().join("untracked.txt").exists());
    scene.until("Ada to be told", |scene| Ok(scene.told(GONE) == 1))?;
    scene.open_text_is_shared("after ")?;
    scene.adas_editor.save()?;
    fs::write(scene.adas.path().join(CLOSED), "by a program of Ada's\n")?;
    fs::write(scene.bobs.path().join(CLOSED), "by a program of Bob's\n")?;
    fs::write(scene.bobs.path().join("new.txt"), "new\n")?;
    scene.until("Bob's file to go up", |scene| {
        Ok(scene.paths()?.iter().any(|path| path == "new.txt"))
    })?;
    scene.open_text_is_shared("and on ")?;
    let shared = scene.paths()?;
    ensure!(
        before.iter().all(|path| shared.contains(path)),
        "{shared:?}"
    );
    ensure!(scene.ada_has(CLOSED, "by a program of Ada's\n"));
    ensure!(!scene.adas.path().join("new.txt").exists());
    ensure!(!scene.adas.path().join(".tutti").exists());

    scene.adas_editor.save()?;
    let link = scene.project.editor_link.clone();
    let words = ["join", &link, ".", "--merge"];
    scene.ada.tutti(scene.adas.path(), &words)?.success()?;
    for (file, text) in [
        (CLOSED, "by a program of Bob's\n"),
        ("untracked.txt", "mine\n"),
        ("new.txt", "new\n"),
    ] {
        ensure!(scene.ada_has(file, text), "{file} is not as it was");
    }
    let kept = read(&scene.adas.path().join(".tutti/recovered"), CLOSED);
    ensure!(
        kept.as_deref() == Some("by a program of Ada's\n"),
        "{kept:?}"
    );
    scene.until("Ada to be told to restart", |scene| {
        Ok(scene.told("joined anew: restart your editor") == 1)
    })?;
    scene.open_text_is_shared("still ")?;
    let text = scene.bobs_editor.text().to_owned();
    let next = Bridge::open(&scene.ada, scene.adas.path(), CLOSED)?;
    std::mem::replace(&mut scene.adas_editor, next).quit()?;
    fs::write(scene.adas.path().join("last.txt"), "last\n")?;
    scene.until("all to go on", |scene| {
        Ok(scene.bob_has("last.txt", "last\n") && scene.ada_has(OPEN, &text))
    })?;
    scene.adas_editor.show(OPEN)?;
    scene.open_text_is_shared("again ")?;
    ensure!(
        scene.told(GONE) == 0,
        "the restarted one has nothing to tell"
    );
    Ok(())
}

#[test]
fn what_comes_back_goes_on_by_itself() -> Result<()> {
    for taken in [".tutti/project.toml", ".tutti"] {
        let mut scene = Scene::new()?;
        let place = scene.adas.path().join(taken);
        let elsewhere = tempfile::tempdir()?;
        let aside = elsewhere.path().join("aside");
        fs::rename(&place, &aside)?;
        scene.until("Ada to be told", |scene| Ok(scene.told(AWAY) == 1))?;
        scene.open_text_is_shared("meanwhile ")?;
        scene.adas_editor.save()?;
        fs::write(scene.adas.path().join(CLOSED), "closed\nby Ada\n")?;
        fs::write(scene.adas.path().join("new.txt"), "new\n")?;
        fs::write(scene.bobs.path().join("bobs.txt"), "Bob's\n")?;
        scene.until("Bob's file to go up", |scene| {
            Ok(scene.paths()?.iter().any(|path| path == "bobs.txt"))
        })?;
        ensure!(!scene.adas.path().join("bobs.txt").exists());
        ensure!(scene.bob_has(CLOSED, "closed\n"));

        fs::rename(&aside, &place)?;
        scene.until("all to go on", |scene| {
            Ok(scene.bob_has(CLOSED, "closed\nby Ada\n")
                && scene.bob_has("new.txt", "new\n")
                && scene.ada_has("bobs.txt", "Bob's\n"))
        })?;
        ensure!(scene.told(AWAY) == 1, "{:?}", scene.adas_editor.told());
        ensure!(scene.told("is back") == 1, "{:?}", scene.adas_editor.told());
        scene.open_text_is_shared("later ")?;
        let text = scene.adas_editor.text().to_owned();
        ensure!(text.matches("meanwhile ").count() == 1, "{text}");
        scene.adas_editor.save()?;
        scene.bobs_editor.save()?;
        // Closed, it is the mirror's: the text is there once.
        scene.adas_editor.close()?;
        scene.bobs_editor.type_at(0, "last ")?;
        let last = format!("last {text}");
        scene.until("the last text", |scene| Ok(scene.ada_has(OPEN, &last)))?;
    }
    Ok(())
}

/// Nothing ran when it happened: who starts an editor there is told once, and so is who asks.
#[test]
fn a_directory_that_has_lost_its_name_says_what_to_do() -> Result<()> {
    const LOST: &str = "was a shared directory";
    let mut scene = Scene::new()?;
    scene.adas_editor.save()?;
    let root = scene.adas.path().to_owned();
    let other = Bridge::open(&scene.bob, scene.bobs.path(), CLOSED)?;
    std::mem::replace(&mut scene.adas_editor, other).quit()?;
    fs::remove_file(root.join(".tutti/project.toml"))?;
    fs::write(root.join(CLOSED), "closed\nby Ada\n")?;

    let mut editor = Bridge::open(&scene.ada, &root, OPEN)?;
    let hears = |editor: &mut Bridge, words: &str| {
        until(words, || {
            editor.catch_up().ok()?;
            editor
                .told()
                .iter()
                .any(|told| told.contains(words))
                .then_some(())
        })
    };
    hears(&mut editor, LOST)?;
    editor.show(CLOSED)?;
    // Its answer says that it has heard of that, and what it tells of next comes behind.
    let place = json!({ "textDocument": { "uri": "" }, "position": { "line": 0, "character": 0 } });
    editor.request("textDocument/documentHighlight", &place)?;
    fs::write(root.join(".tutti/project.toml"), "")?;
    editor.show(OPEN)?;
    hears(&mut editor, "cannot be understood")?;
    fs::remove_file(root.join(".tutti/project.toml"))?;
    let told = editor.told().iter();
    let told: Vec<_> = told.filter(|told| told.contains(LOST)).collect();
    ensure!(told.len() == 1, "{:?}", editor.told());
    ensure!(told[0].contains("`tutti join LINK . --merge`"), "{told:?}");
    editor.quit()?;
    for words in [["status"].as_slice(), &["leave"]] {
        scene.ada.tutti(&root, words)?.failure(&[LOST, "--merge"])?;
    }
    let url = scene.server.url();
    let words = ["share", "--server", &url];
    let refused = scene.ada.tutti(&root, &words)?;
    refused.failure(&[LOST, "remove .tutti"])?;

    // Another project would take what is left for deleted files of its own.
    let elsewhere = tempfile::tempdir()?;
    project::write(elsewhere.path(), &[("theirs.txt", "theirs\n")])?;
    let theirs = scene.ada.share(elsewhere.path(), &scene.server)?;
    let join = |link: &str| scene.ada.tutti(&root, &["join", link, ".", "--merge"]);
    join(&theirs.editor_link)?.failure(&["left of another project", "remove it"])?;
    ensure!(scene.ada_has(CLOSED, "closed\nby Ada\n") && !root.join("theirs.txt").exists());

    join(&scene.project.editor_link)?.success()?;
    scene.adas_editor = Bridge::open(&scene.ada, &root, OPEN)?;
    scene.until("what was written meanwhile to arrive", |scene| {
        Ok(scene.bob_has(CLOSED, "closed\nby Ada\n"))
    })?;
    ensure!(scene.told(LOST) == 0, "{:?}", scene.adas_editor.told());
    scene.open_text_is_shared("again ")
}

#[test]
fn git_stash_leaves_it_where_it_is() -> Result<()> {
    let mut scene = Scene::new()?;
    fs::write(scene.adas.path().join(CLOSED), "closed\nto be stashed\n")?;
    scene.until("the change to arrive", |scene| {
        Ok(scene.bob_has(CLOSED, "closed\nto be stashed\n"))
    })?;
    git(scene.adas.path(), &["stash", "-uq"])?;
    ensure!(scene.adas.path().join(".tutti/project.toml").exists());
    scene.until("the stash to arrive", |scene| {
        Ok(scene.bob_has(CLOSED, "closed\n"))
    })?;
    git(scene.adas.path(), &["stash", "pop", "-q"])?;
    scene.until("the change to be back", |scene| {
        Ok(scene.bob_has(CLOSED, "closed\nto be stashed\n"))
    })?;
    ensure!(scene.told(AWAY) == 0);
    Ok(())
}
