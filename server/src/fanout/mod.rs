//! How the nodes that hold the same room tell each other what happens in it.
//!
//! A fan-out may lose messages, but it knows that it did: [`Received::Missed`] makes the room ask
//! the other node for what it lacks, by its state vector. Numbering what is published, to find
//! gaps, is the implementation's business; comparing now and then what nobody can number is the
//! room's (`room/exchange.rs`). What is durable can be read from the store besides.

mod local;
mod lookout;
mod message;
mod mongodb;
mod redis;
mod signs;
mod silent;

use futures_util::future::BoxFuture;
use tutti_protocol::ids::RoomName;

pub use local::LocalFanOut;
pub use message::{Digest, Message};
pub use mongodb::MongoSigns;
pub use redis::{RedisFanOut, RedisUrl};
pub use signs::{Hears, Sign, Signs};
pub use silent::SilentFanOut;

/// Carries messages between nodes.
pub trait FanOut: Send + Sync + 'static {
    /// Whether there are, or may be, other nodes on the same store. One that is alone need not
    /// prepare messages, nor look into the store for what others wrote.
    fn has_others(&self) -> bool;

    /// Tells the other nodes that follow `topic`, or one of them. It never waits; what cannot be
    /// sent shows as [`Received::Missed`] at the receivers.
    fn publish(&self, topic: &Topic, to: Option<NodeId>, message: Message);

    /// What other nodes publish to `topic` from now on. What this node publishes itself is left
    /// out.
    fn subscribe(&self, topic: &Topic) -> Box<dyn Subscription>;

    /// Why nothing is carried at present, or some node is not reached, in words for the operator; `None` while all is well.
    fn trouble(&self) -> Option<String>;

    /// Tells the others that this node goes, and ends.
    fn leave(&self) -> BoxFuture<'_, ()>;
}

/// The receiving end of one topic.
pub trait Subscription: Send {
    /// Returns once everything that others publish from now on comes here, or once it is known
    /// that nothing is carried at present; says which.
    fn ready(&mut self) -> BoxFuture<'_, bool>;

    /// What comes next. The future may be dropped before it is ready without losing anything.
    /// Pending for ever once the fan-out has ended.
    fn next(&mut self) -> BoxFuture<'_, Received>;
}

/// What nodes talk about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Topic {
    /// One document.
    Room(RoomName),
    /// Projects and links.
    Server,
}

/// One run of one server process; another one after each start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u64);

impl NodeId {
    /// A new one.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn random() -> Result<Self, getrandom::Error> {
        // 0 stands for "everybody" where a node is named.
        getrandom::u64().map(|id| Self(id.max(1)))
    }
}

/// What a subscription yields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// A message of another node.
    Message(NodeId, Message),
    /// Something of this node was lost, or may have been.
    Missed(NodeId),
    /// Some node is not heard at present, or may not be, as this one has just connected. If it lives, what its
    /// members write is in the store.
    Silent,
    /// Some node lives and is not heard: it is cut off, or not on the same Redis. What its members write is in the store,
    /// and only there.
    CutOff,
    /// This node has gone; who was connected to it is not there any more.
    Left(NodeId),
    /// This node gives no sign of life any more. It may have died, or be cut off and go on
    /// storing what its members write.
    Lost(NodeId),
    /// Nothing is carried any more.
    Away,
    /// From here on everything is carried; anything may have been missed before. The first thing
    /// that a subscription yields is this or [`Received::Away`].
    Back,
}
