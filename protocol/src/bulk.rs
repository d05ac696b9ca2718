//! Many documents in one exchange: the bodies of `POST /api/projects/{project}/exchange`.
//!
//! Ten thousand small files would cost ten thousand joined rooms. Here a client says of each
//! document what it has, and the server answers, in the same order, with what it lacks. Both
//! bodies are one zstd frame around lib0-encoded entries that follow each other to the end:
//!
//! ```text
//! question  { document: string, kind: 0, bytes }         what I have is this state vector
//!           { document: string, kind: 1, bytes }         take this state; I have it
//!           { document: string, kind: 2, bytes, bytes }  what I have is this state vector, with this
//!                                                        fingerprint; you may lack some of it
//! answer    { document: string, bytes }                  to 0 and 1 the update that is lacking; to 2 the
//!                                                        server's fingerprint and that update; empty:
//!                                                        nothing is lacking, to 2 on neither side
//! ```
//!
//! An answer may end early, with less than all documents but at least one; the rest is asked for
//! again. The states are the same that `/collab` serves, so whatever was exchanged here merges
//! with what is typed there, and may be sent twice.

use crate::codec::{DecodeError, Reader, Write};
use crate::fingerprint::Fingerprint;
use crate::ids::DocumentId;

/// The most bytes that either body may have before it is compressed.
pub const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;
/// The most documents in one question.
pub const MAX_DOCUMENTS: usize = 1_000;
/// The type of both bodies.
pub const CONTENT_TYPE: &str = "application/zstd";

/// What a client has of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Have<'a> {
    /// All up to this state vector; nothing that the server lacks. Empty bytes: nothing at all.
    Vector(&'a [u8]),
    /// This state, an update in v1 encoding, which the server may lack.
    State(&'a [u8]),
    /// What has this state vector and this fingerprint; the server may lack some of it.
    Contents(&'a [u8], Fingerprint),
}

/// What a server has that does not have just what was asked with [`Have::Contents`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Differing<'a> {
    /// The fingerprint of what it has. If that is not what the client has with the update, the server lacks something.
    pub fingerprint: Fingerprint,
    /// What the client lacks, an update in v1 encoding.
    pub update: &'a [u8],
}

impl<'a> Differing<'a> {
    /// Reads what was given in answer to [`Have::Contents`]; `None` where both have the same.
    pub fn read(given: &'a [u8]) -> Result<Option<Self>, DecodeError> {
        if given.is_empty() {
            return Ok(None);
        }
        let (fingerprint, update) = given
            .split_first_chunk()
            .ok_or(DecodeError::UnexpectedEnd)?;
        let fingerprint = *fingerprint;
        Ok(Some(Self {
            fingerprint,
            update,
        }))
    }

    /// What is given.
    pub fn write(&self) -> Vec<u8> {
        [&self.fingerprint[..], self.update].concat()
    }
}

/// One entry of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked<'a> {
    /// The document; never the index.
    pub document: DocumentId,
    /// What the client has of it.
    pub have: Have<'a>,
}

/// One entry of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given<'a> {
    /// The document.
    pub document: DocumentId,
    /// What the client lacks, an update in v1 encoding; in answer to [`Have::Contents`] as [`Differing`] has it. Empty
    /// for nothing.
    pub update: &'a [u8],
}

/// Appends an entry to a question.
pub fn ask(body: &mut Vec<u8>, document: &DocumentId, have: Have<'_>) {
    body.var_str(document.as_str());
    let (kind, bytes) = match have {
        Have::Vector(vector) => (0, vector),
        Have::State(state) => (1, state),
        Have::Contents(vector, _) => (2, vector),
    };
    body.var_uint(kind);
    body.var_bytes(bytes);
    if let Have::Contents(_, fingerprint) = have {
        body.var_bytes(&fingerprint);
    }
}

/// Appends an entry to an answer.
pub fn give(body: &mut Vec<u8>, document: &DocumentId, update: &[u8]) {
    body.var_str(document.as_str());
    body.var_bytes(update);
}

/// Reads a question.
pub fn read_question(body: &[u8]) -> Result<Vec<Asked<'_>>, DecodeError> {
    let mut reader = Reader::new(body);
    let mut asked = Vec::new();
    while !reader.is_empty() {
        let document = document(&mut reader)?;
        let have = match reader.var_uint()? {
            0 => Have::Vector(reader.var_bytes()?),
            1 => Have::State(reader.var_bytes()?),
            2 => {
                let vector = reader.var_bytes()?;
                let fingerprint = reader.var_bytes()?.try_into();
                let fingerprint = fingerprint.map_err(|_| DecodeError::UnexpectedEnd)?;
                Have::Contents(vector, fingerprint)
            }
            kind => return Err(DecodeError::UnknownType(kind)),
        };
        asked.push(Asked { document, have });
    }
    Ok(asked)
}

/// Reads an answer.
pub fn read_answer(body: &[u8]) -> Result<Vec<Given<'_>>, DecodeError> {
    let mut reader = Reader::new(body);
    let mut given = Vec::new();
    while !reader.is_empty() {
        let document = document(&mut reader)?;
        let update = reader.var_bytes()?;
        given.push(Given { document, update });
    }
    Ok(given)
}

fn document(reader: &mut Reader<'_>) -> Result<DocumentId, DecodeError> {
    reader
        .var_str()?
        .parse()
        .map_err(|_| DecodeError::NotADocument)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let (a, b): (DocumentId, DocumentId) = ("a".parse().unwrap(), "b".parse().unwrap());
        let mut body = Vec::new();
        ask(&mut body, &a, Have::Vector(b""));
        ask(&mut body, &b, Have::State(b"state"));
        let both = body.len();
        ask(&mut body, &a, Have::Contents(b"vector", [7; 16]));
        let expected = [
            Asked {
                document: a.clone(),
                have: Have::Vector(b""),
            },
            Asked {
                document: b.clone(),
                have: Have::State(b"state"),
            },
            Asked {
                document: a.clone(),
                have: Have::Contents(b"vector", [7; 16]),
            },
        ];
        assert_eq!(read_question(&body).unwrap(), expected);
        for end in 1..body.len() {
            // Cut anywhere but between two entries it is an error.
            assert!(
                end == 4 || end == both || read_question(&body[..end]).is_err(),
                "{end}"
            );
        }
        let mut body = Vec::new();
        give(&mut body, &a, b"update");
        let given = read_answer(&body).unwrap();
        assert_eq!((&given[0].document, given[0].update), (&a, &b"update"[..]));
        assert_eq!(read_answer(b"\x02..\x00"), Err(DecodeError::NotADocument));
    }

    #[test]
    fn who_has_something_else_says_what() {
        let differing = Differing {
            fingerprint: [9; 16],
            update: b"update",
        };
        assert_eq!(Differing::read(&differing.write()), Ok(Some(differing)));
        assert_eq!(Differing::read(b""), Ok(None));
        assert_eq!(Differing::read(&[9; 15]), Err(DecodeError::UnexpectedEnd));
    }
}
