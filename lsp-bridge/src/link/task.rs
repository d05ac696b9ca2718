//! The link's task: one loop over commands, the socket and the clock.
//!
//! It never waits for its owner and never for the socket: events that the owner has not taken
//! stop the reading of the socket (TCP does the rest), frames that the socket has not taken stop
//! the taking of commands.

mod send;

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_tungstenite::tungstenite::{Error, Message as Packet};
use tutti_protocol::close;
use tutti_protocol::hint::Hint;
use tutti_protocol::hocuspocus::{Frame, Message, room_name};
use tutti_protocol::ids::{DocumentId, RoomName};
use tutti_protocol::remark::Remark;
use tutti_protocol::sync::SyncMessage;

use super::backoff::Backoff;
use super::connect::{Failure, Socket, closed, connect};
use super::frames::{broken, say_goodbye, write};
use super::longest::Longest;
use super::room::{Phase, Room};
use super::{Command, Config, Event, Status};

/// The owner has gone: nothing is left to do.
struct Abandoned;

/// What happens next on a connection.
enum Step {
    Told(Result<(), Abandoned>),
    Written(Result<(), Error>),
    Command(Option<Command>),
    Packet(Option<Result<Packet, Error>>),
    Ping,
    Rejoin,
}

/// What ends a connection.
enum End {
    Failed(Failure),
    /// The server has closed it since a message was too long.
    TooLong(Failure),
    /// There is another token.
    Renewed,
    Abandoned,
}

pub(super) struct Task {
    config: Config,
    /// The server or the token is another one than the connection has.
    renewed: bool,
    commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<Event>,
    rooms: BTreeMap<DocumentId, Room>,
    /// Interrupted rooms and when to join them again.
    rejoin: BTreeMap<DocumentId, Instant>,
    /// Of rooms that were interrupted and have had no change confirmed since.
    backoffs: BTreeMap<DocumentId, Backoff>,
    /// Events that the owner has not taken.
    told: VecDeque<Event>,
    /// Frames that the socket has not taken.
    frames: VecDeque<Packet>,
    longest: Longest,
}

/// A change is retried so soon after the next one, which may have made it small.
const SHORTER: Duration = Duration::from_secs(2);

impl Task {
    pub(super) fn new(
        config: Config,
        commands: mpsc::Receiver<Command>,
        events: mpsc::Sender<Event>,
    ) -> Self {
        Self {
            config,
            renewed: false,
            commands,
            events,
            rooms: BTreeMap::new(),
            rejoin: BTreeMap::new(),
            backoffs: BTreeMap::new(),
            told: VecDeque::new(),
            frames: VecDeque::new(),
            longest: Longest::default(),
        }
    }

    pub(super) async fn run(mut self) {
        let timing = self.config.timing;
        let mut backoff = Backoff::new(timing.retry_first, timing.retry_longest);
        loop {
            self.tell(Event::Status(Status::Connecting));
            self.renewed = false;
            let config = self.config.clone();
            let failure = match self.while_waiting(connect(&config)).await {
                Err(Abandoned) => return,
                Ok(Err(failure)) => failure,
                Ok(Ok(socket)) => {
                    if self.renewed {
                        continue;
                    }
                    let since = Instant::now();
                    let end = self.serve(socket).await;
                    self.disconnected();
                    self.longest.ended(matches!(end, End::TooLong(_)));
                    if since.elapsed() >= timing.stable {
                        backoff.reset();
                    }
                    match end {
                        End::Abandoned => return,
                        End::Renewed => continue,
                        End::Failed(failure) | End::TooLong(failure) => failure,
                    }
                }
            };
            match failure {
                Failure::Denied(reason) => {
                    self.tell(Event::Status(Status::Denied { reason }));
                    if self.wait_until(None).await.is_err() {
                        return;
                    }
                }
                Failure::Lost(reason) => {
                    let retry_in = backoff.next();
                    tracing::info!(%reason, ?retry_in, "no connection");
                    self.tell(Event::Status(Status::Offline { retry_in, reason }));
                    let then = Instant::now() + retry_in;
                    if self.wait_until(Some(then)).await.is_err() {
                        return;
                    }
                }
            }
            if self.renewed {
                backoff.reset();
            }
        }
    }

    /// Takes commands and hands out events until `work`, which is not the socket's, is done.
    async fn while_waiting<F: Future>(&mut self, work: F) -> Result<F::Output, Abandoned> {
        tokio::pin!(work);
        loop {
            let command = tokio::select! {
                done = &mut work => return Ok(done),
                command = self.next_command() => command?,
            };
            self.command(command, false);
        }
    }

    /// Takes commands and hands out events until then, or until there is another way to the server.
    async fn wait_until(&mut self, then: Option<Instant>) -> Result<(), Abandoned> {
        while !self.renewed {
            let command = tokio::select! {
                () = sleep_until(then) => return Ok(()),
                command = self.next_command() => command?,
            };
            self.command(command, false);
        }
        Ok(())
    }

    /// The next command, with events handed out meanwhile. May be dropped at any moment.
    async fn next_command(&mut self) -> Result<Command, Abandoned> {
        loop {
            tokio::select! {
                place = self.events.reserve(), if !self.told.is_empty() => {
                    send_one(place, &mut self.told)?;
                }
                command = self.commands.recv() => return command.ok_or(Abandoned),
            }
        }
    }

    async fn serve(&mut self, socket: Socket) -> End {
        let (mut sink, mut stream) = socket.split();
        let timing = self.config.timing;
        let mut ping = tokio::time::interval_at(Instant::now() + timing.ping, timing.ping);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        let mut unflushed = false;

        self.tell(Event::Status(Status::Connected));
        let documents: Vec<_> = self.rooms.keys().cloned().collect();
        for document in documents {
            self.join(document);
        }
        loop {
            unflushed |= !self.frames.is_empty();
            let rejoin_at = self.rejoin.values().min().copied();
            let step = tokio::select! {
                place = self.events.reserve(), if !self.told.is_empty() => {
                    Step::Told(send_one(place, &mut self.told))
                }
                written = write(&mut sink, &mut self.frames), if unflushed => Step::Written(written),
                command = self.commands.recv(), if !unflushed => Step::Command(command),
                packet = stream.next(), if self.told.is_empty() => Step::Packet(packet),
                _ = ping.tick() => Step::Ping,
                () = sleep_until(rejoin_at) => Step::Rejoin,
            };
            match step {
                Step::Told(Ok(())) => {}
                Step::Told(Err(Abandoned)) => return End::Abandoned,
                Step::Written(Ok(())) => unflushed = false,
                Step::Written(Err(error)) => return End::Failed(broken(&error)),
                Step::Command(Some(command)) => {
                    self.command(command, true);
                    self.more_commands();
                    if self.renewed {
                        return End::Renewed;
                    }
                }
                Step::Command(None) => {
                    say_goodbye(sink, stream).await;
                    return End::Abandoned;
                }
                Step::Packet(packet) => {
                    heard = Instant::now();
                    match packet {
                        Some(Ok(Packet::Binary(bytes))) => self.receive(&bytes),
                        Some(Ok(Packet::Close(frame))) => {
                            let code = frame.as_ref().map(|frame| u16::from(frame.code));
                            return match code == Some(close::TOO_BIG) {
                                true => End::TooLong(closed(frame)),
                                false => End::Failed(closed(frame)),
                            };
                        }
                        Some(Ok(_)) => {}
                        Some(Err(error)) => return End::Failed(broken(&error)),
                        None => return End::Failed(closed(None)),
                    }
                }
                Step::Ping => {
                    // A reader that is held up by its own owner hears nothing: not the server's
                    // fault.
                    if self.told.is_empty() && heard.elapsed() > timing.dead {
                        return End::Failed(Failure::Lost("the server has fallen silent".into()));
                    }
                    self.frames.push_back(Packet::Ping(Default::default()));
                }
                Step::Rejoin => self.rejoin_due(),
            }
        }
    }

    /// Takes what else lies ready, so that a burst is written as one.
    fn more_commands(&mut self) {
        const BURST: usize = 64;
        for _ in 0..BURST {
            match self.commands.try_recv() {
                Ok(command) => self.command(command, true),
                Err(_) => return,
            }
        }
    }

    fn command(&mut self, command: Command, connected: bool) {
        match command {
            Command::Renew { server, token } => {
                self.config.server = server;
                self.config.token = token;
                self.renewed = true;
            }
            Command::Join {
                document,
                state_vector,
            } => {
                if self.rooms.contains_key(&document) {
                    return;
                }
                let mut room = Room::new();
                if connected {
                    room.joining();
                    self.send_token(&document);
                    self.send(&document, Message::Sync(SyncMessage::Step1(&state_vector)));
                }
                self.rooms.insert(document, room);
            }
            Command::Leave(document) => {
                self.rejoin.remove(&document);
                self.backoffs.remove(&document);
                if let Some(room) = self.rooms.remove(&document)
                    && room.phase() != Phase::Away
                {
                    self.send(&document, Message::Close(""));
                }
            }
            Command::StateVector {
                document,
                state_vector,
            } => {
                if self.phase(&document) != Phase::Away {
                    self.send(&document, Message::Sync(SyncMessage::Step1(&state_vector)));
                }
            }
            Command::Diff { document, update } => {
                let send = self
                    .rooms
                    .get_mut(&document)
                    .map(|room| room.step2(&update));
                if send == Some(true) {
                    self.send_change(&document, SyncMessage::Step2(&update));
                }
                self.tell_unsaved(&document);
            }
            Command::Update { document, update } => {
                let send = self.rooms.get_mut(&document).map(Room::change);
                if send == Some(true) {
                    self.send_change(&document, SyncMessage::Update(&update));
                } else if let Some(at) = self.rejoin.get_mut(&document) {
                    *at = (*at).min(Instant::now() + SHORTER);
                }
                self.tell_unsaved(&document);
            }
            Command::Awareness { document, update } => {
                if self.phase(&document) != Phase::Away {
                    self.send(&document, Message::Awareness(&update));
                }
            }
        }
    }

    fn receive(&mut self, bytes: &[u8]) {
        let frame = match Frame::decode(bytes) {
            Ok(frame) => frame,
            Err(error) => {
                tracing::warn!(%error, "the server sent a frame that is not understood");
                return;
            }
        };
        let document = match room_name(frame.address).parse::<RoomName>() {
            Ok(room) if room.project == self.config.project => room.document,
            _ => return,
        };
        if !self.rooms.contains_key(&document) {
            return;
        }
        match frame.message {
            Message::Sync(step) | Message::SyncReply(step) => self.receive_sync(document, step),
            Message::Awareness(update) => self.tell(Event::Awareness {
                document,
                update: update.to_vec(),
            }),
            Message::QueryAwareness => self.tell(Event::AwarenessWanted(document)),
            Message::Authenticated(role) => self.tell(Event::Authenticated { document, role }),
            Message::PermissionDenied(reason) => {
                if let Some(room) = self.rooms.get_mut(&document) {
                    room.away();
                }
                self.tell_unsaved(&document);
                self.tell(Event::Denied {
                    document,
                    reason: reason.to_owned(),
                });
            }
            Message::Stateless(text) => {
                if let Some(Hint::Changed(documents)) = Hint::from_json(text) {
                    self.tell(Event::Changed(documents));
                } else if let Some(remark) = Remark::from_json(text) {
                    self.tell(Event::Saving { document, remark });
                }
            }
            Message::Close(reason) => self.interrupted(document, reason.to_owned()),
            Message::SyncStatus(durable) => {
                if let Some(room) = self.rooms.get_mut(&document) {
                    match durable {
                        true => room.confirmed(),
                        false => room.refused(),
                    }
                }
                match durable {
                    true => drop(self.backoffs.remove(&document)),
                    false => self.tell(Event::Refused(document.clone())),
                }
                self.tell_unsaved(&document);
            }
            Message::Ping => self.send(&document, Message::Pong),
            Message::Pong | Message::Token { .. } | Message::BroadcastStateless(_) => {}
        }
    }

    fn receive_sync(&mut self, document: DocumentId, step: SyncMessage<'_>) {
        match step {
            SyncMessage::Step1(state_vector) => self.tell(Event::DiffWanted {
                document,
                state_vector: state_vector.to_vec(),
            }),
            SyncMessage::Step2(update) => {
                self.tell(Event::Update {
                    document: document.clone(),
                    update: update.to_vec(),
                });
                self.tell(Event::Synced(document));
            }
            SyncMessage::Update(update) => self.tell(Event::Update {
                document,
                update: update.to_vec(),
            }),
        }
    }

    /// Starts a room on a connection that stands; its owner is asked for the state vector.
    fn join(&mut self, document: DocumentId) {
        if let Some(room) = self.rooms.get_mut(&document) {
            room.joining();
            self.send_token(&document);
            self.tell(Event::StateVectorWanted(document));
        }
    }

    fn interrupted(&mut self, document: DocumentId, reason: String) {
        if let Some(room) = self.rooms.get_mut(&document) {
            room.away();
            let timing = self.config.timing;
            let backoff = self.backoffs.entry(document.clone());
            let backoff =
                backoff.or_insert_with(|| Backoff::new(timing.retry_first, timing.retry_longest));
            let at = Instant::now() + backoff.next();
            self.rejoin.insert(document.clone(), at);
            self.tell_unsaved(&document);
            self.tell(Event::Interrupted { document, reason });
        }
    }

    fn rejoin_due(&mut self) {
        let now = Instant::now();
        let due: Vec<_> = self
            .rejoin
            .extract_if(.., |_, at| *at <= now)
            .map(|(document, _)| document)
            .collect();
        for document in due {
            self.join(document);
        }
    }

    fn disconnected(&mut self) {
        self.frames.clear();
        self.rejoin.clear();
        let documents: Vec<_> = self.rooms.keys().cloned().collect();
        for document in documents {
            if let Some(room) = self.rooms.get_mut(&document) {
                room.away();
            }
            self.tell_unsaved(&document);
        }
    }

    fn phase(&self, document: &DocumentId) -> Phase {
        self.rooms.get(document).map_or(Phase::Away, Room::phase)
    }

    fn tell(&mut self, event: Event) {
        self.told.push_back(event);
    }

    fn tell_unsaved(&mut self, document: &DocumentId) {
        if let Some((count, commanded)) = self.rooms.get_mut(document).and_then(Room::news) {
            self.tell(Event::Unsaved {
                document: document.clone(),
                count,
                commanded,
            });
        }
    }
}

fn send_one(
    place: Result<mpsc::Permit<'_, Event>, mpsc::error::SendError<()>>,
    told: &mut VecDeque<Event>,
) -> Result<(), Abandoned> {
    let place = place.map_err(|_| Abandoned)?;
    if let Some(event) = told.pop_front() {
        place.send(event);
    }
    Ok(())
}

async fn sleep_until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
