//! The one edit that may be under way to an editor, and when it is given up or tried again.

use ropey::Rope;

use super::{Answer, Document, EditId, Millis};
use crate::patch::Patch;
use crate::position::TextEdit;
use crate::replica::Mark;

/// How long after a yes that may be untrue the text may take to show the edit.
const ECHO_MS: u64 = 2_000;
/// How long an answer may take before its editor is asked anew (only if a late edit would be
/// refused by its version then).
const ANSWER_MS: u64 = 10_000;
/// The wait after the first refusal; it doubles up to the longest.
const FIRST_RETRY_MS: u64 = 50;
const LONGEST_RETRY_MS: u64 = 2_000;
/// After so many refusals of one edit for one version nothing is tried until something changes.
const MOST_RETRIES: u32 = 8;

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
    /// Whether the person has typed since.
    pub(super) overtaken: bool,
    /// Whether the editor said yes.
    pub(super) accepted: bool,
    /// When it is given up.
    pub(super) deadline: Option<Millis>,
}

impl Flight {
    pub(super) fn answer_deadline(now: Millis, checks_versions: bool) -> Option<Millis> {
        checks_versions.then(|| now.after(ANSWER_MS))
    }
}

/// What is known about edits that came to nothing.
#[derive(Debug, Default)]
pub(super) struct Retry {
    refusals: u32,
    /// Not before this time, unless the text changes.
    pub(super) not_before: Option<Millis>,
    /// The version and text for which an edit had no effect: asking again would have none either.
    futile: Option<(i32, Rope)>,
}

impl Retry {
    /// Whether an edit of `version` towards `target` is known to lead nowhere.
    pub(super) fn is_futile(&self, version: i32, target: &Rope) -> bool {
        matches!(&self.futile, Some((v, t)) if *v == version && t == target)
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
    pub(super) fn answered(&mut self, edit: EditId, answer: Answer, now: Millis) {
        let Some(flight) = self.flight.as_mut().filter(|flight| flight.id == edit) else {
            return;
        };
        match answer {
            Answer::Applied if flight.overtaken && self.dialect.checks_versions() => {
                // The person's change came first, so the version was wrong: a yes that skipped.
                self.drop_flight();
            }
            Answer::Applied => {
                flight.accepted = true;
                let is_certain = self.dialect.means_yes(flight.version);
                flight.deadline = (!is_certain).then(|| now.after(ECHO_MS));
            }
            Answer::Refused { .. } | Answer::Failed { .. } => self.refused(now),
        }
    }

    /// Frees the slot of an edit that has not landed.
    pub(super) fn drop_flight(&mut self) -> Option<Flight> {
        self.flight.take()
    }

    fn refused(&mut self, now: Millis) {
        let Some(flight) = self.drop_flight() else {
            return;
        };
        if flight.version != self.version {
            return; // Its successor is computed for the new text at once.
        }
        let retry = &mut self.retry;
        retry.refusals += 1;
        if retry.refusals > MOST_RETRIES {
            retry.refusals = 0;
            retry.futile = Some((flight.version, flight.target));
        } else {
            let wait = FIRST_RETRY_MS << (retry.refusals - 1);
            retry.not_before = Some(now.after(wait.min(LONGEST_RETRY_MS)));
        }
    }

    /// Gives up an edit whose time has run out, without asking for the same again.
    pub(super) fn lapse(&mut self, now: Millis) {
        let due = |deadline: Option<Millis>| deadline.is_some_and(|deadline| deadline <= now);
        if self.flight.as_ref().is_some_and(|f| due(f.deadline))
            && let Some(flight) = self.drop_flight()
        {
            self.retry.futile = Some((flight.version, flight.target));
        }
        if due(self.retry.not_before) {
            self.retry.not_before = None;
        }
    }
}
