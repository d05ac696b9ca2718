//! How late the machine is: a thread that wants to do something now and then, and notes how long it had to wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How often it looks.
const STEP: Duration = Duration::from_millis(10);

/// The handle to it; it ends with the handle.
pub(crate) struct Clock {
    latest_us: Arc<AtomicU64>,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let latest_us = Arc::new(AtomicU64::new(0));
        let shared = Arc::downgrade(&latest_us);
        thread::spawn(move || {
            loop {
                let before = Instant::now();
                thread::sleep(STEP);
                let Some(latest_us) = shared.upgrade() else {
                    return;
                };
                let late = before.elapsed().saturating_sub(STEP);
                latest_us.fetch_max(late.as_micros() as u64, Ordering::Relaxed);
            }
        });
        Self { latest_us }
    }

    /// Measures from now on.
    pub(crate) fn anew(&self) {
        self.latest_us.store(0, Ordering::Relaxed);
    }

    /// The longest that it had to wait.
    pub(crate) fn latest(&self) -> Duration {
        Duration::from_micros(self.latest_us.load(Ordering::Relaxed))
    }
}
