//! From the shared text to the editor.

use ropey::Rope;

use super::alignment::Alignment;
use super::changes::EARLY_MS;
use super::flight::Flight;
use super::{Document, EditId, Effect, Millis, ends_with_newline, same_text};
use crate::diff::{diff, refine, replacement};
use crate::patch::{Patch, Splice};
use crate::position::{Range, TextEdit, position};
use crate::replica::{Mark, Step};

impl Document {
    /// Asks the editor for what it lacks, if nothing is under way, and for a tick when one is due.
    pub(super) fn synchronise(&mut self, now: Millis, effects: &mut Vec<Effect>) {
        self.is_foreign &= !self.alignment.is_same();
        self.keep_back_returns();
        let is_free = self.flight.is_none() && !self.is_deaf;
        if is_free && self.early.is_empty() && self.retry.not_before.is_none() {
            self.send_edit(now, effects);
        }
        let early = (!self.early.is_empty()).then(|| self.early_since.after(EARLY_MS));
        let deadline = self.flight.as_ref().and_then(|flight| flight.deadline);
        if let Some(at) = [early, deadline, self.retry.due(now), self.held.until]
            .into_iter()
            .flatten()
            .min()
        {
            effects.push(Effect::WakeAt(at));
        }
    }

    fn send_edit(&mut self, now: Millis, effects: &mut Vec<Effect>) {
        if self.alignment.is_same() && self.main.is_shown() {
            return;
        }
        let ahead = self.main.ahead();
        let is_repair =
            !self.alignment.is_same() && !same_text(&self.shown, self.view(), self.keeps_newline());
        let (patch, marks) = if !is_repair {
            self.way_to_main(ahead)
        } else if same_text(&self.shown, &self.wanted(&ahead), self.keeps_newline()) {
            (Patch::default(), all_marks(ahead))
        } else {
            let patch = match self.is_foreign {
                true => replacement(&self.shown, self.view()),
                false => refine(
                    &self.shown,
                    &self.alignment.repair(&self.shown, self.view()),
                ),
            };
            let patch = self.reachable(patch, self.view());
            if self.hide_returns_of(&patch) {
                return self.send_edit(now, effects);
            }
            (patch, Vec::new())
        };
        let mut patch = self.with_line_ends(&patch);
        if patch.is_empty() {
            return self.catch_up(&marks);
        }
        if self.dialect.one_edit_a_request {
            // What stands wrong goes before it comes back in its place, lest it stand twice.
            let removal = patch.splices().iter().position(|s| s.delete > 0);
            let first = removal.filter(|_| is_repair).unwrap_or(0);
            patch = patch.part(first, first + 1);
        }
        let mut target = self.shown.clone();
        patch.apply(&mut target);
        if target == self.shown {
            // Two places that only seem to differ: equal letters have changed places.
            return self.catch_up(&marks);
        }
        if self.is_unheard() {
            return self.ask_for_nothing(now, effects);
        }
        if self.retry.is_futile(self.version, &target, now) {
            return;
        }
        let patch = before_final_newline(&self.shown, patch);
        let raw = self.as_edits(&patch);
        self.send(patch, raw, marks, now, effects);
    }

    /// Sends an edit, `patch` of what is shown, as `raw` in the shared text's form.
    pub(super) fn send(
        &mut self,
        patch: Patch,
        raw: Vec<TextEdit>,
        marks: Vec<Mark>,
        now: Millis,
        effects: &mut Vec<Effect>,
    ) {
        let mut target = self.shown.clone();
        patch.apply(&mut target);
        let id = EditId(self.next_edit);
        self.next_edit += 1;
        let can_flush = self.dialect.flush.is_some();
        let behind = can_flush.then(|| self.ask_for_reports(effects));
        effects.push(Effect::Edit {
            edit: id,
            version: self.version,
            edits: raw
                .iter()
                .map(|edit| self.form.edit_for_editor(edit))
                .collect(),
        });
        let plain_behind = can_flush.then(|| self.ask_for_reports(effects));
        self.flight = Some(Flight {
            id,
            version: self.version,
            raw,
            edit: [patch.clone(), patch],
            marks,
            target,
            sent_at: now,
            overtaken: false,
            is_missed: false,
            looks_made: false,
            accepted: false,
            came_late: false,
            behind,
            plain_behind,
            is_earlier: false,
            not_before: None,
            deadline: Some(Flight::answer_deadline(now, self.dialect.checks_versions())),
        });
    }

    /// The edits that make `main`'s text of what the editor shows, which is what the view holds;
    /// of an editor that takes one edit a request, at least the first of them. With the characters
    /// that they stand for.
    ///
    /// They are the very insertions and deletions that others have made: so each character keeps
    /// its identity, and carets beside it stay. A comparison of texts might take one letter for
    /// another that looks the same.
    fn way_to_main(&self, ahead: Vec<Step>) -> (Patch, Vec<Mark>) {
        let text = &self.wanted(&ahead);
        if self.shown.len_chars() < self.view().len_chars() {
            // The view ends with a newline that the editor does not show.
            let patch = self.reachable(Patch::default(), text);
            return (patch, all_marks(ahead));
        }
        let mut whole = Patch::default();
        for step in &ahead {
            whole.push(step.splice.clone());
        }
        let way = refine(&self.shown, &whole);
        let reachable = self.reachable(way.clone(), text);
        if !self.dialect.one_edit_a_request || reachable != way {
            return (reachable, all_marks(ahead));
        }
        let mut marks = Vec::new();
        for step in ahead {
            marks.extend(step.marks);
            let patch = refine(&self.shown, &Patch::from(step.splice));
            if !patch.is_empty() {
                return (patch, marks);
            }
        }
        (Patch::default(), marks)
    }

    /// What the editor is to show in the end, but for the final newline: the shared text without what is
    /// hidden from it.
    pub(super) fn wanted(&self, ahead: &[Step]) -> Rope {
        let mut text = self.view().clone();
        for step in ahead.iter().rev() {
            Patch::from(step.splice.clone()).apply(&mut text);
        }
        text
    }

    /// `patch`, if it leads to what the editor can show of `text`; else, where a final newline that
    /// the editor insists on stands in the way, one that does.
    fn reachable(&self, patch: Patch, text: &Rope) -> Patch {
        if !self.keeps_newline() {
            return patch;
        }
        let mut target = text.clone();
        match (ends_with_newline(&self.shown), ends_with_newline(text)) {
            (true, false) => target.insert_char(target.len_chars(), '\n'),
            // Neovim, with a file that lacks it: it adds one when it saves.
            (false, true) if self.shown.len_chars() > 0 => {
                target.remove(target.len_chars() - 1..);
            }
            _ => {}
        }
        let mut reached = self.shown.clone();
        patch.apply(&mut reached);
        if reached == target {
            patch
        } else {
            diff(&self.shown, &target)
        }
    }

    /// The editor shows this already; what it stands for left no trace in the text.
    fn catch_up(&mut self, marks: &[Mark]) {
        let merged = self.main.land(marks);
        let alignment = std::mem::replace(&mut self.alignment, Alignment::Same);
        self.alignment = alignment.landed(&Patch::default(), &merged, &self.shown, self.view());
    }

    /// A patch of what is shown as edits of the shared text's form.
    fn as_edits(&self, patch: &Patch) -> Vec<TextEdit> {
        let place = |at| position(&self.shown, at, self.form.encoding());
        let edit = |splice: &Splice| TextEdit {
            range: Range {
                start: place(splice.at),
                end: place(splice.end()),
            },
            new_text: splice.insert.clone(),
        };
        patch.splices().iter().map(edit).collect()
    }
}

fn all_marks(steps: Vec<Step>) -> Vec<Mark> {
    steps.into_iter().flat_map(|step| step.marks).collect()
}

/// The same change without naming the place behind a final newline, which editors that count a
/// final newline as the end of the last line do not have: what ends with a newline there can as
/// well start with one a place earlier.
fn before_final_newline(text: &Rope, patch: Patch) -> Patch {
    let end = text.len_chars();
    let is_newline = |at: usize| text.get_char(at) == Some('\n');
    let shifted = |splice: &Splice| {
        let insert = match splice.insert.strip_suffix('\n') {
            Some(head) => format!("\n{head}"),
            None if splice.insert.is_empty() => String::new(),
            None => return None,
        };
        let at = splice.at.checked_sub(1).filter(|&at| is_newline(at))?;
        Some(Splice {
            at,
            delete: splice.delete,
            insert,
        })
    };
    let count = patch.splices().len();
    match patch.splices().last() {
        Some(last) if last.end() == end && end > 0 && is_newline(end - 1) => {
            let mut out = patch.part(0, count - 1);
            out.push(shifted(last).unwrap_or_else(|| last.clone()));
            out
        }
        _ => patch,
    }
}

/// The other way round: what was put before a final newline as if it had been put behind it, so that the
/// last one is new, and the one before it the text's.
pub(super) fn behind_final_newline(text: &Rope, patch: &Patch) -> Patch {
    let end = text.len_chars();
    match patch.splices().split_last() {
        Some((last, before))
            if last.delete == 0 && last.at + 1 == end && ends_with_newline(text) =>
        {
            let Some(rest) = last.insert.strip_prefix('\n') else {
                return patch.clone();
            };
            let mut out = patch.part(0, before.len());
            out.push(Splice {
                at: end,
                delete: 0,
                insert: format!("{rest}\n"),
            });
            out
        }
        _ => patch.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_before_the_last_newline_can_stand_behind_it() {
        for (old, at, delete, insert, expected) in [
            ("a\n", 1, 0, "\nx", Patch::single(2, 0, "x\n")),
            ("a\n", 1, 0, "x", Patch::single(1, 0, "x")),
            ("a\nb", 2, 0, "\nx", Patch::single(2, 0, "\nx")),
            ("ab\n", 1, 1, "\nx", Patch::single(1, 1, "\nx")),
            ("a\nb\n", 1, 0, "\nx", Patch::single(1, 0, "\nx")),
        ] {
            let patch = Patch::single(at, delete, insert);
            let old = Rope::from_str(old);
            let moved = behind_final_newline(&old, &patch);
            assert_eq!(moved, expected, "{old:?}");
            let (mut one, mut other) = (old.clone(), old);
            patch.apply(&mut one);
            moved.apply(&mut other);
            assert_eq!(one, other);
        }
    }

    #[test]
    fn the_place_behind_the_last_newline_is_not_named() {
        for (old, new, at, delete, insert) in [
            ("one\ntwo\n", "one\ntwo\nx\n", 7, 0, "\nx"),
            ("one\ntwo\n", "one\n", 3, 4, ""),
            ("one\n", "one\nx", 4, 0, "x"),
            ("one", "oneX", 3, 0, "X"),
            ("\n", "a\n", 0, 0, "a"),
        ] {
            let (old, new) = (Rope::from_str(old), Rope::from_str(new));
            let patch = before_final_newline(&old, diff(&old, &new));
            assert_eq!(patch, Patch::single(at, delete, insert));
            let mut text = old;
            patch.apply(&mut text);
            assert_eq!(text, new);
        }
    }
}
