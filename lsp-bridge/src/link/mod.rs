//! The link to the server: one WebSocket a process (`GET /collab`), many rooms on it.
//!
//! The link owns no document. Its owner holds the replicas, sends [`Command`]s and reads
//! [`Event`]s; the link connects, reconnects, authenticates each joined room, counts what is not
//! yet durable, and says when the server cannot or must not be asked again.
//!
//! ```text
//!  owner ── Join ─────────────▶ link ── Token, Step1 ─▶ server
//!        ◀─ Authenticated ─────      ◀─ Authenticated ─
//!        ◀─ Update, Synced ────      ◀─ Step2 ─────────
//!        ◀─ DiffWanted ────────      ◀─ Step1 ─────────
//!        ── Diff ─────────────▶      ── Step2 ────────▶
//!        ── Update ───────────▶      ── Update ───────▶
//!        ◀─ Unsaved(0) ────────      ◀─ SyncStatus ────
//! ```
//!
//! Nothing is ever queued for a later connection: after each (re)connect the link asks for the
//! state vector of each joined room ([`Event::StateVectorWanted`]), and what the server lacks
//! goes in the answer to its own Step1. Updates commanded before that answer are contained in it
//! and are not sent a second time.

mod backoff;
mod connect;
mod frames;
mod longest;
mod room;
mod task;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use tokio::sync::mpsc;
use tutti_protocol::ids::{DocumentId, ProjectId};
use tutti_protocol::remark::Remark;
use tutti_protocol::role::Role;
use url::Url;

pub use connect::collab_url;

/// Where to connect, and as whom. Deliberately without `Debug`: it holds a secret.
#[derive(Clone)]
pub struct Config {
    /// The server, `http://` or `https://`, perhaps with a path in front of Tutti's own.
    pub server: Url,
    /// The project whose rooms are joined.
    pub project: ProjectId,
    /// The link's or person's token.
    pub token: Token,
    /// How long to wait for what.
    pub timing: Timing,
}

/// What opens a project. It is not shown in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(pub String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// The link's waiting times.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// A connection that is not up after this has failed.
    pub connect: Duration,
    /// How often the server is pinged.
    pub ping: Duration,
    /// A connection on which nothing has arrived for this long is dead.
    pub dead: Duration,
    /// The first wait before another attempt; doubles, with jitter.
    pub retry_first: Duration,
    /// The longest wait before another attempt.
    pub retry_longest: Duration,
    /// A connection that stood this long resets the waits.
    pub stable: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            ping: Duration::from_secs(10),
            dead: Duration::from_secs(25),
            retry_first: Duration::from_millis(300),
            retry_longest: Duration::from_secs(30),
            stable: Duration::from_secs(20),
        }
    }
}

/// What the owner asks of the link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Another server, or another token, from now on: connects anew, also after [`Status::Denied`].
    Renew {
        /// Where the project is now.
        server: Url,
        /// What opens it there.
        token: Token,
    },
    /// Takes part in a room from now on, over all reconnects.
    Join {
        /// The document.
        document: DocumentId,
        /// What the owner has of it.
        state_vector: Vec<u8>,
    },
    /// Takes part no longer (Close, type 7).
    Leave(DocumentId),
    /// The answer to [`Event::StateVectorWanted`].
    StateVector {
        /// The document.
        document: DocumentId,
        /// What the owner has of it.
        state_vector: Vec<u8>,
    },
    /// The answer to [`Event::DiffWanted`].
    Diff {
        /// The document.
        document: DocumentId,
        /// All that the owner has and the asking state vector lacks.
        update: Vec<u8>,
    },
    /// A change made just now, already applied to the owner's replica.
    Update {
        /// The document.
        document: DocumentId,
        /// The change.
        update: Vec<u8>,
    },
    /// The owner's presence in a room, an awareness update. Dropped while the room is not
    /// joined: say it again after [`Event::Authenticated`].
    Awareness {
        /// The document.
        document: DocumentId,
        /// The encoded awareness update.
        update: Vec<u8>,
    },
}

/// What the link tells its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The connection as a whole has changed.
    Status(Status),
    /// A new connection stands: answer with [`Command::StateVector`].
    StateVectorWanted(DocumentId),
    /// The server says what it has: answer with [`Command::Diff`].
    DiffWanted {
        /// The document.
        document: DocumentId,
        /// What the server has of it.
        state_vector: Vec<u8>,
    },
    /// The server lets us into a room.
    Authenticated {
        /// The document.
        document: DocumentId,
        /// What we may do there.
        role: Role,
    },
    /// All that the server had when it answered has been given as [`Event::Update`]s.
    Synced(DocumentId),
    /// A change by others: apply it.
    Update {
        /// The document.
        document: DocumentId,
        /// The change.
        update: Vec<u8>,
    },
    /// How many of the owner's changes to a document are not durable on the server.
    Unsaved {
        /// The document.
        document: DocumentId,
        /// Updates that the server has not confirmed, sent or not.
        count: u32,
        /// How many [`Command::Update`]s of this document are counted in, since it was joined:
        /// with fewer than the owner commanded, the news is old already.
        commanded: u64,
    },
    /// The server refused a change: the token may only read, or the document would grow too large, which
    /// [`Event::Interrupted`] then says.
    Refused(DocumentId),
    /// The presence of others, an awareness update.
    Awareness {
        /// The document.
        document: DocumentId,
        /// The encoded awareness update.
        update: Vec<u8>,
    },
    /// The server asks who is there: say the own presence again.
    AwarenessWanted(DocumentId),
    /// Documents of the project have changed whose rooms need not be joined.
    Changed(Vec<DocumentId>),
    /// The server says whether it can save what it gets of a document.
    Saving {
        /// The document.
        document: DocumentId,
        /// What it says.
        remark: Remark,
    },
    /// The server ended a room for now, or takes no message as long as a change; the link joins it again by
    /// itself.
    Interrupted {
        /// The document.
        document: DocumentId,
        /// Why, in the server's words or as a clause.
        reason: String,
    },
    /// The server does not let us into a room; the next connection asks again.
    Denied {
        /// The document.
        document: DocumentId,
        /// The server's words.
        reason: String,
    },
}

/// The connection's condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// An attempt is under way.
    Connecting,
    /// The socket stands; rooms are being joined.
    Connected,
    /// No connection; edits stay here.
    Offline {
        /// When the next attempt starts.
        retry_in: Duration,
        /// One sentence on what went wrong.
        reason: String,
    },
    /// The server will not have us: no attempt follows before [`Command::Renew`].
    Denied {
        /// One sentence that says what to do.
        reason: String,
    },
}

/// Room for a burst of typing in several documents. An owner that must not wait keeps what does
/// not fit.
const COMMANDS: usize = 256;
/// Room for what arrives while the owner is busy; beyond it, the socket is not read.
const EVENTS: usize = 256;

/// Starts the link on the current tokio runtime. It ends when the sender is dropped (after what
/// was commanded has been written), or when the receiver is dropped.
pub fn start(config: Config) -> (mpsc::Sender<Command>, mpsc::Receiver<Event>) {
    let (commands, commands_rx) = mpsc::channel(COMMANDS);
    let (events_tx, events) = mpsc::channel(EVENTS);
    tokio::spawn(task::Task::new(config, commands_rx, events_tx).run());
    (commands, events)
}
