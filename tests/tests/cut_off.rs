//! A node that Redis does not reach, and one that starts meanwhile and has never heard of it: they are one server through
//! the database, for as long as that lasts.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tutti_server::mongo::test_server::TestServer;
use tutti_tests::collab::{Event, Member};
use tutti_tests::redis::Redis;
use tutti_tests::server::Server;
use tutti_tests::wait::{LONG, pause, until};
use tutti_tests::wire::{Spoken, Trouble, Wire};

/// Longer than a node looks into the database by itself after its start.
const TYPED_FOR: Duration = Duration::from_secs(35);

/// A word each second.
const PACE: Duration = Duration::from_secs(1);

/// How long a word may take: two seconds on a machine that has nothing else to do.
const SOON: Duration = Duration::from_secs(6);

/// How long what one appends takes to be shown to the other.
fn passes(from: &mut Member, to: &mut Member, word: &str) -> Result<Duration> {
    let start = Instant::now();
    from.append(word)?;
    to.holds(&from.text())
        .with_context(|| format!("{word} does not arrive"))?;
    Ok(start.elapsed())
}

#[test]
#[allow(clippy::print_stdout, reason = "a figure")]
fn who_starts_while_another_is_cut_off_sees_all_of_it() -> Result<()> {
    let (database, redis) = (TestServer::start(), Redis::start()?);
    let wire = Wire::to(redis.port(), Spoken::Redis, 0)?;
    let mongodb = database.uri_text();
    let start = |port: u16| {
        let redis = format!("redis://127.0.0.1:{port}");
        Server::start_with(&["--mongodb", &mongodb, "--redis", &redis])
    };
    let cut_off = start(wire.port())?;
    let project = cut_off.rest()?.make_project("cut off")?;
    wire.trouble(Trouble {
        is_cut: true,
        ..Trouble::default()
    });
    until("the node to say that it is cut off", || {
        let answer = cut_off.rest().ok()?.get("/readyz").ok()?;
        answer.body.contains("Redis").then_some(())
    })?;

    let fresh = start(redis.port())?;
    let began = Instant::now();
    let mut ada = Member::join_at(&cut_off, &project, "score", 1)?;
    let mut bo = Member::join_at(&fresh, &project, "score", 2)?;
    let mut longest = Duration::ZERO;
    let mut count = 0;
    while began.elapsed() < TYPED_FOR {
        let took = passes(&mut ada, &mut bo, &format!("word{count} "))?;
        longest = longest.max(took);
        passes(&mut bo, &mut ada, &format!("answer{count} "))?;
        count += 1;
        // A person's pace.
        pause(PACE);
    }
    println!("of {count} words, the slowest was on the new node after {longest:?}");
    ensure!(longest < SOON, "a word took {longest:?}");

    // A document that comes to be opened there only now.
    let mut cy = Member::join_at(&fresh, &project, "late", 3)?;
    let mut dora = Member::join_at(&cut_off, &project, "late", 4)?;
    let took = passes(&mut dora, &mut cy, "late ")?;
    println!("in a document that was opened late, after {took:?}");
    ensure!(took < SOON, "the first word took {took:?}");

    // Who has none of the documents open is told which have changed.
    let mut eve = Member::join_at(&fresh, &project, "index", 5)?;
    let told = Instant::now();
    for count in 0.. {
        ada.append(&format!("more{count} "))?;
        ensure!(told.elapsed() < LONG, "nobody told of the document");
        match eve.receive(PACE)? {
            Some(Event::Told(text)) if text.contains("score") => break,
            _ => {}
        }
    }

    wire.mend();
    until("the node to be back", || {
        let answer = cut_off.rest().ok()?.get("/readyz").ok()?;
        (!answer.body.contains("Redis")).then_some(())
    })?;
    bo.holds(&ada.text())?;
    passes(&mut bo, &mut ada, "back")?;
    Ok(())
}
