//! The WebSocket endpoints: `yjs.rs` (`GET /ws/{project}/{doc}`) and `hocuspocus.rs` (`GET /collab`).
//!
//! They turn bytes into typed messages for a room and a room's frames into bytes. Who may do what
//! is asked of an [`Authorize`]. Each socket has a task that reads and one that writes
//! (`socket.rs`).

mod address;
mod admission;
mod auth;
mod frames;
mod hocuspocus;
mod newcomers;
mod pace;
mod socket;
mod upgrade;
mod yjs;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use tokio::sync::Semaphore;
use tutti_protocol::ids::ProjectId;

pub use auth::{Authorize, Denied, Grant, GrantId};

use crate::rooms::Rooms;
use address::Addresses;
use frames::Allowance;
use newcomers::Newcomers;

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
    /// Turns of those who want to be let in.
    turns: Arc<Semaphore>,
    addresses: Addresses,
    newcomers: Arc<Newcomers>,
}

/// The routes of both endpoints. Serve it with `into_make_service_with_connect_info::<SocketAddr>`
/// so that connections are counted by address.
pub fn router(state: WsState) -> Router {
    let endpoints = Endpoints {
        addresses: Addresses::new(state.rooms.limits().connections_per_address),
        turns: Arc::new(Semaphore::new(
            state.rooms.limits().concurrent_checks.max(1),
        )),
        newcomers: Newcomers::new(state.rooms.limits().newcomers_bytes),
        rooms: state.rooms,
        authorize: state.authorize,
    };
    Router::new()
        .route("/ws/{project}/{document}", get(yjs::upgrade))
        .route("/collab", get(hocuspocus::upgrade))
        .with_state(endpoints)
}

impl Endpoints {
    /// What the peer of a new socket may send.
    fn allowance(&self) -> Arc<Allowance> {
        let limits = self.rooms.limits();
        Allowance::new(
            limits.message_bytes,
            limits.pending_join_bytes,
            self.newcomers.clone(),
        )
    }

    /// Asks what a token allows, when it is its turn: thousands who come at once, because another
    /// node has died, leave the database time for what people here write.
    async fn authorize(&self, project: &ProjectId, token: Option<&str>) -> Result<Grant, Denied> {
        // It is never closed; an error would only mean that nobody has to wait.
        let _turn = self.turns.acquire().await;
        self.authorize.authorize(project, token).await
    }
}

/// Somebody who waits to be let in, for the figure of that name, until it is dropped.
struct Waiting;

impl Waiting {
    fn new() -> Self {
        metrics::gauge!("tutti_newcomers_waiting").increment(1.0);
        Self
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        metrics::gauge!("tutti_newcomers_waiting").decrement(1.0);
    }
}
