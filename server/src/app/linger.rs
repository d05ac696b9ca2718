//! A connection that ends so that the peer learns why.
//!
//! A socket that is closed while something in it is unread is reset, and a reset overtakes the last
//! bytes that were sent: the peer of a message that was too long would see a broken connection
//! instead of the close frame that names the limit (RFC 9112, section 9.6). So what the peer still
//! sends is read away for a moment before the socket goes.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

/// How long a peer may take to read the last word and to hang up.
const PATIENCE: Duration = Duration::from_secs(2);
/// A peer that sends more than this meanwhile does not listen.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// A connection that is hung up with care when it is dropped.
pub(super) struct Linger {
    /// `None` only while it is dropped.
    stream: Option<TcpStream>,
    /// The peer has hung up, or the connection broke: nobody is there to be told anything.
    is_over: bool,
}

impl Linger {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream: Some(stream),
            is_over: false,
        }
    }

    /// Polls the stream, and notes whether it broke.
    fn with<T>(
        &mut self,
        poll: impl FnOnce(Pin<&mut TcpStream>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let Some(stream) = &mut self.stream else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        let result = ready!(poll(Pin::new(stream)));
        self.is_over |= result.is_err();
        Poll::Ready(result)
    }
}

impl AsyncRead for Linger {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (before, room) = (buf.filled().len(), buf.remaining());
        ready!(self.with(|stream| stream.poll_read(cx, buf)))?;
        self.is_over |= room > 0 && buf.filled().len() == before;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Linger {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.with(|stream| stream.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.with(|stream| stream.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream
            .as_ref()
            .is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_shutdown(cx))
    }
}

impl Drop for Linger {
    fn drop(&mut self) {
        let Some(stream) = self.stream.take().filter(|_| !self.is_over) else {
            return;
        };
        // Without a runtime the process ends, and its sockets with it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(hang_up(stream));
        }
    }
}

/// Says that nothing more comes, and reads until the peer says the same.
async fn hang_up(mut stream: TcpStream) {
    let parting = async {
        stream.shutdown().await?;
        let mut rest = stream.take(MOST_BYTES);
        tokio::io::copy(&mut rest, &mut tokio::io::sink()).await
    };
    match tokio::time::timeout(PATIENCE, parting).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a connection broke while it was hung up"),
        Err(_) => tracing::debug!("a peer did not hang up"),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// More than the system's buffers of a connection hold.
    const MUCH: usize = 16 * 1024 * 1024;

    #[tokio::test]
    async fn a_peer_in_the_middle_of_a_long_message_reads_the_last_word() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let server = async {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = Linger::new(stream);
            let mut first = [0; 1024];
            stream.read_exact(&mut first).await.unwrap();
            stream.write_all(b"too long").await.unwrap();
        };
        let peer = async {
            let mut stream = TcpStream::connect(addr).await.unwrap();
            stream.write_all(&vec![0; MUCH]).await.unwrap();
            let mut last = Vec::new();
            stream.read_to_end(&mut last).await.unwrap();
            assert_eq!(last, b"too long");
        };
        tokio::join!(server, peer);
    }
}
