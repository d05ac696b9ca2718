//! What the engine asks for, and the editor's answers to it.

use serde_json::{Value, json};
use tower_lsp::jsonrpc::{Id, Result as RpcResult};
use tutti_engine::{Answer, EditId, Effect, Event, TextEdit};
use tutti_protocol::ids::DocumentId;
use tutti_protocol::role::Role;

use super::disk::Task;
use super::project::Project;
use crate::lsp::Severity;

impl Project {
    /// Does what the engine asks for on behalf of `document`.
    pub(super) fn perform(&mut self, document: &DocumentId, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send { update } => {
                    if self.role == Role::Viewer {
                        self.tell_once(
                            Severity::Warning,
                            "your link is view-only: what you type stays here",
                        );
                        continue;
                    }
                    if let Some(room) = self.rooms.get_mut(document) {
                        room.saved.sent();
                    }
                    self.people.typed(document, &update);
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
                Effect::WakeAt(at) => {
                    if let Some(open) = self.rooms.get_mut(document).and_then(|r| r.open_mut()) {
                        open.wake_at = Some(at);
                    }
                }
            }
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
        let Some(open) = self.rooms.get(document).and_then(|room| room.open()) else {
            return;
        };
        if !self.abilities.apply_edit {
            return self.tell_once(
                Severity::Error,
                "this editor does not let a language server edit: others' changes cannot be shown",
            );
        }
        let params = json!({ "edit": { "documentChanges": [{
            "textDocument": { "uri": open.uri, "version": version },
            "edits": edits.iter().map(edit_json).collect::<Vec<_>>(),
        }] } });
        match self.client.ask("workspace/applyEdit", params) {
            Some(id) => {
                self.asked.insert(id, (document.clone(), edit));
            }
            None => {
                let reason = "the editor does not read".to_owned();
                self.edit_answered(document, edit, Answer::Failed { reason });
            }
        }
    }

    /// The editor has answered something.
    pub(super) fn answered(&mut self, id: &Id, result: RpcResult<Value>) {
        if self.progress.answered(id, result.is_ok()) {
            return;
        }
        let Some((document, edit)) = self.asked.remove(id) else {
            return;
        };
        self.edit_answered(&document, edit, read_answer(result));
    }

    fn edit_answered(&mut self, document: &DocumentId, edit: EditId, answer: Answer) {
        tracing::debug!(%document, ?edit, ?answer);
        let now = self.clock.now();
        if let Some(open) = self
            .rooms
            .get_mut(document)
            .and_then(|room| room.open_mut())
        {
            let effects = open.document.handle(Event::Answered { edit, answer }, now);
            self.perform(document, effects);
        }
    }
}

fn read_answer(result: RpcResult<Value>) -> Answer {
    match result {
        Ok(value) if value["applied"] == true => Answer::Applied,
        Ok(value) => Answer::Refused {
            reason: value["failureReason"].as_str().map(str::to_owned),
        },
        Err(error) => Answer::Failed {
            reason: error.message.into_owned(),
        },
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

#[cfg(test)]
mod tests {
    use super::*;
    use tower_lsp::jsonrpc::Error;

    #[test]
    fn answers() {
        let refused = |reason: Option<&str>| Answer::Refused {
            reason: reason.map(str::to_owned),
        };
        let table = [
            (Ok(json!({ "applied": true })), Answer::Applied),
            (Ok(json!({ "applied": false })), refused(None)),
            (
                Ok(json!({ "applied": false, "failureReason": "document has changed" })),
                refused(Some("document has changed")),
            ),
            (Ok(Value::Null), refused(None)),
            (
                Err(Error::invalid_params("require version 8, you have 9")),
                Answer::Failed {
                    reason: "require version 8, you have 9".into(),
                },
            ),
        ];
        for (result, answer) in table {
            assert_eq!(read_answer(result), answer);
        }
    }
}
