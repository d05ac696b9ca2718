//! Bringing thousands of documents up to date with the server in a few dozen requests.
//!
//! Two requests are under way at a time: while the server works on the one, the next is put
//! together here. Each is complete by itself, so whatever ends this, the same command goes on
//! behind the last answer.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::task::JoinHandle;
use tutti_protocol::bulk::Have;
use tutti_protocol::ids::{DocumentId, ProjectId};

use crate::api::{Api, ApiError};
use crate::bulk::{Question, is_large, read_answer};
use crate::mirror::Stored;

/// Requests under way.
const AT_ONCE: usize = 2;
/// A server that does not come back in this time is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// Nor does one request take longer, over a slow line.
const LONGEST: Duration = Duration::from_secs(300);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(500);

/// Where documents come from and go to.
pub(super) trait Documents {
    /// A document as it is stored here.
    fn stored(&mut self, document: &DocumentId) -> anyhow::Result<Option<Stored>>;
    /// The server has all that was stored, and `update` is what was lacking here; empty for
    /// nothing.
    fn exchanged(
        &mut self,
        document: &DocumentId,
        stored: Option<Stored>,
        update: &[u8],
    ) -> anyhow::Result<()>;
    /// What the server has of it is damaged: it stays as it is here.
    fn damaged(&mut self, document: &DocumentId);
}

/// A way to a project's documents in bulk.
pub(super) struct Bulk {
    api: Arc<Api>,
    project: ProjectId,
}

/// One request: what it asks, and the answer to come.
struct Request {
    documents: Vec<(DocumentId, Option<Stored>)>,
    answer: JoinHandle<Result<Vec<u8>, ApiError>>,
}

impl Bulk {
    pub(super) fn new(api: Api, project: ProjectId) -> Self {
        Self {
            api: Arc::new(api),
            project,
        }
    }

    /// Brings these documents up to date on both sides. Returns those that need a room: very
    /// large ones, and all of them where the server is too old for this.
    pub(super) async fn run(
        &self,
        documents: impl IntoIterator<Item = DocumentId>,
        store: &mut impl Documents,
    ) -> anyhow::Result<Vec<DocumentId>> {
        let mut waiting: VecDeque<DocumentId> = documents.into_iter().collect();
        let mut under_way: VecDeque<Request> = VecDeque::new();
        let mut need_a_room = Vec::new();
        loop {
            while under_way.len() < AT_ONCE
                && let Some(request) = self.request(&mut waiting, &mut need_a_room, store)?
            {
                under_way.push_back(request);
            }
            let Some(request) = under_way.pop_front() else {
                return Ok(need_a_room);
            };
            let answer = match request.answer.await.context("a request was cut off")? {
                Err(ApiError::NotFound(_)) => {
                    let asked = under_way.into_iter().flat_map(|one| one.documents);
                    let all = request.documents.into_iter().chain(asked);
                    need_a_room.extend(all.map(|(document, _)| document));
                    need_a_room.extend(waiting);
                    return Ok(need_a_room);
                }
                // The server answers whatever comes before the damaged one.
                Err(ApiError::Damaged(_)) => {
                    let mut asked = request.documents.into_iter();
                    if let Some((document, _)) = asked.next() {
                        store.damaged(&document);
                    }
                    for (document, _) in asked.rev() {
                        waiting.push_front(document);
                    }
                    continue;
                }
                answer => answer?,
            };
            let given = read_answer(&answer, request.documents.iter().map(|(id, _)| id))?;
            let mut asked = request.documents.into_iter();
            for (given, (document, stored)) in given.iter().zip(asked.by_ref()) {
                store.exchanged(&document, stored, given.update)?;
            }
            // What the answer had no room for.
            for (document, _) in asked.rev() {
                waiting.push_front(document);
            }
        }
    }

    /// The next request, sent off; `None` if nothing waits.
    fn request(
        &self,
        waiting: &mut VecDeque<DocumentId>,
        need_a_room: &mut Vec<DocumentId>,
        store: &mut impl Documents,
    ) -> anyhow::Result<Option<Request>> {
        let mut documents = Vec::new();
        let mut question = Question::default();
        while !question.is_full()
            && let Some(document) = waiting.pop_front()
        {
            let stored = store.stored(&document)?;
            match &stored {
                Some(stored) if is_large(&stored.state) => {
                    need_a_room.push(document);
                    continue;
                }
                Some(stored) if stored.unsaved => {
                    question.ask(&document, Have::State(&stored.state));
                }
                Some(stored) => {
                    let vector = yrs::encode_state_vector_from_update_v1(&stored.state)
                        .context("a stored document is damaged")?;
                    question.ask(&document, Have::Vector(&vector));
                }
                None => question.ask(&document, Have::Vector(&[])),
            }
            documents.push((document, stored));
        }
        if documents.is_empty() {
            return Ok(None);
        }
        let (api, project) = (self.api.clone(), self.project.clone());
        let question = question.into_body();
        let answer = tokio::task::spawn_blocking(move || send(&api, &project, &question));
        Ok(Some(Request { documents, answer }))
    }
}

/// Sends a question until it is answered: to ask twice does no harm.
fn send(api: &Api, project: &ProjectId, question: &[u8]) -> Result<Vec<u8>, ApiError> {
    let since = Instant::now();
    loop {
        match api.exchange(project, question, LONGEST) {
            Err(ApiError::NoServer { .. } | ApiError::Failed(_)) if since.elapsed() < PATIENCE => {
                std::thread::sleep(PAUSE);
            }
            answer => return answer,
        }
    }
}
