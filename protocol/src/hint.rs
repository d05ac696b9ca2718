//! Texts that the server sends beside the documents, as stock Stateless messages.

use serde::{Deserialize, Serialize};

use crate::ids::DocumentId;

/// A server's remark. Clients ignore what they do not understand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hint {
    /// In a project's index room: these other documents have changed. So a client can follow
    /// documents whose rooms it has not joined.
    Changed(Vec<DocumentId>),
}

impl Hint {
    /// The text of the Stateless message, such as `{"changed":["a1"]}`.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("ids are plain strings")
    }

    /// Reads a Stateless message; `None` for a text that is no hint.
    pub fn from_json(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_form() {
        let hint = Hint::Changed(vec!["a1".parse().unwrap()]);
        assert_eq!(hint.to_json(), r#"{"changed":["a1"]}"#);
        assert_eq!(Hint::from_json(&hint.to_json()), Some(hint));
        assert_eq!(Hint::from_json("hello"), None);
    }
}
