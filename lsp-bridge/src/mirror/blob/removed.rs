//! Files that were deleted here, until the index is known not to list them: as with
//! [texts](crate::mirror::removed), what is remembered of each is put aside first, as
//! `.tutti/state/ID.blob.gone`.

use tutti_protocol::blob::BlobHash;
use tutti_protocol::ids::DocumentId;
use tutti_protocol::path::ProjectPath;

use super::deletion;
use super::record::BlobRecord;
use super::see::Disk;
use crate::mirror::effect::{Effect, IndexEdit};
use crate::mirror::{Mirror, MirrorError, doing};

impl Mirror {
    /// What earlier bridges have deleted, and no index was known to lack.
    pub(in crate::mirror) fn load_removed_blobs(&mut self) -> Result<(), MirrorError> {
        for (document, record) in doing("reading .tutti/state", self.store.blobs_aside())? {
            if let Some(path) = record.path() {
                self.blobs.deleted.insert(path, (document.clone(), record));
            }
            self.removed.insert(document);
        }
        Ok(())
    }

    /// The file of a document was deleted here.
    pub(super) fn remove_blob(
        &mut self,
        document: &DocumentId,
        path: ProjectPath,
        record: BlobRecord,
        effects: &mut Vec<Effect>,
    ) -> Result<(), MirrorError> {
        self.forget_transfers(document);
        self.put_aside(document)?;
        self.unlist_blob(document, &record, effects);
        self.blobs.deleted.insert(path, (document.clone(), record));
        Ok(())
    }

    fn unlist_blob(
        &mut self,
        document: &DocumentId,
        record: &BlobRecord,
        effects: &mut Vec<Effect>,
    ) {
        let gone = IndexEdit::SetBlob(document.clone(), deletion(record));
        self.edit_index(gone, effects);
        self.shown
            .remove(document, self.entries.get_or_insert_default());
    }

    /// A file that was deleted here is listed at this path, with this content: then an earlier bridge could
    /// not tell of the deletion any more, and it is made again, which may have to wait. `false` if the
    /// content is another by now, or a file is there once more, which counts as the one that is known then.
    pub(super) fn remove_blob_again(
        &mut self,
        document: &DocumentId,
        path: &ProjectPath,
        listed: BlobHash,
        effects: &mut Vec<Effect>,
    ) -> Result<bool, MirrorError> {
        let is_removed = self.removed.contains(document) && !self.known.contains_key(document);
        let deleted = self.blobs.deleted.get(path);
        let record = deleted.filter(|(deleted, _)| is_removed && deleted == document);
        let Some((_, record)) = record.cloned() else {
            return Ok(false);
        };
        match self.see(path, &[]) {
            Disk::Missing if record.hash != listed || self.read_only => return Ok(false),
            // A stored index may be older.
            Disk::Missing if self.is_current => self.unlist_blob(document, &record, effects),
            Disk::Missing => {}
            Disk::Busy => effects.push(Effect::LookAgain(path.clone())),
            Disk::File(_) | Disk::Blocked(_) => {
                self.blobs.deleted.remove(path);
                self.save_blob(document, record)?;
                return Ok(false);
            }
        }
        Ok(true)
    }
}
