//! A file of ten megabytes, and a whole article as it was written.

use std::env;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use cpu_time::ThreadTime;
use fastrand::Rng;
use ropey::Rope;
use tutti_bench::person::{Person, full, incremental};
use tutti_bench::texts;
use tutti_bench::trace::Trace;
use tutti_engine::Replica;

use crate::measure::{Bench, Samples};

/// The name of the trace's group.
pub(crate) const TRACE: &str = "editing trace";
const BIG: usize = 10_000_000;
/// How many edits the well-known trace of an article has.
const EDITS: usize = 259_778;
const INCREMENTAL: &str = "Visual Studio Code";
const FULL: &str = "Neovim";

/// A big file.
pub(crate) fn file(bench: &mut Bench) {
    const GROUP: &str = "10 MB";
    let file = texts::lines(BIG / texts::WIDTH);
    let state = file.state();
    let open = |(): &mut ()| {
        let start = ThreadTime::now();
        let replica = Replica::from_state(1, &state).expect("a replica's own state");
        let replica_took = start.elapsed();
        let (person, document_took) = Person::open(replica, INCREMENTAL);
        assert_eq!(person.text().len_bytes(), file.rope().len_bytes());
        Some(replica_took + document_took)
    };
    bench.measure(GROUP, "open", Samples::Few, || (), open);
    state_after_key(bench, GROUP, &file);
    for (client, sync) in [(INCREMENTAL, "ranges"), (FULL, "full text")] {
        let fresh = |keys| {
            let person = Person::open(file.fork(1), client).0;
            let keys = texts::onwards(file.rope(), keys);
            // Full texts are big, so there are few of them.
            let changes = texts::along(file.rope(), &keys, |text, key| match client {
                FULL => {
                    let mut text = text.clone();
                    text.insert(key.at, &key.insert);
                    full(&text)
                }
                _ => incremental(text, key),
            });
            (person, changes.into_iter())
        };
        let name = format!("first key, as {sync}");
        bench.measure(
            GROUP,
            &name,
            Samples::Few,
            || fresh(1),
            |(person, changes)| Some(person.type_in(changes.next()?).1),
        );
        let later = || {
            let (mut person, mut changes) = fresh(20);
            changes.next().map(|change| person.type_in(change));
            (person, changes)
        };
        let name = format!("later key, as {sync}");
        bench.measure(GROUP, &name, Samples::Few, later, |(person, changes)| {
            Some(person.type_in(changes.next()?).1)
        });
    }
}

/// Asking for the state after a first key: only then yrs is told of it.
fn state_after_key(bench: &mut Bench, group: &str, file: &Replica) {
    let key = &texts::onwards(file.rope(), 1)[0];
    let typed = || {
        let mut person = Person::open(file.fork(1), INCREMENTAL).0;
        person.type_in(incremental(file.rope(), key));
        Some(person)
    };
    bench.measure(
        group,
        "state after a first key",
        Samples::Few,
        typed,
        |typed| {
            let person = typed.take()?;
            let start = ThreadTime::now();
            let state = person.replica().state();
            let took = start.elapsed();
            assert!(state.len() > file.rope().len_bytes());
            Some(took)
        },
    );
}

/// The whole trace; one measurement is all of it.
pub(crate) fn trace(bench: &mut Bench) -> Result<Trace> {
    let (trace, name) = match env::var_os("TUTTI_TRACE") {
        Some(path) => (Trace::read(Path::new(&path))?, "as recorded"),
        None => {
            let made = Trace::like_a_real_one(EDITS, &mut Rng::with_seed(1));
            (made, "made up")
        }
    };
    let changes = texts::along(&Rope::from_str(&trace.start), &trace.edits, incremental);
    let replay = |(): &mut ()| {
        let mut replica = Replica::new(1);
        replica.edit(&trace.start);
        let (mut person, _) = Person::open(replica, INCREMENTAL);
        let took: Duration = changes
            .iter()
            .map(|change| person.type_in(change.clone()).1)
            .sum();
        assert_eq!(person.shown(), trace.end);
        assert_eq!(*person.text(), trace.end);
        Some(took)
    };
    bench.measure(TRACE, name, Samples::Few, || (), replay);
    Ok(trace)
}
