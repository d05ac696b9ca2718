//! Edits that were under way to an editor when their document was closed.
//!
//! Such a request may still reach the document that is opened next. Its answer may come before, when
//! the document is shown by nobody: then the text that is opened may hold it, or the first report
//! behind it, or it was made in a buffer that is gone.

use ropey::Rope;

use super::flight::Flight;
use super::{Alignment, Document, EditId, Effect, Millis, ends_with_newline};
use crate::explain::{Expected, Explanation, explain};
use crate::patch::Patch;
use crate::replica::Request;

/// How long the next opening of a document waits for such a request.
const EARLIER_MS: u64 = 2_000;

impl Flight {
    pub(super) fn into_request(self) -> Request {
        Request {
            id: self.id.0,
            version: self.version,
            edits: self.raw,
            marks: self.marks,
            until_ms: self.deadline.map_or(u64::MAX, |deadline| deadline.0),
            is_made: false,
        }
    }

    /// The same in the next opening, which shows `shown`.
    fn again(request: Request, shown: &Rope, document: &Document) -> Self {
        let mut flight = Self {
            id: EditId(request.id),
            version: request.version,
            raw: request.edits,
            edit: [Patch::default(), Patch::default()],
            marks: request.marks,
            target: Rope::new(),
            sent_at: document.now,
            overtaken: false,
            is_missed: false,
            looks_made: false,
            accepted: request.is_made,
            came_late: false,
            behind: None,
            plain_behind: None,
            is_earlier: true,
            not_before: None,
            deadline: Some(Millis(request.until_ms)),
        };
        flight.falls_on(shown, document.form.encoding());
        flight
    }
}

impl Document {
    /// The text with which the document comes up differs from the one that its file was made from. If
    /// the editor has made an edit while nobody showed the document, it may be that.
    pub(super) fn opened_with_edit(&mut self, effects: &mut Vec<Effect>) {
        let Some(request) = self.main.request.take_if(|request| request.is_made) else {
            return;
        };
        let mut before = self.view().clone();
        if self.keeps_newline() && ends_with_newline(&self.shown) && !ends_with_newline(&before) {
            before.insert_char(before.len_chars(), '\n');
        }
        let flight = Flight::again(request, &before, self);
        let expected = Expected {
            edit: flight.edit.clone(),
            raw: flight.raw.clone(),
            overtaken: true,
            may_merge: true,
            may_fall: false,
            may_round_up: false,
            accepted: true,
            certain: false,
        };
        match explain(&before, &self.shown, &expected, self.form.encoding()) {
            Explanation::Ours { edit, typed } => {
                self.shown = before;
                self.alignment = Alignment::between(&self.shown, self.view());
                self.flight = Some(flight);
                self.take_in_flight(&edit);
                self.user(&typed, effects);
            }
            Explanation::User | Explanation::Stale { .. } => {
                let mut request = flight.into_request();
                request.is_made = true;
                self.main.request = Some(request);
            }
        }
    }

    /// What was under way when the document was closed is so still.
    pub(super) fn expect_earlier(&mut self, now: Millis) {
        let Some(request) = self.main.request.take() else {
            return;
        };
        let deadline = Millis(request.until_ms).min(now.after(EARLIER_MS));
        if now < deadline {
            let mut flight = Flight::again(request, &self.shown, self);
            flight.deadline = Some(deadline);
            self.flight = Some(flight);
        }
    }
}
