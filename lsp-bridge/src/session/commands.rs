//! `workspace/executeCommand`: what a person can do from within the editor.
//!
//! `tutti.share`, `tutti.join` and `tutti.leave` are the command line's own, run as a process of
//! their own: what they print is an answer here, and never gets between the messages on standard
//! output.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tower_lsp::jsonrpc::{Error as RpcError, ErrorCode, Result as RpcResult};

use super::project::Project;
use super::undo::Way;
use super::{Session, answer};
use crate::lsp::{Reply, Severity};

/// The commands that exist.
pub(super) const COMMANDS: [&str; 6] = [
    "tutti.share",
    "tutti.join",
    "tutti.leave",
    "tutti.peers",
    "tutti.undo",
    "tutti.redo",
];

/// What they take, for who calls them otherwise.
pub(super) const UNDO_TAKES: &str =
    r#"tutti.undo and tutti.redo take nothing, or the file's name as {"uri": "file:///…"}"#;
const SHARE_TAKES: &str =
    r#"tutti.share takes nothing, or any of {"dir": …, "server": …, "name": …}, each a text"#;
const JOIN_TAKES: &str =
    r#"tutti.join takes the link, and the directory if another is meant: {"link": …, "dir": …}"#;

/// A command that ran beside the session has ended.
pub(super) struct Done {
    command: Ran,
    reply: Reply,
    /// What it printed, or why it failed, in one sentence.
    result: Result<String, String>,
}

enum Ran {
    Share,
    Join,
    Leave,
}

/// The argument of `tutti.share`; all of it may be missing.
#[derive(Debug, Default, Deserialize)]
struct Share {
    dir: Option<PathBuf>,
    server: Option<String>,
    name: Option<String>,
}

/// The arguments of `tutti.join`, as one object.
#[derive(Debug, Deserialize)]
struct Join {
    link: String,
    dir: Option<PathBuf>,
}

/// A command's argument, which may be missing; else an error that says what it `takes`.
pub(super) fn read_argument<T: DeserializeOwned>(
    argument: Option<Value>,
    takes: &'static str,
) -> RpcResult<Option<T>> {
    let argument = argument.filter(|argument| !argument.is_null());
    let is_object = argument.as_ref().is_none_or(Value::is_object);
    let read = argument.map(serde_json::from_value).transpose();
    let read = read.map_err(|error| tracing::debug!(%error, "not understood"));
    read.ok()
        .filter(|_| is_object)
        .ok_or_else(|| RpcError::invalid_params(takes))
}

impl Session {
    pub(super) fn execute(&mut self, params: &Value, reply: Reply) {
        let argument = params.pointer("/arguments/0").cloned();
        match params["command"].as_str().unwrap_or_default() {
            "tutti.peers" => answer(reply, Ok(self.peers())),
            "tutti.undo" => answer(reply, self.undo(Way::Undo, argument)),
            "tutti.redo" => answer(reply, self.undo(Way::Redo, argument)),
            "tutti.share" => match read_argument(argument, SHARE_TAKES) {
                Ok(share) => self.share(share.unwrap_or_default(), reply),
                Err(error) => answer(reply, Err(error)),
            },
            "tutti.join" => match read_argument(argument, JOIN_TAKES) {
                Ok(Some(join)) => self.join(join, reply),
                Ok(None) => answer(reply, Err(RpcError::invalid_params(JOIN_TAKES))),
                Err(error) => answer(reply, Err(error)),
            },
            "tutti.leave" => self.leave_project(reply),
            other => {
                let error = RpcError::invalid_params(format!("there is no command {other:?}"));
                answer(reply, Err(error));
            }
        }
    }

    fn share(&mut self, share: Share, reply: Reply) {
        let dir = share.dir.or_else(|| self.workspace());
        let mut args: Vec<OsString> = vec!["share".into(), "--json".into()];
        if let Some(server) = share.server {
            args.extend(["--server".into(), server.into()]);
        }
        if let Some(name) = share.name {
            args.extend(["--name".into(), name.into()]);
        }
        args.push("--".into());
        args.extend(dir.map(OsString::from));
        self.run_beside(Ran::Share, args, None, None, reply);
    }

    fn join(&mut self, join: Join, reply: Reply) {
        let dir = join.dir.or_else(|| self.workspace());
        let mut args: Vec<OsString> = vec!["join".into(), "--".into(), join.link.into()];
        args.extend(dir.map(OsString::from));
        self.run_beside(Ran::Join, args, None, None, reply);
    }

    /// The bridge lets go of the directory first.
    fn leave_project(&mut self, reply: Reply) {
        let Some(project) = self.project.take() else {
            let message = "this is no shared project".to_owned();
            return answer(reply, Err(failed(message)));
        };
        let root = project.root.clone();
        self.outside = project.open_files();
        self.run_beside(
            Ran::Leave,
            vec!["leave".into()],
            Some(root),
            Some(project),
            reply,
        );
    }

    /// Where the editor works.
    fn workspace(&self) -> Option<PathBuf> {
        self.abilities.as_ref()?.roots.first().cloned()
    }

    /// Runs the command line, after `project` has been let go.
    fn run_beside(
        &self,
        command: Ran,
        args: Vec<OsString>,
        dir: Option<PathBuf>,
        project: Option<Project>,
        reply: Reply,
    ) {
        let done = self.done_sender.clone();
        tokio::spawn(async move {
            if let Some(project) = project {
                project.finish().await;
            }
            let result = run(args, dir).await;
            let ended = done.send(Done {
                command,
                reply,
                result,
            });
            if ended.await.is_err() {
                tracing::debug!("the session ended before its command");
            }
        });
    }

    pub(super) fn command_done(&mut self, done: Done) {
        // Shared, joined, or not left after all.
        self.open_project();
        let result = done.result.map(|printed| match done.command {
            Ran::Share => {
                let created: Value = serde_json::from_str(&printed).unwrap_or_default();
                let link = created["editor_link"].as_str().unwrap_or_default();
                (format!("shared; to edit: {link}"), created)
            }
            Ran::Join | Ran::Leave => (printed, Value::Null),
        });
        match result {
            Ok((message, value)) => {
                self.client.show(Severity::Info, &message);
                answer(done.reply, Ok(value));
            }
            // The editor shows the error's message.
            Err(message) => answer(done.reply, Err(failed(message))),
        }
    }

    /// Who is in the project, and where; also shown to the person.
    fn peers(&mut self) -> Value {
        let Some(project) = &self.project else {
            let message = "this is no shared project";
            self.client.show(Severity::Info, message);
            return json!([]);
        };
        let peers = project.peers();
        let names: Vec<String> = peers
            .as_array()
            .into_iter()
            .flatten()
            .map(|peer| match peer["file"].as_str() {
                Some(file) => format!("{} ({file})", peer["name"].as_str().unwrap_or_default()),
                None => peer["name"].as_str().unwrap_or_default().to_owned(),
            })
            .collect();
        let message = match names.is_empty() {
            true => "nobody else is here".to_owned(),
            false => format!("with you: {}", names.join(", ")),
        };
        self.client.show(Severity::Info, &message);
        peers
    }
}

pub(super) fn failed(message: String) -> RpcError {
    let mut error = RpcError::new(ErrorCode::ServerError(-32803));
    error.message = message.into();
    error
}

/// Runs this very program; what it printed, or the sentence with which it failed.
async fn run(args: Vec<OsString>, dir: Option<PathBuf>) -> Result<String, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = tokio::process::Command::new(program);
    command.args(args).stdin(Stdio::null()).kill_on_drop(true);
    if let Some(dir) = dir {
        command.current_dir(dir);
    }
    let output = command.output().await.map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stderr)),
    }
}
