//! A person puts more into a file than the server takes: they are told what to do, and go on in their other files.

use anyhow::{Result, ensure};
use tempfile::TempDir;
use tutti_tests::bridge::Bridge;
use tutti_tests::cli::Person;
use tutti_tests::project;
use tutti_tests::rest::{Project, Rest};
use tutti_tests::server::Server;
use tutti_tests::wait::until_or;

const KIB: usize = 1024;

/// Ada and Bob, and what they type into.
struct Scene {
    server: Server,
    project: Project,
    ada: Person,
    _bob: Person,
    dirs: [TempDir; 2],
    adas: Bridge,
    bobs: Bridge,
}

impl Scene {
    fn new(options: &[&str]) -> Result<Self> {
        let server = Server::start_with(options)?;
        let (ada, bob) = (Person::new("Ada")?, Person::new("Bob")?);
        let dirs = [tempfile::tempdir()?, tempfile::tempdir()?];
        let dir = dirs[0].path();
        project::write(dir, &[("big.txt", "big\n"), ("other.txt", "other\n")])?;
        let project = ada.share(dir, &server)?;
        bob.join(&project.editor_link, dirs[1].path())?;
        Ok(Self {
            adas: Bridge::open(&ada, dir, "big.txt")?,
            bobs: Bridge::open(&bob, dirs[1].path(), "other.txt")?,
            server,
            project,
            ada,
            _bob: bob,
            dirs,
        })
    }

    /// Ada is told this, once however long it lasts.
    fn is_told(&mut self, words: &[&str]) -> Result<()> {
        let told = std::cell::RefCell::new(Vec::new());
        let bridge = &mut self.adas;
        let is_so = || {
            bridge.catch_up().ok()?;
            *told.borrow_mut() = bridge.told().to_vec();
            let told = told.borrow();
            let is_it = |one: &&String| words.iter().all(|word| one.contains(word));
            (told.iter().filter(is_it).count() == 1).then_some(())
        };
        until_or("Ada to be told", is_so, || told.borrow().join("\n"))?;
        let wrongly = self.adas.told().iter().any(|one| one.contains("view-only"));
        ensure!(!wrongly, "Ada may write: {:?}", self.adas.told());
        Ok(())
    }

    /// What Ada types into another file Bob sees, each word.
    fn goes_on_elsewhere(&mut self) -> Result<()> {
        self.adas.turn_to("other.txt")?;
        for number in 0..5 {
            let word = format!("word{number} ");
            self.adas.type_at(0, &word)?;
            self.bobs.text_is(|text| text.contains(&word))?;
        }
        Ok(())
    }

    /// `tutti status` knows that not all of it is saved.
    fn is_unsaved(&self) -> Result<()> {
        let said = std::cell::RefCell::new(None);
        let is_so = || {
            let status = self.ada.tutti(self.dirs[0].path(), &["status"]).ok()?;
            let names_it = status.stdout.split_once("Not yet confirmed");
            let names_it = names_it.is_some_and(|(_, names)| names.contains("big.txt"));
            *said.borrow_mut() = Some(status);
            names_it.then_some(())
        };
        until_or("status to name the file", is_so, || format!("{said:?}"))
    }

    fn text_of_big(&self) -> Option<String> {
        let rest = Rest::new(self.server.url(), self.project.editor_token().to_owned());
        let id = rest.file_id(&self.project.id, "big.txt").ok()?;
        rest.text(&self.project.id, &id).ok()
    }
}

#[test]
fn in_one_edit() -> Result<()> {
    let mut scene = Scene::new(&["--max-message-mb", "1"])?;
    let much = "much ".repeat(400 * KIB);
    scene.adas.type_at(0, &much)?;
    scene.is_told(&["big.txt", "2 MiB at once", "piece by piece"])?;
    scene.goes_on_elsewhere()?;
    scene.is_unsaved()?;
    // Taken out again, all is well.
    scene.adas.turn_to("big.txt")?;
    scene.adas.replace(0..much.len(), "less ")?;
    let last = std::cell::RefCell::new(None);
    let is_sent = || {
        *last.borrow_mut() = scene.text_of_big();
        (last.borrow().as_deref() == Some("less big\n")).then_some(())
    };
    until_or("the rest to be sent", is_sent, || format!("{last:?}"))?;
    scene.goes_on_elsewhere()
}

#[test]
fn in_one_file() -> Result<()> {
    let mut scene = Scene::new(&["--max-document-mb", "1"])?;
    for number in 0..6 {
        let part = format!("part{number} ").repeat(40 * KIB);
        scene.adas.type_at(0, &part)?;
    }
    scene.is_told(&["big.txt", "1 MiB"])?;
    scene.goes_on_elsewhere()?;
    scene.is_unsaved()
}
