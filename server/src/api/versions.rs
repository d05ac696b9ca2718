//! Versions of a project: made, listed, compared and restored.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde::Deserialize;
use tutti_protocol::path::ProjectPath;
use tutti_protocol::rest::{
    FileDiff, NewVersion, Problem, RestoreVersion, RestoredVersion, Version, VersionContents,
    VersionFile, VersionReason,
};

use super::blobs::editors_only;
use super::error::{ApiError, ApiResult};
use super::extract::{Json, Member};
use super::{ApiState, VERSIONS};
use crate::auth::now;
use crate::history::{About, Against, HistoryError, Restored};
use crate::store::StoredVersion;

/// Versions in one answer, if nobody asks for less or more, and the most.
const PAGE: u32 = 50;
const MOST: u32 = 200;

const MAX_NAME_CHARS: usize = 200;

impl From<HistoryError> for ApiError {
    fn from(error: HistoryError) -> ApiError {
        match error {
            HistoryError::Store(error) => error.into(),
            HistoryError::Room(error) => error.into(),
            HistoryError::Directory(error) => error.into(),
            HistoryError::Deleted => ApiError::not_found("There is no such project."),
            HistoryError::TooMuch => ApiError::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "This would change more than 256 MiB of text at once: restore one directory after the other.",
            ),
            HistoryError::Restoring => ApiError::new(
                StatusCode::CONFLICT,
                "A version of this project was restored less than a minute ago, and that may not be done yet: look at \
                 what there is, and try again in a minute.",
            ),
            HistoryError::Overtaken => ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "Others are making versions of this project just now: try again soon.",
            ),
        }
    }
}

fn shown(version: StoredVersion) -> Version {
    Version {
        version: version.number,
        name: version.name,
        made_at: version.made_at_ms,
        reason: version.because,
        people: version.people,
        files: version.files,
    }
}

/// Make a version
///
/// Keeps what the project is now under a name. Needs an editor link.
#[utoipa::path(
    post, path = "/projects/{project}/versions", tag = VERSIONS, operation_id = "makeVersion", request_body = NewVersion,
    params(("project" = String, Path, description = "The project's id")),
    responses(
        (status = 201, body = Version),
        (status = "default", description = "What went wrong.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn create(
    State(state): State<ApiState>,
    member: Member,
    Json(wanted): Json<NewVersion>,
) -> ApiResult<(StatusCode, axum::Json<Version>)> {
    editors_only(&member)?;
    let name = wanted.name.trim();
    let fits = (1..=MAX_NAME_CHARS).contains(&name.chars().count());
    if !fits || name.chars().any(char::is_control) {
        return Err(ApiError::bad_request(
            "A version's name has 1 to 200 characters, none of them a control character.",
        ));
    }
    let about = about(&state, &member, VersionReason::Named, Some(name.to_owned())).await;
    let project = member.project.id;
    // A task of its own: what has been begun is ended, even if nobody waits for it any more.
    let made = tokio::spawn(async move { state.keeper.make_surely(&project, about).await });
    let made = made.await.map_err(ApiError::internal)??;
    Ok((StatusCode::CREATED, axum::Json(shown(made))))
}

async fn about(
    state: &ApiState,
    member: &Member,
    because: VersionReason,
    name: Option<String>,
) -> About {
    let people = state.keeper.rooms.people_since(&member.project.id).await;
    About {
        name,
        because,
        people: people.into_iter().collect(),
        made_at_ms: now(),
    }
}

/// List versions
///
/// The newest first. For those before them, ask again with `before`.
#[utoipa::path(
    get, path = "/projects/{project}/versions", tag = VERSIONS, operation_id = "listVersions",
    params(
        ("project" = String, Path, description = "The project's id"),
        ("before" = Option<u32>, Query, description = "Only versions with smaller numbers"),
        ("limit" = Option<u32>, Query, description = "How many at most: 1 to 200, or 50"),
    ),
    responses(
        (status = 200, body = Vec<Version>),
        (status = "default", description = "What went wrong.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn list(
    State(state): State<ApiState>,
    member: Member,
    page: Result<Query<Page>, QueryRejection>,
) -> ApiResult<axum::Json<Vec<Version>>> {
    let wrong = || ApiError::bad_request("before is a version's number, and limit is 1 to 200.");
    let Query(page) = page.map_err(|_| wrong())?;
    let limit = page.limit.unwrap_or(PAGE);
    if !(1..=MOST).contains(&limit) {
        return Err(wrong());
    }
    let history = &state.keeper.history;
    let listed = history.list(&member.project.id, page.before, limit).await?;
    Ok(axum::Json(listed.into_iter().map(shown).collect()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    before: Option<u32>,
    limit: Option<u32>,
}

/// Show a version
#[utoipa::path(
    get, path = "/projects/{project}/versions/{version}", tag = VERSIONS, operation_id = "showVersion",
    params(
        ("project" = String, Path, description = "The project's id"),
        ("version" = u32, Path, description = "The version's number"),
    ),
    responses(
        (status = 200, body = VersionContents),
        (status = "default", description = "What went wrong.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn show(
    State(state): State<ApiState>,
    member: Member,
    Path(path): Path<VersionPath>,
) -> ApiResult<axum::Json<VersionContents>> {
    let version = find(&state, &member, &path.version).await?;
    let files = state
        .keeper
        .history
        .files(&member.project.id, &version)
        .await?;
    let files = files.into_iter().map(|file| VersionFile {
        id: file.id.to_string(),
        path: file.path,
        kind: file.kind,
        bytes: file.bytes,
        sha256: file.sha256,
    });
    Ok(axum::Json(VersionContents {
        files: files.collect(),
        version: shown(version),
    }))
}

/// Read a file of a version
///
/// Its text as it was, with `\n` as its line end whatever the file has on disk.
#[utoipa::path(
    get, path = "/projects/{project}/versions/{version}/files/{id}/text", tag = VERSIONS, operation_id = "readVersionFile",
    params(
        ("project" = String, Path, description = "The project's id"),
        ("version" = u32, Path, description = "The version's number"),
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
    let version = find(&state, &member, &path.version).await?;
    let (history, project) = (&state.keeper.history, &member.project.id);
    let files = history.files(project, &version).await?;
    let file = files.into_iter().find(|file| file.id.as_str() == path.id);
    let file = file.ok_or_else(|| ApiError::not_found("This version has no such file."))?;
    if !file.is_text() {
        return Err(ApiError::not_found(
            "This file is no text: read its content by the sha256 that the version's files have.",
        ));
    }
    let text = history.text(project, file.sha256).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text))
}

/// Compare a version
///
/// The files that differ between this version and what there is now (`against=now`, which is also
/// the default), or another version (`against=NUMBER`). Very large differences are cut, and it is
/// said so in their place.
#[utoipa::path(
    get, path = "/projects/{project}/versions/{version}/diff", tag = VERSIONS, operation_id = "compareVersion",
    params(
        ("project" = String, Path, description = "The project's id"),
        ("version" = u32, Path, description = "The version's number"),
        ("against" = Option<String>, Query, description = "`now`, or another version's number"),
    ),
    responses(
        (status = 200, body = Vec<FileDiff>),
        (status = "default", description = "What went wrong.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn diff(
    State(state): State<ApiState>,
    member: Member,
    Path(path): Path<VersionPath>,
    compared: Result<Query<Compared>, QueryRejection>,
) -> ApiResult<axum::Json<Vec<FileDiff>>> {
    let compared = compared.map_err(|_| {
        ApiError::bad_request(
            "A version is compared against one thing: `against=now`, or `against=` and a version's number.",
        )
    });
    let Query(compared) = compared?;
    let version = find(&state, &member, &path.version).await?;
    let against = match compared.against.as_deref() {
        None | Some("now") => Against::Now,
        Some(number) => Against::Version(find(&state, &member, number).await?),
    };
    let project = &member.project.id;
    let differing = state.keeper.diff(project, &version, &against).await?;
    Ok(axum::Json(differing))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Compared {
    against: Option<String>,
}

/// Restore a version
///
/// Edits the project so that it becomes what it was, or a file of it, or all beneath a directory.
/// Everyone who is there sees this as typing, and can go on; what they type meanwhile stays. What
/// was there before is kept as a version first: to restore that one takes this back. Needs an
/// editor link.
#[utoipa::path(
    post, path = "/projects/{project}/versions/{version}/restore", tag = VERSIONS, operation_id = "restoreVersion",
    request_body = RestoreVersion,
    params(
        ("project" = String, Path, description = "The project's id"),
        ("version" = u32, Path, description = "The version's number"),
    ),
    responses(
        (status = 200, body = RestoredVersion),
        (status = "default", description = "What went wrong.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn restore(
    State(state): State<ApiState>,
    member: Member,
    Path(path): Path<VersionPath>,
    Json(wanted): Json<RestoreVersion>,
) -> ApiResult<axum::Json<RestoredVersion>> {
    editors_only(&member)?;
    let scope = wanted.path.as_deref().map(|path| {
        let path = path.strip_suffix('/').unwrap_or(path);
        let parsed = path.parse::<ProjectPath>();
        parsed.map_err(|error| ApiError::bad_request(format!("This is no path: {error}.")))
    });
    let scope = scope.transpose()?;
    let version = find(&state, &member, &path.version).await?;
    let about = about(&state, &member, VersionReason::BeforeRestore, None).await;
    let project = member.project.id;
    // A task of its own: what has been begun is ended, even if nobody waits for it any more.
    let restored = tokio::spawn(async move {
        let keeper = &state.keeper;
        keeper
            .restore(&project, &version, scope.as_ref(), about)
            .await
    });
    let restored = restored.await.map_err(ApiError::internal)??;
    let Restored {
        before,
        returned,
        deleted,
        changed,
    } = restored.ok_or_else(|| ApiError::not_found("This version has no file at this path."))?;
    Ok(axum::Json(RestoredVersion {
        before: before.number,
        changed: changed as u32,
        returned: returned as u32,
        deleted: deleted as u32,
    }))
}

#[derive(Deserialize)]
pub(super) struct VersionPath {
    version: String,
}

#[derive(Deserialize)]
pub(super) struct FilePath {
    version: String,
    id: String,
}

async fn find(state: &ApiState, member: &Member, number: &str) -> ApiResult<StoredVersion> {
    let no_such = || ApiError::not_found("There is no such version of this project.");
    let parsed: u32 = number.parse().map_err(|_| no_such())?;
    if parsed.to_string() != number {
        return Err(no_such());
    }
    let found = state
        .keeper
        .history
        .find(&member.project.id, parsed)
        .await?;
    found.ok_or_else(no_such)
}
