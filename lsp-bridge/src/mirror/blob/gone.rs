//! Files that go: deleted here, deleted by others, or moved to where another stands.

use tutti_protocol::blob::BlobHash;
use tutti_protocol::ids::DocumentId;
use tutti_protocol::index::Blob;
use tutti_protocol::path::ProjectPath;

use super::record::BlobRecord;
use super::see::Disk;
use super::settle::Subject;
use crate::mirror::effect::{Effect, Notice};
use crate::mirror::places::Places;
use crate::mirror::tree::{Expected, Outcome};
use crate::mirror::{Mirror, MirrorError};

impl Mirror {
    /// The file was deleted here, and nobody has changed it since.
    pub(super) fn deleted_blob(
        &mut self,
        subject: Subject<'_>,
        record: BlobRecord,
        effects: &mut Vec<Effect>,
    ) -> Result<(), MirrorError> {
        let document = subject.document;
        if !self.is_gone(document) {
            effects.push(Effect::LookAgain(subject.path));
            return Ok(());
        }
        self.remove_blob(document, subject.path, record, effects)
    }

    /// The index does not list the file: `deleted` is what its entry says, if there is one.
    pub(super) fn unlisted_blob(
        &mut self,
        document: &DocumentId,
        deleted: Option<&Blob>,
        sent: Option<BlobHash>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), MirrorError> {
        // A stored index may be older than what is known here of the file.
        let record = self.blob_record(document).filter(|_| self.is_current);
        let Some(record) = record.cloned() else {
            return Ok(());
        };
        let Some(path) = record.path().filter(|_| !self.announced.contains(document)) else {
            return Ok(());
        };
        let seen = match self.see_known(document, &path) {
            // Made here, and the bridge ended before the index knew: it is a new file.
            _ if !record.listed => {
                effects.push(Effect::LookAgain(path));
                return self.forget(document);
            }
            Disk::Busy => {
                effects.push(Effect::LookAgain(path));
                return Ok(());
            }
            Disk::Missing | Disk::Blocked(_) => return self.forget(document),
            Disk::File(seen) => seen,
        };
        let is_changed = seen.hash != record.hash;
        let is_unseen = record.mine && deleted.is_some_and(|gone| !gone.knows(&record.hash));
        if !self.read_only && (is_changed || is_unseen) {
            let entry = self.entries.as_ref().and_then(|all| all.get(document));
            let (Some(entry), Some(blob)) = (entry.cloned(), deleted) else {
                effects.push(Effect::LookAgain(path));
                return self.forget(document);
            };
            if seen.text.is_some() {
                effects.push(Effect::LookAgain(path));
                return self.forget(document);
            }
            let subject = Subject {
                document,
                path,
                entry,
                blob: blob.clone(),
                sent,
            };
            self.announce(&subject, &seen, Some(record), effects)?;
            if sent == Some(seen.hash) {
                let path = subject.path.to_string();
                effects.push(Effect::Tell(Notice::CameBack { path }));
                self.shown = Places::of(self.entries.get_or_insert_default());
            }
            return Ok(());
        }
        if is_changed && !self.keep_deleted_file(document, &path, effects)? {
            return Ok(());
        }
        match self.tree.remove(&path, Expected::Hash(seen.hash)) {
            Ok(Outcome::Done) => self.forget(document),
            Ok(Outcome::Changed) => {
                effects.push(Effect::LookAgain(path));
                Ok(())
            }
            // Forgotten, its file would pass for a new one.
            Err(reason) if reason.may_pass() => {
                self.refuse(document, path.as_str(), reason);
                Ok(())
            }
            Err(reason) => {
                self.left_alone.insert(path.to_string(), reason);
                self.forget(document)
            }
        }
    }

    /// A file whose new place is taken is removed here, and fetched anew there.
    pub(in crate::mirror) fn abandon_blob(
        &mut self,
        document: &DocumentId,
        from: &ProjectPath,
        reason: &'static str,
        effects: &mut Vec<Effect>,
    ) -> Result<(), MirrorError> {
        let listed = self.entries.as_ref().and_then(|all| all.get(document));
        let listed = listed.and_then(|entry| entry.blob.as_ref()?.sha256);
        match self.see_known(document, from) {
            Disk::Busy => {
                effects.push(Effect::LookAgain(from.clone()));
                return Ok(());
            }
            Disk::Missing | Disk::Blocked(_) => {}
            Disk::File(seen) => {
                if Some(seen.hash) != listed && !self.keep_file_aside(from, reason, effects)? {
                    return Ok(());
                }
                if let Err(reason) = self.tree.remove(from, Expected::Hash(seen.hash)) {
                    self.cannot_remove(from, reason)?;
                }
            }
        }
        self.forget(document)
    }
}
