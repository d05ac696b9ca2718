//! From the editor and the server into the replicas.

use ropey::Rope;

use super::alignment::Alignment;
use super::changes::{EARLY_MS, Replayed, joined, replay};
use super::denial::weight;
use super::flight::Flight;
use super::outgoing::behind_final_newline;
use super::{Document, Effect, Millis, ends_with_newline, same_text};
use crate::dialect::{Staleness, SyncKind};
use crate::diff::{diff, diff_lines, refine};
use crate::explain::{Expected, Explanation, explain};
use crate::patch::{Patch, Side, Splice, slack};
use crate::position::Change;
use crate::replica::Mark;

/// How many edits that were seen may wait for their answers.
const MOST_UNANSWERED: usize = 8;

/// Zed carries an edit over from any of its last ten versions or so, and then its yes is true.
const KNOWN_VERSIONS: i32 = 8;

/// An update in v1 encoding that changes nothing.
const EMPTY_UPDATE: &[u8] = &[0, 0];

/// How many reports may overtake a save. Helix was seen to send a report up to 7 places early.
const EARLIER: usize = 8;

impl Document {
    /// The next report in order: the person's change, the landing of ours, or both.
    pub(super) fn reported(&mut self, version: i32, changes: &[Change], effects: &mut Vec<Effect>) {
        if self.earlier.len() == EARLIER {
            self.earlier.pop_front();
        }
        self.earlier.push_back((self.version, self.shown.clone()));
        self.newline_from_disk(changes);
        let replayed = replay(&self.shown, changes, self.form);
        let is_one_change = self.dialect.versions_count_changes && version == self.version + 1;
        self.version = version;
        let before = std::mem::replace(&mut self.reported_at, self.now);
        let quiet_ms = self.now.0.saturating_sub(before.0);
        self.retry.text_changed();
        if replayed.drifted {
            self.tell_drift(effects);
        }
        if let Some(made) = self.denied_and_made(&replayed, effects) {
            self.flight = Some(made);
        }
        match &self.flight {
            // What an editor reports before the version that it was asked for is the person's, and so
            // is what it reports before it has come to the request, or once that is too late.
            Some(flight)
                if self.is_ahead_of(flight, version)
                    || self.is_too_late(flight)
                    || self.looks_like_missed(flight) =>
            {
                let looks_made = replayed.exactly(&flight.edit).is_some();
                self.user_all(&replayed.patches, effects);
                self.came_before(looks_made);
            }
            // A change that changes nothing: ours, and undone at once.
            Some(flight) if !replayed.patches.is_empty() || self.is_there(flight) => {
                self.explained(&replayed, is_one_change, quiet_ms, effects);
            }
            Some(flight) if flight.accepted => self.left_no_trace(),
            Some(_) => {}
            None => {
                self.user_all(&replayed.patches, effects);
            }
        }
    }

    /// Whether a report that has brought the text to `version` was made before the editor came to the
    /// edit under way.
    fn is_ahead_of(&self, flight: &Flight, version: i32) -> bool {
        let is_of_earlier = flight.is_earlier && !flight.accepted && version <= flight.version;
        let is_unanswered = !flight.is_earlier && !flight.accepted;
        is_of_earlier
            || is_unanswered && self.dialect.answers_first == Some(true)
            || flight.not_before.is_some_and(|first| version < first)
            || flight
                .behind
                .is_some_and(|number| !self.has_flushed(number))
    }

    /// What was reported came before the edit under way, which was computed for an older version. An
    /// editor that compares them turns it down, even where the text is the same.
    fn came_before(&mut self, looks_made: bool) {
        let checks = self.dialect.checks_versions();
        let version = self.version;
        if let Some(flight) = self.flight.as_mut() {
            flight.looks_made |= looks_made;
            flight.overtaken |= checks && flight.version != version;
        }
    }

    /// Whether the editor will turn the edit under way down: its person has come first.
    fn is_too_late(&self, flight: &Flight) -> bool {
        let is_open = flight.overtaken && !flight.accepted && !flight.is_earlier;
        is_open && (self.dialect.answer_decides() || self.skips_what_is_late())
    }

    /// Whether the next report must hold the edit under way. An earlier opening may have had it, and
    /// nobody this one.
    fn is_there(&self, flight: &Flight) -> bool {
        let carries_over = self.dialect.staleness == Staleness::Rebased;
        let is_known =
            carries_over && self.version <= flight.version.saturating_add(KNOWN_VERSIONS);
        let is_certain = self.dialect.yes_is_certain || is_known;
        flight.accepted && !flight.is_earlier && is_certain
    }

    /// `quiet_ms`: nothing was reported for so long before.
    fn explained(
        &mut self,
        replayed: &Replayed,
        is_one_change: bool,
        quiet_ms: u64,
        effects: &mut Vec<Effect>,
    ) {
        let next = &replayed.text;
        let Some(flight) = self.flight.as_ref() else {
            return;
        };
        if let Some(exact) = replayed.exactly(&flight.edit) {
            let edit = flight.edit[exact].clone();
            self.lateness.reported_alone(quiet_ms);
            return self.take_in_flight(&edit);
        }
        let (accepted, came_late) = (flight.accepted, flight.came_late);
        let expected = self.expected(flight, is_one_change);
        let mut explanation = explain(&self.shown, next, &expected, self.form.encoding());
        let is_one_place = matches!(&*replayed.patches, [one] if one.splices().len() == 1);
        let is_merged = match &explanation {
            Explanation::User => false,
            Explanation::Ours { typed, .. } => is_one_place && !typed.is_empty(),
            Explanation::Stale { typed, .. } => !typed.is_empty(),
        };
        if is_merged && self.reports_alone(flight) {
            explanation = Explanation::User;
        }
        match explanation {
            Explanation::User => {
                self.user_all(&replayed.patches, effects);
                if accepted {
                    // A yes that the text belies: the edit was skipped.
                    self.drop_flight();
                }
                if came_late {
                    self.has_skipped();
                }
            }
            Explanation::Ours { edit, typed } => {
                self.take_in_flight(&edit);
                self.user(&typed, effects);
            }
            Explanation::Stale { typed, fallen } => {
                self.user(&typed, effects);
                self.take_in_flight(&fallen);
                let typed = diff(&self.shown, next);
                self.user(&typed, effects);
            }
        }
    }

    pub(super) fn expected(&self, flight: &Flight, is_one_change: bool) -> Expected {
        Expected {
            edit: flight.edit.clone(),
            raw: flight.raw.clone(),
            overtaken: flight.overtaken,
            may_merge: self.dialect.merges_changes && !is_one_change,
            may_fall: self.dialect.may_misplace(),
            may_round_up: self.dialect.learns,
            accepted: flight.accepted,
            certain: self.is_there(flight),
        }
    }

    /// The edit under way is in the editor: it changed what is shown by `edit`.
    pub(super) fn take_in_flight(&mut self, edit: &Patch) {
        let Some(flight) = self.flight.take() else {
            return;
        };
        self.lateness.has_landed(&flight);
        let merged = self.main.land(&flight.marks);
        if !flight.accepted {
            if self.main.unanswered.len() == MOST_UNANSWERED {
                self.main.unanswered.pop_front();
            }
            let weight = weight(&flight);
            let unanswered = (flight.id, flight.marks, weight);
            self.main.unanswered.push_back(unanswered);
        }
        let landed = match ends_with_newline(self.view()) {
            true => edit.clone(),
            false => behind_final_newline(&self.shown, edit),
        };
        edit.apply(&mut self.shown);
        let alignment = std::mem::replace(&mut self.alignment, Alignment::Same);
        if !alignment.is_same() || landed != merged {
            self.alignment = alignment.landed(&landed, &merged, &self.shown, self.view());
        }
        self.retry.landed();
    }

    /// The person changed `shown` by these patches, one after the other.
    fn user_all(&mut self, patches: &[Patch], effects: &mut Vec<Effect>) {
        for patch in joined(patches) {
            self.user(&patch, effects);
        }
    }

    /// The person changed `shown` by `patch`.
    pub(super) fn user(&mut self, patch: &Patch, effects: &mut Vec<Effect>) {
        if patch.is_empty() {
            return;
        }
        let patch = &self.before_unreal_newline(patch);
        let old = self.shown.clone();
        let is_plain = self.alignment.is_same() && !self.newline_is_unreal();
        if is_plain {
            self.write(patch, effects);
            patch.apply(&mut self.shown);
        }
        for splice in patch.splices().iter().rev().filter(|_| !is_plain) {
            self.make_newline_real(splice, effects);
            let written = self.alignment.carry(splice, self.view());
            self.write(&written, effects);
            Patch::from(splice.clone()).apply(&mut self.shown);
            let alignment = std::mem::replace(&mut self.alignment, Alignment::Same);
            self.alignment = alignment.typed(splice, &written, &self.shown, self.view());
        }
        let falls =
            |flight: &&mut Flight| flight.is_earlier || self.dialect.takes_places_as_they_are();
        if let Some(flight) = self.flight.as_mut().filter(falls) {
            flight.falls_on(&self.shown, self.form.encoding());
        } else if let Some(flight) = self.flight.as_mut() {
            let [before, behind] = &flight.edit;
            // Of equal letters beside each other a whole text does not tell which are new.
            let [first, last] = match self.dialect.sync {
                SyncKind::Full => ends_of(patch, &old, &self.shown),
                SyncKind::Incremental => [patch.clone(), patch.clone()],
            };
            flight.edit = [
                before.rebase(&last, Side::Before),
                behind.rebase(&first, Side::After),
            ];
            flight.overtaken = true;
            self.reported_without_it();
        }
    }

    /// Writes the person's change into the view and sends it.
    fn write(&mut self, patch: &Patch, effects: &mut Vec<Effect>) {
        let (update, edit) = self.main.type_in(self.user, patch);
        self.history.note(edit);
        // Who deletes what others have deleted already has nothing to tell.
        if update != EMPTY_UPDATE {
            effects.push(Effect::Send { update });
        }
    }

    /// Neovim adds the newline that a file lacks when it saves, and shows it from then on. Where the
    /// shared text has it already, that is no change of the person's.
    fn newline_from_disk(&mut self, changes: &[Change]) {
        let [Change { range: None, text }] = changes else {
            return;
        };
        let shows = ends_with_newline(&self.shown);
        let has = ends_with_newline(self.view());
        let is_alike = same_text(&self.shown, self.view(), self.keeps_newline());
        if !shows && has && is_alike && text.ends_with('\n') {
            self.shown.insert_char(self.shown.len_chars(), '\n');
            self.alignment = Alignment::Same;
        }
    }

    /// Somebody has taken away the byte-order mark, which this editor never showed, or has written
    /// something before it, and it is a character like others now.
    fn bom_has_gone(&mut self) {
        if self.form.hides_first() && self.main.rope().chars().next() != self.shown.chars().next() {
            let gone = Patch::single(0, 1, "");
            if let Some(flight) = self.flight.as_mut() {
                // It names the places as the editor does.
                for edit in &mut flight.raw {
                    edit.range.start = self.form.place_for_editor(edit.range.start);
                    edit.range.end = self.form.place_for_editor(edit.range.end);
                }
                let [before, behind] = &flight.edit;
                flight.edit = [
                    before.rebase(&gone, Side::Before),
                    behind.rebase(&gone, Side::After),
                ];
            }
            self.form = self.form.without_bom();
            gone.apply(&mut self.shown);
            self.main.hide_first();
            self.alignment = Alignment::between(&self.shown, self.view());
        }
    }

    /// Whether the editor shows a newline behind the text that the shared text lacks.
    fn newline_is_unreal(&self) -> bool {
        let is_nobodys = || !ends_with_newline(self.view()) || self.alignment.ends_with_nobodys();
        self.keeps_newline() && ends_with_newline(&self.shown) && is_nobodys()
    }

    /// The same change of a text whose last newline is the editor's own, and stays that: what is written
    /// behind it and ends with another can as well stand before it.
    fn before_unreal_newline(&self, patch: &Patch) -> Patch {
        let end = self.shown.len_chars();
        let Some((last, before)) = patch.splices().split_last() else {
            return Patch::default();
        };
        if last.end() != end || !self.newline_is_unreal() {
            return patch.clone();
        }
        let mut last = last.clone();
        let room = before.last().map_or(0, Splice::end);
        let before = last.at.checked_sub(1).filter(|at| *at >= room);
        if (last.delete == 0 || last.insert.is_empty())
            && let Some(at) = before
        {
            let letter = self.shown.char(at);
            (last.at, last.delete) = (at, last.delete + 1);
            last.insert.insert(0, letter);
        }
        if last.delete > 0 && last.insert.ends_with('\n') {
            last.insert.pop();
            last.delete -= 1;
        }
        let mut out = patch.part(0, patch.splices().len() - 1);
        for splice in refine(&self.shown, &Patch::from(last)).splices() {
            out.push(splice.clone());
        }
        out
    }

    /// When the person writes behind the newline that is the editor's own, it becomes part of the text.
    fn make_newline_real(&mut self, splice: &Splice, effects: &mut Vec<Effect>) {
        let behind = splice.at == self.shown.len_chars() && !splice.insert.is_empty();
        if behind && self.newline_is_unreal() {
            let text = self.view();
            let newline = Patch::single(text.len_chars(), 0, "\n");
            self.write(&newline, effects);
            let alignment = std::mem::replace(&mut self.alignment, Alignment::Same);
            self.alignment = alignment.newline_is_real(&self.shown, self.view());
        }
    }

    /// An edit was seen in the text, and the editor says that it has not done it: the person has typed
    /// just that. So they did, and the edit is still to come.
    pub(super) fn take_back(&mut self, marks: Vec<Mark>, effects: &mut Vec<Effect>) {
        let back: Vec<Mark> = marks.into_iter().map(Mark::reversed).collect();
        self.main.land(&back);
        self.adopt_shown(effects);
    }

    /// Makes the view hold what the editor shows, as the person's change.
    pub(super) fn adopt_shown(&mut self, effects: &mut Vec<Effect>) {
        if same_text(&self.shown, self.view(), self.keeps_newline()) {
            return;
        }
        let typed = diff_lines(self.view(), &self.shown);
        self.write(&typed, effects);
        self.alignment = Alignment::Same;
    }

    /// A save that carries the text is the alarm for drift: its text is the truth.
    pub(super) fn saved(&mut self, text: Option<String>, now: Millis, effects: &mut Vec<Effect>) {
        let Some(text) = text else { return };
        self.has_drifted = false;
        // Every editor sends its changes before its save; what still waits will not come.
        self.take_early(now, effects);
        self.release(effects);
        let text = Rope::from_str(&self.form.whole(&text));
        let kept = self.keeps_newline();
        let is_older = |(_, earlier): &(i32, Rope)| same_text(&text, earlier, kept);
        if same_text(&text, &self.shown, kept) {
            return self.saved_without_it();
        }
        if self.earlier.iter().rev().any(is_older) {
            return;
        }
        match self.is_unheard() {
            true => self.found_deaf(effects),
            false => self.tell_once(
                "Tutti and this editor disagreed about the text for a moment; it was brought together \
                 again and nothing was dropped.",
                effects,
            ),
        }
        let change = Change {
            range: None,
            text: text.to_string(),
        };
        self.reported(self.version, &[change], effects);
        self.lapse(now, effects);
    }

    /// Others have written.
    pub(super) fn remote(&mut self, update: &[u8], effects: &mut Vec<Effect>) {
        match self.main.apply(update) {
            Ok(()) => self.main_has_moved(),
            Err(error) => effects.push(Effect::Tell {
                message: format!(
                    "The server sent something unreadable, which was left out: {error}."
                ),
            }),
        }
    }

    /// The person has undone or redone something; it comes back to their editor as if others had
    /// written it.
    pub(super) fn reverted(&mut self, update: Option<Vec<u8>>, effects: &mut Vec<Effect>) {
        if let Some(update) = update {
            self.main_has_moved();
            effects.push(Effect::Send { update });
        }
    }

    /// The shared text has changed, and not by what the editor reports.
    fn main_has_moved(&mut self) {
        self.bom_has_gone();
        if self.main.was_torn() {
            self.alignment = Alignment::between(&self.shown, self.view());
        }
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Millis, effects: &mut Vec<Effect>) {
        if !self.early.is_empty() && self.early_since.after(EARLY_MS) <= now {
            self.take_early(now, effects);
        }
        self.release_if_due(now, effects);
        self.lapse(now, effects);
    }
}

/// The first and the last of the insertions or deletions that lead from `old` to `new` as `patch` does.
fn ends_of(patch: &Patch, old: &Rope, new: &Rope) -> [Patch; 2] {
    let [splice] = patch.splices() else {
        return [patch.clone(), patch.clone()];
    };
    let (longer, len) = match (splice.delete, splice.insert.chars().count()) {
        (0, len) => (new, len),
        (len, 0) => (old, len),
        _ => return [patch.clone(), patch.clone()],
    };
    let at = splice.at;
    let [back, on] = slack(longer, at..at + len);
    [at - back, at + on].map(|at| match splice.delete {
        0 => Patch::single(at, 0, longer.slice(at..at + len).to_string()),
        delete => Patch::single(at, delete, ""),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A whole text does not tell which of them has come or gone.
    #[test]
    fn of_equal_letters_it_may_be_the_first_or_the_last() {
        for (old, new, at, first, last) in [
            ("xaay", "xaaay", 2, 1, 3),
            ("xaaay", "xaay", 2, 1, 3),
            ("ababx", "abababx", 3, 0, 4),
            ("abababx", "ababx", 3, 0, 4),
            ("xy", "xay", 1, 1, 1),
            ("xay", "xy", 1, 1, 1),
        ] {
            let (old, new) = (Rope::from_str(old), Rope::from_str(new));
            let (less, more) = (old.len_chars(), new.len_chars());
            let (gone, come) = (less.saturating_sub(more), more.saturating_sub(less));
            let patch = |at: usize| Patch::single(at, gone, new.slice(at..at + come).to_string());
            let ends = ends_of(&patch(at), &old, &new);
            assert_eq!(ends, [patch(first), patch(last)], "{old:?} {new:?}");
        }
        let both = Patch::single(1, 1, "b");
        let (old, new) = (Rope::from_str("aaa"), Rope::from_str("aba"));
        assert_eq!(ends_of(&both, &old, &new), [both.clone(), both]);
    }
}
