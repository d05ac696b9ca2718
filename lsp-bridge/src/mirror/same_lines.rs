//! Lines that two have brought into one place, each in a way of their own.
//!
//! Two people take a file back to what it held once, by git perhaps, and to different times: a line that
//! both bring back is an insertion in the one text, and in the other a change of the line beside it, which
//! is not there any more. It is one line all the same.

use ropey::Rope;
use tutti_engine::patch::{Patch, Splice};

use super::beside::{ALIKE, changed, chars, lines_of};

/// Lines of a text, and what a patch makes of them.
struct Block<'a> {
    start: usize,
    end: usize,
    made: String,
    splices: &'a [Splice],
}

impl Block<'_> {
    /// Whether it is nothing but new lines.
    fn is_inserted(&self) -> bool {
        self.start == self.end && self.made.ends_with('\n') && chars(&self.made).len() >= ALIKE
    }

    /// What it makes of its lines besides those that `other` inserts before or behind them.
    fn without(&self, other: &Self) -> Option<&str> {
        if !other.is_inserted() || self.start == self.end {
            return None;
        }
        let before = (other.start == self.start)
            .then(|| self.made.strip_prefix(&other.made))
            .flatten();
        let behind = || (other.start == self.end).then(|| self.made.strip_suffix(&other.made));
        before.or_else(|| behind().flatten())
    }
}

/// `ours` without the lines that `theirs`, a patch of the same text, brings into the same place.
pub(super) fn brought_once(base: &Rope, ours: &Patch, theirs: &Patch) -> Patch {
    let theirs = blocks(base, theirs);
    let mut once = Patch::default();
    for block in blocks(base, ours) {
        if theirs.iter().any(|other| other.without(&block).is_some()) {
            continue;
        }
        match theirs.iter().find_map(|other| block.without(other)) {
            Some(rest) => once.push(Splice {
                at: block.start,
                delete: block.end - block.start,
                insert: rest.to_owned(),
            }),
            None => block.splices.iter().cloned().for_each(|one| once.push(one)),
        }
    }
    once
}

fn blocks<'a>(base: &Rope, patch: &'a Patch) -> Vec<Block<'a>> {
    let mut found = Vec::new();
    let mut rest = patch.splices();
    while let Some(first) = rest.first() {
        let (start, mut end) = lines_of(base, first);
        let mut count = 1;
        while let Some(next) = rest.get(count).map(|next| lines_of(base, next))
            && next.0 <= end
        {
            end = end.max(next.1);
            count += 1;
        }
        let (splices, others) = rest.split_at(count);
        found.push(Block {
            start,
            end,
            made: changed(base, start, end, splices),
            splices,
        });
        rest = others;
    }
    found
}
