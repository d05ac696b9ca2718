//! Reading documents out of the store, and remembering which are damaged there.

use std::collections::HashSet;
use std::sync::{MutexGuard, PoisonError};
use std::time::Instant;

use tutti_protocol::ids::RoomName;

use super::Registry;
use crate::document::Document;
use crate::rooms::RoomError;
use crate::store::{Seen, StoreError, StoredDocument};

impl Registry {
    /// Reads what of a document is not in `seen`.
    pub(crate) async fn news(
        &self,
        name: &RoomName,
        seen: &Seen,
    ) -> Result<Option<StoredDocument>, StoreError> {
        let _turn = self
            .looks
            .acquire()
            .await
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let news = self.store.news(name, seen).await;
        if let Err(error) = &news {
            self.note_damage(name, error);
        }
        news
    }

    /// Reads and builds a document; nothing stored gives a new one.
    pub(crate) async fn load(
        &self,
        name: &RoomName,
    ) -> Result<(Document, Option<StoredDocument>), RoomError> {
        let loaded = self.try_load(name).await;
        match &loaded {
            Ok(_) => {
                self.damaged().remove(name);
            }
            Err(RoomError::Store(error)) => self.note_damage(name, error),
            Err(_) => {}
        }
        loaded
    }

    async fn try_load(
        &self,
        name: &RoomName,
    ) -> Result<(Document, Option<StoredDocument>), RoomError> {
        let _turn = self
            .loads
            .acquire()
            .await
            .map_err(|_| RoomError::ShuttingDown)?;
        let started = Instant::now();
        let Some(stored) = self.store.load(name).await? else {
            return Ok((Document::default(), None));
        };
        // Building a large document takes longer than a task may hold its thread.
        let built = tokio::task::spawn_blocking(move || {
            Document::from_stored(&stored).map(|document| (document, stored))
        })
        .await
        .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        metrics::histogram!("tutti_document_load_seconds").record(started.elapsed());
        let (document, stored) = built.map_err(|error| StoreError::Corrupt {
            room: name.to_string(),
            what: error.to_string(),
        })?;
        if document.held_bytes() > 0 {
            let bytes = document.held_bytes();
            tracing::warn!(room = %name, bytes, "some of what is stored builds on what is not, and is not shown until that comes");
        }
        Ok((document, Some(stored)))
    }

    pub(super) fn damaged(&self) -> MutexGuard<'_, HashSet<RoomName>> {
        self.damaged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of a damaged document once, until it has been read in order again.
    pub(super) fn note_damage(&self, name: &RoomName, error: &StoreError) {
        if error.is_damage() && self.damaged().insert(name.clone()) {
            tracing::error!(room = %name, %error, "a document is damaged and does not open");
        }
    }
}
