//! What the engine asks for, and the editor's answers to it.

use serde_json::{Value, json};
use tower_lsp::jsonrpc::{Id, Result as RpcResult};
use tutti_engine::{Answer, EditId, Effect, Event, Flush, TextEdit};
use tutti_protocol::ids::DocumentId;
use tutti_protocol::role::Role;

use super::disk::Task;
use super::link_events::STORE_MS;
use super::project::Project;
use super::room::Held;
use crate::lsp::Severity;

impl Project {
    /// Does what the engine asks for on behalf of `document`.
    pub(super) fn perform(&mut self, document: &DocumentId, effects: Vec<Effect>) {
        self.write_journal(document);
        if let Some(open) = self.rooms.get_mut(document).and_then(|r| r.open_mut())
            && open.was_deaf != open.document.is_deaf()
        {
            open.was_deaf = !open.was_deaf;
            let hears = !open.was_deaf;
            self.disk.give(Task::Hears(document.clone(), hears));
        }
        let mut cannot_flush = 0;
        let store_at = self.clock.after(STORE_MS);
        for effect in effects {
            match effect {
                Effect::Send { update } => {
                    // Whatever brought it: an edit that went out is in the replica.
                    let is_viewer = self.role == Role::Viewer;
                    if let Some(room) = self.rooms.get_mut(document) {
                        room.store_by(store_at);
                        match is_viewer {
                            true => room.saved.withheld(),
                            false => room.saved.sent(),
                        }
                    }
                    if is_viewer {
                        self.tell_view_only();
                        continue;
                    }
                    self.people.typed(document, &update);
                    self.written_last = Some(document.clone());
                    self.send_update(document, update);
                }
                Effect::Edit {
                    edit,
                    version,
                    edits,
                } => self.ask_for_edit(document, edit, version, &edits),
                Effect::Tell { message } => self.client.show(Severity::Warning, &message),
                Effect::Recover { text, reason } => {
                    tracing::warn!(%document, reason, "a text is kept aside");
                    self.disk.give(Task::Recover {
                        document: document.clone(),
                        text,
                    });
                }
                Effect::Flush => cannot_flush += usize::from(!self.ask_to_report(document)),
                Effect::WakeAt(at) => {
                    if let Some(open) = self.rooms.get_mut(document).and_then(|r| r.open_mut()) {
                        open.wake_at = Some(at);
                    }
                }
            }
        }
        // Last, since the engine answers with effects of its own.
        for _ in 0..cannot_flush {
            self.tell_engine(document, Event::Flushed { is_sure: false });
        }
    }

    /// One document a request, with its version, and without a label: Neovim would print it.
    fn ask_for_edit(
        &mut self,
        document: &DocumentId,
        edit: EditId,
        version: i32,
        edits: &[TextEdit],
    ) {
        let room = self.rooms.get_mut(document);
        let Some(open) = room.and_then(|room| room.open_mut()) else {
            return;
        };
        open.is_beyond_file = true;
        if !self.abilities.apply_edit {
            return self.tell_once(
                Severity::Warning,
                "this editor does not let a language server edit: others' changes cannot be shown",
            );
        }
        let params = json!({ "edit": { "documentChanges": [{
            "textDocument": { "uri": open.uri, "version": version },
            "edits": edits.iter().map(edit_json).collect::<Vec<_>>(),
        }] } });
        match self.client.ask("workspace/applyEdit", params) {
            Some(id) => self.asked.edit(id, document.clone(), edit),
            None => {
                let reason = "the editor does not read".to_owned();
                let answer = Answer::Failed { reason };
                self.tell_engine(document, Event::Answered { edit, answer });
            }
        }
    }

    /// Asks the editor to report all that was typed in it; whether it could be asked.
    fn ask_to_report(&mut self, document: &DocumentId) -> bool {
        let method = match self.abilities.dialect.flush {
            Some(Flush::SemanticTokensRefresh) => "workspace/semanticTokens/refresh",
            None => return false,
        };
        let id = self.client.ask(method, Value::Null);
        id.map(|id| self.asked.flush(id, document.clone()))
            .is_some()
    }

    /// The editor asks for a document's tokens, behind its reports.
    pub(super) fn asks_for_tokens(&mut self, uri: &str) {
        if let Some(document) = self.document_named(uri) {
            self.asked.asks_for_tokens(&document);
        }
    }

    /// The editor has answered something.
    pub(super) fn answered(&mut self, id: &Id, result: RpcResult<Value>) {
        if self.progress.answered(id, result.is_ok()) || self.refresh_answered(id, &result) {
            return;
        }
        if let Some((document, event)) = self.asked.answered(id, result) {
            self.tell_engine(&document, event);
        }
    }

    pub(super) fn tell_engine(&mut self, document: &DocumentId, event: Event) {
        tracing::debug!(%document, ?event);
        let now = self.clock.now();
        let is_answer = matches!(event, Event::Answered { .. });
        match self.rooms.get_mut(document).map(|room| &mut room.held) {
            Some(Held::Open(open)) => {
                let effects = open.document.handle(event, now);
                if is_answer {
                    self.abilities.dialect.clone_from(open.document.dialect());
                }
                self.perform(document, effects);
            }
            Some(Held::Closed(closed)) => {
                if let Event::Answered { edit, answer } = event {
                    closed.replica.answered(edit, &answer);
                }
            }
            None => {}
        }
    }
}

fn edit_json(edit: &TextEdit) -> Value {
    let place =
        |place: tutti_engine::Position| json!({ "line": place.line, "character": place.character });
    json!({
        "range": { "start": place(edit.range.start), "end": place(edit.range.end) },
        "newText": edit.new_text,
    })
}
