//! What bridges tell each other of files in the index's room.

use serde_json::Value;
use tutti_protocol::ids::DocumentId;

/// What somebody tells of a document's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Word {
    /// They have deleted it.
    Deleted,
    /// They have renamed it.
    Renamed,
    /// They had deleted it, and it is there again, since somebody had changed it meanwhile.
    Restored,
    /// They had changed it when somebody deleted it, and keep what they had.
    Kept,
    /// It cannot be written where they are: a directory stands there, or a file where its directory should be.
    Waits,
}

/// So many files are told of at a time under each of them: a state must not grow too long.
pub(super) const WORDS: usize = 40;

impl Word {
    pub(super) const ALL: [Self; 5] = [
        Self::Deleted,
        Self::Renamed,
        Self::Restored,
        Self::Kept,
        Self::Waits,
    ];

    /// The field of a state that has it.
    pub(super) fn field(self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::Renamed => "renamed",
            Self::Restored => "restored",
            Self::Kept => "kept",
            Self::Waits => "waits",
        }
    }

    /// All that a state holds.
    pub(super) fn read(state: &Value) -> Vec<(Self, DocumentId, u64)> {
        let mut words = Vec::new();
        for word in Self::ALL {
            let all = state[word.field()].as_object().into_iter().flatten();
            words.extend(all.filter_map(|(document, number)| {
                Some((word, document.parse().ok()?, number.as_u64()?))
            }));
        }
        words
    }
}
