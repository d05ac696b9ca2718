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
    Flush {
        /// Whether it has asked for the document's tokens since, which it does behind its reports.
        asks: bool,
    },
}

impl Asked {
    /// It was asked to take an edit in.
    pub(super) fn edit(&mut self, id: Id, document: DocumentId, edit: EditId) {
        self.questions.insert(id, (document, Question::Edit(edit)));
    }

    /// It was asked to report what was typed.
    pub(super) fn flush(&mut self, id: Id, document: DocumentId) {
        self.questions
            .insert(id, (document, Question::Flush { asks: false }));
    }

    /// The editor asks for a document's tokens.
    pub(super) fn asks_for_tokens(&mut self, document: &DocumentId) {
        for (asked, question) in self.questions.values_mut() {
            if let (Question::Flush { asks }, true) = (question, asked == document) {
                *asks = true;
            }
        }
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
            // The answer comes behind the reports, if it does not come alone: the buffer is hidden
            // then, or the person wants no tokens.
            Question::Flush { asks } => Event::Flushed { is_sure: asks },
        };
        Some((document, event))
    }

    /// The document is closed: a late report must not be taken for one of the next document that is
    /// opened under its name. Edits are waited for: they may reach that document, whose engine knows
    /// them by their names.
    pub(super) fn forget(&mut self, document: &DocumentId) {
        let is_flush = |question: &Question| matches!(question, Question::Flush { .. });
        self.questions
            .retain(|_, (asked, question)| asked != document || !is_flush(question));
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
    fn an_answer_ends_a_flush_and_is_sure_behind_a_request() {
        for (result, asks) in [
            (Ok(Value::Null), true),
            (Ok(Value::Null), false),
            (Err(Error::method_not_found()), false),
        ] {
            let mut asked = Asked::default();
            asked.flush(Id::Number(1), document("a"));
            asked.flush(Id::Number(2), document("b"));
            if asks {
                asked.asks_for_tokens(&document("b"));
            }
            let flushed = asked.answered(&Id::Number(2), result.clone());
            assert!(matches!(
                flushed,
                Some((to, Event::Flushed { is_sure })) if to == document("b") && is_sure == asks
            ));
            assert!(asked.answered(&Id::Number(2), result).is_none(), "once");
        }
    }

    #[test]
    fn of_a_document_that_is_gone_only_edits_are_waited_for() {
        let mut asked = Asked::default();
        asked.flush(Id::Number(1), document("a"));
        asked.edit(Id::Number(2), document("a"), EditId(1));
        asked.flush(Id::Number(3), document("b"));
        asked.forget(&document("a"));
        let mut answered = |n| asked.answered(&Id::Number(n), Ok(Value::Null)).is_some();
        assert_eq!([1, 2, 3].map(&mut answered), [false, true, true]);
    }
}
