//! The one edit that may be under way to an editor, and when it is given up or tried again.

use ropey::Rope;

use super::denial::weight;
use super::{Answer, Document, EditId, Effect, Millis};
use crate::explain::as_patch;
use crate::patch::Patch;
use crate::position::{Encoding, TextEdit};
use crate::replica::Mark;

/// How long after a yes the next report may take. It shows whether the yes was true; a person who
/// goes on and on may put it off.
const ECHO_MS: u64 = 20_000;
/// How long an answer may take before its editor is asked anew, if a late edit would be refused by
/// its version then.
const ANSWER_MS: u64 = 10_000;
/// The same if a late edit would be made all the same: long enough for any editor that lives.
const LATE_ANSWER_MS: u64 = 40_000;
/// The wait after the first refusal; it doubles up to the longest.
const FIRST_RETRY_MS: u64 = 50;
const LONGEST_RETRY_MS: u64 = 2_000;
/// After so many refusals of one edit for one version it counts as one that came to nothing.
const MOST_RETRIES: u32 = 8;
/// The wait after an edit first came to nothing; it doubles each time.
const AGAIN_MS: u64 = 2_000;
/// After so many times nothing is tried until something changes.
const MOST_AGAIN: u32 = 4;

/// An edit under way.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) id: EditId,
    /// The version it was computed for.
    pub(super) version: i32,
    /// The request as sent.
    pub(super) raw: Vec<TextEdit>,
    /// The same in the coordinates of the text that the editor shows now: where it met the
    /// person's own insertions, standing before them and standing behind them.
    pub(super) edit: [Patch; 2],
    /// The characters that it stands for; none if it only puts right what had fallen elsewhere.
    pub(super) marks: Vec<Mark>,
    /// The text that it leads to, for [`Retry`].
    pub(super) target: Rope,
    /// When it was sent.
    pub(super) sent_at: Millis,
    /// Whether the person has typed since.
    pub(super) overtaken: bool,
    /// Whether something was reported without it when it must have come, see `lateness`.
    pub(super) is_missed: bool,
    /// Whether what was taken for the person's before its answer is just what it does.
    pub(super) looks_made: bool,
    /// Whether the editor said yes.
    pub(super) accepted: bool,
    /// Whether it did when the edit had been overtaken.
    pub(super) came_late: bool,
    /// The flush that was asked for just before it: what is reported before that is answered is the
    /// person's.
    pub(super) behind: Option<u32>,
    /// The flush behind which it is plain whether the editor has done it.
    pub(super) plain_behind: Option<u32>,
    /// It was asked for before the document was closed and opened again: if it is made, then in the
    /// places that it names, whatever stands there now.
    pub(super) is_earlier: bool,
    /// No report of a lower version holds it.
    pub(super) not_before: Option<i32>,
    /// When it is given up.
    pub(super) deadline: Option<Millis>,
}

impl Flight {
    /// Where it would fall in `shown`.
    pub(super) fn falls_on(&mut self, shown: &Rope, encoding: Encoding) {
        let patch = as_patch(shown, &self.raw, encoding);
        self.target = shown.clone();
        patch.apply(&mut self.target);
        self.edit = [patch.clone(), patch];
    }
    pub(super) fn answer_deadline(now: Millis, checks_versions: bool) -> Millis {
        let wait = if checks_versions {
            ANSWER_MS
        } else {
            LATE_ANSWER_MS
        };
        now.after(wait)
    }
}

/// What is known about edits that came to nothing.
#[derive(Debug, Default)]
pub(super) struct Retry {
    refusals: u32,
    /// Not before this time, unless the text changes.
    pub(super) not_before: Option<Millis>,
    futile: Option<Futile>,
}

/// An edit that had no effect, and would hardly have one if it was asked for again at once.
#[derive(Debug)]
struct Futile {
    version: i32,
    target: Rope,
    /// How often it was asked for.
    times: u32,
    /// When it is asked for again; never, if that has been done often enough.
    again: Option<Millis>,
}

impl Retry {
    /// Whether an edit of `version` towards `target` is known to lead nowhere for now.
    pub(super) fn is_futile(&self, version: i32, target: &Rope, now: Millis) -> bool {
        let futile = self.futile_as(version, target);
        futile.is_some_and(|futile| futile.again.is_none_or(|again| now < again))
    }

    /// When something is to be tried again.
    pub(super) fn due(&self, now: Millis) -> Option<Millis> {
        let again = self.futile.as_ref().and_then(|futile| futile.again);
        let again = again.filter(|again| now < *again);
        self.not_before.into_iter().chain(again).min()
    }

    fn futile_as(&self, version: i32, target: &Rope) -> Option<&Futile> {
        let same = |futile: &&Futile| futile.version == version && futile.target == *target;
        self.futile.as_ref().filter(same)
    }

    /// An edit for `asked` came to nothing; the text has stayed the same up to `version`.
    fn was_futile(&mut self, asked: i32, version: i32, target: Rope, now: Millis) {
        let times = self
            .futile_as(asked, &target)
            .map_or(0, |futile| futile.times);
        self.futile = Some(Futile {
            version,
            target,
            times: times + 1,
            again: (times < MOST_AGAIN).then(|| now.after(AGAIN_MS << times)),
        });
    }

    /// The editor's text has changed: whatever was refused may be taken now.
    pub(super) fn text_changed(&mut self) {
        self.not_before = None;
    }

    /// An edit has landed.
    pub(super) fn landed(&mut self) {
        *self = Self::default();
    }
}

impl Document {
    /// An answer: no frees the slot. Yes proves nothing until the text shows it.
    pub(super) fn answered(
        &mut self,
        edit: EditId,
        answer: Answer,
        now: Millis,
        effects: &mut Vec<Effect>,
    ) {
        self.breaks_silence(edit, &answer, effects);
        let Some(flight) = self.flight.as_mut().filter(|flight| flight.id == edit) else {
            let unanswered = &mut self.main.unanswered;
            let place = unanswered.iter().position(|(id, ..)| *id == edit);
            let landed = place.and_then(|place| unanswered.remove(place));
            if answer == Answer::Applied {
                self.denials.has_agreed();
            } else if let Some((_, marks, weight)) = landed
                && !self.is_belied(weight, effects)
            {
                self.take_back(marks, effects);
            }
            return;
        };
        match answer {
            Answer::Applied if flight.overtaken && self.dialect.checks_versions() => {
                // The person's change came first, so the version was wrong: a yes that skipped.
                self.drop_flight();
            }
            Answer::Applied => {
                self.denials.has_agreed();
                flight.accepted = true;
                flight.came_late = flight.overtaken && !flight.looks_made;
                flight.deadline = Some(now.after(ECHO_MS));
                self.sees_order();
            }
            Answer::Refused { .. } | Answer::Failed { .. } => self.refused(now, effects),
        }
        self.release(effects);
    }

    /// Frees the slot of an edit that has not landed.
    pub(super) fn drop_flight(&mut self) -> Option<Flight> {
        self.flight.take()
    }

    fn refused(&mut self, now: Millis, effects: &mut Vec<Effect>) {
        let Some(flight) = self.drop_flight() else {
            return;
        };
        if flight.looks_made {
            self.is_belied(weight(&flight), effects);
        }
        let is_believed = !self.denials.are_false();
        if is_believed {
            self.dialect
                .has_refused(flight.version < self.newest_version());
        }
        let retry = &mut self.retry;
        if flight.version != self.version {
            // Its successor is computed for the new text at once.
        } else if is_believed && retry.refusals < MOST_RETRIES {
            retry.refusals += 1;
            let wait = FIRST_RETRY_MS << (retry.refusals - 1);
            retry.not_before = Some(now.after(wait.min(LONGEST_RETRY_MS)));
        } else {
            retry.refusals = 0;
            let target = flight.target.clone();
            retry.was_futile(flight.version, flight.version, target, now);
        }
        self.denials.has_denied(flight, self.shown.clone());
    }

    /// The edit under way came to nothing, and the same would again.
    pub(super) fn skipped(&mut self, now: Millis, effects: &mut Vec<Effect>) {
        if self.is_asked() && self.flight.as_ref().is_some_and(|f| f.accepted) {
            return self.found_deaf(effects);
        }
        if let Some(flight) = self.drop_flight() {
            self.retry
                .was_futile(flight.version, flight.version, flight.target, now);
        }
    }

    /// Behind its yes the editor has reported the text as it was: it has not done the edit under way, or
    /// its person has taken it back at once. Either way it does not come any more.
    pub(super) fn left_no_trace(&mut self) {
        let Some(flight) = self.drop_flight() else {
            return;
        };
        if flight.came_late {
            self.has_skipped();
        } else {
            self.retry
                .was_futile(flight.version, self.version, flight.target, self.now);
        }
    }

    /// Gives up an edit whose time has run out, without asking for the same again.
    pub(super) fn lapse(&mut self, now: Millis, effects: &mut Vec<Effect>) {
        let due = |deadline: Option<Millis>| deadline.is_some_and(|deadline| deadline <= now);
        if self.flight.as_ref().is_some_and(|f| due(f.deadline)) {
            self.skipped(now, effects);
        }
        if due(self.retry.not_before) {
            self.retry.not_before = None;
        }
    }
}
