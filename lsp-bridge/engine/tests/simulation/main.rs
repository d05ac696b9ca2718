//! Several people type at once, each in an editor with habits of its own, over a network that
//! delays and cuts. At the end every editor shows one text; each letter that a person typed stands
//! in it once, unless somebody deleted it; and each person's letters stand in their order.
//!
//! `SEED=n` runs one seed, `SEEDS=n` that many; `cargo xtask simulate` runs many. A failure prints
//! its seed and the smallest plan that still fails.

#![allow(clippy::print_stdout, reason = "a failing seed prints its trace")]

mod apply;
mod editor;
mod kind;
mod ledger;
mod oracle;
mod person;
mod planted;
mod report;
mod run;
mod user;
mod world;

use kind::{Kind, ROWS, row};
use planted::BUGS;
use run::{finds, run};

/// How many seeds an ordinary run takes of each.
const SEEDS: u64 = 400;

/// Within so many seeds a bug has to be found.
const BUG_SEEDS: u64 = 2_000;

fn alone(name: &'static str) {
    run(name, SEEDS, 0, &|rng| row(name).varied(rng));
}

/// All come to one text with everyone, always; in this many of a hundred seeds a letter may be
/// doubled or misplaced.
fn alone_with_doubt(name: &'static str, most_faulty: u64) {
    run(name, SEEDS, most_faulty, &|rng| row(name).varied(rng));
}

#[test]
fn vscode() {
    alone("vscode");
}

#[test]
fn helix() {
    alone("helix");
}

#[test]
fn zed() {
    alone("zed");
}

/// Its yes proves nothing, so what its person does to an edit that is not reported yet may look as if
/// the edit had never come.
#[test]
fn neovim() {
    alone_with_doubt("neovim", 1);
}

/// Emacs and Kakoune apply an edit at places that keys which they have not reported have moved, and
/// where such an edit meets deletions nobody can tell for sure what it hit.
#[test]
fn emacs() {
    alone_with_doubt("emacs", 15);
}

#[test]
fn kakoune() {
    alone_with_doubt("kakoune", 20);
}

#[test]
fn sublime() {
    alone("sublime");
}

/// Nothing is known of it, so its yes proves nothing: where a person has typed over an edit before
/// it was reported, it may be left in doubt whether the edit came.
#[test]
fn a_stranger() {
    alone_with_doubt("stranger", 6);
}

/// Strangers with any habits at all.
#[test]
fn strangers_of_all_kinds() {
    run("mixed", SEEDS, 8, &Kind::mixed);
}

#[test]
fn all_together() {
    run("all", SEEDS, 5, &|rng| {
        rng.choice(&ROWS).expect("not empty").clone().varied(rng)
    });
}

/// The proof that the simulation bites.
#[test]
fn every_planted_bug_is_found() {
    // Those that make no mistakes by themselves.
    const SURE: [&str; 5] = ["vscode", "helix", "zed", "neovim", "sublime"];
    let kind = |rng: &mut fastrand::Rng| row(rng.choice(SURE).expect("not empty"));
    let found = BUGS.map(|bug| {
        let seed = finds(bug, BUG_SEEDS, &kind);
        println!("{bug:?}: found by seed {seed:?}");
        (bug, seed)
    });
    assert!(found.iter().all(|(_, seed)| seed.is_some()), "{found:?}");
}
