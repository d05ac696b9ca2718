//! Putting a version: first all that it names, then the version itself.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use tutti_protocol::blob::BlobHash;
use tutti_protocol::ids::ProjectId;
use tutti_protocol::rest::VersionReason;

use super::History;
use super::list::{ListedFile, write_list};
use super::texts::{Batch, Packed, pack};
use crate::store::{StoreError, StoredVersion};

/// From the first text of a version to the version. Beyond it, it is given up: what it has put may
/// be collected ([`super::collect`]).
pub(super) const LONGEST: Duration = Duration::from_secs(3600);

/// A version that is being made. What it has put is collected in time where it is dropped.
pub(crate) struct Draft<'a> {
    history: &'a History,
    project: &'a ProjectId,
    base: Option<StoredVersion>,
    /// What `base` names: it stays as long as `base` is the newest version, which is never removed.
    known: HashSet<BlobHash>,
    batch: Batch<'a>,
    put: HashSet<BlobHash>,
    files: Vec<ListedFile>,
    /// Also if it equals the newest one.
    is_one_anyway: bool,
    begun: Instant,
}

/// What becomes of a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is a version.
    Made(StoredVersion),
    /// It would be equal to this one, the newest.
    Unchanged(StoredVersion),
    /// Another version was made meanwhile.
    Overtaken,
}

/// Who asks for a version, and why.
#[derive(Debug, Clone)]
pub(crate) struct About {
    pub(crate) name: Option<String>,
    pub(crate) because: VersionReason,
    pub(crate) people: Vec<String>,
    pub(crate) made_at_ms: i64,
}

impl History {
    /// Begins a version that follows the newest one.
    pub(crate) async fn draft<'a>(
        &'a self,
        project: &'a ProjectId,
    ) -> Result<Draft<'a>, StoreError> {
        let base = self.newest(project).await?;
        let known = match &base {
            Some(base) => {
                let files = self.files(project, base).await?.into_iter();
                let texts = files.filter(ListedFile::is_text);
                texts.map(|file| file.sha256).chain([base.list]).collect()
            }
            None => HashSet::new(),
        };
        Ok(Draft {
            history: self,
            project,
            base,
            known,
            batch: Batch::new(self, project),
            put: HashSet::new(),
            files: Vec::new(),
            is_one_anyway: false,
            begun: Instant::now(),
        })
    }
}

impl Draft<'_> {
    /// When it was begun: it has everything that was there by then.
    pub(crate) fn begun(&self) -> Instant {
        self.begun
    }

    /// Adds a text with its file; `file` gives the file when the text's hash and length are known.
    pub(crate) async fn add_text(
        &mut self,
        text: String,
        file: impl FnOnce(BlobHash, u64) -> ListedFile,
    ) -> Result<(), StoreError> {
        let bytes = text.len() as u64;
        let packed = packed(text.into_bytes()).await?;
        self.files.push(file(packed.hash, bytes));
        self.put(packed).await
    }

    /// Makes it a version even if it equals the newest one: what it numbers is what is done next.
    pub(crate) fn is_one_anyway(&mut self) {
        self.is_one_anyway = true;
    }

    /// Adds a file whose content lies elsewhere.
    pub(crate) fn add_blob(&mut self, file: ListedFile) {
        self.files.push(file);
    }

    async fn put(&mut self, text: Packed) -> Result<(), StoreError> {
        if self.known.contains(&text.hash) || !self.put.insert(text.hash) {
            return Ok(());
        }
        self.batch.put(text).await
    }

    /// Puts what has been added so far.
    #[cfg(any(test, feature = "test-support"))]
    pub(crate) async fn flush(&mut self) -> Result<(), StoreError> {
        self.batch.end().await
    }

    /// Makes it a version. Without a name it is none where it equals the newest one.
    pub(crate) async fn end(mut self, about: About) -> Result<Outcome, StoreError> {
        self.files.sort_by(|a, b| a.path.cmp(&b.path));
        let files = self.files.len();
        let list = packed(write_list(&self.files)?).await?;
        if let Some(base) = &self.base
            && base.list == list.hash
            && about.name.is_none()
            && !self.is_one_anyway
        {
            return Ok(Outcome::Unchanged(base.clone()));
        }
        let version = StoredVersion {
            number: self.base.as_ref().map_or(0, |base| base.number) + 1,
            name: about.name,
            made_at_ms: about.made_at_ms,
            because: about.because,
            people: about.people,
            files: u32::try_from(files).unwrap_or(u32::MAX),
            list: list.hash,
        };
        self.put(list).await?;
        self.batch.end().await?;
        if self.begun.elapsed() >= LONGEST {
            let what = "a version took too long to write";
            return Err(StoreError::Unavailable(what.to_owned()));
        }
        // What it takes over from `base` is there only as long as that was the newest.
        if self.history.newest(self.project).await? != self.base {
            return Ok(Outcome::Overtaken);
        }
        match self.history.versions.add(self.project, &version).await? {
            true => Ok(Outcome::Made(version)),
            false => Ok(Outcome::Overtaken),
        }
    }
}

/// Packing a large text takes longer than a task may hold its thread.
async fn packed(text: Vec<u8>) -> Result<Packed, StoreError> {
    let packed = tokio::task::spawn_blocking(move || pack(&text)).await;
    packed.map_err(|error| StoreError::Unavailable(error.to_string()))?
}
