//! What reached an editor between two of its reports, so that it can be played again with a person who
//! does something else.
//!
//! It is the editor itself that is played, from a copy of what it was behind its last report: the same
//! requests come at the same times, and it must say the same. So whoever sees what an editor says, and
//! when, cannot tell one play from the other.

use fastrand::Rng;
use ropey::Rope;
use tutti_engine::patch::{Patch, Splice};
use tutti_engine::{Change, EditId, TextEdit};

use crate::editor::{Editor, From, ToServer};
use crate::kind::Versions;
use crate::ledger::Ledger;

/// What made the editor report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Its time had come.
    Timer,
    /// It was asked to, or its person saved.
    Request,
    /// Its person typed a letter that it reports at once.
    Letter(Patch),
    /// It had nothing to wait for.
    Change,
}

/// What reached the editor.
#[derive(Clone)]
pub(crate) enum Input {
    /// The person did something.
    Person,
    /// An edit was asked for; what was said to it.
    Edit {
        at: u64,
        edit: EditId,
        version: i32,
        edits: Vec<TextEdit>,
        rng: Rng,
        said: Vec<String>,
    },
    /// It was made to report, and had nothing to.
    Asked { at: u64 },
}

impl Input {
    /// When it must have come by.
    fn at(&self) -> u64 {
        match self {
            Self::Person => u64::MAX,
            Self::Edit { at, .. } | Self::Asked { at } => *at,
        }
    }
}

/// See the module.
#[derive(Clone)]
pub(crate) struct Record {
    /// What it was.
    pub(crate) start: Box<Editor>,
    pub(crate) inputs: Vec<Input>,
}

/// A record that ends with a report.
#[derive(Clone)]
pub(crate) struct Told {
    pub(crate) record: Record,
    /// The text then, and when it was told.
    pub(crate) end: Rope,
    pub(crate) at: u64,
    pub(crate) cause: Cause,
    pub(crate) ticks: i32,
    pub(crate) version: i32,
    pub(crate) changes: Vec<Change>,
}

impl std::fmt::Debug for Told {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{:?} {} ticks", self.cause, self.ticks)
    }
}

/// What the person does in another play.
pub(crate) struct Other<'a> {
    /// Before the edit of this number among the inputs.
    pub(crate) edit: usize,
    pub(crate) before: &'a Patch,
    pub(crate) behind: &'a Patch,
    /// The last letter, if that was what made the editor report.
    pub(crate) last: Option<&'a Patch>,
    /// Whether the editor makes that edit.
    pub(crate) is_made: bool,
}

impl Told {
    /// The numbers of the edits among the inputs.
    pub(crate) fn edits(&self) -> Vec<usize> {
        let inputs = self.record.inputs.iter().enumerate();
        let edits = inputs.filter(|(_, input)| matches!(input, Input::Edit { .. }));
        edits.map(|(number, _)| number).collect()
    }

    /// What the person takes out and puts in, if the editor says the very same in that play, at the very
    /// same times.
    pub(crate) fn says_the_same(&self, other: &Other) -> Option<(String, String)> {
        let mut play = Play {
            told: self,
            editor: self.record.start.as_ref().clone(),
            ledger: Ledger::default(),
            now: self.record.start.reported_at,
            gone: String::new(),
            new: String::new(),
        };
        let (before, behind) = self.ticks_of(other)?;
        for (number, input) in self.record.inputs.iter().enumerate() {
            if number == other.edit {
                play.person(other.before, before, input.at())?;
            }
            match input {
                Input::Person => {}
                Input::Asked { at } => {
                    play.comes_to(*at)?;
                    let is_known = play.editor.reported_tick == play.editor.tick;
                    is_known.then_some(())?;
                }
                Input::Edit {
                    at,
                    edit,
                    version,
                    edits,
                    rng,
                    said,
                } => {
                    play.comes_to(*at)?;
                    let (now, ledger) = (play.now, &mut play.ledger);
                    let mut rng = rng.clone();
                    let says = play
                        .editor
                        .apply(*edit, *version, edits, now, ledger, &mut rng);
                    let says: Vec<String> = says.iter().map(|say| format!("{say:?}")).collect();
                    (says == *said).then_some(())?;
                }
            }
            if number == other.edit {
                play.person(other.behind, behind, self.at)?;
            }
        }
        if other.edit >= self.record.inputs.len() {
            play.person(other.before, before, self.at)?;
        }
        play.reports(other.last)
    }

    /// In how many pieces the person does what they do, before the edit and behind it: where versions
    /// count changes, each piece is seen.
    fn ticks_of(&self, other: &Other) -> Option<(usize, usize)> {
        let is_counted = self.record.start.kind.versions == Versions::Skip;
        let least = |patch: &Patch| usize::from(!patch.is_empty());
        let (before, behind) = (least(other.before), least(other.behind));
        if !is_counted {
            return Some((before, behind));
        }
        let mut count = usize::try_from(self.ticks).ok()?;
        count = count.checked_sub(usize::from(other.is_made))?;
        if let Cause::Letter(_) = self.cause {
            count = count.checked_sub(1)?;
        }
        match (before, behind) {
            (0, 0) => (count == 0).then_some((0, 0)),
            (_, 0) => Some((count, 0)),
            (_, _) => Some((before, count.checked_sub(before).filter(|left| *left > 0)?)),
        }
    }
}

struct Play<'a> {
    told: &'a Told,
    editor: Editor,
    ledger: Ledger,
    now: u64,
    gone: String,
    new: String,
}

impl Play<'_> {
    /// Time passes. A person who moves the caret puts off what waits for a pause; what waits for nothing
    /// else must not have been due.
    fn comes_to(&mut self, at: u64) -> Option<()> {
        (self.now <= at).then_some(())?;
        self.now = at;
        let is_due = self.editor.flush_at.is_some_and(|due| due < at);
        if is_due && self.editor.restarts() {
            self.editor.flush_at = Some(at);
        } else if is_due {
            return None;
        }
        Some(())
    }

    /// The person does this by `latest`.
    fn person(&mut self, patch: &Patch, pieces: usize, latest: u64) -> Option<()> {
        if pieces == 0 {
            return Some(());
        }
        let in_time = match self.told.cause {
            // What is to be reported in time has to be done in time.
            Cause::Timer => self.told.at.saturating_sub(self.editor.kind.debounce_ms),
            _ => latest,
        };
        self.comes_to(in_time.min(latest).max(self.now))?;
        for piece in in_pieces(patch, pieces) {
            let mut piece = piece;
            if piece.is_empty() {
                let letter = self.editor.buffer.get_char(0)?;
                piece = Patch::single(0, 1, letter);
            }
            self.does(&piece)?;
            let reports = self
                .editor
                .change(&piece, From::Person, self.now, &mut self.ledger);
            reports.is_empty().then_some(())?;
        }
        Some(())
    }

    /// `None` if the text has no such place: it was searched for in another.
    fn does(&mut self, patch: &Patch) -> Option<()> {
        for splice in patch.splices() {
            let gone = self.editor.buffer.get_slice(splice.at..splice.end())?;
            self.gone.push_str(&gone.to_string());
            self.new.push_str(&splice.insert);
        }
        Some(())
    }

    fn reports(mut self, last: Option<&Patch>) -> Option<(String, String)> {
        let at = self.told.at;
        let report = match &self.told.cause {
            Cause::Change => return None,
            Cause::Timer => {
                let due = self.editor.flush_at?;
                let is_right = due == at || due < at && self.editor.restarts();
                is_right.then(|| self.editor.flush(at, Cause::Timer))?
            }
            Cause::Request => {
                self.comes_to(at)?;
                self.editor.flush(at, Cause::Request)
            }
            Cause::Letter(_) => {
                let letter = last?;
                self.comes_to(at)?;
                self.does(letter)?;
                let reports = self
                    .editor
                    .change(letter, From::Person, at, &mut self.ledger);
                reports.is_empty().then_some(())?;
                self.editor.flush(at, Cause::Request)
            }
        };
        let Some(ToServer::Changed {
            version, changes, ..
        }) = report
        else {
            return None;
        };
        let is_same = version == self.told.version && changes == self.told.changes;
        is_same.then_some((self.gone, self.new))
    }
}

/// The same done in so many pieces, one behind the other; there may be empty ones.
fn in_pieces(patch: &Patch, count: usize) -> Vec<Patch> {
    let mut first = patch.clone();
    let mut rest = Vec::new();
    if let Some((last, before)) = patch.splices().split_last() {
        let grown =
            |splice: &Splice| splice.insert.chars().count() as isize - splice.delete as isize;
        let at = (last.at as isize + before.iter().map(grown).sum::<isize>()) as usize;
        let mut letters: Vec<char> = last.insert.chars().collect();
        let mut delete = last.delete;
        let is_left =
            |letters: &[char], delete: usize| !before.is_empty() || letters.len() + delete > 1;
        while rest.len() + 1 < count && is_left(&letters, delete) {
            match letters.pop() {
                Some(letter) => rest.push(Patch::single(at + letters.len(), 0, letter)),
                None if delete > 0 => {
                    delete -= 1;
                    rest.push(Patch::single(at, 1, ""));
                }
                None => break,
            }
        }
        rest.reverse();
        first = patch.part(0, before.len());
        first.push(Splice {
            at: last.at,
            delete,
            insert: letters.into_iter().collect(),
        });
    }
    let mut pieces = vec![first];
    pieces.append(&mut rest);
    pieces.resize(count.max(1), Patch::default());
    pieces
}
