//! Bridges that are killed at any moment, while their editors live on and their people type.

use super::undo_tests::Desk;
use super::*;
use crate::diff::diff;

/// Three people write at random, and each one's bridge is killed now and then: between two events,
/// with an edit under way that the editor may have taken in, or with an update that it never sent.
/// Whatever was typed is there once.
#[test]
fn a_killed_bridge_goes_on_where_it_stopped() {
    for seed in 0..600 {
        println!("seed {seed}");
        let mut rng = fastrand::Rng::with_seed(seed);
        let start = "begin";
        let mut desks: Vec<Desk> = (0..3).map(|who| Desk::open(3 + who, start)).collect();
        for desk in &mut desks {
            desk.journal = vec![desk.document.begin_journal()];
        }
        let mut letters = ['\u{4e00}', '\u{6000}', '\u{20000}'];
        let first = letters;
        let mut heard = [[0; 3]; 3];
        let mut user = 10;
        let mut deleted = Vec::new();
        for _ in 0..rng.usize(5..80) {
            let who = rng.usize(0..3);
            let desk = &mut desks[who];
            desk.now += rng.u64(0..900);
            desk.is_slow = rng.bool();
            match rng.u8(0..8) {
                0 | 1 => desk.obey(),
                2 => {
                    kill(desk, &mut rng, &mut letters[who], user);
                    heard[who] = [0; 3];
                    user += 1;
                }
                3 => desk.journal = vec![desk.document.begin_journal()],
                5 => {
                    let mut text = desk.text.clone();
                    for _ in 0..2 {
                        let (at, new) = typed(desk, &mut rng, &mut letters[who]);
                        text.insert(at, &new);
                    }
                    desk.reports_whole(&text.to_string());
                }
                4 => {
                    let length = desk.text.len_chars();
                    let at = rng.usize(0..=length);
                    let delete = rng.usize(0..=(length - at).min(4));
                    deleted.extend(desk.text.slice(at..at + delete).chars());
                    desk.replace(at, delete, "");
                }
                _ => {
                    let (at, text) = typed(desk, &mut rng, &mut letters[who]);
                    desk.replace(at, 0, &text);
                }
            }
            while rng.u8(0..3) > 0 {
                hear(&mut desks, &mut heard, rng.usize(0..3), rng.usize(0..3));
            }
        }
        for desk in &mut desks {
            desk.is_slow = false;
            desk.obey();
        }
        for (who, from) in (0..9).map(|pair| (pair / 3, pair % 3)).chain([(0, 0)]) {
            while hear(&mut desks, &mut heard, who, from) {}
        }
        let text = desks[0].text.to_string();
        for desk in &desks {
            assert_eq!(desk.text.to_string(), text, "seed {seed}");
            assert_eq!(desk.document.main().text(), text, "seed {seed}");
        }
        for (who, first) in first.into_iter().enumerate() {
            let typed: Vec<char> = (first..letters[who]).collect();
            for letter in typed {
                let count = text.chars().filter(|other| *other == letter).count();
                let expected = usize::from(!deleted.contains(&letter));
                assert_eq!(count, expected, "seed {seed}: {letter} of {who} in {text}");
            }
        }
        for letter in start.chars() {
            let expected = usize::from(!deleted.contains(&letter));
            assert_eq!(text.matches(letter).count(), expected, "seed {seed}");
        }
    }
}

fn typed(desk: &Desk, rng: &mut fastrand::Rng, next: &mut char) -> (usize, String) {
    let letters = (0..rng.usize(1..4)).map(|_| {
        let letter = *next;
        *next = char::from_u32(letter as u32 + 1).expect("far from the end");
        letter
    });
    let text = letters.collect();
    (rng.usize(0..=desk.text.len_chars()), text)
}

/// The bridge is gone. The editor shows what it showed, and more; then there is another bridge.
fn kill(desk: &mut Desk, rng: &mut fastrand::Rng, letter: &mut char, user: u64) {
    let asked = desk.asked.take();
    if let Some((_, version, edits)) = asked.filter(|_| rng.bool())
        && version == desk.version
    {
        desk.take_in(edits);
    }
    if rng.bool() {
        desk.sent.pop();
    }
    for _ in 0..rng.usize(0..3) {
        let (at, text) = typed(desk, rng, letter);
        desk.text.insert(at, &text);
    }
    let mut entries = desk.journal.iter().map(Vec::as_slice);
    let begun = entries.next().expect("a journal has a beginning");
    let left = Left::read(1, begun, entries).expect("a journal");
    let shown = left.shown.iter();
    let shown = shown.map(|state| Replica::from_state(2, state).expect("a state"));
    let base = shown.min_by_key(|base| diff(base.rope(), &desk.text).cost());
    let opened = Opened {
        text: desk.text.to_string(),
        version: desk.version,
        encoding: Encoding::Utf16,
        dialect: Dialect::choose(Some("Visual Studio Code")),
        eol_crlf: false,
        user,
    };
    let main = Replica::from_state(user + 1_000, &left.state).expect("a state");
    // The server is told what it lacks.
    desk.sent.push(left.state);
    let (mut document, effects) = Document::open(main, base, opened, Millis(desk.now));
    desk.journal = vec![document.begin_journal()];
    desk.document = document;
    desk.perform(effects);
}

/// The next thing that one has sent arrives at another; whether there was any.
fn hear(desks: &mut [Desk], heard: &mut [[usize; 3]; 3], who: usize, from: usize) -> bool {
    let Some(update) = desks[from].sent.get(heard[who][from]).cloned() else {
        return false;
    };
    heard[who][from] += 1;
    if who != from {
        desks[who].handle(Event::Remote { update });
    }
    true
}
