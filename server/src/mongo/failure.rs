//! What went wrong, in words for the person who runs the server.

use std::collections::HashSet;

use mongodb::error::{Error, ErrorKind, WriteFailure};

use crate::auth::DirectoryError;
use crate::store::StoreError;

/// MongoDB's numbers for what is told apart here.
mod code {
    pub(super) const UNAUTHORIZED: i32 = 13;
    pub(super) const AUTHENTICATION_FAILED: i32 = 18;
    pub(super) const DUPLICATE_KEY: i32 = 11_000;
    pub(super) const OUT_OF_DISK_SPACE: i32 = 14_031;
}

/// Why an operation gave no answer, or not the one that was hoped for.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Failure {
    /// No space is left on the database's disk.
    #[error("the database's disk is full: {0}")]
    Full(String),
    /// What the URI asks for cannot be done.
    #[error("{0}")]
    BadUri(String),
    /// The database does not let us.
    #[error("the database refuses: {0}")]
    Refused(String),
    /// It is not the one that this node started with.
    #[error(
        "this is another database than the one that this node started with, or an empty one in its place: bring that one back (stop all nodes first if it is a copy), or start this node anew to go on with what is there now"
    )]
    Replaced,
    /// It does not answer, or with an error that may pass.
    #[error("{0}")]
    Unavailable(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        tracing::debug!(%error, "in the driver's words");
        let text = words(&error);
        match number(&error) {
            Some(code::OUT_OF_DISK_SPACE) => Self::Full(text),
            Some(code::UNAUTHORIZED | code::AUTHENTICATION_FAILED) => Self::Refused(text),
            _ => match *error.kind {
                ErrorKind::Authentication { .. } => Self::Refused(text),
                ErrorKind::InvalidTlsConfig { .. } | ErrorKind::InvalidArgument { .. } => {
                    Self::BadUri(text)
                }
                _ => Self::Unavailable(text),
            },
        }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Full(text) => Self::Full(text),
            Failure::Unavailable(text) if text == SILENT => Self::Silent,
            other => Self::Unavailable(other.to_string()),
        }
    }
}

impl From<Failure> for DirectoryError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Full(_) => Self::Full,
            other => Self::Failed(other.to_string()),
        }
    }
}

/// Whether a write failed because what it inserts is there already.
pub(crate) fn is_duplicate(error: &Error) -> bool {
    number(error) == Some(code::DUPLICATE_KEY)
}

/// The same of one write, or of all that an `insert_many` did not insert.
pub(super) fn is_there_already(error: &Error) -> bool {
    is_duplicate(error) || not_inserted(error).is_some_and(|failed| failed.is_empty())
}

/// What an `insert_many` could not insert: its places in the list, without those that were there
/// already. `None` when nothing is known of any of them.
pub(crate) fn not_inserted(error: &Error) -> Option<HashSet<usize>> {
    match &*error.kind {
        ErrorKind::InsertMany(many) if many.write_concern_error.is_none() => {
            let writes = many.write_errors.iter().flatten();
            let failed = writes.filter(|write| write.code != code::DUPLICATE_KEY);
            Some(failed.map(|write| write.index).collect())
        }
        _ => None,
    }
}

fn number(error: &Error) -> Option<i32> {
    match &*error.kind {
        ErrorKind::Command(command) => Some(command.code),
        ErrorKind::Write(WriteFailure::WriteError(write)) => Some(write.code),
        ErrorKind::Write(WriteFailure::WriteConcernError(concern)) => Some(concern.code),
        ErrorKind::InsertMany(many) => {
            let writes = many.write_errors.iter().flatten();
            let first = writes
                .map(|write| write.code)
                .find(|&code| code != code::DUPLICATE_KEY);
            first.or(many
                .write_concern_error
                .as_ref()
                .map(|concern| concern.code))
        }
        _ => None,
    }
}

/// One line without the driver's inner names.
fn words(error: &Error) -> String {
    let text = match &*error.kind {
        // Of a server that says something wrong the driver names the error.
        ErrorKind::ServerSelection { message, .. } if !message.contains("Error: ") && !message.contains(NO_PRIMARY) => {
            SILENT.to_owned()
        }
        ErrorKind::ServerSelection { message, .. } => unreachable_words(message),
        ErrorKind::ConnectionPoolCleared { message, .. } => unreachable_words(message),
        ErrorKind::Io(error) => unreachable_words(&error.to_string()),
        ErrorKind::DnsResolve { .. } => {
            "its host name is not known; mongodb+srv:// needs SRV records, a single host is mongodb://".to_owned()
        }
        ErrorKind::InvalidArgument { message, .. } => message.clone(),
        ErrorKind::InvalidTlsConfig { message, .. } => {
            let text = message.replace("I/O error: ", "");
            let number = text.rfind(" (os error");
            text[..number.unwrap_or(text.len())].to_owned()
        }
        ErrorKind::Command(command) => command.message.clone(),
        ErrorKind::Write(WriteFailure::WriteError(write)) => write.message.clone(),
        ErrorKind::Write(WriteFailure::WriteConcernError(concern)) => concern.message.clone(),
        ErrorKind::InsertMany(many) => {
            let writes = many.write_errors.iter().flatten();
            let first = writes
                .filter(|write| write.code != code::DUPLICATE_KEY)
                .map(|write| write.message.clone())
                .next();
            let concern = many.write_concern_error.as_ref();
            first
                .or(concern.map(|concern| concern.message.clone()))
                .unwrap_or_else(|| "it did not take everything".to_owned())
        }
        other => other.to_string(),
    };
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What is said of a server that ends every connection, or all at once.
pub(super) const HANGS_UP: &str = "the connection to it breaks off";

/// What is said of a server that takes callers in and says nothing.
pub(super) const SILENT: &str = "it does not answer";

/// The driver's name for a replica set without a primary.
const NO_PRIMARY: &str = "ReplicaSetNoPrimary";

/// The driver describes all that it knows about every server; what keeps us from it is enough.
fn unreachable_words(message: &str) -> String {
    for (known, said) in [
        ("Connection refused", "nothing listens at its address"),
        ("failed to lookup address", "its host name is not known"),
        ("timed out", SILENT),
        (
            "Authentication failed",
            "it does not accept the user's name or password",
        ),
        ("invalid peer certificate", "its certificate is not trusted"),
        ("Connection reset", HANGS_UP),
        ("unexpected end of file", HANGS_UP),
        ("Broken pipe", HANGS_UP),
        (
            NO_PRIMARY,
            "no primary is elected, or its replica set has another name than replicaSet in the URI",
        ),
    ] {
        if message.contains(known) {
            return said.to_owned();
        }
    }
    "it does not answer as a MongoDB server; compare the hosts and tls in the URI with its own settings".to_owned()
}
