//! How rooms end: one project's, or all of them with the server.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::oneshot;
use tutti_protocol::close;

use super::Registry;
use crate::room::{Closing, Command, RoomHandle};
use crate::rooms::RoomError;
use crate::store::StoreError;

/// Between two looks at whether the store fails.
const LOOK: Duration = Duration::from_millis(100);

impl Registry {
    /// Saves everything and ends; see [`crate::rooms::Rooms::shutdown`].
    pub(in crate::rooms) async fn shutdown(&self) -> Result<(), RoomError> {
        let handles = {
            let mut slots = self.slots();
            slots.closed = true;
            slots.open_handles()
        };
        let timeout = self.limits.shutdown_timeout;
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
        let last = match flushed {
            true => timeout,
            false => timeout / 10,
        };
        let ended = tokio::time::timeout(last, end(&handles, &closing, false)).await;
        self.fanout.leave().await;
        if ended.is_err() {
            let why = self.health().not_saving;
            return Err(RoomError::Store(StoreError::Unavailable(
                why.unwrap_or_else(|| "it did not save everything in time".to_owned()),
            )));
        }
        Ok(())
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
