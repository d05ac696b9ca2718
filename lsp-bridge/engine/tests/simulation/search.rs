//! All ways from one text to another on which a person takes out and puts in just what is wanted, with an
//! edit of the server's somewhere between, if there is one.
//!
//! Both texts are walked through, and account is kept of the position in the text in which the edit was
//! made: that must be the place that it names when it comes, and the end that it names when it has taken
//! away what stood between.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use tutti_engine::Encoding;
use tutti_engine::patch::{Patch, Splice};

use crate::other::Wanted;
use crate::story::Difference;

/// So many steps are looked at for one report.
const MOST_STEPS: usize = 400_000;
/// So many ways are played.
const MOST_PLAYS: usize = 256;
/// A way of more steps is not gone to its end: a planted bug can make a text of any length.
const LONGEST_WAY: usize = 1_000;
/// So much of what the texts share at their ends is looked at.
pub(crate) const MARGIN: usize = 24;

/// An edit.
pub(crate) struct Named {
    pub(crate) from: (u32, u32),
    pub(crate) to: (u32, u32),
    pub(crate) inserted: Vec<char>,
    /// Where it would fall in the text before, in characters.
    pub(crate) at: usize,
    pub(crate) end: usize,
    /// Whether the person may do something before it, and behind it.
    pub(crate) may_be: (bool, bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Stage {
    /// Before the place that is named.
    Before,
    /// Between the places that are named.
    Within,
    /// So much of what the edit brings is done with.
    Put(usize),
    Rest,
}

/// What becomes of the next letter.
#[derive(Debug, Clone, Copy)]
enum Step {
    Keeps,
    /// Taken out before the edit, or behind it.
    Takes {
        letter: char,
        is_late: bool,
    },
    /// Put in before the edit, or behind it.
    Puts {
        letter: char,
        is_late: bool,
    },
    /// The edit takes it away.
    Falls,
    /// The edit brings it.
    Brings,
    /// And the person takes it out.
    Undoes {
        letter: char,
    },
    /// None: the next stage begins.
    Turns,
}

#[derive(Debug, Clone, Copy, Hash)]
struct State {
    stage: Stage,
    old: usize,
    new: usize,
    line: u32,
    column: u32,
    /// What follows in the text in which the edit is made must be wider, or a line end.
    gap: u32,
}

/// What somebody makes of a way, as what is done before the edit and behind it.
pub(crate) type Accept<'a> = dyn FnMut(&Patch, &Patch) -> Option<(String, String)> + 'a;

pub(crate) struct Search<'a> {
    encoding: Encoding,
    wanted: &'a Wanted,
    old: &'a [char],
    new: &'a [char],
    named: Option<Named>,
    gone_left: Difference,
    new_left: Difference,
    /// From where no way leads on.
    vain: HashSet<u64>,
    path: Vec<Step>,
    /// Where the path begins in both texts, and where it must end.
    begin: usize,
    ends: (usize, usize),
    left: usize,
    /// How many ways were played.
    played: usize,
}

impl<'a> Search<'a> {
    pub(crate) fn new(
        encoding: Encoding,
        wanted: &'a Wanted,
        old: &'a [char],
        new: &'a [char],
        named: Option<Named>,
    ) -> Self {
        let mut gone_left = wanted.gone.clone();
        for (letter, count) in &wanted.hidden {
            *gone_left.entry(*letter).or_default() += count;
        }
        let same = |(a, b): &(&char, &char)| a == b;
        let mut first = std::iter::zip(old, new).take_while(same).count();
        let rest = old.len().min(new.len()) - first;
        let ends = std::iter::zip(old.iter().rev(), new.iter().rev());
        let mut last = ends.take(rest).take_while(same).count();
        if let Some(named) = &named {
            first = first.min(named.at);
            last = last.min(old.len() - named.end);
        }
        first = first.saturating_sub(MARGIN);
        while first > 0 && old[first - 1] != '\n' {
            first -= 1;
        }
        last = last.saturating_sub(MARGIN);
        Self {
            encoding,
            wanted,
            old,
            new,
            named,
            gone_left,
            new_left: wanted.new.clone(),
            vain: HashSet::new(),
            path: Vec::new(),
            begin: first,
            ends: (old.len() - last, new.len() - last),
            left: MOST_STEPS,
            played: 0,
        }
    }

    /// The first way of which `accept` makes something.
    pub(crate) fn run(&mut self, accept: &mut Accept) -> Option<(String, String)> {
        let before = self.old[..self.begin].iter();
        let state = State {
            stage: match self.named {
                Some(_) => Stage::Before,
                None => Stage::Rest,
            },
            old: self.begin,
            new: self.begin,
            line: before.filter(|letter| **letter == '\n').count() as u32,
            column: 0,
            gap: 0,
        };
        self.go(state, accept)
    }

    fn go(&mut self, state: State, accept: &mut Accept) -> Option<(String, String)> {
        self.left = self.left.checked_sub(1)?;
        if self.path.len() == LONGEST_WAY {
            return None;
        }
        let mut hasher = DefaultHasher::new();
        (state, &self.new_left, &self.gone_left).hash(&mut hasher);
        let name = hasher.finish();
        if self.vain.contains(&name) || self.played > MOST_PLAYS {
            return None;
        }
        if state.stage == Stage::Rest && (state.old, state.new) == self.ends {
            return self.is_all().then(|| {
                self.played += 1;
                let (before, behind) = self.patches();
                accept(&before, &behind)
            })?;
        }
        let played = self.played;
        for (step, next) in self.steps(state) {
            if !self.pays(step, -1) {
                continue;
            }
            self.path.push(step);
            let found = self.go(next, accept);
            self.path.pop();
            self.pays(step, 1);
            if found.is_some() {
                return found;
            }
        }
        // A way that did not sound the same may be gone in other steps.
        if self.played == played {
            self.vain.insert(name);
        }
        None
    }

    /// Whether all that is wanted was done.
    fn is_all(&self) -> bool {
        let hidden = |letter| self.wanted.hidden.get(letter).copied().unwrap_or_default();
        let mut gone = self.gone_left.iter();
        self.new_left.values().all(|left| *left == 0)
            && gone.all(|(letter, left)| *left <= hidden(letter))
    }

    /// Counts a step; whether it is one of those that are wanted.
    fn pays(&mut self, step: Step, by: isize) -> bool {
        let left = match step {
            Step::Takes { letter, .. } | Step::Undoes { letter } => self.gone_left.get_mut(&letter),
            Step::Puts { letter, .. } => self.new_left.get_mut(&letter),
            Step::Keeps | Step::Falls | Step::Brings | Step::Turns => return true,
        };
        let left = left.filter(|left| **left + by >= 0);
        left.is_some_and(|left| {
            *left += by;
            true
        })
    }

    fn steps(&self, state: State) -> Vec<(Step, State)> {
        let mut steps = match state.stage {
            Stage::Before => self.before(state),
            Stage::Within => self.within(state),
            Stage::Put(count) => self.put(state, count),
            Stage::Rest => self.rest(state),
        };
        if let Some(named) = &self.named {
            let (before, behind) = named.may_be;
            steps.retain(|(step, _)| match step {
                Step::Takes { is_late, .. } | Step::Puts { is_late, .. } => match is_late {
                    true => behind,
                    false => before,
                },
                Step::Undoes { .. } => behind,
                Step::Keeps | Step::Falls | Step::Brings | Step::Turns => true,
            });
        }
        steps
    }

    fn before(&self, state: State) -> Vec<(Step, State)> {
        let mut steps = Vec::new();
        let Some(named) = self.named.as_ref() else {
            return steps;
        };
        if (state.line, state.column) > named.from {
            return steps;
        }
        if state.line == named.from.0 || state.old == self.old.len() {
            let within = State {
                stage: Stage::Within,
                gap: named.from.1.saturating_sub(state.column),
                ..state
            };
            steps.push((Step::Turns, within));
        }
        self.both(state, &mut steps);
        steps
    }

    /// What may become of the next letters before the edit or behind it.
    fn both(&self, state: State, steps: &mut Vec<(Step, State)>) {
        let (old, new) = self.letters(state);
        if let Some(letter) = old {
            let without = State {
                old: state.old + 1,
                ..state
            };
            let with = self.enters(without, letter);
            if let (true, Some(with)) = (new == old, with) {
                let new = state.new + 1;
                steps.push((Step::Keeps, State { new, ..with }));
            }
            let is_late = false;
            steps.push((Step::Takes { letter, is_late }, without));
            let is_late = true;
            steps.extend(with.map(|with| (Step::Takes { letter, is_late }, with)));
        }
        if let Some(letter) = new {
            let without = State {
                new: state.new + 1,
                ..state
            };
            let with = self.enters(without, letter);
            let is_late = false;
            steps.extend(with.map(|with| (Step::Puts { letter, is_late }, with)));
            let is_late = true;
            steps.push((Step::Puts { letter, is_late }, without));
        }
    }

    fn within(&self, state: State) -> Vec<(Step, State)> {
        let mut steps = Vec::new();
        let Some(named) = self.named.as_ref() else {
            return steps;
        };
        if (state.line, state.column) > named.to {
            return steps;
        }
        if state.line == named.to.0 || state.old == self.old.len() {
            let put = State {
                stage: Stage::Put(0),
                gap: state.gap.max(named.to.1.saturating_sub(state.column)),
                ..state
            };
            steps.push((Step::Turns, put));
        }
        if let Some(letter) = self.letters(state).0 {
            let without = State {
                old: state.old + 1,
                ..state
            };
            let with = self.enters(without, letter);
            steps.extend(with.map(|with| (Step::Falls, with)));
            let is_late = false;
            steps.push((Step::Takes { letter, is_late }, without));
        }
        steps
    }

    fn put(&self, state: State, count: usize) -> Vec<(Step, State)> {
        let inserted = self.named.as_ref().map_or(&[][..], |named| &named.inserted);
        let Some(letter) = inserted.get(count).copied() else {
            let rest = State {
                stage: Stage::Rest,
                line: 0,
                column: 0,
                ..state
            };
            return vec![(Step::Turns, rest)];
        };
        let mut steps = Vec::new();
        let next = State {
            stage: Stage::Put(count + 1),
            ..state
        };
        let new = self.letters(state).1;
        if new == Some(letter) {
            let new = state.new + 1;
            steps.push((Step::Brings, State { new, ..next }));
        }
        steps.push((Step::Undoes { letter }, next));
        if let Some(letter) = new {
            let is_late = true;
            let new = state.new + 1;
            steps.push((Step::Puts { letter, is_late }, State { new, ..state }));
        }
        steps
    }

    fn rest(&self, state: State) -> Vec<(Step, State)> {
        let mut steps = Vec::new();
        let is_last = state.old == self.old.len() && state.new + 1 == self.new.len();
        if is_last && self.new[state.new] == '\n' && self.named.is_some() {
            // An edit took the last newline away, and the editor has put one there.
            let new = state.new + 1;
            steps.push((Step::Brings, State { new, ..state }));
        }
        self.both(state, &mut steps);
        // Once it is settled where the edit was made, it does not matter what came before it.
        let is_settled = state.gap == 0 && self.named.is_some();
        steps.retain(|(step, _)| match step {
            Step::Takes { is_late, .. } | Step::Puts { is_late, .. } => {
                *is_late && self.named.is_some() || !is_settled && !*is_late
            }
            _ => true,
        });
        for (_, next) in &mut steps {
            (next.line, next.column) = (0, 0);
        }
        steps
    }

    fn letters(&self, state: State) -> (Option<char>, Option<char>) {
        let old = (state.old < self.ends.0).then(|| self.old[state.old]);
        let new = (state.new < self.ends.1).then(|| self.new[state.new]);
        (old, new)
    }

    /// `letter` is the next in the text in which the edit is made.
    fn enters(&self, state: State, letter: char) -> Option<State> {
        let units = match self.encoding {
            Encoding::Utf8 => letter.len_utf8() as u32,
            Encoding::Utf16 => letter.len_utf16() as u32,
            Encoding::Utf32 => 1,
        };
        let is_gap = state.gap > 0 && letter != '\n' && units <= state.gap;
        let (line, column) = match letter {
            '\n' => (state.line + 1, 0),
            _ => (state.line, state.column + units),
        };
        (!is_gap).then_some(State {
            line,
            column,
            gap: 0,
            ..state
        })
    }

    /// The path as what was done before the edit and behind it. Where there is no edit, all of it is done
    /// before.
    fn patches(&self) -> (Patch, Patch) {
        let (mut before, mut behind) = (Patch::default(), Patch::default());
        let (mut at, mut late_at) = (self.begin, self.begin);
        let takes = |at| Splice {
            at,
            delete: 1,
            insert: String::new(),
        };
        let puts = |at, letter: char| Splice {
            at,
            delete: 0,
            insert: letter.into(),
        };
        for step in &self.path {
            match *step {
                Step::Keeps => (at, late_at) = (at + 1, late_at + 1),
                Step::Takes { is_late: true, .. } => {
                    behind.push(takes(late_at));
                    (at, late_at) = (at + 1, late_at + 1);
                }
                Step::Takes { is_late: false, .. } => {
                    before.push(takes(at));
                    at += 1;
                }
                Step::Puts {
                    letter,
                    is_late: true,
                } => behind.push(puts(late_at, letter)),
                Step::Puts {
                    letter,
                    is_late: false,
                } => {
                    before.push(puts(at, letter));
                    late_at += 1;
                }
                Step::Falls => at += 1,
                Step::Brings => late_at += 1,
                Step::Undoes { .. } => {
                    behind.push(takes(late_at));
                    late_at += 1;
                }
                Step::Turns => {}
            }
        }
        (before, behind)
    }
}
