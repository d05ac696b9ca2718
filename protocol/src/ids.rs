//! Names of projects, documents and rooms.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The longest id, in characters.
pub const MAX_ID_LEN: usize = 64;

/// Why a name is no id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IdError {
    /// An id outside `[A-Za-z0-9_-]{1,64}`.
    #[error("an id has 1 to 64 characters out of A-Z, a-z, 0-9, _ and -")]
    InvalidId,
    /// A room's name that is not `PROJECT/DOCUMENT`.
    #[error(
        "a room is named PROJECT/DOCUMENT, each of 1 to 64 characters out of A-Z, a-z, 0-9, _ and -"
    )]
    InvalidRoom,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let allowed = |c: u8| c.is_ascii_alphanumeric() || c == b'_' || c == b'-';
                if text.is_empty() || text.len() > MAX_ID_LEN || !text.bytes().all(allowed) {
                    return Err(IdError::InvalidId);
                }
                Ok(Self(text.into()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

id! {
    /// A project's id, made by the server.
    ProjectId
}

id! {
    /// A document's id, made by the client that creates the document.
    DocumentId
}

impl DocumentId {
    /// The document that holds a project's index of files.
    pub fn index() -> Self {
        Self("index".into())
    }

    /// Whether this is the project's index.
    pub fn is_index(&self) -> bool {
        self.as_str() == "index"
    }
}

/// A room: one document of one project. Its text form is `PROJECT/DOCUMENT`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomName {
    /// The project.
    pub project: ProjectId,
    /// The document in it.
    pub document: DocumentId,
}

impl RoomName {
    /// Names the room of `document` in `project`.
    pub fn new(project: ProjectId, document: DocumentId) -> Self {
        Self { project, document }
    }
}

impl FromStr for RoomName {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let (project, document) = text.split_once('/').ok_or(IdError::InvalidRoom)?;
        Ok(Self {
            project: project.parse().map_err(|_| IdError::InvalidRoom)?,
            document: document.parse().map_err(|_| IdError::InvalidRoom)?,
        })
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.project, self.document)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms() {
        let room: RoomName = "pro_1/index".parse().unwrap();
        assert!(room.document.is_index());
        assert_eq!(room.to_string(), "pro_1/index");
        let long = "x".repeat(65);
        for bad in [
            "",
            "/",
            "a",
            "a/",
            "/a",
            "a/b/c",
            "a/ü",
            "a/..",
            "a/b c",
            "a\0/b",
            &format!("{long}/a"),
        ] {
            assert_eq!(
                bad.parse::<RoomName>(),
                Err(IdError::InvalidRoom),
                "{bad:?}"
            );
        }
    }
}
