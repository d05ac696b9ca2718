//! The database's place is taken by an empty one under a server that runs, as by a container that comes back without its
//! volume: nothing is called saved there, nobody sees an empty document, and what to do is said.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tutti_server::mongo::test_server::TestServer;
use tutti_tests::collab::Member;
use tutti_tests::rest::{Project, Rest};
use tutti_tests::server::Server;
use tutti_tests::wait::{LONG, until};

/// What people are told by `/readyz`, of what they can do.
const TO_DO: &str = "or start this node anew";

/// Words that are typed while the empty one is there.
const WORDS: u64 = 4;

struct Place {
    database: TestServer,
    server: Server,
    project: Project,
    ada: Member,
    bo: Member,
}

impl Place {
    /// Two people, whose first word is saved.
    fn new() -> Result<Self> {
        let database = TestServer::start();
        let server = Server::start_with(&["--mongodb", &database.uri_text()])?;
        let project = server.rest()?.make_project("replaced")?;
        let (mut ada, mut bo) = (
            Member::join_at(&server, &project, "score", 1)?,
            Member::join_at(&server, &project, "score", 2)?,
        );
        ada.append("before ")?;
        ada.saved()?;
        bo.holds("before ")?;
        Ok(Self {
            database,
            server,
            project,
            ada,
            bo,
        })
    }

    /// The empty one takes the place, or the first one takes it back.
    fn swap(&mut self) {
        self.database.kill();
        self.database.restart_as_another();
    }

    /// One types, the other sees it, and after each word the server has tried to save it.
    fn type_on(&mut self) -> Result<String> {
        let rest = self.server.rest()?;
        let mut text = self.ada.text();
        for word in 0..WORDS {
            let typed = format!("during{word} ");
            let before = tries(&rest)?;
            self.ada.append(&typed)?;
            text += &typed;
            self.bo.holds(&text)?;
            until("a try to save", || {
                tries(&rest).ok().filter(|now| *now > before)
            })?;
        }
        Ok(text)
    }

    /// That nobody was told that anything is saved since the first word.
    fn nothing_is_saved(&mut self) -> Result<()> {
        // An answer after all that was sent before.
        self.ada.show_itself("Ada")?;
        while self.ada.present().is_empty() {
            let event = self.ada.receive(LONG)?;
            event.context("the server says nothing")?;
        }
        let saved = self.ada.acknowledged();
        ensure!(saved == ["before "], "called saved: {saved:?}");
        Ok(())
    }
}

/// How often the server wrote to its store, or tried to.
fn tries(rest: &Rest) -> Result<u64> {
    let metrics = rest.get("/metrics")?.body;
    let count = |name| {
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(Ok(0), str::parse::<u64>)
    };
    Ok(count("tutti_store_commits_total")? + count("tutti_store_failures_total")?)
}

fn says_what_to_do(rest: &Rest) -> Result<()> {
    let ready = rest.get("/readyz")?;
    let is_so = ready.status == 503 && ready.body.contains(TO_DO);
    ensure!(is_so, "{}", ready.body);
    Ok(())
}

fn is_ready(server: &Server) -> Result<()> {
    let rest = server.rest()?;
    let ready = || rest.get("/readyz").ok().filter(|one| one.status == 200);
    until("readiness", ready).map(drop)
}

#[test]
fn nothing_is_called_saved_in_an_empty_one_and_all_is_saved_once_the_first_is_back() -> Result<()> {
    let mut place = Place::new()?;
    place.swap();
    let text = place.type_on()?;
    place.nothing_is_saved()?;
    let rest = place.server.rest()?;
    says_what_to_do(&rest)?;
    ensure!(place.server.log().contains(TO_DO), "{}", place.server.log());
    // Whoever comes is sent away, and is not shown that there is nothing.
    ensure!(Member::join_at(&place.server, &place.project, "score", 3).is_err());
    let projects = rest.get("/api/projects")?;
    ensure!(projects.status == 503, "{}", projects.body);

    place.swap();
    place.ada.saved()?;
    is_ready(&place.server)?;
    let fresh = Server::start_with(&["--mongodb", &place.database.uri_text()])?;
    let stored = Member::join_at(&fresh, &place.project, "score", 4)?.text();
    ensure!(stored == text, "{stored:?} is stored of {text:?}");
    Ok(())
}

#[test]
fn a_server_that_is_started_anew_goes_on_with_the_empty_one() -> Result<()> {
    let mut place = Place::new()?;
    place.swap();
    let text = place.type_on()?;
    place.nothing_is_saved()?;
    place.server.stop()?;
    place.ada.leave();
    place.server.restart()?;
    is_ready(&place.server)?;

    // What was there is not, nor what was typed since, and is not made up.
    let denied = place.ada.connect().err().context("she was let in")?;
    ensure!(format!("{denied:#}").contains("denied"), "{denied:#}");
    let mut cy = {
        let project = place.server.rest()?.make_project("fresh")?;
        Member::join_at(&place.server, &project, "score", 5)?
    };
    cy.append("afterwards ")?;
    cy.saved()?;
    ensure!(place.server.rest()?.get("/readyz")?.status == 200);

    // The first one is still as it was, and so is what people have.
    cy.leave();
    place.server.stop()?;
    place.swap();
    place.server.restart()?;
    place.ada.connect()?;
    place.ada.saved()?;
    let stored = Member::join_at(&place.server, &place.project, "score", 6)?.text();
    ensure!(stored == text, "{stored:?} is stored of {text:?}");
    Ok(())
}

/// Emptied where it is, it breaks no connection. Whoever asks whether the server is ready lets it look.
#[test]
fn one_that_is_emptied_where_it_is_is_noticed_by_the_next_question() -> Result<()> {
    let mut place = Place::new()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let uri = place.database.uri();
    runtime.block_on(async {
        let mongo = tutti_server::mongo::Mongo::connect(&uri).await?;
        mongo.raw().drop().await?;
        anyhow::Ok(())
    })?;
    let rest = place.server.rest()?;
    says_what_to_do(&rest)?;
    place.type_on()?;
    place.nothing_is_saved()
}

/// Before it is noticed, something is called saved that goes into the empty one. What is typed once the old one is back
/// builds on that.
#[test]
fn what_was_called_saved_in_an_empty_one_is_in_the_first_once_that_is_back() -> Result<()> {
    let mut place = Place::new()?;
    let runtime = tokio::runtime::Runtime::new()?;
    for round in 0.. {
        ensure!(
            round < 20,
            "it was noticed each time before anything was written"
        );
        runtime.block_on(place.database.move_away());
        let before = place.ada.acknowledged().len();
        place.type_on()?;
        while place.ada.receive(Duration::from_millis(500))?.is_some() {}
        let is_in_the_empty_one = place.ada.acknowledged().len() > before;
        says_what_to_do(&place.server.rest()?)?;
        runtime.block_on(place.database.move_back());
        is_ready(&place.server)?;
        place.ada.saved()?;
        if is_in_the_empty_one {
            break;
        }
    }
    place.ada.append("afterwards ")?;
    place.ada.saved()?;
    let text = place.ada.text();
    place.bo.holds(&text)?;
    place.ada.leave();
    place.bo.leave();
    place.server.stop()?;
    place.server.restart()?;
    let stored = Member::join_at(&place.server, &place.project, "score", 7)?.text();
    ensure!(stored == text, "{stored:?} is stored of {text:?}");
    Ok(())
}
