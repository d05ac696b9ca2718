//! Versions: what they consist of is copied as it is packed, then the versions under their numbers;
//! every text is unpacked and hashed on the other side.

use std::collections::HashSet;

use tutti_protocol::blob::BlobHash;
use tutti_protocol::ids::ProjectId;
use tutti_protocol::rest::FileKind;

use super::MigrateError;
use super::contents::copy_all;
use super::place::Opened;
use crate::history::History;
use crate::history::texts::{read_whole, unpack};
use crate::store::StoreError;

fn history(place: &Opened) -> History {
    History::new(place.versions.clone(), place.texts.clone())
}

/// Copies a project's versions. Returns how many there are.
pub(super) async fn copy(
    source: &Opened,
    target: &Opened,
    project: &ProjectId,
) -> Result<usize, MigrateError> {
    let mut versions = history(source).all(project).await?;
    copy_all(&*source.texts, &*target.texts, project).await?;
    // The oldest first, as they were made.
    versions.reverse();
    for version in &versions {
        // One that an earlier run has copied keeps its number.
        target.versions.add(project, version).await?;
    }
    Ok(versions.len())
}

/// Whether the target holds exactly the source's versions, and each text that they name with its
/// hash. Returns how many.
pub(super) async fn compare(
    source: &Opened,
    target: &Opened,
    project: &ProjectId,
) -> Result<usize, MigrateError> {
    let differs = |what: String| MigrateError::Differs { what };
    let theirs = history(target).all(project).await?;
    if history(source).all(project).await? != theirs {
        return Err(differs(format!(
            "the list of versions of project {project}"
        )));
    }
    // Equal versions have lists of equal hashes, and every list is compared with its hash here.
    let named = history(target).named(project, FileKind::Text).await?;
    let texts = target.texts.blobs(project).await?;
    let there: HashSet<BlobHash> = texts.iter().map(|text| text.hash).collect();
    if !named.is_subset(&there) {
        return Err(differs(format!("the list of texts of project {project}")));
    }
    for text in texts {
        let packed = read_whole(&*target.texts, project, text.hash).await?;
        let packed = packed.unwrap_or_default();
        // Unpacking a large text takes longer than a task may hold its thread.
        let same = tokio::task::spawn_blocking(move || unpack(&packed, text.hash).is_some()).await;
        if !same.map_err(|error| StoreError::Unavailable(error.to_string()))? {
            let hash = text.hash;
            return Err(differs(format!("the text {hash} of project {project}")));
        }
    }
    Ok(theirs.len())
}

/// Drops from an unfinished copy what the source does not have any more.
pub(super) async fn drop_what_has_gone(
    source: &Opened,
    target: &Opened,
    project: &ProjectId,
) -> Result<(), MigrateError> {
    let ours = history(source).all(project).await?;
    let target = history(target);
    let theirs = target.all(project).await?;
    if theirs.iter().any(|version| !ours.contains(version)) {
        // They are copied again, without the one that has gone.
        target.delete_project(project).await?;
    }
    Ok(())
}
