//! A client's state, as it was said and as it was told.

use std::time::Instant;

use tutti_protocol::awareness::AwarenessEntry;

use super::clock::{Moment, Pace};
use crate::fanout::NodeId;
use crate::room::MemberId;

/// Clocks told within this time may still be on their way back, in [eighths](super::clock).
const REPEATED: u64 = 60 * 8;

/// By how many eighths of a second a clock is moved on for those who come at one moment. Other nodes
/// do not hear of it, so that it must not be far ahead of the time.
const UNHEARD: u64 = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Member(MemberId),
    /// A client of another node.
    Elsewhere(NodeId),
}

pub(super) struct Shown {
    pub(super) state: String,
    /// The clock that its owner gave the state.
    pub(super) said: u64,
    /// The clock that everybody was told.
    pub(super) told: u64,
    pub(super) told_at: Instant,
    pub(super) owner: Owner,
    pub(super) renewed: Instant,
    /// Since when it may be that its node has said that it is gone, and was not heard.
    pub(super) doubted: Option<Instant>,
    /// How far its node's time of day is ahead of ours, in [eighths](super::clock).
    pub(super) ahead: i64,
    pub(super) pace: Pace,
    /// Whether the state came too soon after others to be told yet.
    pub(super) held: bool,
}

impl Shown {
    /// The time of day where its owner is.
    fn eighths(&self, now: Moment) -> u64 {
        match self.owner {
            Owner::Member(_) => now.eighths,
            Owner::Elsewhere(_) => now.eighths.saturating_add_signed(self.ahead),
        }
    }

    /// What everybody is to hear of it.
    pub(super) fn news(&self, client: u64) -> News {
        News {
            client,
            state: self.state.clone(),
            said: self.said,
            told: self.told,
            owner: self.owner,
        }
    }

    /// Gives the state a clock that who comes now has not heard. Where very many come at once they
    /// share one, so that it does not run ahead of the time.
    pub(super) fn move_on(&mut self, now: Moment) {
        let time = self.eighths(now);
        let step = u64::from(self.told + 1 < time + UNHEARD);
        self.told = (self.told + step).max(time);
    }
}

pub(super) struct Removed {
    pub(super) said: u64,
    pub(super) told: u64,
    pub(super) owner: Owner,
    pub(super) at: Instant,
}

/// What everybody is to hear of one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::room) struct News {
    pub(in crate::room) client: u64,
    pub(super) state: String,
    pub(super) said: u64,
    pub(super) told: u64,
    pub(super) owner: Owner,
}

impl News {
    /// The member whose client it is.
    pub(in crate::room) fn member(&self) -> Option<MemberId> {
        match self.owner {
            Owner::Member(member) => Some(member),
            Owner::Elsewhere(_) => None,
        }
    }

    /// For everybody else.
    pub(in crate::room) fn entry(&self) -> AwarenessEntry {
        self.with_clock(self.told)
    }

    /// For the member whose client it is.
    pub(in crate::room) fn own_entry(&self) -> AwarenessEntry {
        self.with_clock(self.said)
    }

    fn with_clock(&self, clock: u64) -> AwarenessEntry {
        AwarenessEntry {
            client: self.client,
            clock,
            state: self.state.clone(),
        }
    }
}

impl Removed {
    /// Whether who says this only repeats what it was told before the removal.
    pub(super) fn is_repeated_by(&self, member: MemberId, joined: Instant, clock: u64) -> bool {
        if self.owner == Owner::Member(member) {
            return clock <= self.said;
        }
        joined < self.at && is_repeated(clock, self.told)
    }
}

/// Whether a clock was told lately, so that it comes from one who repeats what it hears: a client's
/// own clock is far from the time of day.
pub(super) fn is_repeated(clock: u64, told: u64) -> bool {
    clock <= told && clock + REPEATED > told
}

/// Clients throw on what is not JSON, and on numbers that JavaScript cannot count with.
pub(super) fn is_state(entry: &AwarenessEntry) -> bool {
    entry.clock < 1 << 53
        && entry.client < 1 << 53
        && serde_json::from_str::<serde::de::IgnoredAny>(&entry.state).is_ok()
}
