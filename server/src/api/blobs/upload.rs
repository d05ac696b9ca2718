//! A content on its way in.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use sha2::Digest;
use tokio::time::timeout;
use tutti_protocol::blob::BlobHash;
use tutti_protocol::ids::ProjectId;

use super::begun::{BegunUploads, LONGEST, Received};
use super::too_large;
use crate::api::ApiState;
use crate::api::error::{ApiError, ApiResult};
use crate::store::blobs::PART_BYTES;
use crate::store::{BlobStore, WriteId};

/// A client that sends nothing for this long has gone.
const PATIENCE: Duration = Duration::from_secs(30);

/// Parts that are written and are no content yet. Unless [`Upload::done`] is called they are put by
/// when it is dropped, also where the client has gone and nobody waits for the end.
pub(super) struct Upload {
    blobs: Arc<dyn BlobStore>,
    begun: BegunUploads,
    project: ProjectId,
    hash: BlobHash,
    /// `None` once it is done.
    received: Option<Received>,
    /// What has come cannot become this content.
    is_spoilt: bool,
}

/// Which byte of a content the body begins with, by its `Content-Range`.
pub(super) fn first_byte(headers: &HeaderMap) -> ApiResult<u64> {
    let Some(range) = headers.get(header::CONTENT_RANGE) else {
        return Ok(0);
    };
    let first = range.to_str().ok().and_then(|range| {
        let (first, rest) = range.strip_prefix("bytes ")?.split_once('-')?;
        let (last, whole) = rest.split_once('/')?;
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        let is_rest = last.checked_add(1)? == whole.parse::<u64>().ok()?;
        (first <= last && is_rest).then_some(first)
    });
    first.ok_or_else(|| {
        ApiError::bad_request(
            "Content-Range must be \"bytes FIRST-LAST/WHOLE\", up to the last byte of the content.",
        )
    })
}

impl Upload {
    /// Begins with the first byte of the content, or goes on with the byte `first` of an upload that
    /// was cut off there.
    pub(super) fn begin(
        state: &ApiState,
        project: &ProjectId,
        hash: BlobHash,
        first: u64,
    ) -> ApiResult<Self> {
        let begun = state.begun_uploads.clone();
        let received = match begun.bytes(project, &hash).unwrap_or(0) {
            there if first == there => begun.take(project, &hash),
            there if first > 0 => {
                return Err(ApiError::new(
                    StatusCode::CONFLICT,
                    format!("Of this content {there} bytes are here: go on behind them."),
                ));
            }
            _ => {
                // Who begins anew does not know of it.
                let gone = begun.take(project, &hash);
                let gone = gone.map(|gone| (project.clone(), gone.id));
                discard(state.blobs.clone(), gone.into_iter().collect());
                None
            }
        };
        Ok(Self {
            blobs: state.blobs.clone(),
            begun,
            project: project.clone(),
            hash,
            received: Some(received.unwrap_or_else(Received::nothing)),
            is_spoilt: false,
        })
    }

    /// Takes in a body that must have the hash, with what came before it; returns the length of both.
    pub(super) async fn receive(&mut self, body: Body, most: u64) -> ApiResult<u64> {
        let received = self.received.get_or_insert_with(Received::nothing);
        let (project, blobs) = (&self.project, &self.blobs);
        let mut body = body.into_data_stream();
        let mut part = BytesMut::with_capacity(PART_BYTES);
        let mut bytes = received.bytes();
        loop {
            let next = timeout(PATIENCE, body.next()).await;
            let next = next.map_err(|_| too_slow())?;
            let Some(piece) = next else {
                break;
            };
            let mut piece = piece.map_err(|_| cut_off())?;
            bytes += piece.len() as u64;
            if bytes > most {
                self.is_spoilt = true;
                return Err(too_large(most));
            }
            if received.begun.elapsed() > LONGEST {
                self.is_spoilt = true;
                return Err(too_slow());
            }
            while !piece.is_empty() {
                let fits = piece.len().min(PART_BYTES - part.len());
                part.extend_from_slice(&piece.split_to(fits));
                if part.len() == PART_BYTES {
                    // Of a part that is just being written nobody knows whether it is there.
                    self.is_spoilt = true;
                    put(&**blobs, project, received, part.split().freeze()).await?;
                    self.is_spoilt = false;
                    part.reserve(PART_BYTES);
                }
            }
        }
        // From here on it is whole, or none that could be gone on with.
        self.is_spoilt = true;
        if !part.is_empty() {
            put(&**blobs, project, received, part.freeze()).await?;
        }
        match received.hasher.clone().finalize()[..] == self.hash.0 {
            true => Ok(bytes),
            false => Err(ApiError::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "What was sent does not have the hash that it was sent under: read the file again.",
            )),
        }
    }

    /// Its parts are to be a content from now on.
    pub(super) fn done(mut self) -> WriteId {
        self.received.take().map_or_else(WriteId::next, |it| it.id)
    }
}

async fn put(
    blobs: &dyn BlobStore,
    project: &ProjectId,
    received: &mut Received,
    part: Bytes,
) -> ApiResult<()> {
    let put = blobs.put_part(project, received.id, received.parts, part.clone());
    put.await?;
    received.hasher.update(&part);
    received.parts += 1;
    Ok(())
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(received) = self.received.take() else {
            return;
        };
        let gone = match self.is_spoilt || received.parts == 0 {
            true => vec![(self.project.clone(), received.id)],
            false => self.begun.put_by(&self.project, &self.hash, received),
        };
        discard(self.blobs.clone(), gone);
    }
}

/// Deletes what is left of uploads that nobody goes on with.
fn discard(blobs: Arc<dyn BlobStore>, uploads: Vec<(ProjectId, WriteId)>) {
    tokio::spawn(async move {
        for (project, id) in uploads {
            if let Err(error) = blobs.discard(&project, id).await {
                tracing::debug!(%error, "what is left of an upload is swept away later");
            }
        }
    });
}

fn cut_off() -> ApiError {
    ApiError::bad_request("The body was cut off: send it again.")
}

fn too_slow() -> ApiError {
    ApiError::new(
        StatusCode::REQUEST_TIMEOUT,
        "The body did not come in time: send it again.",
    )
}
