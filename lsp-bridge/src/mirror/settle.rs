//! Bringing one file and its document together.

use std::time::{Duration, SystemTime};

use tutti_engine::Replica;
use tutti_protocol::ids::DocumentId;
use tutti_protocol::index::FileEntry;
use tutti_protocol::path::ProjectPath;

use super::effect::{Effect, IndexEdit, Settled};
use super::state::{Base, BaseFile, Record, hash};
use super::text::{TextFile, holds, parse, render};
use super::tree::{Expected, Found, Identity, LeftAlone, Outcome, RawFile};
use super::{Mirror, MirrorError, merge};

/// How often a file is read again when other programs write it at the same time. Beyond it the
/// watcher brings us back.
const ATTEMPTS: usize = 8;
/// A file that holds but the beginning of what it held may be one that a program is about to write:
/// it has emptied it first. So long nobody takes to go on.
const BEING_WRITTEN: Duration = Duration::from_millis(200);

/// Lines that a program has added with another line end than the file's get that soon after. It may go on to write
/// into the file that it has open, and not into one that was put in its place.
const APPENDING: Duration = Duration::from_secs(2);

/// One document on its way to its file.
pub(super) struct Subject<'a> {
    pub(super) document: &'a DocumentId,
    pub(super) path: ProjectPath,
    pub(super) entry: FileEntry,
    pub(super) main: Replica,
    pub(super) unsaved: bool,
    /// What was stored when this began.
    pub(super) stored: Option<Record>,
    /// Which file was found there.
    pub(super) found: Option<Identity>,
}

impl Mirror {
    /// Brings the file and its document together: what other programs wrote goes into the
    /// document, what others wrote goes into the file. `main` is the document's state.
    ///
    /// Call it once the document is up to date with the server.
    /// The state is stored on the way, in any case.
    ///
    /// What the disk does not let it do is told of in other ways, and tried again, see [`Mirror::tend`].
    pub fn settle(&mut self, document: &DocumentId, main: &[u8]) -> Result<Settled, MirrorError> {
        let mut settled = Settled::default();
        let done = self.settle_all(document, main, &mut settled);
        self.unless_disk_refuses(document, done)?;
        Ok(settled)
    }

    fn settle_all(
        &mut self,
        document: &DocumentId,
        main: &[u8],
        settled: &mut Settled,
    ) -> Result<(), MirrorError> {
        if let Some(mut effects) = self.remove_again(document, main)? {
            settled.effects.append(&mut effects);
            return Ok(());
        }
        self.settle_own(document, main, settled)?;
        if self.vanished.remove(document) {
            let is_deleted = self.is_still_missing(document, main)?;
            self.not_missing(document);
            if is_deleted {
                self.deleted_here(document, &mut settled.effects)?;
            }
        }
        self.turned(document, &mut settled.effects)?;
        self.look_for_twins(document, settled)
    }

    /// What the disk does not let be done of a document is known from now on.
    pub(super) fn unless_disk_refuses(
        &mut self,
        document: &DocumentId,
        done: Result<(), MirrorError>,
    ) -> Result<(), MirrorError> {
        match done {
            Err(MirrorError::Io { doing, source }) => {
                tracing::info!(%document, doing, error = %source, "the disk refuses");
                self.not_settled(document, &doing, &source);
                Ok(())
            }
            done => done,
        }
    }

    /// [`Mirror::settle`] without a connection, with what there is. It deletes nothing from the
    /// project: others may have written into a file that is missing here.
    pub fn settle_offline(
        &mut self,
        document: &DocumentId,
        main: &[u8],
    ) -> Result<Settled, MirrorError> {
        let mut settled = Settled::default();
        let done = self.settle_own(document, main, &mut settled);
        self.unless_disk_refuses(document, done)?;
        Ok(settled)
    }

    fn settle_own(
        &mut self,
        document: &DocumentId,
        main: &[u8],
        settled: &mut Settled,
    ) -> Result<(), MirrorError> {
        self.may_be_settled(document);
        let mut main = main.to_vec();
        if let Some(stored) = self.own_record(document)? {
            let whole = self.whole(document, &main, &stored.state)?;
            (main, settled.update) = (whole.state, whole.lacked);
        }
        for _ in 0..ATTEMPTS {
            if self.settle_once(document, &mut main, settled)? == Outcome::Done {
                break;
            }
        }
        Ok(())
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
        // A stored index may be older than what is known of the file.
        let is_elsewhere = !self.is_current && self.is_moved_or_gone(document);
        let is_elsewhere = is_elsewhere || self.cannot_be_moved(document);
        let read = read.filter(|_| !self.held_open.has(document) && !is_elsewhere);
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
                self.save_or_hold(document, record, unsaved)?;
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
            found: match &found {
                Found::File(file) => file.identity,
                _ => None,
            },
        };
        let base = base.filter(|base| base.file.path == subject.path);
        if base.is_some() && self.is_anothers(document, &subject.path, subject.found) {
            // Read as this one's, or written over, it would end here.
            settled
                .effects
                .push(Effect::LookAgain(subject.path.clone()));
            self.remember(&mut subject, base)?;
            *main = subject.main.state();
            return Ok(Outcome::Done);
        }
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
        let is_held = holds(&file.bytes, &subject.main.text(), subject.entry.eol);
        if !is_held && !file.bytes.is_empty() {
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
        if self.is_cut_off(subject.document, &before, &file) {
            return self.put_whole(subject, base, &before, &file, settled);
        }
        let is_held = holds(&file.bytes, &subject.main.text(), subject.entry.eol);
        if self.read_only && !is_held {
            return self.follow_again(subject, &file, base, settled);
        }
        let base = match is_held {
            true => base,
            false => self.take_text(subject, &local, file.written, base, settled)?,
        };
        let text = subject.main.text();
        if holds(&file.bytes, &text, subject.entry.eol)
            && file.bytes != render(&text, subject.entry.eol)
            && file.is_younger_than(APPENDING)
        {
            let again = Effect::LookAgain(subject.path.clone());
            settled.effects.push(again);
            self.remember(subject, Some(base))?;
            return Ok(Outcome::Done);
        }
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
                    identity: subject.found,
                    ..base.file
                },
            };
            self.remember(subject, Some(base.clone()))?;
            settled.add(update);
            return Ok(base);
        }
        Ok(base)
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
