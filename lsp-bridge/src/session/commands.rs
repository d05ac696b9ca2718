//! `workspace/executeCommand`: what a person can do from within the editor.

use serde_json::{Value, json};
use tower_lsp::jsonrpc::Error as RpcError;

use super::{Session, answer};
use crate::lsp::{Reply, Severity};

/// The commands that exist.
pub(super) const COMMANDS: [&str; 1] = ["tutti.peers"];

/// A command that ran beside the session has ended.
pub(super) struct Done {
    pub(super) reply: Reply,
    pub(super) result: Result<Value, RpcError>,
}

impl Session {
    pub(super) fn execute(&mut self, params: Value, reply: Reply) {
        let command = params["command"].as_str().unwrap_or_default();
        match command {
            "tutti.peers" => answer(reply, Ok(self.peers())),
            _ => {
                let error = RpcError::invalid_params(format!("there is no command {command:?}"));
                answer(reply, Err(error));
            }
        }
    }

    pub(super) fn command_done(&mut self, done: Done) {
        answer(done.reply, done.result);
    }

    /// Who is in the project, and where; also shown to the person.
    fn peers(&mut self) -> Value {
        let Some(project) = &self.project else {
            self.client
                .show(Severity::Info, "this is no shared project");
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
