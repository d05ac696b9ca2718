//! Directories that go and come again while they are watched. `SEED=n` plays another game.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::{Here, Hub, write};
use crate::mirror::{Changes, DiskChanges};

/// How long the project may take to list what is on disk.
const PATIENCE: Duration = Duration::from_secs(10);
/// Who is writing to a file is given so long until it is looked at again.
const AGAIN: Duration = Duration::from_millis(100);

/// A directory, followed as a session follows it.
struct Followed {
    here: Here,
    hub: Hub,
    changes: DiskChanges,
}

impl Followed {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let mut hub = Hub::new();
        let mut here = Here::with(files);
        let changes = here.mirror.watch().unwrap();
        here.sync(&mut hub);
        Self { here, hub, changes }
    }

    /// Takes in the next changes; `false` if there are none for a while.
    async fn turn(&mut self) -> bool {
        let seen = match timeout(AGAIN, self.changes.next()).await {
            Ok(seen) => seen,
            Err(_) if self.here.busy.is_empty() => return false,
            Err(_) => Changes::of(std::mem::take(&mut self.here.busy)),
        };
        let effects = self.here.mirror.files_changed(&seen).unwrap();
        self.here.carry_out(effects, &mut self.hub);
        let entries = self.hub.entries();
        let effects = self.here.mirror.index_changed(entries, true).unwrap();
        self.here.carry_out(effects, &mut self.hub);
        true
    }

    fn differing(&self) -> BTreeSet<String> {
        let listed = self.hub.entries().into_values().map(|entry| entry.path);
        let listed: BTreeSet<String> = listed.collect();
        let there = self.here.files().into_keys();
        let there: BTreeSet<String> = there.filter(|path| !path.starts_with(".git/")).collect();
        listed.symmetric_difference(&there).cloned().collect()
    }

    /// Waits until the project lists exactly what is on disk.
    async fn settles(&mut self, what: &str) {
        let start = Instant::now();
        while !self.differing().is_empty() {
            assert!(start.elapsed() < PATIENCE, "{what}: {:?}", self.differing());
            self.turn().await;
        }
    }

    /// Every directory is heard: of a file that is made in it, the project comes to know.
    async fn hears_every_directory(&mut self, what: &str) {
        self.settles(what).await;
        // What is still on its way is no proof of being heard.
        while self.turn().await {}
        for directory in directories(self.here.directory.path()) {
            fs::write(directory.join("probe"), directory.to_str().unwrap()).unwrap();
        }
        self.settles(&format!("{what}, and then new files")).await;
    }
}

fn directories(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            let is_private = path.ends_with(".tutti") || path.ends_with(".git");
            if path.is_dir() && !is_private {
                waiting.push(path);
            }
        }
        found.push(next);
    }
    found
}

fn seeds(usual: std::ops::Range<u64>) -> std::ops::Range<u64> {
    let seed = env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    seed.map_or(usual, |seed| seed..seed + 1)
}

/// One thing that is done to the directories of a project. What cannot be done is not done.
fn act(root: &Path, rng: &mut fastrand::Rng, count: u32) {
    let place = |rng: &mut fastrand::Rng| {
        let depth = rng.usize(1..4);
        let parts = (0..depth).map(|_| format!("d{}", rng.u8(0..3)));
        root.join(parts.collect::<PathBuf>())
    };
    let (one, other) = (place(rng), place(rng));
    match rng.u8(0..8) {
        // All is looked at anew: directories may be found before it is heard how they came there.
        7 => fs::write(root.join(".gitignore"), format!("# {count}\n")).unwrap(),
        0 => drop(fs::remove_dir_all(&one)),
        1 => drop(fs::rename(&one, &other)),
        2 => {
            let aside = root.join("aside");
            drop(fs::rename(&one, &aside));
            drop(fs::rename(&other, &one));
            drop(fs::rename(&aside, &other));
        }
        3 => {
            drop(fs::remove_dir_all(&one));
            drop(fs::create_dir_all(&one));
            drop(fs::write(one.join("f"), count.to_string()));
        }
        4 => drop(fs::create_dir_all(&one)),
        _ => {
            if fs::create_dir_all(&one).is_ok() {
                drop(fs::write(one.join(format!("f{count}")), count.to_string()));
            }
        }
    }
}

#[tokio::test]
async fn no_directory_goes_unheard_whatever_is_done_to_directories() {
    for seed in seeds(1..9) {
        eprintln!("SEED={seed}");
        let mut followed = Followed::new(&[("d0/d1/a", b"a\n"), ("d1/d0/b", b"b\n")]);
        let root = followed.here.directory.path().to_owned();
        let acting = std::thread::spawn(move || {
            let mut rng = fastrand::Rng::with_seed(seed);
            for count in 0..150 {
                act(&root, &mut rng, count);
                // As fast as a program, and now and then as slowly as a person.
                if rng.u8(0..8) == 0 {
                    std::thread::sleep(Duration::from_millis(rng.u64(0..120)));
                }
            }
        });
        while !acting.is_finished() {
            followed.turn().await;
        }
        acting.join().unwrap();
        let what = format!("SEED={seed}");
        followed.hears_every_directory(&what).await;
    }
}

#[tokio::test]
async fn a_directory_that_is_removed_and_made_again_is_heard() {
    let mut followed = Followed::new(&[("d/f", b"0\n"), ("d/e/f", b"0\n")]);
    let root = followed.here.directory.path().to_owned();
    for round in 0..40 {
        fs::remove_dir_all(root.join("d")).unwrap();
        write(&root.join("d/f"), format!("{round}\n").as_bytes());
        write(&root.join("d/e/f"), format!("{round} too\n").as_bytes());
        if round % 4 == 0 {
            followed.turn().await;
        }
    }
    followed.hears_every_directory("at the end").await;
}

#[tokio::test]
async fn another_directory_in_the_place_of_one_is_heard() {
    let mut followed = Followed::new(&[("d/e/f", b"0\n"), ("new/e/g", b"1\n")]);
    let root = followed.here.directory.path().to_owned();
    for round in 0..20 {
        fs::rename(root.join("d"), root.join("old")).unwrap();
        fs::rename(root.join("new"), root.join("d")).unwrap();
        if round % 3 == 0 {
            followed.turn().await;
        }
        fs::rename(root.join("old"), root.join("new")).unwrap();
    }
    followed.hears_every_directory("at the end").await;
}

#[tokio::test]
async fn a_directory_that_another_branch_lacks_is_heard_again() {
    let mut followed = Followed::new(&[("a", b"0\n")]);
    let root = followed.here.directory.path().to_owned();
    let git = |words: &[&str]| {
        let who = ["-c", "user.name=A", "-c", "user.email=a@localhost"];
        let mut git = Command::new("git");
        let done = git.current_dir(&root).args(who).args(words).output();
        assert!(done.unwrap().status.success(), "{words:?}");
    };
    git(&["init", "-q", "-b", "without"]);
    git(&["add", "-A"]);
    git(&["commit", "-qm", "without"]);
    git(&["checkout", "-qb", "with"]);
    for number in 0..20 {
        let path = root.join(format!("d/e{}/f{number}", number % 3));
        write(&path, format!("{number}\n").as_bytes());
    }
    git(&["add", "-A"]);
    git(&["commit", "-qm", "with"]);
    for round in 0..10 {
        git(&["checkout", "-q", "without"]);
        if round % 3 == 0 {
            followed.turn().await;
        }
        git(&["checkout", "-q", "with"]);
    }
    followed.hears_every_directory("at the end").await;
}
