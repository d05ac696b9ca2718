//! How the nodes that hold the same room tell each other what happens in it.
//!
//! A fan-out may lose messages, but it knows that it did: [`Received::Gap`] makes the room ask the
//! other nodes for what it lacks, by its state vector. Numbering what is published, to find gaps,
//! is the implementation's business. Who may have missed what is durable reads it from the store.

mod local;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tutti_protocol::ids::RoomName;

pub use local::LocalFanOut;

/// Carries messages between nodes.
pub trait FanOut: Send + Sync + 'static {
    /// Tells the other nodes that hold `room`. It never waits; what cannot be sent shows as a
    /// gap at the receivers.
    fn publish(&self, room: &RoomName, message: Message);

    /// What other nodes publish to `room` from now on. What this node publishes itself is left
    /// out.
    fn subscribe(&self, room: &RoomName) -> Box<dyn Subscription>;
}

/// The receiving end of one room.
pub trait Subscription: Send {
    /// The next message. The future may be dropped before it is ready without losing anything.
    /// Pending for ever once the fan-out has ended.
    fn next(&mut self) -> BoxFuture<'_, Received>;
}

/// What nodes tell each other about a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A Yjs update, v1 encoding, without missing predecessors. Its sender stores it.
    Update(Bytes),
    /// An awareness update about clients of the sender.
    Awareness(Bytes),
    /// A text for all members.
    Stateless(Arc<str>),
    /// "I have this": a state vector. Nodes that have more answer with [`Message::Update`].
    StateVector(Bytes),
}

/// What a subscription yields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// A message of another node.
    Message(Message),
    /// Something was lost.
    Gap,
}
