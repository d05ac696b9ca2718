//! The sync payload, common to both framings (y-protocols `sync.js`).

use crate::codec::{DecodeError, Reader, Write};

/// One step of the Yjs sync exchange. State vectors and updates are in Yjs' v1 encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncMessage<'a> {
    /// "This is what I have": a state vector. It asks for a [`SyncMessage::Step2`].
    Step1(&'a [u8]),
    /// "This is what you lack": an update.
    Step2(&'a [u8]),
    /// A change made just now: an update.
    Update(&'a [u8]),
}

impl<'a> SyncMessage<'a> {
    /// Reads one message.
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let kind = reader.var_uint()?;
        let bytes = match kind {
            0..=2 => reader.var_bytes()?,
            other => return Err(DecodeError::UnknownType(other)),
        };
        Ok(match kind {
            0 => Self::Step1(bytes),
            1 => Self::Step2(bytes),
            _ => Self::Update(bytes),
        })
    }

    /// Appends the message to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        let (kind, bytes) = match self {
            Self::Step1(bytes) => (0, bytes),
            Self::Step2(bytes) => (1, bytes),
            Self::Update(bytes) => (2, bytes),
        };
        out.var_uint(kind);
        out.var_bytes(bytes);
    }
}
