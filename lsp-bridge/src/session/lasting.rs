//! Telling the person of a trouble that lasts, and of its end.
//!
//! One that is soon over is no news. Neovim shows no message while somebody types, so what was told is told once
//! more when they save.

use tutti_engine::Millis;

use super::timers::take_due;
use crate::lsp::{Client, Severity};

/// A trouble, or none.
#[derive(Debug, Default)]
pub(super) struct Lasting {
    /// When to tell.
    tell_at: Option<Millis>,
    message: String,
    told: Told,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Told {
    #[default]
    No,
    Once,
    AtSaveToo,
}

impl Lasting {
    /// It is there; it is told at `at`, unless it was to be sooner.
    pub(super) fn begins(&mut self, at: Millis, message: String) {
        self.message = message;
        if self.told == Told::No {
            self.tell_at.get_or_insert(at);
        }
    }

    /// It is over. Returns whether the person knew of it.
    pub(super) fn ends(&mut self) -> bool {
        std::mem::take(self).is_told()
    }

    pub(super) fn is_told(&self) -> bool {
        self.told != Told::No
    }

    pub(super) fn due(&self) -> Option<Millis> {
        self.tell_at
    }

    /// Tells of it if the time has come.
    pub(super) fn tell(&mut self, now: Millis, client: &Client) {
        if take_due(&mut self.tell_at, now) {
            self.told = Told::Once;
            client.show(Severity::Warning, &self.message);
        }
    }

    /// The person has saved a file.
    pub(super) fn saves(&mut self, client: &Client) {
        if self.told == Told::Once {
            self.told = Told::AtSaveToo;
            client.show(Severity::Warning, &self.message);
        }
    }
}
