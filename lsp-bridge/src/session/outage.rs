//! Telling the person that there is no connection.
//!
//! Progress says so at once, where an editor shows any; plain Neovim shows none. So an outage that lasts is
//! told in a message, and its end then, too. A restart of the server, or a train in a tunnel, is no news.

use tutti_engine::Millis;

use super::project::{Connection, Project};
use super::timers::take_due;
use crate::lsp::Severity;

/// Who has just opened a file waits for what others have written.
const AT_FIRST_MS: u64 = 3_000;
/// Who was connected before may go on for a while.
const LASTS_MS: u64 = 10_000;

/// See the [module's documentation](self).
#[derive(Debug, Default)]
pub(super) struct Outage {
    /// When to tell, and why it is.
    tell_at: Option<Millis>,
    reason: String,
    is_told: bool,
}

impl Outage {
    pub(super) fn due(&self) -> Option<Millis> {
        self.tell_at
    }
}

impl Project {
    /// There is no connection; `before` is what there was.
    pub(super) fn outage_begins(&mut self, before: &Connection, reason: String) {
        let after = match before {
            Connection::Unknown => AT_FIRST_MS,
            Connection::Offline | Connection::Online | Connection::Denied => LASTS_MS,
        };
        let at = self.clock.after(after);
        self.outage.reason = reason;
        if !self.outage.is_told {
            self.outage.tell_at.get_or_insert(at);
        }
    }

    /// There is a connection again, or another reason why there is none has been told.
    pub(super) fn outage_ends(&mut self) {
        let outage = std::mem::take(&mut self.outage);
        if outage.is_told && self.connection == Connection::Online {
            self.client.show(Severity::Info, "connected again");
        }
    }

    pub(super) fn outage_due(&mut self, now: Millis) {
        if take_due(&mut self.outage.tell_at, now) {
            self.outage.is_told = true;
            let reason = &self.outage.reason;
            let message =
                format!("offline, edits are kept here until the server is back: {reason}");
            self.client.show(Severity::Warning, &message);
        }
    }
}
