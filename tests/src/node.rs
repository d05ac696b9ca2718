//! A Node program that is told what to do in lines of JSON, and answers each with one.
//!
//! Request `{"id", "do", …}`, answer `{"id", "ok": VALUE}` or `{"id", "error": TEXT}` (`tests/node/lines.mjs`).

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::server::{Log, record};
use crate::tools::repository;
use crate::wait::LONG;

/// A running Node program; dropped, it is killed.
pub struct Node {
    child: Child,
    stdin: ChildStdin,
    answers: Receiver<String>,
    log: Log,
    next_id: u64,
}

impl Node {
    /// Starts a script of `tests/node/`.
    ///
    /// # Errors
    /// When Node or the packages are not there.
    pub fn start(script: &str) -> Result<Self> {
        let dir = repository().join("tests/node");
        if !dir.join("node_modules").exists() {
            bail!("tests/node has no packages; run `cargo xtask setup`");
        }
        let mut child = Command::new("node")
            .arg(dir.join(script))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("node could not be started")?;
        let stdin = child.stdin.take().context("no standard input")?;
        let stdout = BufReader::new(child.stdout.take().context("no standard output")?);
        let log = Log::default();
        record(child.stderr.take().context("no standard error")?, &log);
        let (send, answers) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            child,
            stdin,
            answers,
            log,
            next_id: 0,
        })
    }

    /// Asks for one thing and waits until it is done. `request` is an object with the member `do`.
    ///
    /// # Errors
    /// When it fails there, or no answer comes in time.
    pub fn ask(&mut self, mut request: Value) -> Result<Value> {
        self.next_id += 1;
        request["id"] = json!(self.next_id);
        writeln!(self.stdin, "{request}")?;
        // The script has limits of its own, which say more; this one is for a script that hangs.
        let Ok(line) = self.answers.recv_timeout(2 * LONG) else {
            bail!("no answer to {request}\n{}", self.log());
        };
        let mut answer: Value = serde_json::from_str(&line).with_context(|| line.clone())?;
        if answer["id"] != request["id"] {
            bail!("answer {line} to {request}");
        }
        if let Some(error) = answer["error"].as_str() {
            bail!("{request}: {error}\n{}", self.log());
        }
        Ok(answer["ok"].take())
    }

    /// What it has written to standard error.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().expect("no writer panics").clone()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
        eprint!("--- node's log\n{}", self.log());
    }
}
