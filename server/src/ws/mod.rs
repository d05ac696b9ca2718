//! The WebSocket endpoints: `yjs.rs` (`GET /ws/{project}/{doc}`) and `hocuspocus.rs` (`GET /collab`).
//!
//! They turn bytes into typed messages for a room and a room's frames into bytes. Who may do what
//! is asked of an [`Authorize`]. Each socket has a task that reads and one that writes
//! (`socket.rs`).

mod address;
mod auth;
mod hocuspocus;
mod pace;
mod socket;
mod yjs;

use std::sync::Arc;

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::routing::get;

pub use auth::{Authorize, Denied, Grant, GrantId};

use crate::rooms::Rooms;
use address::Addresses;

/// What both endpoints need.
#[derive(Clone)]
pub struct WsState {
    /// The registry of rooms.
    pub rooms: Rooms,
    /// Who may enter.
    pub authorize: Arc<dyn Authorize>,
}

#[derive(Clone)]
struct Endpoints {
    rooms: Rooms,
    authorize: Arc<dyn Authorize>,
    addresses: Addresses,
}

/// The routes of both endpoints. Serve it with `into_make_service_with_connect_info::<SocketAddr>`
/// so that connections are counted by address.
pub fn router(state: WsState) -> Router {
    let endpoints = Endpoints {
        addresses: Addresses::new(state.rooms.limits().connections_per_address),
        rooms: state.rooms,
        authorize: state.authorize,
    };
    Router::new()
        .route("/ws/{project}/{document}", get(yjs::upgrade))
        .route("/collab", get(hocuspocus::upgrade))
        .with_state(endpoints)
}

impl Endpoints {
    /// Caps what a message may claim before anything is allocated for it.
    fn limit(&self, upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
        let most = self.rooms.limits().message_bytes;
        upgrade.max_message_size(most).max_frame_size(most)
    }
}
