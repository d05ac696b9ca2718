//! A wire between a node and Redis that can be cut, that swallows messages and is slow.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::client::PATIENCE;

pub(crate) struct Proxy {
    pub(crate) port: u16,
    wire: Arc<Wire>,
    task: tokio::task::JoinHandle<()>,
}

struct Wire {
    to: u16,
    /// Of 1,000 messages, how many are swallowed.
    swallows: AtomicU32,
    swallowed: watch::Sender<usize>,
    /// The most that a message is kept back, in milliseconds.
    delay_ms: AtomicU32,
    is_cut: AtomicBool,
    cuts: watch::Sender<u64>,
    seed: u64,
}

impl Proxy {
    pub(crate) async fn start(to: u16, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let wire = Arc::new(Wire {
            to,
            swallows: AtomicU32::new(0),
            swallowed: watch::channel(0).0,
            delay_ms: AtomicU32::new(0),
            is_cut: AtomicBool::new(false),
            cuts: watch::channel(0).0,
            seed,
        });
        let serving = wire.clone();
        let task = tokio::spawn(async move {
            loop {
                let (node, _) = listener.accept().await.unwrap();
                tokio::spawn(serving.clone().carry(node));
            }
        });
        Self { port, wire, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// From now on, so many of 1,000 messages do not arrive at the node.
    pub(crate) fn swallow(&self, of_thousand: u32) {
        self.wire.swallows.store(of_thousand, Ordering::SeqCst);
    }

    /// From now on, what Redis says arrives up to this much later.
    pub(crate) fn delay(&self, most_ms: u32) {
        self.wire.delay_ms.store(most_ms, Ordering::SeqCst);
    }

    /// How many messages have not arrived.
    pub(crate) fn swallowed(&self) -> usize {
        *self.wire.swallowed.borrow()
    }

    /// Swallows all messages until one has come that was on its way or is sent by `send`.
    pub(crate) async fn swallow_what<T>(&self, send: impl Future<Output = T>) -> T {
        let mut swallowed = self.wire.swallowed.subscribe();
        self.swallow(1_000);
        let sent = send.await;
        let waited = tokio::time::timeout(PATIENCE, swallowed.changed()).await;
        waited.expect("a message comes").expect("the proxy lives");
        self.swallow(0);
        sent
    }

    /// Ends the connections; new ones come to nothing until [`Proxy::mend`].
    pub(crate) fn cut(&self) {
        self.wire.is_cut.store(true, Ordering::SeqCst);
        self.wire.cuts.send_modify(|cuts| *cuts += 1);
    }

    pub(crate) fn mend(&self) {
        self.wire.is_cut.store(false, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        self.cut();
    }
}

impl Wire {
    async fn carry(self: Arc<Self>, node: TcpStream) {
        let mut cuts = self.cuts.subscribe();
        if self.is_cut.load(Ordering::SeqCst) {
            return;
        }
        let Ok(redis) = TcpStream::connect(("127.0.0.1", self.to)).await else {
            return;
        };
        node.set_nodelay(true).unwrap();
        redis.set_nodelay(true).unwrap();
        let (mut from_node, mut to_node) = node.into_split();
        let (mut from_redis, mut to_redis) = redis.into_split();
        tokio::select! {
            _ = cuts.changed() => {}
            _ = tokio::io::copy(&mut from_node, &mut to_redis) => {}
            () = self.filter(&mut from_redis, &mut to_node) => {}
        }
    }

    async fn filter(
        &self,
        redis: &mut (impl AsyncReadExt + Unpin),
        node: &mut (impl AsyncWriteExt + Unpin),
    ) {
        let mut random = fastrand::Rng::with_seed(self.seed);
        let mut waiting = Vec::new();
        loop {
            let mut out = Vec::new();
            while let Some(end) = value_end(&waiting) {
                let value: Vec<u8> = waiting.drain(..end).collect();
                let swallows = is_message(&value)
                    && random.u32(..1_000) < self.swallows.load(Ordering::SeqCst);
                if swallows {
                    self.swallowed.send_modify(|swallowed| *swallowed += 1);
                } else {
                    out.extend(value);
                }
            }
            let most = self.delay_ms.load(Ordering::SeqCst);
            if most > 0 && !out.is_empty() {
                let delay = u64::from(random.u32(..most));
                tokio::time::sleep(Duration::from_millis(delay)).await;
            }
            if node.write_all(&out).await.is_err() {
                return;
            }
            match redis.read_buf(&mut waiting).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }
}

/// Whether a RESP3 value is a message of Pub/Sub on a room's channel. Signs of life arrive, so
/// that it is messages that are lost and not nodes.
fn is_message(value: &[u8]) -> bool {
    let is_push =
        value.starts_with(b">3\r\n$7\r\nmessage") || value.starts_with(b">3\r\n$8\r\nsmessage");
    is_push && value.windows(6).any(|part| part == b":room:")
}

/// Where the first RESP3 value ends; `None` while it is incomplete.
fn value_end(bytes: &[u8]) -> Option<usize> {
    let line = bytes.windows(2).position(|two| two == b"\r\n")? + 2;
    let number = || {
        std::str::from_utf8(&bytes[1..line - 2])
            .unwrap()
            .parse::<i64>()
            .unwrap()
    };
    let parts = match bytes[0] {
        b'$' | b'=' => {
            let end = match number() {
                -1 => line,
                length => line + length as usize + 2,
            };
            return (bytes.len() >= end).then_some(end);
        }
        b'*' | b'>' | b'~' => number(),
        b'%' => number() * 2,
        _ => return Some(line),
    };
    let mut end = line;
    for _ in 0..parts {
        end += value_end(&bytes[end..])?;
    }
    Some(end)
}
