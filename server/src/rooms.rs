//! The registry: the one place that opens rooms, keeps them warm and lets them go.

mod bulk;
mod edited;
mod hints;
mod others;
mod registry;
mod sockets;
#[cfg(test)]
mod tests;
mod versions;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;
use tokio::sync::oneshot;
use tutti_protocol::close;
use tutti_protocol::ids::{ProjectId, RoomName};
use yrs::{Doc, GetString, ReadTxn, Transact};

use crate::fanout::FanOut;
use crate::limits::Limits;
use crate::room::{Closing, Command, JoinError, NewMember, RoomHandle, SocketQueue};
use crate::store::{DocumentSize, DocumentStore, StoreError};

pub use bulk::Have;
pub(crate) use bulk::off_the_loop;
pub use others::Standing;
pub(crate) use registry::Registry;
pub use sockets::SocketGuard;

/// How often the figures are brought up to date.
const GAUGE_INTERVAL: Duration = Duration::from_secs(1);

/// How long a room that goes may take.
const GOING: Duration = Duration::from_millis(100);

/// A room that goes while it is being joined is opened anew; so often in a row it does not happen.
const TRIES: usize = 32;

/// A handle to the registry; clones share it.
#[derive(Clone)]
pub struct Rooms {
    registry: Arc<Registry>,
}

/// Why a room does not open, or does not do what was asked.
#[derive(Debug, Clone, Error)]
pub enum RoomError {
    /// The document could not be read; it is not taken for an empty one.
    #[error("the document cannot be loaded: {0}")]
    Store(#[from] StoreError),
    /// The server is going down.
    #[error("the server is restarting")]
    ShuttingDown,
    /// The project was deleted.
    #[error("the project has been deleted")]
    Deleted,
    /// A cap was met; the text names it.
    #[error("{0}")]
    Limit(String),
    /// The update is no update, or it cannot be applied.
    #[error("the update is not valid: {0}")]
    BadUpdate(String),
}

impl RoomError {
    /// Whether what is stored is damaged, so that to try again is of no use.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_damage())
    }
}

/// What is said of a stop that the store has not let save everything.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "not everything could be saved before stopping, because {why}: put that right and start the server again; what is missing was shown to nobody as saved, and comes again from those who wrote it"
)]
pub struct NotSaved {
    /// What is the matter with the store.
    pub why: String,
}

/// Why somebody does not come into a room.
#[derive(Debug, Clone, Error)]
pub enum EnterError {
    /// There is no room to enter.
    #[error(transparent)]
    Room(#[from] RoomError),
    /// The room does not let this member in.
    #[error("{}", .0.reason)]
    Refused(Closing),
}

impl EnterError {
    /// Whether what is stored is damaged, so that to come back is of no use.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Room(error) if error.is_damage())
    }

    /// What a socket is told that cannot join for this.
    pub fn closing(&self) -> Closing {
        let code = match self {
            Self::Room(RoomError::Store(error)) if error.is_damage() => {
                return Closing::new(close::DAMAGED, close::DAMAGED_REASON);
            }
            Self::Room(RoomError::Store(_) | RoomError::Limit(_)) => close::TRY_LATER,
            Self::Room(RoomError::ShuttingDown) => close::RESTART,
            Self::Room(RoomError::Deleted) => close::NOT_FOUND,
            Self::Room(RoomError::BadUpdate(_)) => close::BAD_FRAME,
            Self::Refused(closing) => return closing.clone(),
        };
        Closing::new(code, self.to_string())
    }
}

/// Whether what people write is being saved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// Why saving fails at present; `None` when it does not.
    pub not_saving: Option<String>,
    /// Rooms whose last write failed.
    pub failing_rooms: usize,
    /// Documents that did not open because what is stored of them is damaged.
    pub damaged_documents: usize,
}

impl Rooms {
    /// A registry without open rooms. Call it within a tokio runtime.
    pub fn new(store: Arc<dyn DocumentStore>, fanout: Arc<dyn FanOut>, limits: Limits) -> Self {
        let registry = Arc::new(Registry::new(store, fanout, limits));
        let weak = Arc::downgrade(&registry);
        tokio::spawn(async move {
            let mut interval = tokio::time::interval(GAUGE_INTERVAL);
            loop {
                interval.tick().await;
                match weak.upgrade() {
                    Some(registry) => registry.show(),
                    None => return,
                }
            }
        });
        Self { registry }
    }

    /// The caps that hold.
    pub fn limits(&self) -> &Limits {
        &self.registry.limits
    }

    /// Lets somebody into a room, which is opened for it where it must be.
    pub async fn join(&self, room: &RoomName, member: NewMember) -> Result<RoomHandle, EnterError> {
        self.registry.check_project(room)?;
        for _ in 0..TRIES {
            let handle = self.registry.open(room).await?;
            let (answer, joined) = oneshot::channel();
            let join = Command::Join(member.clone(), answer);
            let result = match handle.send(join).await {
                Ok(()) => joined.await.unwrap_or(Err(JoinError::Gone)),
                Err(gone) => Err(gone),
            };
            match result {
                Ok(()) => return Ok(handle),
                Err(JoinError::Refused(closing)) => return Err(EnterError::Refused(closing)),
                Err(JoinError::Gone) => until_gone(&handle).await,
            }
        }
        Err(gone().into())
    }

    /// The text of a document (its root `content`), with what is not saved yet; `None` when
    /// nothing was ever written to the document.
    pub async fn text(&self, room: &RoomName) -> Result<Option<String>, RoomError> {
        self.read(room, |doc| {
            let txn = doc.transact();
            txn.get_text("content")
                .map(|text| text.get_string(&txn))
                .unwrap_or_default()
        })
        .await
    }

    /// Runs `read` on a document; `None` when nothing was ever written to it. It runs in the
    /// room's own task, so it must be brief.
    pub async fn read<T: Send + 'static>(
        &self,
        room: &RoomName,
        read: impl FnOnce(&Doc) -> T + Send + 'static,
    ) -> Result<Option<T>, RoomError> {
        let read = Arc::new(std::sync::Mutex::new(Some(read)));
        for _ in 0..TRIES {
            let handle = self.registry.open(room).await?;
            let (answer, result) = oneshot::channel();
            let read = read.clone();
            let command = Command::Read(Box::new(move |doc, written| {
                let read = read
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner)
                    .take();
                // Nobody may be waiting any more.
                let _ = answer.send(read.filter(|_| written).map(|read| read(doc)));
            }));
            if handle.send(command).await.is_ok()
                && let Ok(read) = result.await
            {
                return Ok(read);
            }
            until_gone(&handle).await;
        }
        Err(gone())
    }

    /// Writes to a document as a client would; returns when it is durable.
    pub async fn apply(&self, room: &RoomName, update: Bytes) -> Result<(), RoomError> {
        for _ in 0..TRIES {
            let handle = self.registry.open(room).await?;
            let (answer, result) = oneshot::channel();
            let command = Command::Apply(update.clone(), answer);
            if handle.send(command).await.is_ok()
                && let Ok(result) = result.await
            {
                return result;
            }
            until_gone(&handle).await;
        }
        Err(gone())
    }

    /// The stored documents of a project with their sizes.
    pub async fn documents(&self, project: &ProjectId) -> Result<Vec<DocumentSize>, RoomError> {
        Ok(self.registry.store.documents(project).await?)
    }

    /// Whether saving works, and why not.
    pub fn health(&self) -> Health {
        self.registry.health()
    }

    /// Why other nodes are not heard at present, if they are not.
    pub fn fanout_trouble(&self) -> Option<String> {
        self.registry.fanout.trouble()
    }

    /// Has a socket closed when the server goes down, and waited for.
    pub fn register(&self, socket: Arc<SocketQueue>) -> SocketGuard {
        self.registry.sockets.register(socket)
    }

    /// Flushes every room, then closes every socket with 1012. No room opens any more.
    ///
    /// # Errors
    /// The store did not take everything in [`Limits::shutdown_timeout`].
    pub async fn shutdown(&self) -> Result<(), NotSaved> {
        self.registry.shutdown().await
    }
}

/// Waits for a room that did not answer to go. One whose document cannot be read stays.
async fn until_gone(handle: &RoomHandle) {
    let _ = tokio::time::timeout(GOING, handle.ended()).await;
}

fn gone() -> RoomError {
    RoomError::Limit("the room closes again and again; try later".to_owned())
}
