//! The session: one task that owns everything between the editor and the server.
//!
//! ```text
//!   editor ══ wire ══►  Session ─┬─ Project ── index, rooms (engine), people
//!          ◄═ Client ══          ├─ link      ── the server
//!                                └─ disk      ── the mirror's thread
//! ```
//!
//! It reads one channel for all that the editor says, in the order in which it was written, and
//! never waits for any of its neighbours: what they say comes when it comes.

mod ahead;
mod apart;
mod asked;
mod blobs;
mod bulk;
mod catch_up;
mod clock;
mod commands;
mod deleted;
mod disk;
mod disk_news;
mod documents;
mod doubt;
mod effects;
mod guess;
mod index;
mod journal;
mod lasting;
mod line;
mod link_events;
mod opening;
mod outage;
mod outbox;
mod pause;
mod people;
mod progress;
mod project;
mod reload;
mod renamed;
mod renewal;
mod room;
mod saved;
mod saving;
mod sequence;
mod setup;
#[cfg(test)]
mod tests;
mod timers;
mod tracked;
mod undo;
mod words;
mod written;

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tower_lsp::jsonrpc::Error as RpcError;

use crate::cli::sentence;
use crate::lsp::{
    Abilities, Change, Client, Close, EndOfInput, Inbound, Open, Reply, Save, Severity,
    initialize_result, read,
};
use commands::{COMMANDS, Done};
use documents::Told;
use project::{Input, Project};
use sequence::Sequence;
pub(crate) use setup::FindSetup;
use tracked::Tracked;
use undo::Way;

/// How long the last edits may take to reach the server before the process ends without them:
/// they are on disk then, and go out at the next start.
const LAST_EDITS: Duration = Duration::from_secs(2);
/// How many commands may finish before the session looks.
const COMMANDS_DONE: usize = 16;

/// See the [module's documentation](self).
pub(crate) struct Session {
    inbox: mpsc::Receiver<Inbound>,
    client: Client,
    ended: EndOfInput,
    find: FindSetup,
    abilities: Option<Abilities>,
    project: Option<Project>,
    /// For an editor whose messages overtake each other.
    sequence: Sequence,
    /// Outside of a project: the open files, in case it becomes one.
    outside: HashMap<String, Tracked>,
    /// Why it takes part in no project, as the person was told last.
    told: Option<String>,
    done: mpsc::Receiver<Done>,
    done_sender: mpsc::Sender<Done>,
    /// The editor wants to go.
    leaving: Option<Leaving>,
    shutdown_seen: bool,
}

/// What is waited for before the end.
struct Leaving {
    deadline: Instant,
    /// The answer to `shutdown`.
    reply: Option<Reply>,
}

/// What the loop does next.
enum Next {
    Editor(Inbound),
    Project(Input),
    Done(Done),
    /// The editor's input has ended.
    Over,
    /// The last edits have had their time.
    TooLate,
}

impl Session {
    pub(crate) fn new(
        inbox: mpsc::Receiver<Inbound>,
        client: Client,
        ended: EndOfInput,
        find: FindSetup,
    ) -> Self {
        let (done_sender, done) = mpsc::channel(COMMANDS_DONE);
        Self {
            inbox,
            client,
            ended,
            find,
            abilities: None,
            project: None,
            sequence: Sequence::default(),
            outside: HashMap::new(),
            told: None,
            done,
            done_sender,
            leaving: None,
            shutdown_seen: false,
        }
    }

    /// Runs until the editor has gone; whether it went as the specification wants it.
    pub(crate) async fn run(mut self) -> bool {
        let mut over = false;
        loop {
            let next = tokio::select! {
                biased;
                Some(message) = self.inbox.recv() => Next::Editor(message),
                input = next_input(&mut self.project) => Next::Project(input),
                Some(done) = self.done.recv() => Next::Done(done),
                // Last, so that all that was written before the end has been read.
                () = self.ended.cancelled(), if !over => Next::Over,
                () = too_late(&self.leaving) => Next::TooLate,
            };
            match next {
                Next::Editor(Inbound::Notification { method, .. }) if method == "exit" => break,
                Next::Editor(message) => self.message(message),
                Next::Project(input) => {
                    if let Some(project) = &mut self.project {
                        project.handle(input);
                    }
                }
                Next::Done(done) => self.command_done(done),
                Next::Over => {
                    over = true;
                    self.leave(None);
                }
                Next::TooLate => self.left(),
            }
            if self.leaving.is_some() && self.project.as_ref().is_none_or(Project::all_saved) {
                self.left();
            }
            if over && self.leaving.is_none() {
                break;
            }
        }
        if let Some(project) = self.project.take() {
            project.finish().await;
        }
        over || self.shutdown_seen
    }

    /// The editor wants to go: the last edits get their time.
    fn leave(&mut self, reply: Option<Reply>) {
        self.leaving = Some(Leaving {
            deadline: Instant::now() + LAST_EDITS,
            reply,
        });
    }

    /// Nothing more is waited for.
    fn left(&mut self) {
        if let Some(Leaving {
            reply: Some(reply), ..
        }) = self.leaving.take()
        {
            answer(reply, Ok(Value::Null));
        }
    }

    fn message(&mut self, message: Inbound) {
        match message {
            Inbound::Request {
                method,
                params,
                reply,
            } => self.request(&method, params, reply),
            Inbound::Notification { method, params } => self.notification(&method, params),
            Inbound::Answer { id, result } => {
                if let Some(project) = &mut self.project {
                    project.answered(&id, result);
                }
            }
        }
    }

    fn request(&mut self, method: &str, params: Value, reply: Reply) {
        if self.abilities.is_none() && method != "initialize" {
            let code = tower_lsp::jsonrpc::ErrorCode::ServerError(-32002);
            let mut error = RpcError::new(code);
            error.message = "the server is not initialized".into();
            return answer(reply, Err(error));
        }
        let result = match method {
            "initialize" => Ok(self.initialize(&params)),
            "shutdown" => {
                self.shutdown_seen = true;
                return self.leave(Some(reply));
            }
            "workspace/executeCommand" => return self.execute(&params, reply),
            "tutti/undo" => self.undo(Way::Undo, Some(params)),
            "tutti/redo" => self.undo(Way::Redo, Some(params)),
            "textDocument/inlayHint" => Ok(self.inlay_hints(&params)),
            "textDocument/semanticTokens/full" => {
                self.asks_for_tokens(&params);
                Ok(json!({ "data": [] }))
            }
            "textDocument/documentHighlight" => {
                self.learn_caret(method, params);
                Ok(Value::Null)
            }
            _ => {
                if params.get("position").is_some() {
                    self.learn_caret(method, params);
                }
                Err(RpcError::method_not_found())
            }
        };
        answer(reply, result);
    }

    fn initialize(&mut self, params: &Value) -> Value {
        let abilities = Abilities::read(params);
        tracing::info!(client = ?abilities.client_name, dialect = abilities.dialect.name, "hello");
        let result = initialize_result(&abilities, &COMMANDS);
        self.abilities = Some(abilities);
        result
    }

    fn notification(&mut self, method: &str, params: Value) {
        let abilities = self.abilities.as_ref();
        let overtakes = abilities.is_some_and(|a| a.dialect.consecutive_versions);
        if overtakes && Sequence::concerns(method) {
            for (method, params) in self.sequence.follow(method, params, Instant::now()) {
                self.notified(method, params);
            }
        } else {
            self.notified(method, params);
        }
    }

    fn notified(&mut self, method: &str, params: Value) {
        if method == "initialized" {
            return self.open_project();
        }
        // An editor that never says `initialized` is served from its first document on.
        if method == "textDocument/didOpen" && self.project.is_none() {
            self.open_project();
        }
        let Some(project) = &mut self.project else {
            return self.outside(method, params);
        };
        let told = match method {
            "textDocument/didOpen" => read(method, params).map(|open: Open| {
                let (uri, tracked) = Tracked::open(open);
                Told::Opened(uri, tracked)
            }),
            "textDocument/didChange" => read(method, params).map(Told::Changed),
            "textDocument/didSave" => read(method, params).map(Told::Saved),
            "textDocument/didClose" => read(method, params).map(Told::Closed),
            "workspace/didChangeWatchedFiles" => read(method, params).map(Told::Files),
            _ => return,
        };
        // Parameters that are not understood have been logged; there is nobody to answer.
        if let Ok(told) = told {
            project.told(told);
        }
        project.start_waiting();
    }

    /// Takes part in the project that the editor works in, if it works in one.
    fn open_project(&mut self) {
        let (Some(abilities), None) = (&self.abilities, &self.project) else {
            return;
        };
        match self.find.find(&abilities.roots) {
            Ok(Some(setup)) => {
                let (abilities, client) = (abilities.clone(), self.client.clone());
                let project = self
                    .project
                    .insert(Project::start(setup, abilities, client));
                project.ask_to_hear_of_files();
                for (uri, tracked) in self.outside.drain() {
                    project.told(Told::Opened(uri, tracked));
                }
            }
            Ok(None) => tracing::info!("not in a shared project"),
            Err(error) => {
                let why = sentence(&error);
                if self.told.as_ref() != Some(&why) {
                    self.client.show(Severity::Warning, &why);
                    self.told = Some(why);
                }
            }
        }
    }

    /// Outside of a project nothing is done; the texts are remembered in case it is shared.
    fn outside(&mut self, method: &str, params: Value) {
        let understood = match method {
            "textDocument/didOpen" => read(method, params).map(|open: Open| {
                let (uri, tracked) = Tracked::open(open);
                self.outside.insert(uri, tracked);
            }),
            "textDocument/didChange" => read(method, params).map(|change: Change| {
                if let Some(tracked) = self.outside.get_mut(&change.text_document.uri) {
                    let changes = change.content_changes.into_iter().map(Into::into);
                    tracked.changed(change.text_document.version, changes.collect());
                }
            }),
            "textDocument/didSave" => read(method, params).map(|save: Save| {
                let tracked = self.outside.get_mut(&save.text_document.uri);
                if let (Some(tracked), Some(abilities)) = (tracked, &self.abilities) {
                    tracked.saved(save.text, abilities);
                }
            }),
            "textDocument/didClose" => read(method, params).map(|close: Close| {
                self.outside.remove(&close.text_document.uri);
            }),
            _ => Ok(()),
        };
        if understood.is_err() {
            tracing::debug!(method, "outside of a project");
        }
    }

    fn inlay_hints(&mut self, params: &Value) -> Value {
        let uri = params.pointer("/textDocument/uri").and_then(Value::as_str);
        let line = |end: &str| {
            let line = params.pointer(&format!("/range/{end}/line"))?.as_u64()?;
            u32::try_from(line).ok()
        };
        match (&mut self.project, uri) {
            (Some(project), Some(uri)) => project.inlay_hints(uri, line("start").zip(line("end"))),
            _ => Value::Null,
        }
    }

    /// The editor asks for tokens, of which there are none: it has reported everything before.
    fn asks_for_tokens(&mut self, params: &Value) {
        let uri = params.pointer("/textDocument/uri").and_then(Value::as_str);
        if let (Some(project), Some(uri)) = (&mut self.project, uri) {
            project.asks_for_tokens(uri);
        }
    }

    fn learn_caret(&mut self, method: &str, params: Value) {
        if let (Some(project), Ok(positioned)) = (&mut self.project, read(method, params)) {
            project.caret_learned(&positioned);
        }
    }
}

/// Answers; an editor that has gone does not hear it.
fn answer(reply: Reply, result: Result<Value, RpcError>) {
    if reply.send(result).is_err() {
        tracing::debug!("nobody waits for the answer any more");
    }
}

async fn next_input(project: &mut Option<Project>) -> Input {
    match project {
        Some(project) => project.next().await,
        None => std::future::pending().await,
    }
}

async fn too_late(leaving: &Option<Leaving>) {
    match leaving {
        Some(leaving) => tokio::time::sleep_until(leaving.deadline).await,
        None => std::future::pending().await,
    }
}
