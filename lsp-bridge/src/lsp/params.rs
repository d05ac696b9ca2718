//! The parameters of the messages that we read, as tolerant as editors need: what we do not use
//! is not looked at (Emacs sends `"languageId": null`), what may be missing is optional.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tower_lsp::jsonrpc::Error as RpcError;
use tutti_engine as engine;

/// `textDocument/didOpen`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Open {
    /// The document as it is opened.
    pub(crate) text_document: OpenedDocument,
}

/// The document in [`Open`].
#[derive(Debug, Deserialize)]
pub(crate) struct OpenedDocument {
    /// Its name.
    pub(crate) uri: String,
    /// Its first version.
    #[serde(default)]
    pub(crate) version: Option<i32>,
    /// Its text.
    pub(crate) text: String,
}

/// `textDocument/didChange`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Change {
    /// The document and its new version.
    pub(crate) text_document: VersionedDocument,
    /// The changes, each on the text that the one before it made.
    pub(crate) content_changes: Vec<ContentChange>,
}

/// A document and its version.
#[derive(Debug, Deserialize)]
pub(crate) struct VersionedDocument {
    /// Its name.
    pub(crate) uri: String,
    /// Its version after the change.
    #[serde(default)]
    pub(crate) version: Option<i32>,
}

/// One change: of a range, or of the whole text.
#[derive(Debug, Deserialize)]
pub(crate) struct ContentChange {
    #[serde(default)]
    range: Option<Range>,
    text: String,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Range {
    start: Position,
    end: Position,
}

/// A place in a document, in the negotiated encoding.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Position {
    /// From 0.
    pub(crate) line: u32,
    /// In code units of the negotiated encoding, from 0.
    pub(crate) character: u32,
}

impl From<Position> for engine::Position {
    fn from(position: Position) -> Self {
        Self {
            line: position.line,
            character: position.character,
        }
    }
}

impl From<ContentChange> for engine::Change {
    fn from(change: ContentChange) -> Self {
        Self {
            range: change.range.map(|range| engine::Range {
                start: range.start.into(),
                end: range.end.into(),
            }),
            text: change.text,
        }
    }
}

/// `textDocument/didSave`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Save {
    /// The document.
    pub(crate) text_document: NamedDocument,
    /// What was saved, where the client sends it.
    #[serde(default)]
    pub(crate) text: Option<String>,
}

/// `workspace/didChangeWatchedFiles`.
#[derive(Debug, Deserialize)]
pub(crate) struct FilesChanged {
    /// Which.
    pub(crate) changes: Vec<FileChanged>,
}

/// One of them; of what kind the change is does not matter here.
#[derive(Debug, Deserialize)]
pub(crate) struct FileChanged {
    /// Its name.
    pub(crate) uri: String,
}

/// `textDocument/didClose`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Close {
    /// The document.
    pub(crate) text_document: NamedDocument,
}

/// A document.
#[derive(Debug, Deserialize)]
pub(crate) struct NamedDocument {
    /// Its name.
    pub(crate) uri: String,
}

/// Any request at a place in a document.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Positioned {
    /// The document.
    pub(crate) text_document: NamedDocument,
    /// The place; requests about a whole document have none.
    #[serde(default)]
    pub(crate) position: Option<Position>,
}

/// Reads parameters, or says in one sentence what is wrong with them.
pub(crate) fn read<T: DeserializeOwned>(method: &str, params: Value) -> Result<T, RpcError> {
    serde_json::from_value(params).map_err(|error| {
        tracing::warn!(method, %error, "parameters that are not understood");
        RpcError::invalid_params(format!("{method}: {error}"))
    })
}
