//! How rooms end: one project's, or all of them with the server.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::sync::oneshot;
use tutti_protocol::close;

use super::Registry;
use crate::room::{Closing, Command, RoomHandle};
use crate::rooms::NotSaved;

/// Between two looks at whether the store fails.
const LOOK: Duration = Duration::from_millis(100);

impl Registry {
    /// Saves everything and ends; see [`crate::rooms::Rooms::shutdown`].
    pub(in crate::rooms) async fn shutdown(&self) -> Result<(), NotSaved> {
        let handles = {
            let mut slots = self.slots();
            slots.closed = true;
            slots.open_handles()
        };
        let timeout = self.limits.shutdown_timeout;
        let deadline = Instant::now() + 2 * timeout;
        // First what there is, so that its acknowledgements still reach the clients.
        let flushes = handles.iter().map(|handle| async {
            let (answer, flushed) = oneshot::channel();
            if handle.send(Command::Flush(answer)).await.is_ok() {
                let _ = flushed.await;
            }
        });
        let flushed = tokio::select! {
            _ = join_all(flushes) => true,
            () = tokio::time::sleep(timeout) => false,
            () = self.keeps_failing(timeout / 2) => false,
        };
        if tokio::time::timeout(timeout, self.sockets.close())
            .await
            .is_err()
        {
            tracing::warn!(sockets = self.sockets.count(), "sockets do not close");
        }
        // Then what came in meanwhile; a store that did not take the rest has one more chance.
        let closing = Closing::new(close::RESTART, "the server is restarting");
        let left = deadline.saturating_duration_since(Instant::now());
        let last = match flushed {
            true => left.clamp(timeout / 10, timeout),
            false => timeout / 10,
        };
        let ended = tokio::time::timeout(last, end(&handles, &closing, false)).await;
        self.fanout.leave().await;
        ended.map_err(|_| NotSaved {
            why: self.health().not_saving.unwrap_or_else(too_slow),
        })
    }

    /// Waits until the store has had this long, and fails. What it does not take was acknowledged
    /// to nobody, and is still with those who wrote it.
    async fn keeps_failing(&self, patience: Duration) {
        tokio::time::sleep(patience).await;
        while self.health().not_saving.is_none() {
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn too_slow() -> String {
    "the store is too slow".to_owned()
}

/// Ends rooms and waits until they have gone.
pub(super) async fn end(handles: &[RoomHandle], closing: &Closing, delete: bool) {
    join_all(handles.iter().map(|handle| async {
        let command = Command::End {
            closing: closing.clone(),
            delete,
        };
        if handle.send(command).await.is_ok() {
            handle.ended().await;
        }
    }))
    .await;
}
