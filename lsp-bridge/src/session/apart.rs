//! What was written here without a connection, until it has met what others have written meanwhile.

use tutti_engine::{Agreed, Apart, Millis};

use super::project::new_client_id;
use super::room::Room;
use crate::mirror::write_alike;

/// Two who come back at the same moment have heard of each other within this time.
pub(super) const MEETING_MS: u64 = 5_000;

/// What was written apart, and what is heard of the others.
pub(super) struct Meeting {
    apart: Apart,
    /// Once the server has told all that it had.
    pub(super) until: Option<Millis>,
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
            Ok(apart) => self.meeting = Some(Meeting { apart, until: None }),
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

    /// Nobody else comes back at the same moment any more.
    pub(super) fn meeting_due(&mut self, now: Millis) {
        let until = self.meeting.as_ref().and_then(|meeting| meeting.until);
        if until.is_some_and(|until| until <= now) {
            self.meeting = None;
            self.confirmed = None;
        }
    }

    /// An update of others is about to be taken in: what it takes besides for both to have what they wrote.
    pub(super) fn agreed(&mut self, update: &[u8]) -> Option<Vec<u8>> {
        let mut meeting = self.meeting.take()?;
        let mut now = self.replica().fork(new_client_id());
        let heard = meeting.apart.hear(update).and_then(|()| now.apply(update));
        let agreed = heard.ok().and_then(|()| meeting.apart.agree(&now));
        self.meeting = Some(meeting);
        match agreed? {
            // Whoever else comes to the same does so in the same name.
            Agreed::On(patch) => write_alike(&mut now, &patch).ok(),
            Agreed::Once(update) => Some(update),
        }
    }
}
