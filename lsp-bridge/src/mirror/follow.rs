//! The directory follows the index: files that came, went, moved or changed their kind.

use std::collections::BTreeMap;
use std::io;

use tutti_protocol::ids::DocumentId;
use tutti_protocol::index::FileEntry;
use tutti_protocol::path::{PathError, ProjectPath};

use super::effect::{Effect, IndexEdit, Notice};
use super::places::Places;
use super::replicas::Known;
use super::state::{Record, hash};
use super::tree::{Expected, Found, LeftAlone};
use super::watch::Changes;
use super::{Mirror, MirrorError, doing};

impl Mirror {
    /// Takes over the index as it is now. Only ever call it with an index that was loaded in full.
    ///
    /// What a `current` one does not list, as the server has it, is deleted here (a file that was
    /// changed here is kept aside first), and what it has elsewhere is moved. A stored one may be
    /// older than what is known here of a file, and does neither.
    pub fn index_changed(
        &mut self,
        entries: BTreeMap<DocumentId, FileEntry>,
        current: bool,
    ) -> Result<Vec<Effect>, MirrorError> {
        let mut effects = Vec::new();
        let entries = match self.is_owner() {
            true => self.keep_moved(entries, current, &mut effects)?,
            false => entries,
        };
        self.shown = Places::of(&entries);
        self.refused
            .retain(|document, _| entries.contains_key(document));
        let had_entries = self.entries.replace(entries).is_some();
        let was_stored = had_entries && !self.is_current;
        self.is_current = current && self.is_owner();
        if self.is_owner() {
            self.forget_removed()?;
            self.note_listed()?;
            self.make_again()?;
            if self.is_current {
                self.remove_unlisted(&mut effects)?;
                self.make_moves(&mut effects)?;
            }
            self.sync_changed(&mut effects)?;
            self.look_at_namesakes(&mut effects)?;
            self.take_away_twin_blobs(&mut effects)?;
            // What was passed over because the stored index was older.
            if self.is_current && was_stored {
                effects.extend(self.files_changed(&Changes::everything())?);
            }
        }
        Ok(effects)
    }

    /// Whether an editor has the document open, here or through a guest of this directory.
    pub(super) fn is_open(&mut self, document: &DocumentId) -> Result<bool, MirrorError> {
        if self.open.contains(document) || self.held_open.has(document) {
            return Ok(true);
        }
        let elsewhere = self.is_awaited(document) || self.guests_have_open(document)?;
        if elsewhere {
            self.with_guests.insert(document.clone());
        }
        Ok(elsewhere)
    }

    /// Whether no editor has the document open, but one may be about to come back to it.
    pub(super) fn is_awaited(&self, document: &DocumentId) -> bool {
        let is_here = self.open.contains(document) || self.held_open.has(document);
        !is_here && self.left_behind.may_come_back(document)
    }

    /// Writes an edit into the mirror's own picture of the index and asks for it to be made.
    pub(super) fn edit_index(&mut self, edit: IndexEdit, effects: &mut Vec<Effect>) {
        edit.list(self.entries.get_or_insert_default());
        effects.push(Effect::Index(edit));
    }

    fn note_listed(&mut self) -> Result<(), MirrorError> {
        let shown = &self.shown;
        self.announced.retain(|document| !shown.contains(document));
        let news = self.known.iter().filter(|(document, known)| {
            let unlisted = known.file.as_ref().is_some_and(|file| !file.listed);
            unlisted && shown.contains(document)
        });
        for document in news.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            if let Some(record) = self.blob_record(&document) {
                let mut record = record.clone();
                record.listed = true;
                self.save_blob(&document, record)?;
                continue;
            }
            let Some(mut record) = self.load(&document)? else {
                continue;
            };
            if let Some(base) = &mut record.base {
                base.file.listed = true;
            }
            self.save_or_hold(&document, record, false)?;
        }
        Ok(())
    }

    /// The documents that the index does not list and that are no new ones of this bridge.
    fn unlisted(&mut self) -> Result<Vec<DocumentId>, MirrorError> {
        let unlisted = self.known.keys().filter(|document| {
            !document.is_index()
                && !self.shown.contains(document)
                && !self.announced.contains(document)
                && !self.open.contains(document)
        });
        let mut closed = Vec::new();
        for document in unlisted.cloned().collect::<Vec<_>>() {
            if !self.is_open(&document)? {
                closed.push(document);
            }
        }
        Ok(closed)
    }

    /// Of a new file whose bridge ended before the index was known to list it, the next look makes
    /// the same document: the server may have it by now.
    fn make_again(&mut self) -> Result<(), MirrorError> {
        for document in self.unlisted()? {
            let Some(record) = self.load(&document)? else {
                continue;
            };
            let made_here = record.base.as_ref().filter(|base| !base.file.listed);
            let path = made_here.map(|base| base.file.path.clone());
            if let Some(path) = path
                && let Found::File(_) = self.tree.read(&path)
            {
                self.unplace(&document);
                self.known.remove(&document);
                self.deleted.insert(path, (document, record));
            }
        }
        Ok(())
    }

    fn remove_unlisted(&mut self, effects: &mut Vec<Effect>) -> Result<(), MirrorError> {
        for document in self.unlisted()? {
            if self.blob_record(&document).is_some() {
                self.settle_blob(&document, None, effects)?;
                continue;
            }
            self.remove_one_unlisted(&document, effects)?;
        }
        Ok(())
    }

    /// What only its file holds is kept before it goes, and as long as one of the two cannot be done the document is
    /// known: its file would pass for a new one.
    fn remove_one_unlisted(
        &mut self,
        document: &DocumentId,
        effects: &mut Vec<Effect>,
    ) -> Result<(), MirrorError> {
        if let Some(record) = self.load(document)? {
            match self.remove_file(document, &record, effects) {
                Err(MirrorError::Io { doing, source }) => {
                    self.not_settled(document, &doing, &source);
                    return Ok(());
                }
                removed => removed?,
            }
        }
        self.forget(document)
    }

    /// Tries once more to remove a file that others have deleted; `false` if it is none of these.
    pub(super) fn remove_late(
        &mut self,
        document: &DocumentId,
        effects: &mut Vec<Effect>,
    ) -> Result<bool, MirrorError> {
        let is_due = self.is_current && self.refused.contains_key(document);
        let is_due = is_due && !self.is_blob(document) && self.unlisted()?.contains(document);
        if is_due {
            self.remove_one_unlisted(document, effects)?;
        }
        Ok(is_due)
    }

    /// Removes the file of a document that is not listed any more, and keeps what only it holds.
    fn remove_file(
        &mut self,
        document: &DocumentId,
        record: &Record,
        effects: &mut Vec<Effect>,
    ) -> Result<(), MirrorError> {
        let Some(base) = &record.base else {
            return Ok(());
        };
        // Made here, and gone before the index knew.
        if !base.file.listed {
            return Ok(());
        }
        let path = &base.file.path;
        // Typed in an editor that never wrote it, or not sent yet; or sent to where the file was deleted already.
        let state = self.with_all_journals(document, &record.state)?;
        let text = self.text_of(document, &state)?;
        let is_fresh = self.known.get(document).is_some_and(Known::is_fresh);
        if is_fresh || text != self.text_of(document, &base.state)? {
            let bytes = super::text::render(&text, base.file.eol);
            let notice = self.keep_of_gone(document, path, &bytes)?;
            effects.push(Effect::Tell(notice));
        }
        if let Found::File(file) = self.tree.read(path)
            && !self.is_anothers(document, path, file.identity)
        {
            if hash(&file.bytes) != base.file.hash {
                let notice = self.keep_of_gone(document, path, &file.bytes)?;
                effects.push(Effect::Tell(notice));
            }
            // Written once more since: then it stays, as a new file of this person.
            if let Err(reason) = self.tree.remove(path, Expected::Bytes(&file.bytes)) {
                self.cannot_remove(path, reason)?;
            }
        }
        Ok(())
    }

    /// A file cannot be removed: that is an error if it may be another time.
    pub(super) fn cannot_remove(
        &mut self,
        path: &ProjectPath,
        reason: LeftAlone,
    ) -> Result<(), MirrorError> {
        if reason.may_pass() {
            return doing(format!("removing {path}"), Err(io::Error::other(reason)));
        }
        self.left_alone.insert(path.to_string(), reason);
        Ok(())
    }

    /// Keeps what a file held, or was to hold, that others have deleted, or made another.
    fn keep_of_gone(
        &self,
        document: &DocumentId,
        path: &ProjectPath,
        bytes: &[u8],
    ) -> Result<Notice, MirrorError> {
        let instead = self.shown.document_at(path);
        match instead.map(|instead| self.is_blob(instead)) {
            Some(true) => self.keep_aside(
                path,
                bytes,
                "someone else made it a file that is no text, or more than 10 MiB of it",
            ),
            Some(false) => self.keep_aside(path, bytes, "someone else made the file anew"),
            None => self.keep_deleted(document, path, bytes),
        }
    }

    /// The documents whose files are not as the index has them, with their places.
    fn unlike_the_index(&self) -> Vec<(DocumentId, Result<ProjectPath, PathError>)> {
        let Some(entries) = &self.entries else {
            return Vec::new();
        };
        let unlike = self.shown.iter().filter(|(document, place)| {
            let (entry, known) = (entries.get(document), self.known.get(document));
            let file = known.and_then(|known| known.file.as_ref());
            let as_listed = entry.zip(file).is_some_and(|(entry, file)| {
                let same_eol = file.eol == entry.eol || !entry.is_text();
                same_eol && file.executable == entry.executable
            });
            let as_listed = as_listed
                && entry
                    .is_none_or(|entry| entry.is_text() || !self.is_blob_behind(document, entry));
            place.is_err() || !as_listed
        });
        unlike
            .map(|(document, place)| (document.clone(), place.clone()))
            .collect()
    }

    /// Asks for the documents whose files are not there yet or have another line end or mode.
    fn sync_changed(&mut self, effects: &mut Vec<Effect>) -> Result<(), MirrorError> {
        for (document, place) in self.unlike_the_index() {
            let Some(entry) = self.entries.as_ref().and_then(|e| e.get(&document)) else {
                continue;
            };
            let path = match place {
                Ok(path) => path,
                Err(refused) => {
                    let claimed = entry.path.clone();
                    self.refuse(&document, &claimed, refused);
                    continue;
                }
            };
            if !entry.is_text() {
                self.settle_blob(&document, None, effects)?;
                continue;
            }
            if self.is_open(&document)? {
                self.put_mode(&document, effects)?;
                continue;
            }
            if let Some(reason) = self.ignores.why_out(&self.tree, &path) {
                self.refuse(&document, path.as_str(), reason);
            } else {
                effects.push(Effect::Sync(document));
            }
        }
        Ok(())
    }
}
