//! People who type, each over a connection of its own, as stock clients do.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use tutti_protocol::index::new_doc;
use tutti_protocol::sync::SyncMessage;
use yrs::{Text, Transact};

use crate::servers::Server;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// How long after the last key the last update may arrive.
const REST: Duration = Duration::from_secs(3);

/// All of them.
pub(crate) struct Crowd {
    server: Server,
    sockets: Vec<(usize, SplitSink<Socket, Message>, SplitStream<Socket>)>,
}

/// What came of it.
pub(crate) struct Typed {
    pub(crate) sent: u64,
    /// To others than who typed it.
    pub(crate) delivered: u64,
    pub(crate) latency: Spread,
    /// From typing to the acknowledgement that it is durable.
    pub(crate) saved: Spread,
}

/// Some times, in order.
pub(crate) struct Spread {
    micros: Vec<u64>,
}

impl Spread {
    pub(crate) fn new(mut micros: Vec<u64>) -> Self {
        micros.sort_unstable();
        Self { micros }
    }

    pub(crate) fn count(&self) -> usize {
        self.micros.len()
    }

    /// The time in milliseconds that this part of them does not exceed.
    pub(crate) fn at_ms(&self, part: f64) -> f64 {
        let last = self.micros.len().saturating_sub(1);
        let index = (self.micros.len() as f64 * part) as usize;
        let index = index.min(last);
        let micros = self.micros.get(index).copied().unwrap_or_default();
        micros as f64 / 1_000.0
    }
}

impl Crowd {
    pub(crate) async fn join(
        server: Server,
        nodes: &[SocketAddr],
        rooms: usize,
        clients: usize,
    ) -> Result<Self> {
        let mut sockets = Vec::new();
        for room in 0..rooms {
            for client in 0..clients {
                let node = nodes[client % nodes.len()];
                let url = server.url(node, room);
                let (socket, _) = tokio_tungstenite::connect_async(url).await?;
                let (mut send, receive) = socket.split();
                for frame in server.hello(room) {
                    send.send(Message::Binary(frame.into())).await?;
                }
                sockets.push((room, send, receive));
            }
        }
        Ok(Self { server, sockets })
    }

    /// Types for so long. Everybody writes at the end of the same text, a character a key.
    pub(crate) async fn type_for(self, keys: u32, seconds: u64) -> Result<Typed> {
        let began = Instant::now();
        let end = began + Duration::from_secs(seconds);
        let sent = Arc::new(AtomicU64::new(0));
        let mut tasks = JoinSet::new();
        let server = self.server;
        for (n, (room, send, receive)) in self.sockets.into_iter().enumerate() {
            let client = n as u64 + 1;
            let frame = move |message: SyncMessage<'_>| server.frame(room, message);
            let typing = type_keys(send, frame, client, keys, began, end, sent.clone());
            tasks.spawn(async move {
                let listening = tokio::spawn(listen(receive, server, client, began, end + REST));
                typing.await?;
                listening.await.context("a listener failed")
            });
        }
        let (mut latencies, mut saved) = (Vec::new(), Vec::new());
        while let Some(done) = tasks.join_next().await {
            let heard = done.context("somebody failed")??;
            latencies.extend(heard.others);
            saved.extend(heard.own);
        }
        Ok(Typed {
            sent: sent.load(Ordering::Relaxed),
            delivered: latencies.len() as u64,
            latency: Spread::new(latencies),
            saved: Spread::new(saved),
        })
    }
}

/// Each key carries who typed it and when, so that whoever hears it knows how old it is.
async fn type_keys(
    mut send: SplitSink<Socket, Message>,
    frame: impl Fn(SyncMessage<'_>) -> Vec<u8>,
    client: u64,
    keys: u32,
    began: Instant,
    end: Instant,
    sent: Arc<AtomicU64>,
) -> Result<()> {
    let doc = new_doc(client);
    let content = doc.get_or_insert_text("content");
    let pause = Duration::from_secs(1) / keys;
    // Not all at the same moment.
    let first = began + pause.mul_f64(fastrand::f64());
    let mut ticks = tokio::time::interval_at(first.into(), pause);
    while Instant::now() < end {
        ticks.tick().await;
        let update = {
            let mut txn = doc.transact_mut();
            let mark = format!("{client}:{};", began.elapsed().as_micros());
            content.push(&mut txn, &mark);
            txn.encode_update_v1()
        };
        let frame = frame(SyncMessage::Update(&update));
        send.send(Message::Binary(frame.into())).await?;
        sent.fetch_add(1, Ordering::Relaxed);
    }
    // Closing would end the listening half too.
    tokio::time::sleep_until((end + REST).into()).await;
    Ok(())
}

/// Ages of what was heard, in microseconds.
#[derive(Default)]
struct Heard {
    others: Vec<u64>,
    /// Tutti sends back what has become durable.
    own: Vec<u64>,
}

async fn listen(
    mut receive: SplitStream<Socket>,
    server: Server,
    client: u64,
    began: Instant,
    end: Instant,
) -> Heard {
    let mut heard = Heard::default();
    while let Ok(Some(Ok(message))) = tokio::time::timeout_at(end.into(), receive.next()).await {
        let Message::Binary(frame) = message else {
            continue;
        };
        let Some(update) = server.update(&frame) else {
            continue;
        };
        let now = began.elapsed().as_micros() as u64;
        for (author, at) in marks(update) {
            let ages = match author == client {
                true => &mut heard.own,
                false => &mut heard.others,
            };
            ages.push(now.saturating_sub(at));
        }
    }
    heard
}

/// The marks in an update, without decoding it: `author:micros;` in plain text.
fn marks(update: &[u8]) -> Vec<(u64, u64)> {
    let mut marks = Vec::new();
    for (at, _) in update.iter().enumerate().filter(|(_, byte)| **byte == b';') {
        let digits = |end: usize| {
            let part = &update[..end];
            let start = part.iter().rposition(|byte| !byte.is_ascii_digit());
            let start = start.map_or(0, |at| at + 1);
            let text = std::str::from_utf8(&part[start..]).ok()?;
            Some((start, text.parse::<u64>().ok()?))
        };
        let Some((start, micros)) = digits(at) else {
            continue;
        };
        if start == 0 || update[start - 1] != b':' {
            continue;
        }
        if let Some((_, author)) = digits(start - 1) {
            marks.push((author, micros));
        }
    }
    marks
}
