//! What versions need of documents: their texts without opening rooms, edits, and who is there.

use std::collections::BTreeSet;

use tokio::sync::oneshot;
use tutti_protocol::ids::{DocumentId, ProjectId, RoomName};
use tutti_protocol::index::{CONTENT, new_doc};
use yrs::updates::decoder::Decode;
use yrs::{Doc, GetString, ReadTxn, StateVector, Transact, Update};

use super::bulk::off_the_loop;
use super::{RoomError, Rooms};
use crate::room::Command;
use crate::store::StoreError;

impl Rooms {
    /// The text of a document, as [`Rooms::text`], but without opening a room for it: to go through
    /// a whole project takes no more memory than its largest file.
    ///
    /// # Errors
    /// The document cannot be read. It is never taken for an empty one.
    pub(crate) async fn text_at_rest(&self, room: &RoomName) -> Result<Option<String>, RoomError> {
        if self.registry.resident(room).is_some() {
            return self.text(room).await;
        }
        let (document, stored) = self.registry.load(room).await?;
        if stored.is_none() {
            return Ok(None);
        }
        off_the_loop(move || {
            let txn = document.doc().transact();
            let text = txn.get_text(CONTENT);
            Ok(Some(
                text.map(|text| text.get_string(&txn)).unwrap_or_default(),
            ))
        })
        .await
    }

    /// A replica of a document, as a client has it that has joined just now. What is edited there is
    /// written to the document as an update, by [`Rooms::apply`].
    pub(crate) async fn replica(&self, room: &RoomName) -> Result<Doc, RoomError> {
        let state = self.read(room, |doc| {
            doc.transact().encode_diff_v1(&StateVector::default())
        });
        let state = state.await?;
        off_the_loop(move || {
            let doc = new_doc(client_id()?);
            if let Some(state) = state {
                let bad = |error: String| RoomError::BadUpdate(error);
                let state = Update::decode_v1(&state).map_err(|error| bad(error.to_string()))?;
                let applied = doc.transact_mut().apply_update(state);
                applied.map_err(|error| bad(error.to_string()))?;
            }
            Ok(doc)
        })
        .await
    }

    /// The names that people in a project show, on every node, as far as this one hears of them.
    pub(super) async fn people(&self, project: &ProjectId) -> BTreeSet<String> {
        let index = RoomName::new(project.clone(), DocumentId::index());
        let Some(handle) = self.registry.resident(&index) else {
            return BTreeSet::new();
        };
        let (answer, names) = oneshot::channel();
        // A room that has gone has nobody in it.
        let _ = handle.send(Command::People(answer)).await;
        names.await.unwrap_or_default()
    }
}

/// Of 32 bits, as every Yjs client has.
fn client_id() -> Result<u64, RoomError> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(|error| StoreError::Unavailable(error.to_string()))?;
    Ok(u64::from(u32::from_le_bytes(bytes)))
}
