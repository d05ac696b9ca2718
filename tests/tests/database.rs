//! Servers on a database: whoever is killed, what was acknowledged is there and what was not is
//! still in its client.
//!
//! The moments of the kills are random; `SEED` repeats a run.

use std::collections::BTreeSet;
use std::env;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use tutti_server::mongo::test_server::TestServer;
use tutti_tests::cli::Person;
use tutti_tests::collab::{self, Event, Member};
use tutti_tests::rest::{Project, Rest};
use tutti_tests::server::Server;
use tutti_tests::stock::Target;
use tutti_tests::tools;
use tutti_tests::wait::{pause, until};

/// 1013: come back later.
const TRY_LATER: u16 = 1013;

const PICTURES: u8 = 20;
const DOCUMENTS: [&str; 2] = ["score", "parts"];

#[allow(clippy::print_stdout, reason = "a failed run must be repeatable")]
fn seeded() -> Result<Rng> {
    let seed = match env::var("SEED") {
        Ok(seed) => seed.parse().context("SEED is no number")?,
        Err(_) => fastrand::u64(..),
    };
    println!("SEED={seed}");
    Ok(Rng::with_seed(seed))
}

fn on(database: &TestServer) -> Result<Server> {
    Server::start_with(&["--mongodb", &database.uri_text()])
}

fn target<'a>(url: &'a str, project: &'a Project, document: &'a str) -> Target<'a> {
    Target {
        server: url,
        project: &project.id,
        document,
        token: project.editor_token(),
    }
}

/// A word each 4 ms.
const PACE: Duration = Duration::from_millis(4);

/// Types until the connection ends; whether it did, and was not only waited for in vain.
fn type_until_cut(member: &mut Member, name: &str) -> bool {
    const PATIENCE: Duration = Duration::from_secs(20);
    let start = Instant::now();
    for word in 0.. {
        let next = start + PACE * word;
        let is_cut = member.append(&format!("{name}w{word} ")).is_err()
            || listen_until(member, next).is_err();
        if is_cut || start.elapsed() > PATIENCE {
            return is_cut;
        }
    }
    unreachable!("there is always a next word")
}

fn listen_until(member: &mut Member, end: Instant) -> Result<()> {
    while let Some(left) = end
        .checked_duration_since(Instant::now())
        .filter(|left| !left.is_zero())
    {
        member.receive(left)?;
    }
    Ok(())
}

/// Takes in what had been sent before the connection ended.
fn drain(member: &mut Member) {
    while member
        .receive(Duration::from_millis(200))
        .is_ok_and(|event| event.is_some())
    {}
}

fn words(text: &str) -> Result<BTreeSet<&str>> {
    let all: Vec<&str> = text.split_whitespace().collect();
    let words: BTreeSet<&str> = all.iter().copied().collect();
    ensure!(words.len() == all.len(), "a word is doubled in {text}");
    Ok(words)
}

fn hold(stored: &str, expected: &[String]) -> Result<()> {
    let stored = words(stored)?;
    for word in expected {
        ensure!(stored.contains(word.trim()), "{word} is gone");
    }
    Ok(())
}

fn ready(rest: &Rest) -> Result<(u16, String)> {
    let answer = rest.get("/readyz")?;
    Ok((answer.status, answer.body))
}

#[test]
fn no_kill_of_the_server_or_the_database_loses_an_acknowledged_edit() -> Result<()> {
    const KILLS: usize = 8;
    let mut rng = seeded()?;
    let mut database = TestServer::start();
    let mut server = on(&database)?;
    let project = server.rest()?.make_project("kills")?;
    let url = server.ws_url();
    let mut members: Vec<Member> = (1..)
        .zip(DOCUMENTS)
        .map(|(client, document)| Member::new(target(&url, &project, document), client))
        .collect();
    for kill in 0..KILLS {
        for member in &mut members {
            // Checking links needs the database, which has just come back.
            until("the members to be let in", || member.connect().ok())?;
        }
        let life = Duration::from_millis(rng.u64(20..500));
        let both = rng.bool();
        std::thread::scope(|scope| -> Result<()> {
            let typing = members.iter_mut().enumerate().map(|(index, member)| {
                scope.spawn(move || {
                    let is_cut = type_until_cut(member, &format!("m{index}k{kill}"));
                    drain(member);
                    is_cut
                })
            });
            let typing: Vec<_> = typing.collect();
            // The moment of the kill is what the test is about.
            pause(life);
            if both {
                database.kill();
            }
            server.kill()?;
            let cut = typing.into_iter().map(|one| one.join());
            let cut: Vec<bool> = cut.map(|cut| cut.expect("nobody panics")).collect();
            ensure!(cut == [true; 2], "somebody typed on: {cut:?}");
            Ok(())
        })?;
        if both {
            database.restart();
        }
        server.restart()?;
        for (index, member) in members.iter().enumerate() {
            let to = target(&url, &project, DOCUMENTS[index]);
            let client = 1000 + kill as u64;
            let stored = until("a newcomer to be let in", || Member::join(to, client).ok())?;
            hold(&stored.text(), member.acknowledged())
                .with_context(|| format!("after kill {kill}, of both: {both}"))?;
        }
    }
    for (index, member) in members.iter_mut().enumerate() {
        member.connect()?;
        member.saved()?;
        let stored = Member::join(target(&url, &project, DOCUMENTS[index]), 5000)?;
        ensure!(words(&stored.text())?.len() == member.typed().len());
        hold(&stored.text(), member.typed())?;
        let typed = member.typed().len();
        ensure!(typed > KILLS, "only {typed} words were typed");
    }
    Ok(())
}

#[test]
fn while_the_database_is_away_editing_goes_on_and_everybody_is_told() -> Result<()> {
    let mut database = TestServer::start();
    let server = on(&database)?;
    let rest = server.rest()?;
    let project = rest.make_project("away")?;
    let url = server.ws_url();
    let mut ada = Member::join(target(&url, &project, "score"), 1)?;
    let mut bo = Member::join(target(&url, &project, "score"), 2)?;
    ada.append("before ")?;
    ada.saved()?;
    ensure!(ready(&rest)?.0 == 200);

    database.kill();
    ada.append("during ")?;
    bo.holds("before during ")?;
    let told = told(&mut ada)?;
    ensure!(told.contains(r#""saved":false"#), "{told}");
    ensure!(ada.waiting() == 1, "nothing is acknowledged");
    let (status, reasons) = ready(&rest)?;
    ensure!(
        status == 503 && reasons.contains("not being saved"),
        "{reasons}"
    );
    // Who comes now is sent away to come back, and sees no empty document.
    let path = format!("/ws/{}/score?token={}", project.id, project.editor_token());
    let (code, _) = collab::closed(&mut collab::connect(&url, &path)?)?;
    ensure!(code == TRY_LATER, "closed with {code}");
    ensure!(Member::join(target(&url, &project, "other"), 3).is_err());

    database.restart();
    ada.saved()?;
    until("readiness", || {
        ready(&rest).ok().filter(|(status, _)| *status == 200)
    })?;
    let late = Member::join(target(&url, &project, "score"), 4)?;
    ensure!(late.text() == "before during ");
    // Nor does another node see anything else.
    let other = on(&database)?;
    let elsewhere = Member::join(target(&other.ws_url(), &project, "score"), 5)?;
    ensure!(elsewhere.text() == "before during ");
    Ok(())
}

/// What it cannot save it has told nobody is saved, so it need not be waited for long.
#[test]
fn a_stop_while_the_database_is_away_is_brief_and_loses_nothing() -> Result<()> {
    let mut database = TestServer::start();
    let mut server = on(&database)?;
    let project = server.rest()?.make_project("away")?;
    let url = server.ws_url();
    let mut ada = Member::join(target(&url, &project, "score"), 1)?;
    ada.append("before ")?;
    ada.saved()?;
    database.kill();
    ada.append("during ")?;
    ensure!(told(&mut ada)?.contains(r#""saved":false"#));
    let start = Instant::now();
    let status = server.stop()?;
    let took = start.elapsed();
    ensure!(status.code() == Some(1), "{status}");
    let log = server.log();
    let last = log.trim_end().lines().next_back().unwrap_or_default();
    let said = "not everything could be saved before stopping, because the store does not answer";
    ensure!(last.contains(said), "{log}");
    ensure!(last.contains("start the server again"), "{log}");
    ensure!(!last.contains("seconds"), "{log}");
    ensure!(took < Duration::from_secs(9), "it took {took:?}");
    ada.leave();

    database.restart();
    server.restart()?;
    ensure!(ada.waiting() == 1, "it was acknowledged");
    ada.connect()?;
    ada.saved()?;
    ensure!(server.rest()?.text(&project.id, "score")? == "before during ");
    Ok(())
}

fn told(member: &mut Member) -> Result<String> {
    loop {
        let event = member.receive(Duration::from_secs(30))?;
        if let Event::Told(text) = event.context("nobody says anything")? {
            return Ok(text);
        }
    }
}

#[test]
fn nodes_share_projects_links_and_the_admin_token() -> Result<()> {
    let database = TestServer::start();
    let (one, two) = (on(&database)?, on(&database)?);
    let admin = one.admin_token()?;
    ensure!(
        two.admin_token().is_err(),
        "the first node alone has the file"
    );
    let at_two = Rest::new(two.url(), admin);
    let project = at_two.make_project("shared")?;
    let (here, there) = (one.ws_url(), two.ws_url());
    let mut ada = Member::join(target(&here, &project, "score"), 1)?;
    ada.append("from one")?;
    ada.saved()?;
    let bo = Member::join(target(&there, &project, "score"), 2)?;
    ensure!(bo.text() == "from one");
    Ok(())
}

#[test]
fn a_server_moves_into_the_database_and_back() -> Result<()> {
    let mut embedded = Server::start()?;
    let project = embedded.rest()?.make_project("moved")?;
    let url = embedded.ws_url();
    let mut ada = Member::join(target(&url, &project, "score"), 1)?;
    ada.append("kept")?;
    ada.saved()?;
    // What an index says of binary files has members without an order.
    let pictures = tempfile::tempdir()?;
    for picture in 0..PICTURES {
        std::fs::write(pictures.path().join(format!("{picture}.bin")), [0, picture])?;
    }
    Person::new("Ada")?.share(pictures.path(), &embedded)?;
    let admin = embedded.admin_token()?;
    let database = TestServer::start();
    let data = format!("sqlite:{}", embedded.data().display());
    let refused = migrate(&data, &database.uri_text())?;
    ensure!(
        !refused.0 && refused.1.contains("in use by another tutti-server"),
        "{refused:?}"
    );
    embedded.stop()?;
    let moved = migrate(&data, &database.uri_text())?;
    ensure!(
        moved.0
            && moved.1.contains(
                "copied 2 projects with 4 links, 0 tokens, 2 documents, 20 binary files and 0 versions from"
            )
            && moved.1.contains("the admin token stays the same"),
        "{moved:?}"
    );

    let node = on(&database)?;
    let projects = Rest::new(node.url(), admin).get("/api/projects")?;
    ensure!(projects.status == 200, "the admin token opens nothing");
    let url = node.ws_url();
    let mut ada = Member::join(target(&url, &project, "score"), 2)?;
    ensure!(ada.text() == "kept");
    ada.append(" and new")?;
    ada.saved()?;
    drop(node);
    let mut back = Server::start()?;
    back.stop()?;
    let data = format!("sqlite:{}", back.data().display());
    let moved = migrate(&database.uri_text(), &data)?;
    ensure!(
        moved.0 && moved.1.contains("keeps the admin token"),
        "{moved:?}"
    );
    back.restart()?;
    let url = back.ws_url();
    let ada = Member::join(target(&url, &project, "score"), 3)?;
    ensure!(ada.text() == "kept and new");
    Ok(())
}

/// Whether it went well, and what it said.
fn migrate(from: &str, to: &str) -> Result<(bool, String)> {
    let program = tools::binaries()?.join("tutti-server");
    let output = Command::new(program)
        .args(["migrate", "--from", from, "--to", to])
        .output()?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    Ok((output.status.success(), said))
}
