//! The clocks that everybody is told.
//!
//! A clock is the time of day in eighths of a second since 2026, or one more than the last one of
//! that client. So a server that has forgotten everything, and a node that has never heard of a
//! client, give it a clock that is newer than all before, as long as nobody's clock has run ahead
//! of the time: a [`Pace`] sees to that. Until 2043 it fits 32 bits, which is all that some Yjs
//! clients have for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What clocks count.
const EIGHTH: Duration = Duration::from_millis(125);

/// 2026-01-01T00:00:00Z.
const EPOCH: Duration = Duration::from_secs(1_767_225_600);

/// By how much what a client shows may take its clock ahead of the time: the moments after a
/// restart in which others may not see it yet.
const AHEAD: Duration = Duration::from_secs(2);

/// Now, on both clocks.
#[derive(Debug, Clone, Copy)]
pub(in crate::room) struct Moment {
    pub(super) at: Instant,
    pub(super) eighths: u64,
}

impl Moment {
    pub(in crate::room) fn now() -> Self {
        /// The machine's time may be set back; ours only stands still then.
        static LATEST: AtomicU64 = AtomicU64::new(0);
        let time = SystemTime::now().duration_since(UNIX_EPOCH);
        let time = time.unwrap_or_default().saturating_sub(EPOCH);
        let eighths = (time.as_millis() / EIGHTH.as_millis()) as u64;
        Self {
            at: Instant::now(),
            eighths: eighths.max(LATEST.fetch_max(eighths, Ordering::Relaxed)),
        }
    }
}

/// Eight a second, and some at once.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pace {
    next: Option<Instant>,
}

impl Pace {
    /// Whether one more may be now; if so, it counts.
    pub(super) fn allows(&mut self, now: Instant) -> bool {
        let next = self.next.map_or(now, |next| next.max(now));
        if next.duration_since(now) > AHEAD {
            return false;
        }
        self.next = Some(next + EIGHTH);
        true
    }

    /// When one more may be.
    pub(super) fn due(&self) -> Option<Instant> {
        self.next?.checked_sub(AHEAD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_lets_some_go_at_once_and_then_eight_a_second() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let at_once = (0..100).filter(|_| pace.allows(start)).count();
        assert_eq!(at_once, 17);
        let due = pace.due().unwrap();
        assert!(due > start && !pace.clone().allows(due - Duration::from_millis(1)));
        assert!(pace.clone().allows(due));
        let allowed = (1..=1_000)
            .filter(|n| pace.allows(start + Duration::from_millis(n * 10)))
            .count();
        assert_eq!(allowed, 80);
    }

    #[test]
    fn the_time_is_that_of_the_day_and_fits_32_bits() {
        let before = Moment::now();
        let after = Moment::now();
        assert!(after.eighths >= before.eighths);
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() - EPOCH;
        assert!(after.eighths.abs_diff(seconds.as_secs() * 8) < 80);
        assert!(u32::try_from(after.eighths).is_ok());
    }
}
