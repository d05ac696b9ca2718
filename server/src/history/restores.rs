//! One restore of a project at a time.
//!
//! The edits of two at once are made of one and the same text, so both would write it: all of it
//! would be there twice. On one node they wait for each other. Of another node's it is only known
//! that the version before it was made; so for a while after that none is begun here. Versions that
//! people ask for wait for their turn as well.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tutti_protocol::ids::ProjectId;
use tutti_protocol::rest::VersionReason;

use crate::store::StoredVersion;

/// No restore takes longer to be written.
const WRITTEN_WITHIN: Duration = Duration::from_secs(60);

/// The turns of all projects; a small entry for each that waited here.
#[derive(Default)]
pub(super) struct Restores {
    projects: Mutex<HashMap<ProjectId, Arc<AsyncMutex<Last>>>>,
}

/// The version before the last restore that was written here, by its number.
pub(super) type Last = Option<u32>;

impl Restores {
    /// Waits until no other restore of the project goes on here, nor is a version asked for made.
    pub(super) async fn turn(&self, project: &ProjectId) -> OwnedMutexGuard<Last> {
        let turn = {
            let mut projects = self.projects.lock().unwrap_or_else(PoisonError::into_inner);
            projects.entry(project.clone()).or_default().clone()
        };
        turn.lock_owned().await
    }
}

/// Whether another node may be writing a restore: `newest` are the newest versions.
pub(super) fn goes_on_elsewhere(newest: &[StoredVersion], last: Last, now_ms: i64) -> bool {
    newest.iter().any(|version| {
        let age_ms = now_ms.abs_diff(version.made_at_ms);
        version.because == VersionReason::BeforeRestore
            && last.is_none_or(|last| version.number > last)
            && u128::from(age_ms) < WRITTEN_WITHIN.as_millis()
    })
}

#[cfg(test)]
mod tests {
    use tutti_protocol::blob::BlobHash;

    use super::*;

    fn version(number: u32, because: VersionReason) -> StoredVersion {
        StoredVersion {
            number,
            name: None,
            made_at_ms: 1_000_000,
            because,
            people: Vec::new(),
            files: 0,
            list: BlobHash([0; 32]),
        }
    }

    #[test]
    fn only_what_another_node_has_just_begun_is_waited_for() {
        use VersionReason::{BeforeRestore, Quiet};
        let newest = [version(8, Quiet), version(7, BeforeRestore)];
        assert!(goes_on_elsewhere(&newest, None, 1_059_999));
        assert!(goes_on_elsewhere(&newest, Some(6), 940_001));
        assert!(!goes_on_elsewhere(&newest, Some(7), 1_000_000));
        assert!(!goes_on_elsewhere(&newest, None, 1_060_000));
        assert!(!goes_on_elsewhere(&newest[..1], None, 1_000_000));
    }
}
