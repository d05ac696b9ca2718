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
    /// Bytes of the words that the writer may not have known, and of those of them that were written all the same.
    unknown: usize,
    known_after_all: usize,
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
        let [held, known, written] = [held, known, written].map(Rope::to_string);
        let words = Words::of(&known);
        let (unknown, new) = (
            Words::of(&held).without(&words),
            Words::of(&written).without(&words),
        );
        Some(Self {
            back,
            forth: on.cost(),
            come: on
                .splices()
                .iter()
                .map(|splice| splice.insert.chars().count())
                .sum(),
            detour: (back + on.cost()).saturating_sub(straight),
            unknown: unknown.bytes(),
            known_after_all: unknown.bytes() - unknown.without(&new).bytes(),
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

    /// The same where it is known that somebody has not seen what others wrote, and is likely to be the
    /// writer: letters that both have used tell nothing then, and of the words, some everybody uses.
    pub(super) fn is_unaware(&self) -> bool {
        self.known_after_all <= self.unknown / 2
    }

    /// Whether the writer has written something of their own, and not only gone back to what was there.
    pub(super) fn brings(&self) -> bool {
        self.come > 0
    }
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

    fn over(held: &str, known: &str, written: &str) -> Way {
        let [held, known, written] = [held, known, written].map(Rope::from);
        Way::over(&held, &known, &written).unwrap()
    }

    #[test]
    fn who_writes_much_the_same_in_one_place_has_not_seen_it() {
        let way = over(
            "8 alpha beta gamma <C>\n",
            "8\n",
            "8 delta beta epsilon <A>\n",
        );
        assert!(way.is_unaware() && !way.goes_back() && way.brings());
    }

    #[test]
    fn who_sets_it_otherwise_has_seen_it() {
        let way = over("f(\n  a,\n  b)\n", "", "f( a, b )\n");
        assert!(!way.is_unaware());
        let way = over("1\nothers\n2\n", "1\n2\n", "1\n  others\n2\n");
        assert!(!way.is_unaware() && !way.goes_back());
        let way = over("1\nothers\n2\n", "1\n2\n", "1\noth\n2\n");
        assert!(way.is_unaware() && !way.goes_back());
    }

    #[test]
    fn who_writes_what_they_knew_brings_nothing() {
        let way = over("1\nothers\n2\n", "1\n2\n", "1\n2\n");
        assert!(way.is_unaware() && way.is_straight() && !way.brings() && way.forth == 0);
        let way = over("1\nothers\n2\n", "1\n2\n", "1\n");
        assert!(way.goes_back() && !way.brings() && way.forth > 0);
    }

    #[test]
    fn what_others_deleted_is_a_way_back_too() {
        let way = over("1\n", "1\n2\n", "1\n2\n3\n");
        assert!(way.goes_back() && way.is_unaware() && way.brings());
    }
}
