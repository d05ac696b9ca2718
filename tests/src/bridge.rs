//! `tutti lsp` on its standard input and output, with a plain editor that does everything right.

mod positions;

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::cli::Person;
use crate::server::{Log, record};
use crate::tools;
use crate::wait::LONG;
use positions::{offset, position};

/// A bridge, and the editor at its other end. Texts are ASCII, so that all encodings agree.
pub struct Bridge {
    running: Running,
    /// It was killed, and there is no other yet.
    is_lost: bool,
    dir: PathBuf,
    uri: String,
    text: String,
    version: i64,
    /// The texts and versions of other files that are open.
    behind: HashMap<String, (String, i64)>,
    full_text: bool,
    next_id: u64,
    told: Vec<String>,
}

/// The process.
struct Running {
    child: Child,
    stdin: ChildStdin,
    messages: Receiver<(Instant, Value)>,
    log: Log,
}

impl Running {
    fn start(person: &Person, dir: &Path) -> Result<Self> {
        // What goes beyond a limit on the length of files is refused then, as on a full disk, and does not end it.
        let survives = "trap '' XFSZ; exec \"$0\" lsp";
        let mut child = tools::command("sh", person.home())?
            .args(["-c", survives])
            .arg(tools::binaries()?.join("tutti"))
            .env("TUTTI_NAME", person.name())
            // How much it tells is for whoever looks at a failure.
            .envs(std::env::var_os("TUTTI_LOG").map(|level| ("TUTTI_LOG", level)))
            .current_dir(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("tutti could not be started")?;
        let stdin = child.stdin.take().context("no standard input")?;
        let stdout = child.stdout.take().context("no standard output")?;
        let log = Log::default();
        record(child.stderr.take().context("no standard error")?, &log);
        let (send, messages) = mpsc::channel();
        std::thread::spawn(move || {
            let mut stdout = BufReader::new(stdout);
            while let Ok(message) = read(&mut stdout) {
                if send.send((Instant::now(), message)).is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            child,
            stdin,
            messages,
            log,
        })
    }
}

impl Bridge {
    /// Starts a bridge in a project's directory and opens a file of it.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn open(person: &Person, dir: &Path, file: &str) -> Result<Self> {
        let mut bridge = Self::start(person, dir)?;
        bridge.show(file)?;
        Ok(bridge)
    }

    /// Starts a bridge in a project's directory, for an editor that shows no file yet.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn start(person: &Person, dir: &Path) -> Result<Self> {
        let mut bridge = Self {
            running: Running::start(person, dir)?,
            is_lost: false,
            dir: dir.to_owned(),
            uri: String::new(),
            text: String::new(),
            version: 0,
            behind: HashMap::new(),
            full_text: false,
            next_id: 0,
            told: Vec::new(),
        };
        bridge.initialize()?;
        Ok(bridge)
    }

    /// The editor opens a file, or begins one.
    ///
    /// # Errors
    /// When it cannot be read, or the bridge has ended.
    pub fn show(&mut self, file: &str) -> Result<()> {
        let path = self.dir.join(file);
        self.uri = format!("file://{}", path.display());
        self.text = match fs::read_to_string(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            read => read?,
        };
        self.version += 1;
        self.did_open()
    }

    /// The editor shows another file; the one that it showed stays open behind it, and says no to edits.
    ///
    /// # Errors
    /// When it cannot be read, or the bridge has ended.
    pub fn turn_to(&mut self, file: &str) -> Result<()> {
        let uri = format!("file://{}", self.dir.join(file).display());
        let shown = (std::mem::take(&mut self.text), self.version);
        self.behind.insert(std::mem::take(&mut self.uri), shown);
        match self.behind.remove(&uri) {
            Some((text, version)) => {
                (self.uri, self.text, self.version) = (uri, text, version);
                Ok(())
            }
            None => self.show(file),
        }
    }

    /// The editor writes its text into the file.
    ///
    /// # Errors
    /// When that cannot be written, or the bridge has ended.
    pub fn save(&mut self) -> Result<()> {
        let path = self.uri.strip_prefix("file://").context("a file")?;
        fs::write(path, &self.text)?;
        let saved = json!({ "textDocument": { "uri": self.uri }, "text": self.text });
        self.notify("textDocument/didSave", &saved)
    }

    /// The editor closes the file.
    ///
    /// # Errors
    /// When the bridge has ended.
    pub fn close(&mut self) -> Result<()> {
        let uri = std::mem::take(&mut self.uri);
        self.text.clear();
        self.notify(
            "textDocument/didClose",
            &json!({ "textDocument": { "uri": uri } }),
        )
    }

    /// The bridge is killed. The editor lives on: its person types into it as before, and nobody hears of that.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn lose(&mut self) -> Result<()> {
        self.is_lost = true;
        self.running.child.kill()?;
        self.running.child.wait()?;
        Ok(())
    }

    /// The editor starts another bridge, and shows it the file as it is by now.
    ///
    /// # Errors
    /// When that does not answer.
    pub fn come_back(&mut self, person: &Person) -> Result<()> {
        self.running = Running::start(person, &self.dir)?;
        self.is_lost = false;
        self.initialize()?;
        if self.uri.is_empty() {
            return Ok(());
        }
        self.did_open()
    }

    fn did_open(&mut self) -> Result<()> {
        let opened = json!({ "textDocument": {
            "uri": self.uri, "languageId": "plaintext", "version": self.version, "text": self.text
        } });
        self.notify("textDocument/didOpen", &opened)
    }

    fn initialize(&mut self) -> Result<()> {
        let root = format!("file://{}", self.dir.display());
        let answer = self.request(
            "initialize",
            &json!({
                "processId": std::process::id(),
                "clientInfo": { "name": "tutti-tests" },
                "rootUri": root,
                "workspaceFolders": [{ "uri": root, "name": "project" }],
                "capabilities": {
                    "general": { "positionEncodings": ["utf-16"] },
                    "workspace": { "applyEdit": true, "workspaceEdit": { "documentChanges": true } },
                    "textDocument": { "synchronization": { "didSave": true } },
                },
            }),
        )?;
        let sync = &answer["capabilities"]["textDocumentSync"];
        let change = sync["change"].as_u64().or_else(|| sync.as_u64());
        self.full_text = match change {
            Some(1) => true,
            Some(2) => false,
            _ => bail!("no textDocumentSync in {answer}"),
        };
        self.notify("initialized", &json!({}))
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.running.child.id()
    }

    /// The editor's text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What the person has been told so far.
    #[must_use]
    pub fn told(&self) -> &[String] {
        &self.told
    }

    /// What the bridge has written to standard error.
    #[must_use]
    pub fn log(&self) -> String {
        self.running.log.lock().expect("no writer panics").clone()
    }

    /// The user types at a byte offset. Returns when that was.
    ///
    /// # Errors
    /// When the bridge has ended.
    pub fn type_at(&mut self, offset: usize, text: &str) -> Result<Instant> {
        self.replace(offset..offset, text)
    }

    /// The user puts a text in the place of what stands between two byte offsets. Returns when that was.
    ///
    /// # Errors
    /// When the bridge has ended.
    pub fn replace(&mut self, range: Range<usize>, text: &str) -> Result<Instant> {
        let [start, end] = [range.start, range.end].map(|offset| position(&self.text, offset));
        self.text.replace_range(range, text);
        let change = if self.full_text {
            json!({ "text": self.text })
        } else {
            json!({ "range": { "start": start, "end": end }, "text": text })
        };
        let at = Instant::now();
        self.changed(&json!([change]))?;
        Ok(at)
    }

    /// Waits until the editor's text satisfies `accept`; returns when the edit that made it so arrived.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn text_is(&mut self, accept: impl Fn(&str) -> bool) -> Result<Instant> {
        let start = Instant::now();
        let mut at = start;
        while !accept(&self.text) {
            let Some(left) = LONG.checked_sub(start.elapsed()) else {
                bail!(
                    "the bridge brought no such text: {:?}\n{}",
                    self.text,
                    self.log()
                );
            };
            if let Some(arrived) = self.turn(left)? {
                at = arrived;
            }
        }
        Ok(at)
    }

    /// Takes what has come by now.
    ///
    /// # Errors
    /// When the bridge has ended.
    pub fn catch_up(&mut self) -> Result<()> {
        while let Ok((_, message)) = self.running.messages.try_recv() {
            self.take(&message)?;
        }
        Ok(())
    }

    /// Ends the bridge as an editor does.
    ///
    /// # Errors
    /// When it does not end well.
    pub fn quit(mut self) -> Result<()> {
        self.request("shutdown", &Value::Null)?;
        self.notify("exit", &Value::Null)?;
        let log = self.running.log.clone();
        let status = crate::wait::until_or(
            "the bridge to end",
            || self.running.child.try_wait().ok().flatten(),
            || log.lock().expect("no writer panics").clone(),
        )?;
        ensure!(status.success(), "it ended with {status}: {}", self.log());
        Ok(())
    }

    /// Asks the bridge for something, serving its own requests meanwhile.
    ///
    /// # Errors
    /// When it answers with an error or not at all.
    pub fn request(&mut self, method: &str, params: &Value) -> Result<Value> {
        self.next_id += 1;
        let id = self.next_id;
        self.send(&json!({ "id": id, "method": method, "params": params }))?;
        loop {
            let (_, mut message) = self.next(LONG)?;
            if message["id"] == json!(id) && message.get("method").is_none() {
                if let Some(error) = message.get("error") {
                    bail!("{method}: {error}");
                }
                return Ok(message["result"].take());
            }
            self.take(&message)?;
        }
    }

    /// One message of the bridge; returns when it came, if it was an edit.
    fn turn(&mut self, time: Duration) -> Result<Option<Instant>> {
        let (at, message) = self.next(time)?;
        let edit = message["method"] == "workspace/applyEdit";
        self.take(&message)?;
        Ok(edit.then_some(at))
    }

    fn next(&mut self, time: Duration) -> Result<(Instant, Value)> {
        self.running
            .messages
            .recv_timeout(time)
            .map_err(|error| anyhow::anyhow!("the bridge says nothing ({error}):\n{}", self.log()))
    }

    /// Does what the bridge asks of an editor.
    fn take(&mut self, message: &Value) -> Result<()> {
        let Some(id) = message.get("id") else {
            if message["method"] == "window/showMessage" {
                let told = message["params"]["message"].as_str();
                self.told.extend(told.map(str::to_owned));
            }
            return Ok(());
        };
        let result = match message["method"].as_str() {
            Some("workspace/applyEdit") => {
                let applied = self.apply(&message["params"]["edit"])?;
                json!({ "applied": applied })
            }
            Some(_) => Value::Null,
            None => return Ok(()),
        };
        self.send(&json!({ "id": id, "result": result }))
    }

    /// Applies an edit that was computed for the text as it is now, and reports it as any change.
    fn apply(&mut self, edit: &Value) -> Result<bool> {
        let changes = edit["documentChanges"]
            .as_array()
            .with_context(|| format!("no documentChanges: {edit}"))?;
        ensure!(changes.len() == 1, "more than one document: {edit}");
        let document = &changes[0]["textDocument"];
        // A late edit of a file that has been closed is nothing to this editor.
        if document["uri"] != json!(self.uri) {
            return Ok(false);
        }
        if document["version"] != json!(self.version) {
            return Ok(false);
        }
        let edits = changes[0]["edits"].as_array().context("no edits")?;
        let mut edits = edits
            .iter()
            .map(|edit| {
                let place = |side: &str| offset(&self.text, &edit["range"][side]);
                let text = edit["newText"].as_str().context("no newText")?;
                Ok((
                    place("start")?,
                    place("end")?,
                    text.to_owned(),
                    edit["range"].clone(),
                ))
            })
            .collect::<Result<Vec<_>>>()?;
        // Last first, so that each range still means what it meant. Edits at one place keep their order.
        edits.sort_by_key(|&(start, ..)| start);
        let mut reported = Vec::new();
        for (start, end, text, range) in edits.into_iter().rev() {
            self.text.replace_range(start..end, &text);
            reported.push(json!({ "range": range, "text": text }));
        }
        let reported = if self.full_text {
            json!([{ "text": self.text }])
        } else {
            json!(reported)
        };
        self.changed(&reported)?;
        Ok(true)
    }

    fn changed(&mut self, changes: &Value) -> Result<()> {
        self.version += 1;
        let document = json!({ "uri": self.uri, "version": self.version });
        self.notify(
            "textDocument/didChange",
            &json!({ "textDocument": document, "contentChanges": changes }),
        )
    }

    fn notify(&mut self, method: &str, params: &Value) -> Result<()> {
        self.send(&json!({ "method": method, "params": params }))
    }

    fn send(&mut self, message: &Value) -> Result<()> {
        if self.is_lost {
            return Ok(());
        }
        let mut message = message.clone();
        message["jsonrpc"] = json!("2.0");
        // Requests and notifications without parameters leave them out.
        if message["params"].is_null()
            && let Some(object) = message.as_object_mut()
        {
            object.remove("params");
        }
        let body = message.to_string();
        write!(
            self.running.stdin,
            "Content-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        self.running.stdin.flush()?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let log = self.log.lock().expect("no writer panics");
        eprint!("--- bridge's log\n{log}");
    }
}

fn read(stdout: &mut impl BufRead) -> Result<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        ensure!(stdout.read_line(&mut line)? > 0, "the end");
        let line = line.trim();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("Content-Length:") {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    stdout.read_exact(&mut body)?;
    Ok(serde_json::from_slice(&body)?)
}
