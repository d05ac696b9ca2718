//! The fan-out of nodes that share nothing but their store.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::lookout::{Hearing, Lookout};
use super::signs::Hears;
use super::{FanOut, Message, NodeId, Received, Signs, Subscription, Topic};

/// Carries nothing, so rooms follow the store's log.
pub struct SilentFanOut {
    deaf: Arc<Deaf>,
    lookout: Lookout,
}

/// Hears nobody.
struct Deaf {
    node: NodeId,
}

struct Silence {
    told: bool,
}

impl SilentFanOut {
    /// One for a new node.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn new() -> Result<Self, getrandom::Error> {
        let node = NodeId::random()?;
        Ok(Self {
            deaf: Arc::new(Deaf { node }),
            lookout: Lookout::default(),
        })
    }

    /// Leaves signs, so that nodes that have a Redis know of this one. Call it once, within a tokio runtime.
    pub fn leave_signs(&self, signs: Arc<dyn Signs>) {
        let deaf: Arc<dyn Hearing> = self.deaf.clone();
        self.lookout.start(Arc::downgrade(&deaf), signs);
    }
}

impl Hearing for Deaf {
    fn node(&self) -> NodeId {
        self.node
    }

    fn hears(&self) -> Hears {
        Hears::Store
    }

    fn is_heard(&self, _: NodeId) -> bool {
        false
    }

    /// Rooms follow the store as it is.
    fn someone_is_unheard(&self) {}
}

impl FanOut for SilentFanOut {
    fn has_others(&self) -> bool {
        true
    }

    fn publish(&self, _: &Topic, _: Option<NodeId>, _: Message) {}

    fn subscribe(&self, _: &Topic) -> Box<dyn Subscription> {
        Box::new(Silence { told: false })
    }

    /// It was not asked to carry anything, so that is no trouble by itself.
    fn trouble(&self) -> Option<String> {
        self.lookout.remark()
    }

    fn leave(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.lookout.end())
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
