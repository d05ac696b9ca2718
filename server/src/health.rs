//! `/healthz`: the process answers. `/readyz`: it can also keep what people write, or why not.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;

use crate::auth::Access;
use crate::rooms::Rooms;

/// A probe that waits for longer is as good as failed.
const PATIENCE: Duration = Duration::from_secs(2);

/// What `/readyz` answers.
#[derive(Debug, Serialize)]
pub struct Readiness {
    /// Whether the server should be sent people.
    pub ready: bool,
    /// Why not; empty when ready.
    pub reasons: Vec<String>,
    /// What is not as it should be, though people can be served all the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

/// The two routes.
pub fn router(access: Access, rooms: Rooms) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .with_state((access, rooms))
}

async fn readyz(State((access, rooms)): State<(Access, Rooms)>) -> (StatusCode, Json<Readiness>) {
    let mut reasons = Vec::new();
    match tokio::time::timeout(PATIENCE, access.directory().ping()).await {
        Ok(Ok(())) => {}
        Ok(Err(err)) => reasons.push(err.to_string()),
        Err(_) => reasons.push("the list of projects takes too long to read".to_owned()),
    }
    let health = rooms.health();
    if let Some(reason) = health.not_saving {
        reasons.push(format!(
            "documents are not being saved ({} waiting): {reason}",
            health.failing_rooms
        ));
    }
    let ready = reasons.is_empty();
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    // Every node sees the same Redis: not to be ready for it would take all of them away.
    let mut remarks: Vec<String> = rooms.fanout_trouble().into_iter().collect();
    // Nor can another node read what is damaged in the store. Which they are is not for everyone.
    if health.damaged_documents > 0 {
        remarks.push(format!(
            "documents that are damaged and do not open: {}; the log names them",
            health.damaged_documents
        ));
    }
    let readiness = Readiness {
        ready,
        reasons,
        remarks,
    };
    (status, Json(readiness))
}
