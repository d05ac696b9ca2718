//! Edits that fell on moved places.
//!
//! An editor that applies an edit to text we do not know yet puts it where the positions lead, not
//! where it was meant. What the person had done before is not known, but it must have moved the
//! place that the request names to where the edit has fallen: of all places only those are taken
//! from which the request can have been reached.

use std::collections::BTreeSet;

use ropey::Rope;

use super::distances::{Distances, Made};
use super::search::{self, Place};
use super::{Cost, Expected, is_put_back, is_torn, landed, mostly_moves};
use crate::diff::{common_ends, diff};
use crate::patch::{Patch, Splice};
use crate::position::{Encoding, Position, TextEdit, locate, position};

/// So many places are looked at, the nearest to the one that was meant first.
pub(super) const MOST_PLACES: usize = 256;
/// So many places are told apart to which what the person may have done moves one that is named.
const MOST_MOVES: usize = 4_096;

/// One way in which it may have come out so.
#[derive(Debug)]
pub(super) struct Fall {
    pub(super) cost: Cost,
    /// What they did, but to what the edit had brought: a patch of the shown text.
    pub(super) typed: Patch,
    /// The edit as it fell, a patch of the text behind `typed`.
    pub(super) fallen: Patch,
}

/// The way in which an edit that fell on moved places needs the fewest characters of the person's; more
/// than `most` are of no interest. `is_elsewhere`: they may have typed the same in another place.
pub(super) fn fall(
    shown: &Rope,
    next: &Rope,
    expected: &Expected,
    encoding: Encoding,
    most: usize,
    is_elsewhere: bool,
) -> Option<Fall> {
    // Whoever lets edits fall is asked for one at a time.
    let [edit] = &*expected.raw else {
        return None;
    };
    let window = Window::around(shown, next, edit, encoding);
    if expected.certain
        && let Some(falls) = window.shortest(expected, most)
    {
        let best = falls.into_iter().min_by_key(|fall| fall.cost);
        return best.map(|fall| window.in_whole(fall));
    }
    let mut best: Option<Fall> = None;
    let changed = diff(&window.shown, &window.next);
    let places = window.places(&changed).into_iter();
    for aim in &places.flat_map(|at| window.aims_at(at)).collect::<Vec<_>>() {
        if let Some(fall) = window.fall(aim, expected, is_elsewhere)
            && best.as_ref().is_none_or(|best| fall.cost < best.cost)
        {
            best = Some(fall);
        }
    }
    best.map(|fall| window.in_whole(fall))
}

/// A request's edits as a patch of `text`, in which they may name places that are none: those become
/// the nearest.
pub(crate) fn as_patch(text: &Rope, edits: &[TextEdit], encoding: Encoding) -> Patch {
    let mut patch = Patch::default();
    let mut behind = 0;
    for edit in edits {
        let start = locate(text, edit.range.start, encoding).at.max(behind);
        let end = locate(text, edit.range.end, encoding).at.max(start);
        behind = end;
        patch.push(Splice {
            at: start,
            delete: end - start,
            insert: edit.new_text.clone(),
        });
    }
    patch
}

/// The lines in which something has changed or was to.
pub(super) struct Window {
    pub(super) shown: Rope,
    pub(super) next: Rope,
    /// Where it begins in the whole text that was shown.
    pub(super) begin: usize,
    /// What the request names, counted from the window's first line.
    pub(super) from: Position,
    pub(super) to: Position,
    pub(super) inserted: String,
    pub(super) encoding: Encoding,
    /// Whether the text ends with it.
    pub(super) is_last: bool,
}

/// How an edit may have fallen.
struct Aim {
    /// In front of this character of the shown text.
    at: usize,
    /// The place that it named lay so many units within that character.
    within: u32,
    /// So many characters of the shown text went.
    delete: usize,
    /// Or so many of the person's, which we have never seen; so many of them were line ends.
    unseen: usize,
    line_ends: usize,
}

impl Window {
    pub(super) fn around(shown: &Rope, next: &Rope, edit: &TextEdit, encoding: Encoding) -> Self {
        let inserted = edit.new_text.clone();
        let start = locate(shown, edit.range.start, encoding).at;
        let end = locate(shown, edit.range.end, encoding).at.max(start);
        let reach = inserted.chars().count() + end - start;
        let (prefix, suffix) = common_ends(shown, next);
        let begin = prefix.saturating_sub(reach).min(start);
        let begin = shown.line_to_char(shown.char_to_line(begin));
        let end = (shown.len_chars() - suffix + reach)
            .max(end)
            .min(shown.len_chars());
        let line = shown.char_to_line(end);
        let end = shown.line_to_char((line + 1).min(shown.len_lines()));
        let behind = shown.len_chars() - end;
        let first = shown.char_to_line(begin) as u32;
        let counted = |place: Position| Position {
            line: place.line.saturating_sub(first),
            character: place.character,
        };
        Self {
            shown: shown.slice(begin..end).into(),
            next: next.slice(begin..next.len_chars() - behind).into(),
            begin,
            from: counted(edit.range.start),
            to: counted(edit.range.end),
            inserted,
            encoding,
            is_last: behind == 0,
        }
    }

    /// The shortest of all ways, each with how unlikely it is, the nearest to the place that was meant
    /// first; `None` if the texts are too long to look for them.
    pub(super) fn shortest(&self, expected: &Expected, most: usize) -> Option<Vec<Fall>> {
        let letters = |text: &Rope| text.chars().collect::<Vec<char>>();
        let (shown, next) = (letters(&self.shown), letters(&self.next));
        let inserted: Vec<char> = self.inserted.chars().collect();
        let lines = self.to.line - self.from.line;
        let made = Made {
            inserted: &inserted,
            lines,
            units: match lines {
                0 => self.to.character - self.from.character,
                _ => self.to.character,
            },
        };
        let units = shown.iter().map(|letter| self.units_of(Some(*letter)));
        let units: Vec<u32> = units.collect();
        let distances = Distances::between(&shown, &next, &units, &made)?;
        let meant = locate(&self.shown, self.from, self.encoding).at;
        let mut places = search::shortest(self, &shown, &next, &distances, most)?;
        // What the person typed where the edit fell stands behind what it took, as they type on.
        places.sort_by_key(|place| (place.at.abs_diff(meant), place.start));
        let falls = places.iter().map(|place| self.fall_at(place, expected));
        Some(falls.collect())
    }

    fn fall_at(&self, place: &Place, expected: &Expected) -> Fall {
        let part = |text: &Rope, from: usize, to: usize| Rope::from(text.slice(from..to));
        let (old, new) = (self.shown.len_chars(), self.next.len_chars());
        let Place { at, end, start, .. } = *place;
        let before = diff(&part(&self.shown, 0, at), &part(&self.next, 0, start));
        let behind = diff(
            &part(&self.shown, end, old),
            &part(&self.next, place.stop, new),
        );
        let inserted = self.inserted.chars().count();
        let (mut typed, mut done) = (before.clone(), before);
        for &at in &place.gone {
            typed.push(Splice {
                at,
                delete: 1,
                insert: String::new(),
            });
        }
        for splice in behind.splices() {
            typed.push(Splice {
                at: end + splice.at,
                ..splice.clone()
            });
            done.push(Splice {
                at: at + inserted + splice.at,
                ..splice.clone()
            });
        }
        let edit = Patch::single(at, end - at, self.inserted.as_str());
        let delete = end - at - place.gone.len();
        // Nor is it likely that they have torn what it brought.
        let stands = part(&self.next, start, place.stop);
        let torn = diff(&Rope::from_str(&self.inserted), &stands).cost();
        Fall {
            cost: (
                place.cost,
                expected.retyped(&self.shown, &edit, &done) + torn,
            ),
            typed,
            fallen: Patch::single(start, delete, self.inserted.as_str()),
        }
    }

    /// Where in `shown` the edit may have fallen: where it was meant, or about where something is
    /// new or gone.
    pub(super) fn places(&self, changed: &Patch) -> Vec<usize> {
        let meant = locate(&self.shown, self.from, self.encoding).at;
        let meant_end = locate(&self.shown, self.to, self.encoding).at;
        let reach = self.inserted.chars().count() + meant_end.saturating_sub(meant);
        let mut places = BTreeSet::from([meant]);
        for splice in changed.splices() {
            let last = (splice.end() + reach).min(self.shown.len_chars());
            places.extend(splice.at.saturating_sub(reach)..=last);
        }
        let mut places: Vec<usize> = places.into_iter().collect();
        places.sort_by_key(|at| at.abs_diff(meant));
        places.truncate(MOST_PLACES);
        places
    }

    /// How the edit may have fallen at `at`: on what is shown there, or on what the person had typed there.
    fn aims_at(&self, at: usize) -> Vec<Aim> {
        let aim = |within, delete| Aim {
            at,
            within,
            delete,
            unseen: 0,
            line_ends: 0,
        };
        let lines = self.to.line - self.from.line;
        if self.from == self.to {
            return vec![aim(0, 0)];
        }
        let units = self.units_of(self.shown.get_char(at));
        let aims = (0..units).map(|within| aim(within, self.deleted_at(at, within, lines)));
        let named = match lines {
            0 => self.to.character - self.from.character,
            _ => self.to.character,
        };
        let unseen = Aim {
            unseen: (named + lines) as usize,
            line_ends: lines as usize,
            ..aim(0, 0)
        };
        aims.chain([unseen]).collect()
    }

    /// How many characters of `shown` the edit deletes if it falls so far within the one at `at`, and
    /// ends so many lines below.
    fn deleted_at(&self, at: usize, within: u32, lines: u32) -> usize {
        let start = position(&self.shown, at, self.encoding);
        let end = Position {
            line: start.line + lines,
            character: match self.to.line - self.from.line {
                0 => start.character + within + self.to.character - self.from.character,
                _ => self.to.character,
            },
        };
        locate(&self.shown, end, self.encoding).at.max(at) - at
    }

    /// A place within a character, in the client's units, is the character's: so many there are.
    pub(super) fn units_of(&self, letter: Option<char>) -> u32 {
        let units = |letter: char| units(letter.encode_utf8(&mut [0; 4]), self.encoding);
        letter.map_or(1, units)
    }

    /// The edit fell so, if it can have.
    fn fall(&self, aim: &Aim, expected: &Expected, is_elsewhere: bool) -> Option<Fall> {
        let Aim { at, delete, .. } = *aim;
        let edit = Patch::single(at, delete, self.inserted.as_str());
        let whole = landed(&self.shown, &edit);
        let done = diff(&whole, &self.next);
        // If much of it is missing, or of what it took away is there, it may as well never have come.
        let is_torn = || is_torn(&edit, &done, &whole);
        let is_put_back = || !expected.accepted && is_put_back(&self.shown, &edit, &done);
        let is_moved = || is_elsewhere && mostly_moves(&done, &whole);
        if !expected.certain && (is_torn() || is_put_back() || is_moved()) {
            return None;
        }
        let sides = Sides::of(&done, at, self.inserted.chars().count());
        let gone = self.shown.slice(at..at + delete).to_string();
        let mut typed = self.next.clone();
        typed.remove(sides.start..sides.end);
        typed.insert(sides.start, &gone);
        let unseen = "\n".repeat(aim.line_ends);
        let follows = unseen.chars().next().or(typed.get_char(sides.start));
        let is_last = follows.is_none();
        let last = self.last_of(&sides.before, aim);
        let last = last.filter(|_| expected.may_round_up);
        if !self.can_be_meant(&sides.before, aim, [last, follows], is_last) {
            return None;
        }
        Some(Fall {
            cost: expected.cost(&self.shown, &edit, &done, aim.unseen),
            typed: diff(&self.shown, &typed),
            fallen: Patch::single(sides.start, delete, self.inserted.as_str()),
        })
    }

    /// Whether the edit can have come there, where the person has changed `before` by then or later, and
    /// `there` follows in the text with all that they have done. It may have been named within `last`.
    fn can_be_meant(
        &self,
        before: &[Splice],
        aim: &Aim,
        [last, there]: [Option<char>; 2],
        is_last: bool,
    ) -> bool {
        let (earlier, places) = match self.from == self.to {
            true => (self.units_of(last) - 1, self.units_of(there)),
            false => (0, 1),
        };
        let mut moves = Moves {
            reached: BTreeSet::from([(0, 0)]),
            meant: (self.from.line, self.from.character),
            beyond: earlier,
            encoding: self.encoding,
        };
        let mut from = 0;
        for splice in before {
            moves.go_on(&self.shown.slice(from..splice.at).to_string(), false);
            let end = splice.end().min(aim.at);
            moves.go_on(&self.shown.slice(splice.at..end).to_string(), true);
            moves.go_on(&splice.insert, true);
            from = end;
            if moves.reached.len() > MOST_MOVES {
                return true;
            }
        }
        moves.go_on(&self.shown.slice(from..aim.at).to_string(), false);
        let ends_line = matches!(there, None | Some('\n'));
        moves.reached.iter().any(|&(line, column)| {
            let column = column + aim.within;
            let named = column.saturating_sub(earlier)..column + places;
            let is_there = line == moves.meant.0 && named.contains(&moves.meant.1);
            // A place that there is not is the nearest.
            let is_nearest = ends_line && line == moves.meant.0 && column < moves.meant.1
                || is_last && line < moves.meant.0;
            is_there || is_nearest
        })
    }

    /// The character behind which the edit fell.
    fn last_of(&self, before: &[Splice], aim: &Aim) -> Option<char> {
        let typed = before.last().filter(|splice| splice.end() == aim.at);
        let typed = typed.and_then(|splice| splice.insert.chars().next_back());
        typed.or_else(|| self.shown.get_char(aim.at.checked_sub(1)?))
    }

    /// The same in the coordinates of the whole text.
    pub(super) fn in_whole(&self, fall: Fall) -> Fall {
        let moved = |patch: &Patch| {
            let mut moved = Patch::default();
            for splice in patch.splices() {
                moved.push(Splice {
                    at: self.begin + splice.at,
                    ..splice.clone()
                });
            }
            moved
        };
        Fall {
            typed: moved(&fall.typed),
            fallen: moved(&fall.fallen),
            ..fall
        }
    }
}

/// What the person has done before the place at which an edit fell, and where what is left of the
/// edit stands.
struct Sides {
    before: Vec<Splice>,
    /// From here to there in the new text.
    start: usize,
    end: usize,
    /// How many of the edit's characters are left.
    kept: usize,
}

impl Sides {
    /// `done` is a patch of the text with the edit's `inserted` characters at `at`.
    fn of(done: &Patch, at: usize, inserted: usize) -> Self {
        let behind = at + inserted;
        let mut sides = Self {
            before: Vec::new(),
            start: at,
            end: 0,
            kept: inserted,
        };
        let mut within = 0;
        for splice in done.splices() {
            let new = splice.insert.chars().count();
            let gone = splice.end().min(behind).saturating_sub(splice.at.max(at));
            sides.kept -= gone;
            if splice.at < at || splice.end() <= at {
                let delete = splice.end().min(at) - splice.at;
                sides.start = sides.start + new - delete;
                sides.before.push(Splice {
                    delete,
                    ..splice.clone()
                });
            } else if splice.end() < behind {
                within += new;
            }
        }
        sides.end = sides.start + sides.kept + within;
        sides
    }
}

/// The places, by line and character, to which what stands before it can have moved one.
struct Moves {
    reached: BTreeSet<(u32, u32)>,
    meant: (u32, u32),
    /// It may lie so many units before one.
    beyond: u32,
    encoding: Encoding,
}

impl Moves {
    /// `text` stands next. `maybe`: each of its characters may have been there or not.
    fn go_on(&mut self, text: &str, maybe: bool) {
        if maybe {
            for letter in text.chars() {
                let with: Vec<_> = self.moved(letter.encode_utf8(&mut [0; 4])).collect();
                self.reached.extend(with);
                if self.reached.len() > MOST_MOVES {
                    return;
                }
            }
        } else {
            self.reached = self.moved(text).collect();
        }
    }

    fn moved(&self, text: &str) -> impl Iterator<Item = (u32, u32)> {
        let lines = text.matches('\n').count() as u32;
        let last = text.rsplit('\n').next().unwrap_or_default();
        let units = units(last, self.encoding);
        let moved = move |&(line, column): &(u32, u32)| match lines {
            0 => (line, column + units),
            _ => (line + lines, units),
        };
        // Nothing leads back.
        self.reached
            .iter()
            .map(moved)
            .filter(|place| *place <= (self.meant.0, self.meant.1 + self.beyond))
    }
}

pub(super) fn units(text: &str, encoding: Encoding) -> u32 {
    let units = match encoding {
        Encoding::Utf8 => text.len(),
        Encoding::Utf16 => text.encode_utf16().count(),
        Encoding::Utf32 => text.chars().count(),
    };
    units as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_within_an_edit_stands_in_it() {
        // A letter before it went, one came between its two, and one behind.
        let mut done = Patch::single(1, 1, "");
        done.push(Patch::single(4, 0, "x").splices()[0].clone());
        done.push(Patch::single(5, 0, "y").splices()[0].clone());
        let sides = Sides::of(&done, 3, 2);
        assert_eq!((sides.start, sides.end, sides.kept), (2, 5, 2));
        assert_eq!(sides.before.len(), 1);
    }
}
