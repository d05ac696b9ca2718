//! Bringing a file, its record and its entry together.

use tutti_protocol::blob::BlobHash;
use tutti_protocol::ids::DocumentId;
use tutti_protocol::index::{Blob, FileEntry};
use tutti_protocol::path::ProjectPath;

use super::record::BlobRecord;
use super::see::{Disk, Seen};
use super::{Outgoing, deletion};
use crate::mirror::effect::{Cargo, Effect, IndexEdit, Notice};
use crate::mirror::places::Places;
use crate::mirror::tree::{Expected, LeftAlone, Outcome};
use crate::mirror::{Mirror, MirrorError};

/// A file on its way to one content.
pub(super) struct Subject<'a> {
    pub(super) document: &'a DocumentId,
    pub(super) path: ProjectPath,
    pub(super) entry: FileEntry,
    /// What the entry says of its content.
    pub(super) blob: Blob,
    /// A content that the server is known to have since a moment ago.
    pub(super) sent: Option<BlobHash>,
}

impl Mirror {
    /// Brings a file that is no text, its record and its entry together, as far as that can be done
    /// now. `sent` is a content of which the server has just said that it has it.
    pub(in crate::mirror) fn settle_blob(
        &mut self,
        document: &DocumentId,
        sent: Option<BlobHash>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), MirrorError> {
        let done = self.bring_together(document, sent, effects);
        self.unless_disk_refuses(document, done)
    }

    fn bring_together(
        &mut self,
        document: &DocumentId,
        sent: Option<BlobHash>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), MirrorError> {
        if !self.is_owner() {
            return Ok(());
        }
        let entry = self.entries.as_ref().and_then(|all| all.get(document));
        let Some((entry, blob)) =
            entry.and_then(|entry| Some((entry.clone(), entry.blob.clone()?)))
        else {
            return self.unlisted_blob(document, None, sent, effects);
        };
        let Some(listed) = blob.sha256 else {
            return self.unlisted_blob(document, Some(&blob), sent, effects);
        };
        let path = match self.shown.get(document).cloned() {
            Some(Ok(path)) => path,
            Some(Err(refused)) => {
                self.refuse(document, &entry.path, refused);
                return Ok(());
            }
            None => return Ok(()),
        };
        // Someone else's file must neither replace a file that is private here nor make it shared.
        if let Some(reason) = self.ignores.why_out(&self.tree, &path) {
            self.refuse(document, path.as_str(), reason);
            return Ok(());
        }
        if self.remove_blob_again(document, &path, listed, effects)? {
            return Ok(());
        }
        let record = self.blob_record(document).cloned();
        if record.is_none() && self.holds_new_one(&path, document) {
            return Ok(());
        }
        // It will be moved away when it is closed, and this one written then.
        if record.is_none()
            && let Some(other) = self.at.get(&path).cloned()
            && self.is_open(&other)?
        {
            self.refuse(document, path.as_str(), LeftAlone::Occupied);
            return Ok(());
        }
        // One whose rename waits for another stands under its older name.
        let path = record.as_ref().and_then(BlobRecord::path).unwrap_or(path);
        let subject = Subject {
            document,
            path,
            entry,
            blob,
            sent,
        };
        let disk = self.see_known(document, &subject.path);
        if !matches!(disk, Disk::Missing) {
            self.not_missing(document);
        }
        if let Disk::File(seen) = &disk
            && record.is_some()
            && self.is_anothers(document, &subject.path, seen.looked.stamp.identity)
        {
            effects.push(Effect::LookAgain(subject.path));
            return Ok(());
        }
        tracing::debug!(%document, path = %subject.path, ?disk, ?record, %listed, "settling");
        match (disk, record) {
            (Disk::Blocked(reason), _) => {
                self.leave_file(&subject, reason, effects);
                Ok(())
            }
            (Disk::Busy, _) => {
                effects.push(Effect::LookAgain(subject.path));
                Ok(())
            }
            (Disk::Missing, Some(record)) if record.hash == listed && !self.read_only => {
                self.deleted_blob(subject, record, effects)
            }
            (Disk::Missing, _) => self.get(&subject, listed, Expected::Missing, None, effects),
            (Disk::File(seen), None) if seen.hash == listed => {
                self.adopt(&subject, &seen, None, effects)
            }
            (Disk::File(seen), None) => {
                let reason = Some("the project has another file under that name");
                let here = Expected::Hash(seen.hash);
                self.get(&subject, listed, here, reason, effects)
            }
            (Disk::File(seen), Some(record)) if seen.hash == record.hash => {
                self.unchanged_here(&subject, listed, &seen, record, effects)
            }
            (Disk::File(seen), Some(record)) => {
                self.changed_here(&subject, listed, seen, record, effects)
            }
        }
    }

    /// What stands at a known file's path.
    pub(in crate::mirror) fn see_known(&self, document: &DocumentId, path: &ProjectPath) -> Disk {
        let record = self.blob_record(document);
        let record = record.and_then(|record| Some((record.stamp?, record.hash)));
        let outgoing = self.blobs.outgoing.get(document);
        let outgoing = outgoing.map(|outgoing| (outgoing.stamp, outgoing.hash));
        let known: Vec<_> = record.into_iter().chain(outgoing).collect();
        self.see(path, &known)
    }

    fn leave_file(&mut self, subject: &Subject<'_>, reason: LeftAlone, effects: &mut Vec<Effect>) {
        let path = subject.path.to_string();
        if self.refuse(subject.document, &path, reason.clone()) {
            let notice = Notice::left_alone(subject.document, path, &reason);
            effects.extend(notice.map(Effect::Tell));
        }
    }

    /// The file has the content that the entry names: that is noted.
    fn adopt(
        &mut self,
        subject: &Subject<'_>,
        seen: &Seen,
        record: Option<BlobRecord>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), MirrorError> {
        let was_known = record.is_some();
        let mut record = record.unwrap_or_else(|| {
            let mut new = BlobRecord::new(&subject.path, seen.hash, seen.looked.bytes);
            new.executable = seen.looked.executable.unwrap_or(subject.entry.executable);
            new
        });
        // Whoever else has listed it: it was written here, too.
        record.mine = was_known;
        record.hash = seen.hash;
        record.bytes = seen.looked.bytes;
        record.replaces = subject.blob.replaces.clone();
        record.listed = true;
        record.stamp = Some(seen.looked.stamp);
        self.blobs.outgoing.remove(subject.document);
        self.refused.remove(subject.document);
        self.settle_mode(subject, seen, &mut record, effects);
        self.save_blob(subject.document, record)
    }

    /// The executable bit goes the way that it was changed.
    fn settle_mode(
        &mut self,
        subject: &Subject<'_>,
        seen: &Seen,
        record: &mut BlobRecord,
        effects: &mut Vec<Effect>,
    ) {
        let listed = subject.entry.executable;
        let on_disk = seen.looked.executable.unwrap_or(listed);
        if on_disk != record.executable && on_disk != listed && !self.read_only {
            let edit = IndexEdit::SetExecutable(subject.document.clone(), on_disk);
            self.edit_index(edit, effects);
            record.executable = on_disk;
            return;
        }
        record.executable = listed;
        if on_disk != listed {
            if let Err(reason) = self.tree.set_executable(&subject.path, listed) {
                return self.leave_file(subject, reason, effects);
            }
            // That has changed how the file looks, and nothing else.
            let looked = self.tree.look(&subject.path).ok().flatten();
            record.stamp = record
                .stamp
                .zip(looked)
                .and_then(|(stamp, looked)| looked.stamp.of_same_content(&stamp));
        }
    }

    fn unchanged_here(
        &mut self,
        subject: &Subject<'_>,
        listed: BlobHash,
        seen: &Seen,
        record: BlobRecord,
        effects: &mut Vec<Effect>,
    ) -> Result<(), MirrorError> {
        if record.hash == listed {
            let mut same = record;
            same.stamp = Some(seen.looked.stamp);
            self.blobs.outgoing.remove(subject.document);
            self.refused.remove(subject.document);
            self.settle_mode(subject, seen, &mut same, effects);
            return self.save_blob(subject.document, same);
        }
        let is_newer = subject.blob.knows(&record.hash);
        // What was written here never reached the index: this bridge was killed just then.
        let is_lost = !is_newer && record.replaces.contains(&listed);
        if is_lost && record.mine && !self.read_only {
            return self.announce(subject, seen, Some(record), effects);
        }
        let is_unseen = record.mine && !is_newer && !is_lost;
        let reason = is_unseen.then_some("someone else changed the file at the same time");
        let here = Expected::Hash(seen.hash);
        self.get(subject, listed, here, reason, effects)
    }

    fn changed_here(
        &mut self,
        subject: &Subject<'_>,
        listed: BlobHash,
        seen: Seen,
        record: BlobRecord,
        effects: &mut Vec<Effect>,
    ) -> Result<(), MirrorError> {
        if seen.hash == listed {
            return self.adopt(subject, &seen, Some(record), effects);
        }
        if self.read_only {
            let reason = Some("you may only read this project");
            let here = Expected::Hash(seen.hash);
            return self.get(subject, listed, here, reason, effects);
        }
        if seen.text.is_some() {
            return self.turn_into_text(subject, seen, &record, effects);
        }
        self.announce(subject, &seen, Some(record), effects)
    }

    /// Makes the file's content that of its entry, once the server has it.
    pub(super) fn announce(
        &mut self,
        subject: &Subject<'_>,
        seen: &Seen,
        record: Option<BlobRecord>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), MirrorError> {
        let hash = seen.hash;
        if subject.sent != Some(hash) {
            let stamp = seen.looked.stamp;
            let outgoing = Outgoing { hash, stamp };
            self.blobs
                .outgoing
                .insert(subject.document.clone(), outgoing);
            self.send(&subject.path, hash, seen.looked.bytes, effects);
            return Ok(());
        }
        self.blobs.outgoing.remove(subject.document);
        self.refused.remove(subject.document);
        let replaces = match &record {
            Some(before) if before.hash == hash => before.replaces.clone(),
            Some(before) => before.chain(),
            None => Vec::new(),
        };
        let mut next = BlobRecord::new(&subject.path, hash, seen.looked.bytes);
        next.executable = record.map_or(subject.entry.executable, |before| before.executable);
        next.listed = true;
        next.replaces = replaces.clone();
        next.stamp = Some(seen.looked.stamp);
        self.settle_mode(subject, seen, &mut next, effects);
        self.save_blob(subject.document, next)?;
        let blob = Blob {
            sha256: Some(hash),
            bytes: seen.looked.bytes,
            replaces,
        };
        self.edit_index(IndexEdit::SetBlob(subject.document.clone(), blob), effects);
        Ok(())
    }

    /// Puts the listed content in the place of what is expected, once it is here. `aside` says why
    /// what stands there is kept.
    fn get(
        &mut self,
        subject: &Subject<'_>,
        listed: BlobHash,
        expected: Expected<'_>,
        aside: Option<&'static str>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), MirrorError> {
        if !self.staging.has(&listed) {
            self.fetch(
                subject.document,
                &subject.path,
                listed,
                subject.blob.bytes,
                effects,
            );
            return Ok(());
        }
        if let Some(reason) = aside
            && !self.keep_file_aside(&subject.path, reason, effects)?
        {
            return Ok(());
        }
        let executable = subject.entry.executable;
        let keep = self.is_awaited_by_others(&listed, subject.document);
        let (tree, path) = (&self.tree, &subject.path);
        match self
            .staging
            .put(tree, path, listed, executable, expected, keep)
        {
            Ok(Outcome::Done) => {}
            Ok(Outcome::Changed) => {
                effects.push(Effect::LookAgain(subject.path.clone()));
                return Ok(());
            }
            Err(reason) => {
                self.leave_file(subject, reason, effects);
                return Ok(());
            }
        }
        self.blobs.outgoing.remove(subject.document);
        self.refused.remove(subject.document);
        let deleted = self.blobs.deleted.remove(&subject.path);
        if deleted.is_some_and(|(document, _)| document == *subject.document) {
            let path = subject.path.to_string();
            effects.push(Effect::Tell(Notice::ChangedMeanwhile { path }));
        }
        let mut next = BlobRecord::new(&subject.path, listed, subject.blob.bytes);
        next.executable = executable;
        next.listed = true;
        next.mine = false;
        next.replaces = subject.blob.replaces.clone();
        next.stamp = tree_stamp(self, &subject.path);
        self.save_blob(subject.document, next)
    }

    /// The file has become a text: from now on people edit it together.
    fn turn_into_text(
        &mut self,
        subject: &Subject<'_>,
        seen: Seen,
        record: &BlobRecord,
        effects: &mut Vec<Effect>,
    ) -> Result<(), MirrorError> {
        if !seen.may_change_kind() {
            effects.push(Effect::LookAgain(subject.path.clone()));
            return Ok(());
        }
        let gone = IndexEdit::SetBlob(subject.document.clone(), deletion(record));
        self.edit_index(gone, effects);
        self.forget(subject.document)?;
        self.created_text(&subject.path, seen, effects)?;
        self.shown = Places::of(self.entries.get_or_insert_default());
        Ok(())
    }

    /// Asks for a content to be sent, unless that is under way.
    pub(super) fn send(
        &mut self,
        path: &ProjectPath,
        hash: BlobHash,
        bytes: u64,
        effects: &mut Vec<Effect>,
    ) {
        if self.blobs.sending.insert(hash) {
            let path = path.clone();
            effects.push(Effect::Send(Cargo { path, hash, bytes }));
        }
    }

    fn fetch(
        &mut self,
        document: &DocumentId,
        path: &ProjectPath,
        hash: BlobHash,
        bytes: u64,
        effects: &mut Vec<Effect>,
    ) {
        let is_new = !self.blobs.awaited.contains_key(&hash);
        let waiting = self.blobs.awaited.entry(hash).or_default();
        waiting.insert(document.clone());
        if is_new {
            let path = path.clone();
            effects.push(Effect::Fetch(Cargo { path, hash, bytes }));
        }
    }
}

fn tree_stamp(mirror: &Mirror, path: &ProjectPath) -> Option<crate::mirror::tree::Stamp> {
    let looked = mirror.tree.look(path).ok().flatten();
    looked.map(|looked| looked.stamp)
}
