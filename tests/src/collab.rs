//! A client of the Hocuspocus protocol that sees every frame and counts every acknowledgement.

mod socket;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{self, Message as Socket};
use tutti_protocol::awareness::{self, AwarenessEntry};
use tutti_protocol::hocuspocus::{Frame, Message};
use tutti_protocol::index::{CONTENT, new_doc};
use tutti_protocol::role::Role;
use tutti_protocol::sync::SyncMessage;
use yrs::updates::decoder::Decode;
use yrs::updates::encoder::Encode;
use yrs::{Assoc, Doc, GetString, IndexedSequence, ReadTxn, StateVector, Text, Transact, Update};

pub use socket::{Connection, closed, connect, send};

use crate::rest::Project;
use crate::server::Server;
use crate::stock::Target;
use crate::wait::LONG;
use socket::{connect_within, wait_at_most};

/// A document, and the account of what is durable. It outlives its connections.
pub struct Member {
    doc: Doc,
    address: String,
    token: String,
    server: String,
    socket: Option<Connection>,
    /// How long anything may take while it connects.
    patience: Duration,
    /// One entry for each update sent on this connection: what it was, until it is acknowledged.
    waiting: VecDeque<Vec<Edit>>,
    account: Account,
    /// Made, and neither acknowledged nor sent on this connection.
    unsent: Vec<Edit>,
    role: Option<Role>,
    /// How often it has shown its caret.
    shown: u64,
    /// Whom the server shows in the room, with the clock of each.
    present: BTreeMap<u64, u64>,
}

/// What a member has done, ever, and what of it is durable as the server says.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// What it typed.
    pub typed: Vec<String>,
    /// What of that is acknowledged.
    pub acknowledged: Vec<String>,
    /// What it deleted again.
    pub deleted: Vec<String>,
    /// Deletions that are acknowledged.
    pub gone: Vec<String>,
}

/// A change that waits for its acknowledgement.
enum Edit {
    Typed(String),
    Deleted(String),
}

impl Member {
    /// A member with an empty document who is not connected yet. `client_id` must be its own.
    #[must_use]
    pub fn new(to: Target<'_>, client_id: u64) -> Self {
        Self {
            doc: new_doc(client_id),
            address: format!("{}/{}", to.project, to.document),
            token: to.token.to_owned(),
            server: to.server.to_owned(),
            socket: None,
            patience: LONG,
            waiting: VecDeque::new(),
            account: Account::default(),
            unsent: Vec::new(),
            role: None,
            shown: 0,
            present: BTreeMap::new(),
        }
    }

    /// With less patience while it connects.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Connects to another server from now on (`ws://ADDRESS`).
    pub fn go_to(&mut self, server: &str) {
        server.clone_into(&mut self.server);
    }

    /// A member who is connected and has the server's text.
    ///
    /// # Errors
    /// When the server does not let it in.
    pub fn join(to: Target<'_>, client_id: u64) -> Result<Self> {
        let mut member = Self::new(to, client_id);
        member.connect()?;
        Ok(member)
    }

    /// The same at a server, by its link to edit.
    ///
    /// # Errors
    /// As [`Member::join`].
    pub fn join_at(
        server: &Server,
        project: &Project,
        document: &str,
        client_id: u64,
    ) -> Result<Self> {
        let to = Target {
            server: &server.ws_url(),
            project: &project.id,
            document,
            token: project.editor_token(),
        };
        Self::join(to, client_id)
    }

    /// Connects (again), and exchanges what either side lacks.
    ///
    /// # Errors
    /// When the server does not let it in.
    pub fn connect(&mut self) -> Result<()> {
        // What was sent on the connection before, and not acknowledged, goes with the exchange.
        let sent: Vec<Edit> = self.waiting.drain(..).flatten().collect();
        self.unsent.splice(0..0, sent);
        self.socket = None;
        self.present.clear();
        let mut socket = connect_within(self.patience, &self.server, "/collab")?;
        let token = self.token.clone();
        send(
            &mut socket,
            &self.address,
            Message::Token {
                token: &token,
                version: None,
            },
        )?;
        self.socket = Some(socket);
        self.role = None;
        let (mut asked, mut answered) = (false, false);
        // In: the server's role, its Step2, and its question, which is answered with all that it lacks.
        while self.role.is_none() || !asked || !answered {
            let event = self.receive(self.patience)?;
            match event.context("the server says nothing")? {
                Event::LetIn => {
                    let vector = self.doc.transact().state_vector().encode_v1();
                    self.say(Message::Sync(SyncMessage::Step1(&vector)))?;
                }
                Event::Answered => answered = true,
                Event::Asked => asked = true,
                Event::Acknowledged | Event::Changed(_) | Event::Told(_) | Event::Other => {}
                Event::Denied(reason) => bail!("permission denied: {reason}"),
            }
        }
        Ok(())
    }

    /// What the server lets it do.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        self.role
    }

    /// Goes, as one goes whose connection is lost.
    pub fn leave(&mut self) {
        self.socket = None;
    }

    /// Appends text, and sends it.
    ///
    /// # Errors
    /// When the connection is gone; the text is then sent with the next.
    pub fn append(&mut self, text: &str) -> Result<()> {
        let content = self.doc.get_or_insert_text(CONTENT);
        let end = content.len(&self.doc.transact());
        self.insert(end, text)
    }

    /// Inserts text at a place counted in UTF-16 units, and sends it.
    ///
    /// # Errors
    /// When the connection is gone; the text is then sent with the next.
    pub fn insert(&mut self, index: u32, text: &str) -> Result<()> {
        let content = self.doc.get_or_insert_text(CONTENT);
        let update = {
            let mut txn = self.doc.transact_mut();
            content.insert(&mut txn, index, text);
            txn.encode_update_v1()
        };
        self.unsent.push(Edit::Typed(text.to_owned()));
        self.account.typed.push(text.to_owned());
        self.send_edit(&update)
    }

    /// Deletes text that stands somewhere, written in ASCII, and sends that.
    ///
    /// # Errors
    /// When it does not stand there, or the connection is gone; it is then sent with the next.
    pub fn delete(&mut self, text: &str) -> Result<()> {
        let place = self.text().find(text).context("no such text")?;
        let content = self.doc.get_or_insert_text(CONTENT);
        let update = {
            let mut txn = self.doc.transact_mut();
            content.remove_range(&mut txn, place as u32, text.len() as u32);
            txn.encode_update_v1()
        };
        self.unsent.push(Edit::Deleted(text.to_owned()));
        self.account.deleted.push(text.to_owned());
        self.send_edit(&update)
    }

    fn send_edit(&mut self, update: &[u8]) -> Result<()> {
        self.say(Message::Sync(SyncMessage::Update(update)))?;
        let sent = std::mem::take(&mut self.unsent);
        self.waiting.push_back(sent);
        Ok(())
    }

    /// Shows its caret, under a name, before the character at a place counted in UTF-16 units.
    ///
    /// # Errors
    /// When the connection is gone, or the text has no such place.
    pub fn show_caret(&mut self, name: &str, index: u32) -> Result<()> {
        let content = self.doc.get_or_insert_text(CONTENT);
        let place = content.sticky_index(&self.doc.transact(), index, Assoc::After);
        let place = place.context("no such place")?;
        self.show(name, json!({ "anchor": place, "head": place }))
    }

    /// Shows that it is there, under a name, without a caret.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn show_itself(&mut self, name: &str) -> Result<()> {
        self.show(name, Value::Null)
    }

    fn show(&mut self, name: &str, cursor: Value) -> Result<()> {
        self.shown += 1;
        let state = json!({
            "user": { "name": name, "color": "#30bced", "colorLight": "#30bced33" },
            "cursor": cursor,
        });
        let update = awareness::encode(&[AwarenessEntry {
            client: self.doc.client_id().get(),
            clock: self.shown,
            state: state.to_string(),
        }]);
        self.say(Message::Awareness(&update))
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> String {
        let content = self.doc.get_or_insert_text(CONTENT);
        content.get_string(&self.doc.transact())
    }

    /// Everything whose acknowledgement has come, ever.
    #[must_use]
    pub fn acknowledged(&self) -> &[String] {
        &self.account.acknowledged
    }

    /// Everything it has typed, ever.
    #[must_use]
    pub fn typed(&self) -> &[String] {
        &self.account.typed
    }

    /// What it has done, and what is durable of it.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// How many updates wait for their acknowledgement.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether everything it has done is acknowledged.
    #[must_use]
    pub fn is_saved(&self) -> bool {
        self.waiting.is_empty() && self.unsent.is_empty()
    }

    /// Whether it has a connection, as far as it knows.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.socket.is_some()
    }

    /// The clients that the server shows in the room, itself among them once it has shown itself.
    #[must_use]
    pub fn present(&self) -> BTreeSet<u64> {
        self.present.keys().copied().collect()
    }

    /// Waits until all that was sent is acknowledged.
    ///
    /// # Errors
    /// When the connection ends.
    pub fn saved(&mut self) -> Result<()> {
        while !self.waiting.is_empty() {
            self.receive(LONG)?.context("no acknowledgement")?;
        }
        Ok(())
    }

    /// Waits until its text is the given one.
    ///
    /// # Errors
    /// When it does not come to be in time, with what it is instead and how much else has come.
    pub fn holds(&mut self, text: &str) -> Result<()> {
        self.holds_within(text, LONG)
    }

    fn holds_within(&mut self, text: &str, time: Duration) -> Result<()> {
        let start = Instant::now();
        let mut frames = 0;
        while self.text() != text {
            // A frame that says nothing of it, such as a sign of life, gives it no more time.
            let left = time.saturating_sub(start.elapsed());
            let came = !left.is_zero() && self.receive(left)?.is_some();
            if !came {
                let difference = crate::project::difference(text, &self.text());
                bail!("after {time:?} and {frames} frames\n{difference}");
            }
            frames += 1;
        }
        Ok(())
    }

    /// Takes one frame, if one comes within `time`.
    ///
    /// # Errors
    /// When the connection ends.
    pub fn receive(&mut self, time: Duration) -> Result<Option<Event>> {
        let socket = self.socket.as_mut().context("not connected")?;
        wait_at_most(socket, time)?;
        let bytes = match socket.read() {
            Ok(Socket::Binary(bytes)) => bytes,
            Ok(Socket::Close(frame)) => bail!("closed: {frame:?}"),
            Ok(_) => return Ok(Some(Event::Other)),
            Err(tungstenite::Error::Io(error))
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let frame = Frame::decode(&bytes)?;
        if frame.address != self.address {
            bail!("a frame for {}", frame.address);
        }
        self.take(frame.message).map(Some)
    }

    fn take(&mut self, message: Message<'_>) -> Result<Event> {
        Ok(match message {
            Message::Authenticated(role) => {
                self.role = Some(role);
                Event::LetIn
            }
            Message::PermissionDenied(reason) => Event::Denied(reason.to_owned()),
            Message::Sync(SyncMessage::Step1(vector)) => {
                let vector = StateVector::decode_v1(vector)?;
                let update = self.doc.transact().encode_diff_v1(&vector);
                self.say(Message::Sync(SyncMessage::Step2(&update)))?;
                let sent = std::mem::take(&mut self.unsent);
                self.waiting.push_back(sent);
                Event::Asked
            }
            Message::Sync(SyncMessage::Step2(update))
            | Message::SyncReply(SyncMessage::Step2(update)) => {
                self.apply(update)?;
                Event::Answered
            }
            Message::Sync(SyncMessage::Update(update))
            | Message::SyncReply(SyncMessage::Update(update)) => {
                self.apply(update)?;
                Event::Changed(update.to_vec())
            }
            Message::Awareness(update) => {
                self.see(awareness::decode(update)?);
                Event::Other
            }
            Message::SyncStatus(true) => {
                let durable = self
                    .waiting
                    .pop_front()
                    .context("an acknowledgement of nothing")?;
                for edit in durable {
                    match edit {
                        Edit::Typed(text) => self.account.acknowledged.push(text),
                        Edit::Deleted(text) => self.account.gone.push(text),
                    }
                }
                Event::Acknowledged
            }
            Message::SyncStatus(false) => bail!("the server refused an update"),
            Message::Close(reason) => bail!("the room was closed: {reason}"),
            Message::Stateless(text) => Event::Told(text.to_owned()),
            _ => Event::Other,
        })
    }

    fn see(&mut self, entries: Vec<AwarenessEntry>) {
        for entry in entries {
            match self.present.get(&entry.client) {
                Some(&clock) if entry.is_removal() && entry.clock >= clock => {
                    self.present.remove(&entry.client);
                }
                Some(&clock) if entry.clock <= clock => {}
                _ if entry.is_removal() => {}
                _ => {
                    self.present.insert(entry.client, entry.clock);
                }
            }
        }
    }

    fn apply(&mut self, update: &[u8]) -> Result<()> {
        let update = Update::decode_v1(update)?;
        self.doc.transact_mut().apply_update(update)?;
        Ok(())
    }

    fn say(&mut self, message: Message<'_>) -> Result<()> {
        let socket = self.socket.as_mut().context("not connected")?;
        send(socket, &self.address, message)
    }
}

/// What a frame was about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The token is accepted.
    LetIn,
    /// It is not.
    Denied(String),
    /// The server asked for what it lacks, and was answered.
    Asked,
    /// The server answered with what we lacked.
    Answered,
    /// Someone's update: this.
    Changed(Vec<u8>),
    /// One of our updates is durable.
    Acknowledged,
    /// A text for everyone in the room.
    Told(String),
    /// Anything else.
    Other,
}
