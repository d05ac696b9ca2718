//! A text that was taken for the person's before the server had told what it has.

use ropey::Rope;
use tutti_engine::Replica;

use super::project::new_client_id;
use super::room::Room;
use crate::mirror::{both, take_once};

/// What was opened while the server said nothing: it may have all of that already, from a bridge
/// that ended before it could store what it had sent.
pub(super) struct Guess {
    /// The document without what was opened.
    before: Rope,
    /// With it.
    after: Rope,
    /// As the server has it, as far as it has told. Nothing of that is shown before it is known
    /// what is the same.
    server: Replica,
    held: Vec<Vec<u8>>,
}

/// What becomes of a guess.
pub(super) struct Resolved {
    /// What the server has told, made one with what was opened.
    pub(super) updates: Vec<Vec<u8>>,
    /// The part of it that the server does not know.
    pub(super) own: Option<Vec<u8>>,
}

impl Guess {
    /// The server has told something.
    pub(super) fn hold(&mut self, update: Vec<u8>) {
        if let Err(error) = self.server.apply(&update) {
            return tracing::warn!(%error, "an update was dropped");
        }
        self.held.push(update);
    }

    /// The server has told all; `main` is what the document has become here.
    fn resolve(self, main: &Replica) -> Resolved {
        let own = take_once(&self.before, &self.after, main, &self.server);
        let own = own.unwrap_or_else(|error| {
            tracing::error!(%error, "a state that was made here is bad");
            None
        });
        // In one, lest the editor shows a text twice in between.
        let told = self.server.state();
        let first = match &own {
            None => told,
            Some(own) => both(&told, own),
        };
        // What builds upon the person's own text was no part of that.
        let updates = std::iter::once(first).chain(self.held).collect();
        Resolved { updates, own }
    }
}

impl Room {
    /// The replica, whose state was `before`, has taken in an opened text unseen by the server.
    pub(super) fn guess_at(&mut self, before: &[u8]) {
        let after = self.replica().rope().clone();
        if let Some(guess) = &mut self.guess {
            guess.after = after;
            return;
        }
        let Ok(server) = Replica::from_state(new_client_id(), before) else {
            return;
        };
        let before = server.rope().clone();
        if before != after {
            self.guess = Some(Guess {
                before,
                after,
                server,
                held: Vec::new(),
            });
        }
    }

    /// What has become of the guess, now that the server has told all.
    pub(super) fn resolved(&mut self) -> Option<Resolved> {
        let guess = self.guess.take()?;
        Some(guess.resolve(self.replica()))
    }
}
