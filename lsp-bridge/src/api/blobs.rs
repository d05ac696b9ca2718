//! Contents of files that are no texts.

use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom};
use std::time::Duration;

use tutti_protocol::blob::{BlobHash, MAX_ASKED};
use tutti_protocol::ids::ProjectId;
use tutti_protocol::rest::{Blobs, LackingBlobs};
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
    /// Which of these contents the server lacks, and how many bytes of each it has of a sending that
    /// was cut off; any number may be asked for.
    pub fn lacking_blobs(
        &self,
        id: &ProjectId,
        hashes: &[BlobHash],
    ) -> Result<HashMap<BlobHash, u64>, ApiError> {
        let mut lacking = HashMap::new();
        for hashes in hashes.chunks(MAX_ASKED) {
            let sha256 = hashes.to_vec();
            let asked = Some(&Blobs { sha256 });
            let answer: LackingBlobs = self.post(&format!("api/projects/{id}/blobs"), asked)?;
            lacking.extend(answer.sha256.into_iter().map(|hash| (hash, 0)));
            for begun in answer.begun {
                lacking.insert(begun.sha256, begun.bytes);
            }
        }
        Ok(lacking)
    }

    /// Sends a content of so many bytes, from the byte `from` on.
    pub fn put_blob(
        &self,
        id: &ProjectId,
        hash: &BlobHash,
        bytes: u64,
        from: u64,
        mut content: impl Read + Seek,
    ) -> Result<Put, ApiError> {
        // One that has shrunk since is another.
        if from > 0 && (from >= bytes || content.seek(SeekFrom::Start(from)).is_err()) {
            return Ok(Put::OtherContent);
        }
        let mut request = self
            .agent
            .put(self.url(&format!("api/projects/{id}/blobs/{hash}")))
            .header("Authorization", self.bearer())
            .header("Content-Type", "application/octet-stream")
            .header("Content-Length", (bytes - from).to_string());
        if let Some(last) = bytes.checked_sub(1)
            && from > 0
        {
            request = request.header("Content-Range", format!("bytes {from}-{last}/{bytes}"));
        }
        let request = request
            .config()
            .timeout_global(Some(patience(bytes)))
            .build();
        // One that grows meanwhile is cut, one that shrinks ends too early: neither has the hash.
        let mut rest = content.by_ref().take(bytes - from);
        let answer = request.send(SendBody::from_reader(&mut rest));
        if let Ok(answer) = &answer
            && answer.status() == StatusCode::CONFLICT
            && from > 0
            && content.rewind().is_ok()
        {
            // The server has less of it by now.
            return self.put_blob(id, hash, bytes, 0, content);
        }
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
