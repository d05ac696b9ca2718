//! What the source has lost since an interrupted run goes from the half-made copy as well.
//!
//! A source may be served between two runs: links are withdrawn and used, projects and contents
//! deleted. The copy only ever adds, so what it holds beyond the source would keep it from ever
//! being called done. To be called for a target that carries the mark of this very source alone:
//! nothing but copies is in it, and nobody is served from it.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use tutti_protocol::ids::ProjectId;

use super::copy::{equal, names};
use super::place::Opened;
use super::{MigrateError, history};

/// Later than any use of a content in the target.
const LATER: Duration = Duration::from_secs(24 * 3600);

pub(super) async fn drop_what_has_gone(
    source: &Opened,
    target: &Opened,
    ids: &[ProjectId],
) -> Result<(), MigrateError> {
    for project in target.directory.projects().await? {
        let id = project.id;
        if !ids.contains(&id) {
            target.directory.delete_project(&id).await?;
            target.documents.delete_project(&id).await?;
            target.blobs.delete_blobs(&id).await?;
            target.versions.remove_all(&id).await?;
            target.texts.delete_blobs(&id).await?;
        }
    }
    for id in ids {
        let ours = source.directory.project_record(id).await?;
        let theirs = target.directory.project_record(id).await?;
        if let (Some(ours), Some(theirs)) = (ours, theirs)
            && !equal(&ours, &theirs)
        {
            // It is copied again with the links and passes that there are now.
            target.directory.delete_project(id).await?;
        }
        let there = names(&*source.documents, id).await?;
        if !names(&*target.documents, id).await?.is_subset(&there) {
            // They are copied again, without the one that has gone.
            target.documents.delete_project(id).await?;
        }
        let contents = source.blobs.blobs(id).await?;
        let contents: HashSet<_> = contents.iter().map(|blob| blob.hash).collect();
        let later = SystemTime::now() + LATER;
        target.blobs.collect(id, later, &contents).await?;
        history::drop_what_has_gone(source, target, id).await?;
    }
    Ok(())
}
