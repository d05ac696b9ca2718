//! What two have made of one text, line by line.

use std::ops::Range;

use imara_diff::{Algorithm, Diff, InternedInput};
use ropey::Rope;

use super::blocks::ALIKE;
use crate::diff::diff;
use crate::patch::{Patch, Splice};

/// A line in the place of others that begins or ends another one is no chance with so many.
const ALIKE_ANEW: usize = 8;

/// A text that two have come to, and how.
#[derive(Debug, PartialEq, Eq)]
pub struct Merge {
    /// The text.
    pub text: String,
    /// There are lines that both have changed, and in the same way.
    pub is_shared: bool,
}

/// Lines of the common text, and what one has made of them.
struct Hunk<'a> {
    lines: Range<usize>,
    made: Vec<&'a str>,
}

/// What is made of `base` by what each has done: where both have changed the same lines, the one must have made
/// the same of them as the other, or have that among what it has made. `None` if there are others.
pub fn merge_lines(base: &str, ours: &str, theirs: &str) -> Option<Merge> {
    let lines: Vec<&str> = base.split_inclusive('\n').collect();
    let [ours, theirs] = [ours, theirs].map(|text| hunks(base, text));
    let (mut ours, mut theirs) = (ours.as_slice(), theirs.as_slice());
    let mut merge = Merge {
        text: String::new(),
        is_shared: false,
    };
    let mut at = 0;
    while !ours.is_empty() || !theirs.is_empty() {
        let (our_count, their_count) = together(ours, theirs);
        let (our_part, our_rest) = ours.split_at(our_count);
        let (their_part, their_rest) = theirs.split_at(their_count);
        (ours, theirs) = (our_rest, their_rest);
        let all = || our_part.iter().chain(their_part);
        let start = all().map(|hunk| hunk.lines.start).min()?;
        let end = all().map(|hunk| hunk.lines.end).max()?;
        let place = &lines[start..end];
        let [one, other] = [our_part, their_part].map(|part| made(place, start, part));
        let made = match (our_count, their_count) {
            (_, 0) => one,
            (0, _) => other,
            // Both bring the same, which is too little for it to be the same.
            _ if one == other && place.is_empty() && letters(&one) < ALIKE => [one, other].concat(),
            _ => {
                merge.is_shared = true;
                let (is_ours, is_theirs) = (
                    includes(&one, place, start, their_part),
                    includes(&other, place, start, our_part),
                );
                match (is_ours, is_theirs) {
                    (true, true) => one.max(other),
                    (true, false) => one,
                    (false, true) => other,
                    (false, false) => gone_on(place, &one, &other)?,
                }
            }
        };
        merge.text.extend(lines[at..start].iter().copied());
        merge.text.push_str(&made.concat());
        at = end;
    }
    merge.text.extend(lines[at..].iter().copied());
    Some(merge)
}

fn letters(lines: &[&str]) -> usize {
    lines.iter().map(|line| line.chars().count()).sum()
}

fn hunks<'a>(base: &str, text: &'a str) -> Vec<Hunk<'a>> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut input = InternedInput::default();
    input.update_before(base.split_inclusive('\n'));
    input.update_after(lines.iter().copied());
    let diff = Diff::compute(Algorithm::Histogram, &input);
    let range = |range: &Range<u32>| range.start as usize..range.end as usize;
    diff.hunks()
        .map(|hunk| Hunk {
            lines: range(&hunk.before),
            made: lines[range(&hunk.after)].to_vec(),
        })
        .collect()
}

/// How many of the first hunks of each are about the same lines; of one of them none if there are none.
fn together(ours: &[Hunk<'_>], theirs: &[Hunk<'_>]) -> (usize, usize) {
    let (Some(one), Some(other)) = (ours.first(), theirs.first()) else {
        return (ours.len().min(1), theirs.len().min(1));
    };
    if !one.meets(other) {
        let is_first = (one.lines.start, one.lines.end) < (other.lines.start, other.lines.end);
        return (usize::from(is_first), usize::from(!is_first));
    }
    let (mut our_count, mut their_count) = (1, 1);
    loop {
        let is_next = |next: Option<&Hunk<'_>>, those: &[Hunk<'_>]| {
            next.is_some_and(|next| those.iter().any(|one| next.meets(one)))
        };
        if is_next(ours.get(our_count), &theirs[..their_count]) {
            our_count += 1;
        } else if is_next(theirs.get(their_count), &ours[..our_count]) {
            their_count += 1;
        } else {
            return (our_count, their_count);
        }
    }
}

impl Hunk<'_> {
    /// Whether two changes are about the same lines, or bring lines into the same place, or one does among
    /// the lines of the other.
    fn meets(&self, other: &Self) -> bool {
        let (one, two) = (&self.lines, &other.lines);
        let (later, earlier) = (one.start.max(two.start), one.end.min(two.end));
        later < earlier || one == two || self.is_within(other) || other.is_within(self)
    }

    /// Whether it only brings lines, among those that the other changes, or where that begins or ends and
    /// brings the same.
    fn is_within(&self, other: &Self) -> bool {
        let (at, lines) = (self.lines.start, &other.lines);
        let is_among = lines.start < at && at < lines.end;
        let made = self.made.as_slice();
        let behind = other.made.len().saturating_sub(made.len());
        let is_before = at == lines.start && have_become(made, begin(&other.made, made), &[]);
        let is_behind = at == lines.end && have_become(made, &other.made[behind..], &[]);
        self.lines.is_empty() && (is_among || is_before || is_behind)
    }
}

/// What hunks make of the lines of a place that begins with line `start`.
fn made<'a>(place: &[&'a str], start: usize, hunks: &[Hunk<'a>]) -> Vec<&'a str> {
    let (mut made, mut at) = (Vec::new(), 0);
    for hunk in hunks {
        made.extend(&place[at..hunk.lines.start - start]);
        made.extend(&hunk.made);
        at = hunk.lines.end - start;
    }
    made.extend(&place[at..]);
    made
}

/// Whether `text`, which one has made of a place, has all that the other's `hunks` have brought there, and
/// takes away what they take away. Who has changed a line has not taken it away.
fn includes(text: &[&str], place: &[&str], start: usize, hunks: &[Hunk<'_>]) -> bool {
    let mut rest = text;
    for hunk in hunks {
        let lines = hunk.lines.start - start..hunk.lines.end - start;
        let made = hunk.made.as_slice();
        let stays = |line: &&str| text.contains(line) && !made.contains(line);
        if place[lines.clone()].iter().any(stays) {
            return false;
        }
        let is_found = match (lines.start, lines.end) {
            _ if made.is_empty() => {
                let is_left =
                    |line: &str| comes_of(line, place).is_some_and(|of| lines.contains(&of));
                let mut made = hunks.iter().flat_map(|hunk| &hunk.made);
                let mut is_new = |line: &str| {
                    !place.contains(&line) && !made.any(|made| has_become(made, line, place))
                };
                (!text.iter().any(|line| is_new(line) && is_left(line))).then_some(0)
            }
            (0, 0) => have_become(made, begin(rest, made), place).then_some(0),
            _ => {
                let mut places = rest.windows(made.len());
                places.position(|part| have_become(made, part, place))
            }
        };
        match is_found {
            Some(at) => rest = &rest[at + made.len()..],
            None => return false,
        }
    }
    true
}

/// Which of the lines it is that this one is most like; `None` if it is like none.
fn comes_of(line: &str, lines: &[&str]) -> Option<usize> {
    let alike = lines.iter().enumerate();
    let alike = alike.filter_map(|(at, of)| Some((likeness(line, of)?, at)));
    alike
        .max_by_key(|(likeness, _)| *likeness)
        .map(|(_, at)| at)
}

/// In how many bytes two lines begin and end alike, if those are half of the shorter at least: then the one may be
/// what was made of the other.
fn likeness(one: &str, other: &str) -> Option<usize> {
    let [one, other] = [one, other].map(|line| line.trim().as_bytes());
    let shorter = one.len().min(other.len());
    let same = |(a, b): &(&u8, &u8)| a == b;
    let start = one.iter().zip(other).take_while(same).count();
    let ends = one.iter().rev().zip(other.iter().rev());
    let end = ends.take(shorter - start).take_while(same).count();
    (0 < shorter && shorter <= 2 * (start + end)).then_some(start + end)
}

/// As many of the first lines as the other ones are, if there are as many.
fn begin<'a, 'b>(lines: &'b [&'a str], others: &[&str]) -> &'b [&'a str] {
    lines.get(..others.len()).unwrap_or_default()
}

/// Whether each of these lines has become one of those, in their order; and there are no others.
fn have_become(made: &[&str], lines: &[&str], place: &[&str]) -> bool {
    let mut pairs = made.iter().zip(lines);
    made.len() == lines.len() && pairs.all(|(made, line)| has_become(made, line, place))
}

/// Whether a line is the one that was made of a place, or that one was changed further: what was done to make it
/// is part of what was done to make this one.
fn has_become(made: &str, line: &str, place: &[&str]) -> bool {
    if made == line {
        return true;
    }
    let (of, fewest) = match (comes_of(made, place), comes_of(line, place)) {
        (Some(of), also) if also == Some(of) => (place[of], ALIKE),
        // Of two lines that both have only brought, and that begin alike, nobody knows.
        (None, None) if !place.is_empty() => ("", ALIKE_ANEW),
        _ => return false,
    };
    let [from, to] = [made, line].map(|text| {
        let text = text.strip_suffix('\n').unwrap_or(text);
        diff(
            &Rope::from_str(of.strip_suffix('\n').unwrap_or(of)),
            &Rope::from_str(text),
        )
    });
    is_within(&from, &to, fewest)
}

/// What one has made of lines that the other has changed in the same way before going on, if either has: both
/// have as many lines there, and of each pair the one has become the other.
fn gone_on<'a>(place: &[&str], ours: &[&'a str], theirs: &[&'a str]) -> Option<Vec<&'a str>> {
    let later = |(one, other): (&&'a str, &&'a str)| {
        let is_first = has_become(one, other, place);
        (is_first || has_become(other, one, place)).then_some(if is_first { *other } else { *one })
    };
    let is_even = ours.len() == theirs.len();
    let lines = ours.iter().zip(theirs).map(later);
    is_even.then(|| lines.collect())?
}

/// Whether another patch of the same text does all that this one does, where this does it, and none of that is
/// fewer characters than may be the same by chance.
fn is_within(patch: &Patch, other: &Patch, fewest: usize) -> bool {
    let is_done = |one: &Splice| {
        let is_enough = one.insert.is_empty() || one.insert.chars().count() >= fewest;
        is_enough
            && other.splices().iter().any(|other| {
                other.at <= one.at && one.end() <= other.end() && other.insert.contains(&one.insert)
            })
    };
    patch.splices().iter().all(is_done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_has_done_is_done() {
        let base = "1\n2\n3\n4\n5\n";
        let table = [
            // (ours, theirs, together, in the same lines)
            (
                "1\nTWO\n3\n4\n5\n",
                "1\n2\nTHREE\n4\n5\n",
                Some("1\nTWO\nTHREE\n4\n5\n"),
                false,
            ),
            (base, "1\n3\n4\n5\n", Some("1\n3\n4\n5\n"), false),
            (
                "1\nnew\n2\n3\n4\n5\n",
                "1\nTWO\n3\n4\n5\n",
                Some("1\nnew\nTWO\n3\n4\n5\n"),
                false,
            ),
            (
                "1\n2\nnew\n3\n4\n5\n",
                "1\nTWO\n3\n4\n5\n",
                Some("1\nTWO\nnew\n3\n4\n5\n"),
                false,
            ),
            // Both the same, and the one more.
            (
                "1\nTWO\n3\n4\n5\n",
                "1\nTWO\n3\n4\n5\n",
                Some("1\nTWO\n3\n4\n5\n"),
                true,
            ),
            (
                "1\nTWO\nTHREE\n4\n5\n",
                "1\nTWO\n3\n4\n5\n",
                Some("1\nTWO\nTHREE\n4\n5\n"),
                true,
            ),
            (
                "1\n2\nTHREE\n4\n5\n",
                "1\nTWO\nTHREE\n4\n5\n",
                Some("1\nTWO\nTHREE\n4\n5\n"),
                true,
            ),
            (
                "1\nTWO\nmore\n3\n4\n5\n",
                "1\nTWO\n3\n4\n5\n",
                Some("1\nTWO\nmore\n3\n4\n5\n"),
                true,
            ),
            ("1\na\nb\nc\n2\n3\n4\n5\n", "1\nb\n2\n3\n4\n5\n", None, true),
            (
                "1\na\nb\n2\n3\n4\n5\n",
                "1\na\n2\n3\n4\n5\n",
                Some("1\na\nb\n2\n3\n4\n5\n"),
                true,
            ),
            ("1\n4\n5\n", "1\n3\n4\n5\n", Some("1\n4\n5\n"), true),
            (
                "1\nnew\n3\n4\n5\n",
                "1\nnew\n2\n3\n4\n5\n",
                Some("1\nnew\n3\n4\n5\n"),
                true,
            ),
            (
                "1\nnew\n3\n4\n5\n",
                "1\n2\nnew\n3\n4\n5\n",
                Some("1\nnew\n3\n4\n5\n"),
                true,
            ),
            // The one this, the other that.
            ("1\nTWO\n3\n4\n5\n", "1\nII\n3\n4\n5\n", None, true),
            ("1\na\n2\n3\n4\n5\n", "1\nb\n2\n3\n4\n5\n", None, true),
            (
                "1\n}\n2\n3\n4\n5\n",
                "1\n}\n2\n3\n4\n5\n",
                Some("1\n}\n}\n2\n3\n4\n5\n"),
                false,
            ),
            ("1\n3\n4\n5\n", "1\n2, too\n3\n4\n5\n", None, true),
            // Both the same in a line, and the one more.
            (
                "1\n2 and\n3\n4\n5\n",
                "1\n2 and more\n3\n4\n5\n",
                Some("1\n2 and more\n3\n4\n5\n"),
                true,
            ),
            (
                "1\nnew\n2 and\n3\n4\n5\n",
                "1\nnew\n2 and more\n3\n4\n5\n",
                Some("1\nnew\n2 and more\n3\n4\n5\n"),
                true,
            ),
            // Each has gone on in a line of its own.
            (
                "1\n2 and more\n3 and\n4\n5\n",
                "1\n2 and\n3 and more\n4\n5\n",
                Some("1\n2 and more\n3 and more\n4\n5\n"),
                true,
            ),
            (
                "1\na new line\nmine\n2\n3\n4\n5\n",
                "1\na new line and on\n2\n3\n4\n5\n",
                None,
                true,
            ),
            (
                "1\na new line\n2\n3\n4\n5\n",
                "1\na new line and on\n2\n3\n4\n5\n",
                None,
                true,
            ),
            ("1\n2 and\n3\n4\n5\n", "1\n2 more\n3\n4\n5\n", None, true),
            // The one has taken a line away, and so has the other, who brings something else besides.
            (
                "1\n3\n4\n5\n",
                "1\nTWO\n3\n4\n5\n",
                Some("1\nTWO\n3\n4\n5\n"),
                true,
            ),
            ("1\n2\n3\n4\n5", "1\n2\n3\n4\nfive\n", None, true),
        ];
        for (ours, theirs, expected, is_shared) in table {
            let expected = expected.map(|text| Merge {
                text: text.to_owned(),
                is_shared,
            });
            assert_eq!(
                merge_lines(base, ours, theirs),
                expected,
                "{ours:?} {theirs:?}"
            );
            assert_eq!(
                merge_lines(base, theirs, ours),
                expected,
                "{theirs:?} {ours:?}"
            );
        }
    }
}
