//! The database goes away under people who type, and comes back: they go on, are told, and nothing is lost.

use std::time::Duration;

use anyhow::{Result, ensure};
use tutti_server::mongo::test_server::TestServer;
use tutti_tests::bridge::Bridge;
use tutti_tests::cli::Person;
use tutti_tests::editor::{Editor, Kind};
use tutti_tests::project;
use tutti_tests::server::Server;
use tutti_tests::wait::until;

const PACE: Duration = Duration::from_millis(60);
const FILE: &str = "score.txt";
const AWAY: &str = "the server cannot save";
const BACK: &str = "the server saves again";
/// So often a file is tried before a socket is closed for it.
const TRIES: usize = 5;

#[test]
fn people_at_their_editors_are_told_while_the_database_is_away() -> Result<()> {
    let mut database = TestServer::start();
    let mut server = Server::start_with(&["--mongodb", &database.uri_text()])?;
    let (ada, bob) = (Person::new("Ada")?, Person::new("Bob")?);
    let (adas, bobs) = (tempfile::tempdir()?, tempfile::tempdir()?);
    project::write(adas.path(), &[(FILE, "first\nsecond\n")])?;
    let project = ada.share(adas.path(), &server)?;
    bob.join(&project.editor_link, bobs.path())?;
    let ada = Editor::open(Kind::Neovim, ada, adas.path(), FILE)?;
    let bob = Editor::open(Kind::Helix, bob, bobs.path(), FILE)?;

    ada.type_behind("first")?;
    ada.type_text(" before", PACE)?;
    bob.terminal().shows("first before")?;
    database.kill();
    ada.type_text(" during", PACE)?;
    bob.terminal().shows("first before during")?;
    bob.terminal().shows(AWAY)?;
    // Neovim shows no message while one types.
    ada.escape()?;
    ada.save()?;
    ada.terminal().shows(AWAY)?;
    // What is told stands in nobody's way.
    ada.type_behind("during")?;
    ada.type_text(" told", PACE)?;
    bob.terminal().shows("first before during told")?;
    bob.type_behind("second")?;
    bob.type_text(" too", PACE)?;
    ada.terminal().shows("second too")?;

    for person in [&ada, &bob] {
        person.escape()?;
    }
    database.restart();
    for person in [&ada, &bob] {
        person.terminal().shows(BACK)?;
    }
    let text = "first before during told\nsecond too\n";
    for person in [&ada, &bob] {
        person.holds(text)?;
    }
    let rest = server.rest()?;
    let document = rest.file_id(&project.id, FILE)?;
    drop((ada, bob));
    // What is read anew is what the database has.
    server.kill()?;
    server.restart()?;
    ensure!(server.rest()?.text(&project.id, &document)? == text);
    Ok(())
}

#[test]
fn who_is_there_stays_there_and_opens_what_others_have_open_while_the_database_is_away()
-> Result<()> {
    let mut database = TestServer::start();
    let mut server = Server::start_with(&["--mongodb", &database.uri_text()])?;
    let (ada, bob) = (Person::new("Ada")?, Person::new("Bob")?);
    let (adas, bobs) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let files = [
        (FILE, "first\n"),
        ("other.txt", "second\n"),
        ("third.txt", "third\n"),
    ];
    project::write(adas.path(), &files)?;
    let project = ada.share(adas.path(), &server)?;
    bob.join(&project.editor_link, bobs.path())?;
    let mut ada = Bridge::open(&ada, adas.path(), "other.txt")?;
    let mut bob = Bridge::open(&bob, bobs.path(), FILE)?;
    ada.type_at(0, "before ")?;
    let other = bobs.path().join("other.txt");
    until("the file to follow", || {
        (std::fs::read_to_string(&other).ok()? == "before second\n").then_some(())
    })?;
    ada.turn_to(FILE)?;
    ada.type_at(0, "before ")?;
    bob.text_is(|text| text == "before first\n")?;

    database.kill();
    ada.type_at(0, "during ")?;
    bob.text_is(|text| text == "during before first\n")?;
    // The server cannot load this one now.
    ada.turn_to("third.txt")?;
    ada.type_at(0, "during ")?;
    ada.turn_to("other.txt")?;
    ada.type_at(0, "during ")?;
    bob.turn_to("other.txt")?;
    bob.text_is(|text| text == "during before second\n")?;
    ada.text_is(|text| text == "during before second\n")?;
    both_are_told(&mut ada, &mut bob, AWAY)?;
    // For longer than a server tries before it sends away who is in no other room.
    until("the third file to be tried on", || {
        let log = server.log();
        (log.matches("a room does not open").count() > TRIES).then_some(())
    })?;
    bob.turn_to(FILE)?;
    bob.type_at(0, "still ")?;
    ada.turn_to(FILE)?;
    ada.text_is(|text| text == "still during before first\n")?;
    database.restart();
    both_are_told(&mut ada, &mut bob, BACK)?;
    for bridge in [&ada, &bob] {
        ensure!(!is_told(bridge, "offline"), "{:?}", bridge.told());
    }
    ada.quit()?;
    bob.quit()?;
    server.kill()?;
    server.restart()?;
    let rest = server.rest()?;
    let texts = [
        (FILE, "still during before first\n"),
        ("other.txt", "during before second\n"),
        ("third.txt", "during third\n"),
    ];
    for (file, text) in texts {
        let document = rest.file_id(&project.id, file)?;
        ensure!(rest.text(&project.id, &document)? == text, "{file}");
    }
    Ok(())
}

#[test]
fn who_waits_for_a_file_while_the_database_is_away_is_told() -> Result<()> {
    let mut database = TestServer::start();
    let mut server = Server::start_with(&["--mongodb", &database.uri_text()])?;
    let (ada, dir) = (Person::new("Ada")?, tempfile::tempdir()?);
    project::write(dir.path(), &[(FILE, "first\n"), ("other.txt", "second\n")])?;
    let project = ada.share(dir.path(), &server)?;
    // A server that has nothing in memory.
    server.kill()?;
    server.restart()?;
    let mut ada = Bridge::open(&ada, dir.path(), FILE)?;
    ada.type_at(0, "before ")?;
    let rest = server.rest()?;
    let document = rest.file_id(&project.id, FILE)?;
    until("the server to have it", || {
        ada.catch_up().ok()?;
        (rest.text(&project.id, &document).ok()? == "before first\n").then_some(())
    })?;
    database.kill();
    ada.turn_to("other.txt")?;
    ada.type_at(0, "during ")?;
    is_told_of(&mut ada, AWAY)?;
    database.restart();
    is_told_of(&mut ada, BACK)?;
    let document = rest.file_id(&project.id, "other.txt")?;
    until("the server to have this as well", || {
        ada.catch_up().ok()?;
        (rest.text(&project.id, &document).ok()? == "during second\n").then_some(())
    })?;
    ensure!(!is_told(&ada, "offline"), "{:?}", ada.told());
    ada.quit()
}

fn is_told(bridge: &Bridge, words: &str) -> bool {
    bridge.told().iter().any(|told| told.contains(words))
}

fn is_told_of(bridge: &mut Bridge, words: &str) -> Result<()> {
    until("somebody to be told", || {
        bridge.catch_up().ok()?;
        is_told(bridge, words).then_some(())
    })
}

fn both_are_told(ada: &mut Bridge, bob: &mut Bridge, words: &str) -> Result<()> {
    is_told_of(ada, words)?;
    is_told_of(bob, words)
}
