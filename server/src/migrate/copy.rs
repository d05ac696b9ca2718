//! Copying and comparing.

use std::collections::BTreeSet;

use tutti_protocol::ids::{DocumentId, ProjectId, RoomName};

use super::contents;
use super::digest::{ContentHash, content_hash};
use super::place::{Admin, Opened};
use super::{MigrateError, Report, count, history, resume};
use crate::auth::ProjectRecord;
use crate::auth::admin::{AdminKey, shared};
use crate::store::compaction::compact;
use crate::store::{Append, DocumentStore, StoreError, StoredDocument};

/// Updates in one write, by their bytes.
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// The projects of a source that is whole. Asked before there is a target, so that a refusal makes none.
pub(super) async fn projects_of(source: &Opened) -> Result<Vec<ProjectId>, MigrateError> {
    if let Some(from) = source.mark.source().await? {
        let place = source.name.clone();
        return Err(MigrateError::HalfCopied { from, place });
    }
    let projects = source.directory.projects().await?;
    if projects.is_empty() {
        return Err(MigrateError::NothingThere(source.name.clone()));
    }
    Ok(projects.into_iter().map(|project| project.id).collect())
}

/// Copies these projects, and all that belongs to them.
pub(super) async fn everything(
    source: &Opened,
    target: &Opened,
    ids: &[ProjectId],
    progress: &mut impl FnMut(&str),
) -> Result<Report, MigrateError> {
    if begin(source, target, ids).await? == Beginning::Resumed {
        resume::drop_what_has_gone(source, target, ids).await?;
    }
    let mut report = Report::default();
    for id in ids {
        // Deleted meanwhile; the comparison says if it matters.
        let Some(record) = source.directory.project_record(id).await? else {
            continue;
        };
        let documents = copy_documents(source, target, id, &mut report).await?;
        let files = contents::copy(source, target, id, &mut report).await?;
        let versions = history::copy(source, target, id).await?;
        let name = &record.project.name;
        let (documents, files) = (count(documents, "document"), count(files, "binary file"));
        let versions = count(versions, "version");
        progress(&format!("{name}: {documents}, {files}, {versions}"));
        // The project last, so that no link leads to a project without documents.
        if target.directory.project_record(id).await?.is_none() {
            target.directory.restore_project(record).await?;
        }
    }
    report.admin_token = copy_admin(source, target).await?;
    progress("comparing");
    compare(source, target, ids, &mut report).await?;
    target.mark.remove().await?;
    Ok(report)
}

/// How a copy begins.
#[derive(PartialEq, Eq)]
enum Beginning {
    Anew,
    /// The target holds what an earlier run has copied from this very source.
    Resumed,
}

/// Marks an empty target, or finds the mark of an earlier run.
async fn begin(
    source: &Opened,
    target: &Opened,
    ids: &[ProjectId],
) -> Result<Beginning, MigrateError> {
    match target.mark.source().await? {
        Some(other) if other == source.name => return Ok(Beginning::Resumed),
        Some(other) => {
            return Err(MigrateError::OtherCopy {
                other,
                target: target.name.clone(),
            });
        }
        None => {}
    }
    let not_empty = || Err(MigrateError::NotEmpty(target.name.clone()));
    if !target.directory.projects().await?.is_empty() {
        return not_empty();
    }
    for id in ids {
        let has_documents = !target.documents.documents(id).await?.is_empty();
        let has_versions = !target.versions.list(id, None, 1).await?.is_empty();
        if has_documents || has_versions || !target.blobs.blobs(id).await?.is_empty() {
            return not_empty();
        }
    }
    target.mark.set(&source.name).await?;
    Ok(Beginning::Anew)
}

async fn copy_documents(
    source: &Opened,
    target: &Opened,
    project: &ProjectId,
    report: &mut Report,
) -> Result<usize, MigrateError> {
    let documents = source.documents.documents(project).await?;
    let number = documents.len();
    for size in documents {
        let room = RoomName::new(project.clone(), size.document);
        let Some(stored) = source.documents.load(&room).await? else {
            continue;
        };
        if let Some(there) = target.documents.load(&room).await?
            && hashed(&room, there).await? == hashed(&room, stored.clone()).await?
        {
            report.already_there += 1;
            continue;
        }
        copy_document(&*target.documents, &room, stored).await?;
    }
    Ok(number)
}

/// Whatever part of it an interrupted run has written does no harm: updates may be applied twice.
async fn copy_document(
    target: &dyn DocumentStore,
    room: &RoomName,
    stored: StoredDocument,
) -> Result<(), StoreError> {
    let log = stored.log.into_iter().map(|entry| entry.update);
    let mut batch = Vec::new();
    let mut bytes = 0;
    for update in stored.snapshot.into_iter().chain(log) {
        bytes += update.len();
        batch.push(Append::new(room.clone(), update));
        if bytes >= BATCH_BYTES {
            target.append(std::mem::take(&mut batch)).await?;
            bytes = 0;
        }
    }
    target.append(batch).await?;
    compact(target, room).await?;
    Ok(())
}

/// Says what becomes of the administrator's token.
async fn copy_admin(source: &Opened, target: &Opened) -> Result<String, MigrateError> {
    let there = target.admin.key().await?;
    let same = |a: &AdminKey, b: &AdminKey| a.id == b.id && a.hash.as_bytes() == b.hash.as_bytes();
    Ok(match (source.admin.key().await?, there, &target.admin) {
        (Some(key), Some(there), _) if same(&key, &there) => "the admin token stays the same",
        (_, Some(_), _) => "the target keeps the admin token that it has",
        (Some(key), None, Admin::Database(mongo)) => {
            shared::claim(mongo, key).await?;
            "the admin token stays the same"
        }
        // A database holds its hash only, from which no file can be written.
        _ => "the first start on the target makes a new admin token",
    }
    .to_owned())
}

async fn compare(
    source: &Opened,
    target: &Opened,
    ids: &[ProjectId],
    report: &mut Report,
) -> Result<(), MigrateError> {
    if source.directory.projects().await? != target.directory.projects().await? {
        let what = "the list of projects".to_owned();
        return Err(MigrateError::Differs { what });
    }
    for id in ids {
        let (ours, theirs) = (
            source.directory.project_record(id).await?,
            target.directory.project_record(id).await?,
        );
        let (Some(ours), Some(theirs)) = (ours, theirs) else {
            return Err(MigrateError::Differs {
                what: id.to_string(),
            });
        };
        if !equal(&ours, &theirs) {
            let what = format!("the list of links of project {id}");
            return Err(MigrateError::Differs { what });
        }
        report.projects += 1;
        report.links += ours.links.len();
        report.tokens += ours.passes.len();
        report.documents += compare_documents(source, target, id).await?;
        report.files += contents::compare(source, target, id).await?;
        report.versions += history::compare(source, target, id).await?;
    }
    Ok(())
}

async fn compare_documents(
    source: &Opened,
    target: &Opened,
    project: &ProjectId,
) -> Result<usize, MigrateError> {
    let ours = names(&*source.documents, project).await?;
    if ours != names(&*target.documents, project).await? {
        let what = format!("the list of documents of project {project}");
        return Err(MigrateError::Differs { what });
    }
    let number = ours.len();
    for document in ours {
        let room = RoomName::new(project.clone(), document);
        let ours = source.documents.load(&room).await?.unwrap_or_default();
        let theirs = target.documents.load(&room).await?.unwrap_or_default();
        if hashed(&room, ours).await? != hashed(&room, theirs).await? {
            return Err(MigrateError::Differs {
                what: room.to_string(),
            });
        }
    }
    Ok(number)
}

pub(super) async fn names(
    store: &dyn DocumentStore,
    project: &ProjectId,
) -> Result<BTreeSet<DocumentId>, StoreError> {
    let sizes = store.documents(project).await?;
    Ok(sizes.into_iter().map(|size| size.document).collect())
}

async fn hashed(room: &RoomName, stored: StoredDocument) -> Result<ContentHash, StoreError> {
    // Building a large document takes longer than a task may hold its thread.
    let hash = tokio::task::spawn_blocking(move || content_hash(&stored)).await;
    let hash = hash.map_err(|error| StoreError::Unavailable(error.to_string()))?;
    hash.map_err(|error| StoreError::Corrupt {
        room: room.to_string(),
        what: error.to_string(),
    })
}

pub(super) fn equal(ours: &ProjectRecord, theirs: &ProjectRecord) -> bool {
    let links = |record: &ProjectRecord| {
        let links = record.links.iter();
        links
            .map(|(link, hash)| (link.clone(), *hash.as_bytes()))
            .collect::<Vec<_>>()
    };
    let passes = |record: &ProjectRecord| {
        let passes = record.passes.iter();
        passes
            .map(|pass| (pass.id.clone(), pass.link.clone(), *pass.hash.as_bytes()))
            .collect::<BTreeSet<_>>()
    };
    ours.project == theirs.project && links(ours) == links(theirs) && passes(ours) == passes(theirs)
}
