//! The Hocuspocus framing: many rooms a socket, `GET /collab`.
//!
//! Each frame holds one message and starts with the name of its room, to which providers with
//! session awareness append `\0` and a session key (`@hocuspocus/common`, `routingKey.ts`). The
//! message types are those of `@hocuspocus/provider` 3 and 4 (`types.ts`).

use crate::codec::{DecodeError, Reader, Write};
use crate::role::Role;
use crate::sync::SyncMessage;

/// One frame: a message to or from one room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The room's name as it stands in the frame, with the session key where there is one.
    /// Answers repeat it unchanged.
    pub address: &'a str,
    /// What is said.
    pub message: Message<'a>,
}

/// A message of the Hocuspocus protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// Type 0: a step of the sync exchange.
    Sync(SyncMessage<'a>),
    /// Type 1: an awareness update, see [`crate::awareness`].
    Awareness(&'a [u8]),
    /// Type 2, sub-type 0, to the server: the token. Providers from version 3 on add their own
    /// version, which says that they understand [`Message::Ping`].
    Token {
        /// The secret.
        token: &'a str,
        /// The provider's version, where it says one.
        version: Option<&'a str>,
    },
    /// Type 2, sub-type 1, to the client: refused, with the reason.
    PermissionDenied(&'a str),
    /// Type 2, sub-type 2, to the client: let in.
    Authenticated(Role),
    /// Type 3: asks for everybody's awareness.
    QueryAwareness,
    /// Type 4: a sync step that must not be answered with a step of one's own.
    SyncReply(SyncMessage<'a>),
    /// Type 5: a text beside the document.
    Stateless(&'a str),
    /// Type 6: a text for everyone; only servers among themselves may send it.
    BroadcastStateless(&'a str),
    /// Type 7: leaves (client) or ends (server, with its reason) this room; the socket stays.
    Close(&'a str),
    /// Type 8: an update or Step2 has become durable (`true`) or was refused (`false`).
    SyncStatus(bool),
    /// Type 9: asks for a [`Message::Pong`].
    Ping,
    /// Type 10: the answer to a [`Message::Ping`].
    Pong,
}

/// The room's part of an address: what stands before a session key.
pub fn room_name(address: &str) -> &str {
    address.split_once('\0').map_or(address, |(name, _)| name)
}

impl<'a> Frame<'a> {
    /// Reads a frame. What follows the message in the same frame is ignored, as the stock
    /// server does, so that later versions may append to their messages.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let address = reader.var_str()?;
        let message = Message::read(&mut reader)?;
        Ok(Self { address, message })
    }

    /// The frame as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.var_str(self.address);
        self.message.write(&mut out);
        out
    }
}

impl<'a> Message<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(match reader.var_uint()? {
            0 => Self::Sync(SyncMessage::read(reader)?),
            1 => Self::Awareness(reader.var_bytes()?),
            2 => Self::read_auth(reader)?,
            3 => Self::QueryAwareness,
            4 => Self::SyncReply(SyncMessage::read(reader)?),
            5 => Self::Stateless(reader.var_str()?),
            6 => Self::BroadcastStateless(reader.var_str()?),
            // Providers leave without a reason; servers give one.
            7 if reader.is_empty() => Self::Close(""),
            7 => Self::Close(reader.var_str()?),
            8 => Self::SyncStatus(reader.var_uint()? == 1),
            9 => Self::Ping,
            10 => Self::Pong,
            other => return Err(DecodeError::UnknownType(other)),
        })
    }

    fn read_auth(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(match reader.var_uint()? {
            0 => Self::Token {
                token: reader.var_str()?,
                version: if reader.is_empty() {
                    None
                } else {
                    Some(reader.var_str()?)
                },
            },
            1 => Self::PermissionDenied(reader.var_str()?),
            2 => Self::Authenticated(match reader.var_str()? {
                "readonly" => Role::Viewer,
                _ => Role::Editor,
            }),
            other => return Err(DecodeError::UnknownType(other)),
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Sync(message) => {
                out.var_uint(0);
                message.write(out);
            }
            Self::Awareness(update) => {
                out.var_uint(1);
                out.var_bytes(update);
            }
            Self::Token { token, version } => {
                out.var_uint(2);
                out.var_uint(0);
                out.var_str(token);
                if let Some(version) = version {
                    out.var_str(version);
                }
            }
            Self::PermissionDenied(reason) => {
                out.var_uint(2);
                out.var_uint(1);
                out.var_str(reason);
            }
            Self::Authenticated(role) => {
                out.var_uint(2);
                out.var_uint(2);
                out.var_str(match role {
                    Role::Editor => "read-write",
                    Role::Viewer => "readonly",
                });
            }
            Self::QueryAwareness => out.var_uint(3),
            Self::SyncReply(message) => {
                out.var_uint(4);
                message.write(out);
            }
            Self::Stateless(text) => {
                out.var_uint(5);
                out.var_str(text);
            }
            Self::BroadcastStateless(text) => {
                out.var_uint(6);
                out.var_str(text);
            }
            Self::Close(reason) => {
                out.var_uint(7);
                out.var_str(reason);
            }
            Self::SyncStatus(durable) => {
                out.var_uint(8);
                out.var_uint(u64::from(*durable));
            }
            Self::Ping => out.var_uint(9),
            Self::Pong => out.var_uint(10),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_message_survives() {
        let messages = [
            Message::Sync(SyncMessage::Step1(&[0])),
            Message::Sync(SyncMessage::Step2(b"u")),
            Message::Awareness(b"a"),
            Message::Token {
                token: "secret",
                version: Some("4.8.0"),
            },
            Message::Token {
                token: "secret",
                version: None,
            },
            Message::PermissionDenied("expired"),
            Message::Authenticated(Role::Viewer),
            Message::Authenticated(Role::Editor),
            Message::QueryAwareness,
            Message::SyncReply(SyncMessage::Update(b"u")),
            Message::Stateless("{}"),
            Message::BroadcastStateless("{}"),
            Message::Close("bye"),
            Message::SyncStatus(true),
            Message::SyncStatus(false),
            Message::Ping,
            Message::Pong,
        ];
        for message in messages {
            let frame = Frame {
                address: "p/d\0session",
                message,
            };
            assert_eq!(Frame::decode(&frame.encode()), Ok(frame));
            assert_eq!(room_name(frame.address), "p/d");
        }
    }

    #[test]
    fn a_provider_leaves_without_a_reason() {
        let mut bytes = Vec::new();
        bytes.var_str("p/d");
        bytes.var_uint(7);
        assert_eq!(Frame::decode(&bytes).unwrap().message, Message::Close(""));
    }

    proptest! {
        #[test]
        fn garbage_is_an_error_and_no_panic(bytes: Vec<u8>) {
            let _ = Frame::decode(&bytes);
        }
    }
}
