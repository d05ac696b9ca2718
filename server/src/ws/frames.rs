//! What a peer sends, in frames that are small.
//!
//! The WebSocket library makes room for a frame as soon as its header names a length, and keeps that
//! room as long as the connection lives. So a frame that is large reaches it as the fragments of a
//! message (RFC 6455, section 5.4), which it puts together in memory that goes with the message. And a
//! message that is larger than the peer may send now ends the connection before anything of it is
//! read: little as long as it was not let in.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tutti_protocol::close;

use super::newcomers::{Newcomers, Share};
use crate::room::Closing;

/// The largest frame that is handed on: a multiple of four, so that the mask of each begins alike.
const PART_BYTES: usize = 32 * 1024;

/// What is read at once while headers are looked for.
const READ_BYTES: usize = 8 * 1024;

/// FIN of a header's first byte, and its opcode, of which those from 8 on are of control frames.
const FIN: u8 = 0x80;
const OPCODE: u8 = 0x0f;
const FIRST_CONTROL: u8 = 8;
/// Of the second byte: whether there is a mask, and the length or one of two signs for a longer one.
const MASKED: u8 = 0x80;
const LENGTH: u8 = 0x7f;
const TWO_BYTES: u8 = 126;
const EIGHT_BYTES: u8 = 127;

/// Why what a peer sends is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum Unread {
    #[error("a message may have {} KiB at most", .0 / 1024)]
    TooLong(usize),
    #[error("more than {} KiB sent before being let in", .0 / 1024)]
    TooLongForNow(usize),
    #[error("too many wait to be let in: try again in a moment")]
    TooMuch,
    #[error("a control frame may have 125 bytes at most")]
    Control,
}

impl Unread {
    /// How the connection ends.
    pub(super) fn closing(self) -> Closing {
        let code = match self {
            Self::TooLong(_) => close::TOO_BIG,
            Self::TooLongForNow(_) | Self::TooMuch => close::TRY_LATER,
            Self::Control => close::BAD_FRAME,
        };
        Closing::new(code, self.to_string())
    }
}

/// What a peer may send.
#[derive(Debug)]
pub(super) struct Allowance {
    /// The largest message.
    pub(super) message_bytes: usize,
    /// The largest before it is let in.
    pub(super) newcomer_bytes: usize,
    pub(super) newcomers: Arc<Newcomers>,
    is_in: AtomicBool,
}

impl Allowance {
    pub(super) fn new(
        message_bytes: usize,
        newcomer_bytes: usize,
        newcomers: Arc<Newcomers>,
    ) -> Arc<Self> {
        Arc::new(Self {
            message_bytes,
            newcomer_bytes: newcomer_bytes.min(message_bytes),
            newcomers,
            is_in: AtomicBool::new(false),
        })
    }

    /// The peer has been let in.
    pub(super) fn is_in(&self) {
        self.is_in.store(true, Ordering::Relaxed);
    }

    /// Room for a message of so many bytes, if it takes any.
    fn admit(&self, bytes: usize) -> Result<Option<Share>, Unread> {
        if bytes > self.message_bytes {
            return Err(Unread::TooLong(self.message_bytes));
        }
        let is_in = self.is_in.load(Ordering::Relaxed);
        if !is_in && bytes > self.newcomer_bytes {
            return Err(Unread::TooLongForNow(self.newcomer_bytes));
        }
        self.keep(bytes)
    }

    /// Room for so many bytes to be kept, if it takes any.
    pub(super) fn keep(&self, bytes: usize) -> Result<Option<Share>, Unread> {
        if self.is_in.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let share = self.newcomers.take(bytes).ok_or(Unread::TooMuch)?;
        Ok(Some(share))
    }
}

/// See the [module's documentation](self).
#[derive(Debug)]
pub(super) struct Frames<S> {
    inner: S,
    allowance: Arc<Allowance>,
    /// What was read of the peer's and not handed on.
    read: BytesMut,
    /// A header to hand on before anything else.
    header: BytesMut,
    body: Body,
    /// The bytes of the message that its frames have named so far, and its room.
    message: usize,
    share: Option<Share>,
    /// The peer sends no more.
    has_ended: bool,
}

/// What follows the last header.
#[derive(Debug, Default)]
struct Body {
    /// Bytes of the fragment that was handed on last.
    part: usize,
    /// Bytes of the peer's frame behind that.
    rest: usize,
    /// FIN and reserved bits of the frame, without its opcode, for its last fragment.
    end: u8,
    mask: Option<[u8; 4]>,
}

impl<S> Frames<S> {
    pub(super) fn new(inner: S, allowance: Arc<Allowance>) -> Self {
        Self {
            inner,
            allowance,
            read: BytesMut::new(),
            header: BytesMut::new(),
            body: Body::default(),
            message: 0,
            share: None,
            has_ended: false,
        }
    }

    /// Makes the next header from what was read; whether there is one.
    fn next_header(&mut self) -> Result<bool, Unread> {
        if self.body.rest > 0 {
            let (part, rest) = split(self.body.rest);
            let end = if rest == 0 { self.body.end } else { 0 };
            self.hand_on(end, part, rest);
            return Ok(true);
        }
        let Some(parsed) = Parsed::read(&self.read) else {
            return Ok(false);
        };
        self.admit(&parsed)?;
        self.read.advance(parsed.header_bytes);
        let (part, rest) = split(parsed.length as usize);
        self.body.mask = parsed.mask;
        self.body.end = parsed.first & !OPCODE;
        let first = match rest {
            0 => parsed.first,
            _ => parsed.first & !FIN,
        };
        self.hand_on(first, part, rest);
        Ok(true)
    }

    /// Whether the peer may send a frame with this header.
    fn admit(&mut self, parsed: &Parsed) -> Result<(), Unread> {
        let opcode = parsed.first & OPCODE;
        if opcode >= FIRST_CONTROL {
            let is_short = parsed.length < u64::from(TWO_BYTES);
            return if is_short {
                Ok(())
            } else {
                Err(Unread::Control)
            };
        }
        let before = if opcode == 0 { self.message } else { 0 };
        let length = usize::try_from(parsed.length).unwrap_or(usize::MAX);
        let message = before.saturating_add(length);
        // What it had is given back first: this is the same message, or another.
        self.share = None;
        self.share = self.allowance.admit(message)?;
        self.message = message;
        Ok(())
    }

    /// A fragment's header, in the shortest form.
    fn hand_on(&mut self, first: u8, part: usize, rest: usize) {
        let masked = if self.body.mask.is_some() { MASKED } else { 0 };
        if part < usize::from(TWO_BYTES) {
            self.header.extend([first, masked | part as u8]);
        } else {
            self.header.extend([first, masked | TWO_BYTES]);
            self.header.extend((part as u16).to_be_bytes());
        }
        self.header.extend(self.body.mask.into_iter().flatten());
        (self.body.part, self.body.rest) = (part, rest);
    }
}

/// The next fragment of a frame, and what is left then.
fn split(length: usize) -> (usize, usize) {
    let part = length.min(PART_BYTES);
    (part, length - part)
}

/// A frame's header (RFC 6455, section 5.2).
struct Parsed {
    first: u8,
    length: u64,
    mask: Option<[u8; 4]>,
    header_bytes: usize,
}

impl Parsed {
    /// `None` if there is not all of it yet.
    fn read(mut bytes: &[u8]) -> Option<Self> {
        let all = bytes.len();
        let (first, second) = (bytes.try_get_u8().ok()?, bytes.try_get_u8().ok()?);
        let length = match second & LENGTH {
            TWO_BYTES => bytes.try_get_u16().ok()?.into(),
            EIGHT_BYTES => bytes.try_get_u64().ok()?,
            short => short.into(),
        };
        let mask = match second & MASKED {
            0 => None,
            _ => Some(bytes.try_get_u32().ok()?.to_be_bytes()),
        };
        Some(Self {
            first,
            length,
            mask,
            header_bytes: all - bytes.len(),
        })
    }
}

/// Moves as much as fits.
fn pour(from: &mut BytesMut, most: usize, to: &mut ReadBuf<'_>) -> usize {
    let bytes = most.min(from.len()).min(to.remaining());
    to.put_slice(&from[..bytes]);
    from.advance(bytes);
    bytes
}

impl<S: AsyncRead + Unpin> Frames<S> {
    /// Reads more of the peer's; whether there was any.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut room = [0; READ_BYTES];
        let mut room = ReadBuf::new(&mut room);
        ready!(Pin::new(&mut self.inner).poll_read(cx, &mut room))?;
        self.read.extend_from_slice(room.filled());
        self.has_ended = room.filled().is_empty();
        Poll::Ready(Ok(!self.has_ended))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Frames<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = out.filled().len();
        while out.remaining() > 0 {
            if !this.header.is_empty() {
                pour(&mut this.header, usize::MAX, out);
                continue;
            }
            if this.body.part > 0 && !this.read.is_empty() {
                this.body.part -= pour(&mut this.read, this.body.part, out);
                continue;
            }
            let next = match this.body.part {
                0 => this.next_header(),
                _ => Ok(false),
            };
            // What there is goes on its way before anything else.
            let is_done = out.filled().len() > before || this.has_ended;
            match next {
                Ok(true) => continue,
                _ if is_done => break,
                Ok(false) => {}
                Err(unread) => return Poll::Ready(Err(io::Error::other(unread))),
            }
            if !ready!(this.poll_more(cx))? {
                // Half a header, of which nothing will come.
                pour(&mut this.read, usize::MAX, out);
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Frames<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{SinkExt, StreamExt};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio_tungstenite::WebSocketStream;
    use tokio_tungstenite::tungstenite::protocol::Role;
    use tokio_tungstenite::tungstenite::{Error, Message};

    const SEED: &str = "SEED";

    fn allowance(message: usize, newcomer: usize, all: usize) -> Arc<Allowance> {
        Allowance::new(message, newcomer, Newcomers::new(all))
    }

    fn frames(inner: DuplexStream, allowance: &Arc<Allowance>) -> Frames<DuplexStream> {
        Frames::new(inner, allowance.clone())
    }

    /// A header as a client sends it, of a message in one frame or the first of some.
    fn header(first: u8, length: usize) -> Vec<u8> {
        let mut bytes = vec![first, MASKED | EIGHT_BYTES];
        bytes.extend((length as u64).to_be_bytes());
        bytes.extend([1, 2, 3, 4]);
        bytes
    }

    /// What becomes of a peer that sends these bytes.
    async fn refused(allowance: &Arc<Allowance>, bytes: &[u8]) -> Option<Unread> {
        let (mut peer, here) = duplex(1 << 20);
        let mut frames = frames(here, allowance);
        peer.write_all(bytes).await.unwrap();
        drop(peer);
        let error = frames.read_to_end(&mut Vec::new()).await.err()?;
        let unread = error.get_ref().and_then(|error| error.downcast_ref());
        Some(*unread.expect("it says why"))
    }

    #[tokio::test]
    async fn messages_of_all_sizes_come_whole_and_in_small_frames() {
        let seed = std::env::var(SEED).ok().and_then(|seed| seed.parse().ok());
        let seed: u64 = seed.unwrap_or_else(|| fastrand::u64(..));
        println!("{SEED}={seed}");
        let mut rng = fastrand::Rng::with_seed(seed);
        let edges = [0, 1, 125, 126, 65_535, 65_536, 3 * PART_BYTES];
        let mut sizes: Vec<usize> = edges.into();
        sizes.extend([PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 1 << 20]);
        sizes.extend((0..200).map(|_| rng.usize(0..200)));
        rng.shuffle(&mut sizes);
        let sent: Vec<Vec<u8>> = sizes
            .iter()
            .map(|size| (0..*size).map(|_| rng.u8(..)).collect())
            .collect();
        // Of any capacity, so that headers are cut anywhere.
        let (peer, here) = duplex(rng.usize(1..40_000));
        let allowance = allowance(1 << 20, 1 << 20, 1 << 20);
        let mut client = WebSocketStream::from_raw_socket(peer, Role::Client, None).await;
        let messages = sent.clone();
        let writer = tokio::spawn(async move {
            for (number, message) in messages.into_iter().enumerate() {
                if number % 7 == 0 {
                    client.send(Message::Ping("?".into())).await.unwrap();
                }
                client.send(Message::Binary(message.into())).await.unwrap();
            }
            client.close(None).await.unwrap();
            while client.next().await.is_some_and(|answer| answer.is_ok()) {}
        });
        let small = tokio_tungstenite::tungstenite::protocol::WebSocketConfig::default()
            .max_frame_size(Some(PART_BYTES));
        let here = frames(here, &allowance);
        let mut server = WebSocketStream::from_raw_socket(here, Role::Server, Some(small)).await;
        let mut received = Vec::new();
        while let Some(message) = server.next().await {
            match message.unwrap() {
                Message::Binary(bytes) => received.push(bytes.to_vec()),
                Message::Ping(_) | Message::Close(_) => {}
                other => panic!("{other:?}"),
            }
        }
        assert!(received == sent, "{SEED}={seed}");
        assert!(allowance.newcomers.take(1 << 20).is_none(), "the last one");
        drop(server);
        writer.await.unwrap();
        assert!(allowance.newcomers.take(1 << 20).is_some());
    }

    #[tokio::test]
    async fn what_is_too_long_is_refused_by_its_header() {
        let few = allowance(1_000, 100, 150);
        let binary = FIN | 2;
        for (length, why) in [
            (101, Unread::TooLongForNow(100)),
            (1_001, Unread::TooLong(1_000)),
            (usize::MAX, Unread::TooLong(1_000)),
        ] {
            assert_eq!(refused(&few, &header(binary, length)).await, Some(why));
        }
        assert_eq!(refused(&few, &header(binary, 100)).await, None);
        let ping = header(FIN | 9, 126);
        assert_eq!(refused(&few, &ping).await, Some(Unread::Control));
        few.is_in();
        assert_eq!(refused(&few, &header(binary, 1_000)).await, None);
        let too_long = Some(Unread::TooLong(1_000));
        assert_eq!(refused(&few, &header(binary, 1_001)).await, too_long);
    }

    #[tokio::test]
    async fn a_message_in_many_frames_is_as_long_as_all_of_them() {
        let few = allowance(1_000, 100, 100);
        let mut bytes = Vec::new();
        for (first, length) in [(2, 60), (FIN | 9, 5), (0, 60)] {
            bytes.extend([first, MASKED | length, 0, 0, 0, 0]);
            bytes.extend(std::iter::repeat_n(0, length.into()));
        }
        let too_long = Some(Unread::TooLongForNow(100));
        assert_eq!(refused(&few, &bytes).await, too_long);
        // One behind the other they are short enough.
        for at in [0, 66 + 11] {
            bytes[at] = FIN | 2;
        }
        assert_eq!(refused(&few, &bytes).await, None);
    }

    #[tokio::test]
    async fn newcomers_share_what_there_is() {
        let first = allowance(1_000, 100, 150);
        let other = Allowance::new(1_000, 100, first.newcomers.clone());
        let (mut peer, here) = duplex(1_000);
        let mut waits = frames(here, &first);
        peer.write_all(&header(FIN | 2, 100)).await.unwrap();
        waits.read_exact(&mut [0; 6]).await.unwrap();
        let asked = header(FIN | 2, 51);
        assert_eq!(refused(&other, &asked).await, Some(Unread::TooMuch));
        drop(waits);
        assert_eq!(refused(&other, &asked).await, None);
    }

    #[tokio::test]
    async fn half_a_header_is_handed_on_at_the_end() {
        let (mut peer, here) = duplex(100);
        let mut frames = frames(here, &allowance(10, 10, 10));
        peer.write_all(&[FIN | 2, MASKED | 3, 0]).await.unwrap();
        drop(peer);
        let mut all = Vec::new();
        frames.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, [FIN | 2, MASKED | 3, 0]);
        let server = WebSocketStream::from_raw_socket(frames, Role::Server, None).await;
        let ended: Vec<Result<Message, Error>> = server.collect().await;
        assert!(matches!(ended[..], [Err(_)]), "{ended:?}");
    }
}
