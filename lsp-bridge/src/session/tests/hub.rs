//! A small server that follows the real protocol, in memory.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpListener;
use tokio::sync::{broadcast, mpsc, watch};
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message as Packet;
use tutti_protocol::hint::Hint;
use tutti_protocol::hocuspocus::{Frame, Message};
use tutti_protocol::index::new_doc;
use tutti_protocol::index::{self, Roots};
use tutti_protocol::role::Role;
use tutti_protocol::sync::SyncMessage;
use yrs::updates::decoder::Decode;
use yrs::updates::encoder::Encode;
use yrs::{Doc, GetString, ReadTxn, StateVector, Transact, Update};

/// The server. Rooms outlive connections.
pub(super) struct Hub {
    pub(super) address: SocketAddr,
    state: Arc<Mutex<State>>,
    cut: broadcast::Sender<()>,
    silent: watch::Sender<bool>,
}

struct State {
    role: Role,
    accepting: bool,
    denying: bool,
    turning_away: bool,
    rooms: HashMap<String, Room>,
    connections: u64,
}

struct Room {
    doc: Doc,
    members: HashMap<u64, mpsc::UnboundedSender<Vec<u8>>>,
}

impl Hub {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State {
            role: Role::Editor,
            accepting: true,
            denying: false,
            turning_away: false,
            rooms: HashMap::new(),
            connections: 0,
        }));
        let (cut, _) = broadcast::channel(4);
        let (silent, silence) = watch::channel(false);
        let (shared, cuts) = (Arc::clone(&state), cut.clone());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                socket.set_nodelay(true).unwrap();
                let (state, cut) = (Arc::clone(&shared), cuts.subscribe());
                let mut silence = silence.clone();
                if state.lock().unwrap().accepting {
                    tokio::spawn(async move {
                        if silence.wait_for(|silent| !silent).await.is_ok() {
                            connection(state, socket, cut).await;
                        }
                    });
                }
            }
        });
        Self {
            address,
            state,
            cut,
            silent,
        }
    }

    /// New connections are taken, and hear nothing as long as this lasts.
    pub(super) fn silent(&self, silent: bool) {
        self.silent.send_replace(silent);
    }

    /// Everybody is a viewer from now on.
    pub(super) fn viewers_only(&self) {
        self.state.lock().unwrap().role = Role::Viewer;
    }

    /// Nobody is let in from now on.
    pub(super) fn deny(&self) {
        self.state.lock().unwrap().denying = true;
    }

    /// Cuts all connections, and takes new ones or not.
    pub(super) fn cut(&self, accepting: bool) {
        self.state.lock().unwrap().accepting = accepting;
        let _ = self.cut.send(());
    }

    pub(super) fn accept_again(&self) {
        self.state.lock().unwrap().accepting = true;
    }

    /// Sends a text to all who take part in the index, or in a file.
    pub(super) fn say(&self, in_index: bool, text: &str) {
        let state = self.state.lock().unwrap();
        for (address, room) in &state.rooms {
            if address.ends_with("/index") == in_index {
                room.tell_others(0, address, Message::Stateless(text));
            }
        }
    }

    /// New connections are closed as soon as they ask to be let in, or not any more.
    pub(super) fn turn_away(&self, turning_away: bool) {
        self.state.lock().unwrap().turning_away = turning_away;
    }

    /// How many take part in files.
    pub(super) fn readers(&self) -> usize {
        let state = self.state.lock().unwrap();
        let files = state
            .rooms
            .iter()
            .filter(|(name, _)| !name.ends_with("/index"));
        files.map(|(_, room)| room.members.len()).sum()
    }

    /// How many take part in the index.
    pub(super) fn members(&self) -> usize {
        let state = self.state.lock().unwrap();
        state
            .rooms
            .get("p/index")
            .map_or(0, |room| room.members.len())
    }

    /// The texts of all files, sorted.
    pub(super) fn texts(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        let files = state
            .rooms
            .iter()
            .filter(|(name, _)| !name.ends_with("/index"));
        let mut texts: Vec<String> = files
            .map(|(_, room)| {
                let text = room.doc.get_or_insert_text("content");
                text.get_string(&room.doc.transact())
            })
            .collect();
        texts.sort();
        texts
    }

    /// The files that the project lists, in order.
    pub(super) fn paths(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        let index = state
            .rooms
            .iter()
            .find(|(name, _)| name.ends_with("/index"));
        let Some((_, room)) = index else {
            return Vec::new();
        };
        Roots::of(&room.doc);
        let entries = index::entries(&room.doc.transact()).into_values();
        let mut paths: Vec<String> = entries.map(|entry| entry.path).collect();
        paths.sort();
        paths
    }
}

async fn connection(
    state: Arc<Mutex<State>>,
    socket: tokio::net::TcpStream,
    mut cut: broadcast::Receiver<()>,
) {
    let Ok(mut socket) = accept_async(socket).await else {
        return;
    };
    let id = {
        let mut state = state.lock().unwrap();
        state.connections += 1;
        state.connections
    };
    let (out, mut outbox) = mpsc::unbounded_channel::<Vec<u8>>();
    loop {
        tokio::select! {
            packet = socket.next() => match packet {
                Some(Ok(Packet::Binary(_))) if state.lock().unwrap().turning_away => break,
                Some(Ok(Packet::Binary(bytes))) => state.lock().unwrap().frame(id, &out, &bytes),
                Some(Ok(_)) => {}
                _ => break,
            },
            Some(bytes) = outbox.recv() => {
                if socket.send(Packet::Binary(bytes.into())).await.is_err() {
                    break;
                }
            }
            _ = cut.recv() => break,
        }
    }
    for room in state.lock().unwrap().rooms.values_mut() {
        room.members.remove(&id);
    }
}

impl State {
    fn frame(&mut self, id: u64, out: &mpsc::UnboundedSender<Vec<u8>>, bytes: &[u8]) {
        let frame = Frame::decode(bytes).unwrap();
        let address = frame.address;
        let send = |message: Message<'_>| {
            let _ = out.send(Frame { address, message }.encode());
        };
        let room = self
            .rooms
            .entry(address.to_owned())
            .or_insert_with(|| Room {
                doc: new_doc(1),
                members: HashMap::new(),
            });
        let viewer = self.role == Role::Viewer;
        let mut changed = false;
        match frame.message {
            Message::Token { token, .. } => {
                assert_eq!(token, "secret");
                if self.denying {
                    return send(Message::PermissionDenied("the link has expired"));
                }
                room.members.insert(id, out.clone());
                send(Message::Authenticated(self.role));
            }
            Message::Sync(SyncMessage::Step1(state_vector)) => {
                let known = StateVector::decode_v1(state_vector).unwrap();
                let txn = room.doc.transact();
                let own = txn.state_vector().encode_v1();
                send(Message::Sync(SyncMessage::Step2(
                    &txn.encode_diff_v1(&known),
                )));
                send(Message::SyncReply(SyncMessage::Step1(&own)));
            }
            Message::Sync(SyncMessage::Step2(update) | SyncMessage::Update(update)) => {
                let nothing = update == [0, 0];
                if !viewer && !nothing {
                    let update = Update::decode_v1(update).unwrap();
                    room.doc.transact_mut().apply_update(update).unwrap();
                    room.tell_others(
                        id,
                        address,
                        Message::Sync(SyncMessage::Update(update_bytes(&frame))),
                    );
                    changed = true;
                }
                send(Message::SyncStatus(!viewer || nothing));
            }
            Message::Awareness(update) => {
                // Its sender hears of it as well, as real servers do it.
                room.tell_others(0, address, Message::Awareness(update));
            }
            Message::Close(_) => {
                room.members.remove(&id);
            }
            other => panic!("{other:?}"),
        }
        let (project, document) = address.split_once('/').unwrap();
        let index = format!("{project}/index");
        if changed
            && document != "index"
            && let Some(room) = self.rooms.get(&index)
        {
            let hint = Hint::Changed(vec![document.parse().unwrap()]).to_json();
            room.tell_others(0, &index, Message::Stateless(&hint));
        }
    }
}

fn update_bytes<'a>(frame: &Frame<'a>) -> &'a [u8] {
    match frame.message {
        Message::Sync(SyncMessage::Step2(update) | SyncMessage::Update(update)) => update,
        _ => unreachable!(),
    }
}

impl Room {
    fn tell_others(&self, id: u64, address: &str, message: Message<'_>) {
        let bytes = Frame { address, message }.encode();
        for (_, member) in self.members.iter().filter(|(member, _)| **member != id) {
            let _ = member.send(bytes.clone());
        }
    }
}
