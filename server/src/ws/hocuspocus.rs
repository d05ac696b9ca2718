//! `GET /collab`: the Hocuspocus protocol, many rooms a socket.
//!
//! Each address (`PROJECT/DOC`, with a session key or without) is a [`Session`]: it starts with
//! the first frame that names it, is let in by its token, and ends with Close. What arrives before
//! it is let in waits, within a budget: stock providers do not wait for the answer.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tutti_protocol::close;
use tutti_protocol::codec::Reader as Codec;
use tutti_protocol::hocuspocus::{Frame, Message, room_name};
use tutti_protocol::ids::RoomName;
use tutti_protocol::remark::Remark;

use super::address::ClientAddress;
use super::admission::{Admission, Failure, join};
use super::frames::{Allowance, Unread};
use super::newcomers::Share;
use super::socket::{Reader, Shared, Writer, raw_outbox};
use super::upgrade::{Upgrade, WebSocket};
use super::yjs::sync_for_room;
use super::{Denied, Endpoints};
use crate::limits::Limits;
use crate::room::{ClientMessage, Closing, Command, Framing, MemberId, Outbox, RoomHandle};

/// A frame of one byte has no address: a ping of the connection, and its answer.
const PING: &[u8] = &[9];
const PONG: &[u8] = &[10];

/// The longest address: a room's name and a session key.
const ADDRESS_BYTES: usize = 256;

/// Whoever is in other rooms by the same socket is asked in again after this long.
const AGAIN: Duration = Duration::from_secs(1);

/// Joins that may wait to be taken note of.
const JOINS: usize = 64;

/// Takes a socket in.
pub(super) async fn upgrade(
    State(endpoints): State<Endpoints>,
    address: ClientAddress,
    upgrade: Upgrade,
) -> Response {
    let allowance = endpoints.allowance();
    upgrade.answer(allowance.clone(), move |socket| {
        serve(endpoints, socket, allowance, address)
    })
}

async fn serve(
    endpoints: Endpoints,
    socket: WebSocket,
    allowance: Arc<Allowance>,
    address: ClientAddress,
) {
    let limits = endpoints.rooms.limits().clone();
    let (sink, stream) = socket.split();
    let shared = Shared::new();
    let open = endpoints.rooms.register(shared.queue.clone());
    let mut reader = Reader::new(stream, shared.clone(), &limits);
    let writer = tokio::spawn(Writer::new(sink, shared.clone(), limits.clone()).run());
    let counted = endpoints.addresses.count(&address);
    if let Err(most) = &counted {
        shared.queue.close(Closing::new(
            close::TRY_LATER,
            format!("your address has {most} connections open, which is the most it may have"),
        ));
    }

    let (done, mut joins) = mpsc::channel(JOINS);
    let mut connection = Connection {
        raw: raw_outbox(&shared, &limits),
        endpoints,
        shared: shared.clone(),
        allowance,
        limits,
        sessions: HashMap::new(),
        waiting_bytes: 0,
        refusals: 0,
        done,
    };
    loop {
        let result = tokio::select! {
            biased;
            Some(join) = joins.recv() => connection.on_joined(join).await,
            frame = reader.next() => match frame {
                Some(frame) => connection.on_frame(frame).await,
                None => break,
            },
        };
        if let Err(closing) = result {
            shared.queue.close(closing);
        }
    }
    connection.leave_all(joins).await;
    // A writer that panicked has nothing to tell.
    let _ = writer.await;
    reader.drain().await;
    drop(open);
}

struct Connection {
    endpoints: Endpoints,
    shared: Arc<Shared>,
    allowance: Arc<Allowance>,
    limits: Limits,
    sessions: HashMap<Arc<str>, Session>,
    /// What waits in all sessions for being let in.
    waiting_bytes: usize,
    refusals: usize,
    raw: Arc<Outbox>,
    done: mpsc::Sender<Joined>,
}

struct Session {
    outbox: Arc<Outbox>,
    state: SessionState,
    /// By what it was let in.
    admission: Option<Admission>,
}

enum SessionState {
    /// Not in the room yet; `asked` says whether its token has come.
    Waiting {
        asked: bool,
        frames: Vec<(Bytes, Option<Share>)>,
    },
    In(RoomHandle),
    /// Refused, or turned out by the room. A stock provider goes on sending its edits; they are
    /// not kept for a token that may never come.
    Out,
}

impl Session {
    /// In its room, and not turned out of it.
    fn is_inside(&self) -> bool {
        matches!(self.state, SessionState::In(_)) && !self.outbox.is_closed()
    }
}

impl SessionState {
    fn waiting_bytes(&self) -> usize {
        match self {
            Self::Waiting { frames, .. } => frames.iter().map(|(frame, _)| frame.len()).sum(),
            Self::In(_) | Self::Out => 0,
        }
    }
}

/// What came of a token.
struct Joined {
    address: Arc<str>,
    member: MemberId,
    token: String,
    result: Result<(RoomHandle, Admission), Failure>,
}

impl Connection {
    async fn on_frame(&mut self, frame: Bytes) -> Result<(), Closing> {
        if frame[..] == *PING {
            self.raw.push_kept(Bytes::from_static(PONG));
            return Ok(());
        }
        if frame[..] == *PONG {
            return Ok(());
        }
        let address = Codec::new(&frame)
            .var_str()
            .map_err(|error| Closing::new(close::BAD_FRAME, error.to_string()))?;
        if address.len() > ADDRESS_BYTES {
            return Err(Closing::new(
                close::BAD_FRAME,
                format!("a room's name with its session may have {ADDRESS_BYTES} bytes at most"),
            ));
        }
        if let Some(session) = self.sessions.get_mut(address)
            && session.outbox.is_closed()
        {
            session.state = SessionState::Out;
        }
        match self.sessions.get(address).map(|session| &session.state) {
            Some(SessionState::In(room)) => {
                let room = room.clone();
                self.pass_on(&frame, room).await
            }
            Some(SessionState::Waiting { .. }) => self.hold(&frame),
            Some(SessionState::Out) => {
                let decoded = decode(&frame)?;
                if matches!(decoded.message, Message::Token { .. } | Message::Close(_)) {
                    self.remove(decoded.address);
                    return self.begin(&frame);
                }
                Ok(())
            }
            None => self.begin(&frame),
        }
    }

    /// The first frame of an address.
    fn begin(&mut self, frame: &Bytes) -> Result<(), Closing> {
        let decoded = decode(frame)?;
        let refusal = match decoded.message {
            Message::Close(_) => return Ok(()),
            _ => self.refusal(decoded.address),
        };
        let address: Arc<str> = decoded.address.into();
        let outbox = Outbox::new(
            MemberId::next(),
            Framing::Hocuspocus(address.clone()),
            self.limits.outbox_bytes,
            self.shared.queue.clone(),
        );
        if let Some(reason) = refusal {
            // Said once, to the token; what else a provider sends beside it is passed over.
            return match decoded.message {
                Message::Token { .. } => self.refuse(&outbox, &reason),
                _ => Ok(()),
            };
        }
        let state = SessionState::Waiting {
            asked: false,
            frames: Vec::new(),
        };
        let session = Session {
            outbox,
            state,
            admission: None,
        };
        self.sessions.insert(address, session);
        self.hold(frame)
    }

    /// Why an address cannot be a session's.
    fn refusal(&mut self, address: &str) -> Option<String> {
        if let Err(error) = room_name(address).parse::<RoomName>() {
            return Some(error.to_string());
        }
        let most = self.limits.rooms_per_socket;
        if self.sessions.len() >= most {
            self.sessions.retain(|_, session| {
                !session.outbox.is_closed() && !matches!(session.state, SessionState::Out)
            });
        }
        (self.sessions.len() >= most)
            .then(|| format!("this connection is in {most} rooms, which is the most it may"))
    }

    /// A frame of a session that is not in its room yet.
    fn hold(&mut self, frame: &Bytes) -> Result<(), Closing> {
        let decoded = decode(frame)?;
        let Some(session) = self.sessions.get_mut(decoded.address) else {
            return Ok(());
        };
        let SessionState::Waiting { asked, frames } = &mut session.state else {
            return Ok(());
        };
        match decoded.message {
            Message::Close(_) => self.remove(decoded.address),
            Message::Token { token, version } => {
                if version.is_some() {
                    self.shared.understands_ping.store(true, Ordering::Relaxed);
                }
                if !std::mem::replace(asked, true) {
                    let outbox = session.outbox.clone();
                    self.ask_in(decoded.address, token, outbox, Duration::ZERO);
                }
            }
            _ => {
                let most = self.limits.pending_join_bytes;
                let share = self.allowance.keep(frame.len());
                let share = share.map_err(|unread| unread.closing())?;
                self.waiting_bytes += frame.len();
                frames.push((frame.clone(), share));
                if self.waiting_bytes > most {
                    return Err(Unread::TooLongForNow(most).closing());
                }
            }
        }
        Ok(())
    }

    /// Who is in a room of the project by this socket and the same token is not asked about again: once it is
    /// withdrawn they are there no more.
    fn admission(&self, address: &str, token: &str) -> Option<Admission> {
        let name = room_name(address).parse::<RoomName>().ok()?;
        let mut inside = self.sessions.values().filter(|session| session.is_inside());
        inside.find_map(|session| {
            let admission = session.admission.as_ref()?;
            admission
                .holds_for(&name.project, token)
                .then(|| admission.clone())
        })
    }

    fn ask_in(&self, address: &str, token: &str, outbox: Arc<Outbox>, pause: Duration) {
        let (endpoints, done) = (self.endpoints.clone(), self.done.clone());
        let known = self.admission(address, token);
        let (address, token): (Arc<str>, String) = (address.into(), token.to_owned());
        tokio::spawn(async move {
            tokio::select! {
                () = done.closed() => return,
                () = tokio::time::sleep(pause) => {}
            }
            let member = outbox.member();
            let result = join(&endpoints, room_name(&address), &token, outbox, known).await;
            let room = result.as_ref().ok().map(|(room, _)| room.clone());
            let joined = Joined {
                address,
                member,
                token,
                result,
            };
            if done.send(joined).await.is_err()
                && let Some(room) = room
            {
                let _ = room.send(Command::Leave(member)).await;
            }
        });
    }

    async fn on_joined(&mut self, joined: Joined) -> Result<(), Closing> {
        let is_elsewhere = self.sessions.values().any(Session::is_inside);
        let waiting = self
            .sessions
            .get_mut(&joined.address)
            .filter(|session| session.outbox.member() == joined.member);
        let Some(session) = waiting else {
            // It left while it was being let in.
            if let Ok((room, _)) = joined.result {
                let _ = room.send(Command::Leave(joined.member)).await;
            }
            return Ok(());
        };
        match joined.result {
            Ok((room, admission)) => {
                self.allowance.is_in();
                session.admission = Some(admission);
                let before = std::mem::replace(&mut session.state, SessionState::In(room));
                if let SessionState::Waiting { frames, .. } = before {
                    for (frame, _) in frames {
                        self.waiting_bytes -= frame.len();
                        self.on_held_frame(&frame).await?;
                    }
                }
                Ok(())
            }
            Err(Failure::ForNow(closing)) if is_elsewhere => {
                let outbox = session.outbox.clone();
                let reason = closing.reason;
                let said = Remark::NotSaved { reason }.to_json();
                if let Some(frame) = outbox.framing().stateless(&said) {
                    outbox.push_kept(frame);
                }
                self.ask_in(&joined.address, &joined.token, outbox, AGAIN);
                Ok(())
            }
            Err(Failure::ForNow(closing) | Failure::Socket(closing)) => Err(closing),
            Err(Failure::Refused(reason)) => {
                let outbox = session.outbox.clone();
                let before = std::mem::replace(&mut session.state, SessionState::Out);
                self.waiting_bytes -= before.waiting_bytes();
                self.refuse(&outbox, &reason)
            }
        }
    }

    async fn on_held_frame(&mut self, frame: &Bytes) -> Result<(), Closing> {
        let address = decode(frame)?.address;
        match self.sessions.get(address).map(|session| &session.state) {
            Some(SessionState::In(room)) => {
                let room = room.clone();
                self.pass_on(frame, room).await
            }
            _ => Ok(()),
        }
    }

    /// A frame of a session that is in its room.
    async fn pass_on(&mut self, frame: &Bytes, room: RoomHandle) -> Result<(), Closing> {
        let decoded = decode(frame)?;
        let Some(session) = self.sessions.get(decoded.address) else {
            return Ok(());
        };
        let member = session.outbox.member();
        let message = match decoded.message {
            Message::Sync(step) => sync_for_room(step, frame, true)?,
            Message::SyncReply(step) => sync_for_room(step, frame, false)?,
            Message::Awareness(update) => ClientMessage::Awareness(frame.slice_ref(update)),
            Message::QueryAwareness => ClientMessage::QueryAwareness,
            Message::Close(_) => {
                self.sessions.remove(decoded.address);
                // A room that has gone has no members.
                let _ = room.send(Command::Leave(member)).await;
                return Ok(());
            }
            Message::Token { token, .. } => {
                self.renew(decoded.address, token, member, room);
                return Ok(());
            }
            Message::BroadcastStateless(_) => {
                metrics::counter!("tutti_rejected_frames_total").increment(1);
                return Ok(());
            }
            // For applications of their own, or the server's word; nothing follows from them here.
            Message::Stateless(_)
            | Message::PermissionDenied(_)
            | Message::Authenticated(_)
            | Message::SyncStatus(_)
            | Message::Ping
            | Message::Pong => return Ok(()),
        };
        // A room that has gone has closed its members; the client hears it from the outbox.
        let _ = room.send(Command::Hear(member, message)).await;
        Ok(())
    }

    /// A token for a room that the session is in: a fresh one, before the old one ends.
    fn renew(&self, address: &str, token: &str, member: MemberId, room: RoomHandle) {
        let Some(session) = self.sessions.get(address) else {
            return;
        };
        let Ok(name) = room_name(address).parse::<RoomName>() else {
            return;
        };
        let (authorize, outbox) = (self.endpoints.authorize.clone(), session.outbox.clone());
        let token = token.to_owned();
        tokio::spawn(async move {
            match authorize.authorize(&name.project, Some(&token)).await {
                Ok(grant) => {
                    if let Some(frame) = outbox.framing().authenticated(grant.role) {
                        outbox.push_kept(frame);
                    }
                    let _ = room.send(Command::Renew(member, grant)).await;
                }
                Err(Denied::Unavailable(_)) => {}
                Err(denied) => {
                    outbox.close(Closing::new(denied.close_code(), denied.to_string()));
                    let _ = room.send(Command::Leave(member)).await;
                }
            }
        });
    }

    fn refuse(&mut self, outbox: &Arc<Outbox>, reason: &str) -> Result<(), Closing> {
        outbox.push_kept(outbox.framing().permission_denied(reason));
        self.refusals += 1;
        let most = self.limits.auth_failures_per_socket;
        if self.refusals > most {
            return Err(Closing::new(
                close::FORBIDDEN,
                format!("this connection was refused {most} times"),
            ));
        }
        Ok(())
    }

    fn remove(&mut self, address: &str) {
        if let Some(session) = self.sessions.remove(address) {
            self.waiting_bytes -= session.state.waiting_bytes();
        }
    }

    async fn leave_all(self, mut joins: mpsc::Receiver<Joined>) {
        for session in self.sessions.into_values() {
            if let SessionState::In(room) = session.state {
                let _ = room.send(Command::Leave(session.outbox.member())).await;
            }
        }
        joins.close();
        while let Some(joined) = joins.recv().await {
            if let Ok((room, _)) = joined.result {
                let _ = room.send(Command::Leave(joined.member)).await;
            }
        }
    }
}

fn decode(frame: &Bytes) -> Result<Frame<'_>, Closing> {
    Frame::decode(frame).map_err(|error| Closing::new(close::BAD_FRAME, error.to_string()))
}
