//! Contents of files that are no texts, by their SHA-256.
//!
//! They pass through a part at a time, in both directions, and come into being only when all of
//! one has arrived and has the hash that it was sent under.

mod begun;
mod ranges;
mod upload;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use tutti_protocol::blob::{BlobHash, MAX_ASKED};
use tutti_protocol::rest::{BegunBlob, Blobs, LackingBlobs, Problem};
use tutti_protocol::role::Role;

use super::error::{ApiError, ApiResult};
use super::extract::{Json, Member};
use super::{ApiState, FILES};
use crate::store::StoredBlob;
use ranges::Wanted;
use upload::{Upload, first_byte};

pub use begun::BegunUploads;

/// Find out which contents are lacking
///
/// Answers those of the asked contents that the server does not have: they are to be sent before a
/// file's entry names them. The others are kept for some days from now on, named or not. Of those
/// whose sending was cut off it says how far that has come.
#[utoipa::path(
    post, path = "/projects/{project}/blobs", tag = FILES, operation_id = "findLackingBlobs",
    params(("project" = String, Path, description = "The project's id")),
    request_body = Blobs,
    responses(
        (status = 200, body = LackingBlobs),
        (status = "default", description = "What went wrong.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn lacking(
    State(state): State<ApiState>,
    member: Member,
    Json(asked): Json<Blobs>,
) -> ApiResult<axum::Json<LackingBlobs>> {
    editors_only(&member)?;
    if asked.sha256.len() > MAX_ASKED {
        return Err(ApiError::bad_request("Ask for 1 to 1000 contents at once."));
    }
    let there = state.blobs.touch(&member.project.id, &asked.sha256).await?;
    let lacking = asked.sha256.into_iter();
    let sha256: Vec<_> = lacking.filter(|hash| !there.contains(hash)).collect();
    let begun = sha256.iter().filter_map(|hash| {
        let bytes = state.begun_uploads.bytes(&member.project.id, hash)?;
        let sha256 = *hash;
        Some(BegunBlob { sha256, bytes })
    });
    let begun = begun.collect();
    Ok(axum::Json(LackingBlobs { sha256, begun }))
}

/// Send a content
///
/// The body is the content itself. It is there, durable and for everyone, once this has been
/// answered; a body that has another hash leaves nothing behind. One that was cut off may be gone on
/// with for an hour, on the same node: the rest is sent with a `Content-Range`.
#[utoipa::path(
    put, path = "/projects/{project}/blobs/{sha256}", tag = FILES, operation_id = "sendBlob",
    params(
        ("project" = String, Path, description = "The project's id"),
        ("sha256" = String, Path, description = "The content's SHA-256, in lower-case hexadecimal digits"),
        ("Content-Range" = Option<String>, Header, description = "`bytes FIRST-LAST/WHOLE` for the rest of a content whose first bytes are there"),
    ),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 201, description = "It is there."),
        (status = 409, description = "Not so many bytes of it are there.", body = Problem, content_type = "application/problem+json"),
        (status = "default", description = "What went wrong.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn put(
    State(state): State<ApiState>,
    member: Member,
    Path(path): Path<BlobPath>,
    headers: HeaderMap,
    body: Body,
) -> ApiResult<StatusCode> {
    editors_only(&member)?;
    let hash = path.sha256.parse::<BlobHash>();
    let hash = hash.map_err(|error| ApiError::bad_request(format!("Not sent: {error}.")))?;
    let most = state.rooms.limits().blob_bytes;
    let length = headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > most) {
        return Err(too_large(most));
    }
    let project = member.project.id;
    let mut upload = Upload::begin(&state, &project, hash, first_byte(&headers)?)?;
    let bytes = upload.receive(body, most).await?;
    state
        .blobs
        .finish(&project, upload.done(), hash, bytes)
        .await?;
    // Deleted meanwhile: nobody would come by to delete this as well.
    if state.access.directory().project(&project).await?.is_none() {
        state.blobs.delete_blobs(&project).await?;
        return Err(ApiError::not_found("There is no such project."));
    }
    Ok(StatusCode::CREATED)
}

/// Read a content
///
/// A single range may be asked for. A content never changes.
#[utoipa::path(
    method(get, head), path = "/projects/{project}/blobs/{sha256}", tag = FILES, operation_id = "readBlob",
    params(
        ("project" = String, Path, description = "The project's id"),
        ("sha256" = String, Path, description = "The content's SHA-256, in lower-case hexadecimal digits"),
    ),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 206, description = "The range that was asked for.", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = "default", description = "What went wrong.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn get(
    State(state): State<ApiState>,
    member: Member,
    Path(path): Path<BlobPath>,
    method: Method,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let no_such = || ApiError::not_found("There is no such content in this project.");
    let hash = path.sha256.parse().map_err(|_| no_such())?;
    let blob = state.blobs.find(&member.project.id, hash).await?;
    let blob = blob.ok_or_else(no_such)?;
    let wanted = Wanted::of(&headers, blob.bytes)?;
    let body = match method == Method::HEAD {
        true => Body::empty(),
        false => contents(state, member, blob.clone(), &wanted),
    };
    let mut answer = Response::new(body);
    *answer.status_mut() = wanted.status();
    let mut set = |name, value: String| -> ApiResult<()> {
        let value = HeaderValue::from_str(&value).map_err(ApiError::internal)?;
        answer.headers_mut().insert(name, value);
        Ok(())
    };
    set(header::CONTENT_TYPE, "application/octet-stream".to_owned())?;
    // Whatever it is, no browser is to show it as a page of this server.
    set(header::CONTENT_DISPOSITION, "attachment".to_owned())?;
    set(header::CONTENT_LENGTH, wanted.len().to_string())?;
    set(header::ACCEPT_RANGES, "bytes".to_owned())?;
    set(header::ETAG, format!("\"{hash}\""))?;
    // Only by who showed the token, but for good.
    let keep = "private, max-age=31536000, immutable";
    set(header::CACHE_CONTROL, keep.to_owned())?;
    if let Some(range) = wanted.content_range() {
        set(header::CONTENT_RANGE, range)?;
    }
    Ok(answer)
}

#[derive(Deserialize)]
pub(super) struct BlobPath {
    sha256: String,
}

pub(super) fn editors_only(member: &Member) -> ApiResult<()> {
    match member.identity.role() {
        Role::Editor => Ok(()),
        Role::Viewer => Err(ApiError::forbidden(
            "Your link is for viewing only: ask for an editor link.",
        )),
    }
}

fn too_large(most: u64) -> ApiError {
    let mib = most / (1024 * 1024);
    ApiError::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!(
            "This server takes files of up to {mib} MiB; its administrator may allow more with --max-blob-mb."
        ),
    )
}

/// The wanted bytes, a part at a time. A part that cannot be read cuts the answer off.
fn contents(state: ApiState, member: Member, blob: StoredBlob, wanted: &Wanted) -> Body {
    let parts = wanted.parts();
    let project = member.project.id;
    let read = stream::iter(parts).then(move |(place, within)| {
        let (blobs, project, blob) = (state.blobs.clone(), project.clone(), blob.clone());
        async move {
            let part = blobs.part(&project, &blob, place).await;
            let part = part.inspect_err(|error| tracing::error!("a file is cut off: {error}"))?;
            Ok::<_, crate::store::StoreError>(part.slice(within))
        }
    });
    Body::from_stream(read)
}
