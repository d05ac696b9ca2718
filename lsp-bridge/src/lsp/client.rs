//! What we say to the editor.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tower_lsp::jsonrpc::{Id, Request};

/// The editor's ear. Nothing here waits: an editor that does not read loses what is only
/// informative, and is told so by `None` where it matters.
#[derive(Clone)]
pub(crate) struct Client {
    outbound: mpsc::Sender<Request>,
    next_id: Arc<AtomicI64>,
}

/// How grave a shown message is. Nothing is shown as an error (1): one that is wider than its window makes Neovim
/// wait for a key, and swallow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Severity {
    /// Something is not as it should be.
    Warning = 2,
    /// Good to know.
    Info = 3,
}

impl Client {
    pub(super) fn new(outbound: mpsc::Sender<Request>) -> Self {
        Self {
            outbound,
            next_id: Arc::new(AtomicI64::new(1)),
        }
    }

    /// Asks the editor; the answer comes as [`super::Inbound::Answer`] with the returned id.
    /// `None` if the editor has stopped reading.
    pub(crate) fn ask(&self, method: &'static str, params: Value) -> Option<Id> {
        let id = Id::Number(self.next_id.fetch_add(1, Ordering::Relaxed));
        let mut request = Request::build(method).id(id.clone());
        // A request without parameters has no such member: strict clients refuse `null`.
        if !params.is_null() {
            request = request.params(params);
        }
        self.outbound.try_send(request.finish()).ok().map(|()| id)
    }

    /// Tells the editor.
    pub(crate) fn tell(&self, method: &'static str, params: Value) {
        let notification = Request::build(method).params(params).finish();
        if self.outbound.try_send(notification).is_err() {
            tracing::warn!(method, "the editor does not read");
        }
    }

    /// Shows the person a message.
    pub(crate) fn show(&self, severity: Severity, message: &str) {
        tracing::info!(message, "shown");
        self.tell(
            "window/showMessage",
            json!({ "type": severity as u8, "message": format!("Tutti: {message}") }),
        );
    }
}
