//! Names for writes, chosen where they are made.
//!
//! A store over a network may commit a write and lose the answer. Because the write keeps its name
//! over every try, the second try is known for the same one.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The name of one write. Those of one process are in the order in which they were made, those of
/// several in the order of their clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WriteId(u128);

/// Bits of a stamp below its milliseconds, for all that is written within one of them.
const STEPS: u32 = 16;

impl WriteId {
    /// The next name.
    pub fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let now = stamp(SystemTime::now());
        // A clock that is set back must not make a name come twice.
        let before = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
            Some(now.max(last + 1))
        });
        let last = before.unwrap_or_else(|last| last);
        Self((u128::from(now.max(last + 1)) << 64) | u128::from(process()))
    }

    /// A name that is greater than all that were made before `time`, and less than all others.
    pub(crate) fn earliest_at(time: SystemTime) -> Self {
        Self(u128::from(stamp(time)) << 64)
    }

    pub(crate) fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }
}

impl From<WriteId> for super::EntryId {
    fn from(id: WriteId) -> Self {
        Self(id.0)
    }
}

impl From<super::EntryId> for WriteId {
    fn from(id: super::EntryId) -> Self {
        Self(id.0)
    }
}

fn stamp(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    (since.as_millis() as u64) << STEPS
}

/// What tells this process's names from every other's.
fn process() -> u64 {
    static PROCESS: OnceLock<u64> = OnceLock::new();
    *PROCESS.get_or_init(|| {
        let mut bytes = [0; 8];
        if getrandom::fill(&mut bytes).is_err() {
            // The hasher's keys come from another source of the system, once a process.
            use std::hash::{BuildHasher, Hasher, RandomState};
            bytes = RandomState::new().build_hasher().finish().to_le_bytes();
        }
        u64::from_le_bytes(bytes)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use super::*;

    #[test]
    fn names_rise_and_never_come_twice() {
        let made: Vec<Vec<WriteId>> = std::thread::scope(|scope| {
            let makers: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| (0..50_000).map(|_| WriteId::next()).collect::<Vec<_>>()))
                .collect();
            makers
                .into_iter()
                .map(|maker| maker.join().unwrap())
                .collect()
        });
        let mut seen = HashSet::new();
        for names in &made {
            assert!(names.is_sorted());
            assert!(names.iter().all(|name| seen.insert(*name)), "a name twice");
        }
        let last = WriteId::next();
        assert!(made.iter().flatten().all(|name| *name < last));
    }

    #[test]
    fn a_name_tells_when_it_was_made() {
        let name = WriteId::next();
        let minute = Duration::from_secs(60);
        assert!(name < WriteId::earliest_at(SystemTime::now() + minute));
        assert!(name >= WriteId::earliest_at(SystemTime::now() - minute));
        assert_eq!(WriteId::from_bytes(name.to_bytes()), name);
    }
}
