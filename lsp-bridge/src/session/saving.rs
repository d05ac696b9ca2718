//! Telling the person that the server cannot save what it gets.
//!
//! What is typed then reaches the others all the same, and stays here as without a connection. Progress says so
//! at once, where an editor shows any; when it lasts, a message does, and another that it is over.

use std::collections::BTreeMap;

use tutti_protocol::ids::DocumentId;
use tutti_protocol::remark::Remark;

use super::lasting::Lasting;
use super::project::Project;
use crate::lsp::Severity;

/// A database that was restarted is back by then.
const LASTS_MS: u64 = 3_000;

/// See the [module's documentation](self).
#[derive(Debug, Default)]
pub(super) struct Saving {
    /// The documents that cannot be saved, and why.
    failing: BTreeMap<DocumentId, String>,
    pub(super) trouble: Lasting,
}

impl Saving {
    /// What to show of it, for as long as it lasts.
    pub(super) fn message(&self) -> Option<String> {
        let reason = self.failing.values().next()?;
        let trouble = "the server cannot save now, edits are kept here";
        Some(match reason.as_str() {
            "" => trouble.to_owned(),
            reason => format!("{trouble}: {reason}"),
        })
    }
}

impl Project {
    pub(super) fn saving(&mut self, document: DocumentId, remark: Remark) {
        match remark {
            Remark::Saved => self.saves_again(&document),
            Remark::NotSaved { reason } => {
                self.saving.failing.insert(document, reason);
                if let Some(message) = self.saving.message() {
                    let at = self.clock.after(LASTS_MS);
                    self.saving.trouble.begins(at, message);
                }
                self.show_sync_progress();
            }
        }
    }

    /// A document is saved, or is none of ours any more.
    pub(super) fn saves_again(&mut self, document: &DocumentId) {
        let is_over =
            self.saving.failing.remove(document).is_some() && self.saving.failing.is_empty();
        if is_over {
            if self.saving.trouble.ends() {
                self.client.show(Severity::Info, "the server saves again");
            }
            self.show_sync_progress();
        }
    }
}
