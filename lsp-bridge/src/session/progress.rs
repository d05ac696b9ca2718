//! `$/progress`: that the bridge connects, syncs, or works offline, with an ending always.

use serde_json::{Value, json};
use tower_lsp::jsonrpc::Id;

use crate::lsp::Client;

/// At most one progress at a time, where the client shows them.
pub(super) struct Progress {
    client: Client,
    able: bool,
    count: u32,
    state: State,
}

enum State {
    Hidden,
    /// The client was asked for a place; what to show in it.
    Asked {
        id: Id,
        message: String,
    },
    Shown {
        message: String,
    },
}

const TITLE: &str = "Tutti";

impl Progress {
    pub(super) fn new(client: Client, able: bool) -> Self {
        Self {
            client,
            able,
            count: 0,
            state: State::Hidden,
        }
    }

    fn token(&self) -> String {
        format!("tutti/{}", self.count)
    }

    /// Shows `message` until something else is shown or all is done.
    pub(super) fn show(&mut self, message: impl Into<String>) {
        let message = message.into();
        match &mut self.state {
            State::Hidden if self.able => {
                self.count += 1;
                let params = json!({ "token": self.token() });
                if let Some(id) = self.client.ask("window/workDoneProgress/create", params) {
                    self.state = State::Asked { id, message };
                }
            }
            State::Hidden => {}
            State::Asked { message: later, .. } => *later = message,
            State::Shown { message: now } if *now == message => {}
            State::Shown { message: now } => {
                now.clone_from(&message);
                self.report(json!({ "kind": "report", "message": message }));
            }
        }
    }

    /// All is done.
    pub(super) fn end(&mut self, message: &str) {
        if let State::Shown { .. } = self.state {
            self.report(json!({ "kind": "end", "message": message }));
        }
        // A client that is still making the place is left with an empty one, which it shows
        // nowhere.
        self.state = State::Hidden;
    }

    /// Takes an answer of the client if it is to our question.
    pub(super) fn answered(&mut self, answer: &Id, granted: bool) -> bool {
        match &self.state {
            State::Asked { id, message } if id == answer => {
                if granted {
                    let message = message.clone();
                    self.report(json!({ "kind": "begin", "title": TITLE, "message": message }));
                    self.state = State::Shown { message };
                } else {
                    self.able = false;
                    self.state = State::Hidden;
                }
                true
            }
            _ => false,
        }
    }

    fn report(&mut self, value: Value) {
        let params = json!({ "token": self.token(), "value": value });
        self.client.tell("$/progress", params);
    }
}
