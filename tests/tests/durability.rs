//! Saved means saved: `kill -9` at any moment loses nothing that was acknowledged.
//!
//! The moments are random; `SEED` repeats a run, `ITERATIONS` sets how many kills there are.

use std::collections::BTreeSet;
use std::env;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use tutti_tests::collab::Member;
use tutti_tests::server::Server;
use tutti_tests::stock::Target;
use tutti_tests::wait::pause;

/// Two write into one document and one into another, so that commits mix rooms.
const DOCUMENTS: [&str; 3] = ["score", "score", "parts"];

fn number_from(name: &str, default: impl FnOnce() -> u64) -> Result<u64> {
    match env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("{name} is no number")),
        Err(_) => Ok(default()),
    }
}

/// Types until the connection ends, and takes every acknowledgement that had been sent by then.
fn type_until_the_end(member: &mut Member, mut word: impl FnMut() -> String) {
    loop {
        // A person's connection ends at any of these, and so does ours.
        if member.append(&word()).is_err() {
            break;
        }
        match member.receive(Duration::from_millis(2)) {
            Ok(_) => {}
            Err(_) => return,
        }
    }
    while member
        .receive(Duration::from_millis(200))
        .is_ok_and(|event| event.is_some())
    {}
}

/// The words of a text, each of which must be there once.
fn words(text: &str) -> Result<BTreeSet<&str>> {
    let all: Vec<&str> = text.split_whitespace().collect();
    let words: BTreeSet<&str> = all.iter().copied().collect();
    ensure!(words.len() == all.len(), "a word is doubled in {text}");
    Ok(words)
}

#[test]
fn no_kill_loses_an_acknowledged_edit() -> Result<()> {
    let seed = number_from("SEED", || fastrand::u64(..))?;
    let kills = number_from("ITERATIONS", || 12)?;
    println!("SEED={seed} ITERATIONS={kills}");
    let mut rng = Rng::with_seed(seed);

    let mut server = Server::start()?;
    let project = server.rest()?.make_project("kills")?;
    let url = server.ws_url();
    let target = |document: &'static str| Target {
        server: &url,
        project: &project.id,
        document,
        token: project.editor_token(),
    };
    let mut members: Vec<Member> = DOCUMENTS
        .iter()
        .zip(1..)
        .map(|(document, client_id)| Member::new(target(document), client_id))
        .collect();

    let mut acknowledged = 0;
    for kill in 0..kills {
        for member in &mut members {
            member.connect()?;
        }
        let life = Duration::from_millis(rng.u64(1..600));
        std::thread::scope(|scope| -> Result<()> {
            for (index, member) in members.iter_mut().enumerate() {
                let mut count = 0;
                scope.spawn(move || {
                    type_until_the_end(member, || {
                        count += 1;
                        format!("m{index}k{kill}w{count} ")
                    });
                });
            }
            // The moment of the kill is what the test is about.
            pause(life);
            server.kill()
        })?;
        server.restart()?;

        // Someone who has seen nothing yet asks the server alone.
        for (index, member) in members.iter().enumerate() {
            let stored = Member::join(target(DOCUMENTS[index]), 1000 + kill)?.text();
            let stored = words(&stored)?;
            for word in member.acknowledged() {
                ensure!(
                    stored.contains(word.trim()),
                    "{word} was acknowledged and is gone after kill {kill} (SEED={seed})"
                );
            }
        }
        acknowledged = members
            .iter()
            .map(|member| member.acknowledged().len())
            .sum();
    }

    // What was never acknowledged was still in its client: it is sent again, and is there once.
    for member in &mut members {
        member.connect()?;
        member.saved()?;
    }
    for (index, member) in members.iter().enumerate() {
        let stored = Member::join(target(DOCUMENTS[index]), 5000)?.text();
        let stored = words(&stored)?;
        let typed = member.typed();
        ensure!(
            typed.iter().all(|word| stored.contains(word.trim())),
            "typed and gone (SEED={seed})"
        );
        ensure!(member.acknowledged().len() == typed.len());
        let own = format!("m{index}k");
        ensure!(stored.iter().filter(|word| word.starts_with(&own)).count() == typed.len());
    }
    println!("{kills} kills, {acknowledged} acknowledgements by then, nothing lost");
    ensure!(
        acknowledged > kills as usize,
        "hardly anything was typed; the test shows nothing"
    );
    Ok(())
}
