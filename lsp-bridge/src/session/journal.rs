//! The journals of what the editor shows, for the bridge after this one.

use std::io;
use std::sync::Arc;

use tutti_protocol::ids::DocumentId;

use super::project::Project;
use super::room::Open;
use crate::lsp::Severity;
use crate::mirror::Journals;

impl Project {
    /// A document has been opened: from now on its journal is kept.
    pub(super) fn begin_journal(&mut self, document: &DocumentId) {
        self.with_journal(document, |journals, open| {
            open.journal = Some(journals.begin(document, &open.document.begin_journal())?);
            Ok(())
        });
    }

    /// Something has happened to a document. That is written before anyone hears of it: on this
    /// task, since it takes microseconds, and nothing may overtake it.
    pub(super) fn write_journal(&mut self, document: &DocumentId) {
        self.with_journal(document, |journals, open| {
            let Some(entry) = open.document.journal_entry() else {
                return Ok(());
            };
            let Some(journal) = &mut open.journal else {
                return Ok(());
            };
            journal.add(&entry)?;
            if journal.is_long() {
                open.journal = Some(journals.begin(document, &open.document.begin_journal())?);
            }
            Ok(())
        });
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
            let path = self.name_of(document);
            let told = format!(
                "the journal of {path} cannot be written ({error}): if the bridge is killed now, \
                 what was typed just before may come twice; make room on the disk and open the \
                 file again"
            );
            self.tell_once(Severity::Warning, &told);
        }
    }

    /// The mirror has told where journals are kept.
    pub(super) fn keep_journals(&mut self, journals: Arc<Journals>) {
        self.journals = Some(journals);
    }
}
