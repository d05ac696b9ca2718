//! Two patches of one text that have partly done the same.

use ropey::Rope;
use tutti_engine::diff::diff_lines;
use tutti_engine::patch::{Patch, Side, Splice};

/// What is left of a patch beside another patch of the same text.
pub(super) struct Beside {
    /// As a patch of that text.
    pub(super) left: Patch,
    /// As a patch of what the other has made of it.
    pub(super) in_theirs: Patch,
    /// Whether some of it stands within, or next to, what the other has inserted.
    pub(super) meets: bool,
}

/// Leaves out of `ours` what `theirs` does as well.
pub(super) fn beside(ours: &Patch, theirs: &Patch, likeness: Likeness) -> Beside {
    let (mut left, mut in_theirs, mut meets) = (Patch::default(), Vec::new(), false);
    for splice in ours.splices() {
        let Some(rest) = rest(splice, theirs, likeness) else {
            left.push(splice.clone());
            let moved = Patch::from(splice.clone()).rebase(theirs, Side::After);
            in_theirs.extend(moved.splices().to_vec());
            continue;
        };
        for part in rest {
            meets = true;
            left.push(inserted(splice.end(), &part.insert));
            in_theirs.push(part);
        }
    }
    in_theirs.sort_by_key(|splice| splice.at);
    let mut whole = Patch::default();
    in_theirs.into_iter().for_each(|splice| whole.push(splice));
    Beside {
        left,
        in_theirs: whole,
        meets,
    }
}

fn inserted(at: usize, text: &str) -> Splice {
    Splice {
        at,
        delete: 0,
        insert: text.to_owned(),
    }
}

/// When two insertions in one place are taken for one.
#[derive(Debug, Clone, Copy)]
pub(super) enum Likeness {
    /// If they are the same, or the one goes on where the other ends, or is the last lines of the other:
    /// two people who write lines that begin alike have written two lines.
    Continued,
    /// If they share much at their ends: what an editor has may have been exchanged in part, and its
    /// person and the others have gone on in it.
    Exchanged,
}

impl Likeness {
    /// Whether two insertions are one that share so many characters at their ends.
    fn are_one(self, ours: &[char], theirs: &[char], head: usize, tail: usize) -> bool {
        let shorter = ours.len().min(theirs.len());
        match self {
            Self::Continued => {
                ours == theirs || shorter >= ALIKE && (head >= shorter || self.is_end(ours, theirs))
            }
            Self::Exchanged => head + tail >= ALIKE || 2 * (head + tail) >= shorter.max(1),
        }
    }

    /// Whether one of two insertions is the last lines of the other.
    fn is_end(self, ours: &[char], theirs: &[char]) -> bool {
        let (long, short) = match ours.len() > theirs.len() {
            true => (ours, theirs),
            false => (theirs, ours),
        };
        let before = long.len() - short.len();
        let is_of_lines = short.ends_with(&['\n']) && before > 0 && long[before - 1] == '\n';
        matches!(self, Self::Continued) && is_of_lines && long.ends_with(short)
    }
}

/// So many characters are no chance.
pub(super) const ALIKE: usize = 3;
/// Nobody writes so many characters, or three quarters of them, as somebody else does by chance.
const LONG: usize = 128;

/// What a splice inserts beyond what another patch inserts in the same place, as insertions into what
/// the other has made. `None` if the two have too little in common to be one.
fn rest(splice: &Splice, theirs: &Patch, likeness: Likeness) -> Option<Vec<Splice>> {
    let mut shift = 0isize;
    for other in theirs.splices() {
        if (other.at, other.delete) == (splice.at, splice.delete) {
            let start = (other.at as isize + shift) as usize;
            if let Likeness::Exchanged = likeness
                && let Some(parts) = grown_apart(&splice.insert, &other.insert)
            {
                let moved = parts.map(|part| Splice {
                    at: start + part.at,
                    ..part
                });
                return Some(moved.collect());
            }
            let (ours, theirs) = (chars(&splice.insert), chars(&other.insert));
            let same = |(a, b): &(&char, &char)| a == b;
            let head = std::iter::zip(&ours, &theirs).take_while(same).count();
            let shorter = ours.len().min(theirs.len());
            let ends = std::iter::zip(ours.iter().rev(), theirs.iter().rev());
            let tail = ends.take(shorter - head).take_while(same).count();
            let (head, tail) = match head + tail < shorter {
                true => whole_lines(&ours, &theirs, head, tail),
                false if likeness.is_end(&ours, &theirs) => (0, shorter),
                false => (head, tail),
            };
            let is_one = likeness.are_one(&ours, &theirs, head, tail);
            let rest: String = ours[head..ours.len() - tail].iter().collect();
            let rest = (!rest.is_empty()).then(|| inserted(start + head, &rest));
            return is_one.then(|| rest.into_iter().collect());
        }
        shift += chars(&other.insert).len() as isize - other.delete as isize;
    }
    None
}

/// What `ours` has more than `theirs`, as insertions, if both are one long text in which people have
/// gone on here and there. `None` if they are not.
fn grown_apart(ours: &str, theirs: &str) -> Option<impl Iterator<Item = Splice>> {
    let (ours, theirs) = (Rope::from_str(ours), Rope::from_str(theirs));
    let shorter = ours.len_chars().min(theirs.len_chars());
    if shorter < LONG {
        return None;
    }
    let way = diff_lines(&theirs, &ours);
    let gone: usize = way.splices().iter().map(|splice| splice.delete).sum();
    let parts = way.splices().to_vec().into_iter();
    let more = parts.filter(|splice| !splice.insert.is_empty());
    let is_one = 4 * (theirs.len_chars() - gone) >= 3 * shorter;
    is_one.then(|| more.map(|splice| inserted(splice.end(), &splice.insert)))
}

/// Of what two insertions of whole lines share at their ends, the whole lines: that others begin alike
/// means nothing.
fn whole_lines(ours: &[char], theirs: &[char], head: usize, tail: usize) -> (usize, usize) {
    if !ours.ends_with(&['\n']) || !theirs.ends_with(&['\n']) {
        return (head, tail);
    }
    let is_end = |c: &char| *c == '\n';
    let head = ours[..head].iter().rposition(is_end).map_or(0, |at| at + 1);
    let begins = ours.len() - tail;
    if begins > 0 && ours[begins - 1] == '\n' && theirs[theirs.len() - tail - 1] == '\n' {
        return (head, tail);
    }
    let skipped = ours[begins..].iter().position(is_end);
    (head, skipped.map_or(0, |at| tail - at - 1))
}

pub(super) fn chars(text: &str) -> Vec<char> {
    text.chars().collect()
}

/// `ours` with whole lines where `theirs` has deleted lines that it has changed: the letters that were
/// changed would be left without the rest of their line.
pub(super) fn whole_where_deleted(base: &Rope, ours: &Patch, theirs: &Patch) -> Patch {
    let mut whole = Patch::default();
    let mut splices = ours.splices();
    while let Some(first) = splices.first() {
        let (start, mut end) = lines_of(base, first);
        let mut count = 1;
        while let Some(next) = splices.get(count)
            && next.at < end
        {
            end = end.max(lines_of(base, next).1);
            count += 1;
        }
        let (here, rest) = splices.split_at(count);
        splices = rest;
        let covers = |splice: &Splice| splice.at <= start && splice.end() >= end;
        if start < end && theirs.splices().iter().any(covers) {
            whole.push(Splice {
                at: start,
                delete: end - start,
                insert: changed(base, start, end, here),
            });
        } else {
            here.iter().cloned().for_each(|splice| whole.push(splice));
        }
    }
    whole
}

/// `ours` without the deletion of whole lines that `theirs` has changed: what was written in them would be
/// left without the rest of its line, at the beginning of the next.
pub(super) fn kept_where_changed(base: &Rope, ours: &Patch, theirs: &Patch) -> Patch {
    let changed: Vec<(usize, usize)> = theirs
        .splices()
        .iter()
        .filter(|splice| !splice.insert.is_empty())
        .map(|splice| (splice, lines_of(base, splice)))
        .filter(|(splice, (start, end))| splice.at > *start || splice.end() < *end)
        .map(|(_, lines)| lines)
        .collect();
    let mut kept = Patch::default();
    for splice in ours.splices() {
        let (mut from, end) = (splice.at, splice.end());
        let is_of_lines = splice.delete > 0 && lines_of(base, splice) == (from, end);
        let mut insert = splice.insert.clone();
        let mut push = |at: usize, to: usize| {
            let insert = std::mem::take(&mut insert);
            if to > at || !insert.is_empty() {
                let delete = to - at;
                kept.push(Splice { at, delete, insert });
            }
        };
        let within =
            |lines: &&(usize, usize)| is_of_lines && lines.0 >= splice.at && lines.1 <= end;
        for (start, after) in changed.iter().filter(within) {
            if *after > from {
                push(from, from.max(*start));
                from = *after;
            }
        }
        push(from, end);
    }
    kept
}

/// The lines that a splice changes: none for one that only brings whole lines.
pub(super) fn lines_of(text: &Rope, splice: &Splice) -> (usize, usize) {
    let begin = |at: usize| text.line_to_char(text.char_to_line(at));
    let start = begin(splice.at);
    if start == splice.at && splice.delete == 0 && splice.insert.ends_with('\n') {
        return (start, start);
    }
    let end = splice.end();
    if begin(end) == end && splice.delete > 0 {
        return (start, end);
    }
    (
        start,
        text.line_to_char((text.char_to_line(end) + 1).min(text.len_lines())),
    )
}

/// What the splices make of the lines from `start` to `end`.
pub(super) fn changed(text: &Rope, start: usize, end: usize, splices: &[Splice]) -> String {
    let (mut made, mut at) = (String::new(), start);
    for splice in splices {
        made.extend(text.slice(at..splice.at).chunks());
        made.push_str(&splice.insert);
        at = splice.end();
    }
    made.extend(text.slice(at..end).chunks());
    made
}
