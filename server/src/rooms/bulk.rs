//! Many documents at once, past the rooms where nobody is in them.
//!
//! A room for each of ten thousand files would be built, kept warm and let go again for one
//! update each. What is open goes through its room, as ever. What is not is read from the store,
//! and what the store does not know either is written to it in one transaction for all of them;
//! while that is under way, whoever wants to open such a room waits.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use tutti_protocol::bulk::Differing;
use tutti_protocol::fingerprint::{Fingerprint, fingerprint};
use tutti_protocol::ids::{DocumentId, ProjectId, RoomName};
use yrs::{ReadTxn, StateVector, Transact};

use super::{Registry, RoomError, Rooms};
use crate::document::{Document, Wanted};
use crate::fanout::{Message, Topic};
use crate::store::{Append, StoreError};
use crate::update::EMPTY;

/// What a client has of a document.
#[derive(Debug, Clone)]
pub enum Have {
    /// All up to this.
    Vector(StateVector),
    /// This whole state, which the server may lack.
    State(Bytes),
    /// What has this state vector and this fingerprint.
    Contents(StateVector, Fingerprint),
}

/// What the answers need together before the rest is left to be asked for again, in bytes.
const ANSWER_BYTES: usize = 4 * 1024 * 1024;

impl Rooms {
    /// Brings documents up to date in both directions: what the client has becomes durable, and
    /// what it lacks is returned, in order; nothing where that is nothing. May return less than
    /// was asked for, but at least one.
    pub async fn exchange(
        &self,
        project: &ProjectId,
        asked: Vec<(DocumentId, Have)>,
    ) -> Result<Vec<(DocumentId, Bytes)>, RoomError> {
        let registry = self.registry.clone();
        let turn = registry.bulk.clone().acquire_owned().await;
        let turn = turn.map_err(|_| RoomError::ShuttingDown)?;
        let states = asked.iter().filter_map(|(document, have)| match have {
            Have::State(state) => Some((document.clone(), state.clone())),
            Have::Vector(_) | Have::Contents(..) => None,
        });
        // A task of its own: what has been begun is ended, even if nobody waits for it any more.
        let adding = add_new(registry.clone(), project.clone(), states.collect());
        let adding = tokio::spawn(async move { (adding.await, turn) });
        let added = adding.await;
        let (new, _turn) = added.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let new = new?;
        let mut given = Vec::new();
        let mut bytes = 0;
        for (document, have) in asked {
            let lacking = match new.contains(&document) {
                true => Bytes::new(),
                false => {
                    let room = RoomName::new(project.clone(), document.clone());
                    match self.exchange_one(&room, have).await {
                        Ok(lacking) => lacking,
                        // Alone it is asked for again, and only then is it what fails.
                        Err(error) if error.is_damage() && !given.is_empty() => break,
                        Err(error) => return Err(error),
                    }
                }
            };
            bytes += lacking.len();
            given.push((document, lacking));
            if bytes >= ANSWER_BYTES {
                break;
            }
        }
        Ok(given)
    }

    async fn exchange_one(&self, room: &RoomName, have: Have) -> Result<Bytes, RoomError> {
        let (vector, state, theirs) = match have {
            Have::Vector(vector) => (vector, None, None),
            Have::State(state) => (vector_of(state.clone()).await?, Some(state), None),
            Have::Contents(vector, fingerprint) => (vector, None, Some(fingerprint)),
        };
        if self.registry.resident(room).is_none() {
            let (document, _) = self.registry.load(room).await?;
            let (vector, state) = (vector.clone(), state.clone());
            let lacking = move || lacking(document, &vector, state, theirs);
            if let Some(update) = off_the_loop(lacking).await? {
                return Ok(update);
            }
        }
        // Others may have the room open, here or on another node: they hear of the news.
        if let Some(state) = state {
            self.apply(room, state).await?;
        }
        let known = vector.clone();
        let update = self.read(room, move |doc| given(&doc.transact(), &known, theirs));
        let of_nothing = || given(&Document::default().doc().transact(), &vector, theirs);
        Ok(update.await?.unwrap_or_else(of_nothing))
    }
}

/// What is given of a document that is not open; `None` if the client has news for it.
fn lacking(
    mut document: Document,
    vector: &StateVector,
    state: Option<Bytes>,
    theirs: Option<Fingerprint>,
) -> Result<Option<Bytes>, RoomError> {
    if let Some(state) = state {
        let change = document.apply(&state, Wanted::OnlyNew).map_err(bad)?;
        if change.integrated.is_some() || change.held {
            return Ok(None);
        }
    }
    Ok(Some(given(&document.doc().transact(), vector, theirs)))
}

/// What is given to a client that has this: nothing for nothing.
fn given(txn: &impl ReadTxn, vector: &StateVector, theirs: Option<Fingerprint>) -> Bytes {
    let ours = theirs.map(|_| fingerprint(txn));
    if ours.is_some() && ours == theirs {
        return Bytes::new();
    }
    let update = txn.encode_diff_v1(vector);
    match ours {
        Some(fingerprint) => {
            let update = &update;
            let differing = Differing {
                fingerprint,
                update,
            };
            differing.write().into()
        }
        None if update == EMPTY => Bytes::new(),
        None => update.into(),
    }
}

async fn vector_of(state: Bytes) -> Result<StateVector, RoomError> {
    let document = off_the_loop(move || built(&state)).await?;
    Ok(document.doc().transact().state_vector())
}

fn built(state: &Bytes) -> Result<Document, RoomError> {
    let mut document = Document::default();
    let change = document.apply(state, Wanted::AsSent).map_err(bad)?;
    match change.held {
        true => Err(RoomError::BadUpdate("a part of it is missing".to_owned())),
        false => Ok(document),
    }
}

fn bad(error: crate::document::ApplyError) -> RoomError {
    RoomError::BadUpdate(error.to_string())
}

/// Building documents takes longer than a task may hold its thread.
pub(crate) async fn off_the_loop<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RoomError> + Send + 'static,
) -> Result<T, RoomError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| StoreError::Unavailable(error.to_string()))?
}

/// Writes the documents that the store does not know and that are not open, and returns which
/// those were.
async fn add_new(
    registry: Arc<Registry>,
    project: ProjectId,
    states: HashMap<DocumentId, Bytes>,
) -> Result<HashSet<DocumentId>, RoomError> {
    let room = |document: &DocumentId| RoomName::new(project.clone(), document.clone());
    let reserved = registry.reserve(&project, states.keys().map(room))?;
    let mut batch = Vec::new();
    for room in &reserved.rooms {
        let Some(state) = states.get(&room.document) else {
            continue;
        };
        match registry.store.load(room).await {
            Ok(None) => batch.push(Append::new(room.clone(), state.clone())),
            Ok(Some(_)) => {}
            // Told of when its turn comes; the others have theirs.
            Err(error) if error.is_damage() => {}
            Err(error) => return Err(error.into()),
        }
    }
    let most = registry.limits.document_bytes;
    let batch = off_the_loop(move || {
        for append in &batch {
            if append.update.len() > most {
                let mib = most / (1024 * 1024);
                return Err(RoomError::Limit(format!(
                    "a document has over {mib} MiB, the most it may have"
                )));
            }
            built(&append.update)?;
        }
        Ok(batch)
    });
    let batch = batch.await?;
    let new = batch.iter().map(|append| append.room.document.clone());
    let new: HashSet<DocumentId> = new.collect();
    if !batch.is_empty() {
        registry.store.append(batch).await?;
    }
    // Another node may have such a document open already, and empty.
    if registry.fanout.has_others() {
        for document in &new {
            let topic = Topic::Room(room(document));
            registry.fanout.publish(&topic, None, Message::Stored);
        }
    }
    Ok(new)
}
