//! Files that are no texts: they travel whole, by the hash of their content.
//!
//! The index says which content a file has; the content itself is sent to the server before an
//! entry names it, and fetched from there into `.tutti/blobs` before it is put in its place. What
//! decides is the record of each file ([`record`]): the content that was last written to it or
//! read from it, and what that replaced. With the entry and the file itself there are three
//! contents, and [`settle`] brings them to one. It may be asked as often as one likes, whenever
//! one of the three may have changed.
//!
//! Two who change a file at once both send theirs; whose entry stands at the end is the same
//! everywhere. The other finds that what stands there does not replace what it wrote, keeps its
//! copy in `.tutti/recovered`, and tells its person.

mod arrive;
mod gone;
mod left;
pub(super) mod record;
mod removed;
pub(super) mod see;
mod settle;
mod transfers;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use tutti_protocol::blob::{BlobHash, DEFAULT_MAX_BYTES};
use tutti_protocol::ids::DocumentId;
use tutti_protocol::index::{Blob, FileEntry};
use tutti_protocol::path::ProjectPath;

use super::effect::{Effect, Notice};
use super::{Mirror, MirrorError};
pub(super) use arrive::Arriving;
use record::BlobRecord;
pub use transfers::Carried;

/// What the mirror knows of files that are no texts, beside their records.
#[derive(Debug)]
pub(super) struct Blobs {
    /// The largest that the server takes, in bytes.
    cap: u64,
    /// New files whose contents are on their way to the server.
    arriving: BTreeMap<ProjectPath, Arriving>,
    /// Files that were changed here, whose contents are on their way to the server.
    outgoing: HashMap<DocumentId, Outgoing>,
    /// Contents that are being sent.
    sending: HashSet<BlobHash>,
    /// Contents that are being fetched, and the files that wait for them.
    awaited: HashMap<BlobHash, BTreeSet<DocumentId>>,
    /// A content that has come, and that is needed for more than one file.
    spared: Option<BlobHash>,
    /// Files that were deleted here: one that comes back is the same file.
    deleted: HashMap<ProjectPath, (DocumentId, BlobRecord)>,
}

#[derive(Debug, Clone, Copy)]
struct Outgoing {
    hash: BlobHash,
    stamp: super::tree::Stamp,
}

impl Default for Blobs {
    fn default() -> Self {
        Self {
            cap: DEFAULT_MAX_BYTES,
            arriving: BTreeMap::new(),
            outgoing: HashMap::new(),
            sending: HashSet::new(),
            awaited: HashMap::new(),
            spared: None,
            deleted: HashMap::new(),
        }
    }
}

impl Mirror {
    /// What the record of a file that is no text says.
    pub(super) fn blob_record(&self, document: &DocumentId) -> Option<&BlobRecord> {
        self.known.get(document)?.blob.as_ref()
    }

    /// Whether the document is a file that is no text, by its record or by the index.
    pub(super) fn is_blob(&self, document: &DocumentId) -> bool {
        let entry = self.entries.as_ref().and_then(|all| all.get(document));
        self.blob_record(document).is_some() || entry.is_some_and(|entry| !entry.is_text())
    }

    /// Whether a file that is no text has another content than the index says, as far as is known.
    pub(super) fn is_blob_behind(&self, document: &DocumentId, entry: &FileEntry) -> bool {
        let listed = entry.blob.as_ref().and_then(|blob| blob.sha256);
        let here = self.blob_record(document).map(|record| record.hash);
        here != listed
    }

    /// Keeps a file in `.tutti/recovered`; `false` if it has gone or moved by now, and everything is
    /// to be looked at anew.
    fn keep_file_aside(
        &self,
        path: &ProjectPath,
        reason: &'static str,
        effects: &mut Vec<Effect>,
    ) -> Result<bool, MirrorError> {
        let kept_at = self.keep_file(path, effects)?;
        let notice = kept_at.map(|kept_at| Notice::Kept {
            path: path.to_string(),
            kept_at,
            reason,
        });
        let is_kept = notice.is_some();
        effects.extend(notice.map(Effect::Tell));
        Ok(is_kept)
    }

    /// The same of one that others have deleted.
    fn keep_deleted_file(
        &self,
        document: &DocumentId,
        path: &ProjectPath,
        effects: &mut Vec<Effect>,
    ) -> Result<bool, MirrorError> {
        let kept_at = self.keep_file(path, effects)?;
        let notice = kept_at.map(|kept_at| Notice::Deleted {
            document: document.clone(),
            path: path.to_string(),
            kept_at,
        });
        let is_kept = notice.is_some();
        effects.extend(notice.map(Effect::Tell));
        Ok(is_kept)
    }

    /// Where it is kept now.
    fn keep_file(
        &self,
        path: &ProjectPath,
        effects: &mut Vec<Effect>,
    ) -> Result<Option<String>, MirrorError> {
        let Ok(Some(file)) = self.tree.open_file(path) else {
            effects.push(Effect::LookAgain(path.clone()));
            return Ok(None);
        };
        let kept = self.private.recover_file(path, file);
        let kept_at = kept.map_err(|why| MirrorError::Io {
            doing: format!("keeping a copy of {path}"),
            source: std::io::Error::other(why),
        })?;
        Ok(Some(kept_at))
    }
}

/// The entry that deletes a file whose content was that of `record`.
fn deletion(record: &BlobRecord) -> Blob {
    Blob {
        sha256: None,
        bytes: 0,
        replaces: record.chain(),
    }
}
