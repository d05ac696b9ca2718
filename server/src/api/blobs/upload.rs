//! A content on its way in.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use sha2::{Digest, Sha256};
use tokio::time::{Instant, timeout};
use tutti_protocol::blob::BlobHash;
use tutti_protocol::ids::ProjectId;

use super::too_large;
use crate::api::error::{ApiError, ApiResult};
use crate::store::blobs::PART_BYTES;
use crate::store::{BlobStore, WriteId};

/// A client that sends nothing for this long has gone.
const PATIENCE: Duration = Duration::from_secs(30);
/// Nobody takes longer: much older parts that are no content are swept away.
const LONGEST: Duration = Duration::from_secs(3600);

/// Parts that are written and are no content yet. Unless [`Upload::done`] is called they are
/// deleted when it is dropped, also where the client has gone and nobody waits for the end.
pub(super) struct Upload {
    blobs: Arc<dyn BlobStore>,
    project: ProjectId,
    id: WriteId,
    is_done: bool,
}

impl Upload {
    pub(super) fn begin(blobs: Arc<dyn BlobStore>, project: ProjectId) -> Self {
        Self {
            blobs,
            project,
            id: WriteId::next(),
            is_done: false,
        }
    }

    /// Takes in a body that must have this hash; returns its length.
    pub(super) async fn receive(&self, body: Body, hash: BlobHash, most: u64) -> ApiResult<u64> {
        let begun = Instant::now();
        let mut body = body.into_data_stream();
        let mut hasher = Sha256::new();
        let mut part = BytesMut::with_capacity(PART_BYTES);
        let (mut place, mut bytes) = (0, 0);
        loop {
            let next = timeout(PATIENCE, body.next()).await;
            let next = next.map_err(|_| too_slow())?;
            let Some(received) = next else {
                break;
            };
            let mut received = received.map_err(|_| cut_off())?;
            bytes += received.len() as u64;
            if bytes > most {
                return Err(too_large(most));
            }
            if begun.elapsed() > LONGEST {
                return Err(too_slow());
            }
            hasher.update(&received);
            while !received.is_empty() {
                let fits = received.len().min(PART_BYTES - part.len());
                part.extend_from_slice(&received.split_to(fits));
                if part.len() == PART_BYTES {
                    self.put(&mut place, part.split().freeze()).await?;
                    part.reserve(PART_BYTES);
                }
            }
        }
        if !part.is_empty() {
            self.put(&mut place, part.freeze()).await?;
        }
        match hasher.finalize()[..] == hash.0 {
            true => Ok(bytes),
            false => Err(ApiError::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "What was sent does not have the hash that it was sent under: read the file again.",
            )),
        }
    }

    async fn put(&self, place: &mut u32, part: Bytes) -> ApiResult<()> {
        let put = self.blobs.put_part(&self.project, self.id, *place, part);
        put.await?;
        *place += 1;
        Ok(())
    }

    /// Its parts are to be a content from now on.
    pub(super) fn done(mut self) -> WriteId {
        self.is_done = true;
        self.id
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        let (blobs, project, id) = (self.blobs.clone(), self.project.clone(), self.id);
        tokio::spawn(async move {
            if let Err(error) = blobs.discard(&project, id).await {
                tracing::debug!(%error, "what is left of an upload is swept away later");
            }
        });
    }
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
