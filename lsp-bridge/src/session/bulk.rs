//! Closed documents that are brought up to date without their rooms: at the start, and after each time without a
//! connection, the server is asked about hundreds of them at once.
//!
//! ```text
//! waiting ── Task::ToAsk ──► question ── Carrier::ask ──► answered ── Task::Answered ──► in step
//!                 │                         │                             │
//!                 └ needs a room            └ no answer                   └ something to be sent
//!                                           ▼
//!                       the line of those whose rooms are joined, see `catch_up`
//! ```
//!
//! It begins when the index was joined: who is in it hears of every document that changes from then on, and that
//! one's room is joined, whatever is answered here.

use std::collections::{BTreeSet, VecDeque};

use tutti_protocol::bulk::Have;
use tutti_protocol::ids::DocumentId;

use super::disk::{Given, Task};
use super::project::Project;
use crate::api::ApiError;
use crate::bulk::{Question, read_answer};
use crate::lsp::Severity;
use crate::mirror::{Answered, MirrorError, ToAsk};

/// So many are read by the mirror before it looks at what else it was given.
const READ_AT_ONCE: usize = 50;
/// So many are brought together with their files before it does.
const SETTLE_AT_ONCE: usize = 16;
/// And not many more bytes of them.
const SETTLE_BYTES: usize = 256 * 1024;
/// With so many answers at hand the next question waits.
const ENOUGH: usize = 100;

/// See the [module's documentation](self).
#[derive(Default)]
pub(super) struct Bulk {
    /// The index was joined on this connection, and no question has failed since.
    pub(super) works: bool,
    waiting: BTreeSet<DocumentId>,
    /// Those that are being asked about, and those whose answers lie here.
    under_way: BTreeSet<DocumentId>,
    /// The mirror is reading some of them.
    is_reading: bool,
    question: Question,
    /// What is in the question.
    asked: Vec<(DocumentId, ToAsk)>,
    /// The question that was sent, by its number.
    sent: Option<(u64, Vec<(DocumentId, ToAsk)>)>,
    last_number: u64,
    answered: VecDeque<Given>,
    /// How many the mirror is bringing together with their files.
    settling: usize,
}

impl Bulk {
    /// How many are not in step.
    pub(super) fn left(&self) -> usize {
        self.waiting.len() + self.under_way.len() + self.settling
    }

    /// Whether a document is still to be brought together with its file.
    pub(super) fn contains(&self, document: &DocumentId) -> bool {
        self.waiting.contains(document) || self.under_way.contains(document)
    }

    pub(super) fn push(&mut self, document: DocumentId) {
        if !self.under_way.contains(&document) {
            self.waiting.insert(document);
        }
    }

    /// A document goes another way.
    pub(super) fn cancel(&mut self, document: &DocumentId) {
        self.waiting.remove(document);
        self.under_way.remove(document);
    }

    /// There is no connection. The next one comes with all documents; whatever is answered to this one's questions
    /// is not waited for.
    pub(super) fn interrupt(&mut self) {
        self.works = false;
        self.waiting.append(&mut self.under_way);
        self.question = Question::default();
        self.asked.clear();
        self.answered.clear();
        self.sent = None;
    }

    /// All that wait, for another way.
    fn give_up(&mut self) -> BTreeSet<DocumentId> {
        self.interrupt();
        std::mem::take(&mut self.waiting)
    }
}

impl Project {
    /// Asks the next question, or puts it together, and has the mirror look at what was answered.
    pub(super) fn ask_in_bulk(&mut self) {
        self.settle_answered();
        let bulk = &mut self.bulk;
        let waits = bulk.is_reading || bulk.sent.is_some() || bulk.answered.len() >= ENOUGH;
        if waits || !bulk.works {
            return;
        }
        let mut documents = Vec::new();
        while documents.len() < bulk.question.takes().min(READ_AT_ONCE)
            && let Some(document) = bulk.waiting.pop_first()
        {
            bulk.under_way.insert(document.clone());
            documents.push(document);
        }
        if !documents.is_empty() {
            bulk.is_reading = true;
            self.disk.give(Task::ToAsk(documents));
        } else if !bulk.asked.is_empty() {
            bulk.last_number += 1;
            bulk.sent = Some((bulk.last_number, std::mem::take(&mut bulk.asked)));
            let question = std::mem::take(&mut bulk.question);
            self.carrier.ask(bulk.last_number, question);
        }
    }

    /// The mirror has told what the server is asked with; `None` for what needs a room.
    pub(super) fn put_questions(&mut self, to_ask: Vec<(DocumentId, Option<ToAsk>)>) {
        self.bulk.is_reading = false;
        for (document, to_ask) in to_ask {
            match to_ask {
                _ if !self.bulk.under_way.contains(&document) => {}
                Some(to_ask) => {
                    let have = Have::Contents(&to_ask.vector, to_ask.fingerprint);
                    self.bulk.question.ask(&document, have);
                    self.bulk.asked.push((document, to_ask));
                }
                None => self.enqueue_unless_looked_after(document),
            }
        }
        self.show_sync_progress();
    }

    /// The server has answered a question, or will not.
    pub(super) fn bulk_answered(&mut self, number: u64, answer: Result<Vec<u8>, ApiError>) {
        let sent = self.bulk.sent.take_if(|(sent, _)| *sent == number);
        let Some((_, asked)) = sent else {
            return;
        };
        let mut asked = asked.into_iter();
        let error = match answer {
            Ok(answer) => match read_answer(&answer, asked.as_slice().iter().map(|(id, _)| id)) {
                Ok(given) => {
                    let given = given.into_iter().zip(asked.by_ref());
                    let given = given.map(|(given, (document, asked))| Given {
                        document,
                        asked,
                        given: given.update.to_vec(),
                    });
                    self.bulk.answered.extend(given);
                    None
                }
                Err(error) => Some(error.to_string()),
            },
            // The server answers whatever comes before the damaged one.
            Err(ApiError::Damaged(_)) => {
                if let Some((document, _)) = asked.next() {
                    self.enqueue_unless_looked_after(document);
                }
                None
            }
            Err(error) => Some(error.to_string()),
        };
        // What the answer had no room for.
        for (document, _) in asked {
            if self.bulk.under_way.remove(&document) {
                self.bulk.waiting.insert(document);
            }
        }
        if let Some(error) = error {
            tracing::info!(error, "documents are not asked about many at once");
            for document in self.bulk.give_up() {
                self.enqueue_unless_looked_after(document);
            }
        }
    }

    /// Has the mirror bring some of those together with their files whose answers are there.
    fn settle_answered(&mut self) {
        let before = self.bulk.left();
        let mut given = Vec::new();
        let mut bytes = 0;
        while self.bulk.settling == 0
            && given.len() < SETTLE_AT_ONCE
            && bytes < SETTLE_BYTES
            && let Some(one) = self.bulk.answered.pop_front()
        {
            // Another way was found meanwhile, or an editor has opened it.
            let is_due = self.bulk.under_way.remove(&one.document);
            if is_due && !self.is_looked_after(&one.document) {
                bytes += one.given.len();
                given.push(one);
            }
        }
        if !given.is_empty() {
            self.bulk.settling = given.len();
            self.disk.give(Task::Answered(given));
        }
        if self.bulk.left() != before {
            self.show_sync_progress();
        }
    }

    /// The mirror has brought documents and files together; `None` for what needs a room.
    pub(super) fn settled_in_bulk(
        &mut self,
        answered: Vec<(DocumentId, Result<Option<Answered>, MirrorError>)>,
    ) {
        self.bulk.settling = 0;
        for (document, answered) in answered {
            let answered = match answered {
                Ok(Some(answered)) => answered,
                Ok(None) => {
                    self.enqueue_unless_looked_after(document);
                    continue;
                }
                Err(error) => {
                    self.tell_once(Severity::Warning, &error.to_string());
                    continue;
                }
            };
            if let Some(state) = answered.overwritten {
                self.remember_overwritten(document.clone(), state);
            }
            if let Some(update) = answered.settled.update {
                // Its replica was read before that was stored.
                match self.rooms.contains_key(&document) {
                    true => self.changed_on_disk(&document, update),
                    false => {
                        self.note_written(&document);
                        self.enqueue_unless_looked_after(document);
                    }
                }
            }
            self.mirror_effects(answered.settled.effects);
        }
        self.show_sync_progress();
    }

    fn enqueue_unless_looked_after(&mut self, document: DocumentId) {
        self.bulk.cancel(&document);
        if !self.is_looked_after(&document) {
            self.enqueue(document);
        }
    }

    /// Whether the document's room is joined, or about to be.
    fn is_looked_after(&self, document: &DocumentId) -> bool {
        self.rooms.contains_key(document) || self.loading.contains(document)
    }
}
