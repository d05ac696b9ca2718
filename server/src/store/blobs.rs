//! Contents, whole under their hash or not there: of files that are no texts, and of versions.

use std::collections::HashSet;
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tutti_protocol::blob::BlobHash;
use tutti_protocol::ids::ProjectId;

use super::{StoreError, WriteId};

/// Contents are written and read in parts of this size; only the last may be smaller. One part of
/// each transfer is in memory.
pub const PART_BYTES: usize = 1024 * 1024;

/// Keeps contents, each project's for itself. An `Ok` of a writing method says that the write
/// survives a power cut. Several nodes may do all of this at once.
///
/// A content is written under the name of its upload, part by part, and comes into being with
/// [`BlobStore::finish`]. What was never finished is never read, and goes with
/// [`BlobStore::sweep`].
pub trait BlobStore: Send + Sync + 'static {
    /// Writes one part of an upload.
    fn put_part<'a>(
        &'a self,
        project: &'a ProjectId,
        upload: WriteId,
        place: u32,
        bytes: Bytes,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Makes an upload the content `hash`. The caller has seen to it that it is: all parts are
    /// written, and have `bytes` bytes together. Where the content is there already, the upload
    /// is discarded, and the content counts as used now.
    fn finish<'a>(
        &'a self,
        project: &'a ProjectId,
        upload: WriteId,
        hash: BlobHash,
        bytes: u64,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Puts contents that are one part at most, as all the steps above would, in few round trips
    /// however many they are. Together they are a message to the store, so not over a few MiB.
    fn put_small<'a>(
        &'a self,
        project: &'a ProjectId,
        contents: Vec<(BlobHash, Bytes)>,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Deletes the parts of an upload that will not be finished.
    fn discard<'a>(
        &'a self,
        project: &'a ProjectId,
        upload: WriteId,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Finds a content; `None` if it is not there.
    fn find<'a>(
        &'a self,
        project: &'a ProjectId,
        hash: BlobHash,
    ) -> BoxFuture<'a, Result<Option<StoredBlob>, StoreError>>;

    /// Reads one part of a content. A part that is missing or damaged is an error.
    fn part<'a>(
        &'a self,
        project: &'a ProjectId,
        blob: &'a StoredBlob,
        place: u32,
    ) -> BoxFuture<'a, Result<Bytes, StoreError>>;

    /// Notes that these contents are used now, and returns which of them are there.
    fn touch<'a>(
        &'a self,
        project: &'a ProjectId,
        hashes: &'a [BlobHash],
    ) -> BoxFuture<'a, Result<HashSet<BlobHash>, StoreError>>;

    /// All contents of a project.
    fn blobs<'a>(
        &'a self,
        project: &'a ProjectId,
    ) -> BoxFuture<'a, Result<Vec<StoredBlob>, StoreError>>;

    /// Deletes the contents that were last used before `unused_since` and are not in `named`;
    /// returns how many. One that is used while this runs stays.
    fn collect<'a>(
        &'a self,
        project: &'a ProjectId,
        unused_since: SystemTime,
        named: &'a HashSet<BlobHash>,
    ) -> BoxFuture<'a, Result<u64, StoreError>>;

    /// Deletes the parts of uploads, of any project, that were begun before `begun_before` and
    /// never finished.
    fn sweep(&self, begun_before: SystemTime) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Deletes a project's contents.
    fn delete_blobs<'a>(&'a self, project: &'a ProjectId) -> BoxFuture<'a, Result<(), StoreError>>;
}

/// A content that is there, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBlob {
    /// Its name.
    pub hash: BlobHash,
    /// Its length.
    pub bytes: u64,
    /// When it was last used, to the millisecond.
    pub used_at: SystemTime,
    /// Which upload it was.
    pub(crate) upload: WriteId,
}

impl StoredBlob {
    /// How many parts it has.
    pub fn parts(&self) -> u32 {
        parts_of(self.bytes)
    }

    /// The length of a part.
    pub(crate) fn part_bytes(&self, place: u32) -> usize {
        let before = u64::from(place) * PART_BYTES as u64;
        self.bytes.saturating_sub(before).min(PART_BYTES as u64) as usize
    }
}

/// How many parts a content of so many bytes has.
pub(crate) fn parts_of(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(PART_BYTES as u64)).unwrap_or(u32::MAX)
}

/// Milliseconds since 1970 (UTC), as both stores keep times.
pub(crate) fn to_ms(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as i64)
}

pub(crate) fn from_ms(ms: i64) -> SystemTime {
    let since = std::time::Duration::from_millis(u64::try_from(ms).unwrap_or(0));
    SystemTime::UNIX_EPOCH + since
}
