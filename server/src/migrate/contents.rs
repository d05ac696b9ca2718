//! Contents: copied a part at a time, and hashed on the other side.

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tutti_protocol::blob::BlobHash;
use tutti_protocol::ids::ProjectId;

use super::place::Opened;
use super::{MigrateError, Report};
use crate::store::blobs::PART_BYTES;
use crate::store::{BlobStore, StoreError, StoredBlob, WriteId};

/// Contents of up to one part are copied many at once.
const SMALL_BYTES: u64 = PART_BYTES as u64;
const BATCH_BYTES: usize = 4 * 1024 * 1024;
const BATCH_CONTENTS: usize = 500;

/// Copies a project's contents of files. Returns how many there are.
pub(super) async fn copy(
    source: &Opened,
    target: &Opened,
    project: &ProjectId,
    report: &mut Report,
) -> Result<usize, MigrateError> {
    let copied = copy_all(&*source.blobs, &*target.blobs, project).await?;
    report.already_there += copied.already_there;
    Ok(copied.all)
}

/// How many contents there are, and how many of them were in the target.
pub(super) struct Copied {
    pub(super) all: usize,
    pub(super) already_there: usize,
}

/// Copies a project's contents of one kind, as they are stored.
pub(super) async fn copy_all(
    source: &dyn BlobStore,
    target: &dyn BlobStore,
    project: &ProjectId,
) -> Result<Copied, StoreError> {
    let blobs = source.blobs(project).await?;
    let mut copied = Copied {
        all: blobs.len(),
        already_there: 0,
    };
    let (mut small, mut bytes) = (Vec::new(), 0);
    for blob in blobs {
        if target.find(project, blob.hash).await?.is_some() {
            copied.already_there += 1;
            continue;
        }
        if blob.bytes <= SMALL_BYTES {
            let mut content = Bytes::new();
            for place in 0..blob.parts() {
                content = source.part(project, &blob, place).await?;
            }
            bytes += content.len();
            small.push((blob.hash, content));
            if bytes >= BATCH_BYTES || small.len() >= BATCH_CONTENTS {
                target
                    .put_small(project, std::mem::take(&mut small))
                    .await?;
                bytes = 0;
            }
            continue;
        }
        let upload = WriteId::next();
        for place in 0..blob.parts() {
            let part = source.part(project, &blob, place).await?;
            target.put_part(project, upload, place, part).await?;
        }
        let finish = target.finish(project, upload, blob.hash, blob.bytes);
        finish.await?;
    }
    target.put_small(project, small).await?;
    Ok(copied)
}

/// Whether the target holds exactly the source's contents, each with its hash. Returns how many.
pub(super) async fn compare(
    source: &Opened,
    target: &Opened,
    project: &ProjectId,
) -> Result<usize, MigrateError> {
    let hashes = |blobs: &[StoredBlob]| -> Vec<BlobHash> {
        let mut hashes: Vec<_> = blobs.iter().map(|blob| blob.hash).collect();
        hashes.sort();
        hashes
    };
    let theirs = target.blobs.blobs(project).await?;
    if hashes(&source.blobs.blobs(project).await?) != hashes(&theirs) {
        let what = format!("the list of files of project {project}");
        return Err(MigrateError::Differs { what });
    }
    for blob in &theirs {
        if hash(&*target.blobs, project, blob).await? != blob.hash {
            let what = format!("the file {} of project {project}", blob.hash);
            return Err(MigrateError::Differs { what });
        }
    }
    Ok(theirs.len())
}

async fn hash(
    store: &dyn BlobStore,
    project: &ProjectId,
    blob: &StoredBlob,
) -> Result<BlobHash, StoreError> {
    let mut hasher = Sha256::new();
    for place in 0..blob.parts() {
        hasher.update(store.part(project, blob, place).await?);
    }
    Ok(BlobHash(hasher.finalize().into()))
}
