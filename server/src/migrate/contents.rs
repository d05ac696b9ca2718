//! Contents of files that are no texts: copied a part at a time, and hashed on the other side.

use sha2::{Digest, Sha256};
use tutti_protocol::blob::BlobHash;
use tutti_protocol::ids::ProjectId;

use super::place::Opened;
use super::{MigrateError, Report};
use crate::store::{BlobStore, StoreError, StoredBlob, WriteId};

/// Copies a project's contents. Returns how many there are.
pub(super) async fn copy(
    source: &Opened,
    target: &Opened,
    project: &ProjectId,
    report: &mut Report,
) -> Result<usize, MigrateError> {
    let blobs = source.blobs.blobs(project).await?;
    let number = blobs.len();
    for blob in blobs {
        if target.blobs.find(project, blob.hash).await?.is_some() {
            report.already_there += 1;
            continue;
        }
        let upload = WriteId::next();
        for place in 0..blob.parts() {
            let part = source.blobs.part(project, &blob, place).await?;
            target.blobs.put_part(project, upload, place, part).await?;
        }
        let finish = target.blobs.finish(project, upload, blob.hash, blob.bytes);
        finish.await?;
    }
    Ok(number)
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
