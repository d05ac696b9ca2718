//! An LSP client that behaves well, over pipes in memory.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::task::JoinHandle;
use tutti_engine::{Encoding, Position, Replica, locate};

use super::hub::Hub;
use crate::credentials::{Access, Credentials};
use crate::link::Timing;
use crate::lsp::serve;
use crate::project::Project;
use crate::session::FindSetup;

const PATIENCE: Duration = Duration::from_secs(20);

/// A person: a directory and an editor in it.
pub(super) struct Editor {
    pub(super) directory: Arc<tempfile::TempDir>,
    output: WriteHalf<DuplexStream>,
    input: ReadHalf<DuplexStream>,
    unread: Vec<u8>,
    /// Messages that were read while something else was waited for.
    pub(super) seen: VecDeque<Value>,
    next_id: i64,
    pub(super) encoding: Encoding,
    /// A request that this editor does not know.
    pub(super) unknown: Option<&'static str>,
    documents: HashMap<String, Shown>,
    pub(super) served: JoinHandle<bool>,
}

struct Shown {
    text: Replica,
    version: i32,
}

/// A directory that has joined the hub's project.
pub(super) fn directory(hub: &Hub, files: &[(&str, &str)]) -> Arc<tempfile::TempDir> {
    let directory = tempfile::tempdir().unwrap();
    let project = Project {
        root: directory.path().canonicalize().unwrap().join("work"),
        server: format!("http://{}", hub.address).parse().unwrap(),
        id: "p".parse().unwrap(),
    };
    std::fs::create_dir(&project.root).unwrap();
    project.begin().unwrap();
    project.finish().unwrap();
    for (path, text) in files {
        std::fs::write(project.root.join(path), text).unwrap();
    }
    let access = Access {
        name: None,
        token: "secret".into(),
        editor_link: None,
        viewer_link: None,
    };
    Credentials::at(directory.path().join("credentials.toml"))
        .keep_project(&project, access)
        .unwrap();
    Arc::new(directory)
}

impl Editor {
    /// Starts an editor in a directory of its own that has joined.
    pub(super) async fn start(hub: &Hub, files: &[(&str, &str)]) -> Self {
        Self::start_in(directory(hub, files), json!({})).await
    }

    /// Starts an editor; `changes` replaces members of its `initialize` parameters.
    pub(super) async fn start_in(directory: Arc<tempfile::TempDir>, changes: Value) -> Self {
        let mut editor = Self::spawn(directory);
        let mut params = json!({
            "processId": null,
            "clientInfo": { "name": "helix" },
            "rootUri": uri(&editor.root()),
            "capabilities": {
                "workspace": { "applyEdit": true, "inlayHint": { "refreshSupport": true } },
                "textDocument": { "inlayHint": {} },
            },
        });
        for (key, value) in changes.as_object().unwrap() {
            params[key] = value.clone();
        }
        let result = editor.request("initialize", params).await.unwrap();
        editor.encoding = match result["capabilities"]["positionEncoding"].as_str() {
            Some("utf-8") => Encoding::Utf8,
            Some("utf-32") => Encoding::Utf32,
            _ => Encoding::Utf16,
        };
        editor.seen.push_back(json!({ "initialized": result }));
        editor.notify("initialized", json!({})).await;
        editor
    }

    /// Starts an editor that has said nothing yet.
    pub(super) fn spawn(directory: Arc<tempfile::TempDir>) -> Self {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let (input, output) = tokio::io::split(theirs);
        let timing = Timing {
            retry_first: Duration::from_millis(10),
            retry_longest: Duration::from_millis(50),
            ..Timing::default()
        };
        let find = FindSetup::with(directory.path().join("credentials.toml"), timing);
        let served = tokio::spawn(serve(input, output, find));
        let (input, output) = tokio::io::split(ours);
        Self {
            directory,
            output,
            input,
            unread: Vec::new(),
            seen: VecDeque::new(),
            next_id: 1,
            encoding: Encoding::Utf16,
            unknown: None,
            documents: HashMap::new(),
            served,
        }
    }

    pub(super) fn root(&self) -> PathBuf {
        self.directory.path().join("work")
    }

    pub(super) fn uri(&self, path: &str) -> String {
        uri(&self.root().join(path))
    }

    pub(super) async fn write(&mut self, message: Value) {
        let body = message.to_string();
        let frame = format!("Content-Length: {}\r\n\r\n{body}", body.len());
        self.output.write_all(frame.as_bytes()).await.unwrap();
    }

    pub(super) async fn notify(&mut self, method: &str, params: Value) {
        self.write(json!({ "jsonrpc": "2.0", "method": method, "params": params }))
            .await;
    }

    /// Sends a request and waits for its answer; edits are applied meanwhile.
    pub(super) async fn request(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        self.next_id += 1;
        let id = self.next_id;
        self.write(json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))
            .await;
        let answer = self
            .until(|_, message| message["id"] == id && message.get("method").is_none())
            .await;
        match answer.get("error") {
            Some(error) => Err(error.clone()),
            None => Ok(answer["result"].clone()),
        }
    }

    /// The next message, if there is one within `patience`.
    async fn read(&mut self, patience: Duration) -> Option<Value> {
        let read = async {
            loop {
                if let Some(message) = take_message(&mut self.unread) {
                    return Some(message);
                }
                let mut buffer = [0; 4096];
                match self.input.read(&mut buffer).await.unwrap() {
                    0 => return None,
                    length => self.unread.extend(&buffer[..length]),
                }
            }
        };
        tokio::time::timeout(patience, read).await.ok().flatten()
    }

    /// Reads and does what is asked for until `wanted` says that this is it.
    pub(super) async fn until(&mut self, wanted: impl Fn(&Self, &Value) -> bool) -> Value {
        loop {
            let message = self.read(PATIENCE).await.unwrap_or_else(|| {
                panic!("waited in vain; seen: {:#?}", self.seen);
            });
            self.obey(&message).await;
            if wanted(self, &message) {
                return message;
            }
            self.seen.push_back(message);
        }
    }

    /// Reads until the editor shows `text`.
    pub(super) async fn shows(&mut self, path: &str, text: &str) {
        let uri = self.uri(path);
        let shown = |editor: &Self| editor.documents[&uri].text.text() == text;
        if !shown(self) {
            self.until(|editor, _| shown(editor)).await;
        }
    }

    pub(super) fn text(&self, path: &str) -> String {
        self.documents[&self.uri(path)].text.text()
    }

    async fn obey(&mut self, message: &Value) {
        match message["method"].as_str() {
            Some("workspace/applyEdit") => {
                let edit = &message["params"]["edit"]["documentChanges"][0];
                let applied = self.apply(edit).await;
                let answer = json!({ "applied": applied });
                self.write(json!({ "jsonrpc": "2.0", "id": message["id"], "result": answer }))
                    .await;
            }
            Some(method) if message.get("id").is_some() && self.unknown == Some(method) => {
                let error = json!({ "code": -32601, "message": "method not found" });
                self.write(json!({ "jsonrpc": "2.0", "id": message["id"], "error": error }))
                    .await;
            }
            Some(_) if message.get("id").is_some() => {
                self.write(json!({ "jsonrpc": "2.0", "id": message["id"], "result": null }))
                    .await;
            }
            _ => {}
        }
    }

    async fn apply(&mut self, edit: &Value) -> bool {
        let uri = edit["textDocument"]["uri"].as_str().unwrap().to_owned();
        let encoding = self.encoding;
        let Some(shown) = self.documents.get_mut(&uri) else {
            return false;
        };
        if edit["textDocument"]["version"] != shown.version {
            return false;
        }
        let mut text: Vec<char> = shown.text.text().chars().collect();
        let place = |value: &Value| {
            let number = |key: &str| value[key].as_u64().unwrap() as u32;
            let position = Position {
                line: number("line"),
                character: number("character"),
            };
            locate(shown.text.rope(), position, encoding).at
        };
        for edit in edit["edits"].as_array().unwrap().iter().rev() {
            let (from, to) = (place(&edit["range"]["start"]), place(&edit["range"]["end"]));
            text.splice(from..to, edit["newText"].as_str().unwrap().chars());
        }
        let text: String = text.into_iter().collect();
        shown.text.edit(&text);
        shown.version += 1;
        let changes = json!([{ "text": text }]);
        let document = json!({ "uri": uri, "version": shown.version });
        self.notify(
            "textDocument/didChange",
            json!({ "textDocument": document, "contentChanges": changes }),
        )
        .await;
        true
    }

    /// Opens a file with the text that it has on disk.
    pub(super) async fn open(&mut self, path: &str) {
        let text = std::fs::read_to_string(self.root().join(path)).unwrap();
        self.open_with(path, &text).await;
    }

    pub(super) async fn open_with(&mut self, path: &str, text: &str) {
        let uri = self.uri(path);
        let mut replica = Replica::new(1);
        replica.edit(text);
        let shown = Shown {
            text: replica,
            version: 0,
        };
        self.documents.insert(uri.clone(), shown);
        let document = json!({ "uri": uri, "languageId": null, "version": 0, "text": text });
        self.notify("textDocument/didOpen", json!({ "textDocument": document }))
            .await;
    }

    /// Types `insert` at a position in the negotiated encoding.
    pub(super) async fn type_at(&mut self, path: &str, line: u32, character: u32, insert: &str) {
        let at = (line, character);
        self.replace(path, at, at, insert).await;
    }

    /// Puts a text in the place of what stands between two positions; the file's name.
    pub(super) async fn replace(
        &mut self,
        path: &str,
        from: (u32, u32),
        to: (u32, u32),
        insert: &str,
    ) -> String {
        let uri = self.uri(path);
        let encoding = self.encoding;
        let shown = self.documents.get_mut(&uri).unwrap();
        let place = |(line, character)| Position { line, character };
        let at = |position| locate(shown.text.rope(), place(position), encoding).at;
        let (start, end) = (at(from), at(to));
        let mut text: Vec<char> = shown.text.text().chars().collect();
        text.splice(start..end, insert.chars());
        shown.text.edit(&text.into_iter().collect::<String>());
        shown.version += 1;
        let place = |(line, character)| json!({ "line": line, "character": character });
        let range = json!({ "start": place(from), "end": place(to) });
        let change = json!({ "range": range, "text": insert });
        let document = json!({ "uri": uri, "version": shown.version });
        self.notify(
            "textDocument/didChange",
            json!({ "textDocument": document, "contentChanges": [change] }),
        )
        .await;
        uri
    }

    /// Writes the file and says so.
    pub(super) async fn save(&mut self, path: &str) {
        // Nobody saves a file within the millisecond in which they have opened it: the bridge has
        // read of that before.
        let nowhere = json!({ "line": 0, "character": 0 });
        let place = json!({ "start": nowhere, "end": nowhere });
        let params = json!({ "textDocument": { "uri": self.uri(path) }, "range": place });
        self.request("textDocument/inlayHint", params)
            .await
            .unwrap();
        let text = self.text(path);
        std::fs::write(self.root().join(path), &text).unwrap();
        let uri = self.uri(path);
        self.notify(
            "textDocument/didSave",
            json!({ "textDocument": { "uri": uri }, "text": text }),
        )
        .await;
    }

    pub(super) async fn close(&mut self, path: &str) {
        let uri = self.uri(path);
        self.documents.remove(&uri);
        self.notify(
            "textDocument/didClose",
            json!({ "textDocument": { "uri": uri } }),
        )
        .await;
    }

    /// Says goodbye as the specification wants it; whether the bridge saw it so.
    pub(super) async fn quit(mut self) -> (bool, Arc<tempfile::TempDir>) {
        self.request("shutdown", Value::Null).await.unwrap();
        self.notify("exit", Value::Null).await;
        let orderly = tokio::time::timeout(PATIENCE, self.served).await;
        (orderly.unwrap().unwrap(), self.directory)
    }

    /// Its bridge is killed: nothing is done any more but what the mirror was told before.
    pub(super) async fn kill(self) -> Arc<tempfile::TempDir> {
        self.served.abort();
        assert!(self.served.await.unwrap_err().is_cancelled());
        self.directory
    }

    /// Just goes.
    pub(super) async fn vanish(self) -> (bool, Arc<tempfile::TempDir>) {
        drop((self.input, self.output));
        let orderly = tokio::time::timeout(PATIENCE, self.served).await;
        (orderly.unwrap().unwrap(), self.directory)
    }
}

pub(super) fn uri(path: &Path) -> String {
    url::Url::from_file_path(path).unwrap().into()
}

fn take_message(unread: &mut Vec<u8>) -> Option<Value> {
    let end = unread.windows(4).position(|window| window == b"\r\n\r\n")?;
    let header = std::str::from_utf8(&unread[..end]).unwrap();
    let length: usize = header
        .strip_prefix("Content-Length: ")
        .unwrap()
        .parse()
        .unwrap();
    let body = end + 4..end + 4 + length;
    if unread.len() < body.end {
        return None;
    }
    let message = serde_json::from_slice(&unread[body.clone()]).unwrap();
    unread.drain(..body.end);
    Some(message)
}

/// Ada, who has shared the file `a`, and Bob, who has joined; both show it.
pub(super) async fn two(hub: &Hub, text: &str) -> (Editor, Editor) {
    let mut ada = Editor::start(hub, &[("a", text)]).await;
    eventually(|| hub.texts() == [text]).await;
    let mut bob = Editor::start(hub, &[]).await;
    on_disk(&bob.root().join("a"), text).await;
    ada.open("a").await;
    bob.open("a").await;
    (ada, bob)
}

/// Waits until a file holds `text`.
pub(super) async fn on_disk(path: &Path, text: &str) {
    let read = || std::fs::read_to_string(path).unwrap_or_default();
    let found = patiently(|| read() == text).await;
    assert!(found, "waited for {text:?} in vain; there is {:?}", read());
}

/// Waits until `fact` holds.
pub(super) async fn eventually(fact: impl Fn() -> bool) {
    assert!(patiently(fact).await, "waited in vain");
}

/// What other threads do has no event to wait for.
async fn patiently(fact: impl Fn() -> bool) -> bool {
    let wait = async {
        while !fact() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.is_ok()
}
