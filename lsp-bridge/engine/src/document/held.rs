//! Reports that wait for an answer.
//!
//! Where a report comes while an edit is under way, the text alone may not tell whose a letter is:
//! people type alike. In an editor whose answer tells for certain, it is waited for; it comes within
//! milliseconds, and nothing is guessed.
//!
//! An editor that turns nothing down says yes to whatever was typed before. There it is the order that
//! tells: it answers before the report that shows an edit, or behind it, and always the same way.

use std::collections::VecDeque;

use super::changes::replay;
use super::flight::Flight;
use super::{Document, Effect, Millis};
use crate::diff::diff;
use crate::patch::Patch;
use crate::position::Change;

/// How long they wait. Then the text has to tell.
const HOLD_MS: u64 = 2_000;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Version and changes, in the order of versions.
    reports: VecDeque<(i32, Vec<Change>)>,
    /// Until when they wait.
    pub(super) until: Option<Millis>,
}

impl Document {
    /// The version of the newest report, which may still wait.
    pub(super) fn newest_version(&self) -> i32 {
        let newest = self.held.reports.back();
        newest.map_or(self.version, |(version, _)| *version)
    }

    /// The next report in order.
    pub(super) fn comes_in(
        &mut self,
        version: i32,
        changes: Vec<Change>,
        now: Millis,
        effects: &mut Vec<Effect>,
    ) {
        if self.has_to_wait(version, &changes) {
            self.held.until.get_or_insert(now.after(HOLD_MS));
            self.held.reports.push_back((version, changes));
        } else {
            self.reported(version, &changes, effects);
        }
    }

    /// Whether it takes an answer to understand this report.
    fn has_to_wait(&self, version: i32, changes: &[Change]) -> bool {
        if !self.held.reports.is_empty() {
            return true;
        }
        let flight = self.flight.as_ref();
        let order = self.dialect.order_decides();
        let is_open = |flight: &&Flight| {
            let may_hold = !flight.is_earlier || version > flight.version;
            !flight.accepted && (!flight.overtaken || order) && may_hold
        };
        let Some(flight) = flight.filter(is_open) else {
            return false;
        };
        // Else an edit is reported by itself, and what leads to another text is the person's.
        let is_alike = || {
            let next = replay(&self.shown, changes, self.form).text;
            let landed = |edit: &Patch| {
                let mut text = self.shown.clone();
                edit.apply(&mut text);
                text
            };
            flight.edit.iter().any(|edit| landed(edit) == next)
        };
        let decides = self.dialect.answer_decides();
        decides && self.dialect.merges_changes || (decides || order) && is_alike()
    }

    /// The editor has made the edit under way and says so. Of the reports that wait the last that looks like
    /// it holds it; if none does, it is still to come, as it will be behind each answer.
    pub(super) fn sees_order(&mut self) {
        let Some(flight) = self.flight.as_mut().filter(|flight| !flight.is_earlier) else {
            return;
        };
        if !self.dialect.order_decides() {
            return;
        }
        let changes = |patch: &Patch| -> Vec<(usize, String)> {
            let splices = patch.splices().iter();
            splices.map(|s| (s.delete, s.insert.clone())).collect()
        };
        let ours = flight.edit.each_ref().map(changes);
        let mut text = self.shown.clone();
        for (version, reported) in &self.held.reports {
            let next = replay(&text, reported, self.form).text;
            if ours.contains(&changes(&diff(&text, &next))) {
                flight.not_before = Some(*version);
            }
            text = next;
        }
        if flight.not_before.is_some() {
            self.dialect.answers_first = Some(false);
        } else if !flight.overtaken && self.held.reports.is_empty() {
            self.dialect.answers_first = Some(true);
        }
    }

    /// Takes what waits, now that as much is known as ever will be.
    pub(super) fn release(&mut self, effects: &mut Vec<Effect>) {
        self.held.until = None;
        for (version, changes) in std::mem::take(&mut self.held.reports) {
            self.reported(version, &changes, effects);
        }
    }

    /// No answer has come.
    pub(super) fn release_if_due(&mut self, now: Millis, effects: &mut Vec<Effect>) {
        if self.held.until.is_some_and(|until| until <= now) {
            self.release(effects);
        }
    }
}
