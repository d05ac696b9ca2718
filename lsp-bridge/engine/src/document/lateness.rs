//! What an editor of which nothing is known makes of edits that come too late, and when it reports them.
//!
//! It may make them all the same, or turn them down without a word, or say yes and do nothing. Which of
//! these it does shows in what it reports: what comes behind a yes and lacks the edit was written by an
//! editor that has done nothing. So was, where nothing is ever answered, what comes a while after the edit
//! was sent: requests are read in order, and soon.
//!
//! What is taken for the person's for that reason is only what people may type as well: a letter or two.

use ropey::Rope;

use super::flight::Flight;
use super::{Answer, Document, EditId, Effect};
use crate::dialect::Staleness;
use crate::patch::Patch;

/// An edit that is not answered has come by then.
const COMES_WITHIN_MS: u64 = 100;
/// What so few characters bring, people type as well.
const MISTAKABLE: usize = 2;
/// Who has skipped so many more than twice as many as it has made skips what comes too late. What a person
/// types just as an edit brings it was taken for one that was made.
const CERTAIN: u32 = 2;

/// Who waits for nothing reports an edit so soon behind what was reported before.
const SOON_MS: u64 = 30;
/// Whoever has done so this often does not report it together with what its person types.
const OFTEN: u32 = 3;

/// What has become of edits that came too late.
#[derive(Debug, Default)]
pub(super) struct Lateness {
    skipped: u32,
    made: u32,
    /// How often it reported an edit by itself, right behind another report.
    alone: u32,
}

impl Lateness {
    pub(super) fn has_landed(&mut self, flight: &Flight) {
        self.made += u32::from(flight.overtaken);
    }

    /// An edit was reported by itself, and nothing had been for so long.
    pub(super) fn reported_alone(&mut self, quiet_ms: u64) {
        self.alone += u32::from(quiet_ms <= SOON_MS);
    }
}

impl Document {
    /// The editor has done nothing of an edit that came too late.
    pub(super) fn has_skipped(&mut self) {
        self.lateness.skipped += 1;
        let is_certain = self.lateness.skipped >= CERTAIN + 2 * self.lateness.made;
        if is_certain && self.dialect.learns && self.dialect.staleness == Staleness::Applied {
            self.dialect.staleness = Staleness::Refused;
        }
    }

    /// Whether this was seen so often that it will do so again.
    pub(super) fn skips_what_is_late(&self) -> bool {
        self.dialect.learns && self.dialect.staleness == Staleness::Refused
    }

    /// What was reported is the person's, and came before the edit under way, or without it.
    pub(super) fn reported_without_it(&mut self) {
        if self.dialect.answers || !self.dialect.learns {
            return;
        }
        let now = self.now;
        let Some(flight) = self.flight.as_mut() else {
            return;
        };
        if !flight.is_missed && now >= flight.sent_at.after(COMES_WITHIN_MS) {
            flight.is_missed = true;
            self.has_skipped();
        }
        // No answer will free the slot.
        if self.skips_what_is_late() {
            self.drop_flight();
        }
    }

    /// An editor that had never answered does, so that its silence told nothing: it is slow. What was taken for
    /// the person's in the meantime, and is just what it says it has made, is that.
    pub(super) fn breaks_silence(
        &mut self,
        edit: EditId,
        answer: &Answer,
        effects: &mut Vec<Effect>,
    ) {
        let is_first = !std::mem::replace(&mut self.dialect.answers, true);
        if !(is_first && self.dialect.learns) {
            return;
        }
        self.lateness.skipped = 0;
        self.dialect.staleness = Staleness::Applied;
        let is_made =
            |flight: &&mut Flight| flight.id == edit && flight.is_missed && flight.looks_made;
        if *answer == Answer::Applied
            && let Some(flight) = self.flight.as_mut().filter(is_made)
            && let Some(twice) = flight.stands_twice(&self.shown)
        {
            flight.accepted = true;
            self.user(&twice, effects);
            self.history.forget_current();
            let edit = self.flight.as_ref().map(|flight| flight.edit[0].clone());
            self.take_in_flight(&edit.unwrap_or_default());
        }
    }

    /// The person has saved the text that is shown, so that what is under way was not done by then.
    pub(super) fn saved_without_it(&mut self) {
        let is_new = |flight: &&Flight| !flight.is_earlier && self.dialect.learns;
        let Some(flight) = self.flight.as_ref().filter(is_new) else {
            return;
        };
        if flight.accepted {
            if flight.came_late {
                self.has_skipped();
            }
            self.drop_flight();
        }
    }

    /// Whether the edit under way came to nothing, and people may type just that.
    pub(super) fn looks_like_missed(&self, flight: &Flight) -> bool {
        flight.is_missed && !self.dialect.answers && flight.is_mistakable()
    }

    /// Whether the edit under way is reported by itself, and people may type just that.
    pub(super) fn reports_alone(&self, flight: &Flight) -> bool {
        self.dialect.learns && self.lateness.alone >= OFTEN && flight.is_mistakable()
    }
}

impl Flight {
    /// What goes if what it inserts stands beside its place already.
    fn stands_twice(&self, shown: &Rope) -> Option<Patch> {
        let [before, behind] = &self.edit;
        let ([before], [behind]) = (before.splices(), behind.splices()) else {
            return None;
        };
        let len = before.insert.chars().count();
        let places = [Some(before.at), behind.at.checked_sub(len)];
        let is_there = |at: &usize| {
            let there = shown.get_slice(*at..*at + len);
            there.is_some_and(|there| there == before.insert.as_str())
        };
        let at = places.into_iter().flatten().find(is_there)?;
        (before.delete == 0 && len > 0).then(|| Patch::single(at, len, ""))
    }

    fn is_mistakable(&self) -> bool {
        let brought = self.raw.iter().map(|edit| edit.new_text.chars().count());
        brought.sum::<usize>() <= MISTAKABLE
    }
}
