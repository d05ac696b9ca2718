//! What the link says, as frames.

use tokio_tungstenite::tungstenite::Message as Packet;
use tutti_protocol::hocuspocus::{Frame, Message};
use tutti_protocol::ids::DocumentId;
use tutti_protocol::sync::SyncMessage;

use super::Task;

impl Task {
    pub(super) fn send_token(&mut self, document: &DocumentId) {
        let token = self.config.token.clone();
        // No provider version: WebSocket pings keep this connection, not the protocol's own.
        self.send(
            document,
            Message::Token {
                token: &token.0,
                version: None,
            },
        );
    }

    /// Sends a change, unless the server takes no message of its length: then the room waits until it is
    /// shorter.
    pub(super) fn send_change(&mut self, document: &DocumentId, change: SyncMessage<'_>) {
        let frame = self.frame(document, Message::Sync(change));
        let bytes = frame.len();
        if self.longest.may_send(bytes) {
            self.frames.push_back(Packet::Binary(frame.into()));
            return;
        }
        self.send(document, Message::Close(""));
        let megabytes = bytes.div_ceil(1 << 20);
        let reason = format!(
            "what was put in is {megabytes} MiB at once, and the server takes less: take it out, and put it in piece by piece"
        );
        self.interrupted(document.clone(), reason);
    }

    pub(super) fn send(&mut self, document: &DocumentId, message: Message<'_>) {
        let frame = self.frame(document, message);
        self.frames.push_back(Packet::Binary(frame.into()));
    }

    fn frame(&self, document: &DocumentId, message: Message<'_>) -> Vec<u8> {
        let address = format!("{}/{document}", self.config.project);
        let frame = Frame {
            address: &address,
            message,
        };
        frame.encode()
    }
}
