//! The list of a version's files, as it is stored: JSON, packed as a text is.

use serde::{Deserialize, Serialize};
use tutti_protocol::blob::BlobHash;
use tutti_protocol::ids::{DocumentId, ProjectId};
use tutti_protocol::index::Eol;
use tutti_protocol::rest::FileKind;

use super::History;
use super::texts::damaged;
use crate::store::{StoreError, StoredVersion};

/// One file of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ListedFile {
    /// Its document.
    pub(crate) id: DocumentId,
    /// The path under which it was shown.
    pub(crate) path: String,
    /// What it is.
    pub(crate) kind: FileKind,
    /// The hash of its text, or of its content.
    pub(crate) sha256: BlobHash,
    /// The length of that.
    pub(crate) bytes: u64,
    /// Its line end on disk.
    pub(crate) eol: Eol,
    /// Whether it was executable.
    pub(crate) executable: bool,
    /// When its entry was made, in milliseconds since 1970 (UTC).
    pub(crate) created_at: i64,
    /// Who made it.
    pub(crate) created_by: String,
}

impl ListedFile {
    /// Whether it is a text, whose content lies beside the list.
    pub(crate) fn is_text(&self) -> bool {
        self.kind == FileKind::Text
    }
}

/// A list as it is stored. Equal lists give equal bytes.
pub(super) fn write_list(files: &[ListedFile]) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(files).map_err(|error| StoreError::Unavailable(error.to_string()))
}

/// Reads what [`write_list`] has written.
///
/// # Errors
/// It is no such list.
fn read_list(bytes: &[u8]) -> Result<Vec<ListedFile>, serde_json::Error> {
    serde_json::from_slice(bytes)
}

impl History {
    /// The files of a version, in the order of their paths.
    pub(crate) async fn files(
        &self,
        project: &ProjectId,
        version: &StoredVersion,
    ) -> Result<Vec<ListedFile>, StoreError> {
        let bytes = self.text(project, version.list).await?;
        let what = || format!("its version {} has no list of files", version.number);
        read_list(&bytes).map_err(|_| damaged(project, what()))
    }
}
