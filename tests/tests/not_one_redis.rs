//! Nodes on one database that are not on one Redis, each of them content with what it has: they are one server through the
//! database all the same, and say what is to be done.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tutti_server::mongo::test_server::TestServer;
use tutti_tests::collab::Member;
use tutti_tests::redis::Redis;
use tutti_tests::rest::Rest;
use tutti_tests::server::Server;
use tutti_tests::wait::{pause, until_or};

/// Longer than a node looks into the database by itself after its start.
const TYPED_FOR: Duration = Duration::from_secs(35);

/// A word each second.
const PACE: Duration = Duration::from_secs(1);

/// How long a word may take: two seconds on a machine that has nothing else to do.
const SOON: Duration = Duration::from_secs(6);

fn says(node: &Rest) -> String {
    let answer = node.get("/readyz");
    answer.map_or_else(|error| error.to_string(), |answer| answer.body)
}

/// Waits until a node says something of which this is a part.
fn until_says(node: &Rest, part: &str) -> Result<()> {
    let said = || says(node).contains(part).then_some(());
    until_or(part, said, || says(node))
}

/// How long what one appends takes to be shown to the other.
fn passes(from: &mut Member, to: &mut Member, word: &str) -> Result<()> {
    let start = Instant::now();
    from.append(word)?;
    to.holds(&from.text())
        .with_context(|| format!("{word} does not arrive"))?;
    let took = start.elapsed();
    ensure!(took < SOON, "{word} took {took:?}");
    Ok(())
}

/// A node that has a Redis, and another with what `others` says instead.
fn are_one_server(others: impl Fn(&Redis) -> Vec<String>, said: [&str; 2]) -> Result<()> {
    let (database, redis) = (TestServer::start(), Redis::start()?);
    let mongodb = database.uri_text();
    let one = Server::start_with(&["--mongodb", &mongodb, "--redis", &redis.url()])?;
    let project = one.rest()?.make_project("apart")?;
    let other = others(&redis);
    let mut arguments = vec!["--mongodb", &mongodb];
    arguments.extend(other.iter().map(String::as_str));
    let two = Server::start_with(&arguments)?;
    let (mut ada, mut bo) = (
        Member::join_at(&one, &project, "score", 1)?,
        Member::join_at(&two, &project, "score", 2)?,
    );
    let began = Instant::now();
    let mut count = 0;
    while began.elapsed() < TYPED_FOR {
        passes(&mut ada, &mut bo, &format!("word{count} "))?;
        passes(&mut bo, &mut ada, &format!("answer{count} "))?;
        count += 1;
        // A person's pace.
        pause(PACE);
    }
    // Its token lies where the first of them started.
    let (ask_one, ask_two) = (one.rest()?, Rest::new(two.url(), one.admin_token()?));
    until_says(&ask_one, said[0])?;
    until_says(&ask_two, said[1])?;
    // Whoever asks sees what is stored, whether or not anybody is there.
    for (from, to) in [(&mut ada, &ask_one), (&mut bo, &ask_two)] {
        from.leave();
        let text = to.text(&project.id, "score")?;
        ensure!(text == from.text(), "{text:?} is read on one node");
    }
    bo.connect()?;
    bo.append("late")?;
    bo.saved()?;
    let text = ask_one.text(&project.id, "score")?;
    ensure!(text == bo.text(), "{text:?} is read on the other node");
    ada.connect()?;
    ada.holds(&bo.text())?;

    // It is over when one of them goes.
    drop(two);
    until_or(
        "the node to be content",
        || (!says(&ask_one).contains("--redis")).then_some(()),
        || says(&ask_one),
    )
}

#[test]
fn one_without_a_redis() -> Result<()> {
    let said = [
        "another node on this database has no --redis",
        "this node has no --redis",
    ];
    are_one_server(|_| Vec::new(), said)
}

#[test]
fn one_on_another_number_of_the_same_redis() -> Result<()> {
    let elsewhere = |redis: &Redis| vec!["--redis".to_owned(), format!("{}/1", redis.url())];
    are_one_server(elsewhere, ["is not on this Redis"; 2])
}

#[test]
fn one_on_another_redis() -> Result<()> {
    let another = Redis::start()?;
    let elsewhere = |_: &Redis| vec!["--redis".to_owned(), another.url()];
    are_one_server(elsewhere, ["is not on this Redis"; 2])
}
