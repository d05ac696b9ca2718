//! What the editor was asked on behalf of documents, and what its answers are for the engine.

use std::collections::HashMap;

use serde_json::Value;
use tower_lsp::jsonrpc::{Id, Result as RpcResult};
use tutti_engine::{Answer, EditId, Event};
use tutti_protocol::ids::DocumentId;

/// The questions without an answer yet.
#[derive(Debug, Default)]
pub(super) struct Asked {
    questions: HashMap<Id, (DocumentId, Question)>,
}

#[derive(Debug)]
enum Question {
    /// To take an edit in.
    Edit(EditId),
    /// To report what was typed.
    Flush,
}

impl Asked {
    /// It was asked to take an edit in.
    pub(super) fn edit(&mut self, id: Id, document: DocumentId, edit: EditId) {
        self.questions.insert(id, (document, Question::Edit(edit)));
    }

    /// It was asked to report what was typed.
    pub(super) fn flush(&mut self, id: Id, document: DocumentId) {
        self.questions.insert(id, (document, Question::Flush));
    }

    /// An answer: for which document, and what it means there.
    pub(super) fn answered(
        &mut self,
        id: &Id,
        result: RpcResult<Value>,
    ) -> Option<(DocumentId, Event)> {
        let (document, question) = self.questions.remove(id)?;
        let event = match question {
            Question::Edit(edit) => Event::Answered {
                edit,
                answer: read_answer(result),
            },
            // The answer comes behind the reports. An error counts, too: nothing more will come.
            Question::Flush => Event::Flushed,
        };
        Some((document, event))
    }

    /// The document is gone: a late answer must not be taken for one to the next document that is
    /// opened under its name.
    pub(super) fn forget(&mut self, document: &DocumentId) {
        self.questions.retain(|_, (asked, _)| asked != document);
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use tower_lsp::jsonrpc::Error;

    fn document(name: &str) -> DocumentId {
        name.parse().unwrap()
    }

    #[test]
    fn answers_to_edits() {
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
        for (result, expected) in table {
            let mut asked = Asked::default();
            asked.edit(Id::Number(1), document("a"), EditId(4));
            let Some((to, Event::Answered { edit, answer })) =
                asked.answered(&Id::Number(1), result)
            else {
                panic!("an answer to an edit");
            };
            assert_eq!((to, edit, answer), (document("a"), EditId(4), expected));
        }
    }

    #[test]
    fn any_answer_ends_a_flush_and_only_its_own() {
        for result in [Ok(Value::Null), Err(Error::method_not_found())] {
            let mut asked = Asked::default();
            asked.flush(Id::Number(1), document("a"));
            asked.flush(Id::Number(2), document("b"));
            let flushed = asked.answered(&Id::Number(2), result.clone());
            assert!(matches!(flushed, Some((to, Event::Flushed)) if to == document("b")));
            assert!(asked.answered(&Id::Number(2), result).is_none(), "once");
        }
    }

    #[test]
    fn what_was_asked_for_a_document_that_is_gone_is_not_answered() {
        let mut asked = Asked::default();
        asked.flush(Id::Number(1), document("a"));
        asked.edit(Id::Number(2), document("a"), EditId(1));
        asked.flush(Id::Number(3), document("b"));
        asked.forget(&document("a"));
        let mut answered = |n| asked.answered(&Id::Number(n), Ok(Value::Null)).is_some();
        assert_eq!([1, 2, 3].map(&mut answered), [false, false, true]);
    }
}
