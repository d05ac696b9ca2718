//! Random paths and indexes of hostile people. `SEED` in the environment repeats a run.

mod invariants;

use tutti_protocol::blob::BlobHash;
use tutti_protocol::index::{Blob, Eol, FileEntry, Roots, insert, new_doc};
use yrs::{ReadTxn, StateVector, Transact};

const RUNS: usize = 20_000;

/// What hostile names are made of.
const PIECES: &[&str] = &[
    "a",
    "b",
    "/",
    "/",
    "\\",
    ".",
    "..",
    ".git",
    ".GIT",
    "git~1",
    "GIT~",
    "2",
    ".tutti",
    "TUTTI~1",
    "hooks",
    "CON",
    "nul",
    "com1",
    ".txt",
    " ",
    "~",
    ":",
    "::$INDEX_ALLOCATION",
    "\u{200c}",
    "\u{ad}",
    "\u{fe0f}",
    "\u{202e}",
    "\u{ff0e}",
    "\u{2024}",
    "\u{ff47}",
    "\u{130}",
    "\u{17f}",
    "\u{e0020}",
    "e\u{301}",
    "\u{e9}",
    "\0",
    "\n",
    "\u{7f}",
    "\u{85}",
    "\u{feff}",
    "C:",
    "//",
    "g",
    "i",
    "t",
];

#[expect(clippy::print_stdout, reason = "a random test tells its seed")]
fn random() -> fastrand::Rng {
    let seed = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

fn path(random: &mut fastrand::Rng) -> String {
    let pieces = random.usize(1..8);
    let mut path: String = (0..pieces)
        .map(|_| *random.choice(PIECES).expect("there are some"))
        .collect();
    if random.u32(..50) == 0 {
        path = path.repeat(random.usize(1..600));
    }
    path
}

#[test]
fn no_random_path_leads_astray() {
    let mut random = random();
    let mut allowed = 0;
    for _ in 0..RUNS {
        let path = path(&mut random);
        allowed += usize::from(path.parse::<tutti_protocol::path::ProjectPath>().is_ok());
        invariants::check_path(&path);
    }
    assert!(
        allowed > RUNS / 100,
        "only {allowed} paths were let through: the test tests nothing"
    );
}

#[test]
fn no_random_index_shows_two_files_in_one_place() {
    let mut random = random();
    for _ in 0..300 {
        let doc = new_doc(random.u64(1..1 << 32));
        let roots = Roots::of(&doc);
        for n in 0..random.usize(1..30) {
            let entry = FileEntry {
                path: path(&mut random),
                eol: Eol::Lf,
                executable: random.bool(),
                created_at: random.i64(..),
                created_by: String::new(),
                blob: random.bool().then(|| Blob {
                    sha256: random.bool().then(|| BlobHash([random.u8(..); 32])),
                    bytes: random.u64(..1 << 40),
                    replaces: Vec::new(),
                }),
            };
            let id = match random.bool() {
                true => format!("d{n}"),
                false => (0..4)
                    .map(|_| if random.bool() { 'a' } else { 'A' })
                    .collect(),
            };
            insert(
                &mut doc.transact_mut(),
                &roots,
                &id.parse().unwrap(),
                &entry,
            );
        }
        let mut bytes = doc
            .transact()
            .encode_state_as_update_v1(&StateVector::default());
        invariants::check_index(&bytes);
        // And as someone else's program may send it.
        for _ in 0..20 {
            let at = random.usize(..bytes.len());
            bytes[at] = random.u8(..);
            let caught = std::panic::catch_unwind(|| invariants::check_index(&bytes));
            assert!(caught.is_ok(), "{bytes:?}");
        }
    }
}
