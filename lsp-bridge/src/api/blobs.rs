//! Contents of files that are no texts.

use std::collections::HashSet;
use std::io::Read;
use std::time::Duration;

use tutti_protocol::blob::{BlobHash, MAX_ASKED};
use tutti_protocol::ids::ProjectId;
use tutti_protocol::rest::Blobs;
use ureq::SendBody;
use ureq::http::StatusCode;

use super::{Api, ApiError, REQUEST_TIMEOUT};

/// A line that carries less in a second, in bytes, is given up.
const SLOWEST: u64 = 32 * 1024;

/// What a server says to a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It has it, durably.
    Done,
    /// What came is another content.
    OtherContent,
}

fn patience(bytes: u64) -> Duration {
    REQUEST_TIMEOUT + Duration::from_secs(bytes / SLOWEST)
}

impl Api {
    /// Which of these contents the server lacks; any number may be asked for.
    pub fn lacking_blobs(
        &self,
        id: &ProjectId,
        hashes: &[BlobHash],
    ) -> Result<HashSet<BlobHash>, ApiError> {
        let mut lacking = HashSet::new();
        for hashes in hashes.chunks(MAX_ASKED) {
            let sha256 = hashes.to_vec();
            let asked = Some(&Blobs { sha256 });
            let answer: Blobs = self.post(&format!("api/projects/{id}/blobs"), asked)?;
            lacking.extend(answer.sha256);
        }
        Ok(lacking)
    }

    /// Sends a content of so many bytes.
    pub fn put_blob(
        &self,
        id: &ProjectId,
        hash: &BlobHash,
        bytes: u64,
        content: impl Read,
    ) -> Result<Put, ApiError> {
        let request = self
            .agent
            .put(self.url(&format!("api/projects/{id}/blobs/{hash}")))
            .header("Authorization", self.bearer())
            .header("Content-Type", "application/octet-stream")
            .header("Content-Length", bytes.to_string())
            .config()
            .timeout_global(Some(patience(bytes)))
            .build();
        // One that grows meanwhile is cut, one that shrinks ends too early: neither has the hash.
        let mut content = content.take(bytes);
        let answer = request.send(SendBody::from_reader(&mut content));
        if let Ok(answer) = &answer
            && answer.status() == StatusCode::UNPROCESSABLE_ENTITY
        {
            return Ok(Put::OtherContent);
        }
        self.succeeded(answer)?;
        Ok(Put::Done)
    }

    /// Opens a content of so many bytes, from the byte `from` on. Also tells where it begins, if
    /// the server does not give parts: 0.
    pub fn blob(
        &self,
        id: &ProjectId,
        hash: &BlobHash,
        from: u64,
        bytes: u64,
    ) -> Result<(u64, impl Read + 'static), ApiError> {
        let mut request = self
            .agent
            .get(self.url(&format!("api/projects/{id}/blobs/{hash}")))
            .header("Authorization", self.bearer());
        if from > 0 {
            request = request.header("Range", format!("bytes={from}-"));
        }
        let request = request
            .config()
            .timeout_global(Some(patience(bytes)))
            .build();
        let answer = self.succeeded(request.call())?;
        let begins = match answer.status() {
            StatusCode::PARTIAL_CONTENT => from,
            _ => 0,
        };
        Ok((begins, answer.into_body().into_reader()))
    }
}
