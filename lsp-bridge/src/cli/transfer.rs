//! Bringing many documents up to date with the server, each in both directions.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tutti_engine::Replica;
use tutti_protocol::close;
use tutti_protocol::ids::DocumentId;
use tutti_protocol::remark::Remark;

use crate::link::{self, Command, Event, Status};

/// Documents under way at the same time: enough to hide the way there and back, and few enough to
/// keep both sides small.
const AT_ONCE: usize = 64;
/// A server that says nothing for this long is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// So long the connection may take to close.
const GOODBYE: Duration = Duration::from_secs(2);

/// Where documents come from and go to.
pub(super) trait Documents {
    /// The replica of a document as it is here.
    fn load(&mut self, document: &DocumentId) -> anyhow::Result<Replica>;
    /// Both sides have everything, and the server has confirmed what it lacked.
    fn done(&mut self, document: &DocumentId, replica: Replica) -> anyhow::Result<()>;
    /// What the server has of it is damaged: it stays as it is here.
    ///
    /// # Errors
    /// When nothing can be done without it.
    fn damaged(&mut self, document: &DocumentId) -> anyhow::Result<()>;
}

/// The connection, and what still has to be sent on it.
pub(super) struct Transfer {
    commands: mpsc::Sender<Command>,
    events: mpsc::Receiver<Event>,
    outgoing: VecDeque<Command>,
    /// Since when there is no connection.
    offline_since: Option<Instant>,
    /// Why the server cannot save what it was given, where it said so.
    not_saved: Option<String>,
}

/// A document under way.
struct Room {
    replica: Replica,
    /// The server's part has arrived.
    synced: bool,
    /// The server has been told what it lacks.
    told: bool,
    /// And has not confirmed it.
    unconfirmed: bool,
}

/// The update that says nothing.
const EMPTY_UPDATE: [u8; 2] = [0, 0];

impl Transfer {
    /// Starts to connect, on the current runtime.
    pub(super) fn start(config: link::Config) -> Self {
        let (commands, events) = link::start(config);
        Self {
            commands,
            events,
            outgoing: VecDeque::new(),
            offline_since: None,
            not_saved: None,
        }
    }

    /// Brings these documents up to date on both sides.
    pub(super) async fn run(
        &mut self,
        documents: impl IntoIterator<Item = DocumentId>,
        store: &mut impl Documents,
    ) -> anyhow::Result<()> {
        let mut waiting = documents.into_iter();
        let mut rooms: HashMap<DocumentId, Room> = HashMap::new();
        loop {
            while rooms.len() < AT_ONCE
                && let Some(document) = waiting.next()
            {
                let replica = store.load(&document)?;
                self.outgoing.push_back(Command::Join {
                    document: document.clone(),
                    state_vector: replica.state_vector(),
                });
                rooms.insert(document, Room::new(replica));
            }
            if rooms.is_empty() {
                return self.flush().await;
            }
            let Some(event) = self.step().await? else {
                continue;
            };
            if let Event::Denied { document, reason } = &event
                && close::is_damage(reason)
            {
                if rooms.remove(document).is_some() {
                    store.damaged(document)?;
                    self.outgoing.push_back(Command::Leave(document.clone()));
                }
                continue;
            }
            if let Some(document) = self.take(event, &mut rooms)?
                && let Some(room) = rooms.remove(&document)
            {
                store.done(&document, room.replica)?;
                self.outgoing.push_back(Command::Leave(document));
            }
        }
    }

    /// Takes leave of the server, so that it does not find the connection broken.
    pub(super) async fn close(self) {
        let Self {
            commands,
            mut events,
            ..
        } = self;
        drop(commands);
        let ended = async { while events.recv().await.is_some() {} };
        if tokio::time::timeout(GOODBYE, ended).await.is_err() {
            tracing::debug!("the connection took too long to close");
        }
    }

    /// Sends one command or receives one event, whichever comes first: waiting for either alone
    /// could wait for ever, since both ways are bounded.
    async fn step(&mut self) -> anyhow::Result<Option<Event>> {
        let patience = tokio::time::sleep(PATIENCE);
        tokio::select! {
            permit = self.commands.reserve(), if !self.outgoing.is_empty() => {
                let permit = permit.context("the connection has ended")?;
                if let Some(command) = self.outgoing.pop_front() {
                    permit.send(command);
                }
                Ok(None)
            }
            event = self.events.recv() => Ok(Some(event.context("the connection has ended")?)),
            () = patience => match &self.not_saved {
                Some(reason) => bail!("the server cannot save at present: {reason}; try again later"),
                None => bail!("the server does not answer any more: try again later"),
            },
        }
    }

    async fn flush(&mut self) -> anyhow::Result<()> {
        while !self.outgoing.is_empty() {
            self.step().await?;
        }
        Ok(())
    }

    /// Takes in an event; returns a document that it completes.
    fn take(
        &mut self,
        event: Event,
        rooms: &mut HashMap<DocumentId, Room>,
    ) -> anyhow::Result<Option<DocumentId>> {
        let document = match event {
            Event::Status(status) => {
                match status {
                    Status::Denied { reason } => bail!("the server refuses: {reason}"),
                    Status::Offline { reason, .. } => {
                        let since = self.offline_since.get_or_insert_with(Instant::now);
                        if since.elapsed() >= PATIENCE {
                            bail!("the connection does not come back: {reason}");
                        }
                    }
                    Status::Connected => self.offline_since = None,
                    Status::Connecting => {}
                }
                return Ok(None);
            }
            Event::Refused(_) => bail!("your link is for viewing only: ask for an editor link"),
            Event::Denied { reason, .. } => bail!("the server refuses: {reason}"),
            Event::StateVectorWanted(document) => {
                if let Some(room) = rooms.get_mut(&document) {
                    room.synced = false;
                    room.told = false;
                    self.outgoing.push_back(Command::StateVector {
                        state_vector: room.replica.state_vector(),
                        document: document.clone(),
                    });
                }
                document
            }
            Event::DiffWanted {
                document,
                state_vector,
            } => {
                if let Some(room) = rooms.get_mut(&document) {
                    let update = room.replica.diff(&state_vector)?;
                    room.told = true;
                    room.unconfirmed = update != EMPTY_UPDATE;
                    self.outgoing.push_back(Command::Diff {
                        document: document.clone(),
                        update,
                    });
                }
                document
            }
            Event::Synced(document) => {
                if let Some(room) = rooms.get_mut(&document) {
                    room.synced = true;
                }
                document
            }
            Event::Update { document, update } => {
                if let Some(room) = rooms.get_mut(&document) {
                    room.replica.apply(&update)?;
                }
                document
            }
            Event::Unsaved {
                document, count, ..
            } => {
                if let Some(room) = rooms.get_mut(&document) {
                    room.unconfirmed = count > 0;
                }
                document
            }
            Event::Interrupted { document, reason } => {
                tracing::warn!(%document, reason, "a room was interrupted");
                document
            }
            Event::Saving { remark, .. } => {
                self.not_saved = match remark {
                    Remark::NotSaved { reason } => Some(reason),
                    Remark::Saved => None,
                };
                return Ok(None);
            }
            Event::Authenticated { .. }
            | Event::Awareness { .. }
            | Event::AwarenessWanted(_)
            | Event::Changed(_) => {
                return Ok(None);
            }
        };
        let complete = rooms.get(&document).is_some_and(Room::is_complete);
        Ok(complete.then_some(document))
    }
}

impl Room {
    fn new(replica: Replica) -> Self {
        Self {
            replica,
            synced: false,
            told: false,
            unconfirmed: false,
        }
    }

    fn is_complete(&self) -> bool {
        self.synced && self.told && !self.unconfirmed
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use tokio::net::TcpListener;
    use tokio_tungstenite::accept_async;
    use tokio_tungstenite::tungstenite::Message;

    use super::*;

    #[tokio::test]
    async fn the_server_is_told_of_the_end() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut transfer = Transfer::start(link::Config {
            server: format!("http://{address}").parse().unwrap(),
            project: "p".parse().unwrap(),
            token: link::Token("secret".into()),
            timing: link::Timing::default(),
        });
        let mut peer = accept_async(listener.accept().await.unwrap().0)
            .await
            .unwrap();
        loop {
            let event = transfer.events.recv().await.unwrap();
            if event == Event::Status(Status::Connected) {
                break;
            }
        }
        let (end, ()) = tokio::join!(peer.next(), transfer.close());
        assert!(matches!(end, Some(Ok(Message::Close(_)))), "{end:?}");
    }
}
