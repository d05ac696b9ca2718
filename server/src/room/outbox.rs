//! What waits to be sent to one member of one room.
//!
//! The room puts frames in and never waits. The socket's writer takes them out, one after another
//! from each of its rooms in turn ([`SocketQueue`]). When too much waits, the frames are thrown
//! away and the member is [behind](Take::Behind): once its socket takes frames again, the room
//! makes one frame with everything it lacks. What cannot be made again is kept apart: counted
//! acknowledgements, and a few texts.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use tokio::sync::{Notify, mpsc};
use yrs::StateVector;

use super::framing::Framing;
use super::{Command, MemberId};

/// Texts may wait up to this many bytes before the socket is given up.
const TEXT_BYTES: usize = 512 * 1024;

/// Why a member or its socket has to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// The WebSocket close code.
    pub code: u16,
    /// For a person.
    pub reason: String,
}

impl Closing {
    /// A code and its reason.
    pub fn new(code: u16, reason: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
        }
    }
}

/// One member's outbox.
pub struct Outbox {
    member: MemberId,
    framing: Framing,
    limit_bytes: usize,
    socket: Arc<SocketQueue>,
    room: OnceLock<mpsc::Sender<Command>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What other frames build on, and what cannot be made again. Goes first.
    kept: VecDeque<Bytes>,
    kept_texts: usize,
    /// The answer to a Step1, or what brings a member up to date. One set at a time.
    answer: VecDeque<Bytes>,
    /// What the member knows once `answer` has been sent.
    answer_state: Option<StateVector>,
    /// Everything else.
    frames: VecDeque<Bytes>,
    frames_bytes: usize,
    durable: u32,
    refused: u32,
    /// What the member is known to have.
    known: StateVector,
    /// A Step1 that has not been answered yet.
    asked: Option<Asked>,
    behind: bool,
    /// Whether the room has been told to make an answer.
    requested: bool,
    /// Whether the outbox stands in its socket's queue.
    queued: bool,
    closed: Option<Closing>,
    /// Whether [`Take::Closed`] has been handed out.
    gone: bool,
}

/// A Step1 to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    /// Whether the answer goes with a Step1 of the server's.
    pub(super) and_ask: bool,
}

/// What an answer has to be made from.
pub(super) struct Due {
    /// What the member has.
    pub(super) known: StateVector,
    /// Set when the member asked; else frames were thrown away.
    pub(super) asked: Option<Asked>,
    /// Whether frames were thrown away.
    pub(super) behind: bool,
}

/// What the writer does next.
#[derive(Debug, PartialEq, Eq)]
pub enum Take {
    /// Send this.
    Frame(Bytes),
    /// Tell the room, by [`Outbox::request`], that the member can be brought up to date now.
    Behind,
    /// Nothing to do until the outbox comes through the socket's queue again.
    Empty,
    /// The member has been removed from its room; everything it had to hear has been taken.
    Closed(Closing),
}

impl Outbox {
    /// An empty outbox of a member whose frames go through `socket`.
    pub fn new(
        member: MemberId,
        framing: Framing,
        limit_bytes: usize,
        socket: Arc<SocketQueue>,
    ) -> Arc<Self> {
        Arc::new(Self {
            member,
            framing,
            limit_bytes,
            socket,
            room: OnceLock::new(),
            state: Mutex::default(),
        })
    }

    /// The member.
    pub fn member(&self) -> MemberId {
        self.member
    }

    /// How its frames look.
    pub fn framing(&self) -> &Framing {
        &self.framing
    }

    /// The socket it belongs to.
    pub fn socket(&self) -> &Arc<SocketQueue> {
        &self.socket
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(self: &Arc<Self>, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        change(&mut state);
        if !state.queued && !state.gone {
            state.queued = true;
            drop(state);
            self.socket.put(self.clone());
        }
    }

    pub(super) fn joined(&self, room: mpsc::Sender<Command>) {
        // An outbox joins once.
        let _ = self.room.set(room);
    }

    /// Queues what can be made again. `false` when it, or what waited before it, was thrown away.
    pub(super) fn push(self: &Arc<Self>, frame: Bytes) -> bool {
        let mut kept = true;
        self.change(|state| {
            if state.closed.is_some() {
                return;
            }
            if state.behind {
                kept = false;
                return;
            }
            state.frames_bytes += frame.len();
            state.frames.push_back(frame);
            if state.frames_bytes > self.limit_bytes {
                state.frames = VecDeque::new();
                state.frames_bytes = 0;
                state.behind = true;
                kept = false;
                metrics::counter!("tutti_slow_member_resets_total").increment(1);
            }
        });
        kept
    }

    /// Queues what cannot be made again; the socket goes when too much of it waits.
    pub fn push_kept(self: &Arc<Self>, frame: Bytes) {
        let mut full = false;
        self.change(|state| {
            if state.closed.is_none() {
                state.kept_texts += frame.len();
                full = state.kept_texts > TEXT_BYTES;
                state.kept.push_back(frame);
            }
        });
        if full {
            self.socket.close(Closing::new(
                tutti_protocol::close::TRY_LATER,
                "you read too slowly: too many messages wait for you",
            ));
        }
    }

    pub(super) fn acknowledge(self: &Arc<Self>, durable: bool) {
        self.change(|state| match durable {
            true => state.durable += 1,
            false => state.refused += 1,
        });
    }

    pub(super) fn asked(self: &Arc<Self>, known: StateVector, and_ask: bool) {
        self.change(|state| {
            let and_ask = and_ask || state.asked.is_some_and(|asked| asked.and_ask);
            state.asked = Some(Asked { and_ask });
            state.known = known;
            state.answer_state = None;
        });
    }

    /// What an answer is due to, when the socket can take one.
    pub(super) fn due(&self) -> Option<Due> {
        let state = self.state();
        let due = state.asked.is_some() || state.behind;
        (due && state.answer.is_empty() && state.closed.is_none()).then(|| Due {
            known: state.known.clone(),
            asked: state.asked,
            behind: state.behind,
        })
    }

    /// Queues the answer to what is due; the member then knows `state_vector`.
    pub(super) fn answer(
        self: &Arc<Self>,
        frames: impl IntoIterator<Item = Bytes>,
        state_vector: StateVector,
    ) {
        self.change(|state| {
            state.answer.extend(frames);
            state.answer_state = Some(state_vector);
            state.asked = None;
            state.behind = false;
            state.requested = false;
        });
    }

    /// Removes everything but what is kept, and ends the member.
    pub fn close(self: &Arc<Self>, closing: Closing) {
        self.change(|state| {
            if state.closed.is_none() {
                state.frames = VecDeque::new();
                state.frames_bytes = 0;
                state.answer = VecDeque::new();
                state.asked = None;
                state.behind = false;
                state.closed = Some(closing);
            }
        });
    }

    /// Whether the member is out of its room.
    pub fn is_closed(&self) -> bool {
        self.state().closed.is_some()
    }

    /// What to send next.
    pub fn take(&self) -> Take {
        let mut state = self.state();
        if let Some(frame) = state.kept.pop_front() {
            state.kept_texts -= frame.len();
            return Take::Frame(frame);
        }
        if let Some(frame) = state.answer.pop_front() {
            if state.answer.is_empty()
                && let Some(known) = state.answer_state.take()
            {
                state.known = known;
            }
            return Take::Frame(frame);
        }
        for (durable, count) in [(true, state.durable), (false, state.refused)] {
            if count > 0 {
                match durable {
                    true => state.durable -= 1,
                    false => state.refused -= 1,
                }
                if let Some(frame) = self.framing.sync_status(durable) {
                    return Take::Frame(frame);
                }
            }
        }
        if let Some(closing) = state.closed.clone() {
            state.queued = false;
            state.gone = true;
            return Take::Closed(closing);
        }
        if (state.asked.is_some() || state.behind) && !state.requested {
            state.requested = true;
            return Take::Behind;
        }
        if let Some(frame) = state.frames.pop_front() {
            state.frames_bytes -= frame.len();
            return Take::Frame(frame);
        }
        state.queued = false;
        Take::Empty
    }

    /// Asks the room for an answer to what is due.
    pub async fn request(&self) {
        if let Some(room) = self.room.get() {
            // A room that has ended has closed its members.
            let _ = room.send(Command::Answer(self.member)).await;
        }
    }

    #[cfg(test)]
    pub(crate) fn waiting_bytes(&self) -> usize {
        let state = self.state();
        let all = state.kept.iter().chain(&state.answer).chain(&state.frames);
        all.map(Bytes::len).sum()
    }
}

/// The outboxes of one socket that have something to send, and the socket's end.
#[derive(Default)]
pub struct SocketQueue {
    ready: Mutex<VecDeque<Arc<Outbox>>>,
    closing: OnceLock<Closing>,
    probed: Mutex<bool>,
    wake: Notify,
    closed: Notify,
}

/// What a socket's writer wakes up for.
pub enum Wake {
    /// This outbox has something.
    Outbox(Arc<Outbox>),
    /// Find out at once whether the peer lives.
    Probe,
    /// Close.
    Close(Closing),
}

impl SocketQueue {
    fn put(&self, outbox: Arc<Outbox>) {
        self.ready
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(outbox);
        self.wake.notify_one();
    }

    /// Puts an outbox back that has more.
    pub fn again(&self, outbox: Arc<Outbox>) {
        self.put(outbox);
    }

    /// Ends the socket; the first reason stands.
    pub fn close(&self, closing: Closing) {
        let _ = self.closing.set(closing);
        self.wake.notify_one();
        self.closed.notify_waiters();
    }

    /// Why the socket ends, once it does.
    pub fn closing(&self) -> Option<&Closing> {
        self.closing.get()
    }

    /// Waits until the socket is to end.
    pub async fn closed(&self) {
        let mut notified = std::pin::pin!(self.closed.notified());
        // Registered before looking, so that no close falls between.
        notified.as_mut().enable();
        if self.closing.get().is_none() {
            notified.await;
        }
    }

    /// Asks for a sign of life: somebody else claims what this connection owns.
    pub fn probe(&self) {
        *self.probed.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.wake.notify_one();
    }

    /// What is to be done now, if anything.
    pub fn try_next(&self) -> Option<Wake> {
        if let Some(closing) = self.closing.get() {
            return Some(Wake::Close(closing.clone()));
        }
        let mut probed = self.probed.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut *probed) {
            return Some(Wake::Probe);
        }
        drop(probed);
        self.ready
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
            .map(Wake::Outbox)
    }

    /// Waits for the next thing to do. For one waiter, the socket's writer.
    pub async fn next(&self) -> Wake {
        loop {
            if let Some(wake) = self.try_next() {
                return wake;
            }
            self.wake.notified().await;
        }
    }
}
