//! The fan-out over Redis Pub/Sub (`docs/fanout.md`).
//!
//! Rooms put messages into one bounded queue and never wait. One task ([`session`]) holds the
//! connection ([`connection`]) and sends what waits in one round trip. What arrives is looked at
//! where it is read ([`shared`]), counted ([`numbers`]) and put into the [`inbox`] of its room.
//! [`nodes`] knows who is there and is heard.

mod address;
mod cluster;
mod connection;
mod frame;
mod inbox;
mod nodes;
mod numbers;
mod session;
mod shared;
mod words;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

pub use address::RedisUrl;

use super::lookout::{Hearing, Lookout};
use super::signs::Hears;
use super::{FanOut, Message, NodeId, Received, Signs, Subscription, Topic};
use inbox::Outlet;
use session::Session;
use shared::{Channel, OUTGOING, Shared};

/// How long a node that goes waits for its goodbye to be sent.
const GOODBYE: Duration = Duration::from_secs(2);

/// This node's end of a fan-out over Redis. It connects, and connects again, by itself.
pub struct RedisFanOut {
    shared: Arc<Shared>,
    leave: mpsc::Sender<oneshot::Sender<()>>,
    lookout: Lookout,
}

impl RedisFanOut {
    /// Starts to connect. Call it within a tokio runtime.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn start(url: RedisUrl) -> Result<Self, getrandom::Error> {
        // Without a choice of its own, the library's TLS would look for a default and panic. An
        // error says that there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (outgoing, waiting) = mpsc::channel(OUTGOING);
        let (leave, leaving) = mpsc::channel(1);
        let shared = Arc::new(Shared::new(NodeId::random()?, url.database(), outgoing));
        let session = Session {
            url,
            shared: shared.clone(),
            outgoing: waiting,
            leave: leaving,
        };
        tokio::spawn(session.run());
        Ok(Self {
            shared,
            leave,
            lookout: Lookout::default(),
        })
    }

    /// Leaves signs, and looks for those of nodes that Redis does not bring to this one. Call it once, within a tokio
    /// runtime.
    pub fn leave_signs(&self, signs: Arc<dyn Signs>) {
        let shared: Arc<dyn Hearing> = self.shared.clone();
        self.lookout.start(Arc::downgrade(&shared), signs);
    }
}

impl Hearing for Shared {
    fn node(&self) -> NodeId {
        self.node
    }

    fn hears(&self) -> Hears {
        match self.trouble() {
            Some(_) => Hears::Nobody,
            None => Hears::Redis,
        }
    }

    fn is_heard(&self, node: NodeId) -> bool {
        self.hears_node(node)
    }

    fn someone_is_unheard(&self) {
        self.someone_is_cut_off();
    }
}

impl FanOut for RedisFanOut {
    fn has_others(&self) -> bool {
        self.shared.has_others()
    }

    fn publish(&self, topic: &Topic, to: Option<NodeId>, message: Message) {
        self.shared.send(self.shared.channel(topic), to, message);
    }

    fn subscribe(&self, topic: &Topic) -> Box<dyn Subscription> {
        let channel = self.shared.channel(topic);
        // Openings need to differ, not to be secret.
        let opening = getrandom::u64().map_or(1, |random| random.max(1));
        let outlet = self.shared.follow(&channel, opening);
        Box::new(RedisSubscription {
            outlet,
            channel,
            opening,
            shared: self.shared.clone(),
        })
    }

    fn trouble(&self) -> Option<String> {
        self.shared.trouble().or_else(|| self.lookout.remark())
    }

    fn leave(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.lookout.end().await;
            let (done, left) = oneshot::channel();
            if self.leave.send(done).await.is_ok() {
                // Whoever does not hear it in time finds out by itself.
                let _ = tokio::time::timeout(GOODBYE, left).await;
            }
        })
    }
}

struct RedisSubscription {
    outlet: Outlet,
    channel: Channel,
    opening: u64,
    shared: Arc<Shared>,
}

impl Subscription for RedisSubscription {
    fn ready(&mut self) -> BoxFuture<'_, bool> {
        self.outlet.ready()
    }

    fn next(&mut self) -> BoxFuture<'_, Received> {
        self.outlet.next()
    }
}

impl Drop for RedisSubscription {
    fn drop(&mut self) {
        self.shared.unfollow(&self.channel, self.opening);
    }
}
