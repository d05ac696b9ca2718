//! Files that were deleted here a moment ago, by what they held.
//!
//! A file that moved is missed where it was, and found where it is. On a busy machine the one may be heard of
//! long before the other: then it counts as deleted first. What is found with the same content soon after is
//! the same file all the same, with its history and what others write into it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tutti_protocol::path::ProjectPath;

use super::Mirror;
use super::state::{Hash, Record};

/// Later on, a file of the same content is another one.
const LATELY: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(super) struct Lately {
    by_content: HashMap<Hash, (ProjectPath, Instant)>,
    last: Option<Instant>,
}

impl Lately {
    /// The file of this record was deleted.
    pub(super) fn deleted(&mut self, record: &Record) {
        let now = Instant::now();
        if self.last.is_none_or(|last| last + LATELY < now) {
            self.by_content.clear();
        }
        self.last = Some(now);
        if let Some(base) = &record.base {
            let (hash, path) = (base.file.hash, base.file.path.clone());
            self.by_content.insert(hash, (path, now));
        }
    }
}

impl Mirror {
    /// Where a file stood that held the same, and was deleted a moment ago. Empty files are all alike.
    pub(super) fn deleted_with(&mut self, content: &Hash, is_empty: bool) -> Option<ProjectPath> {
        let (path, at) = self.lately.by_content.remove(content)?;
        (!is_empty && at.elapsed() < LATELY).then_some(path)
    }
}
