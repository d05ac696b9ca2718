//! Unmodified `y-websocket` and `@hocuspocus/provider` clients, in Node (`tests/node/clients.mjs`).

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::node::Node;

/// The client packages under test, by their names in `tests/node/package.json`.
pub const Y_WEBSOCKET: &[&str] = &["y-websocket-1", "y-websocket-2", "y-websocket-3"];
/// See [`Y_WEBSOCKET`].
pub const HOCUSPOCUS: &[&str] = &[
    "hocuspocus-provider-2",
    "hocuspocus-provider-3",
    "hocuspocus-provider-4",
];

/// A Node process with any number of clients in it, each with a name.
pub struct Clients {
    node: Node,
}

/// Where a client connects.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// `ws://ADDRESS`.
    pub server: &'a str,
    /// The project.
    pub project: &'a str,
    /// The document.
    pub document: &'a str,
    /// The secret.
    pub token: &'a str,
}

impl Clients {
    /// A process without clients.
    ///
    /// # Errors
    /// When Node or the packages are not there.
    pub fn start() -> Result<Self> {
        Ok(Self {
            node: Node::start("clients.mjs")?,
        })
    }

    /// Connects a client of the given package; what becomes of that is seen later.
    ///
    /// # Errors
    /// When there is no such package.
    pub fn connect(&mut self, name: &str, package: &str, to: Target<'_>) -> Result<()> {
        let Target {
            server,
            project,
            document,
            token,
        } = to;
        self.ask(json!({
            "do": "connect", "client": name, "package": package,
            "server": server, "project": project, "document": document, "token": token,
        }))
        .map(drop)
    }

    /// Waits for an event of a client: `synced`, `saved` (nothing unacknowledged; Hocuspocus only), `denied`,
    /// `closed`, or `text`, `peers` with a `value` to become equal to. Returns what came with it.
    ///
    /// # Errors
    /// When it does not come in time.
    pub fn wait(&mut self, name: &str, event: &str, value: &Value) -> Result<Value> {
        self.ask(json!({ "do": "wait", "client": name, "event": event, "value": value }))
    }

    /// Inserts text at a UTF-16 position of the document's text.
    ///
    /// # Errors
    /// When there is no such client.
    pub fn insert(&mut self, name: &str, index: usize, text: &str) -> Result<()> {
        self.ask(json!({ "do": "insert", "client": name, "index": index, "text": text }))
            .map(drop)
    }

    /// Inserts texts at the start, one behind the other and before any answer can come; how many updates of the
    /// Hocuspocus client are not acknowledged then.
    ///
    /// # Errors
    /// When there is no such client.
    pub fn burst(&mut self, name: &str, texts: &[String]) -> Result<u64> {
        let count = self.ask(json!({ "do": "burst", "client": name, "texts": texts }))?;
        count.as_u64().context("a number")
    }

    /// How many updates of a Hocuspocus client are not acknowledged.
    ///
    /// # Errors
    /// When there is no such client.
    pub fn unsaved(&mut self, name: &str) -> Result<u64> {
        let count = self.ask(json!({ "do": "unsaved", "client": name }))?;
        count.as_u64().context("a number")
    }

    /// The text that a client has.
    ///
    /// # Errors
    /// When there is no such client.
    pub fn text(&mut self, name: &str) -> Result<String> {
        let text = self.ask(json!({ "do": "text", "client": name }))?;
        text.as_str().map(str::to_owned).context("a text")
    }

    /// Sets the `user` of a client's awareness state.
    ///
    /// # Errors
    /// When there is no such client.
    pub fn announce(&mut self, name: &str, user: &str) -> Result<()> {
        self.ask(json!({ "do": "announce", "client": name, "user": user }))
            .map(drop)
    }

    /// Disconnects a client for good.
    ///
    /// # Errors
    /// When there is no such client.
    pub fn leave(&mut self, name: &str) -> Result<()> {
        self.ask(json!({ "do": "leave", "client": name })).map(drop)
    }

    fn ask(&mut self, request: Value) -> Result<Value> {
        self.node.ask(request)
    }
}
