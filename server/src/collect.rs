//! Takes away contents that no file and no version has any more, and parts of uploads that never
//! ended.
//!
//! A content is named by an entry of the project's index, and is sent before that entry is
//! written. So one that nobody names stays for as long as a client may need to name it: it was
//! used when it was sent, and whenever a client asked whether it is there. Any number of nodes may
//! do this at once, each by itself: what one is about to delete, and another is asked about, stays.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::task::AbortHandle;
use tutti_protocol::blob::BlobHash;
use tutti_protocol::ids::{DocumentId, ProjectId, RoomName};
use tutti_protocol::index;
use tutti_protocol::rest::FileKind;
use yrs::Transact;

use crate::auth::{Access, DirectoryError};
use crate::history::History;
use crate::rooms::{RoomError, Rooms};
use crate::store::{BlobStore, StoreError};

/// Between two rounds. Nothing waits for them.
const EVERY: Duration = Duration::from_secs(6 * 3600);
/// Parts that are no content this long after their upload began are left behind.
const LEFT_BEHIND: Duration = Duration::from_secs(24 * 3600);

/// Why a round was broken off, or passed over a project. The next one begins anew.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CollectError {
    /// The projects cannot be read.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// An index cannot be read: what it names is not known, so nothing goes.
    #[error(transparent)]
    Index(#[from] RoomError),
    /// Contents cannot be read or deleted.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CollectError {
    /// Whether it says nothing of other projects: what is stored of this one is damaged, or it has just
    /// been deleted.
    fn is_of_one_project(&self) -> bool {
        match self {
            Self::Directory(_) | Self::Index(RoomError::ShuttingDown) => false,
            Self::Index(RoomError::Store(error)) | Self::Store(error) => {
                matches!(error, StoreError::Corrupt { .. })
            }
            Self::Index(_) => true,
        }
    }
}

/// See the [module's documentation](self).
pub(crate) struct Collector {
    /// Which projects there are.
    pub(crate) access: Access,
    /// Their indexes.
    pub(crate) rooms: Rooms,
    /// Their contents.
    pub(crate) blobs: Arc<dyn BlobStore>,
    /// Their versions.
    pub(crate) history: History,
}

impl Collector {
    /// Goes round now and then, until that is aborted.
    pub(crate) fn start(self) -> AbortHandle {
        let rounds = async move {
            let mut interval = tokio::time::interval(EVERY);
            loop {
                interval.tick().await;
                let grace = self.rooms.limits().blob_grace;
                match self.round(SystemTime::now() - grace).await {
                    Ok(0) => {}
                    Ok(gone) => tracing::info!(gone, "files that nobody has any more are deleted"),
                    Err(error) => tracing::warn!(%error, "old files could not be looked through"),
                }
            }
        };
        tokio::spawn(rounds).abort_handle()
    }

    /// Deletes the contents that nobody names and that were last used before `unused_since`, and
    /// returns how many. Of a project that cannot be read, nothing goes.
    ///
    /// # Errors
    /// [`CollectError`]. What was deleted before it was rightly deleted.
    async fn round(&self, unused_since: SystemTime) -> Result<u64, CollectError> {
        let mut gone = 0;
        for project in self.access.directory().projects().await? {
            let project = project.id;
            match self.round_of(&project, unused_since).await {
                Ok(of_it) => gone += of_it,
                Err(error) if error.is_of_one_project() => {
                    tracing::warn!(%project, %error, "old files of a project could not be looked through");
                }
                Err(error) => return Err(error),
            }
        }
        self.blobs.sweep(SystemTime::now() - LEFT_BEHIND).await?;
        self.history.sweep().await?;
        Ok(gone)
    }

    /// The same of one project.
    async fn round_of(
        &self,
        project: &ProjectId,
        unused_since: SystemTime,
    ) -> Result<u64, CollectError> {
        let gone = self.history.collect(project).await?;
        let all = self.blobs.blobs(project).await?;
        if all.iter().all(|blob| blob.used_at >= unused_since) {
            return Ok(gone);
        }
        // Looked up after the contents: what was used since is not deleted in any case.
        let mut named = self.named(project).await?;
        named.extend(self.history.named(project, FileKind::Binary).await?);
        let collected = self.blobs.collect(project, unused_since, &named);
        Ok(gone + collected.await?)
    }

    /// The contents that the project's files have.
    async fn named(&self, project: &ProjectId) -> Result<HashSet<BlobHash>, RoomError> {
        let room = RoomName::new(project.clone(), DocumentId::index());
        let entries = self
            .rooms
            .read(&room, |doc| index::entries(&doc.transact()));
        let entries = entries.await?.unwrap_or_default().into_values();
        Ok(entries.filter_map(|entry| entry.blob?.sha256).collect())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tutti_protocol::index::{Blob, Eol, FileEntry, Roots, insert, new_doc};
    use tutti_protocol::rest::VersionReason;
    use yrs::{ReadTxn, StateVector};

    use super::*;
    use crate::auth::admin::AdminKey;
    use crate::auth::{Directory, Project, SqliteDirectory, Token};
    use crate::fanout::LocalFanOut;
    use crate::history::{About, ListedFile};
    use crate::limits::Limits;
    use crate::store::{SqliteContents, SqliteStore, WriteId};

    fn hash(of: u8) -> BlobHash {
        BlobHash([of; 32])
    }

    async fn put(store: &SqliteContents, project: &ProjectId, of: u8) {
        let upload = WriteId::next();
        let bytes = Bytes::from(vec![of; 10]);
        store.put_part(project, upload, 0, bytes).await.unwrap();
        store.finish(project, upload, hash(of), 10).await.unwrap();
    }

    /// One that has a file with this content.
    async fn make_version(history: &History, project: &ProjectId, of: u8) {
        let mut draft = history.draft(project).await.unwrap();
        draft.add_blob(ListedFile {
            id: "b".parse().unwrap(),
            path: "b.png".to_owned(),
            kind: FileKind::Binary,
            sha256: hash(of),
            bytes: 10,
            eol: Eol::Lf,
            executable: false,
            created_at: 0,
            created_by: String::new(),
        });
        let about = About {
            name: None,
            because: VersionReason::Quiet,
            people: Vec::new(),
            made_at_ms: 0,
        };
        draft.end(about).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_an_index_names_stays_and_so_does_what_was_used_lately() {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(&dir.path().join("d")).unwrap());
        let blobs = Arc::new(store.blobs());
        let history = History::new(Arc::new(store.versions()), Arc::new(store.texts()));
        let directory = SqliteDirectory::open(&dir.path().join("p")).unwrap();
        let damaged: ProjectId = "damaged".parse().unwrap();
        let project: ProjectId = "p".parse().unwrap();
        for id in [&damaged, &project] {
            let record = Project {
                id: id.clone(),
                name: "P".to_owned(),
                created_at: 0,
            };
            directory.create_project(record, Vec::new()).await.unwrap();
        }
        let directory: Arc<dyn Directory> = Arc::new(directory);
        let rooms = Rooms::new(
            store.clone(),
            Arc::new(LocalFanOut::new()),
            Limits::default(),
        );
        let collector = Collector {
            access: Access::new(directory, AdminKey::of(&Token::generate().unwrap())),
            rooms: rooms.clone(),
            blobs: blobs.clone(),
            history: history.clone(),
        };
        for of in [1, 2, 3, 4] {
            put(&blobs, &project, of).await;
        }
        make_version(&history, &project, 4).await;
        // What another project's versions name cannot be read.
        put(&blobs, &damaged, 5).await;
        make_version(&history, &damaged, 5).await;
        let texts = store.texts();
        let later = SystemTime::now() + Duration::from_secs(60);
        let named = HashSet::new();
        let lists = texts.collect(&damaged, later, &named);
        assert_eq!(lists.await.unwrap(), 1);
        // Named in memory alone so far is named as well.
        let doc = new_doc(1);
        let roots = Roots::of(&doc);
        let entry = FileEntry {
            path: "a.png".to_owned(),
            eol: Eol::Lf,
            executable: false,
            created_at: 0,
            created_by: String::new(),
            blob: Some(Blob {
                sha256: Some(hash(1)),
                bytes: 10,
                replaces: vec![hash(2)],
            }),
        };
        insert(
            &mut doc.transact_mut(),
            &roots,
            &"a".parse().unwrap(),
            &entry,
        );
        let update = doc.transact().encode_diff_v1(&StateVector::default());
        let room = RoomName::new(project.clone(), DocumentId::index());
        rooms.apply(&room, update.into()).await.unwrap();

        let early = SystemTime::now() - Duration::from_secs(60);
        assert_eq!(collector.round(early).await.unwrap(), 0);
        tokio::time::sleep(Duration::from_millis(5)).await;
        let since = SystemTime::now();
        tokio::time::sleep(Duration::from_millis(5)).await;
        let there = blobs.touch(&project, &[hash(3), hash(9)]).await.unwrap();
        assert_eq!(there, HashSet::from([hash(3)]));
        assert_eq!(collector.round(since).await.unwrap(), 1);
        let left = blobs.blobs(&project).await.unwrap();
        let left: Vec<BlobHash> = left.into_iter().map(|blob| blob.hash).collect();
        assert_eq!(left, [hash(1), hash(3), hash(4)]);
        assert_eq!(blobs.blobs(&damaged).await.unwrap().len(), 1);
    }
}
