//! Two change one text without a connection, one of them takes over with git what the other has made, resolves what git
//! could not merge, and they meet. `SEED=n` plays one game.

use tutti_engine::{Apart, Replica};

use crate::mirror::merge::{merge_disk, new_client_id};
use crate::mirror::write_decision;

const SEEDS: u64 = 1_000;
const LINES: usize = 30;

/// What each makes of each line of the text; `None` for nothing.
type Made = Vec<Option<String>>;

struct Game {
    base: Replica,
    adas: Replica,
    bobs: Replica,
    wanted: String,
    is_common: bool,
    goes_on: bool,
}

/// The lines of the text, some of which may be several or none.
type Text = Vec<String>;

/// Changes some of the lines of which every second one is this person's, or any.
fn change(rng: &mut fastrand::Rng, of: &Text, name: &str, whose: Option<usize>) -> Made {
    let mut made = vec![None; LINES];
    for _ in 0..rng.usize(1..=4) {
        let n = match whose {
            Some(rest) => 2 * rng.usize(3..12) + rest,
            None => rng.usize(..LINES),
        };
        let new = |count: usize| -> String {
            (0..count)
                .map(|k| format!("{name} {n}-{k} is new\n"))
                .collect()
        };
        made[n] = Some(match rng.u8(0..5) {
            0 => of[n].trim_end().to_owned() + &format!(" {name}-{n}\n"),
            1 => format!("what {name} makes of {n}\n"),
            2 => String::new(),
            _ => of[n].clone() + &new(rng.usize(1..=3)),
        });
    }
    made
}

fn changed(of: &Text, made: &[&Made]) -> Text {
    let line = |n: usize| made.iter().find_map(|made| made[n].clone());
    of.iter()
        .enumerate()
        .map(|(n, old)| line(n).unwrap_or_else(|| old.clone()))
        .collect()
}

/// What git leaves in the file of who has made `ours` and takes over `theirs`.
fn merged_by_git(of: &Text, ours: &Made, theirs: &Made) -> String {
    let mut text = String::new();
    let is_changed = |n: &usize| ours[*n].is_some() || theirs[*n].is_some();
    let mut n = 0;
    while n < LINES {
        let run = n..(n..LINES).find(|n| !is_changed(n)).unwrap_or(LINES);
        let by = |made: &Made| run.clone().any(|n| made[n].is_some());
        let lines = |made: &Made| changed(of, &[made])[run.clone()].concat();
        text += &match (by(ours), by(theirs)) {
            (true, true) => format!(
                "<<<<<<< HEAD\n{}=======\n{}>>>>>>> f7c9cfa\n",
                lines(ours),
                lines(theirs)
            ),
            (true, false) => lines(ours),
            (false, _) => lines(theirs),
        };
        n = run.end;
        if n < LINES {
            text += &of[n];
            n += 1;
        }
    }
    text
}

/// A program has written this into the file.
fn write(replica: &mut Replica, text: &str) {
    let state = replica.state();
    *replica = merge_disk(&state, &state, text).unwrap().main;
    assert_eq!(replica.text(), text);
}

fn play(seed: u64) -> Game {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut base = Replica::new(1);
    let mut start: Text = (0..LINES)
        .map(|n| format!("line {n} of the text\n"))
        .collect();
    base.edit(&start.concat());
    let [mut ada, mut bob] = [(); 2].map(|()| base.fork(new_client_id()));
    // What both have taken over from somebody else before they go on.
    let is_common = rng.bool();
    if is_common {
        let cems = change(&mut rng, &start, "Cem", None);
        start = changed(&start, &[&cems]);
        write(&mut ada, &start.concat());
        write(&mut bob, &start.concat());
    }
    let adas = change(&mut rng, &start, "Ada", Some(0));
    let bobs = change(&mut rng, &start, "Bob", Some(1));
    let wanted = changed(&start, &[&adas, &bobs]).concat();
    write(&mut ada, &changed(&start, &[&adas]).concat());
    write(&mut bob, &changed(&start, &[&bobs]).concat());
    write(&mut bob, &merged_by_git(&start, &bobs, &adas));
    write(&mut bob, &wanted);
    let ada_has_it = rng.bool();
    if ada_has_it {
        write(&mut ada, &wanted);
    }
    // One goes on in a line that either has made.
    let last = rng.usize(..LINES);
    let is_made = |n: &usize| {
        [&adas, &bobs]
            .iter()
            .any(|made| made[*n].as_ref().is_some_and(|text| !text.is_empty()))
    };
    let mut text = changed(&start, &[&adas, &bobs]);
    let goes_on = rng.bool();
    let wanted = match (last..LINES).chain(0..last).find(is_made) {
        Some(n) if goes_on => {
            text[n] = text[n].trim_end().to_owned() + " and on\n";
            let who = if ada_has_it && rng.bool() {
                &mut ada
            } else {
                &mut bob
            };
            write(who, &text.concat());
            text.concat()
        }
        _ => wanted,
    };
    Game {
        base,
        adas: ada,
        bobs: bob,
        wanted,
        is_common,
        goes_on,
    }
}

/// `own` hears of all that `other` has, and brings together what both have written.
fn meet(base: &Replica, own: &Replica, other: &Replica) -> Replica {
    let heard = other.diff(&own.state_vector()).unwrap();
    let mut apart = Apart::new(&base.state(), &own.state()).unwrap();
    apart.hear(&heard).unwrap();
    let mut now = own.fork(new_client_id());
    now.apply(&heard).unwrap();
    if let Some(patch) = apart.agree(&now) {
        write_decision(&mut now, &patch).unwrap();
    }
    now
}

/// Whichever of the two decides, nothing is lost, and all is as git would have it. Mostly, that is, where both had
/// taken over something else before, which neither is told that the other has, or one has gone on in what the
/// other has as well: nobody knows whether that is the older.
#[test]
fn what_both_have_is_there_once() {
    let seed = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seeds = seed.map_or(0..SEEDS, |seed: u64| seed..seed + 1);
    let (mut unlike, mut also) = (Vec::new(), Vec::new());
    for seed in seeds {
        let game = play(seed);
        for (first, second) in [(&game.adas, &game.bobs), (&game.bobs, &game.adas)] {
            let text = meet(&game.base, second, first).text();
            if text == game.wanted {
                continue;
            }
            let count = |text: &str, letter: char| text.matches(letter).count();
            let is_lost = |letter: &char| count(&text, *letter) < count(&game.wanted, *letter);
            let lost: Vec<char> = game.wanted.chars().filter(is_lost).collect();
            assert!(lost.is_empty(), "SEED={seed}: {lost:?} are not in {text:?}");
            match game.is_common || game.goes_on {
                true => also.push(seed),
                false => unlike.push(seed),
            }
        }
    }
    let plays = SEEDS as usize / 2;
    assert!(unlike.len() * 100 < plays, "{unlike:?}");
    assert!(also.len() * 8 < 3 * plays, "{}: {also:?}", also.len());
}

/// Bob's bridge does not run, and finds what he has made of it all at once.
#[test]
fn what_a_bridge_finds_that_has_not_run_is_there_once() {
    // His file does not say what both had taken over before, and he has changed since.
    for (seed, game) in (0..SEEDS).map(|seed| (seed, play(seed))) {
        if !game.is_common && !game.goes_on {
            let [base, adas] = [&game.base, &game.adas].map(Replica::state);
            let merged = merge_disk(&base, &adas, &game.wanted).unwrap();
            assert_eq!(merged.main.text(), game.wanted, "SEED={seed}");
        }
    }
}
