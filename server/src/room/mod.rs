//! A room: one document, and who is in it. One task owns all of it (`actor.rs`).
//!
//! Everybody else holds a [`RoomHandle`] and sends it a [`Command`]; answers come back by oneshot.
//! The room never waits for a socket: what it has to say goes into each member's [`Outbox`].

mod actor;
mod exchange;
mod follow;
mod framing;
mod hearsay;
mod log;
mod members;
mod outbox;
mod presence;
mod saver;
mod socket_queue;
mod sync;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use tutti_protocol::ids::{DocumentId, RoomName};
use yrs::{Doc, StateVector};

pub use framing::Framing;
pub use outbox::{Outbox, Take};
pub use socket_queue::{Closing, SocketQueue, Wake};

use crate::document::Document;
use crate::fanout::Subscription;
use crate::rooms::{Registry, RoomError};
use crate::store::StoredDocument;
use crate::ws::{Grant, GrantId};

/// Commands that may wait for a room. A full mailbox slows down the sockets that fill it.
const MAILBOX: usize = 256;

/// One member of one room; never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MemberId(pub(crate) u64);

impl MemberId {
    /// A new name.
    pub fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// Who wants to join a room.
#[derive(Clone)]
pub struct NewMember {
    /// What the room says to it, and who it is.
    pub outbox: Arc<Outbox>,
    /// What it may do.
    pub grant: Grant,
}

/// Why nobody could join.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JoinError {
    /// The room is going or has gone; opening it anew may succeed.
    #[error("the room is closing")]
    Gone,
    /// Refused, with the code and reason to say.
    #[error("{}", .0.reason)]
    Refused(Closing),
}

/// What a client says to its room.
#[derive(Debug, Clone)]
pub enum ClientMessage {
    /// It has this; what does it lack?
    Step1 {
        /// Its state vector.
        known: StateVector,
        /// Whether it is to be asked for what the server lacks.
        and_ask: bool,
    },
    /// What the server lacked.
    Step2(Bytes),
    /// A change.
    Update(Bytes),
    /// An awareness update.
    Awareness(Bytes),
    /// It wants everybody's awareness.
    QueryAwareness,
}

/// What is run on a document; gets `false` for one that was never written to.
pub type Read = Box<dyn FnOnce(&Doc, bool) + Send>;

/// What a room can be told.
pub enum Command {
    /// Somebody comes.
    Join(NewMember, oneshot::Sender<Result<(), JoinError>>),
    /// Somebody leaves.
    Leave(MemberId),
    /// Somebody's grant was given anew.
    Renew(MemberId, Grant),
    /// Somebody says something.
    Hear(MemberId, ClientMessage),
    /// A member's socket can take the answer that is due.
    Answer(MemberId),
    /// Runs something on the document.
    Read(Read),
    /// Writes; answered when it is durable.
    Apply(Bytes, oneshot::Sender<Result<(), RoomError>>),
    /// Answered when everything so far is durable.
    Flush(oneshot::Sender<()>),
    /// Documents of this index's project have changed.
    Changed(Arc<[DocumentId]>),
    /// Who came in by this grant has to go.
    Revoke(GrantId),
    /// By which grants its members came in.
    Grants(oneshot::Sender<Vec<GrantId>>),
    /// The names that those in this index show.
    People(oneshot::Sender<BTreeSet<String>>),
    /// Leaves memory, unless somebody is in it or something is not saved.
    Unload,
    /// Everybody has to go, and the room too; what is not saved is dropped where `delete` is set.
    End {
        /// What the members are told.
        closing: Closing,
        /// Whether the document is deleted.
        delete: bool,
    },
}

impl Command {
    /// Whether somebody sees the text that the room has.
    fn shows_the_text(&self) -> bool {
        matches!(self, Command::Join(..) | Command::Read(_))
    }
}

/// What a room shows of itself without being asked.
#[derive(Debug, Default)]
pub struct RoomStats {
    /// Members.
    pub members: AtomicUsize,
    /// An estimate of the memory it takes, in bytes.
    pub resident_bytes: AtomicUsize,
    /// Since when something waits to be saved, in milliseconds after the registry's start, plus
    /// one; 0 for nothing.
    pub unsaved_since_ms: AtomicU64,
}

/// The way to reach a room; clones share it.
#[derive(Clone)]
pub struct RoomHandle {
    serial: u64,
    mailbox: mpsc::Sender<Command>,
    stats: Arc<RoomStats>,
}

impl RoomHandle {
    /// Tells the room something. An error says that it has gone.
    pub async fn send(&self, command: Command) -> Result<(), JoinError> {
        self.mailbox
            .send(command)
            .await
            .map_err(|_| JoinError::Gone)
    }

    /// Tells the room something if it can take it at once.
    pub(crate) fn try_send(&self, command: Command) -> bool {
        self.mailbox.try_send(command).is_ok()
    }

    /// Waits until the room has gone.
    pub(crate) async fn ended(&self) {
        self.mailbox.closed().await;
    }

    /// Whether the room's task runs.
    pub(crate) fn is_alive(&self) -> bool {
        !self.mailbox.is_closed()
    }

    /// Tells this opening of the room from a later one.
    pub(crate) fn serial(&self) -> u64 {
        self.serial
    }

    /// What the room shows of itself.
    pub(crate) fn stats(&self) -> &RoomStats {
        &self.stats
    }
}

/// What the other nodes say about a room.
pub(crate) struct Others {
    pub(crate) subscription: Box<dyn Subscription>,
    /// Whether it held before the document was read.
    pub(crate) before_load: bool,
}

/// Starts the task of a room whose document has been loaded; `stored` says how it is stored.
pub(crate) fn start(
    registry: Arc<Registry>,
    name: RoomName,
    document: Document,
    stored: Option<&StoredDocument>,
    others: Others,
) -> RoomHandle {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let (mailbox, commands) = mpsc::channel(MAILBOX);
    let handle = RoomHandle {
        serial: NEXT.fetch_add(1, Ordering::Relaxed),
        mailbox,
        stats: Arc::default(),
    };
    let opened = actor::Opened {
        document,
        stored,
        others,
    };
    actor::spawn(registry, name, opened, handle.clone(), commands);
    handle
}
