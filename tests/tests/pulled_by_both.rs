//! Two people pull the same commit, at the same time or while the server is away, each in a directory of their own: what
//! it brings is there once, and git has nothing to say.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use anyhow::{Result, anyhow, ensure};
use tempfile::TempDir;
use tutti_tests::bridge::Bridge;
use tutti_tests::cli::Person;
use tutti_tests::rest::{Project, Rest};
use tutti_tests::server::Server;
use tutti_tests::wait::until_or;

/// So many looks in a row must find nothing else.
const CALM: u32 = 20;
/// What both have open.
const OPEN: &str = "open.txt";

const START: &str = "
    for n in $(seq 40); do echo \"line $n\"; done | tee changed.txt sorted.txt > moved.txt
    echo gone > deleted.txt; echo open > open.txt; printf '#!/bin/sh\\n' > run.sh; printf '\\000\\377' > picture
    printf 'one\\r\\ntwo\\r\\n' > returns.txt
    mkdir split; echo file > joined; echo one > split/one.txt; echo two > split/two.txt
    git init -q; git add .; git commit -q -m start";
/// What somebody else has done meanwhile.
const COMMIT: &str = "
    sed -i '3d; s/line 10$/line ten/; 20a brought\\nbrought as well' changed.txt
    sort -r sorted.txt -o sorted.txt; sed -i '1i first' sorted.txt
    git mv moved.txt elsewhere.txt; sed -i '5a more' elsewhere.txt
    git rm -q deleted.txt; mkdir -p new/deep; echo new > new/deep/new.txt; : > new/empty.txt
    printf '\\000\\001\\002' > picture; printf '\\000new' > new/picture; chmod +x run.sh
    sed -i 's/two/2/' returns.txt
    git rm -qr joined split; mkdir joined; echo in it > joined/inner.txt; echo one file > split
    git add .; git commit -q -m next";

/// Ada's directory, and Bob's, and the one that both pull from.
struct Scene {
    server: Server,
    people: [Person; 2],
    project: Project,
    origin: TempDir,
    dirs: [TempDir; 2],
    bridges: [Bridge; 2],
}

fn run(dir: &Path, script: &str) -> Result<String> {
    let mut command = Command::new("sh");
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "Cem");
        command.env(format!("GIT_{role}_EMAIL"), "cem@example.org");
    }
    let done = command.args(["-ec", script]).current_dir(dir).output()?;
    ensure!(done.status.success(), "{script}: {done:?}");
    Ok(String::from_utf8(done.stdout)?)
}

/// What a directory has that is not as in its commit, and which commit that is.
fn state(dir: &Path) -> Result<String> {
    run(
        dir,
        "git status --porcelain -uall -- . ':!.tutti'; git rev-parse HEAD",
    )
}

/// What the bridge of a directory has stored.
fn stored(dir: &Path) -> Result<String> {
    run(dir, "cat .tutti/state/*.yrs | sha256sum")
}

/// The same, once it changes no more.
fn stored_at_last(dir: &Path) -> Result<String> {
    let (mut last, mut calm) = (stored(dir)?, 0);
    let is_calm = || {
        let now = stored(dir).ok()?;
        calm = if now == last { calm + 1 } else { 0 };
        last = now;
        (calm == CALM).then(|| last.clone())
    };
    until_or("the bridge to be done", is_calm, String::new)
}

impl Scene {
    fn new() -> Result<Self> {
        let server = Server::start()?;
        let (ada, bob) = (Person::new("Ada")?, Person::new("Bob")?);
        let origin = tempfile::tempdir()?;
        run(origin.path(), START)?;
        let dirs = [tempfile::tempdir()?, tempfile::tempdir()?];
        for dir in &dirs {
            let clone = format!("git clone -q {} .", origin.path().display());
            run(dir.path(), &clone)?;
        }
        let project = ada.share(dirs[0].path(), &server)?;
        // A clone of the same is joined as it is.
        let words = ["join", &project.editor_link, ".", "--merge"];
        bob.tutti(dirs[1].path(), &words)?.success()?;
        let bridges = [
            Bridge::open(&ada, dirs[0].path(), OPEN)?,
            Bridge::open(&bob, dirs[1].path(), OPEN)?,
        ];
        run(origin.path(), COMMIT)?;
        let mut scene = Self {
            server,
            people: [ada, bob],
            project,
            origin,
            dirs,
            bridges,
        };
        scene.both_hear_of("start")?;
        Ok(scene)
    }

    /// Each types a word, and the other sees it: then all before it has arrived.
    fn both_hear_of(&mut self, word: &str) -> Result<()> {
        for who in 0..2 {
            let word = format!("{who}{word} ");
            self.bridges[who].type_at(0, &word)?;
            let bridges = &mut self.bridges;
            let shown = std::cell::RefCell::new(String::new());
            let heard = || {
                bridges.iter_mut().try_for_each(Bridge::catch_up).ok()?;
                *shown.borrow_mut() = bridges[1 - who].text().to_owned();
                shown.borrow().contains(&word).then_some(())
            };
            until_or("what is typed to arrive", heard, || shown.borrow().clone())?;
        }
        Ok(())
    }

    /// At the same moment, as nearly as can be.
    fn both_pull(&self) -> Result<()> {
        let pulls = self.dirs.each_ref().map(|dir| {
            let dir = dir.path().to_owned();
            // Git refuses where what the other has pulled has come in that very moment.
            let pull = "git pull -q || { git fetch -q && git reset -q FETCH_HEAD; }";
            thread::spawn(move || run(&dir, pull))
        });
        for pull in pulls {
            pull.join().map_err(|_| anyhow!("no pull"))??;
        }
        Ok(())
    }

    /// Ada writes a file of hers in several steps, each of which her bridge takes up.
    fn ada_writes(&self, file: &str, steps: &[&str]) -> Result<()> {
        let dir = self.dirs[0].path();
        for step in steps {
            let before = stored(dir)?;
            run(dir, &format!("sed -i '{step}' {file}"))?;
            let is_taken = || (stored(dir).ok()? != before).then_some(());
            until_or("the bridge to take it up", is_taken, || step.to_string())?;
        }
        Ok(())
    }

    /// Ada types a letter at a time, and saves now and then.
    fn ada_types(&mut self, at: usize, text: &str) -> Result<()> {
        for (n, letter) in text.chars().enumerate() {
            self.bridges[0].type_at(at + n, &letter.to_string())?;
            if n % 7 == 0 {
                self.bridges[0].save()?;
            }
        }
        self.bridges[0].save()
    }

    /// Ada commits what she has, and Bob takes it over, as the one that both have.
    fn bob_pulls_from_ada(&self) -> Result<()> {
        run(
            self.dirs[0].path(),
            "git add -u; git commit -q -m mine; git push -q origin HEAD:refs/heads/mine",
        )?;
        run(self.origin.path(), "git reset -q --hard mine")?;
        run(
            self.dirs[1].path(),
            "git fetch -q origin mine; git merge -q --ff-only FETCH_HEAD",
        )?;
        Ok(())
    }

    /// Both have the commit and nothing else, and so has the project.
    fn have_the_commit(&mut self) -> Result<()> {
        self.have_the_commit_and("")
    }

    /// The same, but for what git says of a file that was changed since.
    fn have_the_commit_and(&mut self, changed: &str) -> Result<()> {
        self.both_hear_of("end")?;
        let rest = Rest::new(self.server.url(), self.project.editor_token().to_owned());
        let expected = format!("{changed}{}", state(self.origin.path())?);
        let names = run(self.origin.path(), "git ls-files")?;
        let mut names: Vec<&str> = names.lines().collect();
        names.sort_unstable();
        let told = std::cell::RefCell::new(String::new());
        let (dirs, bridges, id) = (&self.dirs, &mut self.bridges, &self.project.id);
        let mut calm = 0;
        let is_so = || {
            bridges.iter_mut().try_for_each(Bridge::catch_up).ok()?;
            let states = dirs.each_ref().map(|dir| state(dir.path()).ok());
            let files = rest.files(id).ok()?;
            let mut listed: Vec<&str> = files.iter().map(|(_, path)| path.as_str()).collect();
            listed.sort_unstable();
            *told.borrow_mut() = format!("{states:?}, not {expected}; listed: {listed:?}");
            let is_right = states.iter().all(|one| one.as_ref() == Some(&expected));
            calm = match is_right && listed == names {
                true => calm + 1,
                false => 0,
            };
            (calm == CALM).then_some(())
        };
        until_or("both to have the commit", is_so, || told.borrow().clone())?;
        for bridge in &self.bridges {
            let text = bridge.text();
            ensure!(text.matches("typed").count() <= 1, "{text:?}");
        }
        Ok(())
    }
}

#[test]
fn at_the_same_time() -> Result<()> {
    for _ in 0..3 {
        let mut scene = Scene::new()?;
        scene.both_pull()?;
        scene.have_the_commit()?;
    }
    Ok(())
}

/// The other has it by Tutti alone, and the older commit again.
#[test]
fn by_one_alone() -> Result<()> {
    let mut scene = Scene::new()?;
    for at in ["FETCH_HEAD", "HEAD~1", "FETCH_HEAD"] {
        let [adas, bobs] = scene.dirs.each_ref().map(TempDir::path);
        run(adas, &format!("git fetch -q; git reset -q --hard {at}"))?;
        // Bob's git is told where he is, and does nothing to his files.
        run(bobs, &format!("git fetch -q; git reset -q {at}"))?;
        run(
            scene.origin.path(),
            &format!(
                "git checkout -q $(git -C {} rev-parse HEAD)",
                adas.display()
            ),
        )?;
        scene.have_the_commit()?;
    }
    Ok(())
}

#[test]
fn while_the_server_is_away() -> Result<()> {
    let mut scene = Scene::new()?;
    scene.server.kill()?;
    scene.both_pull()?;
    scene.server.restart()?;
    scene.have_the_commit()
}

#[test]
fn and_both_go_on_in_a_file_that_is_new() -> Result<()> {
    let mut scene = Scene::new()?;
    scene.server.kill()?;
    scene.both_pull()?;
    for (dir, edit) in scene.dirs.iter().zip(["1i above", "$a below"]) {
        // Not before the bridge has seen it as it came.
        let is_known = || run(dir.path(), "grep -q new/deep/new.txt .tutti/state/*.yrs").ok();
        until_or("the bridge to take it up", is_known, String::new)?;
        run(dir.path(), &format!("sed -i '{edit}' new/deep/new.txt"))?;
    }
    scene.server.restart()?;
    scene.have_the_commit_and(" M new/deep/new.txt\n")?;
    for dir in &scene.dirs {
        let text = fs::read_to_string(dir.path().join("new/deep/new.txt"))?;
        ensure!(text == "above\nnew\nbelow\n", "{text:?}");
    }
    Ok(())
}

const TYPED: &str = "\ndef typed(a):\n    return a + 1\n";

/// What Ada does without the server: she types in the file that both have open, and programs of hers change
/// others, in steps.
fn ada_works(scene: &mut Scene) -> Result<()> {
    let at = scene.bridges[0].text().len();
    scene.ada_types(at, TYPED)?;
    scene.ada_writes(
        "changed.txt",
        &[
            "3a first new line\\nsecond new line",
            "4s/new/fresh/",
            "10,12d",
            "s/line 30$/line thirty/",
        ],
    )?;
    scene.ada_writes(
        "sorted.txt",
        &[
            "1i from the start",
            "s/line 2$/line 2 is long/",
            "$a at the end",
        ],
    )
}

#[test]
fn what_one_has_written_in_steps_without_the_server() -> Result<()> {
    let mut scene = Scene::new()?;
    scene.server.kill()?;
    ada_works(&mut scene)?;
    scene.bob_pulls_from_ada()?;
    scene.server.restart()?;
    scene.have_the_commit()
}

#[test]
fn and_her_bridge_has_ended_meanwhile() -> Result<()> {
    let mut scene = Scene::new()?;
    scene.server.kill()?;
    ada_works(&mut scene)?;
    scene.bob_pulls_from_ada()?;
    scene.bridges[0].lose()?;
    let (bridge, person) = (&mut scene.bridges[0], &scene.people[0]);
    bridge.come_back(person)?;
    scene.server.restart()?;
    scene.have_the_commit()
}

/// Bob takes what Ada has done over with git, which leaves markers in the file until he has resolved it; or he
/// looks at an older state and comes back. Ada's words stand where she has put them.
#[test]
fn what_is_written_anew_without_the_server_is_not_changed() -> Result<()> {
    let mut scene = Scene::new()?;
    scene.both_pull()?;
    scene.have_the_commit()?;
    scene.server.kill()?;
    scene.ada_writes("changed.txt", &["s/line 12$/rather line 12, hers/"])?;
    scene.ada_writes("sorted.txt", &["s/line 12$/hers/"])?;
    run(
        scene.dirs[0].path(),
        "git commit -qam hers; git push -q origin HEAD:refs/heads/hers",
    )?;
    let bobs = scene.dirs[1].path();
    let taken_up = |script: &str| -> Result<()> {
        let before = stored_at_last(bobs)?;
        run(bobs, script)?;
        let is_taken = || (stored(bobs).ok()? != before).then_some(());
        until_or("the bridge to take it up", is_taken, || script.to_owned())
    };
    taken_up("git checkout -q HEAD~1 -- changed.txt sorted.txt")?;
    taken_up("git checkout -q HEAD -- changed.txt sorted.txt")?;
    run(
        bobs,
        "sed -i 's/line 13$/line 13, his/' changed.txt; git commit -qam his",
    )?;
    taken_up("git pull -q --no-rebase origin hers || grep -q '<<<<' changed.txt")?;
    taken_up("sed -i '/^<<<</,/^>>>>/c rather line 12, hers\\nline 13, his' changed.txt")?;
    run(
        bobs,
        "git commit -qam both; git push -q origin HEAD:refs/heads/both",
    )?;
    run(scene.origin.path(), "git reset -q --hard both")?;
    let wanted = run(scene.origin.path(), "cat changed.txt sorted.txt")?;
    scene.server.restart()?;
    scene.both_hear_of("met")?;
    for dir in &scene.dirs {
        let there = || run(dir.path(), "cat changed.txt sorted.txt");
        let is_so = || (there().ok()? == wanted).then_some(());
        until_or("both to have it", is_so, || there().unwrap_or_default())?;
    }
    Ok(())
}
