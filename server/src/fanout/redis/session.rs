//! The task that keeps this node connected to Redis, and sends what waits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::address::RedisUrl;
use super::connection::{Connection, ConnectionError};
use super::frame::{self, Head};
use super::nodes::{BEAT, LOOK};
use super::shared::{Channel, Outgoing, Shared};
use crate::fanout::{Message, Topic};

/// Between tries to connect; the last stays as long as Redis does not come back.
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(3);

/// How long an own sign of life may be under way before the connection is given up.
///
/// With [`BEAT`] before it and a look into the store behind it, an edit is on the other nodes within
/// two seconds after Redis has fallen silent.
const ECHO_PATIENCE: Duration = Duration::from_secs(1);

/// Who finds that out later than this has stood still itself, and listens first.
const LATE: Duration = Duration::from_millis(400);

/// Messages that are sent in one go.
const AT_ONCE: usize = 512;

/// The most bytes of several messages in one frame. A larger message has a frame of its own.
const FRAME_BYTES: usize = 256 * 1024;

/// What keeps the connection.
pub(super) struct Session {
    pub(super) url: RedisUrl,
    pub(super) shared: Arc<Shared>,
    pub(super) outgoing: mpsc::Receiver<Outgoing>,
    /// Answered when the last message is out.
    pub(super) leave: mpsc::Receiver<oneshot::Sender<()>>,
}

/// How a connection came to its end.
enum End {
    Left(oneshot::Sender<()>),
    Dropped,
}

impl Session {
    /// Connects again and again, until the node leaves.
    pub(super) async fn run(mut self) {
        let server = self.shared.channel(&Topic::Server);
        let mut retry = FIRST_RETRY;
        let mut connections = 0;
        loop {
            let opened = tokio::select! {
                opened = Connection::open(&self.url, &self.shared, &server) => opened,
                left = self.leave.recv() => {
                    if let Some(left) = left {
                        let _ = left.send(());
                    }
                    return;
                }
            };
            let error = match opened {
                Ok(mut connection) => {
                    connections += 1;
                    if connections > 1 {
                        metrics::counter!("tutti_fanout_reconnects_total").increment(1);
                    }
                    tracing::info!(redis = %self.url, "connected to Redis");
                    self.shared.connected(connections, connection.subscribed());
                    let began = Instant::now();
                    match self.serve(&mut connection, &server, connections).await {
                        Ok(End::Left(left)) => {
                            let _ = left.send(());
                            return;
                        }
                        Ok(End::Dropped) => return,
                        Err(error) => {
                            if began.elapsed() > LAST_RETRY {
                                retry = FIRST_RETRY;
                            }
                            error
                        }
                    }
                }
                Err(error) => error,
            };
            let why = format!(
                "Redis at {} cannot be used: {error}; start it, or correct --redis",
                self.url
            );
            if self.shared.disconnected(&why) {
                tracing::error!("{why}; until then other nodes are followed through the store");
            }
            self.drop_what_waits();
            tokio::select! {
                // Jittered, so that the nodes of a Redis that comes back do not return as one.
                () = tokio::time::sleep(retry.mul_f64(0.5 + jitter())) => {}
                left = self.leave.recv() => {
                    if let Some(left) = left {
                        let _ = left.send(());
                    }
                    return;
                }
            }
            retry = (retry * 2).min(LAST_RETRY);
        }
    }

    async fn serve(
        &mut self,
        connection: &mut Connection,
        server: &Channel,
        number: u64,
    ) -> Result<End, ConnectionError> {
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut batch = Vec::with_capacity(AT_ONCE);
        loop {
            tokio::select! {
                biased;
                () = connection.broken() => return Err(ConnectionError::Broken),
                left = self.leave.recv() => {
                    let Some(left) = left else {
                        return Ok(End::Dropped);
                    };
                    self.shared.send(server.clone(), None, Message::Leaving);
                    while let Ok(outgoing) = self.outgoing.try_recv() {
                        batch.push(outgoing);
                    }
                    self.publish(connection, &mut batch).await?;
                    return Ok(End::Left(left));
                }
                () = echo_is_due(&self.shared) => self.miss_echo()?,
                () = self.shared.look.notified() => self.look(connection, server, number).await?,
                _ = look.tick() => self.shared.look_for_dead(),
                _ = beat.tick() => self.beat(server),
                count = self.outgoing.recv_many(&mut batch, AT_ONCE) => {
                    if count == 0 {
                        return Ok(End::Dropped);
                    }
                    self.publish(connection, &mut batch).await?;
                }
            }
        }
    }

    fn beat(&self, server: &Channel) {
        self.shared.beat();
        self.shared.send(server.clone(), None, Message::Alive);
    }

    fn miss_echo(&self) -> Result<(), ConnectionError> {
        // It may have come back meanwhile.
        let Some(since) = self.shared.waits_for_echo_since() else {
            return Ok(());
        };
        match since.elapsed().checked_sub(ECHO_PATIENCE) {
            None => Ok(()),
            Some(late) if late > LATE => {
                self.shared.beat_late();
                Ok(())
            }
            Some(_) => Err(ConnectionError::NoEcho),
        }
    }

    /// Subscribes to what has come to be followed, and unsubscribes from what is no more.
    async fn look(
        &self,
        connection: &mut Connection,
        server: &Channel,
        number: u64,
    ) -> Result<(), ConnectionError> {
        let changed = self.shared.take_changed();
        let (followed, left): (Vec<Channel>, Vec<Channel>) = changed
            .into_iter()
            .partition(|channel| channel == server || self.shared.follows(channel));
        connection.subscribe(followed.clone()).await?;
        for channel in &followed {
            self.shared.subscribed(channel, number);
        }
        connection.unsubscribe(left).await
    }

    async fn publish(
        &self,
        connection: &mut Connection,
        batch: &mut Vec<Outgoing>,
    ) -> Result<(), ConnectionError> {
        for outgoing in batch.iter() {
            self.shared.taken(outgoing);
        }
        metrics::counter!("tutti_fanout_published_total").increment(batch.len() as u64);
        let frames = frames(&self.shared, std::mem::take(batch));
        metrics::counter!("tutti_fanout_frames_total").increment(frames.len() as u64);
        connection.publish(frames).await
    }

    fn drop_what_waits(&mut self) {
        let mut count = 0;
        while let Ok(outgoing) = self.outgoing.try_recv() {
            self.shared.taken(&outgoing);
            count += 1;
        }
        metrics::counter!("tutti_fanout_dropped_total", "why" => "Redis is away").increment(count);
    }
}

/// Waits until the sign of life that is out should have come back.
async fn echo_is_due(shared: &Shared) {
    match shared.waits_for_echo_since() {
        Some(since) => tokio::time::sleep_until((since + ECHO_PATIENCE).into()).await,
        None => std::future::pending().await,
    }
}

/// Puts messages that follow each other in one topic into one frame.
fn frames(shared: &Shared, batch: Vec<Outgoing>) -> Vec<(Channel, Vec<u8>)> {
    struct Gathering {
        channel: Channel,
        head: Head,
        messages: Vec<Message>,
        bytes: usize,
    }
    let mut gathering: Vec<Gathering> = Vec::new();
    let mut latest: std::collections::HashMap<Channel, usize> = std::collections::HashMap::new();
    for outgoing in batch {
        let size = outgoing.message.len();
        let fits = latest.get(&outgoing.channel).copied().filter(|&index| {
            let last = &gathering[index];
            last.head.to == outgoing.to
                && last.head.opening == outgoing.opening
                && (outgoing.opening == 0
                    || last.head.first + last.messages.len() as u64 == outgoing.number)
                && last.bytes + size <= FRAME_BYTES
        });
        match fits {
            Some(index) => {
                gathering[index].bytes += size;
                gathering[index].messages.push(outgoing.message);
            }
            None => {
                latest.insert(outgoing.channel.clone(), gathering.len());
                gathering.push(Gathering {
                    channel: outgoing.channel,
                    head: Head {
                        node: shared.node,
                        to: outgoing.to,
                        opening: outgoing.opening,
                        first: outgoing.number,
                        count: 0,
                    },
                    messages: vec![outgoing.message],
                    bytes: size,
                });
            }
        }
    }
    gathering
        .into_iter()
        .map(|frame| (frame.channel, frame::encode(frame.head, &frame.messages)))
        .collect()
}

/// Between 0 and 1.
fn jitter() -> f64 {
    // Without randomness there is simply no jitter.
    getrandom::u32().map_or(0.5, |random| f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::fanout::NodeId;

    fn outgoing(channel: &str, opening: u64, number: u64, message: Message) -> Outgoing {
        Outgoing {
            channel: channel.into(),
            to: None,
            opening,
            number,
            message,
        }
    }

    #[test]
    fn a_burst_becomes_few_frames_and_gaps_stay_gaps() {
        let shared = Shared::new(NodeId(1), 0, mpsc::channel(1).0);
        let update = |size: usize| Message::Update(Bytes::from(vec![0; size]));
        let large = FRAME_BYTES;
        let batch = vec![
            outgoing("a", 7, 1, update(1)),
            outgoing("b", 8, 1, update(1)),
            outgoing("a", 7, 2, update(1)),
            // 3 was dropped.
            outgoing("a", 7, 4, update(1)),
            outgoing("a", 7, 5, update(large)),
            outgoing("a", 7, 6, update(1)),
        ];
        let frames = frames(&shared, batch);
        let heads: Vec<(&str, u64, u64)> = frames
            .iter()
            .map(|(channel, bytes)| {
                let (head, _) = frame::head(bytes).unwrap();
                (&**channel, head.first, head.count)
            })
            .collect();
        assert_eq!(
            heads,
            [
                ("a", 1, 2),
                ("b", 1, 1),
                ("a", 4, 1),
                ("a", 5, 1),
                ("a", 6, 1)
            ]
        );
    }
}
