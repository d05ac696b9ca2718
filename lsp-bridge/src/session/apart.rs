//! What was written here without a connection, until it has met what others have written meanwhile.
//!
//! Of two that come back, the second gets what the first has as it comes, and decides at once. The first hears
//! of the second then, with what was decided. If nothing was, since the second could not tell or both came at the
//! same moment, one of them decides a little later, each at another moment.

use std::ops::Range;

use tutti_engine::{Apart, Millis, Replica};
use tutti_protocol::ids::DocumentId;

use super::project::{Project, new_client_id};
use super::room::{Room, earlier};
use super::timers::take_due;
use crate::mirror::write_decision;

/// Two who come back at the same moment have heard of each other within this time.
pub(super) const MEETING_MS: u64 = 5_000;
/// What is found in a file so soon after a connection has begun was written before.
const FOUND_MS: u64 = 10_000;
/// Who hears of another only then waits so long for that one's decision.
const WAIT_MS: Range<u64> = 1_000..3_000;

/// What was written apart, and what is heard of the others.
pub(super) struct Meeting {
    apart: Apart,
    /// Once the server has told all that it had.
    until: Option<Millis>,
    /// When it is decided here, if nobody else has.
    decide_at: Option<Millis>,
}

impl Meeting {
    pub(super) fn due(&self) -> Option<Millis> {
        earlier(self.until, self.decide_at)
    }
}

impl Room {
    /// The connection has gone. What is on its way to the server counts as there.
    pub(super) fn parts(&mut self) {
        if self.meeting.take().is_none() && self.synced && self.offered {
            self.confirmed = Some(self.replica().state());
        }
    }

    /// The server is about to tell what it has.
    pub(super) fn meets(&mut self) {
        if self.synced || self.meeting.is_some() || self.guess.is_some() || !self.saved.is_ahead() {
            return;
        }
        let Some(confirmed) = &self.confirmed else {
            return;
        };
        match Apart::new(confirmed, &self.replica().state()) {
            Ok(apart) => {
                self.meeting = Some(Meeting {
                    apart,
                    until: None,
                    decide_at: None,
                });
            }
            Err(error) => tracing::error!(%error, "a state that was made here is bad"),
        }
    }

    /// What is beyond the state `before` was written while no bridge ran, and others may have heard of it another way,
    /// as whoever comes back at the same moment has.
    pub(super) fn finds(&mut self, before: &[u8], until: Millis) {
        if self.meeting.is_some() {
            return;
        }
        match Apart::new(before, &self.replica().state()) {
            Ok(apart) => {
                self.meeting = Some(Meeting {
                    apart,
                    until: Some(until),
                    decide_at: None,
                });
            }
            Err(error) => tracing::error!(%error, "a state that was made here is bad"),
        }
    }

    /// The server has told all that it had.
    pub(super) fn has_met(&mut self, until: Millis) {
        match &mut self.meeting {
            Some(meeting) => meeting.until = Some(until),
            None => self.confirmed = None,
        }
    }

    /// What is decided now, if that is due, and whether nobody else comes back at the same moment any more.
    pub(super) fn meeting_due(&mut self, now: Millis) -> (Option<Vec<u8>>, bool) {
        let Some(mut meeting) = self.meeting.take() else {
            return (None, false);
        };
        let is_decided = take_due(&mut meeting.decide_at, now);
        let replica = is_decided.then(|| self.replica().fork(new_client_id()));
        let decision = replica.and_then(|replica| decide(&meeting.apart, replica));
        let is_over =
            meeting.until.is_some_and(|until| until <= now) && meeting.decide_at.is_none();
        match is_over {
            true => self.confirmed = None,
            false => self.meeting = Some(meeting),
        }
        (decision, is_over)
    }

    /// An update of others is about to be taken in: what it takes besides for both to have what they wrote.
    pub(super) fn agreed(&mut self, update: &[u8], now: Millis) -> Option<Vec<u8>> {
        let mut meeting = self.meeting.take()?;
        let is_decided = match meeting.apart.hear(update) {
            Ok(is_decided) => is_decided,
            // Nor is it taken in.
            Err(_) => {
                self.meeting = Some(meeting);
                return None;
            }
        };
        let mut decision = None;
        if !self.synced {
            let mut all = self.replica().fork(new_client_id());
            decision = all
                .apply(update)
                .ok()
                .and_then(|()| decide(&meeting.apart, all));
        } else if is_decided {
            self.confirmed = None;
            return None;
        } else {
            let wait = Millis(now.0 + fastrand::u64(WAIT_MS));
            meeting.decide_at.get_or_insert(wait);
        }
        self.meeting = Some(meeting);
        decision
    }
}

impl Project {
    /// Takes up what the mirror has found in a closed document's file.
    pub(super) fn found(&mut self, document: &DocumentId, update: Vec<u8>) {
        let (now, until) = (self.clock.now(), self.clock.after(MEETING_MS));
        let is_from_before = self
            .online_since
            .is_some_and(|since| now.0 < since.0 + FOUND_MS);
        let room = self.rooms.get(document).filter(|_| is_from_before);
        let before = room.map(|room| room.replica().state());
        self.changed_on_disk(document, update);
        if let Some((before, room)) = before.zip(self.rooms.get_mut(document)) {
            room.finds(&before, until);
        }
    }
}

fn decide(apart: &Apart, mut all: Replica) -> Option<Vec<u8>> {
    let patch = apart.agree(&all)?;
    write_decision(&mut all, &patch).ok()
}
