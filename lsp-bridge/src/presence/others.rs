//! What others show of themselves.

use std::collections::BTreeMap;

use serde_json::Value;
use tutti_protocol::awareness;
use tutti_protocol::ids::DocumentId;
use yrs::{Doc, StickyIndex, Transact};

use super::OUTDATED_MS;

/// The others in one room, by client id.
#[derive(Debug, Default)]
pub(crate) struct Others(BTreeMap<u64, Other>);

/// Someone else.
#[derive(Debug)]
pub(crate) struct Other {
    clock: u64,
    seen_ms: u64,
    /// Their shown name.
    pub(crate) name: String,
    /// Their colour, as CSS has it.
    pub(crate) color: Option<String>,
    /// In the index room: the document that they look at.
    pub(crate) file: Option<DocumentId>,
    head: Option<StickyIndex>,
}

/// The longest name that is shown.
const NAME_CHARS: usize = 40;

impl Others {
    /// Takes in an awareness update, except what it says of `own`; whether anything shown has
    /// changed.
    pub(crate) fn take(&mut self, update: &[u8], own: Option<u64>, now_ms: u64) -> bool {
        let entries = match awareness::decode(update) {
            Ok(entries) => entries,
            Err(error) => {
                tracing::debug!(%error, "presence that is not understood");
                return false;
            }
        };
        let mut news = false;
        for entry in entries {
            if own == Some(entry.client) {
                continue;
            }
            let known = self.0.get(&entry.client);
            if known.is_some_and(|known| known.clock > entry.clock) {
                continue;
            }
            if entry.is_removal() {
                news |= self.0.remove(&entry.client).is_some();
                continue;
            }
            let Ok(state) = serde_json::from_str::<Value>(&entry.state) else {
                continue;
            };
            let other = Other::read(&state, entry.clock, now_ms);
            let same = |known: &Other| known.shows_as(&other);
            news |= !known.is_some_and(same);
            self.0.insert(entry.client, other);
        }
        news
    }

    /// Forgets who has not been heard of; whether there was anyone.
    pub(crate) fn expire(&mut self, now_ms: u64) -> bool {
        let before = self.0.len();
        self.0
            .retain(|_, other| other.seen_ms + OUTDATED_MS > now_ms);
        self.0.len() != before
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Other> {
        self.0.values()
    }
}

impl Other {
    fn read(state: &Value, clock: u64, seen_ms: u64) -> Self {
        let name = state["user"]["name"].as_str().unwrap_or_default();
        // Someone else chose it: one line, and not longer than a hint may be.
        let name: String = name
            .chars()
            .filter(|c| !c.is_control())
            .take(NAME_CHARS)
            .collect();
        Self {
            clock,
            seen_ms,
            name: if name.is_empty() {
                "someone".into()
            } else {
                name
            },
            color: state["user"]["color"].as_str().map(str::to_owned),
            file: state["file"].as_str().and_then(|file| file.parse().ok()),
            head: serde_json::from_value(state["cursor"]["head"].clone()).ok(),
        }
    }

    fn shows_as(&self, other: &Self) -> bool {
        self.name == other.name && self.file == other.file && self.head == other.head
    }

    /// Where their caret stands in the text, in UTF-16 units.
    pub(crate) fn caret(&self, doc: &Doc) -> Option<u32> {
        let head = self.head.as_ref()?;
        head.get_offset(&doc.transact()).map(|offset| offset.index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presence::Own;
    use tutti_engine::Replica;

    #[test]
    fn a_caret_is_found_where_it_was_typed() {
        let document: DocumentId = "d".parse().unwrap();
        let mut ada = Own::new("Ada\u{1b}[31m");
        ada.enter(&document, 7);
        let mut theirs = Replica::new(7);
        let update = theirs.edit("héllo 😀 world");
        ada.typed(&document, &update);
        let mut ours = Replica::new(8);
        ours.apply(&update).unwrap();
        let mut others = Others::default();
        let shown = ada.announce(&document).unwrap();
        assert!(!others.take(&shown, Some(7), 0), "oneself is not another");
        assert!(others.take(&shown, Some(8), 0));
        assert!(
            !others.take(&ada.announce(&document).unwrap(), None, 10),
            "nothing new"
        );
        let other = others.iter().next().unwrap();
        assert_eq!(other.name, "Ada[31m");
        assert_eq!(other.caret(ours.doc()), Some(14));
        ours.edit("> héllo 😀 world!");
        assert_eq!(other.caret(ours.doc()), Some(16), "it moves with the text");
        assert!(ada.caret_at(&document, theirs.doc(), 6));
        others.take(&ada.announce(&document).unwrap(), None, 10);
        assert_eq!(others.iter().next().unwrap().caret(ours.doc()), Some(8));
        assert!(!others.expire(OUTDATED_MS));
        assert!(others.expire(OUTDATED_MS + 10));
    }

    #[test]
    fn hostile_states_are_survived() {
        let mut others = Others::default();
        others.take(b"\xff\xff\xff\xff", None, 0);
        for state in [
            "",
            "3",
            "[]",
            "{\"user\":3,\"cursor\":{\"head\":{\"item\":\"x\"}}}",
        ] {
            let entry = awareness::AwarenessEntry {
                client: 1,
                clock: 1,
                state: state.into(),
            };
            others.take(&awareness::encode(&[entry]), None, 0);
        }
        let replica = Replica::new(1);
        assert!(
            others
                .iter()
                .all(|other| other.caret(replica.doc()).is_none())
        );
    }
}
