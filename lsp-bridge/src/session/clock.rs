//! The session's time: milliseconds since it began, as the engine counts them.

use tokio::time::Instant;
use tutti_engine::Millis;

/// Counts from the moment at which it was made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock(Instant);

impl Clock {
    pub(super) fn new() -> Self {
        Self(Instant::now())
    }

    pub(super) fn now(self) -> Millis {
        Millis(self.0.elapsed().as_millis() as u64)
    }

    /// This many milliseconds from now.
    pub(super) fn after(self, ms: u64) -> Millis {
        Millis(self.now().0 + ms)
    }

    /// Pends until `due`; for ever without one.
    pub(super) async fn sleep_until(self, due: Option<Millis>) {
        match due {
            Some(due) => {
                tokio::time::sleep_until(self.0 + std::time::Duration::from_millis(due.0)).await;
            }
            None => std::future::pending().await,
        }
    }
}
