//! What one node has heard of another, which dies before it has stored it: whoever is told that their own edit is saved
//! finds it again, on whatever it builds.

use anyhow::{Result, ensure};
use tutti_server::mongo::test_server::TestServer;
use tutti_tests::collab::Member;
use tutti_tests::redis::Redis;
use tutti_tests::rest::Project;
use tutti_tests::server::Server;
use tutti_tests::wire::{Spoken, Trouble, Wire};

/// A node that can be kept from storing, and another one.
struct Place {
    slow: Server,
    other: Server,
    to_database: Wire,
    redis: Redis,
    database: TestServer,
    project: Project,
}

impl Place {
    fn start() -> Result<Self> {
        let database = TestServer::start();
        let redis = Redis::start()?;
        let to_database = Wire::to(database.port(), Spoken::MongoDb, 0)?;
        let start = |port: u16| {
            // The database would name itself without the wire.
            let mongodb = format!("mongodb://127.0.0.1:{port}/tutti?directConnection=true");
            Server::start_with(&["--mongodb", &mongodb, "--redis", &redis.url()])
        };
        let (slow, other) = (start(to_database.port())?, start(database.port())?);
        let project = slow.rest()?.make_project("heard")?;
        Ok(Self {
            slow,
            other,
            to_database,
            redis,
            database,
            project,
        })
    }

    fn join(&self, server: &Server, client: u64) -> Result<Member> {
        Member::join_at(server, &self.project, "score", client)
    }

    /// Ada at the slow node, Bo at the other: what Ada types second, Bo sees, and it is not stored.
    fn heard_and_not_stored(&self) -> Result<(Member, Member)> {
        let (mut ada, mut bo) = (self.join(&self.slow, 1)?, self.join(&self.other, 2)?);
        ada.append("one ")?;
        ada.saved()?;
        bo.holds("one ")?;
        self.to_database.trouble(Trouble {
            is_held: true,
            ..Trouble::default()
        });
        ada.append("two ")?;
        bo.holds("one two ")?;
        Ok((ada, bo))
    }
}

/// Ada does not come back. Neither does Bo, who was told that all is saved.
#[test]
fn an_edit_is_saved_with_what_it_builds_on() -> Result<()> {
    let mut place = Place::start()?;
    let (_ada, mut bo) = place.heard_and_not_stored()?;
    bo.append("three ")?;
    bo.saved()?;
    place.slow.kill()?;
    place.other.kill()?;
    place.other.restart()?;
    let text = place.join(&place.other, 3)?.text();
    ensure!(text == "one two three ", "the database has {text:?}");
    Ok(())
}

/// A node that is told to stop while it cannot store anything does not wait for ever.
#[test]
fn what_a_node_told_that_stops_before_it_has_stored_it_is_stored_by_who_heard_it() -> Result<()> {
    let mut place = Place::start()?;
    let (_ada, _bo) = place.heard_and_not_stored()?;
    place.slow.stop()?;
    // A node that hears nothing of the others.
    let mongodb = place.database.uri_text();
    let fresh = Server::start_with(&["--mongodb", &mongodb])?;
    place.join(&fresh, 3)?.holds("one two ")
}

/// Nor does anybody come back whose own word went with Redis and their node: who has seen it goes on to see it, and so does
/// everybody else.
#[test]
fn what_a_node_told_that_dies_with_redis_is_stored_by_who_heard_it() -> Result<()> {
    let mut place = Place::start()?;
    let (_ada, _bo) = place.heard_and_not_stored()?;
    place.redis.kill()?;
    place.slow.kill()?;
    // What is on its way to the database does not arrive.
    place.to_database.trouble(Trouble {
        is_cut: true,
        ..Trouble::default()
    });
    place.to_database.mend();
    place.slow.restart()?;
    place.join(&place.slow, 3)?.holds("one two ")
}
