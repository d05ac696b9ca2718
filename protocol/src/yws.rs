//! The y-websocket framing: one room a socket, `GET /ws/{project}/{doc}`.
//!
//! Stock clients up to 3.1 read only the first message of a frame, so the server sends one a
//! frame; it accepts several.

use crate::codec::{DecodeError, Reader, Write};
use crate::sync::SyncMessage;

/// A message of the y-websocket protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// Type 0: a step of the sync exchange.
    Sync(SyncMessage<'a>),
    /// Type 1: an awareness update, see [`crate::awareness`].
    Awareness(&'a [u8]),
    /// Type 2, sub-type 0: the server refuses, with its reason.
    PermissionDenied(&'a str),
    /// Type 3: asks for everybody's awareness.
    QueryAwareness,
}

impl<'a> Message<'a> {
    /// Reads the next message of a frame.
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        match reader.var_uint()? {
            0 => SyncMessage::read(reader).map(Self::Sync),
            1 => reader.var_bytes().map(Self::Awareness),
            2 => match reader.var_uint()? {
                0 => reader.var_str().map(Self::PermissionDenied),
                other => Err(DecodeError::UnknownType(other)),
            },
            3 => Ok(Self::QueryAwareness),
            other => Err(DecodeError::UnknownType(other)),
        }
    }

    /// The message as a frame of its own.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Sync(message) => {
                out.var_uint(0);
                message.write(&mut out);
            }
            Self::Awareness(update) => {
                out.var_uint(1);
                out.var_bytes(update);
            }
            Self::PermissionDenied(reason) => {
                out.var_uint(2);
                out.var_uint(0);
                out.var_str(reason);
            }
            Self::QueryAwareness => out.var_uint(3),
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_messages_share_a_frame() {
        let messages = [
            Message::Sync(SyncMessage::Step1(&[0])),
            Message::Sync(SyncMessage::Update(b"update")),
            Message::Awareness(b"states"),
            Message::PermissionDenied("no"),
            Message::QueryAwareness,
        ];
        let frame: Vec<u8> = messages.iter().flat_map(Message::encode).collect();
        let mut reader = Reader::new(&frame);
        for message in messages {
            assert_eq!(Message::read(&mut reader), Ok(message));
        }
        assert!(reader.is_empty());
    }
}
