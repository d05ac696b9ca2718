//! What one Redis message holds: messages of one node on one topic, numbered in a row.

use bytes::Bytes;
use thiserror::Error;
use tutti_protocol::codec::{DecodeError, Reader, Write};

use super::super::NodeId;
use super::super::message::{Message, MessageError};

/// The version of this format. Nodes pass over frames of another one.
const VERSION: u8 = 1;

/// The most messages that a frame may claim to hold.
const MOST_MESSAGES: u64 = 4_096;

/// A frame up to its messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) node: NodeId,
    /// Whom it is for; all if none.
    pub(super) to: Option<NodeId>,
    /// Tells one opening of the topic on that node from the next; 0 where nothing is numbered.
    pub(super) opening: u64,
    /// The number of the first message; the first of an opening has 1.
    pub(super) first: u64,
    /// How many messages follow.
    pub(super) count: u64,
}

/// Why bytes are no frame.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum FrameError {
    #[error("{0}")]
    Encoding(#[from] DecodeError),
    #[error("it is written in version {0} of the format")]
    Version(u64),
    #[error("a number in its head is out of range")]
    Range,
    #[error("{0}")]
    Message(#[from] MessageError),
}

/// Writes a frame of messages whose `count` is set here.
pub(super) fn encode(mut head: Head, messages: &[Message]) -> Vec<u8> {
    head.count = messages.len() as u64;
    let size: usize = messages.iter().map(Message::len).sum();
    let mut out = Vec::with_capacity(64 + size);
    out.push(VERSION);
    out.var_uint(head.node.0);
    out.var_uint(head.to.map_or(0, |node| node.0));
    out.var_uint(head.opening);
    out.var_uint(head.first);
    out.var_uint(head.count);
    for message in messages {
        message.write(&mut out);
    }
    out
}

/// Reads the head; its messages are read by [`messages`] where they are wanted.
pub(super) fn head<'a>(frame: &'a [u8]) -> Result<(Head, Reader<'a>), FrameError> {
    let mut reader = Reader::new(frame);
    let version = reader.var_uint()?;
    if version != u64::from(VERSION) {
        return Err(FrameError::Version(version));
    }
    let (node, to) = (reader.var_uint()?, reader.var_uint()?);
    let head = Head {
        node: NodeId(node),
        to: (to != 0).then_some(NodeId(to)),
        opening: reader.var_uint()?,
        first: reader.var_uint()?,
        count: reader.var_uint()?,
    };
    let numbered = head.opening == 0 || head.first > 0;
    if node == 0 || head.count > MOST_MESSAGES || !numbered || head.first > u64::MAX / 2 {
        return Err(FrameError::Range);
    }
    Ok((head, reader))
}

/// Reads the messages that follow a head.
pub(super) fn messages(
    head: &Head,
    mut reader: Reader<'_>,
    frame: &Bytes,
) -> Result<Vec<Message>, FrameError> {
    let mut messages = Vec::new();
    for _ in 0..head.count {
        messages.push(Message::read(&mut reader, frame)?);
    }
    if !reader.is_empty() {
        return Err(FrameError::Range);
    }
    Ok(messages)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fanout::Digest;
    use crate::ws::GrantId;

    fn every_kind() -> Vec<Message> {
        let bytes = Bytes::from_static(b"abc");
        let digest = Digest([7; 16]);
        vec![
            Message::Update(bytes.clone()),
            Message::Awareness(Bytes::new()),
            Message::Digest(digest),
            Message::Ask {
                vector: bytes.clone(),
                digest,
            },
            Message::Answer {
                update: bytes.clone(),
                vector: bytes,
                digest,
            },
            Message::Probe(1 << 50),
            Message::Stored,
            Message::Changed(vec!["a1".parse().unwrap(), "b2".parse().unwrap()].into()),
            Message::Revoked(vec![GrantId::new("one")]),
            Message::Deleted("p".parse().unwrap()),
            Message::Alive,
            Message::Leaving,
        ]
    }

    fn some_head() -> Head {
        Head {
            node: NodeId(u64::MAX),
            to: Some(NodeId(3)),
            opening: 1 << 60,
            first: 9,
            count: 0,
        }
    }

    fn decode(frame: &Bytes) -> Result<(Head, Vec<Message>), FrameError> {
        let (head, rest) = head(frame)?;
        let messages = messages(&head, rest, frame)?;
        Ok((head, messages))
    }

    #[test]
    fn every_kind_of_message_survives() {
        let sent = every_kind();
        let frame = Bytes::from(encode(some_head(), &sent));
        let (head, received) = decode(&frame).unwrap();
        assert_eq!(received, sent);
        let count = sent.len() as u64;
        assert_eq!(
            head,
            Head {
                count,
                ..some_head()
            }
        );
    }

    #[test]
    fn what_is_cut_or_of_another_version_is_refused() {
        let frame = encode(some_head(), &every_kind());
        for end in 0..frame.len() {
            assert!(
                decode(&Bytes::copy_from_slice(&frame[..end])).is_err(),
                "{end}"
            );
        }
        let mut later = frame.clone();
        later[0] = VERSION + 1;
        assert_eq!(decode(&later.into()), Err(FrameError::Version(2)));
        let mut longer = frame;
        longer.push(0);
        assert_eq!(decode(&longer.into()), Err(FrameError::Range));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(mut bytes: Vec<u8>) {
            let _ = decode(&bytes.clone().into());
            bytes.insert(0, VERSION);
            let _ = decode(&bytes.into());
        }
    }
}
