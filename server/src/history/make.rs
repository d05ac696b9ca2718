//! Making a version of what a project is now.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{Semaphore, SemaphorePermit};
use tutti_protocol::blob::BlobHash;
use tutti_protocol::ids::{DocumentId, ProjectId, RoomName};
use tutti_protocol::index::{self, FileEntry};
use tutti_protocol::path::ProjectPath;
use tutti_protocol::rest::FileKind;
use yrs::Transact;

use super::put::Draft;
use super::restores::Restores;
use super::{About, History, ListedFile, Outcome};
use crate::auth::{Access, DirectoryError};
use crate::rooms::{RoomError, Rooms};
use crate::store::{BlobStore, StoreError, StoredVersion};

/// How often a version is begun anew because another was made meanwhile.
pub(super) const TRIES: usize = 5;

/// Versions that are made or compared at the same time.
const MADE_AT_ONCE: usize = 2;

/// Why a version is not made or not restored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HistoryError {
    /// The versions cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A document cannot be read or written.
    #[error(transparent)]
    Room(#[from] RoomError),
    /// It is not known whether there is such a project.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The project is gone.
    #[error("the project has been deleted")]
    Deleted,
    /// A restore is larger than what is edited at once.
    #[error("more than 256 MiB of text would be changed at once")]
    TooMuch,
    /// Another node may be writing a restore.
    #[error("another restore may still be being written")]
    Restoring,
    /// Others made versions at the same time, again and again.
    #[error("other versions were made meanwhile")]
    Overtaken,
}

/// Makes versions of projects, and restores them; clones share everything.
#[derive(Clone)]
pub(crate) struct Keeper {
    /// Which projects there are.
    pub(crate) access: Access,
    /// Their documents.
    pub(crate) rooms: Rooms,
    /// The contents of their files that are no texts.
    pub(crate) blobs: Arc<dyn BlobStore>,
    /// Their versions.
    pub(crate) history: History,
    /// And which of them is being restored.
    pub(super) restores: Arc<Restores>,
    turns: Arc<Semaphore>,
}

/// A file as it is shown now.
pub(super) struct Present {
    pub(super) id: DocumentId,
    pub(super) path: ProjectPath,
    pub(super) entry: FileEntry,
}

impl Present {
    /// As a version has it, if it is no text.
    pub(super) fn as_blob(&self) -> Option<ListedFile> {
        let blob = self.entry.blob.as_ref()?;
        Some(self.listed(FileKind::Binary, blob.sha256?, blob.bytes))
    }

    pub(super) fn listed(&self, kind: FileKind, sha256: BlobHash, bytes: u64) -> ListedFile {
        ListedFile {
            id: self.id.clone(),
            path: self.path.to_string(),
            kind,
            sha256,
            bytes,
            eol: self.entry.eol,
            executable: self.entry.executable,
            created_at: self.entry.created_at,
            created_by: self.entry.created_by.clone(),
        }
    }
}

/// The files that clients show where an index has these entries, in the order of their paths.
pub(super) fn shown(mut entries: BTreeMap<DocumentId, FileEntry>) -> Vec<Present> {
    let visible = index::visible(&entries).into_iter();
    let mut shown: Vec<Present> = visible
        .filter_map(|(id, path)| {
            let (path, entry) = (path.ok()?, entries.remove(&id)?);
            Some(Present { id, path, entry })
        })
        .collect();
    shown.sort_by(|a, b| a.path.cmp(&b.path));
    shown
}

impl Keeper {
    /// Keeps the versions in `history`.
    pub(crate) fn new(
        access: Access,
        rooms: Rooms,
        blobs: Arc<dyn BlobStore>,
        history: History,
    ) -> Self {
        Self {
            access,
            rooms,
            blobs,
            history,
            restores: Arc::default(),
            turns: Arc::new(Semaphore::new(MADE_AT_ONCE)),
        }
    }

    /// Waits until this may go through a project: each that does holds some of it in memory.
    pub(super) async fn turn(&self) -> Result<SemaphorePermit<'_>, HistoryError> {
        let turn = self.turns.acquire().await;
        turn.map_err(|_| RoomError::ShuttingDown.into())
    }

    /// The files of a project that clients show, in the order of their paths.
    pub(super) async fn present(&self, project: &ProjectId) -> Result<Vec<Present>, RoomError> {
        let room = RoomName::new(project.clone(), DocumentId::index());
        let entries = self
            .rooms
            .read(&room, |doc| index::entries(&doc.transact()));
        Ok(shown(entries.await?.unwrap_or_default()))
    }

    /// The text of a file as it is now; one that was never written to is empty.
    pub(super) async fn text_now(
        &self,
        project: &ProjectId,
        id: &DocumentId,
    ) -> Result<String, RoomError> {
        let room = RoomName::new(project.clone(), id.clone());
        let text = self.rooms.text_at_rest(&room).await?;
        Ok(text.unwrap_or_default())
    }

    /// Has contents of files used now, so that none of them is collected before a version that is
    /// being made names it.
    pub(super) async fn use_contents(
        &self,
        project: &ProjectId,
        present: &[Present],
    ) -> Result<(), StoreError> {
        let blobs = present.iter().filter_map(|file| file.entry.blob.as_ref());
        let contents: Vec<BlobHash> = blobs.filter_map(|blob| blob.sha256).collect();
        self.blobs.touch(project, &contents).await?;
        Ok(())
    }

    /// Makes a version of what the project is now. What is typed while it is made may be in it or
    /// not, file by file.
    ///
    /// # Errors
    /// [`HistoryError`]. A file that cannot be read is never left out, nor taken for an empty one.
    pub(crate) async fn make(
        &self,
        project: &ProjectId,
        about: About,
    ) -> Result<Outcome, HistoryError> {
        let _turn = self.turn().await?;
        let mut draft = self.history.draft(project).await?;
        let present = self.present(project).await?;
        self.use_contents(project, &present).await?;
        for file in present {
            if let Some(listed) = file.as_blob() {
                draft.add_blob(listed);
                continue;
            }
            let text = self.text_now(project, &file.id).await?;
            let listed = |sha256, bytes| file.listed(FileKind::Text, sha256, bytes);
            draft.add_text(text, listed).await?;
        }
        self.end(project, draft, about).await
    }

    /// Ends a draft, unless its project has gone, and thins out the versions before it.
    pub(super) async fn end(
        &self,
        project: &ProjectId,
        draft: Draft<'_>,
        about: About,
    ) -> Result<Outcome, HistoryError> {
        let begun = draft.begun();
        let outcome = draft.end(about).await?;
        // Deleted meanwhile: nobody would come by to delete this as well.
        if self.access.directory().project(project).await?.is_none() {
            self.history.delete_project(project).await?;
            return Err(HistoryError::Deleted);
        }
        if let Outcome::Made(version) = &outcome {
            self.rooms.has_version(project, begun);
            let reason = version.because.as_str();
            metrics::counter!("tutti_versions_made_total", "reason" => reason).increment(1);
            let most = self.rooms.limits().kept_versions;
            if let Err(error) = self.history.thin(project, most).await {
                // The next version is followed by another try.
                tracing::warn!(%project, %error, "old versions could not be removed");
            }
        }
        Ok(outcome)
    }

    /// Makes a version, however often another one is made meanwhile. An equal one that is there
    /// serves as well where none has to have a name.
    pub(crate) async fn make_surely(
        &self,
        project: &ProjectId,
        about: About,
    ) -> Result<StoredVersion, HistoryError> {
        // Those of one node need not overtake each other, nor have half of a restore.
        let _alone = self.restores.turn(project).await;
        for _ in 0..TRIES {
            match self.make(project, about.clone()).await? {
                Outcome::Made(version) | Outcome::Unchanged(version) => return Ok(version),
                Outcome::Overtaken => {}
            }
        }
        Err(HistoryError::Overtaken)
    }
}
