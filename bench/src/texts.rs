//! Texts of known shapes, and places in them.

use fastrand::Rng;
use ropey::Rope;
use tutti_engine::Replica;
use tutti_engine::patch::{Patch, Splice};

/// Characters in each of [`lines`]'s lines, its end not counted.
pub const WIDTH: usize = 40;

/// A text of so many lines that came to be at one stroke, as a file does that is shared.
pub fn lines(count: usize) -> Replica {
    let text: String = (0..count)
        .map(|line| format!("{line:>7} {:<width$}\n", "la la la", width = WIDTH - 8))
        .collect();
    let mut replica = Replica::new(1);
    replica.edit(&text);
    replica
}

/// A text that so many edits have made, each of one character at a random place.
pub fn scattered(edits: usize, rng: &mut Rng) -> Replica {
    let mut replica = Replica::new(1);
    for number in 1..=edits {
        let letter = if number % WIDTH == 0 { "\n" } else { "a" };
        let at = rng.usize(0..=replica.rope().len_chars());
        replica.splice(&Patch::single(at, 0, letter));
    }
    replica
}

/// So many letters, each typed at a random place of a text.
pub fn anywhere(text: &Rope, count: usize, rng: &mut Rng) -> Vec<Splice> {
    let len = text.len_chars();
    let splices = (0..count).map(|typed| letter(rng.usize(0..=len + typed)));
    splices.collect()
}

/// So many letters, typed one behind the other in the middle of a text.
pub fn onwards(text: &Rope, count: usize) -> Vec<Splice> {
    let middle = text.len_chars() / 2;
    (middle..middle + count).map(letter).collect()
}

fn letter(at: usize) -> Splice {
    Splice {
        at,
        delete: 0,
        insert: "x".into(),
    }
}

/// Splices, each of the text that the one before has made, as whatever `made` makes of the text
/// and the splice.
pub fn along<T>(
    text: &Rope,
    splices: &[Splice],
    mut made: impl FnMut(&Rope, &Splice) -> T,
) -> Vec<T> {
    let mut text = text.clone();
    let each = splices.iter().map(|splice| {
        let one = made(&text, splice);
        Patch::from(splice.clone()).apply(&mut text);
        one
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_of_one_width() {
        let text = lines(123).text();
        assert_eq!(text.lines().count(), 123);
        assert!(text.lines().all(|line| line.len() == WIDTH));
    }

    #[test]
    fn scattered_edits_leave_an_item_each() {
        let replica = scattered(400, &mut Rng::with_seed(1));
        assert_eq!(replica.rope().len_chars(), 400);
        assert_eq!(replica.rope().len_lines(), 11);
        // In one piece it would take hardly more bytes than characters.
        assert!(replica.state().len() > 3 * 400);
    }

    #[test]
    fn letters_stand_where_they_were_typed() {
        let text = Rope::from_str("0123456789");
        let last = |splices: &[Splice]| {
            let mut after = along(&text, splices, |text, splice| {
                let mut text = text.clone();
                text.insert(splice.at, &splice.insert);
                text.to_string()
            });
            after.pop().unwrap()
        };
        assert_eq!(last(&onwards(&text, 3)), "01234xxx56789");
        let scattered = anywhere(&text, 200, &mut Rng::with_seed(2));
        let is_letter = |c: &char| *c == 'x';
        assert_eq!(last(&scattered).chars().filter(is_letter).count(), 200);
    }
}
