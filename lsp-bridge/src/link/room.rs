//! What the link knows of one joined room.

use std::collections::VecDeque;

/// Where a room stands on the current connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not on a connection.
    Away,
    /// The token has been sent; the server has not had all of our changes.
    Joining,
    /// The server's Step1 has been answered: updates may follow one by one.
    Live,
}

/// One joined room: its phase and what the server has yet to confirm.
#[derive(Debug)]
pub(super) struct Room {
    phase: Phase,
    /// Changes commanded while not live; the next Step2 contains them.
    held: u32,
    /// What was sent and is not confirmed, oldest first: whether it carries a change of ours.
    unconfirmed: VecDeque<bool>,
    /// Changes commanded since the room was joined.
    commanded: u64,
    reported: (u32, u64),
}

/// The update that contains nothing: no structs, no deletions.
const EMPTY_UPDATE: [u8; 2] = [0, 0];

impl Room {
    pub(super) fn new() -> Self {
        Self {
            phase: Phase::Away,
            held: 0,
            unconfirmed: VecDeque::new(),
            commanded: 0,
            reported: (0, 0),
        }
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    /// The token goes out on a new connection or after an interruption.
    pub(super) fn joining(&mut self) {
        self.phase = Phase::Joining;
    }

    /// The connection or the room is gone; whatever was not confirmed is our own care again.
    pub(super) fn away(&mut self) {
        self.phase = Phase::Away;
        self.held += self.unconfirmed.drain(..).map(u32::from).sum::<u32>();
    }

    /// Whether this change is to be sent now; else the next Step2 contains it.
    pub(super) fn change(&mut self) -> bool {
        self.commanded += 1;
        if self.phase == Phase::Live {
            self.unconfirmed.push_back(true);
            return true;
        }
        self.held += 1;
        false
    }

    /// Whether this Step2 is to be sent now.
    pub(super) fn step2(&mut self, update: &[u8]) -> bool {
        if self.phase == Phase::Away {
            return false;
        }
        self.phase = Phase::Live;
        self.held = 0;
        self.unconfirmed.push_back(update != EMPTY_UPDATE);
        true
    }

    /// One SyncStatus has arrived.
    pub(super) fn confirmed(&mut self) {
        self.unconfirmed.pop_front();
    }

    /// One SyncStatus has arrived that says that a change is not taken: it is our own care again.
    pub(super) fn refused(&mut self) {
        self.held += self.unconfirmed.pop_front().map_or(0, u32::from);
    }

    /// The number of unconfirmed changes and of all changes so far, if they differ from what was
    /// last told.
    pub(super) fn news(&mut self) -> Option<(u32, u64)> {
        let sent: u32 = self.unconfirmed.iter().copied().map(u32::from).sum();
        let news = (self.held + sent, self.commanded);
        (news != self.reported).then(|| {
            self.reported = news;
            news
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(room: &mut Room) -> Option<u32> {
        room.news().map(|(count, _)| count)
    }

    #[test]
    fn counts_what_is_not_confirmed() {
        let mut room = Room::new();
        assert!(!room.change(), "nothing is sent while away");
        assert_eq!(count(&mut room), Some(1));
        room.joining();
        assert!(!room.change(), "the coming Step2 contains it");
        assert_eq!(count(&mut room), Some(2));
        assert!(room.step2(b"both"));
        assert_eq!(count(&mut room), Some(1));
        assert!(room.change());
        assert_eq!(count(&mut room), Some(2));
        room.confirmed();
        assert_eq!(count(&mut room), Some(1));
        room.away();
        assert_eq!(
            count(&mut room),
            None,
            "what was under way is still unsaved"
        );
        room.joining();
        assert!(room.step2(b"again"));
        room.confirmed();
        assert_eq!(count(&mut room), Some(0));
    }

    #[test]
    fn what_is_refused_is_not_saved() {
        let mut room = Room::new();
        room.joining();
        assert!(room.step2(b"all"));
        assert!(room.change());
        room.confirmed();
        room.refused();
        assert_eq!(count(&mut room), Some(1));
        room.away();
        room.joining();
        assert!(room.step2(b"again"));
        room.confirmed();
        assert_eq!(count(&mut room), Some(0));
    }

    #[test]
    fn an_empty_step2_is_no_change() {
        let mut room = Room::new();
        room.joining();
        assert!(room.step2(&EMPTY_UPDATE));
        assert_eq!(count(&mut room), None);
        assert!(room.change());
        room.confirmed();
        assert_eq!(
            count(&mut room),
            Some(1),
            "the first confirmation was for the empty Step2"
        );
        room.confirmed();
        assert_eq!(count(&mut room), Some(0));
    }
}
