//! How long the stored log of a room's document has become, and when it is compacted.

use super::actor::Room;
use crate::store::StoredDocument;
use crate::store::compaction::Compacted;

/// A room that is unloaded with a longer log than this is compacted, so that it loads fast.
const LONG_LOG: usize = 32;

/// How much there is to compact.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LogSize {
    pub(super) entries: usize,
    pub(super) bytes: usize,
    pub(super) snapshot_bytes: usize,
    /// Entries that the last compaction could not merge, and so no reason for another one.
    pub(super) stuck: usize,
}

impl LogSize {
    pub(super) fn of(stored: &StoredDocument) -> Self {
        Self {
            entries: stored.log.len(),
            bytes: stored.log.iter().map(|entry| entry.update.len()).sum(),
            snapshot_bytes: stored.snapshot.as_ref().map_or(0, bytes::Bytes::len),
            stuck: 0,
        }
    }

    fn fresh(&self) -> usize {
        self.entries.saturating_sub(self.stuck)
    }
}

impl Room {
    pub(super) fn compact_when_due(&mut self) {
        let limits = &self.registry.limits;
        let fresh = self.log.fresh();
        let due = fresh >= limits.compact_entries
            || (self.log.bytes >= limits.compact_bytes
                && self.log.bytes > self.log.snapshot_bytes
                && fresh > 1);
        if due && self.compacting.is_none() {
            self.compact();
        }
    }

    pub(super) fn compact(&mut self) {
        let (registry, name) = (self.registry.clone(), self.name.clone());
        let compacted = self.compacted.clone();
        self.compacting = Some(tokio::spawn(async move {
            let result = registry.compact(&name).await;
            // The room may have been unloaded meanwhile.
            let _ = compacted.send(result).await;
        }));
    }

    pub(super) fn on_compacted(&mut self, compacted: Option<Compacted>) {
        self.compacting = None;
        match compacted {
            Some(compacted) => {
                let after = self.log.entries.saturating_sub(compacted.merged_entries);
                self.log = LogSize {
                    entries: after,
                    bytes: 0,
                    snapshot_bytes: compacted.snapshot_bytes,
                    stuck: compacted.kept_entries,
                };
            }
            // Another node did it, or it failed: wait for as much again.
            None => {
                self.log.stuck = self.log.entries;
                self.log.bytes = 0;
            }
        }
    }

    /// Compaction needs the store only, so a room that goes need not wait for it.
    pub(super) fn compact_before_going(&mut self) {
        if self.log.fresh() > LONG_LOG && self.compacting.is_none() {
            self.compact();
        }
    }
}
