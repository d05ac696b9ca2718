//! What a room says, in the framing of each member.

use std::sync::Arc;

use bytes::Bytes;
use tutti_protocol::role::Role;
use tutti_protocol::sync::SyncMessage;
use tutti_protocol::{hocuspocus, yws};

/// An awareness update without entries: a message that changes nothing.
const NO_AWARENESS: &[u8] = &[0];

/// How a member's frames look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Framing {
    /// y-websocket.
    Yws,
    /// Hocuspocus; the address as it stands in the client's frames.
    Hocuspocus(Arc<str>),
}

impl Framing {
    fn hocuspocus(&self, message: hocuspocus::Message<'_>) -> Option<Bytes> {
        match self {
            Self::Yws => None,
            Self::Hocuspocus(address) => {
                Some(hocuspocus::Frame { address, message }.encode().into())
            }
        }
    }

    /// A step of the sync exchange.
    pub fn sync(&self, message: SyncMessage<'_>) -> Bytes {
        self.hocuspocus(hocuspocus::Message::Sync(message))
            .unwrap_or_else(|| yws::Message::Sync(message).encode().into())
    }

    /// An awareness update.
    pub fn awareness(&self, update: &[u8]) -> Bytes {
        self.hocuspocus(hocuspocus::Message::Awareness(update))
            .unwrap_or_else(|| yws::Message::Awareness(update).encode().into())
    }

    /// Something that a client takes for a sign of life, and for nothing else.
    pub fn keep_alive(&self) -> Bytes {
        self.awareness(NO_AWARENESS)
    }

    /// "You are not let in", or not any more.
    pub fn permission_denied(&self, reason: &str) -> Bytes {
        self.hocuspocus(hocuspocus::Message::PermissionDenied(reason))
            .unwrap_or_else(|| yws::Message::PermissionDenied(reason).encode().into())
    }

    /// "You are let in". y-websocket has no word for it, nor for the next three.
    pub fn authenticated(&self, role: Role) -> Option<Bytes> {
        self.hocuspocus(hocuspocus::Message::Authenticated(role))
    }

    /// An update or Step2 has become durable, or was refused.
    pub fn sync_status(&self, durable: bool) -> Option<Bytes> {
        self.hocuspocus(hocuspocus::Message::SyncStatus(durable))
    }

    /// A text beside the document.
    pub fn stateless(&self, text: &str) -> Option<Bytes> {
        self.hocuspocus(hocuspocus::Message::Stateless(text))
    }

    /// The end of this room for this member, while its socket stays.
    pub fn closed(&self, reason: &str) -> Option<Bytes> {
        self.hocuspocus(hocuspocus::Message::Close(reason))
    }
}

/// One message for many members: encoded once for all who share a framing.
pub(super) struct Shared<F> {
    encode: F,
    yws: Option<Bytes>,
    plain: Option<Bytes>,
}

impl<F: Fn(&Framing) -> Bytes> Shared<F> {
    pub(super) fn new(encode: F) -> Self {
        Self {
            encode,
            yws: None,
            plain: None,
        }
    }

    pub(super) fn frame(&mut self, framing: &Framing) -> Bytes {
        let slot = match framing {
            Framing::Yws => &mut self.yws,
            Framing::Hocuspocus(address) if !address.contains('\0') => &mut self.plain,
            // A session key makes an address, and so a frame, of its own.
            Framing::Hocuspocus(_) => return (self.encode)(framing),
        };
        slot.get_or_insert_with(|| (self.encode)(framing)).clone()
    }
}
