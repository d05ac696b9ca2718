//! The files of a project, as they are now: with everything that people have typed so far.

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse;
use serde::Deserialize;
use tutti_protocol::ids::{DocumentId, ProjectId, RoomName};
use tutti_protocol::index::{self, FileEntry};
use tutti_protocol::rest::{File, FileKind, Problem};
use yrs::Transact;

use std::collections::{BTreeMap, HashMap};

use super::error::{ApiError, ApiResult};
use super::extract::Member;
use super::{ApiState, FILES};

/// List files
///
/// The paths are those that every client shows. A file whose path no client would write to disk
/// is left out.
#[utoipa::path(
    get, path = "/projects/{project}/files", tag = FILES, operation_id = "listFiles",
    params(("project" = String, Path, description = "The project's id")),
    responses(
        (status = 200, body = Vec<File>),
        (status = "default", description = "What went wrong.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn list(
    State(state): State<ApiState>,
    member: Member,
) -> ApiResult<axum::Json<Vec<File>>> {
    let project = member.project.id;
    let entries = entries(&state, &project).await?;
    let stored = state.rooms.documents(&project).await?;
    let sizes: HashMap<DocumentId, u64> = stored
        .into_iter()
        .map(|stored| (stored.document, stored.bytes))
        .collect();
    let mut files: Vec<File> = index::visible(&entries)
        .into_iter()
        .filter_map(|(id, path)| {
            let blob = entries.get(&id).and_then(|entry| entry.blob.as_ref());
            let stored = || sizes.get(&id).copied().unwrap_or(0);
            Some(File {
                id: id.to_string(),
                path: path.ok()?.to_string(),
                kind: match blob {
                    None => FileKind::Text,
                    Some(_) => FileKind::Binary,
                },
                bytes: blob.map_or_else(stored, |blob| blob.bytes),
                sha256: blob.and_then(|blob| blob.sha256),
            })
        })
        .collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(axum::Json(files))
}

/// Read a file
///
/// Its text at this moment, with `\n` as its line end whatever the file has on disk.
#[utoipa::path(
    get, path = "/projects/{project}/files/{id}/text", tag = FILES, operation_id = "readFile",
    params(
        ("project" = String, Path, description = "The project's id"),
        ("id" = String, Path, description = "The file's document id"),
    ),
    responses(
        (status = 200, body = String, content_type = "text/plain"),
        (status = "default", description = "What went wrong.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn text(
    State(state): State<ApiState>,
    member: Member,
    Path(path): Path<FilePath>,
) -> ApiResult<impl IntoResponse> {
    let no_such_file = || ApiError::not_found("There is no such file in this project.");
    let id: DocumentId = path.id.parse().map_err(|_| no_such_file())?;
    if id.is_index() {
        return Err(no_such_file());
    }
    let project = member.project.id;
    let text = match state
        .rooms
        .text(&RoomName::new(project.clone(), id.clone()))
        .await?
    {
        Some(text) => text,
        // A file that was created and never written to is an empty one.
        None => match entries(&state, &project).await?.get(&id) {
            Some(entry) if entry.is_text() => String::new(),
            Some(entry) if entry.is_there() => {
                return Err(ApiError::not_found(
                    "This file is no text: read its content by the sha256 that the list of files has.",
                ));
            }
            _ => return Err(no_such_file()),
        },
    };
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text))
}

#[derive(Deserialize)]
pub(super) struct FilePath {
    id: String,
}

async fn entries(
    state: &ApiState,
    project: &ProjectId,
) -> ApiResult<BTreeMap<DocumentId, FileEntry>> {
    let room = RoomName::new(project.clone(), DocumentId::index());
    let entries = state
        .rooms
        .read(&room, |doc| index::entries(&doc.transact()))
        .await?;
    Ok(entries.unwrap_or_default())
}
