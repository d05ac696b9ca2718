//! Telling the person that the server cannot save what it gets.
//!
//! What is typed then reaches the others all the same, and stays here as without a connection. Progress says so
//! at once, where an editor shows any; when it lasts, a message does, and another that it is over. Of that the
//! server tells those who are in the document; who is not any more, or has lost the connection, knows it by the
//! next edit that is saved, or by a new connection on which nothing of the kind is heard.

use std::collections::BTreeMap;

use tutti_engine::Millis;
use tutti_protocol::ids::DocumentId;
use tutti_protocol::remark::Remark;

use super::lasting::Lasting;
use super::project::Project;
use super::room::earlier;
use super::timers::take_due;
use crate::lsp::Severity;

/// A database that was restarted is back by then, and a server has said by then what it cannot save.
const LASTS_MS: u64 = 3_000;
/// Of what nothing is heard for so long, the end is not told any more, and the next one is news.
const STALE_MS: u64 = 60_000;

/// See the [module's documentation](self).
#[derive(Debug, Default)]
pub(super) struct Saving {
    /// The documents that cannot be saved, and why.
    failing: BTreeMap<DocumentId, String>,
    pub(super) trouble: Lasting,
    /// When it is over, unless the server says otherwise.
    over_at: Option<Millis>,
    /// When what has been told is another trouble's.
    stale_at: Option<Millis>,
}

impl Saving {
    pub(super) fn due(&self) -> Option<Millis> {
        let soon = earlier(self.over_at, self.stale_at);
        earlier(self.trouble.due(), soon)
    }

    /// What to show of it, for as long as it lasts.
    pub(super) fn message(&self) -> Option<String> {
        let reason = self.failing.values().next()?;
        let trouble = "the server cannot save now, edits are kept here";
        Some(match reason.as_str() {
            "" => trouble.to_owned(),
            reason => format!("{trouble}: {reason}"),
        })
    }

    /// There is nothing more to be heard of it for now.
    fn is_unheard(&mut self) {
        self.over_at = None;
        if !self.trouble.is_told() {
            self.trouble = Lasting::default();
        }
    }

    /// There is no connection.
    pub(super) fn is_away(&mut self) {
        self.failing.clear();
        self.is_unheard();
    }
}

impl Project {
    pub(super) fn saving(&mut self, document: DocumentId, remark: Remark) {
        match remark {
            Remark::Saved => {
                self.saving.failing.remove(&document);
                self.saves();
            }
            Remark::NotSaved { reason } => {
                self.saving.failing.insert(document, reason);
                self.saving.over_at = None;
                self.saving.stale_at = None;
                if let Some(message) = self.saving.message() {
                    let at = self.clock.after(LASTS_MS);
                    self.saving.trouble.begins(at, message);
                }
            }
        }
        self.show_sync_progress();
    }

    /// The server has saved something.
    pub(super) fn saves(&mut self) {
        if self.saving.failing.is_empty() {
            self.saving.over_at = None;
            if self.saving.trouble.ends() {
                self.client.show(Severity::Info, "the server saves again");
            }
        }
    }

    /// Whether a document is saved is not heard any more.
    pub(super) fn is_left(&mut self, document: &DocumentId) {
        if self.saving.failing.remove(document).is_some() && self.saving.failing.is_empty() {
            self.saving.is_unheard();
            self.saving.stale_at = Some(self.clock.after(STALE_MS));
            self.show_sync_progress();
        }
    }

    /// The server has let us into a document, which it may have kept waiting; it says anew what it cannot save.
    pub(super) fn is_heard_anew(&mut self, document: &DocumentId) {
        if self.saving.failing.remove(document).is_some() && self.saving.failing.is_empty() {
            self.saving.is_unheard();
            self.may_save();
            self.show_sync_progress();
        }
    }

    /// The server has let us in; what it cannot save it says soon.
    pub(super) fn may_save(&mut self) {
        if self.saving.trouble.is_told() && self.saving.failing.is_empty() {
            self.saving.over_at = Some(self.clock.after(LASTS_MS));
        }
    }

    pub(super) fn saving_due(&mut self, now: Millis) {
        self.saving.trouble.tell(now, &self.client);
        if take_due(&mut self.saving.over_at, now) {
            self.saves();
        }
        if take_due(&mut self.saving.stale_at, now) && self.saving.failing.is_empty() {
            self.saving.trouble = Lasting::default();
        }
    }
}
