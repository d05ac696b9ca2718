//! What the session holds of one document: open in the editor, or closed and being brought up to
//! date.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use ropey::Rope;
use tutti_engine::{BadUpdate, Document, Millis, Replica};

use super::apart::Meeting;
use super::guess::Guess;
use super::saved::Saved;
use crate::mirror::{Earlier, Journal};

/// No editor takes longer to write a file and tell of it.
const WRITING_MS: u64 = 5_000;
/// As long as an editor takes to write what its person has typed on since.
const SLOW_MS: u64 = 1_000;
/// Reports within that time.
const MOST_RECENT: usize = 512;

/// One document that this session takes part in.
pub(super) struct Room {
    pub(super) held: Held,
    pub(super) saved: Saved,
    /// The replica holds at least what the file on disk came from.
    pub(super) complete: bool,
    /// The server has given, on this connection, all that it had.
    pub(super) synced: bool,
    /// The server has been given, on this connection, all that we had.
    pub(super) offered: bool,
    /// The server does not take what we have, and has not since: it is looked after as without a connection.
    pub(super) held_back: bool,
    /// What was opened before the server had told what it has.
    pub(super) guess: Option<Guess>,
    /// What the server has had, before what was written here without it.
    pub(super) confirmed: Option<Vec<u8>>,
    /// Of that with what others have written meanwhile.
    pub(super) meeting: Option<Meeting>,
    /// When the replica is to be stored.
    pub(super) store_at: Option<Millis>,
    /// Whether what was stored last was marked as unconfirmed.
    pub(super) stored_unsaved: bool,
}

/// Who has the document.
pub(super) enum Held {
    /// An editor shows it.
    Open(Box<Open>),
    /// Nobody shows it; the file on disk follows it.
    Closed(Box<Closed>),
}

/// A document that an editor shows.
pub(super) struct Open {
    pub(super) document: Document,
    /// As the editor writes it.
    pub(super) uri: String,
    /// Under which the person's edits are written, and their presence shown.
    pub(super) user: u64,
    /// When the engine wants to be woken.
    pub(super) wake_at: Option<Millis>,
    /// Whether the editor was last known to report nothing.
    pub(super) was_deaf: bool,
    /// The editor was asked to show what others have written since it has read or written the file.
    pub(super) is_beyond_file: bool,
    /// What the editor showed in the last seconds.
    pub(super) recent: VecDeque<Shown>,
    /// What is kept for the bridge after this one; `None` where that cannot be written.
    pub(super) journal: Option<Journal>,
}

/// What an editor showed before.
pub(super) struct Shown {
    text: Rope,
    /// When it showed something else.
    until: Millis,
    /// Its person has typed on: the editor may still be about to write it.
    is_typed_on: bool,
}

impl Open {
    /// The editor is about to show something else.
    pub(super) fn note_shown(&mut self, now: Millis) {
        let is_old = |shown: &Shown| shown.until.0 + WRITING_MS < now.0;
        while self.recent.len() == MOST_RECENT || self.recent.front().is_some_and(is_old) {
            self.recent.pop_front();
        }
        self.recent.push_back(Shown {
            text: self.document.shown_after(&[]),
            until: now,
            is_typed_on: false,
        });
    }

    /// What it shows since then is its person's.
    pub(super) fn note_typed_on(&mut self) {
        if let Some(shown) = self.recent.back_mut() {
            shown.is_typed_on = true;
        }
    }

    /// What the editor showed in the last seconds, the last first; `told` is this moment by the other clock.
    pub(super) fn shown_before(&self, now: Millis, told: Instant) -> Vec<Earlier> {
        let ago = |shown: &Shown| Duration::from_millis(now.0.saturating_sub(shown.until.0));
        let recent = self.recent.iter().rev();
        let recent = recent.take_while(|shown| ago(shown) <= Duration::from_millis(WRITING_MS));
        recent
            .map(|shown| {
                let until = told.checked_sub(ago(shown)).unwrap_or(told);
                let slow = Duration::from_millis(if shown.is_typed_on { SLOW_MS } else { 0 });
                Earlier {
                    shown: shown.text.clone(),
                    until: until + slow,
                }
            })
            .collect()
    }
}

/// A document that nobody shows.
pub(super) struct Closed {
    pub(super) replica: Replica,
    pub(super) step: Step,
    /// It may have changed since it was last handed to the mirror.
    pub(super) touched: bool,
    /// The state that the file holds, as far as is known.
    pub(super) on_disk: Option<Vec<u8>>,
}

/// How far a closed document has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Being brought up to date with the server.
    Syncing,
    /// The mirror is bringing the file up to date.
    Settling,
    /// Done but for the server's confirmation.
    Leaving,
    /// Just closed by the editor, which may be about to open it again.
    Lingering(Millis),
}

impl Room {
    pub(super) fn closed(replica: Replica, step: Step) -> Self {
        Self {
            held: Held::Closed(Box::new(Closed {
                replica,
                step,
                touched: false,
                on_disk: None,
            })),
            saved: Saved::default(),
            complete: false,
            synced: false,
            offered: false,
            held_back: false,
            guess: None,
            confirmed: None,
            meeting: None,
            store_at: None,
            stored_unsaved: false,
        }
    }

    pub(super) fn replica(&self) -> &Replica {
        match &self.held {
            Held::Open(open) => open.document.main(),
            Held::Closed(closed) => &closed.replica,
        }
    }

    pub(super) fn diff(&self, state_vector: &[u8]) -> Result<Vec<u8>, BadUpdate> {
        self.replica().diff(state_vector)
    }

    pub(super) fn open(&self) -> Option<&Open> {
        match &self.held {
            Held::Open(open) => Some(open),
            Held::Closed(_) => None,
        }
    }

    pub(super) fn open_mut(&mut self) -> Option<&mut Open> {
        match &mut self.held {
            Held::Open(open) => Some(open),
            Held::Closed(_) => None,
        }
    }

    /// Stores the replica soon, if that is not planned already.
    pub(super) fn store_by(&mut self, at: Millis) {
        self.store_at.get_or_insert(at);
    }

    /// Takes up a replica as it was stored, `unsaved` or not; `confirmed` is what the server had of it.
    pub(super) fn was_stored(&mut self, unsaved: bool, confirmed: Option<Vec<u8>>) {
        self.complete = true;
        self.saved = Saved::stored(unsaved);
        self.stored_unsaved = unsaved;
        self.confirmed = confirmed;
    }

    /// The server may have confirmed everything: then that is stored soon.
    pub(super) fn confirmed(&mut self, store_at: Millis) {
        if self.stored_unsaved && !self.saved.is_ahead() {
            self.store_by(store_at);
        }
    }

    /// What is to be stored, which counts as done: the replica's state, and whether it is unconfirmed.
    pub(super) fn store_now(&mut self) -> (Vec<u8>, bool) {
        self.store_at = None;
        self.stored_unsaved = self.saved.is_ahead();
        (self.replica().state(), self.stored_unsaved)
    }

    /// The next moment at which something is to be done here.
    pub(super) fn due(&self) -> Option<Millis> {
        let own = match &self.held {
            Held::Open(open) => open.wake_at,
            Held::Closed(closed) => match closed.step {
                Step::Lingering(until) => Some(until),
                _ => None,
            },
        };
        let meeting = self.meeting.as_ref().and_then(Meeting::due);
        earlier(earlier(own, self.store_at), meeting)
    }
}

/// The earlier of two moments.
pub(super) fn earlier(a: Option<Millis>, b: Option<Millis>) -> Option<Millis> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
