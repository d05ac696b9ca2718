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
/// A message over the cap (RFC 6455, section 7.4.1).
pub const TOO_BIG: u16 = 1009;
/// The server restarts; come back (IANA WebSocket close codes).
pub const RESTART: u16 = 1012;
/// The server has too much to do, or its store does not answer; come back later.
pub const TRY_LATER: u16 = 1013;
