//! The fan-out of nodes that share nothing but their store.

use futures_util::future::BoxFuture;

use super::{FanOut, Message, NodeId, Received, Subscription, Topic};

/// Carries nothing, so rooms follow the store's log.
pub struct SilentFanOut;

struct Silence {
    told: bool,
}

impl FanOut for SilentFanOut {
    fn has_others(&self) -> bool {
        true
    }

    fn publish(&self, _: &Topic, _: Option<NodeId>, _: Message) {}

    fn subscribe(&self, _: &Topic) -> Box<dyn Subscription> {
        Box::new(Silence { told: false })
    }

    /// It was not asked to carry anything, so this is no trouble.
    fn trouble(&self) -> Option<String> {
        None
    }

    fn leave(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

impl Subscription for Silence {
    fn ready(&mut self) -> BoxFuture<'_, bool> {
        Box::pin(std::future::ready(false))
    }

    fn next(&mut self) -> BoxFuture<'_, Received> {
        match std::mem::replace(&mut self.told, true) {
            false => Box::pin(std::future::ready(Received::Away)),
            true => Box::pin(std::future::pending()),
        }
    }
}
