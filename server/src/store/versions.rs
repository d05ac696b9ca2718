//! Versions of projects: which there are. What they consist of lies in a
//! [`BlobStore`](super::BlobStore) of its own, under hashes; a version is listed only once all of
//! that is there (`crate::history`).

use futures_util::future::BoxFuture;
use tutti_protocol::blob::BlobHash;
use tutti_protocol::ids::ProjectId;
use tutti_protocol::rest::VersionReason;

use super::StoreError;

/// Keeps the versions of projects. An `Ok` of a writing method says that the write survives a power
/// cut. Several nodes may do all of this at once.
pub trait VersionStore: Send + Sync + 'static {
    /// Adds a version under its number, whole or not at all. `Ok(false)` when another one has the
    /// number; nothing has changed then. Numbers rise, and the newest version is never removed by
    /// itself, so no number comes twice.
    fn add<'a>(
        &'a self,
        project: &'a ProjectId,
        version: &'a StoredVersion,
    ) -> BoxFuture<'a, Result<bool, StoreError>>;

    /// The newest versions whose numbers are below `before`, the newest first, at most `most`.
    fn list<'a>(
        &'a self,
        project: &'a ProjectId,
        before: Option<u32>,
        most: u32,
    ) -> BoxFuture<'a, Result<Vec<StoredVersion>, StoreError>>;

    /// Removes a version, which need not be there.
    fn remove<'a>(
        &'a self,
        project: &'a ProjectId,
        number: u32,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Removes all versions of a project.
    fn remove_all<'a>(&'a self, project: &'a ProjectId) -> BoxFuture<'a, Result<(), StoreError>>;
}

/// A version, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredVersion {
    /// Counts the project's versions, from 1.
    pub number: u32,
    /// What somebody has called it.
    pub name: Option<String>,
    /// When it was made, in milliseconds since 1970 (UTC).
    pub made_at_ms: i64,
    /// Why it was made.
    pub because: VersionReason,
    /// The names of those who were in the project while it grew.
    pub people: Vec<String>,
    /// How many files it has.
    pub files: u32,
    /// The hash of the list of its files.
    pub list: BlobHash,
}
