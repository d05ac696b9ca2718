//! Questions about many documents at once, and their answers: see [`tutti_protocol::bulk`].
//!
//! Whatever is asked here may be asked again, and whatever is answered may be taken in twice.

use thiserror::Error;
use tutti_protocol::bulk::{self, Given, Have};
use tutti_protocol::codec::DecodeError;
use tutti_protocol::ids::DocumentId;

/// A question is sent off once it holds so much, in bytes.
const FULL_BYTES: usize = 2 * 1024 * 1024;
/// Or so many documents.
const FULL_DOCUMENTS: usize = 400;
/// A document over this goes by itself, over a room of its own.
const LARGE_BYTES: usize = 8 * 1024 * 1024;

/// A question that is being put together.
#[derive(Debug, Default)]
pub(crate) struct Question {
    documents: usize,
    body: Vec<u8>,
}

/// An answer that is none to the question.
#[derive(Debug, Error)]
pub(crate) enum BadAnswer {
    /// It cannot be read.
    #[error("the server's answer is damaged: {0}")]
    Damaged(#[from] DecodeError),
    /// It would never end.
    #[error("the server answers with nothing")]
    Empty,
    /// It is about other documents.
    #[error("the server answers another question")]
    Other,
}

/// Whether a stored document is too large for a question.
pub(crate) fn is_large(state: &[u8]) -> bool {
    state.len() > LARGE_BYTES
}

impl Question {
    /// Asks about one document more.
    pub(crate) fn ask(&mut self, document: &DocumentId, have: Have<'_>) {
        bulk::ask(&mut self.body, document, have);
        self.documents += 1;
    }

    /// Whether it is time to send it.
    pub(crate) fn is_full(&self) -> bool {
        self.documents >= FULL_DOCUMENTS || self.body.len() >= FULL_BYTES
    }

    /// How many documents more it takes.
    pub(crate) fn takes(&self) -> usize {
        match self.is_full() {
            true => 0,
            false => FULL_DOCUMENTS - self.documents,
        }
    }

    /// What is sent.
    pub(crate) fn into_body(self) -> Vec<u8> {
        self.body
    }
}

/// What the server gives of the documents that were asked about: of the first of them, at least one.
pub(crate) fn read_answer<'a, 'b>(
    answer: &'a [u8],
    asked: impl IntoIterator<Item = &'b DocumentId>,
) -> Result<Vec<Given<'a>>, BadAnswer> {
    let given = bulk::read_answer(answer)?;
    let mut asked = asked.into_iter();
    if given.is_empty() {
        return Err(BadAnswer::Empty);
    }
    match given.iter().all(|one| asked.next() == Some(&one.document)) {
        true => Ok(given),
        false => Err(BadAnswer::Other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_about_the_first_that_were_asked_about() {
        let [a, b]: [DocumentId; 2] = ["a", "b"].map(|id| id.parse().unwrap());
        let mut answer = Vec::new();
        assert!(matches!(
            read_answer(&answer, [&a, &b]),
            Err(BadAnswer::Empty)
        ));
        bulk::give(&mut answer, &a, b"");
        assert_eq!(read_answer(&answer, [&a, &b]).unwrap().len(), 1);
        assert!(matches!(
            read_answer(&answer, [&b, &a]),
            Err(BadAnswer::Other)
        ));
        bulk::give(&mut answer, &b, b"");
        assert_eq!(read_answer(&answer, [&a, &b]).unwrap().len(), 2);
        assert!(matches!(read_answer(&answer, [&a]), Err(BadAnswer::Other)));
        answer.pop();
        assert!(matches!(
            read_answer(&answer, [&a, &b]),
            Err(BadAnswer::Damaged(_))
        ));
    }
}
