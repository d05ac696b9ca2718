//! `initialize`: what the client can do, what we offer it, and where it works.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use serde_json::{Value, json};
use tutti_engine::{Dialect, Encoding, Flush, SyncKind};

use super::uri::file_path;

/// What the client says of itself.
#[derive(Debug, Clone)]
pub(crate) struct Abilities {
    /// `clientInfo.name`.
    pub(crate) client_name: Option<String>,
    /// How this editor differs from others.
    pub(crate) dialect: Dialect,
    /// The unit of `character` in positions.
    pub(crate) encoding: Encoding,
    /// Whether the encoding was negotiated, so that it belongs into our answer.
    negotiated: bool,
    /// Takes `workspace/applyEdit`.
    pub(crate) apply_edit: bool,
    /// Takes `window/workDoneProgress/create`.
    pub(crate) progress: bool,
    /// Asks for inlay hints.
    pub(crate) inlay_hints: bool,
    /// Takes `workspace/inlayHint/refresh`.
    pub(crate) inlay_hint_refresh: bool,
    /// Lets a server ask to hear of files that change.
    pub(crate) watches_files: bool,
    /// Where it works, most specific first.
    pub(crate) roots: Vec<PathBuf>,
}

impl Abilities {
    /// Reads the parameters of `initialize`. Anything may be missing.
    pub(crate) fn read(params: &Value) -> Self {
        let text = |pointer: &str| params.pointer(pointer).and_then(Value::as_str);
        let can = |pointer: &str| params.pointer(pointer).and_then(Value::as_bool) == Some(true);
        let client_name = text("/clientInfo/name");
        let dialect = Dialect::choose(client_name);
        let offered = params
            .pointer("/capabilities/general/positionEncodings")
            .and_then(Value::as_array);
        Self {
            client_name: client_name.map(str::to_owned),
            dialect: Dialect {
                flush: dialect.flush.filter(|flush| can_flush(*flush, params)),
                ..dialect
            },
            encoding: offered.map_or(Encoding::Utf16, |offered| choose_encoding(offered)),
            negotiated: offered.is_some(),
            apply_edit: can("/capabilities/workspace/applyEdit"),
            progress: can("/capabilities/window/workDoneProgress"),
            inlay_hints: params
                .pointer("/capabilities/textDocument/inlayHint")
                .is_some_and(Value::is_object),
            inlay_hint_refresh: can("/capabilities/workspace/inlayHint/refreshSupport"),
            watches_files: can("/capabilities/workspace/didChangeWatchedFiles/dynamicRegistration"),
            roots: roots(params),
        }
    }
}

/// Whether the client says that it understands what makes its like report.
fn can_flush(flush: Flush, params: &Value) -> bool {
    let said = |pointer: &str| match params.pointer(pointer) {
        Some(Value::Bool(said)) => *said,
        said => said.is_some_and(Value::is_object),
    };
    match flush {
        Flush::SemanticTokensRefresh => {
            said("/capabilities/textDocument/semanticTokens/requests/full")
                && said("/capabilities/workspace/semanticTokens/refreshSupport")
        }
    }
}

/// UTF-16 wherever the client offers it: every client can, and texts are kept in it.
fn choose_encoding(offered: &[Value]) -> Encoding {
    let offers = |name: &str| {
        offered
            .iter()
            .any(|encoding| encoding.as_str() == Some(name))
    };
    if offers("utf-16") {
        Encoding::Utf16
    } else if offers("utf-8") {
        Encoding::Utf8
    } else if offers("utf-32") {
        Encoding::Utf32
    } else {
        Encoding::Utf16
    }
}

fn roots(params: &Value) -> Vec<PathBuf> {
    let folders = params
        .get("workspaceFolders")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|folder| folder.get("uri")?.as_str());
    let root = params.get("rootUri").and_then(Value::as_str);
    let mut roots: Vec<_> = folders.chain(root).filter_map(file_path).collect();
    roots.extend(
        params
            .get("rootPath")
            .and_then(Value::as_str)
            .map(PathBuf::from),
    );
    roots.dedup();
    roots
}

/// Editors that ask for highlights wherever the caret comes to rest, which is how it is learned,
/// and that show nothing when there are none. Others would ask us instead of a language's own
/// server.
const ASKED_AT_THE_CARET: [&str; 2] = ["Emacs", "VS Code"];

/// The keys, besides the line end, after which an editor that formats on typing reports: what
/// keyboards for Latin, Greek and Cyrillic letters have. Emacs walks through the list at each key.
const REPORTED_KEYS: [RangeInclusive<char>; 3] = [' '..='~', '¡'..='ſ', 'Ͱ'..='џ'];

/// The answer to `initialize`.
pub(crate) fn initialize_result(abilities: &Abilities, commands: &[&str]) -> Value {
    let change = match abilities.dialect.sync {
        SyncKind::Full => 1,
        SyncKind::Incremental => 2,
    };
    let mut capabilities = json!({
        "textDocumentSync": {
            "openClose": true,
            "change": change,
            "save": { "includeText": true },
        },
        "executeCommandProvider": { "commands": commands },
    });
    if abilities.negotiated {
        capabilities["positionEncoding"] = match abilities.encoding {
            Encoding::Utf8 => "utf-8",
            Encoding::Utf16 => "utf-16",
            Encoding::Utf32 => "utf-32",
        }
        .into();
    }
    if abilities.inlay_hints {
        capabilities["inlayHintProvider"] = true.into();
    }
    if ASKED_AT_THE_CARET.contains(&abilities.dialect.name) {
        capabilities["documentHighlightProvider"] = true.into();
    }
    if abilities.dialect.flush == Some(Flush::SemanticTokensRefresh) {
        capabilities["semanticTokensProvider"] = json!({
            "legend": { "tokenTypes": [], "tokenModifiers": [] },
            "full": true,
        });
    }
    if abilities.dialect.formats_on_type {
        let keys: Vec<_> = REPORTED_KEYS
            .into_iter()
            .flatten()
            .map(String::from)
            .collect();
        capabilities["documentOnTypeFormattingProvider"] = json!({
            "firstTriggerCharacter": "\n",
            "moreTriggerCharacter": keys,
        });
    }
    json!({
        "capabilities": capabilities,
        "serverInfo": { "name": "tutti", "version": env!("CARGO_PKG_VERSION") },
    })
}
