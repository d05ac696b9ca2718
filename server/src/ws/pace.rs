//! How fast a socket is read.

use std::time::{Duration, Instant};

use crate::limits::Limits;

/// Two token buckets, one for bytes and one for messages. A socket that sends more than they allow
/// is read later, so that its own sending stalls; nothing of what it sent is lost.
pub(super) struct Pace {
    bytes: Bucket,
    messages: Bucket,
}

struct Bucket {
    per_second: f64,
    most: f64,
    left: f64,
    filled: Instant,
}

impl Bucket {
    fn new(per_second: u32, most: u32, now: Instant) -> Self {
        Self {
            per_second: f64::from(per_second.max(1)),
            most: f64::from(most),
            left: f64::from(most),
            filled: now,
        }
    }

    fn take(&mut self, amount: f64, now: Instant) -> Duration {
        let earned = now.duration_since(self.filled).as_secs_f64() * self.per_second;
        self.filled = now;
        self.left = (self.left + earned).min(self.most) - amount;
        Duration::from_secs_f64((-self.left).max(0.0) / self.per_second)
    }
}

impl Pace {
    pub(super) fn new(limits: &Limits, now: Instant) -> Self {
        Self {
            bytes: Bucket::new(limits.bytes_per_second, limits.burst_bytes, now),
            messages: Bucket::new(limits.messages_per_second, limits.burst_messages, now),
        }
    }

    /// How long to wait before a message of this size is handled.
    pub(super) fn take(&mut self, bytes: usize, now: Instant) -> Duration {
        let wait = self
            .bytes
            .take(bytes as f64, now)
            .max(self.messages.take(1.0, now));
        if !wait.is_zero() {
            metrics::counter!("tutti_paced_messages_total").increment(1);
        }
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_free_and_the_rest_is_paced() {
        let start = Instant::now();
        let limits = Limits {
            bytes_per_second: 100,
            burst_bytes: 1_000,
            messages_per_second: 10,
            burst_messages: 5,
            ..Limits::default()
        };
        let mut pace = Pace::new(&limits, start);
        assert_eq!(pace.take(1_000, start), Duration::ZERO);
        assert_eq!(pace.take(50, start), Duration::from_millis(500));
        let later = start + Duration::from_secs(1);
        assert_eq!(pace.take(50, later), Duration::ZERO);
        let mut pace = Pace::new(&limits, start);
        let waits: Vec<_> = (0..7).map(|_| pace.take(1, start).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 100, 200]);
    }
}
