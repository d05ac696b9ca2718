//! A client that behaves as the stock ones do, and remembers what it was told.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message as Ws;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use tutti_protocol::awareness::{self, AwarenessEntry};
use tutti_protocol::codec::Reader;
use tutti_protocol::hocuspocus::{Frame, Message};
use tutti_protocol::index::new_doc;
use tutti_protocol::role::Role;
use tutti_protocol::sync::SyncMessage;
use tutti_protocol::yws;
use yrs::updates::decoder::Decode;
use yrs::updates::encoder::Encode;
use yrs::{Doc, GetString, ReadTxn, StateVector, Text, Transact, Update};

use crate::server::Server;

/// Nothing in these tests takes this long unless it never comes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

pub(crate) async fn connect(url: String) -> Socket {
    tokio_tungstenite::connect_async(url).await.unwrap().0
}

pub(crate) struct Client {
    pub(crate) socket: Socket,
    /// `None` speaks y-websocket.
    address: Option<String>,
    pub(crate) doc: Doc,
    pub(crate) synced: bool,
    /// SyncStatus messages: durable, and refused.
    pub(crate) durable: usize,
    pub(crate) refused: usize,
    /// What Hocuspocus providers count: what they sent and was not confirmed.
    pub(crate) unsynced: i64,
    pub(crate) role: Option<Role>,
    pub(crate) denied: Option<String>,
    /// Close of the room.
    pub(crate) left: Option<String>,
    /// Close of the socket.
    pub(crate) closed: Option<(u16, String)>,
    pub(crate) texts: Vec<String>,
    pub(crate) states: BTreeMap<u64, AwarenessEntry>,
    /// Updates received, as they came.
    pub(crate) updates: Vec<Vec<u8>>,
    pub(crate) frames: usize,
    pub(crate) steps1: usize,
    pub(crate) pings: usize,
}

impl Client {
    fn new(socket: Socket, address: Option<String>, doc: Doc) -> Self {
        Self {
            socket,
            address,
            doc,
            synced: false,
            durable: 0,
            refused: 0,
            unsynced: 0,
            role: None,
            denied: None,
            left: None,
            closed: None,
            texts: Vec::new(),
            states: BTreeMap::new(),
            updates: Vec::new(),
            frames: 0,
            steps1: 0,
            pings: 0,
        }
    }

    /// A y-websocket client that has connected and sent what the stock one sends at once.
    pub(crate) async fn yws(server: &Server, room: &str, token: &str, doc: Doc) -> Self {
        let url = format!("ws://{}/ws/{room}?token={token}", server.addr);
        let mut client = Self::new(connect(url).await, None, doc);
        client.send_step1().await;
        client
    }

    /// The same with the token in the header.
    pub(crate) async fn yws_with_header(server: &Server, room: &str, token: &str) -> Self {
        let mut request = format!("ws://{}/ws/{room}", server.addr)
            .into_client_request()
            .unwrap();
        let value = format!("Bearer {token}").parse().unwrap();
        request.headers_mut().insert("authorization", value);
        let (socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        let mut client = Self::new(socket, None, new_doc(fastrand::u64(1..1 << 32)));
        client.send_step1().await;
        client
    }

    /// A Hocuspocus provider that has sent its token and Step1.
    pub(crate) async fn hocuspocus(server: &Server, room: &str, token: &str, doc: Doc) -> Self {
        let socket = connect(format!("ws://{}/collab", server.addr)).await;
        let mut client = Self::new(socket, Some(room.to_owned()), doc);
        client.join(token).await;
        client
    }

    /// A Hocuspocus connection that has said nothing yet.
    pub(crate) async fn silent(server: &Server, room: &str) -> Self {
        let socket = connect(format!("ws://{}/collab", server.addr)).await;
        Self::new(socket, Some(room.to_owned()), new_doc(77))
    }

    pub(crate) async fn join(&mut self, token: &str) {
        let version = Some("4.8.0");
        self.say(Message::Token { token, version }).await;
        self.unsynced = 1;
        self.send_step1().await;
    }

    async fn send_step1(&mut self) {
        let vector = self.doc.transact().state_vector().encode_v1();
        self.sync(SyncMessage::Step1(&vector)).await;
    }

    /// Sends a Hocuspocus message.
    pub(crate) async fn say(&mut self, message: Message<'_>) {
        let address = self.address.clone().unwrap();
        self.say_to(&address, message).await;
    }

    pub(crate) async fn say_to(&mut self, address: &str, message: Message<'_>) {
        self.raw(Frame { address, message }.encode()).await;
    }

    pub(crate) async fn sync(&mut self, step: SyncMessage<'_>) {
        match self.address {
            Some(_) => self.say(Message::Sync(step)).await,
            None => self.raw(yws::Message::Sync(step).encode()).await,
        }
    }

    pub(crate) async fn show(&mut self, entries: &[AwarenessEntry]) {
        let update = awareness::encode(entries);
        match self.address {
            Some(_) => self.say(Message::Awareness(&update)).await,
            None => self.raw(yws::Message::Awareness(&update).encode()).await,
        }
    }

    pub(crate) async fn raw(&mut self, frame: Vec<u8>) {
        // A socket that the server has closed says so when it is read.
        let _ = self.socket.send(Ws::Binary(frame.into())).await;
    }

    /// Types at the end; the update is sent and returned.
    pub(crate) async fn push(&mut self, text: &str) -> Vec<u8> {
        let update = self.push_quietly(text);
        self.send_update(&update).await;
        update
    }

    /// Types at the end without telling.
    pub(crate) fn push_quietly(&self, text: &str) -> Vec<u8> {
        let content = self.doc.get_or_insert_text("content");
        let mut txn = self.doc.transact_mut();
        content.push(&mut txn, text);
        txn.encode_update_v1()
    }

    pub(crate) async fn send_update(&mut self, update: &[u8]) {
        self.unsynced += 1;
        self.sync(SyncMessage::Update(update)).await;
    }

    pub(crate) fn text(&self) -> String {
        let content = self.doc.get_or_insert_text("content");
        content.get_string(&self.doc.transact())
    }

    /// Takes in what comes until `done`.
    pub(crate) async fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let wait = async {
            while !done(self) {
                assert!(self.step().await || done(self), "{what}: {:?}", self.closed);
            }
        };
        if tokio::time::timeout(PATIENCE, wait).await.is_err() {
            panic!(
                "waited in vain until {what}; text {:?}, {} durable, closed {:?}, denied {:?}",
                self.text(),
                self.durable,
                self.closed,
                self.denied
            );
        }
    }

    pub(crate) async fn until_synced(&mut self) {
        self.until("synced", |client| client.synced).await;
    }

    pub(crate) async fn until_text(&mut self, text: &str) {
        self.until(text, |client| client.text() == text).await;
    }

    pub(crate) async fn until_saved(&mut self) {
        self.until("saved", |client| client.unsynced == 0).await;
    }

    pub(crate) async fn until_closed(&mut self) -> (u16, String) {
        self.until("closed", |client| client.closed.is_some()).await;
        self.closed.clone().unwrap()
    }

    /// Takes in everything that was sent before now: an answer to a question marks it.
    pub(crate) async fn settle(&mut self) {
        self.synced = false;
        self.send_step1().await;
        if self.address.is_some() {
            self.unsynced += 1;
        }
        self.until("settled", |client| client.synced).await;
    }

    /// Takes in one frame; `false` once the socket has ended.
    pub(crate) async fn step(&mut self) -> bool {
        match self.socket.next().await {
            Some(Ok(Ws::Binary(frame))) => {
                self.frames += 1;
                self.take(&frame).await;
                true
            }
            Some(Ok(Ws::Close(Some(frame)))) => {
                self.closed = Some((frame.code.into(), frame.reason.to_string()));
                false
            }
            Some(Ok(_)) => true,
            Some(Err(_)) | None => {
                self.closed.get_or_insert((1006, String::new()));
                false
            }
        }
    }

    async fn take(&mut self, frame: &[u8]) {
        if frame == [9] {
            self.pings += 1;
            self.raw(vec![10]).await;
            return;
        }
        match &self.address {
            None => {
                let mut reader = Reader::new(frame);
                let message = yws::Message::read(&mut reader).unwrap();
                assert!(reader.is_empty(), "one message a frame");
                match message {
                    yws::Message::Sync(step) => self.take_sync(step).await,
                    yws::Message::Awareness(update) => self.take_awareness(update),
                    yws::Message::PermissionDenied(reason) => {
                        self.denied = Some(reason.to_owned());
                    }
                    yws::Message::QueryAwareness => panic!("the server asks nobody"),
                }
            }
            Some(address) => {
                let frame = Frame::decode(frame).unwrap();
                if frame.address != address {
                    // Another room of the same connection.
                    return;
                }
                match frame.message {
                    Message::Sync(step) => self.take_sync(step).await,
                    Message::Awareness(update) => self.take_awareness(update),
                    Message::PermissionDenied(reason) => self.denied = Some(reason.to_owned()),
                    Message::Authenticated(role) => self.role = Some(role),
                    Message::Stateless(text) => self.texts.push(text.to_owned()),
                    Message::Close(reason) => self.left = Some(reason.to_owned()),
                    Message::SyncStatus(true) => {
                        self.durable += 1;
                        self.unsynced -= 1;
                    }
                    Message::SyncStatus(false) => self.refused += 1,
                    other => panic!("no server says {other:?}"),
                }
            }
        }
    }

    async fn take_sync(&mut self, step: SyncMessage<'_>) {
        match step {
            SyncMessage::Step1(vector) => {
                self.steps1 += 1;
                let vector = StateVector::decode_v1(vector).unwrap();
                let lacks = self.doc.transact().encode_state_as_update_v1(&vector);
                self.sync(SyncMessage::Step2(&lacks)).await;
            }
            SyncMessage::Step2(update) => {
                self.apply(update);
                self.synced = true;
            }
            SyncMessage::Update(update) => {
                self.apply(update);
                self.updates.push(update.to_vec());
            }
        }
    }

    fn apply(&self, update: &[u8]) {
        let mut txn = self.doc.transact_mut();
        txn.apply_update(Update::decode_v1(update).unwrap())
            .unwrap();
        assert!(!txn.has_missing_updates(), "the server serves no holes");
    }

    fn take_awareness(&mut self, update: &[u8]) {
        for entry in awareness::decode(update).unwrap() {
            if entry.is_removal() {
                self.states.remove(&entry.client);
            } else {
                self.states.insert(entry.client, entry);
            }
        }
    }
}

/// A document of a client of its own.
pub(crate) fn doc() -> Doc {
    new_doc(fastrand::u64(1..1 << 32))
}

pub(crate) fn state(client: u64, clock: u64, name: &str) -> AwarenessEntry {
    AwarenessEntry {
        client,
        clock,
        state: format!(r#"{{"user":{{"name":"{name}"}}}}"#),
    }
}

impl Client {
    /// The marked parts `[…]` of the text, in order.
    pub(crate) fn parts(&self) -> Vec<String> {
        self.text()
            .split_inclusive(']')
            .map(str::to_owned)
            .collect()
    }
}

impl Client {
    /// Goes on in another room of the same connection, as nobody yet.
    pub(crate) fn address(&mut self, room: &str) {
        self.address = Some(room.to_owned());
        self.synced = false;
        self.durable = 0;
        self.unsynced = 0;
    }
}
