//! What nodes tell each other, and how it is written (`docs/fanout.md`).

use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;
use tutti_protocol::codec::{DecodeError, Reader, Write};
use tutti_protocol::ids::{DocumentId, ProjectId};

use crate::ws::GrantId;

/// Stands for everything that a document contains: equal ones contain the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest(pub [u8; 16]);

/// A message between nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A Yjs update, v1 encoding, without missing predecessors. Its sender stores it.
    Update(Bytes),
    /// An awareness update about clients of the sender.
    Awareness(Bytes),
    /// "This is what I have." Who has something else asks.
    Digest(Digest),
    /// "Send me what I lack", and who is connected to you.
    Ask {
        /// The state vector of the sender's document.
        vector: Bytes,
        /// What that document contains.
        digest: Digest,
    },
    /// What the asker lacked.
    Answer {
        /// A Yjs update.
        update: Bytes,
        /// The state vector of the sender's document.
        vector: Bytes,
        /// What that document contains.
        digest: Digest,
    },
    /// "One of my members says that it is this client": who is connected to the receiver as that
    /// client is asked for a sign of life.
    Probe(u64),
    /// "There is something in the store that was too large to be sent."
    Stored,
    /// In an index room: these other documents of the project have changed.
    Changed(Arc<[DocumentId]>),
    /// These grants have been withdrawn.
    Revoked(Vec<GrantId>),
    /// This project is being deleted.
    Deleted(ProjectId),
    /// A sign of life.
    Alive,
    /// The sender is going.
    Leaving,
}

/// Why bytes are no message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum MessageError {
    /// The encoding is broken.
    #[error("{0}")]
    Encoding(#[from] DecodeError),
    /// A kind that this version does not know.
    #[error("kind {0} is not known")]
    Kind(u8),
    /// An id in it is outside the rules.
    #[error("an id in it is outside the rules")]
    Id,
}

const UPDATE: u8 = 0;
const AWARENESS: u8 = 1;
const DIGEST: u8 = 2;
const ASK: u8 = 3;
const ANSWER: u8 = 4;
const STORED: u8 = 5;
const CHANGED: u8 = 6;
const REVOKED: u8 = 7;
const DELETED: u8 = 8;
const ALIVE: u8 = 9;
const LEAVING: u8 = 10;
const PROBE: u8 = 11;

impl Message {
    /// About how many bytes it takes.
    pub(crate) fn len(&self) -> usize {
        const SMALL: usize = 32;
        SMALL
            + match self {
                Self::Update(bytes) | Self::Awareness(bytes) => bytes.len(),
                Self::Ask { vector, .. } => vector.len(),
                Self::Answer { update, vector, .. } => update.len() + vector.len(),
                Self::Changed(ids) => ids.len() * SMALL,
                Self::Revoked(ids) => ids.len() * SMALL,
                _ => 0,
            }
    }

    /// Appends it.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Update(update) => {
                out.push(UPDATE);
                out.var_bytes(update);
            }
            Self::Awareness(update) => {
                out.push(AWARENESS);
                out.var_bytes(update);
            }
            Self::Digest(digest) => {
                out.push(DIGEST);
                out.var_bytes(&digest.0);
            }
            Self::Ask { vector, digest } => {
                out.push(ASK);
                out.var_bytes(vector);
                out.var_bytes(&digest.0);
            }
            Self::Answer {
                update,
                vector,
                digest,
            } => {
                out.push(ANSWER);
                out.var_bytes(update);
                out.var_bytes(vector);
                out.var_bytes(&digest.0);
            }
            Self::Probe(client) => {
                out.push(PROBE);
                out.var_uint(*client);
            }
            Self::Stored => out.push(STORED),
            Self::Changed(ids) => {
                out.push(CHANGED);
                write_list(out, ids.iter().map(DocumentId::as_str));
            }
            Self::Revoked(ids) => {
                out.push(REVOKED);
                write_list(out, ids.iter().map(GrantId::as_str));
            }
            Self::Deleted(project) => {
                out.push(DELETED);
                out.var_str(project.as_str());
            }
            Self::Alive => out.push(ALIVE),
            Self::Leaving => out.push(LEAVING),
        }
    }

    /// Reads one; its bytes stay in `frame`, which the reader reads.
    ///
    /// # Errors
    /// [`MessageError`]; what an update or awareness update holds is not looked at.
    pub(crate) fn read(reader: &mut Reader<'_>, frame: &Bytes) -> Result<Self, MessageError> {
        let bytes = |reader: &mut Reader<'_>| -> Result<Bytes, MessageError> {
            Ok(frame.slice_ref(reader.var_bytes()?))
        };
        Ok(match byte(reader)? {
            UPDATE => Self::Update(bytes(reader)?),
            AWARENESS => Self::Awareness(bytes(reader)?),
            DIGEST => Self::Digest(digest(reader)?),
            ASK => Self::Ask {
                vector: bytes(reader)?,
                digest: digest(reader)?,
            },
            ANSWER => Self::Answer {
                update: bytes(reader)?,
                vector: bytes(reader)?,
                digest: digest(reader)?,
            },
            PROBE => Self::Probe(reader.var_uint()?),
            STORED => Self::Stored,
            CHANGED => Self::Changed(
                read_list(reader, |id| id.parse().map_err(|_| MessageError::Id))?.into(),
            ),
            REVOKED => Self::Revoked(read_list(reader, |id| Ok(GrantId::new(id)))?),
            DELETED => {
                let project = reader.var_str()?;
                Self::Deleted(project.parse().map_err(|_| MessageError::Id)?)
            }
            ALIVE => Self::Alive,
            LEAVING => Self::Leaving,
            kind => return Err(MessageError::Kind(kind)),
        })
    }
}

/// One byte: a number below 128, which is how the codec writes those.
fn byte(reader: &mut Reader<'_>) -> Result<u8, MessageError> {
    let kind = reader.var_uint()?;
    u8::try_from(kind).map_err(|_| MessageError::Kind(u8::MAX))
}

fn digest(reader: &mut Reader<'_>) -> Result<Digest, MessageError> {
    let bytes = reader.var_bytes()?;
    bytes
        .try_into()
        .map(Digest)
        .map_err(|_| MessageError::Encoding(DecodeError::UnexpectedEnd))
}

fn write_list<'a>(out: &mut Vec<u8>, ids: impl ExactSizeIterator<Item = &'a str>) {
    out.var_uint(ids.len() as u64);
    for id in ids {
        out.var_str(id);
    }
}

/// A count that is larger than what follows ends at the end of the bytes.
fn read_list<T>(
    reader: &mut Reader<'_>,
    parse: impl Fn(&str) -> Result<T, MessageError>,
) -> Result<Vec<T>, MessageError> {
    let count = reader.var_uint()?;
    let mut list = Vec::new();
    for _ in 0..count {
        list.push(parse(reader.var_str()?)?);
    }
    Ok(list)
}
