//! Whether a text that lacks what others wrote was made by somebody who did not know of that.

use std::collections::HashMap;

use ropey::Rope;
use tutti_engine::diff::diff_lines;

/// The way from what a file held to what was written there, over what its writer may have known.
pub(super) struct Way {
    /// What is written beyond that, in characters that come or go.
    pub(super) forth: usize,
    /// Of these, those that come.
    come: usize,
    /// Characters that go on the way back, or come, and how many of them are a detour.
    back: usize,
    detour: usize,
}

impl Way {
    /// `None` if `held` is all known.
    pub(super) fn over(held: &Rope, known: &Rope, written: &Rope) -> Option<Self> {
        let back = diff_lines(held, known).cost();
        if back == 0 {
            return None;
        }
        let on = diff_lines(known, written);
        let straight = diff_lines(held, written).cost();
        Some(Self {
            back,
            forth: on.cost(),
            come: on
                .splices()
                .iter()
                .map(|splice| splice.insert.chars().count())
                .sum(),
            detour: (back + on.cost()).saturating_sub(straight),
        })
    }

    /// Whether it is the shortest: nothing of what goes on the way back comes again.
    pub(super) fn is_straight(&self) -> bool {
        self.detour == 0
    }

    /// Whether little of what goes on the way back comes again: else somebody has changed that, who has
    /// seen it, as a formatter does.
    pub(super) fn goes_back(&self) -> bool {
        self.detour <= self.back
    }

    /// Whether the writer has written something of their own, and not only gone back to what was there.
    pub(super) fn brings(&self) -> bool {
        self.come > 0
    }
}

/// Whether most words of what others wrote are not in what was written. Where it is known that somebody has
/// not seen that and is likely to be the writer, letters that both have used tell nothing, and some words
/// everybody uses.
pub(super) fn is_unaware(held: &Rope, known: &Rope, written: &Rope) -> bool {
    let [held, known, written] = [held, known, written].map(Rope::to_string);
    let words = Words::of(&known);
    let unknown = Words::of(&held).without(&words);
    let not_written = unknown.without(&Words::of(&written).without(&words));
    2 * not_written.bytes() >= unknown.bytes()
}

/// Words, and how often each is there.
struct Words<'a>(HashMap<&'a str, usize>);

impl<'a> Words<'a> {
    fn of(text: &'a str) -> Self {
        let mut all = HashMap::new();
        for word in text.split_whitespace() {
            *all.entry(word).or_default() += 1;
        }
        Self(all)
    }

    fn without(&self, others: &Self) -> Self {
        let left = self.0.iter().map(|(word, count)| {
            let other = others.0.get(word).copied().unwrap_or_default();
            (*word, count.saturating_sub(other))
        });
        Self(left.filter(|(_, count)| *count > 0).collect())
    }

    fn bytes(&self) -> usize {
        let bytes = self.0.iter().map(|(word, count)| word.len() * count);
        bytes.sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The way, and whether its writer is unaware.
    fn over(held: &str, known: &str, written: &str) -> (Way, bool) {
        let [held, known, written] = [held, known, written].map(Rope::from);
        let way = Way::over(&held, &known, &written).unwrap();
        (way, is_unaware(&held, &known, &written))
    }

    #[test]
    fn who_writes_much_the_same_in_one_place_has_not_seen_it() {
        let (way, is_unaware) = over(
            "8 alpha beta gamma <C>\n",
            "8\n",
            "8 delta beta epsilon <A>\n",
        );
        assert!(is_unaware && !way.goes_back() && way.brings());
    }

    #[test]
    fn who_sets_it_otherwise_has_seen_it() {
        let (_, is_unaware) = over("f(\n  a,\n  b)\n", "", "f( a, b )\n");
        assert!(!is_unaware);
        let (way, is_unaware) = over("1\nothers\n2\n", "1\n2\n", "1\n  others\n2\n");
        assert!(!is_unaware && !way.goes_back());
        let (way, is_unaware) = over("1\nothers\n2\n", "1\n2\n", "1\noth\n2\n");
        assert!(is_unaware && !way.goes_back());
    }

    #[test]
    fn who_writes_what_they_knew_brings_nothing() {
        let (way, is_unaware) = over("1\nothers\n2\n", "1\n2\n", "1\n2\n");
        assert!(is_unaware && way.is_straight() && !way.brings() && way.forth == 0);
        let (way, _) = over("1\nothers\n2\n", "1\n2\n", "1\n");
        assert!(way.goes_back() && !way.brings() && way.forth > 0);
    }

    #[test]
    fn what_others_deleted_is_a_way_back_too() {
        let (way, is_unaware) = over("1\n", "1\n2\n", "1\n2\n3\n");
        assert!(way.goes_back() && is_unaware && way.brings());
    }
}
