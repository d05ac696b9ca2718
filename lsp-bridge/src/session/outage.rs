//! Telling the person that there is no connection.
//!
//! Progress says so at once, where an editor shows any; plain Neovim shows none. So an outage that lasts is
//! told in a message, and its end then, too. A restart of the server, or a train in a tunnel, is no news.

use super::project::{Connection, Project};
use crate::lsp::Severity;

/// Who has just opened a file waits for what others have written.
const AT_FIRST_MS: u64 = 3_000;
/// Who was connected before may go on for a while.
const LASTS_MS: u64 = 10_000;

impl Project {
    /// There is no connection.
    pub(super) fn outage_begins(&mut self, reason: &str) {
        let after = match self.was_let_in {
            true => LASTS_MS,
            false => AT_FIRST_MS,
        };
        let message = format!("offline, edits are kept here until the server is back: {reason}");
        self.outage.begins(self.clock.after(after), message);
    }

    /// The server has let us in. A socket alone is no connection: one that takes nobody in for now closes it.
    pub(super) fn is_let_in(&mut self) {
        self.was_let_in = true;
        self.outage_ends();
    }

    /// There is a connection again, or another reason why there is none has been told.
    pub(super) fn outage_ends(&mut self) {
        if self.outage.ends() && self.connection == Connection::Online {
            self.client.show(Severity::Info, "connected again");
        }
    }
}
