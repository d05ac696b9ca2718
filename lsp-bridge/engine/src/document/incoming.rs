//! From the editor and the server into the replicas.

use ropey::Rope;

use super::changes::{EARLY_MS, normalise, replay};
use super::{Document, Effect, Millis, same_text};
use crate::diff::diff;
use crate::explain::{Expected, Explanation, explain};
use crate::patch::{Patch, Side};
use crate::position::Change;

impl Document {
    /// The next report in order: the person's change, the landing of ours, or both.
    pub(super) fn reported(&mut self, version: i32, changes: &[Change], effects: &mut Vec<Effect>) {
        let replayed = replay(&self.shown, changes, self.encoding, self.crlf);
        self.version = version;
        self.retry.text_changed();
        if replayed.drifted {
            self.tell_drift(effects);
        }
        if self.flight.is_none() {
            for patch in &replayed.patches {
                self.user(patch, effects);
            }
        } else if replayed.text != self.shown {
            self.explained(replayed.text, &replayed.patches, effects);
        }
    }

    fn explained(&mut self, next: Rope, patches: &[Patch], effects: &mut Vec<Effect>) {
        let Some(flight) = self.flight.as_ref() else {
            return;
        };
        let accepted = flight.accepted;
        let expected = Expected {
            left: flight.left.clone(),
            raw: flight.raw.clone(),
            overtaken: flight.overtaken,
            certain: accepted && self.dialect.yes_is_certain,
        };
        match explain(&self.shown, &next, &expected, self.encoding) {
            Explanation::User => {
                for patch in patches {
                    self.user(patch, effects);
                }
                if accepted {
                    // A yes that the text belies: the edit was skipped.
                    self.drop_flight();
                }
            }
            Explanation::Ours { landed, left } => {
                self.take_in_flight(landed, left);
                let typed = diff(&self.shown, &next);
                self.user(&typed, effects);
            }
            Explanation::Stale { typed } => {
                let typed = diff(&self.shown, &typed);
                self.user(&typed, effects);
                self.take_in_flight(next, Patch::default());
            }
        }
    }

    /// The edit under way, or a part of it, is in the editor, which shows `landed` now.
    fn take_in_flight(&mut self, landed: Rope, left: Patch) {
        self.shown = landed;
        let Some(flight) = self.flight.as_mut() else {
            return;
        };
        if let Some(update) = flight.update.take() {
            self.editor
                .apply(&update)
                .expect("main's own update is valid");
        }
        if left.is_empty() {
            self.flight = None; // `ahead` is what came in the meantime.
            self.retry.landed();
        } else {
            flight.left = left;
        }
        self.aligned = self.shown == *self.editor.rope();
    }

    /// The person changed `shown` by `patch`.
    pub(super) fn user(&mut self, patch: &Patch, effects: &mut Vec<Effect>) {
        if patch.is_empty() {
            return;
        }
        if self.aligned {
            self.write(patch, effects);
        } else {
            self.make_newline_real(patch, effects);
            let difference = diff(&self.shown, self.editor.rope());
            self.write(&patch.rebase(&difference, Side::Before), effects);
        }
        patch.apply(&mut self.shown);
        if !self.aligned {
            self.aligned = self.shown == *self.editor.rope();
        }
        if let Some(flight) = self.flight.as_mut() {
            flight.left = flight.left.rebase(patch, Side::Before);
            flight.overtaken = true;
        }
    }

    /// Writes the person's change into `editor` and `main` and sends it.
    fn write(&mut self, patch: &Patch, effects: &mut Vec<Effect>) {
        if patch.is_empty() {
            return;
        }
        let update = self.editor.splice(patch);
        self.main
            .apply(&update)
            .expect("the editor replica's own update is valid");
        self.ahead.take_if(|known| !known.is_empty());
        effects.push(Effect::Send { update });
    }

    /// An editor that puts a newline behind every text shows one that the shared text lacks. When
    /// the person writes behind it, it becomes part of the text.
    fn make_newline_real(&mut self, patch: &Patch, effects: &mut Vec<Effect>) {
        let end = self.shown.len_chars();
        let behind = patch
            .splices()
            .last()
            .is_some_and(|splice| splice.at == end && !splice.insert.is_empty());
        let text = self.editor.rope();
        let lacks = text.len_chars() == 0 || text.char(text.len_chars() - 1) != '\n';
        let shows = end > 0 && self.shown.char(end - 1) == '\n';
        if self.keeps_newline() && behind && lacks && shows {
            let newline = Patch::single(text.len_chars(), 0, "\n");
            self.write(&newline, effects);
        }
    }

    /// Makes `editor` hold what the editor shows, as the person's change.
    pub(super) fn adopt_shown(&mut self, effects: &mut Vec<Effect>) {
        if same_text(&self.shown, self.editor.rope(), self.keeps_newline()) {
            return;
        }
        let typed = diff(self.editor.rope(), &self.shown);
        self.write(&typed, effects);
        self.aligned = true;
    }

    /// A save that carries the text is the alarm for drift: its text is the truth.
    pub(super) fn saved(&mut self, text: Option<String>, now: Millis, effects: &mut Vec<Effect>) {
        let Some(text) = text else { return };
        // Every editor sends its changes before its save; what still waits will not come.
        self.take_early(effects);
        let text = Rope::from_str(&normalise(&text, self.crlf));
        if same_text(&text, &self.shown, self.keeps_newline()) {
            return;
        }
        self.tell_drift(effects);
        let change = Change {
            range: None,
            text: text.to_string(),
        };
        self.reported(self.version, &[change], effects);
        self.lapse(now);
    }

    /// Others have written.
    pub(super) fn remote(&mut self, update: &[u8], effects: &mut Vec<Effect>) {
        match self.main.apply(update) {
            Ok(patch) => {
                self.ahead = match self.ahead.take() {
                    Some(known) if known.is_empty() => Some(patch),
                    _ => None,
                };
            }
            Err(error) => effects.push(Effect::Tell {
                message: format!(
                    "The server sent something unreadable, which was left out: {error}."
                ),
            }),
        }
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Millis, effects: &mut Vec<Effect>) {
        if !self.early.is_empty() && self.early_since.after(EARLY_MS) <= now {
            self.take_early(effects);
        }
        self.lapse(now);
    }
}
