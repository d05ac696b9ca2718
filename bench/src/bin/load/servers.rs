//! The servers that can be measured: Tutti's, and others beside it.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tutti_protocol::hocuspocus;
use tutti_protocol::sync::SyncMessage;
use tutti_protocol::yws;

/// Whose server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    Tutti,
    Hocuspocus,
    YWebsocket,
    /// It passes frames on, and does nothing else.
    Relay,
}

/// Those that are no Tutti.
pub(crate) const PEERS: [Server; 3] = [Server::Hocuspocus, Server::YWebsocket, Server::Relay];

impl Server {
    /// For the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tutti => "Tutti",
            Self::Hocuspocus => "Hocuspocus",
            Self::YWebsocket => "y-websocket",
            Self::Relay => "bare relay",
        }
    }

    /// Whether several of its processes can serve one room.
    pub(crate) fn is_for_many_nodes(self) -> bool {
        matches!(self, Self::Tutti | Self::Hocuspocus)
    }

    /// What starts a peer's process, which keeps what it keeps in `dir`; its first line of output is its address.
    ///
    /// # Errors
    /// Its npm packages are not installed.
    pub(crate) fn peer(self, dir: &Path, redis_port: Option<u16>) -> Result<Command> {
        let (script, is_told_more) = match self {
            Self::Hocuspocus => ("hocuspocus.mjs", true),
            Self::YWebsocket => ("y-websocket.mjs", false),
            _ => ("relay.mjs", false),
        };
        let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
        ensure!(
            peers.join("node_modules").is_dir(),
            "the peers are not installed: `cargo xtask bench --load` does it, or `npm ci` in bench/peers"
        );
        let mut command = Command::new("node");
        command.arg(script).current_dir(&peers);
        if is_told_more {
            let dir = dir.canonicalize().context("there is no directory")?;
            command.arg(dir);
            command.args(redis_port.map(|port| port.to_string()));
        }
        Ok(command)
    }

    /// Where a room of it is.
    pub(crate) fn url(self, node: std::net::SocketAddr, room: usize) -> String {
        match self {
            Self::Hocuspocus => format!("ws://{node}/"),
            _ => format!("ws://{node}/ws/load/room-{room}?token=any"),
        }
    }

    /// What a client says first.
    pub(crate) fn hello(self, room: usize) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        if self == Self::Hocuspocus {
            let (token, version) = ("any", None);
            let message = hocuspocus::Message::Token { token, version };
            let address = &format!("room-{room}");
            frames.push(hocuspocus::Frame { address, message }.encode());
        }
        frames.push(self.frame(room, SyncMessage::Step1(&[0])));
        frames
    }

    /// A message of the sync protocol to a room.
    pub(crate) fn frame(self, room: usize, message: SyncMessage<'_>) -> Vec<u8> {
        match self {
            Self::Hocuspocus => {
                let message = hocuspocus::Message::Sync(message);
                let address = &format!("room-{room}");
                hocuspocus::Frame { address, message }.encode()
            }
            _ => yws::Message::Sync(message).encode(),
        }
    }

    /// The update that a frame from it brings, if it brings one.
    pub(crate) fn update(self, frame: &[u8]) -> Option<&[u8]> {
        let message = match self {
            Self::Hocuspocus => match hocuspocus::Frame::decode(frame).ok()?.message {
                hocuspocus::Message::Sync(message) => message,
                _ => return None,
            },
            _ => match yws::Message::read(&mut tutti_protocol::codec::Reader::new(frame)).ok()? {
                yws::Message::Sync(message) => message,
                _ => return None,
            },
        };
        match message {
            SyncMessage::Update(update) => Some(update),
            _ => None,
        }
    }
}
