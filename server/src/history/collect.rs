//! What no version names any more goes, and so do the oldest versions that nobody has named.
//!
//! Nothing is in use here but what a version names, so a text that was put or asked for less than a
//! day ago may belong to a version that is not there yet and stays; a version that takes longer is
//! given up. One that takes texts over from the newest version, which it does not ask for, comes
//! into being only while that is the newest, and the newest is never removed.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use tutti_protocol::blob::BlobHash;
use tutti_protocol::ids::ProjectId;
use tutti_protocol::rest::{FileKind, VersionReason};

use super::History;
use super::put::LONGEST;
use crate::store::{StoreError, StoredVersion};

/// How long what no version names is kept: many times as long as a version may take to be made,
/// whatever the nodes' clocks differ by.
const GRACE: Duration = Duration::from_secs(24 * 3600);
const _: () = assert!(GRACE.as_secs() > 10 * LONGEST.as_secs());

/// So many versions are not made while one is being made or looked through, so that the one that
/// was the newest when that began is still there when it ends.
pub(crate) const KEPT_AT_LEAST: usize = 10;

/// Versions that are read at once.
const PAGE: u32 = 100;

impl History {
    /// Every version of a project, the newest first.
    pub(crate) async fn all(&self, project: &ProjectId) -> Result<Vec<StoredVersion>, StoreError> {
        let mut all: Vec<StoredVersion> = Vec::new();
        loop {
            let before = all.last().map(|version| version.number);
            let page = self.list(project, before, PAGE).await?;
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page);
        }
    }

    /// Removes versions that nobody has named, the oldest first, until there are `most` of them, or
    /// [`KEPT_AT_LEAST`]. Returns how many have gone.
    pub(crate) async fn thin(&self, project: &ProjectId, most: usize) -> Result<usize, StoreError> {
        let all = self.all(project).await?.into_iter();
        let unnamed = all.filter(|version| version.because != VersionReason::Named);
        let old: Vec<StoredVersion> = unnamed.skip(most.max(KEPT_AT_LEAST)).collect();
        for version in &old {
            self.versions.remove(project, version.number).await?;
        }
        Ok(old.len())
    }

    /// Deletes the texts that no version of this project names; returns how many.
    pub(crate) async fn collect(&self, project: &ProjectId) -> Result<u64, StoreError> {
        self.collect_unused_since(project, SystemTime::now() - GRACE)
            .await
    }

    pub(crate) async fn collect_unused_since(
        &self,
        project: &ProjectId,
        since: SystemTime,
    ) -> Result<u64, StoreError> {
        let texts = self.texts.blobs(project).await?;
        if texts.iter().all(|text| text.used_at >= since) {
            return Ok(0);
        }
        // Looked up after the texts: what was used since is not deleted in any case.
        let named = self.named(project, FileKind::Text).await?;
        self.texts.collect(project, since, &named).await
    }

    /// Deletes what was begun to be put and never ended, of any project.
    pub(crate) async fn sweep(&self) -> Result<(), StoreError> {
        self.texts.sweep(SystemTime::now() - GRACE).await
    }

    /// The contents of one kind that versions of a project name; with texts, the lists.
    pub(crate) async fn named(
        &self,
        project: &ProjectId,
        kind: FileKind,
    ) -> Result<HashSet<BlobHash>, StoreError> {
        let mut named = HashSet::new();
        let mut seen = HashSet::new();
        for version in self.all(project).await? {
            if !seen.insert(version.list) {
                continue;
            }
            if kind == FileKind::Text {
                named.insert(version.list);
            }
            // One that another node has just thinned out, so that its list has gone, breaks this off
            // as well: what was taken over from it may be named by a version that is not listed here.
            let files = self.files(project, &version).await?;
            let of_kind = files.into_iter().filter(|file| file.kind == kind);
            named.extend(of_kind.map(|file| file.sha256));
        }
        Ok(named)
    }
}
