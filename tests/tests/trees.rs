//! Two directories of one project under everything that people do to their files: at the end both hold the same, and
//! nothing that was written is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tutti_tests::bridge::Bridge;
use tutti_tests::cli::Person;
use tutti_tests::server::Server;
use tutti_tests::wait::pause;

const STEPS: usize = 90;
const LONGEST_PAUSE_MS: u64 = 250;
/// How long the two may take to agree, looked at in such steps.
const PATIENCE: u32 = 300;
const LOOK: Duration = Duration::from_millis(200);
/// Agreed for so many looks, they are done.
const CALM: u32 = 10;

/// One of the two.
struct Place {
    person: Person,
    dir: tempfile::TempDir,
    bridge: Bridge,
    is_running: bool,
    /// Its editor shows this file.
    open: Option<String>,
}

/// What was written: each line is unique.
#[derive(Default)]
struct Written {
    count: u32,
    lines: BTreeSet<String>,
    /// Taken away on purpose, where it stood then.
    removed: BTreeSet<String>,
}

impl Written {
    fn line(&mut self, who: usize) -> String {
        self.count += 1;
        let line = format!("line {} of {}\n", self.count, ["Ada", "Bob"][who]);
        self.lines.insert(line.trim().to_owned());
        line
    }
}

/// The files of a project's directory, but Tutti's own and git's.
fn tree(dir: &Path) -> Result<BTreeMap<String, (Vec<u8>, bool)>> {
    use std::os::unix::fs::PermissionsExt;
    let mut found = BTreeMap::new();
    let mut waiting = vec![dir.to_owned()];
    while let Some(next) = waiting.pop() {
        let Ok(entries) = fs::read_dir(&next) else {
            continue;
        };
        for entry in entries {
            let path = entry?.path();
            let name = path.strip_prefix(dir)?.to_string_lossy().into_owned();
            if name == ".tutti" || name == ".git" {
                continue;
            }
            if path.is_dir() {
                waiting.push(path);
            } else if let (Ok(bytes), Ok(about)) = (fs::read(&path), fs::metadata(&path)) {
                found.insert(name, (bytes, about.permissions().mode() & 0o100 != 0));
            }
        }
    }
    Ok(found)
}

fn lines<'a>(texts: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let texts = texts.into_iter().map(text);
    texts
        .flat_map(|text| {
            let lines: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
            lines
        })
        .collect()
}

/// What is no text, with a line in it by which it is found again.
fn data(line: &str) -> Vec<u8> {
    [b"\xff\xd8\0\n", line.as_bytes()].concat()
}

impl Place {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn tree(&self) -> Result<BTreeMap<String, (Vec<u8>, bool)>> {
        tree(self.dir.path())
    }

    fn lines(&self) -> Result<BTreeSet<String>> {
        let tree = self.tree()?;
        Ok(lines(tree.values().map(|(bytes, _)| bytes.as_slice()))
            .into_iter()
            .collect())
    }

    fn recovered(&self) -> Result<Vec<String>> {
        let Ok(kept) = fs::read_dir(self.path(".tutti/recovered")) else {
            return Ok(Vec::new());
        };
        let kept: Vec<Vec<u8>> = kept
            .map(|entry| Ok(fs::read(entry?.path())?))
            .collect::<Result<_>>()?;
        Ok(lines(kept.iter().map(Vec::as_slice)))
    }

    /// A file that no editor of this place shows.
    fn some_file(&self, rng: &mut fastrand::Rng) -> Result<Option<String>> {
        let names: Vec<String> = self.tree()?.into_keys().collect();
        let names = names
            .into_iter()
            .filter(|name| Some(name) != self.open.as_ref());
        Ok(rng.choice(names.collect::<Vec<_>>()))
    }

    fn git(&self, words: &[&str]) -> Result<()> {
        let who = [
            "-c",
            "user.name=Someone",
            "-c",
            "user.email=someone@localhost",
        ];
        let output = Command::new("git")
            .current_dir(self.dir.path())
            .args(who)
            .args(words)
            .output()?;
        // Nothing to stash, nothing to pop: that is git's to say.
        let _ = output.status;
        Ok(())
    }

    /// Whether the file was still there.
    fn edit(
        &self,
        name: &str,
        change: impl FnOnce(String) -> String,
        how: Writing,
    ) -> Result<bool> {
        let path = self.path(name);
        // It may have gone, or been renamed by the other, since it was chosen.
        let Ok(text) = fs::read_to_string(&path) else {
            return Ok(false);
        };
        self.write(name, change(text).into_bytes(), how)?;
        Ok(true)
    }

    /// Writes a file that may have gone by now; then it is there again.
    fn write(&self, name: &str, content: Vec<u8>, how: Writing) -> Result<()> {
        let path = self.path(name);
        fs::create_dir_all(path.parent().context("a directory")?)?;
        match how {
            Writing::InPlace => fs::write(&path, content)?,
            Writing::ByRename => {
                let aside = self.path("4913~");
                fs::write(&aside, content)?;
                fs::rename(aside, path)?;
            }
        }
        Ok(())
    }

    fn is_text(&self, name: &str) -> bool {
        fs::read_to_string(self.path(name)).is_ok()
    }

    fn some_data(&self, rng: &mut fastrand::Rng) -> Result<Option<String>> {
        let names = self.tree()?.into_keys();
        let data = names.filter(|name| !self.is_text(name));
        Ok(rng.choice(data.collect::<Vec<_>>()))
    }

    /// One thing that a person does. What it takes away is noted.
    fn act(
        &mut self,
        who: usize,
        rng: &mut fastrand::Rng,
        written: &mut Written,
    ) -> Result<String> {
        let before = self.lines()?;
        let did = self.do_something(who, rng, written)?;
        let after = self.lines()?;
        written.removed.extend(before.difference(&after).cloned());
        Ok(did)
    }

    fn do_something(
        &mut self,
        who: usize,
        rng: &mut fastrand::Rng,
        written: &mut Written,
    ) -> Result<String> {
        let how = [Writing::InPlace, Writing::ByRename][rng.usize(0..2)];
        let file = self.some_file(rng)?;
        Ok(match (rng.u8(0..26), file) {
            (20, _) => {
                let name = format!("dir{}/data{}.bin", rng.u8(0..3), written.count);
                fs::create_dir_all(self.path(&name).parent().context("a directory")?)?;
                fs::write(self.path(&name), data(&written.line(who)))?;
                format!("makes {name} with data {}", written.count)
            }
            (21..=24, Some(_)) => {
                let Some(name) = self.some_data(rng)? else {
                    return Ok("has no data".into());
                };
                self.write(&name, data(&written.line(who)), how)?;
                format!("writes data {} into {name} {how:?}", written.count)
            }
            (25, Some(name)) => {
                let line = written.line(who);
                let becomes_data = self.is_text(&name);
                let content = match becomes_data {
                    true => data(&line),
                    false => line.into_bytes(),
                };
                self.write(&name, content, how)?;
                let count = written.count;
                format!("turns {name} into data: {becomes_data}, with {count}")
            }
            (0..=4, Some(name)) => {
                let line = written.line(who);
                let at = rng.f64();
                let insert = |text: String| {
                    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
                    let at = (at * (lines.len() + 1) as f64) as usize;
                    lines.insert(at.min(lines.len()), &line);
                    lines.concat()
                };
                if !self.edit(&name, insert, how)? {
                    written.lines.remove(line.trim());
                }
                format!("writes {} into {name} {how:?}", line.trim())
            }
            (5, _) => {
                let name = format!("dir{}/new{}.txt", rng.u8(0..3), written.count);
                fs::create_dir_all(self.path(&name).parent().context("a directory")?)?;
                fs::write(self.path(&name), written.line(who))?;
                format!("makes {name} with line {}", written.count)
            }
            (6, Some(name)) => {
                let to = format!("dir{}/moved{}.txt", rng.u8(0..3), written.count);
                written.count += 1;
                fs::create_dir_all(self.path(&to).parent().context("a directory")?)?;
                let moved = fs::rename(self.path(&name), self.path(&to)).is_ok();
                format!("moves {name} to {to}: {moved}")
            }
            (7, Some(name)) => {
                let gone = fs::remove_file(self.path(&name)).is_ok();
                format!("deletes {name}: {gone}")
            }
            (8, _) => {
                let (from, to) = (
                    format!("dir{}", rng.u8(0..3)),
                    format!("dir{}", rng.u8(0..3)),
                );
                let is_mine = |name: &String| name.starts_with(&from);
                let is_open = self.open.as_ref().is_some_and(is_mine);
                let moved = !is_open
                    && !self.path(&to).exists()
                    && fs::rename(self.path(&from), self.path(&to)).is_ok();
                format!("moves {from} to {to}: {moved}")
            }
            (9, Some(name)) => {
                let drop_one = |text: String| {
                    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
                    if !lines.is_empty() {
                        lines.remove(0);
                    }
                    lines.concat()
                };
                self.edit(&name, drop_one, how)?;
                format!("deletes the first line of {name}")
            }
            (10, _) if self.open.is_none() => {
                self.git(&["add", "-A"])?;
                self.git(&["commit", "-qm", "all"])?;
                "commits".into()
            }
            (11, _) if self.open.is_none() => {
                self.git(&["stash"])?;
                "stashes".into()
            }
            (12, _) if self.open.is_none() => {
                self.git(&["stash", "pop"])?;
                "pops the stash".into()
            }
            (13, _) if self.open.is_none() => {
                self.git(&["checkout", "-q", "."])?;
                "checks out what was committed".into()
            }
            (14, _) if self.is_running => {
                self.bridge.lose()?;
                self.is_running = false;
                "loses the bridge".into()
            }
            (14..=16, _) if !self.is_running => {
                self.bridge.come_back(&self.person)?;
                self.is_running = true;
                "has a bridge again".into()
            }
            (17..=19, Some(name))
                if self.open.is_none() && self.is_running && self.is_text(&name) =>
            {
                let Ok(()) = self.bridge.show(&name) else {
                    return Ok(format!("could not open {name}"));
                };
                self.open = Some(name.clone());
                format!("opens {name}")
            }
            (15..=16, _) if self.open.is_some() => {
                let line = written.line(who);
                self.bridge.type_at(0, &line)?;
                format!("types {}", line.trim())
            }
            (_, _) if self.open.is_some() => {
                self.bridge.catch_up()?;
                self.bridge.save()?;
                self.bridge.close()?;
                let name = self.open.take();
                format!("saves and closes {name:?}")
            }
            _ => "waits".into(),
        })
    }
}

#[derive(Debug, Clone, Copy)]
enum Writing {
    InPlace,
    ByRename,
}

/// `SEED=n` plays another game.
#[test]
fn two_trees_come_to_the_same_and_nothing_written_is_missing() -> Result<()> {
    let seed = env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    // 9 has failed: a line that was deleted and changed at once.
    for seed in seed.map_or(vec![1, 2, 9], |seed| vec![seed]) {
        eprintln!("SEED={seed}");
        play(seed)?;
    }
    Ok(())
}

fn play(seed: u64) -> Result<()> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut written = Written::default();
    let mut server = Server::start()?;
    let (ada, bob) = (Person::new("Ada")?, Person::new("Bob")?);
    let (adas, bobs) = (tempfile::tempdir()?, tempfile::tempdir()?);
    for number in 0..6 {
        let path = adas
            .path()
            .join(format!("dir{}/start{number}.txt", number % 2));
        fs::create_dir_all(path.parent().context("a directory")?)?;
        let text: String = (0..5).map(|_| written.line(0)).collect();
        fs::write(path, text)?;
        let path = adas
            .path()
            .join(format!("dir{}/start{number}.bin", number % 2));
        fs::write(path, data(&written.line(0)))?;
    }
    let link = ada.share(adas.path(), &server)?.editor_link;
    bob.join(&link, bobs.path())?;
    let place = |person: Person, dir: tempfile::TempDir| {
        Ok::<_, anyhow::Error>(Place {
            bridge: Bridge::start(&person, dir.path())?,
            person,
            dir,
            is_running: true,
            open: None,
        })
    };
    let mut places = [place(ada, adas)?, place(bob, bobs)?];
    for place in &places {
        place.git(&["init", "-q"])?;
        place.git(&["add", "-A"])?;
        place.git(&["commit", "-qm", "start"])?;
    }
    let mut told = Vec::new();
    for _ in 0..STEPS {
        for place in &mut places {
            if place.is_running {
                place.bridge.catch_up()?;
            }
        }
        let who = rng.usize(0..2);
        if rng.u8(0..30) == 0 {
            server.kill()?;
            server.restart()?;
            told.push("the server is killed and started again".to_owned());
        }
        let did = places[who].act(who, &mut rng, &mut written)?;
        told.push(format!("{}: {did}", places[who].person.name()));
        pause(Duration::from_millis(rng.u64(0..LONGEST_PAUSE_MS)));
    }
    for place in &mut places {
        if !place.is_running {
            place.bridge.come_back(&place.person)?;
            place.is_running = true;
        }
        if place.open.take().is_some() {
            place.bridge.catch_up()?;
            place.bridge.save()?;
            place.bridge.close()?;
        }
    }
    settled(&mut places)
        .and_then(|()| all_is_there(&places, &written))
        .with_context(|| format!("SEED={seed}\n{}", told.join("\n")))
}

/// Waits until both trees are the same, and stay so.
fn settled(places: &mut [Place; 2]) -> Result<()> {
    let mut calm = 0;
    for _ in 0..PATIENCE {
        for place in places.iter_mut() {
            place.bridge.catch_up()?;
        }
        calm = if places[0].tree()? == places[1].tree()? {
            calm + 1
        } else {
            0
        };
        if calm == CALM {
            return Ok(());
        }
        pause(LOOK);
    }
    let [adas, bobs] = [places[0].tree()?, places[1].tree()?];
    let text = |file: Option<&(Vec<u8>, bool)>| {
        file.map(|(bytes, mode)| (String::from_utf8_lossy(bytes).into_owned(), *mode))
    };
    let names: BTreeSet<&String> = adas.keys().chain(bobs.keys()).collect();
    let differing = names
        .into_iter()
        .filter(|name| adas.get(*name) != bobs.get(*name));
    let differing: Vec<String> = differing
        .map(|name| {
            format!(
                "{name}: {:?}\n{:?}",
                text(adas.get(name)),
                text(bobs.get(name))
            )
        })
        .collect();
    let mut told = Vec::new();
    for place in places.iter() {
        let status = place.person.tutti(place.dir.path(), &["status"])?;
        told.push(format!("{}{:?}", status.stdout, place.bridge.told()));
    }
    bail!(
        "the trees differ: {}\n{}",
        differing.join("\n"),
        told.join("\n")
    )
}

fn all_is_there(places: &[Place; 2], written: &Written) -> Result<()> {
    let tree = places[0].tree()?;
    let mut there = BTreeSet::new();
    for (name, (bytes, _)) in &tree {
        // What git brings back may stand in a file that was moved as well; in one file it stands once.
        for line in lines([bytes.as_slice()]) {
            let one = (name, line);
            ensure!(!there.contains(&one), "twice: {one:?}");
            there.insert(one);
        }
    }
    let mut there: BTreeSet<String> = there.into_iter().map(|(_, line)| line).collect();
    for place in places {
        there.extend(place.recovered()?);
    }
    let missing = written.lines.difference(&there);
    let missing: Vec<&String> = missing
        .filter(|line| !written.removed.contains(*line))
        .collect();
    ensure!(missing.is_empty(), "missing: {missing:?}");
    Ok(())
}
