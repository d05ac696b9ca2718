//! WebSocket close codes.
//!
//! Stock y-websocket clients stop for good on 4400 to 4499 and come back after every other code.

/// Protocol error: a frame that is not of the protocol.
pub const BAD_FRAME: u16 = 4400;
/// No token, or one that is not valid (any more).
pub const UNAUTHORIZED: u16 = 4401;
/// A valid token that does not allow this.
pub const FORBIDDEN: u16 = 4403;
/// No such project, or a room name outside the rules.
pub const NOT_FOUND: u16 = 4404;
/// What is stored of the document cannot be read: nobody needs to come back before that has been put
/// right.
pub const DAMAGED: u16 = 4422;
/// A message over the cap (RFC 6455, section 7.4.1).
pub const TOO_BIG: u16 = 1009;
/// The server restarts; come back (IANA WebSocket close codes).
pub const RESTART: u16 = 1012;
/// The server has too much to do, or its store does not answer; come back later.
pub const TRY_LATER: u16 = 1013;

/// The reason that goes with [`DAMAGED`]. A room of `/collab` has no code: its PermissionDenied has
/// this.
pub const DAMAGED_REASON: &str = "damaged: the server cannot read what it has stored of this \
                                  document; its administrator has to restore a backup";

/// Whether `reason`, of a room that is refused, is [`DAMAGED_REASON`] or what a later version says
/// in its place.
pub fn is_damage(reason: &str) -> bool {
    reason.starts_with("damaged:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_known_again_and_fits_a_close_frame() {
        assert!(is_damage(DAMAGED_REASON));
        // RFC 6455, section 5.5.
        assert!(DAMAGED_REASON.len() <= 123);
    }
}
