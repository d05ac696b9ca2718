//! Asking an editor to report what it holds back.
//!
//! While an editor may hold keys that it has not reported, an edit can fall on moved places, and
//! what it reports next can be the person's, ours, or both. Where there is a way to make it report
//! (see [`crate::Flush`]), an edit stands between two such requests. What is reported before the
//! answer to the first was typed before the edit came, and makes it too late; what is not reported by
//! the answer to the second has not been done.

use super::{Document, Effect, Millis};

/// What has been asked.
#[derive(Debug, Default)]
pub(super) struct Flushing {
    /// How often it was asked, and how often it has answered.
    asked: u32,
    answered: u32,
}

impl Document {
    /// Asks; the number by which [`Document::flushed`] knows the answer.
    pub(super) fn ask_for_reports(&mut self, effects: &mut Vec<Effect>) -> u32 {
        effects.push(Effect::Flush);
        self.flushing.asked += 1;
        self.flushing.asked
    }

    /// Whether the editor has answered the request of this number.
    pub(super) fn has_flushed(&self, number: u32) -> bool {
        number <= self.flushing.answered
    }

    /// The editor has answered. `is_sure`: it has reported everything.
    pub(super) fn flushed(&mut self, is_sure: bool, now: Millis, effects: &mut Vec<Effect>) {
        self.flushing.answered += 1;
        let is_missed = self
            .flight
            .as_ref()
            .and_then(|flight| flight.plain_behind)
            .is_some_and(|number| self.has_flushed(number));
        // The editor said yes, and has not done it.
        if is_sure && is_missed {
            self.skipped(now, effects);
        }
    }
}
