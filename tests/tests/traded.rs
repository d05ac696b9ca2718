//! Files trade their names on a disk, and pass them on, without a pause, while people type into them: each word is in the
//! file in which it was typed, once, whatever that is called by now.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tutti_tests::bridge::Bridge;
use tutti_tests::cli::Person;
use tutti_tests::project;
use tutti_tests::rest::Rest;
use tutti_tests::server::Server;
use tutti_tests::wait::{pause, until};

/// Each says in its first line which it is.
const FILES: [&str; 8] = ["f", "g", "h", "k", "d1/x", "d1/y", "d2/x", "d2/y"];
const DIRECTORIES: [&str; 2] = ["d1", "d2"];
const ROUNDS: usize = 4;
const TRADES: usize = 5;
const LONGEST_PAUSE_MS: u64 = 200;
/// A quick typist, and the other as well.
const PACE: Duration = Duration::from_millis(25);

/// Where each file is by now, by what it says of itself.
type Names = BTreeMap<String, String>;

/// Ada's disk is where files trade their names.
struct Scene {
    ada: Bridge,
    bob: Bridge,
    adas: TempDir,
    bobs: TempDir,
    names: Names,
    /// The words that were typed into each file.
    typed: BTreeMap<String, Vec<String>>,
    count: usize,
    /// Other ends of the project.
    rest: Rest,
    project: String,
    _people: [Person; 2],
    _server: Server,
}

fn first_line(of: &str) -> String {
    format!("this is {of}\n")
}

fn text_of(name: &str) -> String {
    let lines = (0..6).map(|n| format!("line {n} of {name}\n"));
    first_line(name) + &lines.collect::<String>()
}

impl Scene {
    fn new() -> Result<Self> {
        let server = Server::start()?;
        let (ada, bob) = (Person::new("Ada")?, Person::new("Bob")?);
        let (adas, bobs) = (tempfile::tempdir()?, tempfile::tempdir()?);
        for name in FILES {
            project::write(adas.path(), &[(name, &text_of(name))])?;
        }
        let project = ada.share(adas.path(), &server)?;
        bob.join(&project.editor_link, bobs.path())?;
        let rest = Rest::new(server.url(), project.editor_token().to_owned());
        Ok(Self {
            ada: Bridge::start(&ada, adas.path())?,
            bob: Bridge::start(&bob, bobs.path())?,
            adas,
            bobs,
            names: FILES.map(|name| (name.to_owned(), name.to_owned())).into(),
            typed: BTreeMap::new(),
            count: 0,
            rest,
            project: project.id.clone(),
            _people: [ada, bob],
            _server: server,
        })
    }

    /// The commands of a trade of some files, other than `but`.
    fn trade(&mut self, but: &[String], random: &mut fastrand::Rng) -> String {
        self.count += 1;
        let aside = format!("aside{}", self.count);
        if random.u8(0..4) == 0 {
            let [one, other] = DIRECTORIES;
            for name in self.names.values_mut() {
                if let Some(rest) = name.strip_prefix("d1/") {
                    *name = format!("d2/{rest}");
                } else if let Some(rest) = name.strip_prefix("d2/") {
                    *name = format!("d1/{rest}");
                }
            }
            return format!("mv {one} {aside}; mv {other} {one}; mv {aside} {other}");
        }
        let all: Vec<String> = self.names.keys().cloned().collect();
        let mut others = all;
        random.shuffle(&mut others);
        // Those into which somebody types take part.
        others.retain(|one| !but.contains(one));
        let mut ring = but.to_vec();
        ring.dedup();
        ring.truncate(random.usize(0..=ring.len()));
        ring.extend(others.into_iter().take(random.usize(2..4)));
        random.shuffle(&mut ring);
        let before: Vec<String> = ring.iter().map(|one| self.names[one].clone()).collect();
        let is_chain = random.bool();
        let mut commands = vec![format!("mv {} {aside}", before[0])];
        for at in 1..ring.len() {
            commands.push(format!("mv {} {}", before[at], before[at - 1]));
            self.names.insert(ring[at].clone(), before[at - 1].clone());
        }
        let last = match is_chain {
            true => aside,
            false => {
                let last = before[ring.len() - 1].clone();
                commands.push(format!("mv {aside} {last}"));
                last
            }
        };
        self.names.insert(ring[0].clone(), last);
        commands.join("; ")
    }

    /// The two type a word each, into the files that their editors show.
    fn type_words(&mut self, files: &[String; 2]) -> Result<()> {
        let editors = [&mut self.ada, &mut self.bob];
        for (line, (editor, file)) in editors.into_iter().zip(files).enumerate() {
            editor.catch_up()?;
            self.count += 1;
            let word = format!("word{}x", self.count);
            // Each in a line of their own: Ada in that which says which file it is.
            let text = editor.text();
            let mut ends = text.match_indices('\n').map(|(at, _)| at);
            let at = ends
                .nth(line)
                .with_context(|| format!("{file}: {text:?}"))?;
            editor.type_at(at, &format!(" {word}"))?;
            self.typed.entry(file.clone()).or_default().push(word);
        }
        Ok(())
    }

    fn round(&mut self, random: &mut fastrand::Rng, told: &mut Vec<String>) -> Result<()> {
        let mut files: Vec<String> = self.names.keys().cloned().collect();
        random.shuffle(&mut files);
        // Now and then both type into one.
        let shown = [files[0].clone(), files[random.usize(0..2)].clone()];
        self.ada.show(&self.names[&shown[0]])?;
        self.bob.show(&self.names[&shown[1]])?;
        told.push(format!(
            "Ada types into {}, Bob into {}",
            shown[0], shown[1]
        ));
        for _ in 0..TRADES {
            self.type_words(&shown)?;
            let commands = self.trade(&shown, random);
            let dir = self.adas.path().to_owned();
            told.push(commands.clone());
            let trading = std::thread::spawn(move || run(&dir, &commands));
            while !trading.is_finished() {
                self.type_words(&shown)?;
                pause(PACE);
            }
            trading.join().map_err(|_| anyhow::anyhow!("no shell"))??;
            for _ in 0..random.u64(0..=LONGEST_PAUSE_MS) / PACE.as_millis() as u64 {
                self.type_words(&shown)?;
                pause(PACE);
            }
        }
        // What is about to arrive in an editor is there before it closes the file, or it is not shown.
        self.bob.catch_up()?;
        self.ada.catch_up()?;
        self.ada.close()?;
        self.bob.close()
    }

    /// What is not yet as it is to be.
    fn amiss(&mut self) -> Result<Vec<String>> {
        self.ada.catch_up()?;
        self.bob.catch_up()?;
        let (adas, bobs) = (tree(self.adas.path())?, tree(self.bobs.path())?);
        let mut amiss = Vec::new();
        if adas != bobs {
            amiss.push(format!("the trees differ:\n{adas:#?}\n{bobs:#?}"));
        }
        let names: BTreeSet<&String> = self.names.values().collect();
        if adas.keys().collect::<BTreeSet<_>>() != names {
            amiss.push(format!("{:?} and not {names:?}", adas.keys()));
        }
        let listed: BTreeSet<String> = self
            .rest
            .files(&self.project)?
            .into_iter()
            .map(|(_, path)| path)
            .collect();
        if listed.iter().collect::<BTreeSet<_>>() != names {
            amiss.push(format!("listed are {listed:?}"));
        }
        for (file, name) in &self.names {
            let text = adas.get(name).map_or("", String::as_str);
            let typed = self.typed.get(file).cloned().unwrap_or_default();
            amiss.extend(wrong(file, text, &typed));
        }
        Ok(amiss)
    }
}

/// What is wrong with the text of a file.
fn wrong(file: &str, text: &str, typed: &[String]) -> Option<String> {
    let words = text.split_whitespace();
    let mut found: Vec<&str> = words.filter(|word| word.starts_with("word")).collect();
    found.sort_unstable();
    let mut expected: Vec<&str> = typed.iter().map(String::as_str).collect();
    expected.sort_unstable();
    let without = |line: &str| -> String {
        let words = line.split(' ').filter(|word| !word.starts_with("word"));
        words.collect::<Vec<_>>().join(" ") + "\n"
    };
    let rest: String = text.lines().map(without).collect();
    let is_right = found == expected && rest == text_of(file);
    (!is_right).then(|| format!("{file} is {text:?}, where {expected:?} was typed"))
}

fn tree(dir: &Path) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![dir.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            let name = path.strip_prefix(dir)?.to_string_lossy().into_owned();
            if name == ".tutti" {
                continue;
            }
            if path.is_dir() {
                waiting.push(path);
            } else if !name.contains(".tutti-") {
                // One that goes meanwhile is not there.
                found.extend(fs::read_to_string(&path).ok().map(|text| (name, text)));
            }
        }
    }
    Ok(found)
}

fn run(dir: &Path, commands: &str) -> Result<()> {
    let done = Command::new("sh")
        .args(["-ec", commands])
        .current_dir(dir)
        .output()?;
    ensure!(done.status.success(), "{commands}: {done:?}");
    Ok(())
}

/// `SEED=n` plays another game.
#[test]
fn each_word_stays_in_the_file_in_which_it_was_typed() -> Result<()> {
    let seed = env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut scene = Scene::new()?;
    let mut told = Vec::new();
    for _ in 0..ROUNDS {
        let mut amiss = Vec::new();
        let played = scene.round(&mut random, &mut told);
        let settled = played.and_then(|()| {
            until("all to be where it was typed", || {
                amiss = scene.amiss().ok()?;
                amiss.is_empty().then_some(())
            })
        });
        settled.with_context(|| {
            let logs = [&scene.ada, &scene.bob].map(Bridge::log);
            let (amiss, told) = (amiss.join("\n"), told.join("\n"));
            format!("SEED={seed}\n{amiss}\n{told}\n{}", logs.join("\nBob's:\n"))
        })?;
    }
    let kept = [&scene.adas, &scene.bobs].map(|dir| dir.path().join(".tutti/recovered"));
    ensure!(
        !kept.iter().any(|dir| dir.exists()),
        "something was kept aside"
    );
    Ok(())
}
