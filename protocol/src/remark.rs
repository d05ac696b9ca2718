//! What the server says of saving, as a stock Stateless message of a room.

use serde::{Deserialize, Serialize};

/// A room cannot be saved, or can again. Sent when it changes, and to those who come while it cannot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Wire", into = "Wire")]
pub enum Remark {
    /// What is acknowledged from now on is stored again.
    Saved,
    /// Nothing is stored for now, and it is tried on and on.
    NotSaved {
        /// Why, as part of a sentence; perhaps empty.
        reason: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Wire {
    saved: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl From<Wire> for Remark {
    fn from(wire: Wire) -> Self {
        match wire.saved {
            true => Self::Saved,
            false => Self::NotSaved {
                reason: wire.reason.unwrap_or_default(),
            },
        }
    }
}

impl From<Remark> for Wire {
    fn from(remark: Remark) -> Self {
        match remark {
            Remark::Saved => Self {
                saved: true,
                reason: None,
            },
            Remark::NotSaved { reason } => Self {
                saved: false,
                reason: Some(reason),
            },
        }
    }
}

impl Remark {
    /// The text of the Stateless message, such as `{"saved":false,"reason":"the disk is full"}`.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a flag and a text")
    }

    /// Reads a Stateless message; `None` for a text that is no remark of saving.
    pub fn from_json(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_form() {
        let full = Remark::NotSaved {
            reason: "the disk is full".to_owned(),
        };
        assert_eq!(
            full.to_json(),
            r#"{"saved":false,"reason":"the disk is full"}"#
        );
        assert_eq!(Remark::Saved.to_json(), r#"{"saved":true}"#);
        for remark in [full, Remark::Saved] {
            assert_eq!(Remark::from_json(&remark.to_json()), Some(remark));
        }
        let unexplained = Remark::NotSaved {
            reason: String::new(),
        };
        assert_eq!(Remark::from_json(r#"{"saved":false}"#), Some(unexplained));
        assert_eq!(Remark::from_json(r#"{"changed":["a1"]}"#), None);
    }
}
