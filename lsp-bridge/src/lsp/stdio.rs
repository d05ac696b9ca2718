//! Standard input on a thread of its own.
//!
//! tokio's own handle reads on a thread that the runtime waits for when it ends: an editor that
//! says `exit` and keeps its pipe open would keep the process.

use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::mpsc;

/// How much is read at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// How many chunks may wait; beyond it the editor does.
const CHUNKS: usize = 16;

/// What a thread reads from a blocking input.
pub(crate) struct Threaded {
    chunks: mpsc::Receiver<io::Result<Vec<u8>>>,
    chunk: Vec<u8>,
    taken: usize,
}

impl Threaded {
    /// Starts to read.
    pub(crate) fn read(mut input: impl Read + Send + 'static) -> Self {
        let (sender, chunks) = mpsc::channel(CHUNKS);
        std::thread::spawn(move || {
            let mut buffer = vec![0; CHUNK_BYTES];
            loop {
                let read = match input.read(&mut buffer) {
                    Ok(0) => return,
                    Ok(length) => Ok(buffer[..length].to_vec()),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                };
                let failed = read.is_err();
                if sender.blocking_send(read).is_err() || failed {
                    return;
                }
            }
        });
        Self {
            chunks,
            chunk: Vec::new(),
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
        while self.taken == self.chunk.len() {
            match ready!(self.chunks.poll_recv(context)) {
                Some(Ok(chunk)) => (self.chunk, self.taken) = (chunk, 0),
                Some(Err(error)) => return Poll::Ready(Err(error)),
                None => return Poll::Ready(Ok(())),
            }
        }
        let rest = &self.chunk[self.taken..];
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
    async fn everything_arrives_and_the_end_too() {
        let bytes: Vec<u8> = (0..3 * CHUNK_BYTES + 7).map(|n| n as u8).collect();
        let mut read = Vec::new();
        let mut input = Threaded::read(io::Cursor::new(bytes.clone()));
        input.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, bytes);
    }
}
