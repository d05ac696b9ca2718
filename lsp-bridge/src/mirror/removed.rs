//! Files that were deleted here, until the index is known not to list them.
//!
//! A document that the index lists and of which nothing is known here is written anew. So the record of
//! a file that was deleted here is put aside, as `.tutti/state/DOCUMENT.gone`, and only forgotten when the
//! index does not list the document: were it forgotten at once, and ended the bridge before the index was
//! edited, the next one would bring the file back. It finds what was put aside instead, and deletes the
//! document once more, unless others have changed it.

use std::io;

use tutti_protocol::ids::DocumentId;

use super::blob::record::{ASIDE, blob_name};
use super::effect::Effect;
use super::state::{StateStore, document_of, file_name, read_record, stem};
use super::tree::Found;
use super::{Mirror, MirrorError, doing};

const SUFFIX: &str = ".gone";

impl StateStore {
    fn put_aside(&self, document: &DocumentId, is_text: bool) -> io::Result<()> {
        let (name, aside) = match is_text {
            true => (file_name(document), SUFFIX),
            false => (blob_name(document), ASIDE),
        };
        let aside = stem(document) + aside;
        self.dir().rename(name, self.dir(), aside)
    }

    fn forget_aside(&self, document: &DocumentId) -> io::Result<()> {
        for suffix in [SUFFIX, ASIDE] {
            match self.dir().remove_file(stem(document) + suffix) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

impl Mirror {
    /// What earlier bridges have deleted, and no index was known to lack.
    pub(super) fn load_removed(&mut self) -> Result<(), MirrorError> {
        for name in doing("reading .tutti/state", self.store.names())? {
            let Some(document) = name.strip_suffix(SUFFIX).and_then(document_of) else {
                continue;
            };
            let record = doing("reading .tutti/state", read_record(self.store.dir(), &name))?;
            let path = record
                .as_ref()
                .and_then(|record| record.base.as_ref())
                .map(|base| base.file.path.clone());
            if let (Some(record), Some(path)) = (record, path) {
                self.deleted.insert(path, (document.clone(), record));
            }
            self.removed.insert(document);
        }
        self.load_removed_blobs()
    }

    /// Puts the document's record aside.
    pub(super) fn put_aside(&mut self, document: &DocumentId) -> Result<(), MirrorError> {
        self.unplace(document);
        self.not_missing(document);
        self.not_held(document);
        let known = self.known.remove(document);
        let is_text = known.is_none_or(|known| known.blob.is_none());
        self.removed.insert(document.clone());
        match self.store.put_aside(document, is_text) {
            // It could never be stored.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            put => doing("putting a record aside", put),
        }
    }

    /// Of a document that is known again nothing stays aside.
    pub(super) fn is_back(&mut self, document: &DocumentId) -> Result<(), MirrorError> {
        match self.removed.remove(document) {
            true => doing("forgetting a document", self.store.forget_aside(document)),
            false => Ok(()),
        }
    }

    /// Forgets those that the index, as it is now, does not list.
    pub(super) fn forget_removed(&mut self) -> Result<(), MirrorError> {
        let removed = self.removed.iter();
        let gone = removed.filter(|document| !self.shown.contains(document));
        for document in gone.cloned().collect::<Vec<_>>() {
            self.is_back(&document)?;
        }
        Ok(())
    }

    /// Whether the file is missing and `main` has the text that it had.
    pub(super) fn is_still_missing(
        &mut self,
        document: &DocumentId,
        main: &[u8],
    ) -> Result<bool, MirrorError> {
        let base = self.own_record(document)?.and_then(|record| record.base);
        let (Some((path, _)), Some(base)) = (self.place(document)?, base) else {
            return Ok(false);
        };
        let missing = path == base.file.path && matches!(self.tree.read(&path), Found::Missing);
        Ok(missing && self.text_of(document, main)? == self.text_of(document, &base.state)?)
    }

    /// A document that was deleted here is listed, with this state: then an earlier bridge could not tell
    /// of the deletion any more, and it is made again. It is not if the text is another by now, or the file
    /// is there once more, which counts as the one that is known then.
    pub(super) fn remove_again(
        &mut self,
        document: &DocumentId,
        main: &[u8],
    ) -> Result<Option<Vec<Effect>>, MirrorError> {
        // The bridge may have ended before it forgot what was aside of one that is known again.
        let is_removed = self.removed.contains(document) && !self.known.contains_key(document);
        if self.read_only || !is_removed || self.open.contains(document) {
            return Ok(None);
        }
        let Some(path) = self.path_of(document).cloned() else {
            return Ok(None);
        };
        let deleted = self.deleted.get(&path);
        let record = deleted.filter(|(deleted, _)| deleted == document);
        let Some(record) = record.map(|(_, record)| record.clone()) else {
            return Ok(None);
        };
        if let Found::File(_) = self.tree.read(&path) {
            self.deleted.remove(&path);
            self.save_or_hold(document, record, false)?;
            return Ok(None);
        }
        let before = record.base.map_or(record.state, |base| base.state);
        if self.text_of(document, &before)? != self.text_of(document, main)? {
            return Ok(None);
        }
        let mut effects = Vec::new();
        self.unlist(document, &mut effects);
        Ok(Some(effects))
    }
}
