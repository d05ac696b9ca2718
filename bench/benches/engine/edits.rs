//! One character, in files of three lengths and in one that many edits have scattered.

use cpu_time::ThreadTime;
use fastrand::Rng;
use ropey::Rope;
use tutti_bench::person::{Person, incremental};
use tutti_bench::texts;
use tutti_engine::Replica;
use tutti_engine::patch::{Patch, Splice};
use yrs::updates::decoder::Decode;
use yrs::{ClientID, Doc, OffsetKind, Options, Text, Transact, Update};

use crate::measure::{Bench, Samples};

const LENGTHS: [usize; 3] = [100, 10_000, 100_000];
/// After so many edits a document is opened anew, lest the short file become a long one.
const EDITS: usize = 1_000;
const CLIENT: &str = "Visual Studio Code";
const SEED: u64 = 3;

/// Typing, once the file has been typed in.
pub(crate) fn typed(bench: &mut Bench) {
    for lines in LENGTHS {
        let file = texts::lines(lines);
        let name = format!("{lines} lines");
        typing(bench, "type on", &name, &file, |text| {
            texts::onwards(text, EDITS)
        });
    }
    for lines in LENGTHS {
        let file = texts::lines(lines);
        let name = format!("{lines} lines");
        typing(bench, "type anywhere", &name, &file, |text| {
            texts::anywhere(text, EDITS, &mut Rng::with_seed(SEED))
        });
    }
    for lines in LENGTHS {
        let file = texts::lines(lines);
        let first =
            |(person, change): &mut (Person, Option<_>)| Some(person.type_in(change.take()?).1);
        bench.measure(
            "first key",
            &format!("{lines} lines"),
            Samples::Few,
            || {
                let key = &texts::onwards(file.rope(), 1)[0];
                let person = Person::open(file.fork(1), CLIENT).0;
                (person, Some(incremental(file.rope(), key)))
            },
            first,
        );
    }
}

/// Edits of others.
pub(crate) fn remote(bench: &mut Bench) {
    for lines in LENGTHS {
        let file = texts::lines(lines);
        bench.measure(
            "remote edit",
            &format!("{lines} lines"),
            Samples::Many,
            || {
                let person = Person::open(file.fork(1), CLIENT).0;
                let mut peer = file.fork(2);
                let keys = texts::anywhere(file.rope(), EDITS, &mut Rng::with_seed(SEED));
                let updates = keys.into_iter().map(|key| peer.splice(&Patch::from(key)));
                (person, updates.collect::<Vec<_>>().into_iter())
            },
            |(person, updates)| Some(person.remote(updates.next()?)),
        );
    }
}

/// A text that has been edited everywhere.
pub(crate) fn scattered(bench: &mut Bench) {
    const GROUP: &str = "after 50000 scattered edits";
    let mut rng = Rng::with_seed(SEED);
    let file = texts::scattered(50_000, &mut rng);
    let state = file.state();
    bench.measure(
        GROUP,
        "insert by index of yrs",
        Samples::Few,
        || {
            let mut options = Options::with_client_id(ClientID::new(1000));
            options.offset_kind = OffsetKind::Utf16;
            let doc = Doc::with_options(options);
            let update = Update::decode_v1(&state).expect("a replica's own state");
            let applied = doc.transact_mut().apply_update(update);
            applied.expect("a replica's own state");
            let keys = texts::anywhere(file.rope(), EDITS, &mut Rng::with_seed(SEED));
            (doc, keys.into_iter())
        },
        |(doc, keys)| {
            let key = keys.next()?;
            let text = doc.get_or_insert_text("content");
            // What the engine does: the change, and the update that tells of it.
            let start = ThreadTime::now();
            let mut txn = doc.transact_mut();
            text.insert(&mut txn, key.at as u32, &key.insert);
            let update = txn.encode_update_v1();
            drop(txn);
            let took = start.elapsed();
            assert!(!update.is_empty());
            Some(took)
        },
    );
    typing(
        bench,
        GROUP,
        "key anywhere through the engine",
        &file,
        |text| texts::anywhere(text, EDITS, &mut Rng::with_seed(SEED)),
    );
}

fn typing(
    bench: &mut Bench,
    group: &str,
    name: &str,
    file: &Replica,
    keys: impl Fn(&Rope) -> Vec<Splice>,
) {
    bench.measure(
        group,
        name,
        Samples::Many,
        || {
            let mut person = Person::open(file.fork(1), CLIENT).0;
            let keys = keys(file.rope());
            let mut changes = texts::along(file.rope(), &keys, incremental).into_iter();
            // The first key in a file parts the one piece that it was; it is measured by itself.
            changes.next().map(|change| person.type_in(change));
            (person, changes)
        },
        |(person, changes)| Some(person.type_in(changes.next()?).1),
    );
}
