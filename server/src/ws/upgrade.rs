//! From a request to a WebSocket (RFC 6455, section 4.2).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::extract::ws::WebSocketUpgrade;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::frames::{Allowance, Frames};
use crate::api::ApiError;

/// A connection that speaks WebSocket.
pub(super) type WebSocket = WebSocketStream<Frames<TokioIo<Upgraded>>>;

/// What each connection keeps to read into. Most messages are short, and thousands of connections say
/// nothing for hours.
const READ_BUFFER_BYTES: usize = 4 * 1024;

/// A request that asks for a WebSocket.
pub(super) struct Upgrade {
    accept: HeaderValue,
    on_upgrade: OnUpgrade,
}

impl<S: Send + Sync> FromRequestParts<S> for Upgrade {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let on_upgrade = parts.extensions.get::<OnUpgrade>().cloned();
        let accept = accept(&parts.headers);
        let asked = WebSocketUpgrade::from_request_parts(parts, state).await;
        let refused = |status| {
            ApiError::new(
                status,
                "This address is for WebSocket connections: open it with a Yjs provider, or use /api.",
            )
        };
        match (asked, accept, on_upgrade) {
            (Ok(_), Some(accept), Some(on_upgrade)) => Ok(Self { accept, on_upgrade }),
            (Err(rejection), ..) => Err(refused(rejection.into_response().status())),
            _ => Err(refused(StatusCode::BAD_REQUEST)),
        }
    }
}

/// The proof that the request was understood.
fn accept(headers: &HeaderMap) -> Option<HeaderValue> {
    let key = headers.get(header::SEC_WEBSOCKET_KEY)?;
    derive_accept_key(key.as_bytes()).parse().ok()
}

impl Upgrade {
    /// The answer, behind which `serve` has the connection.
    pub(super) fn answer<F>(
        self,
        allowance: Arc<Allowance>,
        serve: impl FnOnce(WebSocket) -> F + Send + 'static,
    ) -> Response
    where
        F: Future<Output = ()> + Send + 'static,
    {
        tokio::spawn(async move {
            let upgraded = match self.on_upgrade.await {
                Ok(upgraded) => upgraded,
                Err(error) => {
                    tracing::debug!(%error, "a connection went before it was a WebSocket");
                    return;
                }
            };
            let config = WebSocketConfig::default()
                .read_buffer_size(READ_BUFFER_BYTES)
                .max_message_size(Some(allowance.message_bytes));
            let frames = Frames::new(TokioIo::new(upgraded), allowance);
            serve(WebSocketStream::from_raw_socket(frames, Role::Server, Some(config)).await).await;
        });
        let headers = [
            (header::CONNECTION, HeaderValue::from_static("upgrade")),
            (header::UPGRADE, HeaderValue::from_static("websocket")),
            (header::SEC_WEBSOCKET_ACCEPT, self.accept),
        ];
        (StatusCode::SWITCHING_PROTOCOLS, headers, Body::empty()).into_response()
    }
}
