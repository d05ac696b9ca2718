//! Three nodes, a real Redis and a database, thirty people who type, and everything that can go wrong with them, one after
//! the other ([`faults`]). After each fault
//!
//! - everybody comes to see the same, and everything is acknowledged; how long that takes is printed;
//! - nobody is shown who has gone, and everybody who is there, within 30 seconds;
//! - all nodes are killed while people type, and a node that is started anew reads what each person was told is saved,
//!   and nothing twice, out of the database, before any of them can send anything again. What was acknowledged is known
//!   to the clients only, outside the system.
//!
//! | variable | |
//! | --- | --- |
//! | `SEED=n` | plays a run again: who is hit, who types what where, in which order |
//! | `CHAOS=all` | every fault of the table; without it, a selection with one of each kind |
//! | `CHAOS=name,name` | these |
#![allow(
    clippy::print_stdout,
    reason = "figures, and what repeats a failed run"
)]

mod audit;
mod clock;
mod cluster;
mod faults;
mod marks;
mod person;
mod storm;
mod suite;

use std::env;

use anyhow::{Context, Result, ensure};
use fastrand::Rng;

use faults::{FAULTS, Fault};
use suite::Suite;

#[test]
fn whatever_dies_nothing_acknowledged_is_lost_and_all_come_together_again() -> Result<()> {
    let seed = match env::var("SEED") {
        Ok(seed) => seed.parse().context("SEED is no number")?,
        Err(_) => fastrand::u64(..),
    };
    println!("SEED={seed}");
    let mut rng = Rng::with_seed(seed);
    let mut faults = selected()?;
    rng.shuffle(&mut faults);
    let mut suite = Suite::start(rng)?;
    for fault in faults {
        suite
            .play(fault)
            .with_context(|| format!("SEED={seed}, at {}", fault.name))?;
    }
    suite.close()
}

fn selected() -> Result<Vec<&'static Fault>> {
    let chosen = env::var("CHAOS").unwrap_or_default();
    let named: Vec<&str> = chosen.split(',').filter(|name| !name.is_empty()).collect();
    let all = FAULTS.iter();
    let faults: Vec<&Fault> = match named[..] {
        [] => all.filter(|fault| fault.is_usual).collect(),
        ["all"] => all.collect(),
        _ => all.filter(|fault| named.contains(&fault.name)).collect(),
    };
    let names: Vec<&str> = FAULTS.iter().map(|fault| fault.name).collect();
    let is_known = |name: &&str| *name == "all" || names.contains(name);
    ensure!(
        named.iter().all(is_known),
        "CHAOS names no fault; there are {names:?}"
    );
    Ok(faults)
}
