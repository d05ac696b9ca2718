//! Versions of projects: what they consist of, and how they are made, compared and restored.
//!
//! [`make`] makes a version of what a project is now, [`quiet`] when it falls quiet; [`diff`] compares,
//! [`restore`] writes one back.
//!
//! A version is a list of files. It and the texts that it names lie packed under their hashes
//! ([`texts`]), each once however many versions have it; [`VersionStore`] knows which versions there
//! are. What a version names is there before the version is ([`put`]), and goes only when no version
//! names it any more and none that is just being made can come to ([`collect`]).

mod collect;
mod diff;
mod edit;
mod list;
mod make;
mod plan;
mod put;
mod quiet;
mod restore;
mod restores;
pub(crate) mod texts;

use std::sync::Arc;

use tutti_protocol::ids::ProjectId;

use crate::store::{BlobStore, StoreError, StoredVersion, VersionStore};

#[cfg(any(test, feature = "test-support"))]
pub(crate) use collect::KEPT_AT_LEAST;
pub(crate) use diff::Against;
pub(crate) use list::ListedFile;
pub(crate) use make::{HistoryError, Keeper};
pub(crate) use put::{About, Outcome};
pub(crate) use quiet::Watcher;
pub(crate) use restore::Restored;

/// The versions of all projects; clones share the stores.
#[derive(Clone)]
pub(crate) struct History {
    versions: Arc<dyn VersionStore>,
    texts: Arc<dyn BlobStore>,
}

impl History {
    /// Versions in these stores.
    pub(crate) fn new(versions: Arc<dyn VersionStore>, texts: Arc<dyn BlobStore>) -> Self {
        Self { versions, texts }
    }

    /// The newest versions whose numbers are below `before`, the newest first, at most `most`.
    pub(crate) async fn list(
        &self,
        project: &ProjectId,
        before: Option<u32>,
        most: u32,
    ) -> Result<Vec<StoredVersion>, StoreError> {
        self.versions.list(project, before, most).await
    }

    /// The newest version.
    pub(crate) async fn newest(
        &self,
        project: &ProjectId,
    ) -> Result<Option<StoredVersion>, StoreError> {
        Ok(self.list(project, None, 1).await?.pop())
    }

    /// One version; `None` if there is none of this number.
    pub(crate) async fn find(
        &self,
        project: &ProjectId,
        number: u32,
    ) -> Result<Option<StoredVersion>, StoreError> {
        let before = number.checked_add(1);
        let found = self.list(project, before, 1).await?.pop();
        Ok(found.filter(|version| version.number == number))
    }

    /// Deletes all versions of a project.
    pub(crate) async fn delete_project(&self, project: &ProjectId) -> Result<(), StoreError> {
        // The versions first, so that none names what has gone.
        self.versions.remove_all(project).await?;
        self.texts.delete_blobs(project).await
    }
}
