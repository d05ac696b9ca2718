//! Two servers on one database and one Redis: whatever is killed, what either of them has acknowledged is on both, and
//! both come to show the same.
//!
//! What is killed, and when, is random; `SEED` repeats a run.

use std::collections::BTreeSet;
use std::env;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use serde_json::{Value, json};
use tutti_server::mongo::test_server::TestServer;
use tutti_tests::cable::Cable;
use tutti_tests::collab::Member;
use tutti_tests::redis::Redis;
use tutti_tests::rest::Project;
use tutti_tests::server::Server;
use tutti_tests::stock::{Clients, Target};
use tutti_tests::wait::{pause, until, until_or};

const DOCUMENT: &str = "score";

#[allow(clippy::print_stdout, reason = "a failed run must be repeatable")]
fn seeded() -> Result<Rng> {
    let seed = match env::var("SEED") {
        Ok(seed) => seed.parse().context("SEED is no number")?,
        Err(_) => fastrand::u64(..),
    };
    println!("SEED={seed}");
    Ok(Rng::with_seed(seed))
}

/// Two nodes, with what they share.
struct Nodes {
    nodes: [Server; 2],
    redis: Redis,
    _database: TestServer,
    project: Project,
}

impl Nodes {
    fn start() -> Result<Self> {
        let database = TestServer::start();
        let redis = Redis::start()?;
        let (mongodb, url) = (database.uri_text(), redis.url());
        let options = ["--mongodb", &mongodb, "--redis", &url];
        let nodes = [Server::start_with(&options)?, Server::start_with(&options)?];
        let project = nodes[0].rest()?.make_project("nodes")?;
        Ok(Self {
            nodes,
            redis,
            _database: database,
            project,
        })
    }

    fn member(&self, node: usize, client: u64) -> Member {
        let server = self.nodes[node].ws_url();
        let to = Target {
            server: &server,
            project: &self.project.id,
            document: DOCUMENT,
            token: self.project.editor_token(),
        };
        Member::new(to, client)
    }

    /// Whether somebody who comes to a node now sees these words, or does soon.
    fn shows_at(&self, node: usize, client: u64, expected: &[String]) -> Result<()> {
        let mut newcomer = self.member(node, client);
        until("a newcomer to be let in", || newcomer.connect().ok())?;
        // Where the room is open while Redis is away, the words come from the database.
        let mut last = Ok(());
        let seen = until("the newcomer to see it all", || {
            last = holds(&newcomer.text(), expected);
            if last.is_err() && newcomer.receive(Duration::from_millis(100)).is_err() {
                // Whose connection is lost comes back, as people do; what is missing is told of, not that.
                let _ = newcomer.connect();
            }
            last.is_ok().then_some(())
        });
        last?;
        seen
    }
}

#[derive(Clone, Copy, Debug)]
enum Kill {
    Redis,
    Node(usize),
    RedisAnd(usize),
    BothNodes,
}

impl Kill {
    fn redis(self) -> bool {
        matches!(self, Self::Redis | Self::RedisAnd(_))
    }

    fn node(self, node: usize) -> bool {
        match self {
            Self::Redis => false,
            Self::Node(killed) | Self::RedisAnd(killed) => killed == node,
            Self::BothNodes => true,
        }
    }
}

/// A word each 5 ms.
const PACE: Duration = Duration::from_millis(5);

/// Types and listens for a while, then takes in what was under way. Whether the connection ended meanwhile.
fn type_for(member: &mut Member, life: Duration, name: &str) -> bool {
    let start = Instant::now();
    for word in 0.. {
        if start.elapsed() > life {
            break;
        }
        if member.append(&format!("{name}w{word} ")).is_err() || listen(member, PACE).is_err() {
            break;
        }
    }
    listen(member, Duration::from_millis(200)).is_err()
}

fn listen(member: &mut Member, time: Duration) -> Result<()> {
    let start = Instant::now();
    while let Some(left) = time
        .checked_sub(start.elapsed())
        .filter(|left| !left.is_zero())
    {
        member.receive(left)?;
    }
    Ok(())
}

fn words(text: &str) -> Result<BTreeSet<&str>> {
    let all: Vec<&str> = text.split_whitespace().collect();
    let words: BTreeSet<&str> = all.iter().copied().collect();
    ensure!(words.len() == all.len(), "a word is doubled in {text}");
    Ok(words)
}

fn holds(text: &str, expected: &[String]) -> Result<()> {
    let there = words(text)?;
    for word in expected {
        ensure!(there.contains(word.trim()), "{word} is gone");
    }
    Ok(())
}

/// Listens at both until their texts are the same, with every word of both.
fn converge(members: &mut [Member; 2]) -> Result<()> {
    let typed: usize = members.iter().map(|member| member.typed().len()).sum();
    let result = until("both to show the same", || {
        for member in members.iter_mut() {
            while member
                .receive(Duration::from_millis(20))
                .is_ok_and(|event| event.is_some())
            {}
        }
        let [one, two] = [members[0].text(), members[1].text()];
        (one == two && one.split_whitespace().count() == typed).then_some(())
    });
    let counts: Vec<usize> = members
        .iter()
        .map(|member| member.text().split_whitespace().count())
        .collect();
    result.with_context(|| format!("{typed} words were typed, the two show {counts:?}"))
}

#[test]
fn no_kill_of_redis_or_a_node_loses_an_acknowledged_edit() -> Result<()> {
    let mut rng = seeded()?;
    let mut all = Nodes::start()?;
    let mut members = [all.member(0, 1), all.member(1, 2)];
    let mut kills = vec![
        Kill::Redis,
        Kill::Node(0),
        Kill::Node(1),
        Kill::RedisAnd(0),
        Kill::RedisAnd(1),
        Kill::BothNodes,
    ];
    rng.shuffle(&mut kills);
    for (round, kill) in kills.into_iter().enumerate() {
        for member in &mut members {
            until("the members to be let in", || member.connect().ok())?;
        }
        let life = Duration::from_millis(rng.u64(20..600));
        let (nodes, redis) = (&mut all.nodes, &mut all.redis);
        let cut = std::thread::scope(|scope| -> Result<Vec<bool>> {
            let typing: Vec<_> = (0..)
                .zip(&mut members)
                .map(|(index, member)| {
                    let name = format!("m{index}r{round}");
                    scope.spawn(move || type_for(member, Duration::from_millis(800), &name))
                })
                .collect();
            // The moment of the kill is what the test is about.
            pause(life);
            if kill.redis() {
                redis.kill()?;
            }
            for (index, node) in nodes.iter_mut().enumerate() {
                if kill.node(index) {
                    node.kill()?;
                }
            }
            let ends = typing.into_iter().map(|one| one.join());
            Ok(ends.map(|cut| cut.expect("nobody panics")).collect())
        })?;
        for (index, cut) in cut.into_iter().enumerate() {
            ensure!(
                cut == kill.node(index),
                "{kill:?}, and at {index} it was cut: {cut}"
            );
        }
        for (index, node) in all.nodes.iter_mut().enumerate() {
            if kill.node(index) {
                node.restart()?;
            }
        }
        // Those who come to either node find it all, also while Redis is away.
        for (node, client) in [(0, 1000), (1, 2000)] {
            let acknowledged = members.iter().flat_map(|member| member.acknowledged());
            let acknowledged: Vec<String> = acknowledged.cloned().collect();
            all.shows_at(node, client + round as u64, &acknowledged)
                .with_context(|| format!("at node {node} after {kill:?} in round {round}"))?;
        }
        if kill.redis() {
            all.redis.restart()?;
        }
    }
    for member in &mut members {
        member.connect()?;
        member.saved()?;
    }
    converge(&mut members)?;
    for member in &members {
        ensure!(member.typed().len() > 20, "hardly anything was typed");
        holds(&members[0].text(), member.typed())?;
    }
    Ok(())
}

#[test]
fn while_redis_is_away_the_nodes_follow_each_other_through_the_database() -> Result<()> {
    let mut all = Nodes::start()?;
    let mut members = [all.member(0, 1), all.member(1, 2)];
    for member in &mut members {
        member.connect()?;
    }
    members[0].append("before ")?;
    members[1].holds("before ")?;
    all.redis.kill()?;
    members[0].append("during ")?;
    members[0].saved()?;
    members[1].holds("before during ")?;
    members[1].append("back ")?;
    members[0].holds("before during back ")?;
    let rest = all.nodes[0].rest()?;
    let said = || {
        rest.get("/readyz")
            .map_or_else(|e| e.to_string(), |a| a.body)
    };
    until_or(
        "the node to say so",
        || said().contains("Redis").then_some(()),
        said,
    )?;
    all.redis.restart()?;
    until_or(
        "the node to say so",
        || (!said().contains("Redis")).then_some(()),
        said,
    )?;
    members[1].append("after ")?;
    members[0].holds("before during back after ")?;
    Ok(())
}

/// The database alone makes them one server too, only more slowly.
#[test]
fn nodes_without_redis_follow_each_other_through_the_database() -> Result<()> {
    let database = TestServer::start();
    let mongodb = database.uri_text();
    let options = ["--mongodb", &*mongodb];
    let (one, two) = (Server::start_with(&options)?, Server::start_with(&options)?);
    let project = one.rest()?.make_project("slowly")?;
    let (here, there) = (one.ws_url(), two.ws_url());
    let [mut ada, mut bo] = [(&here, 1), (&there, 2)].map(|(server, client)| {
        let to = Target {
            server,
            project: &project.id,
            document: DOCUMENT,
            token: project.editor_token(),
        };
        Member::new(to, client)
    });
    ada.connect()?;
    bo.connect()?;
    ada.append("to ")?;
    bo.holds("to ")?;
    bo.append("and fro")?;
    ada.holds("to and fro")?;
    Ok(())
}

/// Whoever has to go over to another node sees everybody there as soon as it is there: those of that node, and those who
/// have come over like itself, long before the dead node is missed and before anybody renews what they show.
#[test]
fn who_goes_over_from_a_dead_node_sees_everybody_at_once() -> Result<()> {
    let mut all = Nodes::start()?;
    let cable = Cable::to(all.nodes[0].address())?;
    let (moving, staying) = (
        cable.url().replace("http://", "ws://"),
        all.nodes[1].ws_url(),
    );
    let mut clients = Clients::start()?;
    let moved = ["hocuspocus-provider-4", "y-websocket-3"];
    let names = [moved[0], "y-websocket-2", moved[1]];
    for package in names {
        let to = Target {
            server: if moved.contains(&package) {
                &moving
            } else {
                &staying
            },
            project: &all.project.id,
            document: DOCUMENT,
            token: all.project.editor_token(),
        };
        clients.connect(package, package, to)?;
        clients.wait(package, "synced", &Value::Null)?;
        clients.announce(package, package)?;
    }
    for package in names {
        clients.wait(package, "peers", &json!(names))?;
    }
    // Clocks may be half a second ahead where several have just come.
    pause(Duration::from_secs(1));
    all.nodes[0].kill()?;
    for package in moved {
        clients.wait(package, "peers", &json!([package]))?;
    }
    let back = Instant::now();
    cable.lead_to(all.nodes[1].address());
    for package in names {
        clients.wait(package, "peers", &json!(names))?;
    }
    ensure!(
        back.elapsed() < Duration::from_secs(7),
        "{:?}",
        back.elapsed()
    );
    Ok(())
}
