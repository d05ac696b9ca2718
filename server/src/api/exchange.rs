//! Many documents in one request, for those who take a whole project in or out.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use tutti_protocol::bulk::{self, MAX_BODY_BYTES, MAX_DOCUMENTS};
use tutti_protocol::rest::Problem;
use tutti_protocol::role::Role;

use super::error::{ApiError, ApiResult};
use super::extract::Member;
use super::{ApiState, FILES};
use crate::rooms::{Have, RoomError};
use crate::update::read_state_vector;

/// Little, and quick: what is sent is text, and the other side waits for it.
const COMPRESSION_LEVEL: i32 = 1;

/// Exchange many documents
///
/// For programs that take a whole project in or out: both bodies are binary, as `docs/protocol.md`
/// has them. What the client sends is durable when the answer comes. May answer less than was
/// asked for, but at least one document; ask for the rest again.
#[utoipa::path(
    post, path = "/projects/{project}/exchange", tag = FILES, operation_id = "exchangeDocuments",
    params(("project" = String, Path, description = "The project's id")),
    request_body(content = Vec<u8>, content_type = "application/zstd"),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/zstd"),
        (status = "default", description = "What went wrong.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn exchange(
    State(state): State<ApiState>,
    member: Member,
    body: Bytes,
) -> ApiResult<impl IntoResponse> {
    let asked = read(&body)?;
    let writes = asked.iter().any(|(_, have)| matches!(have, Have::State(_)));
    if writes && member.identity.role() == Role::Viewer {
        return Err(ApiError::forbidden(
            "Your link is for viewing only: ask for an editor link.",
        ));
    }
    let given = state.rooms.exchange(&member.project.id, asked).await;
    let given = given.map_err(|error| match error {
        RoomError::BadUpdate(_) => ApiError::bad_request(format!("{error}.")),
        error => error.into(),
    })?;
    let mut answer = Vec::new();
    for (document, update) in &given {
        bulk::give(&mut answer, document, update);
    }
    let packed =
        tokio::task::spawn_blocking(move || zstd::bulk::compress(&answer, COMPRESSION_LEVEL));
    let packed = packed.await.map_err(ApiError::internal)?;
    let packed = packed.map_err(ApiError::internal)?;
    let headers = [
        (header::CONTENT_TYPE, bulk::CONTENT_TYPE),
        // It is compressed.
        (header::CONTENT_ENCODING, "identity"),
    ];
    Ok((headers, packed))
}

fn read(body: &[u8]) -> ApiResult<Vec<(tutti_protocol::ids::DocumentId, Have)>> {
    let body = zstd::bulk::decompress(body, MAX_BODY_BYTES).map_err(|_| {
        ApiError::bad_request("The body is no zstd frame of at most 16 MiB of content.")
    })?;
    let unreadable = |error: &dyn std::fmt::Display| {
        ApiError::bad_request(format!("The body cannot be read: {error}."))
    };
    let asked = bulk::read_question(&body).map_err(|error| unreadable(&error))?;
    if asked.is_empty() || asked.len() > MAX_DOCUMENTS {
        return Err(ApiError::bad_request(
            "Ask for 1 to 1000 documents at once.",
        ));
    }
    asked
        .into_iter()
        .map(|asked| {
            if asked.document.is_index() {
                return Err(ApiError::bad_request(
                    "The index is synced over WebSocket, as it changes all the time.",
                ));
            }
            let vector = |vector: &[u8]| match vector {
                [] => Ok(Default::default()),
                vector => read_state_vector(vector).map_err(|error| unreadable(&error)),
            };
            let have = match asked.have {
                bulk::Have::Vector(bytes) => Have::Vector(vector(bytes)?),
                bulk::Have::State(state) => Have::State(state.to_vec().into()),
                bulk::Have::Contents(bytes, fingerprint) => {
                    Have::Contents(vector(bytes)?, fingerprint)
                }
            };
            Ok((asked.document, have))
        })
        .collect()
}
