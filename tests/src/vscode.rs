//! A real VS Code as code-server shows it in Chromium, with the least extension that starts a language server
//! (`tests/node/vscode-client`), driven by `tests/node/vscode.mjs`.

use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::cli::Person;
use crate::node::Node;
use crate::project::difference;
use crate::server::{Log, record};
use crate::tools;
use crate::wait::{LONG, until, until_or};

/// Nothing of it concerns text: what only a new installation asks or fetches, and saving by hand as on a desktop, where
/// code-server saves by itself.
const SETTINGS: &str = r#"{
  "workbench.startupEditor": "none",
  "chat.disableAIFeatures": true,
  "git.enabled": false,
  "extensions.autoUpdate": false,
  "extensions.autoCheckUpdates": false,
  "files.autoSave": "off"
}"#;

/// VS Code with one file open; dropped, it is ended.
pub struct VsCode {
    // Ended in this order: the window, its server, the person's home.
    window: Node,
    _server: CodeServer,
    file: PathBuf,
    person: Person,
}

impl VsCode {
    /// Opens `file`, which lies in `dir` itself, as `person`.
    ///
    /// # Errors
    /// When VS Code does not come to show the file.
    pub fn open(person: Person, dir: &Path, file: &str) -> Result<Self> {
        let starting = one_at_a_time()?;
        let server = CodeServer::start(&person)?;
        let mut window = Node::start("vscode.mjs")?;
        let url = format!("{}/?folder={}", server.url, dir.display());
        let chromium = tools::chromium()?;
        window
            .ask(json!({ "do": "open", "url": url, "file": file, "chromium": chromium }))
            .with_context(|| server.log.lock().expect("no writer panics").clone())?;
        // Extensions start when the window has been there for a while, which a person does not see.
        until("the extension to start `tutti lsp`", || {
            runs_lsp(person.home()).then_some(())
        })?;
        drop(starting);
        Ok(Self {
            window,
            _server: server,
            file: dir.join(file),
            person,
        })
    }

    /// Waits until a line on the screen holds `text`.
    ///
    /// # Errors
    /// When none does in time.
    pub fn shows(&mut self, text: &str) -> Result<()> {
        self.ask(json!({ "do": "shows", "text": text }))
    }

    /// Puts the caret behind the last character of the first line that holds `text`, ready to type.
    ///
    /// # Errors
    /// When VS Code does not find it.
    pub fn type_behind(&mut self, text: &str) -> Result<()> {
        self.ask(json!({ "do": "typeBehind", "text": text }))
    }

    /// Presses one key after the other, as a person does, one every `pace`.
    ///
    /// # Errors
    /// When the page is gone.
    pub fn type_text(&mut self, text: &str, pace: Duration) -> Result<()> {
        let pace_ms = u64::try_from(pace.as_millis())?;
        self.ask(json!({ "do": "type", "text": text, "paceMs": pace_ms }))
    }

    /// Pastes a text from the clipboard.
    ///
    /// # Errors
    /// When the page is gone.
    pub fn paste(&mut self, text: &str) -> Result<()> {
        self.ask(json!({ "do": "paste", "text": text }))
    }

    /// Takes back what was done last.
    ///
    /// # Errors
    /// When the page is gone.
    pub fn undo(&mut self) -> Result<()> {
        self.press("Control+z")
    }

    /// Deletes the first lines of the file.
    ///
    /// # Errors
    /// When the page is gone.
    pub fn delete_first_lines(&mut self, lines: usize) -> Result<()> {
        self.press("Control+Home")?;
        for _ in 0..lines {
            self.press("Shift+ArrowDown")?;
        }
        self.press("Delete")
    }

    /// Saves the file.
    ///
    /// # Errors
    /// When the page is gone.
    pub fn save(&mut self) -> Result<()> {
        self.press("Control+s")
    }

    /// Waits until VS Code itself holds exactly this text, which it shows by saving.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn holds(&mut self, text: &str) -> Result<()> {
        let mut last = String::new();
        until_or(
            "VS Code to hold the text",
            || {
                last = match self
                    .save()
                    .and_then(|()| Ok(fs::read_to_string(&self.file)?))
                {
                    Ok(saved) => saved,
                    Err(error) => format!("{error:#}"),
                };
                (last == text).then_some(())
            },
            String::new,
        )
        .with_context(|| difference(text, &last))
    }

    /// What its window shows, as text, for a message.
    ///
    /// # Errors
    /// When the page is gone.
    pub fn screen(&mut self) -> Result<String> {
        let text = self.window.ask(json!({ "do": "page" }))?;
        text.as_str().map(str::to_owned).context("a text")
    }

    /// The file on disk.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Whose editor it is.
    #[must_use]
    pub fn person(&self) -> &Person {
        &self.person
    }

    fn press(&mut self, key: &str) -> Result<()> {
        self.ask(json!({ "do": "press", "key": key }))
    }

    fn ask(&mut self, request: Value) -> Result<()> {
        self.window.ask(request).map(drop)
    }
}

/// Waits until no other test on this machine starts VS Code. A start takes all the cores for some seconds, and
/// code-server gives up after ten.
fn one_at_a_time() -> Result<File> {
    let turn = File::create(env::temp_dir().join("tutti-tests-vscode-start"))?;
    turn.lock()?;
    Ok(turn)
}

/// Whether a `tutti lsp` runs whose home is this one.
fn runs_lsp(home: &Path) -> bool {
    let home = format!("HOME={}", home.display());
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.map(|process| process.path()).any(|process| {
        // Processes end while they are looked at, and others' are closed to us.
        let words = fs::read(process.join("cmdline")).unwrap_or_default();
        let environment = fs::read(process.join("environ")).unwrap_or_default();
        words == b"tutti\0lsp\0"
            && environment
                .split(|&byte| byte == 0)
                .any(|it| it == home.as_bytes())
    })
}

/// The process that runs VS Code but for its window.
struct CodeServer {
    child: Child,
    url: String,
    log: Log,
}

impl CodeServer {
    /// Starts it for one person: all that it keeps lies in their home.
    fn start(person: &Person) -> Result<Self> {
        let home = person.home();
        let (user, extensions) = (home.join("vscode"), home.join("extensions"));
        fs::create_dir_all(user.join("User"))?;
        fs::write(user.join("User/settings.json"), SETTINGS)?;
        fs::create_dir_all(&extensions)?;
        let extension = tools::repository().join("tests/node/vscode-client");
        ensure!(
            extension.join("node_modules").exists(),
            "VS Code's extension has no packages; run `cargo xtask setup`"
        );
        symlink(extension, extensions.join("tutti.tutti-client-0.0.1"))?;
        // Its processes meet over sockets there.
        fs::create_dir_all(home.join("runtime"))?;

        let mut child = tools::command(tools::code_server()?, home)?
            .args(["--bind-addr", "127.0.0.1:0", "--auth", "none"])
            .args(["--disable-telemetry", "--disable-update-check"])
            .arg("--disable-workspace-trust")
            .arg("--user-data-dir")
            .arg(user)
            .arg("--extensions-dir")
            .arg(extensions)
            .env("TUTTI_NAME", person.name())
            // As if it were started at a shell: its environment as it is, and not that of a login shell.
            .env("VSCODE_CLI", "1")
            // Set in a terminal of VS Code's own; with it this would talk to that one.
            .env_remove("VSCODE_IPC_HOOK_CLI")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("code-server could not be started")?;
        let log = Log::default();
        record(child.stderr.take().context("no standard error")?, &log);
        let stdout = BufReader::new(child.stdout.take().context("no standard output")?);
        let (send, address) = mpsc::channel();
        let lines = Log::clone(&log);
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if let Some((_, url)) = line.split_once("HTTP server listening on ") {
                    // Whoever waited for it may have given up.
                    let _ = send.send(url.trim().trim_end_matches('/').to_owned());
                }
                let mut log = lines.lock().expect("no writer panics");
                log.push_str(&line);
                log.push('\n');
            }
        });
        let mut server = Self {
            child,
            url: String::new(),
            log,
        };
        match address.recv_timeout(LONG) {
            Ok(url) => server.url = url,
            Err(_) => bail!("code-server does not listen"),
        }
        Ok(server)
    }
}

impl Drop for CodeServer {
    fn drop(&mut self) {
        // Told to end it takes its children with it, which a kill would leave behind. It may have ended already.
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        if until_or(
            "code-server's end",
            || self.child.try_wait().ok()?,
            String::new,
        )
        .is_err()
        {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        eprint!(
            "--- VS Code's log\n{}",
            self.log.lock().expect("no writer panics")
        );
    }
}
