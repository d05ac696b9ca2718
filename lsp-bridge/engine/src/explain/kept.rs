//! Of several shortest ways from one text to another, one that leaves an edit as it was.
//!
//! A person pastes two lines before a letter that has just come, and deletes the line end behind it.
//! A comparison may as well find that they took the letter away and typed it anew.

use ropey::Rope;

use crate::diff::diff;
use crate::patch::{Patch, Splice};

/// So many places are looked at, the nearest first.
const MOST_PLACES: usize = 4_096;
/// And so many at which the new text has what the edit brought.
const MOST_LIKE_IT: usize = 16;

/// A way of no more than `most` characters from `whole`, the text behind `edit`, to `next` in which what
/// the edit brought stays.
pub(super) fn keeping(edit: &Patch, whole: &Rope, next: &Rope, most: usize) -> Option<Patch> {
    let [Splice { at, insert, .. }] = edit.splices() else {
        return None;
    };
    let (at, len) = (*at, insert.chars().count());
    let last = next.len_chars().checked_sub(len).filter(|_| len > 0)?;
    // Before a place that has moved by more, more must have come or gone.
    let nearest = (0..=most).flat_map(|by| [at.checked_sub(by), Some(at + by)]);
    let places = nearest.flatten().take(MOST_PLACES);
    places
        .filter(|start| *start <= last && next.slice(*start..start + len) == insert.as_str())
        .take(MOST_LIKE_IT)
        .map(|start| around(whole, at, next, start, len))
        .find(|way| way.cost() <= most)
}

/// The way from `old` to `new` in which `len` characters move from one place to the other.
fn around(old: &Rope, old_at: usize, new: &Rope, new_at: usize, len: usize) -> Patch {
    let part = |text: &Rope, from: usize, to: usize| Rope::from(text.slice(from..to));
    let mut way = diff(&part(old, 0, old_at), &part(new, 0, new_at));
    let behind = diff(
        &part(old, old_at + len, old.len_chars()),
        &part(new, new_at + len, new.len_chars()),
    );
    for splice in behind.splices() {
        way.push(Splice {
            at: old_at + len + splice.at,
            ..splice.clone()
        });
    }
    way
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two ways need as many characters: over the line end, or over the letter.
    #[test]
    fn what_came_stays() {
        let (edit, whole) = (Patch::single(0, 0, "x"), Rope::from_str("x\n"));
        let next = Rope::from_str("ab\nx");
        let way = keeping(&edit, &whole, &next, 4).expect("there is one");
        let mut text = whole.clone();
        way.apply(&mut text);
        assert_eq!(text, next);
        let mut two = Patch::single(0, 0, "ab\n");
        two.push(Splice {
            at: 1,
            delete: 1,
            insert: String::new(),
        });
        assert_eq!(way, two);
        assert_eq!(keeping(&edit, &whole, &next, 3), None);
        // It is gone, or was a deletion.
        assert_eq!(keeping(&edit, &whole, &Rope::from_str("ab\n"), 9), None);
        let deletion = Patch::single(0, 1, "");
        assert_eq!(keeping(&deletion, &next, &next, 9), None);
    }
}
