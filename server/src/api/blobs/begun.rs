//! Uploads that were cut off, to be gone on with on this node.
//!
//! A client learns how far one has come when it asks what is lacking, and sends the rest with a
//! `Content-Range` (RFC 9110, section 14.5). Another node, or this one after a restart, knows
//! nothing of it: then all is sent anew.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sha2::Sha256;
use tokio::time::Instant;
use tutti_protocol::blob::BlobHash;
use tutti_protocol::ids::ProjectId;

use crate::store::WriteId;
use crate::store::blobs::PART_BYTES;

/// Nobody takes longer for an upload: much older parts that are no content are swept away.
pub(super) const LONGEST: Duration = Duration::from_secs(3600);
/// So many are kept; the one that was begun first gives way.
const MOST: usize = 256;

/// What has come of an upload: whole parts.
pub(super) struct Received {
    pub(super) id: WriteId,
    pub(super) parts: u32,
    /// Of these parts.
    pub(super) hasher: Sha256,
    pub(super) begun: Instant,
}

impl Received {
    pub(super) fn nothing() -> Self {
        Self {
            id: WriteId::next(),
            parts: 0,
            hasher: Sha256::default(),
            begun: Instant::now(),
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        u64::from(self.parts) * PART_BYTES as u64
    }
}

type Key = (ProjectId, BlobHash);

/// The uploads that were cut off.
#[derive(Clone, Default)]
pub struct BegunUploads {
    all: Arc<Mutex<HashMap<Key, Received>>>,
}

impl BegunUploads {
    /// How many bytes of a content are there.
    pub(super) fn bytes(&self, project: &ProjectId, hash: &BlobHash) -> Option<u64> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = all.get(&(project.clone(), *hash))?;
        (begun.begun.elapsed() < LONGEST).then(|| begun.bytes())
    }

    /// Takes one up again.
    pub(super) fn take(&self, project: &ProjectId, hash: &BlobHash) -> Option<Received> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&(project.clone(), *hash))
    }

    /// Puts one by; returns those that nobody will go on with.
    pub(super) fn put_by(
        &self,
        project: &ProjectId,
        hash: &BlobHash,
        received: Received,
    ) -> Vec<(ProjectId, WriteId)> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (project.clone(), *hash);
        let earlier = all.insert(key, received);
        let mut gone: Vec<_> = earlier
            .map(|one| (project.clone(), one.id))
            .into_iter()
            .collect();
        all.retain(|(project, _), one| {
            let stays = one.begun.elapsed() < LONGEST;
            if !stays {
                gone.push((project.clone(), one.id));
            }
            stays
        });
        while all.len() > MOST
            && let Some(first) = all.iter().min_by_key(|(_, one)| one.begun)
        {
            let key = first.0.clone();
            gone.extend(all.remove(&key).map(|one| (key.0, one.id)));
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_give_way_and_one_that_is_begun_anew_replaces_itself() {
        let begun = BegunUploads::default();
        let project: ProjectId = "p".parse().unwrap();
        let hash = |of: usize| BlobHash([of as u8; 32]);
        let mut ids = Vec::new();
        for of in 0..MOST {
            let received = Received {
                parts: of as u32,
                ..Received::nothing()
            };
            ids.push(received.id);
            assert_eq!(begun.put_by(&project, &hash(of), received), []);
        }
        assert_eq!(begun.bytes(&project, &hash(2)), Some(2 * PART_BYTES as u64));
        let gone = begun.put_by(&project, &hash(2), Received::nothing());
        assert_eq!(gone, [(project.clone(), ids[2])]);
        let other: ProjectId = "q".parse().unwrap();
        assert_eq!(begun.bytes(&other, &hash(0)), None);
        let gone = begun.put_by(&other, &hash(0), Received::nothing());
        assert_eq!(gone, [(project.clone(), ids[0])]);
        assert!(begun.take(&project, &hash(1)).is_some());
        assert!(begun.take(&project, &hash(1)).is_none());
    }
}
