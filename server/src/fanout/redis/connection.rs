//! One connection to Redis, to a single server or to every member of a cluster.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures_util::future::try_join_all;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{
    AsyncConnectionConfig, Client, ConnectionInfo, Pipeline, PushInfo, PushKind, RedisError, Value,
};
use thiserror::Error;
use tokio::sync::Notify;

use super::address::RedisUrl;
use super::cluster::{self, Range};
use super::shared::{Channel, Shared};
use super::words::words;

/// How long Redis may take to be reached.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long it may take to answer.
const ANSWER: Duration = Duration::from_secs(1);

/// Subscriptions asked for in one go.
const AT_ONCE: usize = 512;

/// Why there is no connection, or none any more.
#[derive(Debug, Error)]
pub(super) enum ConnectionError {
    #[error("{}", words(.0))]
    Redis(#[from] RedisError),
    #[error("of its cluster, {host}:{port} is down or out of reach ({})", words(.error))]
    Member {
        host: String,
        port: u16,
        error: RedisError,
    },
    #[error("the connection broke")]
    Broken,
    #[error("what this node sends does not come back")]
    NoEcho,
    #[error("the cluster has no member for some of its slots")]
    NoMember,
}

/// Connections to all members, with what is subscribed on them.
pub(super) struct Connection {
    members: Vec<Member>,
    /// For a cluster, which member has which slots.
    ranges: Option<Vec<(Range, usize)>>,
    subscribed: HashSet<Channel>,
    signals: Arc<Signals>,
}

struct Member {
    connection: MultiplexedConnection,
}

/// What the readers of all members tell.
#[derive(Default)]
struct Signals {
    broken: Notify,
    /// Channels that are being unsubscribed from.
    leaving: Mutex<HashSet<Vec<u8>>>,
}

impl Signals {
    fn leaving(&self) -> std::sync::MutexGuard<'_, HashSet<Vec<u8>>> {
        self.leaving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn on_push(&self, push: PushInfo, shared: &Weak<Shared>) {
        let mut data = push.data.into_iter();
        match push.kind {
            PushKind::Message | PushKind::SMessage => {
                if let (Some(Value::BulkString(channel)), Some(Value::BulkString(frame))) =
                    (data.next(), data.next())
                    && let (Ok(channel), Some(shared)) =
                        (std::str::from_utf8(&channel), shared.upgrade())
                {
                    shared.receive(channel, frame);
                }
            }
            PushKind::Disconnection => self.broken.notify_one(),
            PushKind::Unsubscribe | PushKind::SUnsubscribe => {
                let asked = match data.next() {
                    Some(Value::BulkString(channel)) => self.leaving().remove(&channel),
                    _ => false,
                };
                // A cluster that moves a slot ends its subscriptions by itself. The library
                // takes that for an answer to something, so its answers are wrong from here on.
                if !asked {
                    self.broken.notify_one();
                }
            }
            _ => {}
        }
    }
}

impl Connection {
    /// Connects, finds out what Redis is, and subscribes to everything that is followed.
    pub(super) async fn open(
        url: &RedisUrl,
        shared: &Arc<Shared>,
        always: &Channel,
    ) -> Result<Self, ConnectionError> {
        let signals = Arc::new(Signals::default());
        let mut first = connect(url.info().clone(), shared, &signals).await?;
        let mut connection = match cluster::ranges(&mut first).await? {
            None => Self {
                members: vec![Member { connection: first }],
                ranges: None,
                subscribed: HashSet::new(),
                signals,
            },
            Some(ranges) => Self::to_cluster(url, shared, signals, ranges).await?,
        };
        let mut channels = shared.channels();
        channels.push(always.clone());
        connection.subscribe(channels).await?;
        Ok(connection)
    }

    async fn to_cluster(
        url: &RedisUrl,
        shared: &Arc<Shared>,
        signals: Arc<Signals>,
        found: Vec<Range>,
    ) -> Result<Self, ConnectionError> {
        let mut indices: HashMap<(String, u16), usize> = HashMap::new();
        let mut addresses: Vec<(String, u16)> = Vec::new();
        let mut ranges = Vec::new();
        for range in found {
            let address = (range.host.clone(), range.port);
            let index = *indices.entry(address.clone()).or_insert_with(|| {
                addresses.push(address);
                addresses.len() - 1
            });
            ranges.push((range, index));
        }
        let connects = addresses.into_iter().map(|(host, port)| {
            let connecting = connect(url.at(&host, port), shared, &signals);
            async move {
                let connected = connecting.await;
                connected.map_err(|error| ConnectionError::Member { host, port, error })
            }
        });
        let members = try_join_all(connects)
            .await?
            .into_iter()
            .map(|connection| Member { connection })
            .collect();
        Ok(Self {
            members,
            ranges: Some(ranges),
            subscribed: HashSet::new(),
            signals,
        })
    }

    pub(super) fn subscribed(&self) -> &HashSet<Channel> {
        &self.subscribed
    }

    /// Returns when any member's connection breaks.
    pub(super) async fn broken(&self) {
        self.signals.broken.notified().await;
    }

    /// The member that carries a channel.
    fn member(&self, channel: &str) -> Result<usize, ConnectionError> {
        let Some(ranges) = &self.ranges else {
            return Ok(0);
        };
        let slot = cluster::slot(channel);
        let found = ranges
            .iter()
            .find(|(range, _)| (range.first..=range.last).contains(&slot));
        found
            .map(|(_, index)| *index)
            .ok_or(ConnectionError::NoMember)
    }

    fn command(&self, single: &'static str, sharded: &'static str) -> &'static str {
        match self.ranges {
            None => single,
            Some(_) => sharded,
        }
    }

    /// Subscribes; returns when all of it holds.
    pub(super) async fn subscribe(
        &mut self,
        channels: Vec<Channel>,
    ) -> Result<(), ConnectionError> {
        let fresh: Vec<Channel> = channels
            .into_iter()
            .filter(|channel| !self.subscribed.contains(channel))
            .collect();
        let command = self.command("SUBSCRIBE", "SSUBSCRIBE");
        for some in fresh.chunks(AT_ONCE) {
            self.each(some.iter().map(|channel| {
                let mut subscribe = redis::cmd(command);
                subscribe.arg(&**channel);
                (&**channel, subscribe)
            }))
            .await?;
            self.subscribed.extend(some.iter().cloned());
        }
        Ok(())
    }

    /// Ends subscriptions.
    pub(super) async fn unsubscribe(
        &mut self,
        channels: Vec<Channel>,
    ) -> Result<(), ConnectionError> {
        let ended: Vec<Channel> = channels
            .into_iter()
            .filter(|channel| self.subscribed.remove(channel))
            .collect();
        let command = self.command("UNSUBSCRIBE", "SUNSUBSCRIBE");
        for some in ended.chunks(AT_ONCE) {
            let names = some.iter().map(|channel| channel.as_bytes().to_vec());
            self.signals.leaving().extend(names);
            self.each(some.iter().map(|channel| {
                let mut unsubscribe = redis::cmd(command);
                unsubscribe.arg(&**channel);
                (&**channel, unsubscribe)
            }))
            .await?;
        }
        Ok(())
    }

    /// Publishes frames, all of them in one round trip to each member.
    pub(super) async fn publish(
        &mut self,
        frames: Vec<(Channel, Vec<u8>)>,
    ) -> Result<(), ConnectionError> {
        let command = self.command("PUBLISH", "SPUBLISH");
        self.each(frames.iter().map(|(channel, frame)| {
            let mut publish = redis::cmd(command);
            publish.arg(&**channel).arg(frame.as_slice());
            (&**channel, publish)
        }))
        .await
    }

    /// Sends each command to the member that has its channel, and waits for all answers.
    async fn each<'a>(
        &mut self,
        commands: impl Iterator<Item = (&'a str, redis::Cmd)>,
    ) -> Result<(), ConnectionError> {
        let mut pipelines: Vec<Pipeline> = self.members.iter().map(|_| Pipeline::new()).collect();
        for (channel, command) in commands {
            let member = self.member(channel)?;
            pipelines[member].add_command(command);
        }
        let sends = self.members.iter_mut().zip(&pipelines);
        let sends = sends.filter(|(_, pipeline)| !pipeline.is_empty());
        try_join_all(sends.map(|(member, pipeline)| member.send(pipeline))).await?;
        Ok(())
    }
}

impl Member {
    async fn send(&mut self, pipeline: &Pipeline) -> Result<(), ConnectionError> {
        let answers = self
            .connection
            .req_packed_commands(pipeline, 0, pipeline.len())
            .await?;
        for answer in answers {
            // MOVED too: a cluster that has changed is looked at anew, by a new connection.
            answer.extract_error()?;
        }
        Ok(())
    }
}

async fn connect(
    address: ConnectionInfo,
    shared: &Arc<Shared>,
    signals: &Arc<Signals>,
) -> Result<MultiplexedConnection, RedisError> {
    let (shared, signals) = (Arc::downgrade(shared), signals.clone());
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(ANSWER))
        .set_push_sender(move |push: PushInfo| {
            signals.on_push(push, &shared);
            Ok::<(), redis::aio::SendError>(())
        });
    Client::open(address)?
        .get_multiplexed_async_connection_with_config(&config)
        .await
}
