//! The fan-out within one process.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use tokio::sync::broadcast;
use tutti_protocol::ids::RoomName;

use super::{FanOut, Message, Received, Subscription};

/// Messages that may wait for one subscriber before it is told of a gap.
const CAPACITY: usize = 256;

/// One node's end of a fan-out that lives in this process. A server of its own has just one;
/// [`LocalFanOut::another_node`] makes further ends, as several registries in one process need.
pub struct LocalFanOut {
    node: u64,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    nodes: AtomicU64,
    rooms: Mutex<HashMap<RoomName, broadcast::Sender<(u64, Message)>>>,
}

impl LocalFanOut {
    /// The first node of a new fan-out.
    pub fn new() -> Self {
        Self {
            node: 0,
            shared: Arc::default(),
        }
    }

    /// A further node of the same fan-out.
    pub fn another_node(&self) -> Self {
        Self {
            node: self.shared.nodes.fetch_add(1, Ordering::Relaxed) + 1,
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
    fn rooms(
        &self,
    ) -> std::sync::MutexGuard<'_, HashMap<RoomName, broadcast::Sender<(u64, Message)>>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FanOut for LocalFanOut {
    fn publish(&self, room: &RoomName, message: Message) {
        // With nobody but this node listening there is nothing to carry.
        if self.shared.nodes.load(Ordering::Relaxed) == 0 {
            return;
        }
        if let Some(sender) = self.shared.rooms().get(room) {
            // An error says that nobody listens any more.
            let _ = sender.send((self.node, message));
        }
    }

    fn subscribe(&self, room: &RoomName) -> Box<dyn Subscription> {
        let receiver = self
            .shared
            .rooms()
            .entry(room.clone())
            .or_insert_with(|| broadcast::channel(CAPACITY).0)
            .subscribe();
        Box::new(LocalSubscription {
            node: self.node,
            room: room.clone(),
            receiver: Some(receiver),
            shared: self.shared.clone(),
        })
    }
}

struct LocalSubscription {
    node: u64,
    room: RoomName,
    receiver: Option<broadcast::Receiver<(u64, Message)>>,
    shared: Arc<Shared>,
}

impl Subscription for LocalSubscription {
    fn next(&mut self) -> BoxFuture<'_, Received> {
        Box::pin(async move {
            let Some(receiver) = &mut self.receiver else {
                return std::future::pending().await;
            };
            loop {
                match receiver.recv().await {
                    Ok((node, _)) if node == self.node => {}
                    Ok((_, message)) => return Received::Message(message),
                    Err(broadcast::error::RecvError::Lagged(_)) => return Received::Gap,
                    Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
                }
            }
        })
    }
}

impl Drop for LocalSubscription {
    fn drop(&mut self) {
        self.receiver = None;
        let mut rooms = self.shared.rooms();
        if rooms
            .get(&self.room)
            .is_some_and(|sender| sender.receiver_count() == 0)
        {
            rooms.remove(&self.room);
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

    #[tokio::test]
    async fn a_node_hears_the_others_and_not_itself() {
        let one = LocalFanOut::new();
        let two = one.another_node();
        let room: RoomName = "p/d".parse().unwrap();
        let mut at_two = two.subscribe(&room);
        two.publish(&room, update(b"own"));
        one.publish(&room, update(b"other"));
        one.publish(&"p/e".parse().unwrap(), update(b"elsewhere"));
        one.publish(&room, update(b"last"));
        assert_eq!(at_two.next().await, Received::Message(update(b"other")));
        assert_eq!(at_two.next().await, Received::Message(update(b"last")));
    }

    #[tokio::test]
    async fn a_lost_message_shows_as_a_gap() {
        let one = LocalFanOut::new();
        let two = one.another_node();
        let room: RoomName = "p/d".parse().unwrap();
        let mut at_two = two.subscribe(&room);
        for _ in 0..=CAPACITY {
            one.publish(&room, update(b"u"));
        }
        assert_eq!(at_two.next().await, Received::Gap);
    }

    #[tokio::test]
    async fn a_room_that_nobody_listens_to_is_forgotten() {
        let fanout = LocalFanOut::new();
        let room: RoomName = "p/d".parse().unwrap();
        drop(fanout.subscribe(&room));
        assert!(fanout.shared.rooms().is_empty());
    }
}
