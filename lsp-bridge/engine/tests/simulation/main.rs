//! Several people type at once, each in an editor with habits of its own, over a network that
//! delays and cuts. At the end every editor shows one text, and in it each character that was
//! typed occurs once, in its author's order.
//!
//! `SEED=n` runs one seed, `SEEDS=n` that many from `SEED` or 0 on. A failure prints its seed.

mod editor;
mod world;

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use std::collections::BTreeMap;

use editor::{Kind, kinds};
use world::World;

/// How many seeds an ordinary run takes.
const SEEDS: u64 = 300;

fn number(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name} must be a number")),
    )
}

/// Runs one seed; returns how many steps it took, or why it failed.
fn simulate(seed: u64, kinds: &[Kind], traced: bool) -> Result<u64, String> {
    let mut world = World::new(seed, kinds);
    let result = catch_unwind(AssertUnwindSafe(|| {
        world.run();
        judge(&world);
    }));
    let Err(panic) = result else {
        return Ok(world.steps);
    };
    if traced {
        for line in &world.trace {
            println!("{line}");
        }
        println!("server {:?}", world.server.text());
    }
    let reason = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or(panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without a message");
    let names: Vec<_> = world
        .users
        .iter()
        .map(|user| user.editor.kind.client_name)
        .collect();
    Err(format!("{reason}; editors: {names:?}"))
}

/// The oracle.
fn judge(world: &World) {
    let text = world.server.text();
    let places = places(&text);
    let deleted: HashSet<char> = everyone(world, |user| &user.editor.deleted);
    let swallowed: HashSet<char> = everyone(world, |user| &user.editor.swallowed);
    let unseen: HashSet<char> = everyone(world, |user| &user.editor.unseen);
    let may_lack = |c: &char| deleted.contains(c) || swallowed.contains(c) || unseen.contains(c);
    for (number, user) in world.users.iter().enumerate() {
        let shown = user.editor.buffer.to_string();
        let but_newline = user.editor.kind.keeps_newline;
        let same = shown == text || (but_newline && shown == format!("{text}\n"));
        assert!(
            same,
            "user {number} shows {shown:?} instead of {text:?} {:?}",
            user.document
        );
        assert_eq!(user.document.shown(), shown, "what user {number} shows");
        assert!(user.document.is_settled(), "user {number} is not settled");
        for run in &user.runs {
            let mut last = None;
            for c in run {
                let at = places.get(c).map(Vec::as_slice).unwrap_or_default();
                match at {
                    [] if may_lack(c) => {}
                    [] => panic!("{c} of user {number} is lost"),
                    [_, _, ..] => panic!("{c} of user {number} is doubled"),
                    [_] if deleted.contains(c) => panic!("{c} was deleted and came back"),
                    [at] => {
                        assert!(last < Some(*at), "{c} of user {number} is out of order");
                        last = Some(*at);
                    }
                }
            }
        }
    }
}

fn places(text: &str) -> HashMap<char, Vec<usize>> {
    let mut places: HashMap<char, Vec<usize>> = HashMap::new();
    for (at, c) in text.chars().enumerate() {
        places.entry(c).or_default().push(at);
    }
    places
}

fn everyone(world: &World, of: impl Fn(&world::User) -> &HashSet<char>) -> HashSet<char> {
    world
        .users
        .iter()
        .flat_map(|user| of(user).iter().copied())
        .collect()
}

/// Runs the seeds that are asked for; the first that fails runs once more with its trace.
fn run(kinds: &[Kind]) {
    let first = number("SEED");
    let count = number("SEEDS").unwrap_or(if first.is_some() { 1 } else { SEEDS });
    let first = first.unwrap_or(0);
    let mut steps = 0;
    let mut failures = BTreeMap::new();
    for seed in first..first + count {
        match simulate(seed, kinds, false) {
            Ok(taken) => steps += taken,
            Err(reason) => {
                failures.insert(seed, reason);
            }
        }
    }
    println!("{count} seeds, {steps} steps");
    if let Some((&seed, _)) = failures.first_key_value() {
        simulate(seed, kinds, true).expect_err("the same seed fails again");
        for (seed, reason) in &failures {
            println!("SEED={seed}: {reason}");
        }
        panic!("{} of {count} seeds failed", failures.len());
    }
}

#[test]
fn every_kind_of_editor_together() {
    run(&kinds());
}

#[test]
fn each_kind_of_editor_among_itself() {
    let only = std::env::var("EDITOR_KIND").ok();
    for kind in kinds() {
        if only
            .as_deref()
            .is_none_or(|only| kind.client_name.contains(only))
        {
            run(&[kind]);
        }
    }
}
