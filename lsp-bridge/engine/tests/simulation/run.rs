//! Runs seeds, and makes what fails small.
//!
//! `SEED=n` runs one seed, `SEEDS=n` that many from `SEED` or 0 on.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use fastrand::Rng;

use crate::kind::Kind;
use crate::planted::Bug;
use crate::world::{Plan, World};

/// How many plans are tried to make a failing one small.
const SHRINKING: usize = 400;

/// How many of a hundred seeds may end so, at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Most {
    /// Letters are doubled, lost or misplaced.
    pub(crate) faulty: u64,
    /// The editors say what they would say of something else that people did.
    pub(crate) proven: u64,
}

/// What the faults say when the editors came to different texts, or to no end.
const DIVERGED: [&str; 5] = ["shows", "settled", "busy", "endless", "told"];

type KindOf = dyn Fn(&mut Rng) -> Kind + Sync;

#[expect(
    clippy::disallowed_methods,
    reason = "how a seed is chosen from outside"
)]
fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    let number = value.parse();
    Some(number.unwrap_or_else(|_| panic!("{variable} must be a number")))
}

/// What many seeds came to.
#[derive(Default)]
struct Part {
    steps: u64,
    mistaken: u64,
    /// In which so many stories of engines were told by other plays.
    proven: BTreeMap<u64, u64>,
    failed: BTreeMap<u64, Vec<String>>,
    delays: Vec<(&'static str, u64)>,
}

/// What one plan came to.
struct Outcome {
    /// What went wrong; empty if nothing did.
    faults: Vec<String>,
    world: World,
}

/// Which other plays are looked for that look the same to the engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plays {
    None,
    /// With the very same editors.
    Same,
    /// Also with strangers that may do something else with edits that come too late.
    Open,
}

/// Where something goes wrong, it is looked for other plays, the likeliest first.
fn simulate(plan: &Plan, kind: &KindOf, is_traced: bool) -> Outcome {
    let mut outcome = simulate_once(plan, kind, is_traced, Plays::None);
    for plays in [Plays::Same, Plays::Open] {
        let mut users = outcome.world.users.iter();
        let is_open = plays == Plays::Same || users.any(|user| user.editor.dialect.learns);
        if outcome.faults.is_empty() || !is_open {
            break;
        }
        outcome = simulate_once(plan, kind, is_traced, plays);
    }
    outcome
}

fn simulate_once(plan: &Plan, kind: &KindOf, is_traced: bool, plays: Plays) -> Outcome {
    let mut world = World::new(plan.clone(), kind);
    world.is_traced = is_traced;
    if plays != Plays::None {
        world.prove(plays == Plays::Open);
    }
    let result = catch_unwind(AssertUnwindSafe(|| world.run()));
    let faults = result.unwrap_or_else(|panic| {
        let owned = panic.downcast_ref::<String>().map(String::as_str);
        let reason = owned.or(panic.downcast_ref::<&str>().copied());
        vec![reason.unwrap_or("a panic without a message").to_owned()]
    });
    Outcome { faults, world }
}

/// Whether nothing goes wrong with a seed.
pub(crate) fn is_clean(seed: u64, with_returns: bool, kind: &KindOf) -> bool {
    let plan = Plan {
        seed,
        with_returns,
        ..Plan::default()
    };
    simulate(&plan, kind, false).faults.is_empty()
}

/// A seed of these that goes wrong with the bug, and not without it.
pub(crate) fn finds(bug: Bug, seeds: u64, kind: &KindOf) -> Option<u64> {
    (0..seeds).find(|seed| {
        let plan = Plan {
            seed: *seed,
            bug: Some(bug),
            ..Plan::default()
        };
        !simulate(&plan, kind, false).faults.is_empty()
            && is_clean(*seed, bug == Bug::SendsReturns, kind)
    })
}

/// Runs the seeds that are asked for, or `count` of them. The first that fails is told with the
/// smallest plan that was found to fail. In none the editors may come to different texts, or to no end.
pub(crate) fn run(name: &str, count: u64, most: Most, kind: &KindOf) {
    run_plans(name, count, most, false, kind);
}

/// The same where people type `\r` as well.
pub(crate) fn run_with_returns(name: &str, count: u64, most: Most, kind: &KindOf) {
    run_plans(name, count, most, true, kind);
}

fn run_plans(name: &str, count: u64, most: Most, with_returns: bool, kind: &KindOf) {
    let first = number("SEED");
    let count = number("SEEDS").unwrap_or(if first.is_some() { 1 } else { count });
    let first = first.unwrap_or(0);
    let next = AtomicU64::new(first);
    let work = || {
        let mut part = Part::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + count {
                return part;
            }
            let plan = Plan {
                seed,
                with_returns,
                ..Plan::default()
            };
            let outcome = simulate(&plan, kind, false);
            part.steps += outcome.world.steps;
            part.mistaken += outcome.world.mistaken;
            part.delays.extend(outcome.world.delays);
            if outcome.faults.is_empty() && outcome.world.proves {
                part.proven.insert(seed, outcome.world.proven);
            }
            if !outcome.faults.is_empty() {
                part.failed.insert(seed, outcome.faults);
            }
        }
    };
    let Part {
        steps,
        mistaken,
        proven,
        failed,
        delays,
    } = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads()).map(|_| scope.spawn(work)).collect();
        let parts = threads.into_iter().map(|thread| thread.join());
        parts.fold(Part::default(), |mut whole, part| {
            let part = part.expect("what panics is caught");
            whole.steps += part.steps;
            whole.mistaken += part.mistaken;
            whole.proven.extend(part.proven);
            whole.failed.extend(part.failed);
            whole.delays.extend(part.delays);
            whole
        })
    });
    println!(
        "{name}: {count} seeds, {steps} steps, {} failed",
        failed.len()
    );
    println!(
        "  {mistaken} letters were typed where the same one came or stood: their order was not looked at"
    );
    println!(
        "  {} seeds are right in other plays, in which the editors say the very same: {proven:?}",
        proven.len()
    );
    tell_delays(delays);
    for (seed, faults) in &failed {
        println!("SEED={seed}: {}", faults.join("; "));
    }
    let has_diverged = |faults: &Vec<String>| DIVERGED.iter().any(|word| faults[0].contains(word));
    let diverged = failed.iter().find(|(_, faults)| has_diverged(faults));
    // What cannot be known happens seldom.
    let are_many = proven.len() as u64 * 100 > most.proven * count.max(100);
    assert!(
        !are_many,
        "{name}: {} of {count} seeds need other plays",
        proven.len()
    );
    let is_too_much = failed.len() as u64 * 100 > most.faulty * count;
    let first = diverged.or(failed.first_key_value().filter(|_| is_too_much));
    if let Some((seed, _)) = first {
        let small = shrink(*seed, with_returns, kind);
        let outcome = simulate(&small, kind, true);
        for line in &outcome.world.trace {
            println!("{line}");
        }
        println!("The smallest plan found for SEED={seed}:");
        for (user, user_now) in outcome.world.users.iter().enumerate() {
            println!("user {user}: {:?}", user_now.editor.kind);
        }
        for (user, _, at, act) in &outcome.world.done {
            println!("{at:>6} ms: user {user} does {act:?}");
        }
        println!("It ends with {:?}", outcome.world.server.text());
        println!("and goes wrong: {}", outcome.faults.join("; "));
        panic!("{name}: {} of {count} seeds failed", failed.len());
    }
}

/// Leaves out what is not needed for the failure: connections that are cut, then more and more of
/// what people do.
fn shrink(seed: u64, with_returns: bool, kind: &KindOf) -> Plan {
    let mut plan = Plan {
        seed,
        with_returns,
        ..Plan::default()
    };
    let Outcome {
        faults,
        world: whole,
    } = simulate(&plan, kind, false);
    let class = class_of(&faults);
    let mut tries = 0;
    let mut fails = |plan: &Plan| {
        tries += 1;
        (tries <= SHRINKING).then(|| class_of(&simulate(plan, kind, false).faults) == class)
    };
    for user in 0..whole.users.len() {
        let mut smaller = plan.clone();
        smaller.never_cut.insert(user);
        if fails(&smaller) == Some(true) {
            plan = smaller;
        }
    }
    let acts: Vec<(usize, u32)> = whole.done.iter().map(|(u, n, _, _)| (*u, *n)).collect();
    let mut size = acts.len().div_ceil(2);
    while size > 0 {
        for chunk in acts.chunks(size) {
            let mut smaller = plan.clone();
            smaller.left_out.extend(chunk);
            if smaller.left_out.len() == plan.left_out.len() {
                continue;
            }
            match fails(&smaller) {
                Some(true) => plan = smaller,
                Some(false) => {}
                None => return plan,
            }
        }
        size /= 2;
    }
    plan
}

/// What kind of thing went wrong: while a plan is made smaller, it must not become another.
fn class_of(faults: &[String]) -> Option<&'static str> {
    const CLASSES: [&str; 7] = [
        "lost", "doubled", "nobody", "order", "shows", "busy", "endless",
    ];
    let first = faults.first()?;
    let class = CLASSES.into_iter().find(|class| first.contains(class));
    Some(class.unwrap_or("else"))
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn tell_delays(delays: Vec<(&'static str, u64)>) {
    let mut kinds: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for (kind, delay) in delays {
        kinds.entry(kind).or_default().push(delay);
    }
    for (kind, mut delays) in kinds {
        delays.sort_unstable();
        let at = |parts: usize| delays[(delays.len() - 1) * parts / 1_000];
        println!(
            "  {kind}: a letter stood on the other screens after {} ms (median), {} (99 of 100), {} (worst)",
            at(500),
            at(990),
            at(1_000)
        );
    }
}
