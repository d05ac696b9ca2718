//! Noticing the end of the editor's input.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::sync::CancellationToken;

/// Cancelled once the input has ended, after all that was read has been passed on.
pub(crate) type EndOfInput = CancellationToken;

/// An input that tells when it has ended. The server itself would wait for its pending answers
/// first, and those may wait for a network that the editor no longer cares about.
pub(crate) struct Watched<R> {
    input: R,
    ended: EndOfInput,
}

impl<R> Watched<R> {
    /// Watches `input`.
    pub(crate) fn new(input: R, ended: EndOfInput) -> Self {
        Self { input, ended }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Watched<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.input).poll_read(context, buffer);
        let over = match &result {
            Poll::Ready(Ok(())) => buffer.filled().len() == before,
            Poll::Ready(Err(_)) => true,
            Poll::Pending => false,
        };
        if over {
            self.ended.cancel();
        }
        result
    }
}
