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
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::sync::Semaphore;
use tutti_protocol::ids::ProjectId;

pub use auth::{Authorize, Denied, Grant, GrantId};

use crate::api::ApiError;
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

/// What a request to an endpoint asks for, where it is a WebSocket.
type Asked = Result<WebSocketUpgrade, WebSocketUpgradeRejection>;

#[derive(Clone)]
struct Endpoints {
    rooms: Rooms,
    authorize: Arc<dyn Authorize>,
    /// Turns of those who want to be let in.
    turns: Arc<Semaphore>,
    addresses: Addresses,
}

/// The routes of both endpoints. Serve it with `into_make_service_with_connect_info::<SocketAddr>`
/// so that connections are counted by address.
pub fn router(state: WsState) -> Router {
    let endpoints = Endpoints {
        addresses: Addresses::new(state.rooms.limits().connections_per_address),
        turns: Arc::new(Semaphore::new(
            state.rooms.limits().concurrent_checks.max(1),
        )),
        rooms: state.rooms,
        authorize: state.authorize,
    };
    Router::new()
        .route("/ws/{project}/{document}", get(yjs::upgrade))
        .route("/collab", get(hocuspocus::upgrade))
        .with_state(endpoints)
}

impl Endpoints {
    /// The socket asked for, with a cap on what a message may claim before anything is allocated
    /// for it.
    ///
    /// # Errors
    /// The request asks for no WebSocket.
    fn limit(&self, upgrade: Asked) -> Result<WebSocketUpgrade, ApiError> {
        let most = self.rooms.limits().message_bytes;
        match upgrade {
            Ok(upgrade) => Ok(upgrade.max_message_size(most).max_frame_size(most)),
            Err(rejection) => Err(ApiError::new(
                rejection.into_response().status(),
                "This address is for WebSocket connections: open it with a Yjs provider, or use /api.",
            )),
        }
    }

    /// Asks what a token allows, when it is its turn: thousands who come at once, because another
    /// node has died, leave the database time for what people here write.
    async fn authorize(&self, project: &ProjectId, token: Option<&str>) -> Result<Grant, Denied> {
        let waiting = metrics::gauge!("tutti_newcomers_waiting");
        waiting.increment(1.0);
        // It is never closed; an error would only mean that nobody has to wait.
        let _turn = self.turns.acquire().await;
        waiting.decrement(1.0);
        self.authorize.authorize(project, token).await
    }
}
