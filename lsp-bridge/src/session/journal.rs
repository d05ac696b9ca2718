//! The journals of what the editor shows, for the bridge after this one.

use std::io;
use std::sync::Arc;

use tutti_protocol::ids::DocumentId;

use super::project::Project;
use super::room::Open;
use crate::lsp::Severity;
use crate::mirror::{Journals, ShownAt};

impl Project {
    /// A document has been opened: from now on its journal is kept.
    pub(super) fn begin_journal(&mut self, document: &DocumentId) {
        let Some(path) = self.path_in_editor(document) else {
            return;
        };
        let shown = self.shown_at.entry(path.clone()).or_default();
        shown.insert(document.clone());
        self.with_journal(document, |journals, open| {
            let start = open.document.begin_journal();
            open.journal = Some(journals.begin(document, &path, &start)?);
            Ok(())
        });
    }

    /// Something has happened to a document. That is written before anyone hears of it: on this
    /// task, since it takes microseconds, and nothing may overtake it.
    pub(super) fn write_journal(&mut self, document: &DocumentId) {
        let mut is_long = false;
        self.with_journal(document, |_, open| {
            let Some(entry) = open.document.journal_entry() else {
                return Ok(());
            };
            if let Some(journal) = &mut open.journal {
                journal.add(&entry)?;
                is_long = journal.is_long();
            }
            Ok(())
        });
        if is_long {
            self.begin_journal(document);
        }
    }

    /// The editor shows a document no more.
    pub(super) fn close_journal(&self, document: &DocumentId) {
        let closed = self.journals.as_ref().map(|own| own.closed(document));
        if let Some(Err(error)) = closed {
            tracing::debug!(%document, %error, "a journal passes for one of an open file");
        }
    }

    /// A journal that could not be written is begun anew.
    pub(super) fn renew_journal(&mut self, document: &DocumentId) {
        let room = self.rooms.get(document);
        let open = room.and_then(|room| room.open());
        if open.is_some_and(|open| open.journal.is_none()) {
            self.begin_journal(document);
        }
    }

    fn with_journal(
        &mut self,
        document: &DocumentId,
        keep: impl FnOnce(&Journals, &mut Open) -> io::Result<()>,
    ) {
        let Some(journals) = self.journals.clone() else {
            return;
        };
        let Some(open) = self.rooms.get_mut(document).and_then(|r| r.open_mut()) else {
            return;
        };
        if let Err(error) = keep(&journals, open) {
            open.journal = None;
            if self.is_without_private() {
                // Which is told.
                return;
            }
            let path = self.name_of(document);
            let told = format!(
                "the journal of {path} cannot be written ({error}), which is tried again: if the \
                 bridge is killed meanwhile, what was typed just before may come twice"
            );
            self.tell_once(Severity::Warning, &told);
        }
    }

    /// The mirror has told where journals are kept, and which files others before have left open.
    pub(super) fn keep_journals(&mut self, journals: Arc<Journals>, shown_at: ShownAt) {
        self.journals = Some(journals);
        self.shown_at = shown_at;
    }
}
