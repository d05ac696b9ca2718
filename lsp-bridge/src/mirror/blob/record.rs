//! What the bridge remembers of a file that is no text between two runs: `.tutti/state/ID.blob`.

use std::io;

use serde::{Deserialize, Serialize};
use tutti_protocol::blob::BlobHash;
use tutti_protocol::ids::DocumentId;
use tutti_protocol::index::{Eol, MAX_REPLACES};
use tutti_protocol::path::ProjectPath;

use crate::mirror::replicas::Known;
use crate::mirror::state::{BaseFile, StateStore, document_of, stem};
use crate::mirror::tree::{LeftAlone, Stamp, read_small, write_atomically};
use crate::mirror::{Mirror, MirrorError};

const SUFFIX: &str = ".blob";
/// Of one that was put aside.
pub(in crate::mirror) const ASIDE: &str = ".blob.gone";

/// The content that was last written to the file or read from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BlobRecord {
    path: String,
    /// Which content it is.
    pub(crate) hash: BlobHash,
    /// Its length.
    pub(crate) bytes: u64,
    /// As it was on disk.
    pub(crate) executable: bool,
    /// Whether the index is known to have listed the file: only then does its absence there mean
    /// that someone deleted it.
    pub(crate) listed: bool,
    /// Whether the content was written here: then nobody else may have a copy of it once it is
    /// replaced.
    pub(crate) mine: bool,
    /// The contents that it replaced, newest first.
    pub(crate) replaces: Vec<BlobHash>,
    /// What the file looked like that had the content; `None` if someone may have been writing to
    /// it.
    pub(crate) stamp: Option<Stamp>,
}

impl BlobRecord {
    pub(super) fn new(path: &ProjectPath, hash: BlobHash, bytes: u64) -> Self {
        Self {
            path: path.to_string(),
            hash,
            bytes,
            executable: false,
            listed: false,
            mine: true,
            replaces: Vec::new(),
            stamp: None,
        }
    }

    /// Where the file stands. Records are written here alone, with paths that were checked.
    pub(crate) fn path(&self) -> Option<ProjectPath> {
        self.path.parse().ok()
    }

    /// The file, as of a document.
    pub(crate) fn file(&self) -> Option<BaseFile> {
        Some(BaseFile {
            path: self.path()?,
            eol: Eol::Lf,
            executable: self.executable,
            hash: self.hash.0,
            listed: self.listed,
            identity: self.stamp.and_then(|stamp| stamp.identity),
        })
    }

    /// The content, and before it those that it replaced.
    pub(super) fn chain(&self) -> Vec<BlobHash> {
        let mut chain = vec![self.hash];
        chain.extend(self.replaces.iter().filter(|hash| **hash != self.hash));
        chain.truncate(MAX_REPLACES);
        chain
    }
}

impl StateStore {
    /// Every file that is no text and is remembered.
    pub(crate) fn blobs(&self) -> io::Result<Vec<(DocumentId, BlobRecord)>> {
        self.blobs_called(SUFFIX)
    }

    /// Those that were put aside.
    pub(super) fn blobs_aside(&self) -> io::Result<Vec<(DocumentId, BlobRecord)>> {
        self.blobs_called(ASIDE)
    }

    fn blobs_called(&self, suffix: &str) -> io::Result<Vec<(DocumentId, BlobRecord)>> {
        let mut blobs = Vec::new();
        for name in self.names()? {
            let document = name.strip_suffix(suffix).and_then(document_of);
            if let Some(document) = document
                && let Some(record) = self.load_blob_from(&document, &name)?
            {
                blobs.push((document, record));
            }
        }
        Ok(blobs)
    }

    /// What is remembered of a file. What cannot be read counts as not there: the file is compared
    /// with the project then, as one that was never seen.
    pub(crate) fn load_blob(&self, document: &DocumentId) -> io::Result<Option<BlobRecord>> {
        self.load_blob_from(document, &blob_name(document))
    }

    fn load_blob_from(&self, document: &DocumentId, name: &str) -> io::Result<Option<BlobRecord>> {
        let bytes = match read_small(self.dir(), name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read?,
        };
        let record = serde_json::from_slice::<BlobRecord>(&bytes).ok();
        let record = record.filter(|record| record.path().is_some());
        if record.is_none() {
            tracing::warn!(%document, "what was remembered of a file is damaged");
        }
        Ok(record)
    }

    fn save_blob(&self, document: &DocumentId, record: &BlobRecord) -> io::Result<()> {
        let bytes = serde_json::to_vec(record).map_err(io::Error::other)?;
        write_atomically(self.dir(), &blob_name(document), &bytes, false)
    }

    /// Forgets a file.
    pub(crate) fn forget_blob(&self, document: &DocumentId) -> io::Result<()> {
        match self.dir().remove_file(blob_name(document)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

pub(in crate::mirror) fn blob_name(document: &DocumentId) -> String {
    stem(document) + SUFFIX
}

impl Mirror {
    /// Stores a record and what the mirror knows by it. What the disk does not take of that is stored when it does:
    /// the file and the index have what decides.
    pub(in crate::mirror) fn save_blob(
        &mut self,
        document: &DocumentId,
        record: BlobRecord,
    ) -> Result<(), MirrorError> {
        let is_held = self.is_blob_held(document);
        if self.blob_record(document) == Some(&record) && !is_held {
            return Ok(());
        }
        match self.store.save_blob(document, &record) {
            Ok(()) => {
                self.not_held(document);
                self.is_back(document)?;
            }
            Err(error) => self.hold_blob(document, LeftAlone::from(&error)),
        }
        self.note_blob(document, record);
        Ok(())
    }

    /// Takes note of what is remembered of a file.
    pub(in crate::mirror) fn note_blob(&mut self, document: &DocumentId, record: BlobRecord) {
        let Some(file) = record.file() else {
            return;
        };
        self.place_known(
            document,
            Known {
                file: Some(file),
                unsaved: false,
                edited: false,
                confirmed: None,
                blob: Some(record),
            },
        );
    }

    /// The document's file stands elsewhere now.
    pub(in crate::mirror) fn relocated(
        &mut self,
        document: &DocumentId,
        path: &ProjectPath,
    ) -> Result<(), MirrorError> {
        if let Some(record) = self.blob_record(document) {
            let mut record = record.clone();
            record.path = path.to_string();
            // A rename touches what a stamp is made of.
            let looked = self.tree.look(path).ok().flatten();
            record.stamp = record
                .stamp
                .zip(looked)
                .and_then(|(stamp, looked)| looked.stamp.of_same_content(&stamp));
            return self.save_blob(document, record);
        }
        if let Some(mut record) = self.load(document)? {
            if let Some(base) = &mut record.base {
                base.file.path = path.clone();
            }
            self.save_or_hold(document, record, false)?;
        }
        Ok(())
    }
}
