//! Stories made up at random: what is found is never longer, and leads to the same text.

use fastrand::Rng;
use ropey::Rope;

use super::distances::{Distances, Made};
use super::falls::Window;
use super::{Expected, Explanation, as_patch, explain, landed};
use crate::patch::{Patch, Splice};
use crate::position::{Encoding, Range, TextEdit, position};

const LETTERS: [char; 6] = ['a', 'a', 'b', 'é', '𝐚', '\n'];

fn text(rng: &mut Rng, most: usize) -> String {
    let letters = (0..rng.usize(0..=most)).map(|_| *rng.choice(&LETTERS).expect("not empty"));
    letters.collect()
}

/// The person does something or other; how many characters of theirs that takes.
fn types(text: &mut Rope, rng: &mut Rng) -> usize {
    let mut cost = 0;
    for _ in 0..rng.usize(0..3) {
        let at = rng.usize(0..=text.len_chars());
        let delete = rng.usize(0..=2).min(text.len_chars() - at);
        let patch = Patch::from(Splice {
            at,
            delete,
            insert: self::text(rng, 3),
        });
        cost += patch.cost();
        patch.apply(text);
    }
    cost
}

/// How many characters differ.
fn way(one: &Rope, other: &Rope) -> usize {
    let letters = |text: &Rope| text.chars().collect::<Vec<char>>();
    let made = Made {
        inserted: &[],
        lines: 0,
        units: 0,
    };
    let (one, other) = (letters(one), letters(other));
    let distances = Distances::between(&one, &other, &vec![1; one.len()], &made);
    distances.expect("short texts").behind(0, 0) as usize
}

#[test]
fn no_story_is_shorter_than_the_one_that_is_found() {
    for seed in 0..4_000 {
        let mut rng = Rng::with_seed(seed);
        let encodings = [Encoding::Utf8, Encoding::Utf16, Encoding::Utf32];
        let encoding = *rng.choice(&encodings).expect("not empty");
        let shown = Rope::from_str(&text(&mut rng, 12));
        let start = rng.usize(0..=shown.len_chars());
        let end = rng.usize(start..=shown.len_chars());
        let place = |at| position(&shown, at, encoding);
        let raw = vec![TextEdit {
            range: Range {
                start: place(start),
                end: place(end),
            },
            new_text: text(&mut rng, 3),
        }];
        let edit = as_patch(&shown, &raw, encoding);
        let mut next = shown.clone();
        let mut cost = types(&mut next, &mut rng);
        as_patch(&next, &raw, encoding).apply(&mut next);
        cost += types(&mut next, &mut rng);
        let expected = Expected {
            edit: [edit.clone(), edit],
            raw: raw.clone(),
            overtaken: false,
            may_merge: true,
            may_fall: true,
            may_round_up: false,
            accepted: true,
            certain: true,
        };
        let window = Window::around(&shown, &next, &raw[0], encoding);
        let found = window.shortest(&expected, usize::MAX).expect("short texts");
        let least = found.iter().map(|fall| fall.cost.0).min();
        assert!(
            least.is_some_and(|least| least <= cost),
            "seed {seed}: {shown:?} to {next:?} by {raw:?} took {cost}, not {least:?}"
        );
        for fall in found {
            let fall = window.in_whole(fall);
            let made = landed(&landed(&shown, &fall.typed), &fall.fallen);
            // What the person has done to what the edit had brought is not told.
            assert!(
                way(&made, &next) <= fall.cost.0,
                "seed {seed}: {shown:?} by {raw:?} {fall:?}: {made:?} is not {next:?}"
            );
        }
        if let Explanation::User = explain(&shown, &next, &expected, encoding) {
            panic!("seed {seed}: it is certain that the edit was made");
        }
    }
}

/// It ends where it was to end, in the text in which it was made.
#[test]
fn an_edit_takes_as_much_as_it_names() {
    let shown = Rope::from_str("abcdef");
    let place = |at| position(&shown, at, Encoding::Utf32);
    let range = Range {
        start: place(0),
        end: place(3),
    };
    let raw = TextEdit {
        range,
        new_text: "X".into(),
    };
    let edit = as_patch(&shown, std::slice::from_ref(&raw), Encoding::Utf32);
    let expected = Expected {
        edit: [edit.clone(), edit],
        raw: vec![raw.clone()],
        overtaken: false,
        may_merge: true,
        may_fall: true,
        may_round_up: false,
        accepted: true,
        certain: true,
    };
    for (next, least) in [
        ("Xdef", 0),
        // A letter that nobody has seen went with two of these.
        ("Xcdef", 1),
        ("Xbcdef", 2),
        ("Xef", 1),
        ("XYdef", 1),
    ] {
        let next = Rope::from_str(next);
        let window = Window::around(&shown, &next, &raw, Encoding::Utf32);
        let found = window.shortest(&expected, usize::MAX).expect("short texts");
        let cost = found.iter().map(|fall| fall.cost.0).min();
        assert_eq!(cost, Some(least), "{next:?}");
    }
}
