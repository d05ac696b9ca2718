//! How long a message may be, as far as the server has said.
//!
//! It says so by closing the whole connection (1009). Who only came back and sent the same again would be
//! thrown out again, with all other documents. So what was too long once is not sent on the next connection.
//! The limit is the administrator's, who may have lifted it when the server comes back from a restart.

/// What is known of the limit.
#[derive(Debug, Default)]
pub(super) struct Longest {
    /// The longest message of this connection, in bytes.
    sent: usize,
    /// The server takes none of this length.
    too_long: Option<usize>,
}

impl Longest {
    /// Whether a message of so many bytes is to be sent.
    pub(super) fn may_send(&mut self, bytes: usize) -> bool {
        if self.too_long.is_some_and(|too_long| bytes >= too_long) {
            return false;
        }
        self.sent = self.sent.max(bytes);
        true
    }

    /// The connection has ended, since a message was too long or for another reason.
    pub(super) fn ended(&mut self, is_too_long: bool) {
        let sent = std::mem::take(&mut self.sent);
        self.too_long = is_too_long.then(|| self.too_long.map_or(sent, |known| known.min(sent)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_too_long_is_not_sent_again() {
        let mut longest = Longest::default();
        for bytes in [10, 3_000, 20] {
            assert!(longest.may_send(bytes));
        }
        longest.ended(true);
        assert!(longest.may_send(2_999));
        assert!(!longest.may_send(3_000));
        longest.ended(true);
        assert!(!longest.may_send(2_999));
    }

    #[test]
    fn another_server_may_take_more() {
        let mut longest = Longest::default();
        assert!(longest.may_send(3_000));
        longest.ended(true);
        longest.ended(false);
        assert!(longest.may_send(3_000));
    }
}
