//! Standard input on a thread of its own, a message at a time.
//!
//! tokio's own handle reads on a thread that the runtime waits for when it ends: an editor that
//! says `exit` and keeps its pipe open would keep the process.

use std::io::{self, BufReader, Read};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::mpsc;

use super::frames::Frames;

/// How much is read at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// How many messages may wait; beyond it the editor does.
const MESSAGES: usize = 16;

/// The messages that a thread reads from a blocking input.
pub(crate) struct Threaded {
    messages: mpsc::Receiver<io::Result<Vec<u8>>>,
    message: Vec<u8>,
    taken: usize,
}

impl Threaded {
    /// Starts to read.
    pub(crate) fn read(input: impl Read + Send + 'static) -> Self {
        let (sender, messages) = mpsc::channel(MESSAGES);
        std::thread::spawn(move || {
            let mut frames = Frames::new(BufReader::with_capacity(CHUNK_BYTES, input));
            while let Some(read) = frames.next().transpose() {
                if let Err(error) = &read {
                    tracing::error!(%error, "the editor's messages cannot be read any more");
                }
                let failed = read.is_err();
                if sender.blocking_send(read).is_err() || failed {
                    return;
                }
            }
        });
        Self {
            messages,
            message: Vec::new(),
            taken: 0,
        }
    }
}

impl AsyncRead for Threaded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.taken == self.message.len() {
            match ready!(self.messages.poll_recv(context)) {
                Some(Ok(message)) => (self.message, self.taken) = (message, 0),
                Some(Err(error)) => return Poll::Ready(Err(error)),
                None => return Poll::Ready(Ok(())),
            }
        }
        let rest = &self.message[self.taken..];
        let length = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..length]);
        self.taken += length;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn every_message_arrives_and_the_end_too() {
        let message = |n: usize| {
            let body = format!(r#"{{"jsonrpc":"2.0","params":["{}"]}}"#, "x".repeat(n));
            format!("Content-Length: {}\r\n\r\n{body}", body.len())
        };
        let written: String = [0, CHUNK_BYTES, 1, 3 * CHUNK_BYTES + 7]
            .map(message)
            .concat();
        let mut read = String::new();
        let mut input = Threaded::read(io::Cursor::new(written.clone()));
        input.read_to_string(&mut read).await.unwrap();
        assert_eq!(read, written);
    }
}
