//! Versions of a project.

use std::time::Duration;

use tutti_protocol::ids::ProjectId;
use tutti_protocol::rest::{RestoreVersion, RestoredVersion, Version};

use super::{Api, ApiError};

/// The most versions that a server tells of at once.
const PAGE: usize = 200;

/// A restore goes through the whole project.
const RESTORE_TIMEOUT: Duration = Duration::from_secs(600);

impl Api {
    /// The newest versions, the newest first, at most `most`.
    pub fn versions(&self, id: &ProjectId, most: usize) -> Result<Vec<Version>, ApiError> {
        let mut all: Vec<Version> = Vec::new();
        while all.len() < most {
            let limit = (most - all.len()).min(PAGE);
            let before = all.last().map(|last| format!("&before={}", last.version));
            let before = before.unwrap_or_default();
            let path = format!("api/projects/{id}/versions?limit={limit}{before}");
            let page: Vec<Version> = self.get(&path)?;
            let is_last = page.len() < limit;
            all.extend(page);
            if is_last {
                break;
            }
        }
        Ok(all)
    }

    /// Restores a version, or what of it is at or beneath a path.
    pub fn restore(
        &self,
        id: &ProjectId,
        version: u32,
        path: Option<String>,
    ) -> Result<RestoredVersion, ApiError> {
        let url = self.url(&format!("api/projects/{id}/versions/{version}/restore"));
        let request = self.agent.post(url).header("Authorization", self.bearer());
        let request = request.config().timeout_global(Some(RESTORE_TIMEOUT));
        self.read(request.build().send_json(&RestoreVersion { path }))
    }
}
