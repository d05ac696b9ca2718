//! The shortest story in which an edit certainly fell on places that the person had moved.
//!
//! An editor that makes an edit of ours in a text that we have not seen puts it where the named places
//! lead in *that* text. So of the person's keys those before the edit and those behind it count
//! differently: the former move its place, and it may have taken some of what they typed, of which we
//! shall never see anything. A comparison of the two texts that we have, with the edit put in at one
//! place or another, does not find that: where a person has broken the line before the place, nothing at
//! all goes; where the place is among what they are typing, a part of that goes.
//!
//! So all stories are searched, the shortest first (A*; the characters that a comparison needs for the
//! rest are the estimate). A story walks both texts and keeps account of the position in the third one,
//! in which the edit was made:
//!
//! ```text
//!   Before ──► Within ──► Put ──► Behind ──► the rest, by comparison
//!   (the place moves)  (what is named goes)  (what comes)  (what follows the end that was named)
//! ```

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::distances::{Distances, NEVER};
use super::falls::{Window, units};
use crate::position::Encoding;

/// So many steps are looked at.
const MOST_STEPS: usize = 1 << 17;
/// So many shortest stories are told apart, and so many steps are looked at once there is one.
const MOST_STORIES: usize = 32;
const MOST_MORE: usize = 1 << 12;

/// Where the edit was made, and what went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// What the person did, in characters.
    pub(super) cost: usize,
    /// Of the shown text the characters from `at` to `end` stood in what is named.
    pub(super) at: usize,
    pub(super) end: usize,
    /// Those among them that the person had taken out before.
    pub(super) gone: Vec<usize>,
    /// Where what the edit brought begins and ends in the new text.
    pub(super) start: usize,
    pub(super) stop: usize,
}

/// How far a story has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Stage {
    /// Before the place that is named.
    Before,
    /// Between the places that are named.
    Within,
    /// So much of what the edit brings has been seen.
    Put(u32),
    /// What follows has to fit to the end that is named.
    Behind,
    /// What is left has nothing to do with the edit.
    Rest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct State {
    stage: Stage,
    /// Characters of the shown text and of the new one that are done with.
    old: u32,
    new: u32,
    /// The position in the text in which the edit was made.
    line: u32,
    column: u32,
    /// No character of that text has followed the place that is named yet.
    is_fresh: bool,
    /// What the person has typed here by then is done with: they typed on.
    is_late: bool,
    /// The [`Place`], as far as it is known.
    at: u32,
    end: u32,
    start: u32,
    stop: u32,
}

struct Search<'a> {
    window: &'a Window,
    shown: &'a [char],
    next: &'a [char],
    inserted: Vec<char>,
    distances: &'a Distances,
    /// Nothing longer is of interest.
    most: usize,
    states: Vec<(State, usize)>,
    costs: HashMap<State, usize>,
    /// Each with the least that its story comes to, and the least that is left of that.
    queue: BinaryHeap<(Reverse<(usize, usize)>, usize)>,
}

/// The places of stories that need the fewest characters of the person's, `most` at most; `None` if it
/// takes too long to find one.
pub(super) fn shortest(
    window: &Window,
    shown: &[char],
    next: &[char],
    distances: &Distances,
    most: usize,
) -> Option<Vec<Place>> {
    let mut search = Search {
        window,
        shown,
        next,
        inserted: window.inserted.chars().collect(),
        distances,
        most,
        states: Vec::new(),
        costs: HashMap::new(),
        queue: BinaryHeap::new(),
    };
    search.run()
}

impl Search<'_> {
    fn run(&mut self) -> Option<Vec<Place>> {
        let first = State {
            stage: Stage::Before,
            old: 0,
            new: 0,
            line: 0,
            column: 0,
            is_fresh: true,
            is_late: false,
            at: 0,
            end: 0,
            start: 0,
            stop: 0,
        };
        self.offer(first, 0, usize::MAX);
        let mut places: Vec<Place> = Vec::new();
        let mut left = MOST_STEPS;
        while let Some((Reverse((whole, rest)), index)) = self.queue.pop() {
            if places.first().is_some_and(|best| best.cost < whole) {
                break;
            }
            if left == 0 {
                return (!places.is_empty()).then_some(places);
            }
            left -= 1;
            let (state, _) = self.states[index];
            let cost = whole - rest;
            if self.costs.get(&state) != Some(&cost) {
                continue;
            }
            if state.stage == Stage::Rest {
                places.push(self.place(index, whole));
                left = left.min(MOST_MORE);
                if places.len() == MOST_STORIES {
                    break;
                }
            } else {
                self.go_on(state, cost, index);
            }
        }
        Some(places)
    }

    /// `state` is reached at this cost, from the state of number `from`.
    fn offer(&mut self, state: State, cost: usize, from: usize) {
        let (old, new) = (state.old as usize, state.new as usize);
        let rest = match state.stage {
            Stage::Before => self.distances.before(old, new),
            Stage::Within => self.distances.within(old, new),
            Stage::Put(seen) => self.distances.put(seen as usize, old, new),
            Stage::Behind | Stage::Rest => self.distances.behind(old, new),
        };
        let whole = cost + rest as usize;
        let is_known = self.costs.get(&state).is_some_and(|known| *known <= cost);
        if rest >= NEVER || whole > self.most || is_known {
            return;
        }
        self.costs.insert(state, cost);
        self.states.push((state, from));
        let index = self.states.len() - 1;
        self.queue.push((Reverse((whole, rest as usize)), index));
    }

    fn go_on(&mut self, state: State, cost: usize, from: usize) {
        match state.stage {
            Stage::Before => self.before(state, cost, from),
            Stage::Within => self.within(state, cost, from),
            Stage::Put(count) => self.put(state, count, cost, from),
            Stage::Behind => self.behind(state, cost, from),
            Stage::Rest => {}
        }
    }

    fn before(&mut self, state: State, cost: usize, from: usize) {
        let named = (self.window.from.line, self.window.from.character);
        if (state.line, state.column) > named {
            return;
        }
        if state.line == named.0 || self.is_end(state) {
            let is_exact = (state.line, state.column) == named;
            let within = State {
                stage: Stage::Within,
                is_late: false,
                is_fresh: !is_exact,
                at: state.old,
                ..state
            };
            self.offer(within, cost, from);
        }
        let (old, new) = (self.old_letter(state), self.new_letter(state));
        if let Some(letter) = old {
            let without = State {
                old: state.old + 1,
                is_late: false,
                ..state
            };
            let with = self.behind_letter(without, letter);
            if new == Some(letter) {
                self.offer(
                    State {
                        new: state.new + 1,
                        ..with
                    },
                    cost,
                    from,
                );
            }
            // It went before the edit, or behind it.
            self.offer(without, cost + 1, from);
            self.offer(with, cost + 1, from);
        }
        if let Some(letter) = new {
            let without = State {
                new: state.new + 1,
                ..state
            };
            // It came behind the edit, or before it.
            self.offer(
                State {
                    is_late: true,
                    ..without
                },
                cost + 1,
                from,
            );
            if !state.is_late {
                self.offer(self.behind_letter(without, letter), cost + 1, from);
            }
        }
        // It came before the edit and went behind it.
        for unseen in self.unseen(state) {
            self.offer(unseen, cost + 2, from);
        }
    }

    fn within(&mut self, state: State, cost: usize, from: usize) {
        let named = (self.window.to.line, self.window.to.character);
        if (state.line, state.column) > named {
            return;
        }
        if state.line == named.0 || self.is_end(state) {
            let put = State {
                stage: Stage::Put(0),
                end: state.old,
                start: state.new,
                ..state
            };
            self.offer(put, cost, from);
        }
        if let Some(letter) = self.old_letter(state) {
            let without = State {
                old: state.old + 1,
                ..state
            };
            self.offer(without, cost + 1, from);
            if !state.is_fresh || self.follows(state, Some(letter), false) {
                let with = State {
                    is_fresh: false,
                    ..self.behind_letter(without, letter)
                };
                self.offer(with, cost, from);
            }
        }
        // What the person had typed, and nobody else has seen.
        for unseen in self.unseen(state) {
            let follows = || {
                let from = self.window.from;
                unseen.line > state.line || unseen.column > from.character
            };
            if !state.is_fresh || follows() {
                let unseen = State {
                    is_fresh: false,
                    ..unseen
                };
                self.offer(unseen, cost + 1, from);
            }
        }
    }

    fn put(&mut self, state: State, count: u32, cost: usize, from: usize) {
        let Some(letter) = self.inserted.get(count as usize).copied() else {
            let behind = State {
                stage: Stage::Behind,
                stop: state.new,
                ..state
            };
            return self.offer(behind, cost, from);
        };
        if self.distances.is_whole() {
            let whole = State {
                stage: Stage::Behind,
                new: state.new + self.inserted.len() as u32,
                stop: state.new + self.inserted.len() as u32,
                ..state
            };
            return self.offer(whole, cost, from);
        }
        let gone = State {
            stage: Stage::Put(count + 1),
            ..state
        };
        if let Some(new) = self.new_letter(state) {
            if new == letter {
                self.offer(
                    State {
                        new: state.new + 1,
                        ..gone
                    },
                    cost,
                    from,
                );
            }
            // What stands before all of it was typed before the place.
            if count > 0 {
                self.offer(
                    State {
                        new: state.new + 1,
                        ..state
                    },
                    cost + 1,
                    from,
                );
            }
        }
        self.offer(gone, cost + 1, from);
    }

    fn behind(&mut self, state: State, cost: usize, from: usize) {
        let named = (self.window.to.line, self.window.to.character);
        let rest = |state: State| State {
            stage: Stage::Rest,
            line: 0,
            column: 0,
            is_fresh: false,
            ..state
        };
        let is_exact = !state.is_fresh && (state.line, state.column) == named;
        if is_exact || self.is_end(state) {
            return self.offer(rest(state), cost, from);
        }
        let (old, new) = (self.old_letter(state), self.new_letter(state));
        if let Some(letter) = old {
            let without = State {
                old: state.old + 1,
                ..state
            };
            self.offer(without, cost + 1, from);
            if self.follows_both(state, Some(letter)) {
                if new == Some(letter) {
                    self.offer(
                        rest(State {
                            new: state.new + 1,
                            ..without
                        }),
                        cost,
                        from,
                    );
                }
                self.offer(rest(without), cost + 1, from);
            }
        }
        if let Some(letter) = new {
            let without = State {
                new: state.new + 1,
                ..state
            };
            self.offer(without, cost + 1, from);
            if self.follows_both(state, Some(letter)) {
                self.offer(rest(without), cost + 1, from);
            }
        }
        if self.follows_both(state, Some('\n')) {
            self.offer(rest(state), cost + 2, from);
        }
    }

    /// Whether the place that is named, or the end that is, lies at `state` if `letter` follows there.
    fn follows(&self, state: State, letter: Option<char>, is_end: bool) -> bool {
        let place = if is_end {
            self.window.to
        } else {
            self.window.from
        };
        let (line, column) = (place.line, place.character);
        if (state.line, state.column) == (line, column) {
            return true;
        }
        let is_before = state.line == line && state.column < column;
        match letter {
            None | Some('\n') => is_before,
            Some(letter) => is_before && state.column + self.window.units_of(Some(letter)) > column,
        }
    }

    fn follows_both(&self, state: State, letter: Option<char>) -> bool {
        self.follows(state, letter, true) && (!state.is_fresh || self.follows(state, letter, false))
    }

    /// Whether the text in which the edit was made ends here.
    fn is_end(&self, state: State) -> bool {
        self.window.is_last && state.old as usize == self.shown.len()
    }

    fn old_letter(&self, state: State) -> Option<char> {
        self.shown.get(state.old as usize).copied()
    }

    fn new_letter(&self, state: State) -> Option<char> {
        self.next.get(state.new as usize).copied()
    }

    /// The position behind one more character.
    fn behind_letter(&self, state: State, letter: char) -> State {
        if letter == '\n' {
            return State {
                line: state.line + 1,
                column: 0,
                ..state
            };
        }
        let units = units(letter.encode_utf8(&mut [0; 4]), self.window.encoding);
        State {
            column: state.column + units,
            ..state
        }
    }

    /// The positions behind one more character, whatever it is.
    fn unseen(&self, state: State) -> Vec<State> {
        let most = match self.window.encoding {
            Encoding::Utf8 => 4,
            Encoding::Utf16 => 2,
            Encoding::Utf32 => 1,
        };
        let wider = (1..=most).map(|units| State {
            column: state.column + units,
            ..state
        });
        wider.chain([self.behind_letter(state, '\n')]).collect()
    }

    /// The place of the story that ends with the state of this number.
    fn place(&self, index: usize, cost: usize) -> Place {
        let (last, mut from) = self.states[index];
        let mut gone = Vec::new();
        let mut later = last;
        while let Some((state, before)) = self.states.get(from) {
            let is_within = state.stage == Stage::Within && later.stage == Stage::Within;
            let has_moved = (state.line, state.column) != (later.line, later.column);
            if is_within && state.old < later.old && !has_moved {
                gone.push(state.old as usize);
            }
            (later, from) = (*state, *before);
        }
        gone.reverse();
        Place {
            cost,
            at: last.at as usize,
            end: last.end as usize,
            gone,
            start: last.start as usize,
            stop: last.stop as usize,
        }
    }
}
