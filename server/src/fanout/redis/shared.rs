//! What the rooms, the connection and its reader share: topics, nodes, and what waits to be sent.
//!
//! Its locks are brief and never held across an await.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{Notify, mpsc};

use super::super::{Message, NodeId, Received, Topic};
use super::frame;
use super::inbox::{Carried, Inbox, Outlet, inbox};
use super::nodes::{BEAT, Nodes};
use super::numbers::Numbers;

/// Messages that may wait to be sent; and their bytes.
pub(super) const OUTGOING: usize = 8_192;
const OUTGOING_BYTES: usize = 64 * 1024 * 1024;

/// How long a node that has just connected may not have heard the others' signs of life.
const GETTING_TO_KNOW: Duration = BEAT.saturating_mul(6);

/// Who has lost Redis at the same time is back after this long, if ever.
const OTHERS_COME_BACK: Duration = Duration::from_secs(10);

/// How long it holds that somebody who lives is not heard; the next look comes sooner.
const SIGN_HOLDS: Duration = Duration::from_secs(6);

/// The largest frame that is looked into. Honest ones are half of this at most.
const FRAME_BYTES: usize = 4 * 1024 * 1024;

/// The name of a channel.
pub(super) type Channel = Arc<str>;

/// A message on its way to Redis.
pub(super) struct Outgoing {
    pub(super) channel: Channel,
    pub(super) to: Option<NodeId>,
    pub(super) opening: u64,
    pub(super) number: u64,
    pub(super) message: Message,
}

/// One topic that this node follows.
struct Entry {
    inbox: Inbox,
    /// Tells this opening from the one before.
    opening: u64,
    /// The last number given. The lock also keeps numbers in the order of sending.
    sent: Mutex<u64>,
    numbers: Mutex<Numbers>,
}

pub(super) struct Shared {
    pub(super) node: NodeId,
    prefix: String,
    topics: Mutex<HashMap<Channel, Arc<Entry>>>,
    /// Channels whose subscription has to be looked at.
    changed: Mutex<HashSet<Channel>>,
    pub(super) look: Notify,
    nodes: Mutex<Nodes>,
    outgoing: mpsc::Sender<Outgoing>,
    outgoing_bytes: AtomicUsize,
    incoming_bytes: Arc<AtomicUsize>,
    state: Mutex<State>,
}

struct State {
    carried: Carried,
    /// Since when it has been carried.
    since: Option<Instant>,
    /// In which second of that the rooms were last told that others may still be away.
    told_in: Option<u64>,
    trouble: Option<String>,
    /// Until when somebody is known to live who is not heard.
    cut_off_until: Option<Instant>,
    /// When the own sign of life was sent that has not come back yet.
    beat: Option<Instant>,
}

impl State {
    fn is_anyone_cut_off(&self) -> bool {
        self.cut_off_until
            .is_some_and(|until| Instant::now() < until)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn new(node: NodeId, database: i64, outgoing: mpsc::Sender<Outgoing>) -> Self {
        Self {
            node,
            prefix: format!("tutti:{database}:"),
            topics: Mutex::default(),
            changed: Mutex::default(),
            look: Notify::new(),
            nodes: Mutex::default(),
            outgoing,
            outgoing_bytes: AtomicUsize::new(0),
            incoming_bytes: Arc::default(),
            state: Mutex::new(State {
                carried: Carried::NotYet,
                since: None,
                told_in: None,
                trouble: None,
                cut_off_until: None,
                beat: None,
            }),
        }
    }

    /// The channel of a topic.
    pub(super) fn channel(&self, topic: &Topic) -> Channel {
        match topic {
            Topic::Room(room) => format!("{}room:{room}", self.prefix).into(),
            Topic::Server => format!("{}server", self.prefix).into(),
        }
    }

    /// Whether this node follows the channel's topic.
    pub(super) fn follows(&self, channel: &str) -> bool {
        self.entry(channel).is_some()
    }

    fn entry(&self, channel: &str) -> Option<Arc<Entry>> {
        locked(&self.topics).get(channel).cloned()
    }

    pub(super) fn channels(&self) -> Vec<Channel> {
        locked(&self.topics).keys().cloned().collect()
    }

    /// Follows a topic from now on, in the place of an earlier opening of it.
    pub(super) fn follow(&self, channel: &Channel, opening: u64) -> Outlet {
        let outlet = {
            let state = locked(&self.state);
            let carried = match state.carried {
                Carried::In(_) => Carried::NotYet,
                other => other,
            };
            let (inbox, outlet) = inbox(carried, self.incoming_bytes.clone());
            let entry = Entry {
                inbox,
                opening,
                sent: Mutex::new(0),
                numbers: Mutex::default(),
            };
            if state.is_anyone_cut_off() {
                entry.inbox.push(Received::CutOff);
            }
            // With the state held, so that no connection begins or ends between the two.
            locked(&self.topics).insert(channel.clone(), Arc::new(entry));
            outlet
        };
        self.look_at(channel.clone());
        outlet
    }

    /// Follows it no more, unless it was opened anew meanwhile.
    pub(super) fn unfollow(&self, channel: &Channel, opening: u64) {
        let mut topics = locked(&self.topics);
        if topics
            .get(channel)
            .is_some_and(|entry| entry.opening == opening)
        {
            topics.remove(channel);
            drop(topics);
            self.look_at(channel.clone());
        }
    }

    /// The channels that were opened or left since the last time.
    pub(super) fn take_changed(&self) -> HashSet<Channel> {
        std::mem::take(&mut locked(&self.changed))
    }

    fn look_at(&self, channel: Channel) {
        locked(&self.changed).insert(channel);
        self.look.notify_one();
    }

    /// The connection with this number carries everything; `subscribed` are its channels.
    pub(super) fn connected(&self, connection: u64, subscribed: &HashSet<Channel>) {
        let mut state = locked(&self.state);
        state.carried = Carried::In(connection);
        state.since = Some(Instant::now());
        state.told_in = None;
        state.trouble = None;
        state.beat = None;
        locked(&self.nodes).all_alive(Instant::now());
        let topics = locked(&self.topics);
        for (channel, entry) in topics.iter() {
            entry.inbox.set_carried(match subscribed.contains(channel) {
                true => state.carried,
                false => Carried::NotYet,
            });
        }
        metrics::gauge!("tutti_fanout_connected").set(1.0);
    }

    /// One more channel is carried.
    pub(super) fn subscribed(&self, channel: &str, connection: u64) {
        if let Some(entry) = self.entry(channel) {
            entry.inbox.set_carried(Carried::In(connection));
        }
    }

    /// Nothing is carried any more; says whether this is news.
    pub(super) fn disconnected(&self, why: &str) -> bool {
        let mut state = locked(&self.state);
        state.trouble = Some(why.to_owned());
        let news = state.carried != Carried::No;
        state.carried = Carried::No;
        for entry in locked(&self.topics).values() {
            // Before anything of the next connection can arrive.
            locked(&entry.numbers).any_will_do();
            entry.inbox.set_carried(Carried::No);
        }
        metrics::gauge!("tutti_fanout_connected").set(0.0);
        news
    }

    pub(super) fn trouble(&self) -> Option<String> {
        locked(&self.state).trouble.clone()
    }

    /// Whether messages have anybody to go to, or it is not known: a node that has just connected
    /// has not heard the others' signs of life yet.
    pub(super) fn has_others(&self) -> bool {
        {
            let state = locked(&self.state);
            let is_new = state
                .since
                .is_none_or(|since| since.elapsed() < GETTING_TO_KNOW);
            let is_carried = matches!(state.carried, Carried::In(_));
            if is_new || !is_carried || state.is_anyone_cut_off() {
                return true;
            }
        }
        self.count_nodes() > 0
    }

    /// Whether this node is heard at present.
    pub(super) fn hears_node(&self, node: NodeId) -> bool {
        locked(&self.nodes).is_heard(node)
    }

    pub(super) fn count_nodes(&self) -> usize {
        locked(&self.nodes).count()
    }

    /// Queues a message for Redis; without a connection, or with nobody to hear it, it goes
    /// nowhere, and an exchange makes up for it later.
    pub(super) fn send(&self, channel: Channel, to: Option<NodeId>, message: Message) {
        let is_carried = matches!(locked(&self.state).carried, Carried::In(_));
        let is_sign = matches!(message, Message::Alive | Message::Leaving);
        if !is_carried || !(is_sign || self.has_others()) {
            return;
        }
        let entry = self.entry(&channel);
        let mut sent = entry.as_ref().map(|entry| locked(&entry.sent));
        let number = sent.as_mut().map_or(0, |sent| {
            **sent += 1;
            **sent
        });
        let size = message.len();
        let waiting = self.outgoing_bytes.fetch_add(size, Ordering::Relaxed);
        let outgoing = Outgoing {
            channel,
            to,
            opening: entry.as_ref().map_or(0, |entry| entry.opening),
            number,
            message,
        };
        if waiting + size > OUTGOING_BYTES || self.outgoing.try_send(outgoing).is_err() {
            self.outgoing_bytes.fetch_sub(size, Ordering::Relaxed);
            metrics::counter!("tutti_fanout_dropped_total", "why" => "slow Redis").increment(1);
        }
    }

    /// A message has left the queue.
    pub(super) fn taken(&self, outgoing: &Outgoing) {
        self.outgoing_bytes
            .fetch_sub(outgoing.message.len(), Ordering::Relaxed);
    }

    /// Takes in what Redis delivers. It comes from whoever can write to Redis, and is trusted no
    /// more than what clients send.
    pub(super) fn receive(&self, channel: &str, bytes: Vec<u8>) {
        if bytes.len() > FRAME_BYTES {
            return refused(channel, &"it is too large");
        }
        let frame = Bytes::from(bytes);
        let (head, rest) = match frame::head(&frame) {
            Ok(read) => read,
            Err(error) => return refused(channel, &error),
        };
        if head.node == self.node {
            return self.hear_echo(channel);
        }
        if locked(&self.nodes).heard(head.node, Instant::now()) {
            tracing::info!(node = head.node.0, "another node is back");
            self.tell_all(&Received::Missed(head.node));
        }
        let entry = self.entry(channel);
        if let Some(entry) = &entry
            && locked(&entry.numbers).missed(head.node, head.opening, head.first, head.count)
        {
            metrics::counter!("tutti_fanout_gaps_total").increment(1);
            entry.inbox.push(Received::Missed(head.node));
        }
        if head.to.is_some_and(|to| to != self.node) {
            return;
        }
        let messages = match frame::messages(&head, rest, &frame) {
            Ok(messages) => messages,
            Err(error) => return refused(channel, &error),
        };
        for message in messages {
            match message {
                Message::Alive => {}
                Message::Leaving => self.on_left(head.node),
                message => {
                    metrics::counter!("tutti_fanout_received_total").increment(1);
                    if let Some(entry) = &entry {
                        entry.inbox.push(Received::Message(head.node, message));
                    }
                }
            }
        }
    }

    fn hear_echo(&self, channel: &str) {
        if channel.len() != self.prefix.len() + "server".len() {
            return;
        }
        let mut state = locked(&self.state);
        let now = Instant::now();
        if let Some(beat) = state.beat.take() {
            metrics::histogram!("tutti_fanout_lag_seconds").record(now.duration_since(beat));
        }
    }

    /// A sign of life is being sent.
    pub(super) fn beat(&self) {
        locked(&self.state).beat.get_or_insert_with(Instant::now);
    }

    /// The sign of life that is out counts from now on: it was this node that stood still.
    pub(super) fn beat_late(&self) {
        if let Some(beat) = &mut locked(&self.state).beat {
            *beat = Instant::now();
        }
    }

    /// Since when the sign of life has been out that has not come back.
    pub(super) fn waits_for_echo_since(&self) -> Option<Instant> {
        locked(&self.state).beat
    }

    fn on_left(&self, node: NodeId) {
        if locked(&self.nodes).left(node) {
            tracing::info!(node = node.0, "another node has left");
            self.tell_gone(node, &Received::Left(node));
        }
    }

    /// Whether this node has only just connected, once a second: others may come back from the same outage
    /// later, or not any more, and are not known here. What they store until then is not heard of.
    fn may_lack_others(&self) -> bool {
        let mut state = locked(&self.state);
        let age = state.since.map(|since| since.elapsed());
        let Some(age) = age.filter(|age| *age < OTHERS_COME_BACK) else {
            return false;
        };
        state.told_in.replace(age.as_secs()) != Some(age.as_secs())
    }

    /// Somebody lives who is not heard.
    pub(super) fn someone_is_cut_off(&self) {
        locked(&self.state).cut_off_until = Some(Instant::now() + SIGN_HOLDS);
        self.tell_all(&Received::CutOff);
    }

    /// Looks for nodes that are not heard, or have died.
    pub(super) fn look_for_dead(&self) {
        let found = locked(&self.nodes).look(Instant::now());
        if found.any_silent || self.may_lack_others() {
            self.tell_all(&Received::Silent);
        }
        for node in found.dead {
            tracing::warn!(node = node.0, "another node gives no sign of life any more");
            self.tell_gone(node, &Received::Lost(node));
        }
        metrics::gauge!("tutti_fanout_nodes").set(self.count_nodes() as f64);
    }

    fn tell_gone(&self, node: NodeId, how: &Received) {
        for entry in self.entries() {
            locked(&entry.numbers).forget(node);
            entry.inbox.push(how.clone());
        }
    }

    fn tell_all(&self, item: &Received) {
        for entry in self.entries() {
            entry.inbox.push(item.clone());
        }
    }

    fn entries(&self) -> Vec<Arc<Entry>> {
        locked(&self.topics).values().cloned().collect()
    }
}

fn refused(channel: &str, why: &dyn std::fmt::Display) {
    metrics::counter!("tutti_fanout_dropped_total", "why" => "not valid").increment(1);
    tracing::debug!(channel, %why, "a message from Redis is passed over");
}
