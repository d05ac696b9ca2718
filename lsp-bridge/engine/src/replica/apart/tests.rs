//! What two write without hearing of each other.

use super::*;
use crate::diff::diff_lines;
use crate::patch::Patch;
use ropey::Rope;

/// Two people, and what both had before.
struct Pair {
    base: Vec<u8>,
    people: [Replica; 2],
}

impl Pair {
    fn new(text: &str) -> Self {
        let mut first = Replica::new(1);
        first.edit(text);
        let people = [first.fork(7), first.fork(5)];
        let base = first.state();
        Self { base, people }
    }

    /// One of them makes a text of theirs, a letter at a time or in one.
    fn writes(&mut self, who: usize, text: &str, is_typed: bool) {
        let replica = &mut self.people[who];
        let patch = diff_lines(replica.rope(), &Rope::from_str(text));
        if !is_typed {
            replica.splice(&patch);
            return;
        }
        for splice in patch.splices().iter().rev() {
            replica.splice(&Patch::single(splice.at, splice.delete, ""));
            for (n, letter) in splice.insert.chars().enumerate() {
                replica.splice(&Patch::single(splice.at + n, 0, letter));
            }
        }
    }

    /// One of them makes a text of theirs in the name of the change, as who else makes it would.
    fn writes_as(&mut self, name: u64, who: usize, text: &str) {
        let replica = &mut self.people[who];
        let patch = diff_lines(replica.rope(), &Rope::from_str(text));
        replica.splice_as(NAMES + name, &patch);
    }

    /// They meet, and `who` decides.
    fn meet(&self, who: Option<usize>) -> [String; 2] {
        let mut now = self.people.each_ref().map(|one| one.fork(9));
        let states = self.people.each_ref().map(Replica::state);
        for (one, theirs) in now.iter_mut().zip(states.iter().rev()) {
            one.apply(theirs).unwrap();
        }
        if let Some(decision) = who.and_then(|who| self.decide(who, &now[who])) {
            now.iter_mut().for_each(|one| one.apply(&decision).unwrap());
        }
        now.map(|one| one.text())
    }

    fn decide(&self, who: usize, now: &Replica) -> Option<Vec<u8>> {
        let mut apart = Apart::new(&self.base, &self.people[who].state()).unwrap();
        let base = Replica::from_state(0, &self.base).unwrap();
        let theirs = self.people[1 - who].diff(&base.state_vector()).unwrap();
        apart.hear(&theirs).unwrap();
        let mut decided = now.fork(DECISIONS.start);
        apart.agree(now).map(|patch| decided.splice(&patch))
    }

    fn meets_as(&self, expected: &str) {
        for who in 0..2 {
            assert_eq!(
                self.meet(Some(who)),
                [expected, expected],
                "decided by {who}"
            );
        }
    }
}

/// How many random plays.
const SEEDS: u64 = 1_000;

const START: &str = "one\ntwo\nthree\nfour\nfive\n";

#[test]
fn what_both_have_made_of_it_is_there_once() {
    let table = [
        // New lines: in the middle, at the start, at the end.
        "one\nnew\ntwo\nthree\nfour\nfive\n",
        "new\nand more\none\ntwo\nthree\nfour\nfive\n",
        "one\ntwo\nthree\nfour\nfive\nnew\nand more",
        // Changed lines, beside each other and apart, and gone.
        "one\ntwo, changed\nthree, as well\nfour\nfive\n",
        "one changed\ntwo\nthree\nfour\nfive, too\n",
        "one\nthree\nfive\nsix 😀é\n",
        // Everything.
        "other\nlines\n",
        "",
    ];
    for text in table {
        for typed in [[false, true], [true, false], [true, true], [false, false]] {
            let mut pair = Pair::new(START);
            pair.writes(0, text, typed[0]);
            pair.writes(1, text, typed[1]);
            pair.meets_as(text);
        }
    }
}

#[test]
fn who_has_gone_on_has_gone_on() {
    let mut pair = Pair::new(START);
    pair.writes(0, "one\ncommitted\nlines\ntwo\nthree\nfour\nfive\n", true);
    pair.writes(
        0,
        "one\ncommitted\nlines\nand more\ntwo\nthree\nfour, too\nfive\n",
        true,
    );
    pair.writes(1, "one\ncommitted\nlines\ntwo\nthree\nfour\nfive\n", false);
    pair.meets_as("one\ncommitted\nlines\nand more\ntwo\nthree\nfour, too\nfive\n");
    let mut pair = Pair::new(START);
    pair.writes(0, "one\ncommitted\nlines\ntwo\nthree\nfour\nfive\n", true);
    pair.writes(
        1,
        "one\nbefore\ncommitted\nlines\ntwo\nthree\nfour\nfive\n",
        false,
    );
    pair.meets_as("one\nbefore\ncommitted\nlines\ntwo\nthree\nfour\nfive\n");
}

#[test]
fn who_has_gone_on_within_it_has_both() {
    let with = |lines: &str| format!("one\na function\nwith {lines} in its middle\n}}\ntwo\n");
    let mut pair = Pair::new("one\ntwo\n");
    pair.writes(0, &with("a line\n"), true);
    pair.writes(0, &with("another\n"), true);
    pair.writes(1, &with("a line\n"), false);
    pair.meets_as(&with("a line\nwith another\n"));
}

#[test]
fn a_line_that_is_written_anew_is_the_line_that_was_changed() {
    let changed = "one\ntwo and a half\nthree\nfour\nfive\n";
    let mut pair = Pair::new(START);
    // The whole line by the one, some letters by the other.
    pair.writes(0, "one\nthree\nfour\nfive\n", true);
    pair.writes(0, changed, true);
    pair.writes(1, changed, false);
    pair.meets_as(changed);
}

/// Markers of a conflict come and go, or an older text and the newer one again: what the other has written
/// stands where they have written it.
#[test]
fn who_writes_it_anew_has_changed_nothing() {
    let lines = |from: usize, to: usize| -> String {
        (from..=to).map(|n| format!("line {n} of it\n")).collect()
    };
    let start = lines(1, 20);
    let changed = start.replace("line 12", "my line 12");
    let mut pair = Pair::new(&start);
    pair.writes(0, &changed, true);
    pair.writes(1, &(lines(1, 1) + &lines(12, 20)), false);
    pair.writes(1, &start, false);
    pair.meets_as(&changed);
    let theirs = start.replace("line 13", "their thirteenth");
    let both = changed.replace("line 13", "their thirteenth");
    let mut pair = Pair::new(&start);
    pair.writes(0, &changed.replace("my line 12 of it", "what I put"), true);
    let marked = format!(
        "{}<<<<\nline 12 of it\ntheir thirteenth of it\n====\nwhat I put\nline 13 of it\n>>>>\n{}",
        lines(1, 11),
        lines(14, 20)
    );
    pair.writes(1, &theirs, false);
    pair.writes(1, &marked, false);
    pair.writes(1, &both.replace("my line 12 of it", "what I put"), false);
    pair.meets_as(&both.replace("my line 12 of it", "what I put"));
}

#[test]
fn who_writes_something_else_writes_something_else() {
    let table = [
        (
            "one\nmine\ntwo\nthree\nfour\nfive\n",
            "one\nyours\ntwo\nthree\nfour\nfive\n",
        ),
        (
            "one\na line\ntwo\nthree\nfour\nfive\n",
            "one\na line of mine\ntwo\nthree\nfour\nfive\n",
        ),
        (
            "one\ntwo\nthree\nfour\nfive\n}\n",
            "one\ntwo\nthree\nfour\nfive\n}\n",
        ),
        (
            "one\ntwo x\nthree\nfour\nfive\n",
            "one\ntwo x y\nthree\nfour\nfive\n",
        ),
        // The same letters, at other places of one line.
        (
            "one\nt, andwo\nthree\nfour\nfive\n",
            "one\ntw, ando\nthree\nfour\nfive\n",
        ),
    ];
    for (mine, yours) in table {
        let mut pair = Pair::new(START);
        pair.writes(0, mine, true);
        pair.writes(1, yours, true);
        let kept = pair.meet(None);
        for who in 0..2 {
            assert_eq!(pair.meet(Some(who)), kept, "{mine:?} {yours:?}");
        }
    }
}

#[test]
fn what_is_typed_while_they_meet_stays() {
    let text = "one\ncommitted\ntwo\nthree\nfour\nfive\n";
    let mut pair = Pair::new(START);
    pair.writes(0, text, true);
    pair.writes(1, text, false);
    let mut now = pair.people[0].fork(9);
    now.apply(&pair.people[1].state()).unwrap();
    now.edit(&format!("{}six\n", now.text()));
    let decision = pair.decide(0, &now).unwrap();
    now.apply(&decision).unwrap();
    assert_eq!(now.text(), format!("{text}six\n"));
    // And within the lines that are compared: then they are not the same any more.
    let mut now = pair.people[0].fork(9);
    now.apply(&pair.people[1].state()).unwrap();
    let at = now.text().find("mitted").unwrap();
    now.splice(&Patch::single(at, 0, "X"));
    assert!(pair.decide(0, &now).is_none());
}

/// Of what git could merge both have the very same characters, which neither is told again.
#[test]
fn what_both_have_in_one_name_is_no_difference() {
    let line = |n: usize| format!("line {n} of it\n");
    let start: Vec<String> = (0..20).map(line).collect();
    let with = |lines: &[String], n: usize, text: &str| {
        let mut changed = lines.to_vec();
        changed[n] = text.to_owned();
        changed
    };
    let merged = with(&start, 6, "what I put\n");
    let mine = with(&merged, 12, "mine\n");
    let both = with(&mine, 13, "line 13 of them\n");
    let theirs = with(&start, 13, "line 13 of them\n");
    let took = with(&theirs, 6, "what I put\n");
    let marked = with(
        &took,
        13,
        "line 13 of them\n====\nmine\nline 13 of it\n>>>>\n",
    );
    let mut pair = Pair::new(&start.concat());
    pair.writes_as(1, 0, &merged.concat());
    pair.writes(0, &mine.concat(), false);
    pair.writes_as(2, 1, &theirs.concat());
    pair.writes_as(1, 1, &took.concat());
    pair.writes(1, &marked.concat(), false);
    pair.writes(1, &both.concat(), false);
    pair.meets_as(&both.concat());
}

/// What both have taken over and what each has written besides, in random places: what is there before
/// anybody decides is there afterwards, and what both took over mostly once.
#[test]
fn nothing_goes_but_what_is_twice() {
    let mut left_twice = 0_u64;
    for seed in 0..SEEDS {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut number = 0;
        let mut make = |of: &[String], name: &str, count: usize| {
            let mut lines = of.to_vec();
            for _ in 0..count {
                number += 1;
                let at = rng.usize(0..=lines.len());
                match rng.u8(0..5) {
                    0 if at < lines.len() => drop(lines.remove(at)),
                    1 if at < lines.len() => {
                        lines[at].insert_str(0, &format!("{name}{number:02}. "))
                    }
                    _ => lines.insert(at, format!("line {name}{number:02}.\n")),
                }
            }
            lines
        };
        let start = make(&[], "s", 40);
        let brought = make(&start, "c", 4);
        let texts = ["a", "b"].map(|name| make(&brought, name, 2).concat());
        let mut pair = Pair::new(&start.concat());
        let by_letters = [rng.bool(), rng.bool()];
        for who in 0..2 {
            let in_steps = by_letters[who] && texts[who] != brought.concat();
            in_steps.then(|| pair.writes(who, &brought.concat(), true));
            pair.writes(who, &texts[who], by_letters[who]);
        }
        let [before, _] = pair.meet(None);
        let count = |text: &str, name: &str| text.matches(name).count();
        for who in 0..2 {
            let [after, other] = pair.meet(Some(who));
            assert_eq!(after, other, "seed {seed}, decided by {who}");
            for (n, kind) in (1..=48).flat_map(|n| "scab".chars().map(move |kind| (n, kind))) {
                let name = format!("{kind}{n:02}.");
                let (was, is) = (count(&before, &name), count(&after, &name));
                // A merge by characters alone may tear a name apart.
                let is_whole = texts.iter().any(|text| count(text, &name) == is);
                let is_less = kind == 'c' && 0 < is && is < was;
                let is_right = is == was || is_less || was < is && is_whole;
                assert!(
                    is_right,
                    "seed {seed}, decided by {who}: {name} of {texts:?}: {before:?} {after:?}"
                );
            }
            let times = |text: &str, line: &str| text.lines().filter(|one| *one == line).count();
            let is_twice = |line: &str| {
                let is_once = texts.iter().all(|text| times(text, line) == 1);
                line.contains('c') && is_once && times(&after, line) > 1
            };
            left_twice += u64::from(after.lines().any(is_twice));
        }
    }
    let plays = 2 * SEEDS;
    assert!(
        left_twice * 8 < plays,
        "left twice: {left_twice} of {plays}"
    );
}
