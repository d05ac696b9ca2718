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
use tokio::sync::mpsc;
use yrs::StateVector;

use super::framing::Framing;
use super::{Closing, Command, MemberId, SocketQueue};

/// Texts may wait up to this many bytes before the socket is given up.
const TEXT_BYTES: usize = 512 * 1024;

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
    /// Whether a first Step1 has been answered.
    started: bool,
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

    /// Queues an edit of somebody else's. Before its first Step1 is answered a member gets none:
    /// they may build on what it does not have yet, and the answer will hold them.
    pub(super) fn push_edit(self: &Arc<Self>, frame: Bytes) {
        if self.state().started {
            self.push(frame);
        }
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
            state.started = true;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::Wake;

    fn outbox(framing: Framing) -> Arc<Outbox> {
        Outbox::new(MemberId(1), framing, 100, Arc::default())
    }

    fn frame(byte: u8, len: usize) -> Bytes {
        vec![byte; len].into()
    }

    fn knows(clock: u32) -> StateVector {
        [(yrs::ClientID::new(1), clock)].into_iter().collect()
    }

    #[tokio::test]
    async fn frames_come_out_in_order_and_wake_the_socket_once() {
        let outbox = outbox(Framing::Yws);
        for byte in 0..3 {
            assert!(outbox.push(frame(byte, 1)));
        }
        let Wake::Outbox(ready) = outbox.socket().next().await else {
            panic!()
        };
        for byte in 0..3 {
            assert_eq!(ready.take(), Take::Frame(frame(byte, 1)));
        }
        assert_eq!(ready.take(), Take::Empty);
        assert!(outbox.socket().try_next().is_none());
        outbox.push(frame(9, 1));
        assert!(matches!(outbox.socket().try_next(), Some(Wake::Outbox(_))));
    }

    #[test]
    fn one_that_reads_too_slowly_is_brought_up_to_date_instead() {
        let outbox = outbox(Framing::Hocuspocus("p/d".into()));
        outbox.asked(knows(3), false);
        outbox.answer([frame(1, 5)], knows(7));
        assert_eq!(outbox.take(), Take::Frame(frame(1, 5)));
        outbox.acknowledge(true);
        outbox.push_kept(frame(2, 10));
        assert!(outbox.push(frame(3, 60)));
        assert!(!outbox.push(frame(4, 60)));
        // Whatever comes now costs nothing.
        for _ in 0..1_000 {
            assert!(!outbox.push(frame(5, 60)));
        }
        assert_eq!(outbox.waiting_bytes(), 10);

        // What cannot be made again is still there; then the room is asked, once.
        assert_eq!(outbox.take(), Take::Frame(frame(2, 10)));
        assert!(
            matches!(outbox.take(), Take::Frame(_)),
            "an acknowledgement"
        );
        assert_eq!(outbox.take(), Take::Behind);
        assert_eq!(outbox.take(), Take::Empty);
        let due = outbox.due().unwrap();
        assert!(due.behind && due.asked.is_none());
        // What has been sent counts as known.
        assert_eq!(due.known, knows(7));

        // A large answer is not thrown away for its size by what follows.
        outbox.answer([frame(6, 1_000)], knows(9));
        assert!(outbox.push(frame(7, 60)));
        assert!(!outbox.push(frame(7, 60)));
        assert_eq!(outbox.take(), Take::Frame(frame(6, 1_000)));
        assert_eq!(outbox.take(), Take::Behind);
        assert_eq!(outbox.due().unwrap().known, knows(9));
    }

    #[test]
    fn edits_begin_with_the_first_answer() {
        let outbox = outbox(Framing::Yws);
        outbox.push_edit(frame(1, 1));
        assert_eq!(outbox.take(), Take::Empty);
        outbox.asked(knows(0), false);
        outbox.push_edit(frame(2, 1));
        outbox.answer([frame(3, 1)], knows(2));
        outbox.push_edit(frame(4, 1));
        assert_eq!(outbox.take(), Take::Frame(frame(3, 1)));
        assert_eq!(outbox.take(), Take::Frame(frame(4, 1)));
    }

    #[test]
    fn an_answer_that_was_not_sent_is_not_known() {
        let outbox = outbox(Framing::Yws);
        outbox.asked(knows(3), false);
        outbox.answer([frame(1, 5)], knows(7));
        // A second question before the first answer has gone out.
        outbox.asked(knows(4), true);
        assert!(outbox.due().is_none(), "one answer at a time");
        assert_eq!(outbox.take(), Take::Frame(frame(1, 5)));
        let due = outbox.due().unwrap();
        assert_eq!(
            (due.known, due.asked),
            (knows(4), Some(Asked { and_ask: true }))
        );
    }

    #[test]
    fn the_last_words_come_before_the_end_and_nothing_after() {
        let outbox = outbox(Framing::Yws);
        outbox.push(frame(1, 1));
        outbox.push_kept(frame(2, 1));
        let closing = Closing::new(4403, "withdrawn");
        outbox.close(closing.clone());
        outbox.close(Closing::new(1000, "later"));
        outbox.push(frame(3, 1));
        outbox.push_kept(frame(4, 1));
        assert!(outbox.is_closed());
        assert_eq!(outbox.take(), Take::Frame(frame(2, 1)));
        assert_eq!(outbox.take(), Take::Closed(closing));
    }

    #[tokio::test]
    async fn texts_that_nobody_reads_end_the_socket() {
        let outbox = outbox(Framing::Yws);
        for _ in 0..=TEXT_BYTES / 1_000 {
            outbox.push_kept(frame(1, 1_000));
        }
        let Wake::Close(closing) = outbox.socket().next().await else {
            panic!()
        };
        assert_eq!(closing.code, tutti_protocol::close::TRY_LATER);
        outbox.socket().closed().await;
    }
}
