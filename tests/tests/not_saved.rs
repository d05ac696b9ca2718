//! The database goes away under people who type, and comes back: they go on, are told, and nothing is lost.

use std::time::Duration;

use anyhow::{Result, ensure};
use tutti_server::mongo::test_server::TestServer;
use tutti_tests::cli::Person;
use tutti_tests::editor::{Editor, Kind};
use tutti_tests::project;
use tutti_tests::server::Server;

const PACE: Duration = Duration::from_millis(60);
const FILE: &str = "score.txt";
const AWAY: &str = "the server cannot save";
const BACK: &str = "the server saves again";

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
