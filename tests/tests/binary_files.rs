//! Files that are no texts, from one directory to another: whole, once, and never half.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tutti_tests::bridge::Bridge;
use tutti_tests::browser::Browser;
use tutti_tests::cable::Cable;
use tutti_tests::cli::Person;
use tutti_tests::rest::Project;
use tutti_tests::server::Server;
use tutti_tests::wait::{until, until_or};

/// Large enough that a transfer can be interrupted.
const LARGE: usize = 24 * 1024 * 1024;

/// One person, their directory and their bridge.
struct Place {
    person: Person,
    dir: tempfile::TempDir,
    bridge: Bridge,
}

impl Place {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.path(name)).ok()
    }

    fn is_executable(&self, name: &str) -> bool {
        let about = fs::metadata(self.path(name));
        about.is_ok_and(|about| about.permissions().mode() & 0o100 != 0)
    }

    /// Waits until a file holds this, or is not there.
    fn comes_to(&mut self, name: &str, bytes: Option<&[u8]>) -> Result<()> {
        let length = |bytes: Option<&[u8]>| bytes.map(<[u8]>::len);
        let path = self.path(name);
        let bridge = &mut self.bridge;
        until_or(
            &format!("{name} of {:?} bytes", length(bytes)),
            || {
                bridge.catch_up().ok()?;
                (fs::read(&path).ok().as_deref() == bytes).then_some(())
            },
            || format!("{:?} bytes", length(fs::read(&path).ok().as_deref())),
        )
        .with_context(|| self.bridge.log())
    }

    fn recovered(&self) -> Vec<Vec<u8>> {
        let kept = fs::read_dir(self.path(".tutti/recovered"))
            .into_iter()
            .flatten();
        kept.filter_map(|entry| fs::read(entry.ok()?.path()).ok())
            .collect()
    }

    /// Waits until the person is told something that holds all of these words.
    fn is_told(&mut self, words: &[&str]) -> Result<()> {
        let bridge = &mut self.bridge;
        until(&format!("{words:?} to be told"), || {
            bridge.catch_up().ok()?;
            let says = |told: &String| words.iter().all(|word| told.contains(word));
            bridge.told().iter().any(says).then_some(())
        })
    }
}

/// What a picture looks like.
fn picture(of: u8, bytes: usize) -> Vec<u8> {
    let mut data = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    data.resize(bytes, of);
    data
}

fn random(seed: u64, bytes: usize) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut data: Vec<u8> = (0..bytes).map(|_| rng.u8(..)).collect();
    // No text by chance.
    data[0] = 0xff;
    data
}

/// Two people in a project with these files.
fn two(server: &Server, files: &[(&str, &[u8])]) -> Result<(Place, Place, Project)> {
    let (ada, bob) = (Person::new("Ada")?, Person::new("Bob")?);
    let (adas, bobs) = (tempfile::tempdir()?, tempfile::tempdir()?);
    for (name, bytes) in files {
        let path = adas.path().join(name);
        fs::create_dir_all(path.parent().context("a directory")?)?;
        fs::write(path, bytes)?;
    }
    let project = ada.share(adas.path(), server)?;
    bob.join(&project.editor_link, bobs.path())?;
    let place = |person: Person, dir: tempfile::TempDir| {
        let bridge = Bridge::start(&person, dir.path())?;
        Ok::<_, anyhow::Error>(Place {
            person,
            dir,
            bridge,
        })
    };
    Ok((place(ada, adas)?, place(bob, bobs)?, project))
}

#[test]
fn they_are_shared_joined_changed_renamed_and_deleted() -> Result<()> {
    let server = Server::start()?;
    let (logo, noise) = (picture(1, 40_000), random(1, 300_000));
    let files: [(&str, &[u8]); 3] = [
        ("img/logo.png", &logo),
        ("noise", &noise),
        ("a.txt", b"text\n"),
    ];
    let (mut ada, mut bob, project) = two(&server, &files)?;
    ensure!(bob.bytes("img/logo.png").as_ref() == Some(&logo));
    ensure!(bob.bytes("noise").as_ref() == Some(&noise));

    let changed = picture(2, 50_000);
    fs::write(bob.path("img/logo.png"), &changed)?;
    ada.comes_to("img/logo.png", Some(&changed))?;

    let id = server.rest()?.file_id(&project.id, "img/logo.png")?;
    fs::create_dir(ada.path("pictures"))?;
    fs::rename(ada.path("img/logo.png"), ada.path("pictures/the logo.png"))?;
    bob.comes_to("pictures/the logo.png", Some(&changed))?;
    bob.comes_to("img/logo.png", None)?;
    ensure!(
        server
            .rest()?
            .file_id(&project.id, "pictures/the logo.png")?
            == id
    );

    fs::set_permissions(bob.path("noise"), fs::Permissions::from_mode(0o755))?;
    until("the executable bit", || {
        ada.is_executable("noise").then_some(())
    })?;

    let new = random(2, 10_000);
    fs::write(ada.path("new.bin"), &new)?;
    bob.comes_to("new.bin", Some(&new))?;
    fs::remove_file(bob.path("new.bin"))?;
    ada.comes_to("new.bin", None)?;

    // Data becomes a text, which both can edit then, and data again.
    fs::write(ada.path("noise"), "a text\n")?;
    bob.comes_to("noise", Some(b"a text\n"))?;
    until("the text", || {
        let id = server.rest().ok()?.file_id(&project.id, "noise").ok()?;
        let text = server.rest().ok()?.text(&project.id, &id).ok()?;
        (text == "a text\n").then_some(())
    })?;
    fs::write(bob.path("noise"), &noise)?;
    ada.comes_to("noise", Some(&noise))?;
    ensure!(ada.recovered().is_empty() && bob.recovered().is_empty());
    ensure!(ada.bridge.told().is_empty(), "{:?}", ada.bridge.told());
    Ok(())
}

#[test]
fn of_two_changes_at_once_one_stays_and_the_other_is_kept_and_told_of() -> Result<()> {
    let server = Server::start()?;
    let (mut ada, mut bob, _) = two(&server, &[("a.png", &picture(1, 1_000))])?;
    for round in 2..5 {
        let (hers, his) = (picture(round, 2_000), picture(100 + round, 3_000));
        fs::write(ada.path("a.png"), &hers)?;
        fs::write(bob.path("a.png"), &his)?;
        until("one content", || {
            ada.bridge.catch_up().ok()?;
            bob.bridge.catch_up().ok()?;
            let at_ada = ada.bytes("a.png")?;
            let kept: Vec<_> = ada.recovered().into_iter().chain(bob.recovered()).collect();
            let is_same = Some(&at_ada) == bob.bytes("a.png").as_ref();
            let lost = match at_ada == hers {
                true => &his,
                false => &hers,
            };
            let is_one = at_ada == hers || at_ada == his;
            (is_same && is_one && kept.contains(lost)).then_some(())
        })?;
    }
    let words = ["a.png", "recovered", "at the same time"];
    match ada.recovered().is_empty() {
        true => bob.is_told(&words),
        false => ada.is_told(&words),
    }
}

#[test]
fn what_is_deleted_while_it_is_changed_comes_back() -> Result<()> {
    let mut server = Server::start()?;
    let (mut ada, mut bob, _) = two(&server, &[("a.png", &picture(1, 1_000))])?;
    ada.comes_to("a.png", Some(&picture(1, 1_000)))?;
    // Neither hears of the other.
    server.kill()?;
    fs::remove_file(ada.path("a.png"))?;
    let changed = picture(2, 2_000);
    fs::write(bob.path("a.png"), &changed)?;
    server.restart()?;
    ada.comes_to("a.png", Some(&changed))?;
    bob.comes_to("a.png", Some(&changed))
}

#[test]
fn work_without_a_bridge_and_without_a_server_arrives() -> Result<()> {
    let mut server = Server::start()?;
    let (mut ada, mut bob, _) = two(
        &server,
        &[("a.png", &picture(1, 1_000)), ("b.png", &picture(2, 1_000))],
    )?;
    ada.bridge.lose()?;
    let changed = picture(3, 4_000);
    fs::write(ada.path("a.png"), &changed)?;
    fs::remove_file(ada.path("b.png"))?;
    server.kill()?;
    ada.bridge.come_back(&ada.person)?;
    let new = random(3, 5_000);
    fs::write(bob.path("new.bin"), &new)?;
    server.restart()?;
    bob.comes_to("a.png", Some(&changed))?;
    bob.comes_to("b.png", None)?;
    ada.comes_to("new.bin", Some(&new))
}

/// The length of what has come of a content so far.
fn part(place: &Place) -> Option<u64> {
    let mut entries = fs::read_dir(place.path(".tutti/blobs")).ok()?;
    let part = entries.find_map(|entry| {
        let path = entry.ok()?.path();
        path.extension()
            .is_some_and(|it| it == "part")
            .then_some(path)
    })?;
    Some(fs::metadata(part).ok()?.len())
}

#[test]
fn a_fetch_that_is_killed_goes_on_and_nothing_half_is_ever_seen() -> Result<()> {
    let server = Server::start()?;
    let (ada, mut bob, _) = two(&server, &[("a.png", &picture(1, 1_000))])?;
    let large = random(4, LARGE);
    fs::write(ada.path("large.bin"), &large)?;
    let mut came = 0;
    for _ in 0..2 {
        let before = until("a part of the file", || {
            ensure_whole(&bob.path("large.bin"), LARGE).ok()?;
            part(&bob).filter(|bytes| *bytes > came)
        });
        let Ok(before) = before else {
            // It has come while the bridge was being killed.
            break;
        };
        bob.bridge.lose()?;
        ensure_whole(&bob.path("large.bin"), LARGE)?;
        came = part(&bob).unwrap_or(0);
        ensure!(came >= before, "{came} bytes after {before}");
        bob.bridge.come_back(&bob.person)?;
        if let Some(goes_on) = part(&bob) {
            ensure!(goes_on >= came, "{goes_on} bytes after {came}");
        }
    }
    bob.comes_to("large.bin", Some(&large))?;
    until("the end of the transfer", || {
        part(&bob).is_none().then_some(())
    })
}

fn ensure_whole(path: &Path, bytes: usize) -> Result<()> {
    let there = fs::metadata(path).map(|about| about.len());
    ensure!(
        there.as_ref().map_or(true, |there| *there == bytes as u64),
        "{there:?} bytes"
    );
    Ok(())
}

/// How large the server's database is by now.
fn stored(server: &Server) -> u64 {
    let files = fs::read_dir(server.data()).into_iter().flatten();
    let lengths = files.filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len()));
    lengths.sum()
}

#[test]
fn a_server_and_a_bridge_that_are_killed_while_a_file_is_sent_lose_nothing() -> Result<()> {
    let mut server = Server::start()?;
    let (mut ada, mut bob, project) = two(&server, &[("a.png", &picture(1, 1_000))])?;
    let large = random(5, LARGE);
    let before = stored(&server);
    fs::write(ada.path("large.bin"), &large)?;
    let under_way = |server: &Server| {
        until("a part of the file at the server", || {
            (stored(server) > before + 2 * 1024 * 1024).then_some(())
        })
    };
    under_way(&server)?;
    server.kill()?;
    server.restart()?;
    let is_listed = |server: &Server| -> Result<bool> {
        let files = server.rest()?.files(&project.id)?;
        Ok(files.iter().any(|(_, path)| path == "large.bin"))
    };
    ensure!(!is_listed(&server)? || bob.bytes("large.bin").is_none());
    ada.bridge.lose()?;
    ada.bridge.come_back(&ada.person)?;
    bob.comes_to("large.bin", Some(&large))?;
    ensure!(ada.recovered().is_empty() && bob.recovered().is_empty());
    ada.bridge.catch_up()
}

#[test]
fn a_sending_that_is_cut_off_goes_on_where_it_was() -> Result<()> {
    let server = Server::start()?;
    let (mut ada, _bob, project) = two(&server, &[("a.png", &picture(1, 1_000))])?;
    let cable = Cable::to(server.address())?;
    let (carol, dir) = (Person::new("Carol")?, tempfile::tempdir()?);
    let through_cable = project.editor_link.replace(&server.url(), &cable.url());
    carol.join(&through_cable, dir.path())?;
    let mut bridge = Bridge::start(&carol, dir.path())?;
    let large = random(7, LARGE);
    let (stored_before, sent_before) = (stored(&server), cable.sent_bytes());
    fs::write(dir.path().join("large.bin"), &large)?;
    until("half of the file at the server", || {
        (stored(&server) > stored_before + LARGE as u64 / 2).then_some(())
    })?;
    cable.cut();
    ensure!(ada.bytes("large.bin").is_none(), "it is there already");
    cable.mend();
    ada.comes_to("large.bin", Some(&large))?;
    let sent = cable.sent_bytes() - sent_before;
    // One that began anew would send the half that was there, and the whole. What was on its way comes twice.
    ensure!(
        sent < LARGE as u64 + LARGE as u64 / 2,
        "{sent} bytes were sent"
    );
    bridge.catch_up()
}

/// The rest of a content is taken behind what is there, and nowhere else.
#[test]
fn a_rest_that_does_not_follow_is_refused() -> Result<()> {
    let server = Server::start()?;
    let (_ada, _bob, project) = two(&server, &[("a.png", &picture(1, 1_000))])?;
    let hash = "0".repeat(64);
    let url = format!("{}/api/projects/{}/blobs/{hash}", server.url(), project.id);
    for (range, status) in [
        ("bytes 1048576-1048579/1048580", 409),
        ("bytes 1048576-1048579/2000000", 400),
        ("bytes 5-4/5", 400),
        ("lines 0-3/4", 400),
        ("bytes 0-3/4", 422),
    ] {
        let agent = ureq::Agent::config_builder().http_status_as_error(false);
        let answer = ureq::Agent::new_with_config(agent.build())
            .put(&url)
            .header(
                "Authorization",
                format!("Bearer {}", project.editor_token()),
            )
            .header("Content-Range", range)
            .send("rest")?;
        ensure!(answer.status() == status, "{range}: {}", answer.status());
    }
    Ok(())
}

#[test]
fn a_share_and_a_join_go_on_where_they_were_killed() -> Result<()> {
    let server = Server::start()?;
    let (ada, bob) = (Person::new("Ada")?, Person::new("Bob")?);
    let (adas, bobs) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let large = random(6, LARGE);
    fs::write(adas.path().join("large.bin"), &large)?;
    let small: Vec<Vec<u8>> = (0..40).map(|n| random(n, 5_000)).collect();
    for (n, bytes) in small.iter().enumerate() {
        fs::write(adas.path().join(format!("{n}.bin")), bytes)?;
    }
    let (url, token) = (server.url(), server.admin_token()?);
    let share = ["share", "--server", &url, "--token", &token, "--json"];
    let before = stored(&server);
    let mut child = ada.start(adas.path(), &share)?;
    until("a part at the server", || {
        (stored(&server) > before + 3_000_000).then_some(())
    })?;
    child.kill()?;
    child.wait()?;
    let project = Project::from_json(ada.tutti(adas.path(), &share)?.success()?.stdout.trim())?;

    let there = bobs.path().join("there");
    let to = there.to_str().context("a path in UTF-8")?;
    let join = ["join", project.editor_link.as_str(), to];
    let mut child = bob.start(bobs.path(), &join)?;
    let staging = there.join(".tutti/blobs");
    until("a part here", || {
        let mut parts = fs::read_dir(&staging).ok()?;
        let is_part = |path: &Path| path.extension().is_some_and(|it| it == "part");
        parts
            .any(|entry| entry.is_ok_and(|entry| is_part(&entry.path())))
            .then_some(())
    })?;
    child.kill()?;
    child.wait()?;
    ensure_whole(&there.join("large.bin"), LARGE)?;
    bob.tutti(bobs.path(), &join)?.success()?;
    ensure!(fs::read(there.join("large.bin"))? == large);
    for (n, bytes) in small.iter().enumerate() {
        ensure!(fs::read(there.join(format!("{n}.bin")))? == *bytes, "{n}");
    }
    Ok(())
}

#[test]
fn what_is_above_the_cap_stays_and_is_listed_and_a_viewer_only_receives() -> Result<()> {
    let server = Server::start_with(&["--max-blob-mb", "1"])?;
    let large = random(7, 1024 * 1024 + 1);
    let small = picture(1, 1_000);
    let (mut ada, mut bob, project) = two(&server, &[("large.bin", &large), ("a.png", &small)])?;
    let status = ada.person.tutti(ada.dir.path(), &["status"])?.success()?;
    let why = "large.bin: it is larger than the 1 MiB that the server takes";
    ensure!(status.stdout.contains(why), "{}", status.stdout);
    ensure!(!status.stdout.contains("a.png:"), "{}", status.stdout);
    ensure!(bob.bytes("large.bin").is_none());
    // A file that outgrows the cap keeps its older content for the others.
    fs::write(ada.path("a.png"), &large)?;
    ada.is_told(&["a.png", "left alone", "1 MiB"])?;
    bob.comes_to("a.png", Some(&small))?;
    fs::write(ada.path("a.png"), &small)?;

    let (carol, dir) = (Person::new("Carol")?, tempfile::tempdir()?);
    carol.join(&project.viewer_link, dir.path())?;
    let bridge = Bridge::start(&carol, dir.path())?;
    let mut carol = Place {
        person: carol,
        dir,
        bridge,
    };
    carol.comes_to("a.png", Some(&small))?;
    let own = picture(9, 2_000);
    fs::write(carol.path("a.png"), &own)?;
    carol.comes_to("a.png", Some(&small))?;
    ensure!(carol.recovered() == std::slice::from_ref(&own));
    fs::write(carol.path("own.bin"), &own)?;
    let changed = picture(5, 3_000);
    fs::write(bob.path("a.png"), &changed)?;
    carol.comes_to("a.png", Some(&changed))?;
    ada.comes_to("a.png", Some(&changed))?;
    ensure!(ada.bytes("own.bin").is_none() && carol.bytes("own.bin").is_some());
    let status = carol
        .person
        .tutti(carol.dir.path(), &["status"])?
        .success()?;
    ensure!(status.stdout.contains("own.bin"), "{}", status.stdout);
    Ok(())
}

/// A picture of three by two pixels.
const PNG: &[u8] = include_bytes!("../testdata/three-by-two.png");

#[test]
fn a_browser_draws_a_picture_downloads_anything_and_renames_and_deletes_for_everyone() -> Result<()>
{
    let server = Server::start()?;
    let noise = random(8, 3_000);
    let files: [(&str, &[u8]); 3] = [("p.png", PNG), ("noise.bin", &noise), ("a.txt", b"text\n")];
    let (mut ada, _, project) = two(&server, &files)?;
    let mut browser = Browser::open(&project.viewer_link)?;
    browser.introduce("Carol")?;
    let (size, says) = browser.picture("p.png")?;
    ensure!(size == json!([3, 2]), "{size}");
    ensure!(says.contains("p.png") && says.contains("bytes"), "{says}");
    let (name, bytes, says) = browser.download("noise.bin")?;
    ensure!(name == "noise.bin" && bytes == noise, "{name}");
    ensure!(says.contains("2.9 KiB"), "{says}");
    browser.open_file("a.txt")?;
    browser.holds("text\n")?;
    // What changes while it is shown is shown as it is now.
    browser.picture("p.png")?;
    fs::remove_file(ada.path("p.png"))?;
    browser.shows("Choose a file")?;
    ada.bridge.catch_up()
}
