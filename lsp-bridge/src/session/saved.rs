//! Whether the server has all that we have of one document.

/// Counts what was commanded and what the link tells of it.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Saved {
    commanded: u64,
    counted: u64,
    unconfirmed: u32,
    /// There is something that is not sent at all, since the link is view-only.
    withheld: bool,
}

impl Saved {
    /// For a replica that was stored, `unsaved` or not: what an earlier session could not get
    /// confirmed is not confirmed now.
    pub(super) fn stored(unsaved: bool) -> Self {
        Self {
            unconfirmed: u32::from(unsaved),
            ..Self::default()
        }
    }

    /// An update was commanded.
    pub(super) fn sent(&mut self) {
        self.commanded += 1;
    }

    /// Something stays here, since the link is view-only.
    pub(super) fn withheld(&mut self) {
        self.withheld = true;
    }

    /// A diff that holds something, and with it all that was withheld, was commanded.
    pub(super) fn sent_diff(&mut self) {
        self.withheld = false;
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

    /// Nothing of ours is on its way to the server, as far as this connection knows.
    pub(super) fn all(&self) -> bool {
        self.unconfirmed == 0 && self.commanded == self.counted
    }

    /// Something of ours is not on the server, whether or not it is on its way.
    pub(super) fn is_ahead(&self) -> bool {
        self.withheld || !self.all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_stored_unconfirmed_is_so_until_the_server_has_it() {
        assert!(Saved::stored(false).all());
        let mut saved = Saved::stored(true);
        assert!(!saved.all());
        saved.nothing_missing();
        assert!(saved.all());
        let mut saved = Saved::stored(true);
        saved.sent_diff();
        assert!(!saved.all());
        saved.told(0, 0);
        assert!(saved.all());
    }

    #[test]
    fn what_is_withheld_is_waited_for_by_nobody_and_stays_ahead() {
        let mut saved = Saved::default();
        saved.withheld();
        assert!(saved.all() && saved.is_ahead());
        saved.nothing_missing();
        saved.told(0, 0);
        assert!(saved.is_ahead());
        // The link has become an editor's.
        saved.sent_diff();
        saved.told(0, 0);
        assert!(!saved.is_ahead());
    }
}
