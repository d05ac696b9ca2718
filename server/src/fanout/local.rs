//! The fan-out within one process.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use tokio::sync::broadcast;

use super::{FanOut, Message, NodeId, Received, Subscription, Topic};

/// Messages that may wait for one subscriber before it is told of a gap.
const CAPACITY: usize = 256;

/// One node's end of a fan-out that lives in this process. A server of its own has just one;
/// [`LocalFanOut::another_node`] makes further ends, as several registries in one process need.
pub struct LocalFanOut {
    node: NodeId,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    nodes: AtomicU64,
    left: Mutex<HashSet<NodeId>>,
    topics: Mutex<HashMap<Topic, broadcast::Sender<Sent>>>,
}

#[derive(Clone)]
enum Sent {
    Message {
        from: NodeId,
        to: Option<NodeId>,
        message: Message,
    },
    Left(NodeId),
}

impl LocalFanOut {
    /// The first node of a new fan-out.
    pub fn new() -> Self {
        let shared: Arc<Shared> = Arc::default();
        Self {
            node: shared.next_node(),
            shared,
        }
    }

    /// A further node of the same fan-out.
    pub fn another_node(&self) -> Self {
        Self {
            node: self.shared.next_node(),
            shared: self.shared.clone(),
        }
    }
}

impl Default for LocalFanOut {
    fn default() -> Self {
        Self::new()
    }
}

impl Shared {
    fn next_node(&self) -> NodeId {
        NodeId(self.nodes.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn topics(&self) -> MutexGuard<'_, HashMap<Topic, broadcast::Sender<Sent>>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn left(&self) -> MutexGuard<'_, HashSet<NodeId>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FanOut for LocalFanOut {
    fn has_others(&self) -> bool {
        self.shared.nodes.load(Ordering::Relaxed) > 1
    }

    fn publish(&self, topic: &Topic, to: Option<NodeId>, message: Message) {
        if !self.has_others() || self.shared.left().contains(&self.node) {
            return;
        }
        if let Some(sender) = self.shared.topics().get(topic) {
            // An error says that nobody listens any more.
            let _ = sender.send(Sent::Message {
                from: self.node,
                to,
                message,
            });
        }
    }

    fn subscribe(&self, topic: &Topic) -> Box<dyn Subscription> {
        let receiver = self
            .shared
            .topics()
            .entry(topic.clone())
            .or_insert_with(|| broadcast::channel(CAPACITY).0)
            .subscribe();
        Box::new(LocalSubscription {
            node: self.node,
            topic: topic.clone(),
            begun: false,
            receiver: Some(receiver),
            shared: self.shared.clone(),
        })
    }

    fn trouble(&self) -> Option<String> {
        None
    }

    fn leave(&self) -> BoxFuture<'_, ()> {
        self.shared.left().insert(self.node);
        for sender in self.shared.topics().values() {
            let _ = sender.send(Sent::Left(self.node));
        }
        Box::pin(std::future::ready(()))
    }
}

struct LocalSubscription {
    node: NodeId,
    topic: Topic,
    begun: bool,
    receiver: Option<broadcast::Receiver<Sent>>,
    shared: Arc<Shared>,
}

impl Subscription for LocalSubscription {
    fn ready(&mut self) -> BoxFuture<'_, bool> {
        Box::pin(std::future::ready(true))
    }

    fn next(&mut self) -> BoxFuture<'_, Received> {
        Box::pin(async move {
            if !std::mem::replace(&mut self.begun, true) {
                return Received::Back;
            }
            let Some(receiver) = &mut self.receiver else {
                return std::future::pending().await;
            };
            loop {
                match receiver.recv().await {
                    Ok(Sent::Message { from, to, message })
                        if from != self.node && to.is_none_or(|to| to == self.node) =>
                    {
                        return Received::Message(from, message);
                    }
                    Ok(Sent::Left(node)) if node != self.node => return Received::Left(node),
                    Ok(_) => {}
                    Err(broadcast::error::RecvError::Lagged(_)) => return Received::Back,
                    Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
                }
            }
        })
    }
}

impl Drop for LocalSubscription {
    fn drop(&mut self) {
        self.receiver = None;
        let mut topics = self.shared.topics();
        if topics
            .get(&self.topic)
            .is_some_and(|sender| sender.receiver_count() == 0)
        {
            topics.remove(&self.topic);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn update(bytes: &'static [u8]) -> Message {
        Message::Update(Bytes::from_static(bytes))
    }

    fn topic(room: &str) -> Topic {
        Topic::Room(room.parse().unwrap())
    }

    #[tokio::test]
    async fn a_node_hears_the_others_and_not_itself() {
        let one = LocalFanOut::new();
        assert!(!one.has_others());
        let two = one.another_node();
        let three = one.another_node();
        assert!(one.has_others());
        let room = topic("p/d");
        let mut at_two = two.subscribe(&room);
        two.publish(&room, None, update(b"own"));
        one.publish(&room, None, update(b"other"));
        one.publish(&topic("p/e"), None, update(b"elsewhere"));
        one.publish(&room, Some(three.node), update(b"for three"));
        one.publish(&room, Some(two.node), update(b"last"));
        one.leave().await;
        one.publish(&room, None, update(b"gone"));
        three.publish(&room, None, update(b"three"));
        let heard = [
            Received::Back,
            Received::Message(one.node, update(b"other")),
            Received::Message(one.node, update(b"last")),
            Received::Left(one.node),
            Received::Message(three.node, update(b"three")),
        ];
        for expected in heard {
            assert_eq!(at_two.next().await, expected);
        }
    }

    #[tokio::test]
    async fn a_lost_message_shows_as_a_gap() {
        let one = LocalFanOut::new();
        let two = one.another_node();
        let room = topic("p/d");
        let mut at_two = two.subscribe(&room);
        assert_eq!(at_two.next().await, Received::Back);
        for _ in 0..=CAPACITY {
            one.publish(&room, None, update(b"u"));
        }
        assert_eq!(at_two.next().await, Received::Back);
        let message = Received::Message(one.node, update(b"u"));
        assert_eq!(at_two.next().await, message);
    }

    #[tokio::test]
    async fn a_room_that_nobody_listens_to_is_forgotten() {
        let fanout = LocalFanOut::new();
        drop(fanout.subscribe(&topic("p/d")));
        assert!(fanout.shared.topics().is_empty());
    }
}
