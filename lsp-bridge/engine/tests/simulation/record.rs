//! What reached an editor between two of its reports, so that it can be played again with a person who
//! does something else.
//!
//! It is the editor itself that is played, from a copy of what it was behind its last report: the same
//! requests come at the same times, and it must say the same. So whoever sees what an editor says, and
//! when, cannot tell one play from the other.
//!
//! What nobody sees may differ. A request that is not answered may come at any time from when it was sent.
//! Of a stranger, of which nobody knows how long it takes to answer, so may one to which it says yes in any
//! case; before its first report nobody knows for what pause it waits, and before an edit has come too late
//! nobody knows what it does with such a one.

use fastrand::Rng;
use ropey::Rope;
use tutti_engine::patch::{Patch, Splice};
use tutti_engine::{Answer, Change, EditId, Staleness, TextEdit};

use crate::editor::{Editor, From, ToServer};
use crate::kind::{Answers, Refusal, Versions};
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
    /// It waits for nothing, ever.
    AtOnce,
}

/// What reached the editor.
#[derive(Clone)]
pub(crate) enum Input {
    /// The person did something.
    Person,
    /// An edit was asked for; what was said to it.
    Edit {
        at: u64,
        asked: Pending,
        rng: Rng,
        said: Vec<String>,
    },
    /// It was made to report, and had nothing to.
    Asked { at: u64 },
    /// An edit was on its way that it answers with nothing. It may have come by then, for all that
    /// anybody can see.
    Pending(Pending),
}

/// An edit that is on its way to an editor.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    /// When it was sent.
    pub(crate) at: u64,
    pub(crate) edit: EditId,
    pub(crate) version: i32,
    pub(crate) edits: Vec<TextEdit>,
}

impl Input {
    /// When it must have come by.
    fn at(&self) -> u64 {
        match self {
            Self::Person | Self::Pending(_) => u64::MAX,
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
    /// What it does with one that comes too late.
    pub(crate) with_late: (Staleness, Refusal),
}

impl Told {
    /// The numbers of the edits among the inputs.
    pub(crate) fn edits(&self) -> Vec<usize> {
        let inputs = self.record.inputs.iter().enumerate();
        let edits =
            inputs.filter(|(_, input)| matches!(input, Input::Edit { .. } | Input::Pending(_)));
        edits.map(|(number, _)| number).collect()
    }

    /// What the person takes out and puts in, if the editor says the very same in that play, at the very
    /// same times.
    pub(crate) fn says_the_same(&self, other: &Other) -> Option<(String, String)> {
        let pauses = self.pauses_of(other).into_iter();
        pauses
            .flat_map(|pause| {
                let ways = self.pieces_of(other).into_iter();
                ways.map(move |(before, behind)| (pause, before, behind))
            })
            .find_map(|(pause, before, behind)| self.says_so_in(other, pause, before, behind))
    }

    /// What the editor may do with edits that come too late, its own way first. What a stranger does nobody
    /// knows that has not seen it: it may skip them and say yes, or carry them over to what its person has
    /// done.
    pub(crate) fn ways_with_late(&self) -> Vec<(Staleness, Refusal)> {
        let start = &self.record.start;
        let own = (start.kind.staleness, start.kind.refusal);
        let late = start.late;
        let is_open = start.is_open && start.dialect.learns;
        let may_skip = is_open && !late.was_made && !late.was_refused;
        let may_make = is_open && !late.was_skipped;
        let skips = may_skip.then_some((Staleness::Refused, Refusal::Yes));
        let makes = may_make.then_some((Staleness::Rebased, own.1));
        let others = [skips, makes].into_iter().flatten();
        [own]
            .into_iter()
            .chain(others.filter(|way| *way != own))
            .collect()
    }

    /// The pauses for which the editor may wait. Of a stranger that has not reported anything since the
    /// document was opened nobody knows how long it waits: it may be just as long as the edit has been
    /// there.
    fn pauses_of(&self, other: &Other) -> Vec<u64> {
        let start = &self.record.start;
        let own = start.kind.debounce_ms;
        let is_new = start.dialect.learns && start.reported_version == 0;
        let asked = match self.record.inputs.get(other.edit) {
            Some(Input::Edit { asked, .. } | Input::Pending(asked)) => Some(asked),
            _ => None,
        };
        let is_open = is_new && other.is_made && self.cause == Cause::Timer;
        let pause = asked.filter(|_| is_open).map(|asked| self.at - asked.at);
        let pause = pause.filter(|pause| (1..own).contains(pause));
        [own].into_iter().chain(pause).collect()
    }

    /// The same, where the editor waits for a pause of so many milliseconds, and the person does in so many
    /// pieces what they do before the edit and behind it.
    fn says_so_in(
        &self,
        other: &Other,
        pause: u64,
        before: usize,
        behind: usize,
    ) -> Option<(String, String)> {
        let mut editor = self.record.start.as_ref().clone();
        editor.kind.debounce_ms = pause;
        (editor.kind.staleness, editor.kind.refusal) = other.with_late;
        let mut play = Play {
            told: self,
            editor,
            ledger: Ledger::default(),
            now: self.record.start.reported_at,
            gone: String::new(),
            new: String::new(),
            said_at_once: None,
        };
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
                // When it came, nobody can see.
                Input::Edit { at, asked, .. }
                    if number == other.edit && other.is_made && play.editor.hides_when() =>
                {
                    play.comes_in(asked, before > 0, *at)?;
                }
                Input::Edit {
                    at,
                    asked,
                    rng,
                    said,
                } => {
                    play.comes_to(*at)?;
                    let says = play.hears(asked, &mut rng.clone());
                    let says: Vec<String> = says.iter().map(|say| format!("{say:?}")).collect();
                    (says == *said).then_some(())?;
                }
                Input::Pending(pending) if number == other.edit && other.is_made => {
                    play.comes_in(pending, before > 0, self.at)?;
                }
                Input::Pending(_) => {}
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

    /// In how many pieces the person may do what they do, before the edit and behind it. A piece may be
    /// empty: who writes a letter over itself has done nothing, and yet an editor counts the time from
    /// there until it reports. Where versions count changes, each piece is seen.
    fn pieces_of(&self, other: &Other) -> Vec<(usize, usize)> {
        let is_counted = self.record.start.kind.versions == Versions::Skip;
        let least = |patch: &Patch| usize::from(!patch.is_empty());
        let (before, behind) = (least(other.before), least(other.behind));
        if !is_counted {
            let ways = [(before, behind), (1, behind), (before, 1), (1, 1)];
            let (first, others) = ways.split_first().expect("not empty");
            let others = others.iter().filter(|way| *way != first);
            return [first].into_iter().chain(others).copied().collect();
        }
        let unseen =
            usize::from(other.is_made) + usize::from(matches!(self.cause, Cause::Letter(_)));
        let count = usize::try_from(self.ticks).ok();
        let Some(count) = count.and_then(|count| count.checked_sub(unseen)) else {
            return Vec::new();
        };
        let ways = (before..=count).map(|first| (first, count - first));
        ways.filter(|(_, second)| *second >= behind).collect()
    }
}

/// So long an answer of a stranger may take, at most: those that take longer are not played so, since the
/// time for which a request was on its way comes on top.
const ANSWERS_WITHIN_MS: u64 = 40;

impl Editor {
    /// Whether nobody can see when an edit has come that it skips in the end: it does not answer, or says
    /// yes, and of a stranger nobody knows how long that takes.
    pub(crate) fn hides_when(&self) -> bool {
        let kind = &self.kind;
        let takes_time = self.dialect.learns && kind.answers_within_ms <= ANSWERS_WITHIN_MS;
        let says_yes = kind.staleness == Staleness::Refused && kind.refusal == Refusal::Yes;
        kind.answers == Answers::Never || takes_time && says_yes
    }
}

struct Play<'a> {
    told: &'a Told,
    editor: Editor,
    ledger: Ledger,
    now: u64,
    gone: String,
    new: String,
    /// What was reported of an edit at once.
    said_at_once: Option<ToServer>,
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

    /// An edit that was on its way comes by `latest`, and nothing is said to it but what was reported, and
    /// a yes that may take its time.
    fn comes_in(&mut self, asked: &Pending, is_begun: bool, latest: u64) -> Option<()> {
        let at = match self.told.cause {
            Cause::AtOnce => self.told.at,
            // From then on its time counts, unless it does already.
            _ if !is_begun => self.told.at.saturating_sub(self.editor.kind.debounce_ms),
            _ => self.now,
        };
        self.comes_to(at.min(latest).max(asked.at).max(self.now))?;
        let says = self.hears(asked, &mut Rng::with_seed(0));
        let is_report = |say: &ToServer| matches!(say, ToServer::Changed { .. });
        let (mut reports, answers): (Vec<_>, Vec<_>) = says.into_iter().partition(is_report);
        let is_at_once = self.told.cause == Cause::AtOnce && self.now == self.told.at;
        self.said_at_once = reports.pop().filter(|_| is_at_once);
        let is_said = self.said_at_once.is_some() == is_at_once && reports.is_empty();
        let yes = |say| {
            matches!(
                say,
                ToServer::Answered {
                    answer: Answer::Applied,
                    ..
                }
            )
        };
        let count = usize::from(self.editor.kind.answers != Answers::Never);
        let is_answered = answers.len() == count && answers.into_iter().all(yes);
        (is_said && is_answered).then_some(())
    }

    fn hears(&mut self, asked: &Pending, rng: &mut Rng) -> Vec<ToServer> {
        let (now, ledger) = (self.now, &mut self.ledger);
        let Pending {
            edit,
            version,
            edits,
            ..
        } = asked;
        self.editor.apply(*edit, *version, edits, now, ledger, rng)
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
            if piece.is_empty() {
                self.does_nothing()?;
            } else {
                self.does(&piece)?;
                self.changes(&piece)?;
            }
        }
        Some(())
    }

    /// The person writes a letter over itself, or, where there is none, writes one and takes it out.
    fn does_nothing(&mut self) -> Option<()> {
        let Some(letter) = self.editor.buffer.get_char(0) else {
            let is_counted = self.editor.kind.versions == Versions::Skip;
            (!is_counted).then_some(())?;
            self.changes(&Patch::single(0, 0, ' '))?;
            return self.changes(&Patch::single(0, 1, ""));
        };
        self.changes(&Patch::single(0, 1, letter))
    }

    /// The text changes, and nothing is reported yet.
    fn changes(&mut self, patch: &Patch) -> Option<()> {
        let (now, ledger) = (self.now, &mut self.ledger);
        let reports = self.editor.change(patch, From::Person, now, ledger);
        reports.is_empty().then_some(())
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
            Cause::AtOnce => self.said_at_once.take(),
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
