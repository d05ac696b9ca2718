//! What both endpoints do with their socket: one task writes, the other reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};
use tutti_protocol::close;

use super::frames::Unread;
use super::pace::Pace;
use super::upgrade::WebSocket;
use crate::limits::Limits;
use crate::room::{Closing, Framing, Outbox, SocketQueue, Take, Wake};

/// Frames taken from one outbox before the next one has its turn.
const FRAMES_AT_ONCE: usize = 16;

/// The largest frame that goes out.
const FRAGMENT_BYTES: usize = 64 * 1024;

/// How long the last message, and the peer's answer to a close, may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// The longest reason that fits a close frame (RFC 6455, section 5.5).
const REASON_BYTES: usize = 123;

/// The Hocuspocus ping: a frame of one byte, without an address.
const HOCUSPOCUS_PING: &[u8] = &[9];

/// What the two tasks of a socket share.
pub(super) struct Shared {
    pub(super) queue: Arc<SocketQueue>,
    /// Set once the peer is known to answer Hocuspocus pings.
    pub(super) understands_ping: AtomicBool,
    started: Instant,
    /// When the peer was last heard, in milliseconds after `started`.
    heard_ms: AtomicU64,
}

impl Shared {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            queue: Arc::default(),
            understands_ping: AtomicBool::new(false),
            started: Instant::now(),
            heard_ms: AtomicU64::new(0),
        })
    }

    fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    fn heard(&self) {
        self.heard_ms.store(self.now_ms(), Ordering::Relaxed);
    }

    fn silent_ms(&self) -> u64 {
        let heard = self.heard_ms.load(Ordering::Relaxed);
        self.now_ms().saturating_sub(heard)
    }

    fn was_heard_since(&self, ms: u64) -> bool {
        self.heard_ms.load(Ordering::Relaxed) >= ms
    }
}

/// Writes what the socket's outboxes hold, until the socket is to close.
pub(super) struct Writer {
    sink: SplitSink<WebSocket, Message>,
    shared: Arc<Shared>,
    limits: Limits,
    last_message: Instant,
    last_ping: Instant,
    /// Since when, in the shared milliseconds, and until when a sign of life is waited for.
    probe: Option<(u64, Instant)>,
    /// Whose framing a sign of life is put in.
    last_outbox: Option<Arc<Outbox>>,
}

/// The socket does not take anything any more.
struct Dead;

impl Writer {
    pub(super) fn new(
        sink: SplitSink<WebSocket, Message>,
        shared: Arc<Shared>,
        limits: Limits,
    ) -> Self {
        let now = Instant::now();
        Self {
            sink,
            shared,
            limits,
            last_message: now,
            last_ping: now,
            probe: None,
            last_outbox: None,
        }
    }

    pub(super) async fn run(mut self) {
        if self.write().await.is_err() {
            let gone = Closing::new(close::TRY_LATER, "the connection takes nothing any more");
            self.shared.queue.close(gone);
        }
    }

    async fn write(&mut self) -> Result<(), Dead> {
        let queue = self.shared.queue.clone();
        let step = self.step();
        let mut next_look = Instant::now() + step;
        loop {
            if Instant::now() >= next_look {
                self.look_after_peer().await?;
                next_look = Instant::now() + step;
            }
            let wake = match queue.try_next() {
                Some(wake) => wake,
                None => {
                    self.flush().await?;
                    match tokio::time::timeout_at(next_look.into(), queue.next()).await {
                        Ok(wake) => wake,
                        Err(_) => continue,
                    }
                }
            };
            match wake {
                Wake::Close(closing) => return self.close(closing).await,
                Wake::Outbox(outbox) => self.serve(outbox).await?,
                // Another claim does not put off the end of a probe that is under way.
                Wake::Probe if self.probe.is_some() => {}
                Wake::Probe => {
                    let until = Instant::now() + self.limits.probe_timeout;
                    self.probe = Some((self.shared.now_ms(), until));
                    next_look = next_look.min(until);
                    self.ping().await?;
                }
            }
        }
    }

    async fn serve(&mut self, outbox: Arc<Outbox>) -> Result<(), Dead> {
        for _ in 0..FRAMES_AT_ONCE {
            match outbox.take() {
                Take::Frame(frame) => self.message(frame).await?,
                Take::Behind => outbox.request().await,
                Take::Empty => {
                    self.last_outbox = Some(outbox);
                    return Ok(());
                }
                Take::Closed(closing) => return self.left(&outbox, closing).await,
            }
        }
        self.shared.queue.again(outbox);
        Ok(())
    }

    /// A member is out of its room: on a y-websocket this ends the socket; on a Hocuspocus one
    /// only the room, unless the client would not come back to it by itself and should.
    async fn left(&mut self, outbox: &Outbox, closing: Closing) -> Result<(), Dead> {
        let framing = outbox.framing();
        let refused = matches!(
            closing.code,
            close::UNAUTHORIZED | close::FORBIDDEN | close::NOT_FOUND | close::DAMAGED
        );
        if refused {
            self.message(framing.permission_denied(&closing.reason))
                .await?;
        }
        let room_only = !matches!(
            closing.code,
            close::BAD_FRAME | close::RESTART | close::TRY_LATER | close::TOO_BIG
        );
        match framing.closed(&closing.reason) {
            Some(frame) if room_only => self.message(frame).await,
            _ => {
                self.shared.queue.close(closing);
                Ok(())
            }
        }
    }

    async fn look_after_peer(&mut self) -> Result<(), Dead> {
        let now = Instant::now();
        if let Some((since, until)) = self.probe
            && now >= until
        {
            self.probe = None;
            if !self.shared.was_heard_since(since) {
                tracing::debug!("a probed peer does not answer");
                return Err(Dead);
            }
        }
        if u128::from(self.shared.silent_ms()) > self.limits.pong_timeout.as_millis() {
            tracing::debug!("a peer does not answer pings");
            return Err(Dead);
        }
        if now.duration_since(self.last_ping) >= self.limits.pong_timeout / 3 {
            self.ping().await?;
        }
        if now.duration_since(self.last_message) >= self.limits.keep_alive {
            self.keep_alive().await?;
        }
        Ok(())
    }

    fn step(&self) -> Duration {
        let least = Duration::from_millis(10);
        (self.limits.pong_timeout / 6)
            .min(self.limits.keep_alive / 4)
            .max(least)
    }

    async fn ping(&mut self) -> Result<(), Dead> {
        self.last_ping = Instant::now();
        self.send(Message::Ping(Bytes::new())).await?;
        self.flush().await
    }

    /// Stock clients drop a connection on which no message comes for 30 s; a WebSocket ping is
    /// none to them.
    async fn keep_alive(&mut self) -> Result<(), Dead> {
        let frame = if self.shared.understands_ping.load(Ordering::Relaxed) {
            Some(Bytes::from_static(HOCUSPOCUS_PING))
        } else {
            let outbox = self.last_outbox.as_ref();
            outbox
                .filter(|outbox| !outbox.is_closed())
                .map(|outbox| outbox.framing().keep_alive())
        };
        match frame {
            Some(frame) => self.message(frame).await,
            None => Ok(()),
        }
    }

    /// A large message goes out in fragments (RFC 6455, section 5.4): what the library makes room for
    /// in one piece it keeps as long as the connection lives.
    async fn message(&mut self, mut message: Bytes) -> Result<(), Dead> {
        self.last_message = Instant::now();
        if message.len() <= FRAGMENT_BYTES {
            return self.send(Message::Binary(message)).await;
        }
        let mut opcode = OpCode::Data(Data::Binary);
        while !message.is_empty() {
            let part = message.split_to(FRAGMENT_BYTES.min(message.len()));
            let part = Frame::message(part, opcode, message.is_empty());
            self.send(Message::Frame(part)).await?;
            opcode = OpCode::Data(Data::Continue);
        }
        Ok(())
    }

    async fn send(&mut self, message: Message) -> Result<(), Dead> {
        let too_late = too_late(self.shared.clone(), self.limits.write_timeout);
        tokio::select! {
            fed = self.sink.feed(message) => fed.map_err(|error| broken(&error)),
            () = too_late => Err(too_slow()),
        }
    }

    async fn flush(&mut self) -> Result<(), Dead> {
        let too_late = too_late(self.shared.clone(), self.limits.write_timeout);
        tokio::select! {
            flushed = self.sink.flush() => flushed.map_err(|error| broken(&error)),
            () = too_late => Err(too_slow()),
        }
    }

    async fn close(&mut self, closing: Closing) -> Result<(), Dead> {
        let code = closing.code.to_string();
        metrics::counter!("tutti_sockets_closed_total", "code" => code).increment(1);
        let frame = CloseFrame {
            code: closing.code.into(),
            reason: shorten(&closing.reason).into(),
        };
        let send = self.sink.send(Message::Close(Some(frame)));
        // Whatever comes of it, the socket ends.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, send).await;
        Ok(())
    }
}

/// The end of what one write may take, which comes sooner when the socket is to end.
async fn too_late(shared: Arc<Shared>, write_timeout: Duration) {
    let ended = async {
        shared.queue.closed().await;
        tokio::time::sleep(CLOSE_TIMEOUT).await;
    };
    // Either way its time is over.
    let _ = tokio::time::timeout(write_timeout, ended).await;
}

fn broken(error: &Error) -> Dead {
    tracing::debug!(%error, "a connection broke");
    Dead
}

fn too_slow() -> Dead {
    tracing::debug!("a peer reads too slowly");
    metrics::counter!("tutti_slow_members_dropped_total").increment(1);
    Dead
}

fn shorten(reason: &str) -> &str {
    let mut end = reason.len().min(REASON_BYTES);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    &reason[..end]
}

/// Reads the socket's messages, no faster than its pace.
pub(super) struct Reader {
    stream: SplitStream<WebSocket>,
    shared: Arc<Shared>,
    pace: Pace,
    /// A message that came too early, and when it may be handled.
    early: Option<(Bytes, Instant)>,
}

impl Reader {
    pub(super) fn new(
        stream: SplitStream<WebSocket>,
        shared: Arc<Shared>,
        limits: &Limits,
    ) -> Self {
        Self {
            stream,
            shared,
            pace: Pace::new(limits, Instant::now()),
            early: None,
        }
    }

    /// The next message; `None` when the socket ends. May be dropped while it waits.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        let queue = self.shared.queue.clone();
        loop {
            if let Some((_, at)) = &self.early {
                tokio::select! {
                    biased;
                    () = queue.closed() => return None,
                    () = tokio::time::sleep_until((*at).into()) => {}
                }
                return self.early.take().map(|(bytes, _)| bytes);
            }
            let received = tokio::select! {
                biased;
                () = queue.closed() => return None,
                received = self.stream.next() => received,
            };
            match received {
                Some(Ok(Message::Binary(bytes))) => {
                    self.shared.heard();
                    let now = Instant::now();
                    let wait = self.pace.take(bytes.len(), now);
                    if wait.is_zero() {
                        return Some(bytes);
                    }
                    self.early = Some((bytes, now + wait));
                }
                // A raw frame is only ever written.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {
                    self.shared.heard();
                }
                Some(Ok(Message::Text(_))) => {
                    self.end(close::BAD_FRAME, "messages must be binary");
                    return None;
                }
                Some(Ok(Message::Close(_))) | None => {
                    self.end(1000, "");
                    return None;
                }
                Some(Err(error)) => {
                    self.shared.queue.close(closing(&error));
                    return None;
                }
            }
        }
    }

    fn end(&self, code: u16, reason: &str) {
        self.shared.queue.close(Closing::new(code, reason));
    }

    /// After the close frame has been sent: reads on for a moment, because a socket that is closed
    /// with something unread is reset, and the peer might never see why.
    pub(super) async fn drain(mut self) {
        let rest = async { while let Some(Ok(_)) = self.stream.next().await {} };
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, rest).await;
    }
}

/// Why a socket ends that could not be read.
fn closing(error: &Error) -> Closing {
    let unread = match error {
        Error::Io(error) => error.get_ref().and_then(|error| error.downcast_ref()),
        _ => None,
    };
    match unread {
        Some(unread) => Unread::closing(*unread),
        None => Closing::new(close::BAD_FRAME, "the connection is broken"),
    }
}

/// A socket's outbox for what is of no room.
pub(super) fn raw_outbox(shared: &Shared, limits: &Limits) -> Arc<Outbox> {
    Outbox::new(
        crate::room::MemberId::next(),
        Framing::Yws,
        limits.outbox_bytes,
        shared.queue.clone(),
    )
}
