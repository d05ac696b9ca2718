//! Frames on their way into the socket, and its end.

use std::collections::VecDeque;
use std::future::poll_fn;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::{Error, Message as Packet};

use super::connect::{Failure, Socket, plain};

/// Writes and flushes all frames. Dropped half-way, it has lost none: a frame leaves the queue
/// only into a sink that is ready for it.
pub(super) async fn write(
    sink: &mut SplitSink<Socket, Packet>,
    frames: &mut VecDeque<Packet>,
) -> Result<(), Error> {
    while !frames.is_empty() {
        poll_fn(|context| sink.poll_ready_unpin(context)).await?;
        if let Some(frame) = frames.pop_front() {
            sink.start_send_unpin(frame)?;
        }
    }
    sink.flush().await
}

/// Closes in the protocol's way; a server that does not answer is not waited for.
pub(super) async fn say_goodbye(
    mut sink: SplitSink<Socket, Packet>,
    mut stream: SplitStream<Socket>,
) {
    const PATIENCE: std::time::Duration = std::time::Duration::from_secs(1);
    let goodbye = async {
        if sink.close().await.is_ok() {
            while let Some(Ok(_)) = stream.next().await {}
        }
    };
    if tokio::time::timeout(PATIENCE, goodbye).await.is_err() {
        tracing::debug!("the server did not say goodbye");
    }
}

/// Why a connection has ended that failed.
pub(super) fn broken(error: &Error) -> Failure {
    Failure::Lost(format!("the connection broke: {}", plain(error)))
}
