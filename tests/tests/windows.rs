//! Several editors in one directory, each with a bridge of its own: one of them owns the files, and when that is killed
//! another takes over within two seconds. Whoever types where meanwhile, each line stands in the project once.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tutti_tests::bridge::Bridge;
use tutti_tests::cli::Person;
use tutti_tests::rest::{Project, Rest};
use tutti_tests::server::Server;
use tutti_tests::wait::pause;

/// What is promised.
const TAKEN_OVER: Duration = Duration::from_secs(2);
/// Of this, so much is the way of a line from one directory to another.
const ON_THE_WAY: Duration = Duration::from_secs(1);
const FILES: [&str; 3] = ["a.txt", "b.txt", "c.txt"];
const WINDOWS: usize = 3;
/// How long the lines may take to arrive, looked at in such steps.
const PATIENCE: u32 = 150;
const LOOK: Duration = Duration::from_millis(200);
/// A look at the disk that is waited for.
const GLANCE: Duration = Duration::from_millis(5);

/// Ada's directory with her windows, and Bob's with his one.
struct Stage {
    server: Server,
    project: Project,
    ada: Person,
    dir: tempfile::TempDir,
    windows: Vec<Window>,
    bobs: tempfile::TempDir,
    bob: Bridge,
    _bob: Person,
    written: Vec<String>,
    told: Vec<String>,
}

struct Window {
    editor: Bridge,
    is_lost: bool,
    file: Option<&'static str>,
}

impl Stage {
    fn new() -> Result<Self> {
        let server = Server::start()?;
        let (ada, bob) = (Person::new("Ada")?, Person::new("Bob")?);
        let (dir, bobs) = (tempfile::tempdir()?, tempfile::tempdir()?);
        for file in FILES {
            fs::write(dir.path().join(file), format!("the first of {file}\n"))?;
        }
        let project = ada.share(dir.path(), &server)?;
        bob.join(&project.editor_link, bobs.path())?;
        let windows = (0..WINDOWS).map(|_| {
            Ok(Window {
                editor: Bridge::start(&ada, dir.path())?,
                is_lost: false,
                file: None,
            })
        });
        Ok(Self {
            windows: windows.collect::<Result<_>>()?,
            bob: Bridge::start(&bob, bobs.path())?,
            server,
            project,
            ada,
            dir,
            bobs,
            _bob: bob,
            written: Vec::new(),
            told: Vec::new(),
        })
    }

    fn line(&mut self, who: &str) -> String {
        let line = format!("line {} of {who}", self.written.len());
        self.told.push(line.clone());
        self.written.push(line.clone());
        line + "\n"
    }

    fn shows(&mut self, window: usize, file: &'static str) -> Result<()> {
        self.told.push(format!("window {window} shows {file}"));
        let window = &mut self.windows[window];
        window.file = Some(file);
        window.editor.show(file)
    }

    fn types(&mut self, window: usize) -> Result<()> {
        let line = self.line(&format!("window {window}"));
        self.windows[window].editor.type_at(0, &line)?;
        Ok(())
    }

    /// Another program adds a line to a file.
    fn appends(&mut self, dir: &Path, file: &str, who: &str) -> Result<String> {
        let path = dir.join(file);
        let text = fs::read_to_string(&path)?;
        let line = self.line(who);
        fs::write(path, text + &line)?;
        Ok(line)
    }

    fn saves_and_closes(&mut self, window: usize) -> Result<()> {
        self.told
            .push(format!("window {window} saves and closes if it shows any"));
        let window = &mut self.windows[window];
        if window.file.take().is_some() {
            window.editor.save()?;
            window.editor.close()?;
        }
        Ok(())
    }

    fn comes_back(&mut self, window: usize) -> Result<()> {
        self.told.push(format!("window {window} comes back"));
        self.windows[window].is_lost = false;
        self.windows[window].editor.come_back(&self.ada)
    }

    fn loses(&mut self, window: usize) -> Result<()> {
        self.told.push(format!("window {window} loses its bridge"));
        self.windows[window].is_lost = true;
        self.windows[window].editor.lose()
    }

    fn catch_up(&mut self) -> Result<()> {
        self.bob.catch_up()?;
        for window in self.windows.iter_mut().filter(|window| !window.is_lost) {
            window.editor.catch_up()?;
        }
        Ok(())
    }

    /// Serves the editors until a line has come into a file; how long that took.
    fn comes_into(&mut self, path: &Path, line: &str) -> Result<Duration> {
        let start = Instant::now();
        while !fs::read_to_string(path)?.contains(line) {
            ensure!(start.elapsed() < LOOK * PATIENCE, "{line} does not come");
            self.catch_up()?;
            pause(GLANCE);
        }
        Ok(start.elapsed())
    }

    /// The project's files, with their texts.
    fn shared(&self) -> Result<Vec<(String, String)>> {
        let rest = Rest::new(self.server.url(), self.project.editor_token().to_owned());
        let project = &self.project.id;
        let files = rest.files(project)?.into_iter();
        files
            .map(|(id, path)| Ok((path, rest.text(project, &id)?)))
            .collect()
    }

    /// Waits until each line stands in the project once, and both directories hold the same.
    fn all_is_there(&mut self) -> Result<()> {
        let mut wrong = Vec::new();
        for _ in 0..PATIENCE {
            self.catch_up()?;
            wrong = self.wrong()?;
            if wrong.is_empty() {
                return Ok(());
            }
            pause(LOOK);
        }
        bail!("{}\n{}", wrong.join("\n"), self.told.join("\n"))
    }

    fn wrong(&self) -> Result<Vec<String>> {
        let mut wrong = Vec::new();
        let shared = self.shared()?;
        for (path, text) in &shared {
            for dir in [&self.dir, &self.bobs] {
                let path = dir.path().join(path);
                let there = fs::read_to_string(&path).unwrap_or_default();
                if there != *text {
                    wrong.push(format!("{} holds {there:?}, not {text:?}", path.display()));
                }
            }
        }
        for line in &self.written {
            let times = times(line, &shared);
            if times != 1 {
                wrong.push(format!("{times} times: {line}"));
            }
        }
        Ok(wrong)
    }
}

/// How often a line stands in these files.
fn times(line: &str, files: &[(String, String)]) -> usize {
    let lines = files.iter().flat_map(|(_, text)| text.lines());
    lines.filter(|found| *found == line).count()
}

#[test]
fn another_takes_over_within_two_seconds_when_the_owner_is_killed() -> Result<()> {
    let mut stage = Stage::new()?;
    let dir = stage.dir.path().to_owned();
    let bobs = stage.bobs.path().to_owned();
    // Two show one file, and nobody of them the last one.
    for (window, file) in [(0, "a.txt"), (1, "a.txt"), (2, "b.txt")] {
        stage.shows(window, file)?;
        stage.types(window)?;
    }
    let line = stage.appends(&bobs, "c.txt", "Bob")?;
    stage.comes_into(&dir.join("c.txt"), &line)?;
    // The first is the owner, then the one that has taken over.
    for owner in 0..WINDOWS - 1 {
        stage.loses(owner)?;
        let from_others = stage.appends(&bobs, "c.txt", "Bob")?;
        for window in owner..WINDOWS {
            stage.types(window)?;
        }
        let took = stage.comes_into(&dir.join("c.txt"), &from_others)?;
        eprintln!("taken over, and a line has come: {took:?}");
        ensure!(took < TAKEN_OVER + ON_THE_WAY, "it took {took:?}");
        let from_here = stage.appends(&dir, "c.txt", "a program")?;
        stage.comes_into(&bobs.join("c.txt"), &from_here)?;
        for window in owner..WINDOWS {
            stage.types(window)?;
        }
    }
    for window in 0..WINDOWS {
        if stage.windows[window].is_lost {
            stage.comes_back(window)?;
        }
        stage.types(window)?;
    }
    stage.windows[0]
        .editor
        .text_is(|text| text.contains("of window 1"))?;
    for window in 0..WINDOWS {
        stage.saves_and_closes(window)?;
    }
    stage.all_is_there()
}

/// How a window is left.
#[derive(Debug, Clone, Copy)]
enum Leaving {
    ClosesAndQuits,
    Quits,
    IsKilled,
}

#[test]
fn a_file_that_others_rename_keeps_its_new_name_when_a_window_saves_it_and_is_left_at_once()
-> Result<()> {
    for leaving in [Leaving::ClosesAndQuits, Leaving::Quits, Leaving::IsKilled] {
        // The owner of the files is the first.
        for window in [1, 0] {
            let told = format!("{leaving:?}, window {window}");
            is_renamed(window, leaving).with_context(|| told)?;
        }
    }
    Ok(())
}

fn is_renamed(window: usize, leaving: Leaving) -> Result<()> {
    let mut stage = Stage::new()?;
    let dir = stage.dir.path().to_owned();
    let bobs = stage.bobs.path().to_owned();
    stage.shows(window, "a.txt")?;
    stage.types(window)?;
    let typed = stage.written[0].clone();
    stage.comes_into(&bobs.join("a.txt"), &typed)?;
    fs::rename(bobs.join("a.txt"), bobs.join("renamed.txt"))?;
    let is_listed =
        |files: Vec<(String, String)>| files.iter().any(|(path, _)| path == "renamed.txt");
    while !is_listed(stage.shared()?) {
        stage.catch_up()?;
        pause(GLANCE);
    }
    // By now it has come here as well.
    let line = stage.appends(&bobs, "c.txt", "Bob")?;
    stage.comes_into(&dir.join("c.txt"), &line)?;
    stage.types(window)?;
    let mut left = stage.windows.remove(window).editor;
    left.save()?;
    match leaving {
        Leaving::ClosesAndQuits => {
            left.close()?;
            left.quit()?;
        }
        Leaving::Quits => left.quit()?,
        Leaving::IsKilled => left.lose()?,
    }
    stage.all_is_there()?;
    let from_here = stage.appends(&dir, "b.txt", "a program")?;
    stage.comes_into(&bobs.join("b.txt"), &from_here)?;
    stage.all_is_there()?;
    let mut names: Vec<String> = stage.shared()?.into_iter().map(|(path, _)| path).collect();
    names.sort();
    ensure!(names == ["b.txt", "c.txt", "renamed.txt"], "{names:?}");
    for dir in [dir, bobs] {
        ensure!(!dir.join("a.txt").exists(), "{} has it", dir.display());
    }
    Ok(())
}
