//! The WebSocket endpoints: [`yjs`] (`GET /ws/{project}/{doc}`) and [`hocuspocus`] (`GET /collab`).
//!
//! They turn bytes into typed messages for a room and a room's frames into bytes. Who may do what
//! is asked of an [`Authorize`].

mod auth;

use std::sync::Arc;

use axum::Router;

pub use auth::{Authorize, Denied, Grant, GrantId};

use crate::rooms::Rooms;

/// What both endpoints need.
#[derive(Clone)]
pub struct WsState {
    /// The registry of rooms.
    pub rooms: Rooms,
    /// Who may enter.
    pub authorize: Arc<dyn Authorize>,
}

/// The routes of both endpoints. Serve it with `into_make_service_with_connect_info::<SocketAddr>`
/// so that connections are counted by address.
pub fn router(state: WsState) -> Router {
    let _ = state;
    Router::new()
}
