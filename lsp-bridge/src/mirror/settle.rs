//! Bringing one file and its document together.

use std::time::{Duration, SystemTime};

use tutti_engine::Replica;
use tutti_protocol::ids::DocumentId;
use tutti_protocol::index::FileEntry;
use tutti_protocol::path::ProjectPath;

use super::effect::{Effect, IndexEdit, Notice, Settled};
use super::state::{Base, BaseFile, Record, hash};
use super::text::{TextFile, parse, render, unwritable};
use super::tree::{Expected, Found, LeftAlone, Outcome, RawFile};
use super::{Mirror, MirrorError, doing, merge};

/// How often a file is read again when other programs write it at the same time. Beyond it the
/// watcher brings us back.
const ATTEMPTS: usize = 8;
/// A file that holds but the beginning of what it held may be one that a program is about to write:
/// it has emptied it first. So long nobody takes to go on.
const BEING_WRITTEN: Duration = Duration::from_millis(200);

/// One document on its way to its file.
pub(super) struct Subject<'a> {
    pub(super) document: &'a DocumentId,
    pub(super) path: ProjectPath,
    entry: FileEntry,
    pub(super) main: Replica,
    pub(super) unsaved: bool,
    /// What was stored when this began.
    stored: Option<Record>,
}

impl Mirror {
    /// Brings the file and its document together: what other programs wrote goes into the
    /// document, what others wrote goes into the file. `main` is the document's state.
    ///
    /// Call it once the document is up to date with the server.
    /// The state is stored on the way, in any case.
    pub fn settle(&mut self, document: &DocumentId, main: &[u8]) -> Result<Settled, MirrorError> {
        if let Some(effects) = self.remove_again(document, main)? {
            let update = None;
            return Ok(Settled { update, effects });
        }
        let mut settled = self.settle_offline(document, main)?;
        if self.vanished.remove(document) {
            let is_deleted = self.is_still_missing(document, main)?;
            self.not_missing(document);
            if is_deleted {
                self.deleted_here(document, &mut settled.effects)?;
            }
        }
        self.turned(document, &mut settled.effects)?;
        self.look_for_twins(document, &mut settled)?;
        Ok(settled)
    }

    /// [`Mirror::settle`] without a connection, with what there is. It deletes nothing from the
    /// project: others may have written into a file that is missing here.
    pub fn settle_offline(
        &mut self,
        document: &DocumentId,
        main: &[u8],
    ) -> Result<Settled, MirrorError> {
        let mut settled = Settled::default();
        let mut main = main.to_vec();
        if let Some(stored) = self.own_record(document)? {
            let whole = self.whole(document, &main, &stored.state)?;
            (main, settled.update) = (whole.state, whole.lacked);
        }
        for _ in 0..ATTEMPTS {
            if self.settle_once(document, &mut main, &mut settled)? == Outcome::Done {
                break;
            }
        }
        Ok(settled)
    }

    fn settle_once(
        &mut self,
        document: &DocumentId,
        main: &mut Vec<u8>,
        settled: &mut Settled,
    ) -> Result<Outcome, MirrorError> {
        self.move_if_due(document, &mut settled.effects)?;
        let stored = self.own_record(document)?;
        let (base, unsaved) = stored
            .clone()
            .map_or((None, false), |record| (record.base, record.unsaved));
        let place = self.place(document)?;
        let read = place.map(|(path, entry)| (self.tree.read(&path), path, entry));
        // What an editor has opened meanwhile may have been saved before it was read here.
        let read = read.filter(|_| !self.held_open.has(document));
        if read.is_some() && self.is_still_to_move(document) {
            return Ok(Outcome::Changed);
        }
        let Some((found, path, entry)) = read else {
            if let Some(update) = self.take_beneath_guest(document, main)? {
                *main = self.whole(document, main, &update)?.state;
                settled.add(update);
                return Ok(Outcome::Done);
            }
            let record = Record::after(stored.as_ref(), main.clone(), unsaved, base);
            if stored.as_ref() != Some(&record) {
                self.save(document, &record, unsaved)?;
            }
            return Ok(Outcome::Done);
        };
        let mut subject = Subject {
            document,
            main: self.replica(document, main)?,
            path,
            entry,
            unsaved,
            stored,
        };
        let base = base.filter(|base| base.file.path == subject.path);
        let outcome = match (found, base) {
            (Found::Blocked(LeftAlone::TooBig), Some(base)) if self.holds_all(&subject) => {
                let base = as_written(&subject, base);
                self.leave_alone(&mut subject, Some(base), LeftAlone::TooBig, settled)?
            }
            (Found::Blocked(LeftAlone::TooBig), Some(base))
                if self.turns_into_blob(document, &subject.path, &mut settled.effects) =>
            {
                self.remember(&mut subject, Some(base))?;
                Outcome::Done
            }
            (Found::Blocked(reason), base) => {
                self.leave_alone(&mut subject, base, reason, settled)?
            }
            (Found::Missing, Some(base))
                if !self.read_only && self.is_unchanged(&subject, &base)? =>
            {
                // Deleted here, or about to be found elsewhere: the watcher's turn tells.
                self.remember(&mut subject, Some(base))?;
                Outcome::Done
            }
            // To write it anew before that would make two of one that was moved.
            (Found::Missing, Some(base))
                if !self.read_only && !self.vanished.contains(document) =>
            {
                let again = Effect::LookAgain(subject.path.clone());
                settled.effects.push(again);
                self.remember(&mut subject, Some(base))?;
                Outcome::Done
            }
            (Found::Missing, base) => self.put(&mut subject, base, Expected::Missing, settled)?,
            (Found::File(file), None) => self.first_meeting(&mut subject, &file, settled)?,
            (Found::File(file), Some(base)) => {
                self.known_file(&mut subject, file, base, settled)?
            }
        };
        *main = subject.main.state();
        if outcome == Outcome::Done {
            self.left_behind.file_is_known(document);
        }
        Ok(outcome)
    }

    /// Where the document's file is to be; `None` if this bridge must not touch it now.
    pub(super) fn place(
        &mut self,
        document: &DocumentId,
    ) -> Result<Option<(ProjectPath, FileEntry)>, MirrorError> {
        if !self.is_owner() || self.is_open(document)? {
            return Ok(None);
        }
        let entry = self.entries.as_ref().and_then(|e| e.get(document)).cloned();
        let (Some(entry), Some(place)) = (entry, self.shown.get(document).cloned()) else {
            return Ok(None);
        };
        let path = match place {
            Ok(path) => path,
            Err(refused) => {
                self.refuse(document, &entry.path, refused);
                return Ok(None);
            }
        };
        // Someone else's file must neither replace a file that is private here nor make it shared.
        if let Some(reason) = self.ignores.why_out(&self.tree, &path) {
            self.refuse(document, path.as_str(), reason);
            return Ok(None);
        }
        if self.holds_new_one(&path, document) {
            return Ok(None);
        }
        // It will be moved away when it is closed, and this one written then.
        if let Some(other) = self.at.get(&path).filter(|at| *at != document).cloned()
            && self.is_open(&other)?
        {
            self.refuse(document, path.as_str(), LeftAlone::Occupied);
            return Ok(None);
        }
        Ok(Some((path, entry)))
    }

    /// Whether another file stands there that was made here just now. The index that is known does not show
    /// it yet, so not which of the two stays there.
    pub(super) fn holds_new_one(&self, path: &ProjectPath, document: &DocumentId) -> bool {
        let there = self.at.get(path).filter(|there| *there != document);
        there.is_some_and(|there| self.announced.contains(there))
    }

    fn is_unchanged(&self, subject: &Subject<'_>, base: &Base) -> Result<bool, MirrorError> {
        let text = self.text_of(subject.document, &base.state)?;
        Ok(*subject.main.rope() == text)
    }

    /// Whether a file that is too big to be read holds the document's text: an editor has saved it, and
    /// its bridge ended before it heard so.
    fn holds_all(&self, subject: &Subject<'_>) -> bool {
        let bytes = render(&subject.main.text(), subject.entry.eol);
        let there = self.tree.hash(&subject.path).ok().flatten();
        there.is_some_and(|(there, _)| there.0 == hash(&bytes))
    }

    /// A file stands where the project has one, and there is no record that it came from there.
    fn first_meeting(
        &mut self,
        subject: &mut Subject<'_>,
        file: &RawFile,
        settled: &mut Settled,
    ) -> Result<Outcome, MirrorError> {
        let theirs = render(&subject.main.text(), subject.entry.eol);
        if file.bytes != theirs && !file.bytes.is_empty() {
            let reason = "the project has another text under that name";
            self.recover(&subject.path, &file.bytes, reason, settled)?;
        }
        self.put(subject, None, Expected::Bytes(&file.bytes), settled)
    }

    fn known_file(
        &mut self,
        subject: &mut Subject<'_>,
        file: RawFile,
        base: Base,
        settled: &mut Settled,
    ) -> Result<Outcome, MirrorError> {
        self.take_executable(subject, &file, &base, settled);
        let base = self.take_saved(subject, &file, base, settled)?;
        if hash(&file.bytes) == base.file.hash {
            return self.put(subject, Some(base), Expected::Bytes(&file.bytes), settled);
        }
        let Some(local) = parse(file.bytes.clone(), Some(base.file.eol)) else {
            if self.read_only {
                return self.follow_again(subject, &file, base, settled);
            }
            if self.turns_into_blob(subject.document, &subject.path, &mut settled.effects) {
                self.remember(subject, Some(base))?;
                return Ok(Outcome::Done);
            }
            return self.leave_alone(subject, Some(base), LeftAlone::NotText, settled);
        };
        let before = render(&self.text_of(subject.document, &base.state)?, base.file.eol);
        if before.starts_with(&file.bytes) && file.is_younger_than(BEING_WRITTEN) {
            std::thread::sleep(BEING_WRITTEN / 4);
            return Ok(Outcome::Changed);
        }
        if file.bytes == render(&subject.main.text(), subject.entry.eol) {
            return self.put(subject, Some(base), Expected::Bytes(&file.bytes), settled);
        }
        if self.read_only {
            return self.follow_again(subject, &file, base, settled);
        }
        let base = self.take_text(subject, &local, file.written, base, settled)?;
        self.put(subject, Some(base), Expected::Bytes(&file.bytes), settled)
    }

    /// In a project that one may only read, what was written into a file is kept, and the file is as
    /// the project has it.
    fn follow_again(
        &mut self,
        subject: &mut Subject<'_>,
        file: &RawFile,
        base: Base,
        settled: &mut Settled,
    ) -> Result<Outcome, MirrorError> {
        let reason = "you may only read this project";
        self.recover(&subject.path, &file.bytes, reason, settled)?;
        self.put(subject, Some(base), Expected::Bytes(&file.bytes), settled)
    }

    /// Takes a change of the executable bit, made on disk, into the index.
    fn take_executable(
        &mut self,
        subject: &mut Subject<'_>,
        file: &RawFile,
        base: &Base,
        settled: &mut Settled,
    ) {
        let Some(executable) = file.executable else {
            return;
        };
        let changed_here = executable != base.file.executable;
        if changed_here && executable != subject.entry.executable && !self.read_only {
            subject.entry.executable = executable;
            let edit = IndexEdit::SetExecutable(subject.document.clone(), executable);
            self.edit_index(edit, &mut settled.effects);
        }
    }

    /// Takes a text, made on disk out of `base`, into the document. Returns the base that the
    /// disk's text stands for now.
    fn take_text(
        &mut self,
        subject: &mut Subject<'_>,
        local: &TextFile,
        written: Option<SystemTime>,
        base: Base,
        settled: &mut Settled,
    ) -> Result<Base, MirrorError> {
        if local.eol != base.file.eol && local.eol != subject.entry.eol {
            subject.entry.eol = local.eol;
            let edit = IndexEdit::SetEol(subject.document.clone(), local.eol);
            self.edit_index(edit, &mut settled.effects);
        }
        let made_of = self.made_of(subject, &base, &local.text, written, settled)?;
        let merged = merge::merge_disk(&made_of.state, &subject.main.state(), &local.text);
        let merged = merged.map_err(|source| MirrorError::BadState {
            document: subject.document.clone(),
            source,
        })?;
        subject.main = merged.main;
        made_of.note_text(subject.document, &subject.main, &merged.base, &local.text)?;
        if let Some(update) = merged.update {
            subject.unsaved = true;
            // Before anything else: an edit that is in the document twice would come of a crash
            // between storing the one without the other.
            let base = Base {
                state: merged.base,
                file: BaseFile {
                    hash: hash(&render(&local.text, local.eol)),
                    ..base.file
                },
            };
            self.remember(subject, Some(base.clone()))?;
            settled.add(update);
            return Ok(base);
        }
        Ok(base)
    }

    /// Makes the file hold the document's text, if it still holds what `expected` says.
    fn put(
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
                Ok(Outcome::Done) => {}
                Ok(Outcome::Changed) => return Ok(Outcome::Changed),
                Err(reason) => return self.leave_alone(subject, base, reason, settled),
            }
        }
        self.refused.remove(subject.document);
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
            },
        };
        self.remember(subject, Some(base))?;
        Ok(Outcome::Done)
    }

    /// Whether a file that has been written anew was deleted by this person.
    fn was_deleted_here(&mut self, subject: &Subject<'_>, base: Option<&Base>) -> bool {
        let deleted = self.deleted.remove(&subject.path);
        let is_it = deleted.is_some_and(|(document, _)| document == *subject.document);
        (is_it || base.is_some()) && !self.read_only
    }

    /// The file is not touched; the document is stored all the same.
    fn leave_alone(
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
            settled.effects.push(Effect::Tell(notice));
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
        if subject.stored.as_ref() == Some(&record) {
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

/// What is known of a file that holds the document's text.
fn as_written(subject: &Subject<'_>, base: Base) -> Base {
    let eol = subject.entry.eol;
    Base {
        state: subject.main.state(),
        file: BaseFile {
            eol,
            hash: hash(&render(&subject.main.text(), eol)),
            ..base.file
        },
    }
}
