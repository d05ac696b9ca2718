//! Writing a document's text into its file, and what is known of it into the document's record.
//!
//! A crash between the two must not make what others have typed pass for this person's work: the record has the text
//! before its file does, with the file's old base, and the new base only after that. So a file is not written whose
//! record cannot be stored.

use tutti_protocol::index::FileEntry;

use super::effect::{Effect, Notice, Settled};
use super::settle::Subject;
use super::state::{Base, BaseFile, Record, hash};
use super::text::{render, unwritable};
use super::tree::{Expected, LeftAlone, Outcome};
use super::{Mirror, MirrorError, doing};

impl Mirror {
    /// Makes the file hold the document's text, if it still holds what `expected` says.
    pub(super) fn put(
        &mut self,
        subject: &mut Subject<'_>,
        base: Option<Base>,
        expected: Expected<'_>,
        settled: &mut Settled,
    ) -> Result<Outcome, MirrorError> {
        let FileEntry {
            eol, executable, ..
        } = subject.entry;
        let bytes = render(&subject.main.text(), eol);
        if let Some(reason) = unwritable(&bytes, eol) {
            return self.leave_alone(subject, base, reason, settled);
        }
        let in_place = matches!(expected, Expected::Bytes(old) if old == bytes);
        let mode_stays = base
            .as_ref()
            .is_some_and(|base| base.file.executable == executable);
        if in_place && !mode_stays {
            if let Err(reason) = self.tree.set_executable(&subject.path, executable) {
                return self.leave_alone(subject, base, reason, settled);
            }
        } else if !in_place {
            // A crash between the two writes must find the old base beside the new text.
            if let Some(base) = &base {
                self.recent.overwritten(subject.document, &base.state);
                self.remember(subject, Some(base.clone()))?;
                let kept = self.overwritten.keep(subject.document, &self.store);
                doing("writing to .tutti/overwritten", kept)?;
            }
            match self.tree.write(&subject.path, &bytes, executable, expected) {
                Ok((Outcome::Done, written)) => subject.found = written,
                Ok((Outcome::Changed, _)) => return Ok(Outcome::Changed),
                Err(reason) => return self.leave_alone(subject, base, reason, settled),
            }
        }
        self.refused.remove(subject.document);
        self.not_cut_off(subject.document);
        if matches!(expected, Expected::Missing) && self.was_deleted_here(subject, base.as_ref()) {
            let path = subject.path.to_string();
            let again = Notice::ChangedMeanwhile { path };
            settled.effects.push(Effect::Tell(again));
        }
        let base = Base {
            state: subject.main.state(),
            file: BaseFile {
                path: subject.path.clone(),
                eol,
                executable,
                hash: hash(&bytes),
                listed: !self.announced.contains(subject.document),
                identity: subject.found,
            },
        };
        let stored = subject.stored.as_ref();
        let state = base.state.clone();
        let record = Record::after(stored, state, subject.unsaved, Some(base));
        if stored != Some(&record) {
            self.save_or_hold(subject.document, record.clone(), false)?;
            subject.stored = Some(record);
        }
        Ok(Outcome::Done)
    }

    /// Whether a file that has been written anew was deleted by this person.
    fn was_deleted_here(&mut self, subject: &Subject<'_>, base: Option<&Base>) -> bool {
        let deleted = self.deleted.remove(&subject.path);
        let is_it = deleted.is_some_and(|(document, _)| document == *subject.document);
        (is_it || base.is_some()) && !self.read_only
    }

    /// The file is not touched; the document is stored all the same.
    pub(super) fn leave_alone(
        &mut self,
        subject: &mut Subject<'_>,
        base: Option<Base>,
        reason: LeftAlone,
        settled: &mut Settled,
    ) -> Result<Outcome, MirrorError> {
        self.remember(subject, base)?;
        let path = subject.path.to_string();
        if self.refuse(subject.document, &path, reason.clone()) {
            let notice = Notice::left_alone(subject.document, path, &reason);
            settled.effects.extend(notice.map(Effect::Tell));
        }
        Ok(Outcome::Done)
    }

    pub(super) fn remember(
        &mut self,
        subject: &mut Subject<'_>,
        base: Option<Base>,
    ) -> Result<(), MirrorError> {
        let state = subject.main.state();
        let record = Record::after(subject.stored.as_ref(), state, subject.unsaved, base);
        // Most documents are found as they were left.
        let is_held = self.held(subject.document).is_some();
        if subject.stored.as_ref() == Some(&record) && !is_held {
            return Ok(());
        }
        // What the file holds as well need not be waited for: new files come by the hundred.
        let in_file = record
            .base
            .as_ref()
            .is_some_and(|base| base.state == record.state);
        self.save(subject.document, &record, subject.unsaved && !in_file)?;
        subject.stored = Some(record);
        Ok(())
    }
}
