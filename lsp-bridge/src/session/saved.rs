//! Whether the server has all that we have of one document.

/// Counts what was commanded and what the link tells of it.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Saved {
    commanded: u64,
    counted: u64,
    unconfirmed: u32,
}

impl Saved {
    /// An update was commanded.
    pub(super) fn sent(&mut self) {
        self.commanded += 1;
    }

    /// A diff that holds something was commanded.
    pub(super) fn sent_diff(&mut self) {
        self.unconfirmed = self.unconfirmed.max(1);
    }

    /// The server has said that it has all that we have.
    pub(super) fn nothing_missing(&mut self) {
        self.unconfirmed = 0;
    }

    /// The link has told.
    pub(super) fn told(&mut self, unconfirmed: u32, commanded: u64) {
        self.unconfirmed = unconfirmed;
        self.counted = commanded;
    }

    /// Nothing of ours is missing on the server, as far as this connection knows.
    pub(super) fn all(&self) -> bool {
        self.unconfirmed == 0 && self.commanded == self.counted
    }
}
