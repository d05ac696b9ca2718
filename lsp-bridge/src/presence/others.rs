//! What others show of themselves.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;
use tutti_protocol::awareness;
use tutti_protocol::ids::DocumentId;
use yrs::{Doc, StickyIndex, Transact};

use super::{OUTDATED_MS, Word};

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
    /// In the index room: what they tell of files.
    words: Vec<(Word, DocumentId, u64)>,
    head: Option<StickyIndex>,
}

/// The longest name that is shown.
const NAME_CHARS: usize = 40;

impl Others {
    /// Takes in an awareness update, except what it says of `mine`, which servers send back as
    /// well; whether anyone's caret, or the name at it, has changed.
    pub(crate) fn take(&mut self, update: &[u8], mine: &HashSet<u64>, now_ms: u64) -> bool {
        let entries = match awareness::decode(update) {
            Ok(entries) => entries,
            Err(error) => {
                tracing::debug!(%error, "presence that is not understood");
                return false;
            }
        };
        let mut news = false;
        for entry in entries {
            if mine.contains(&entry.client) {
                continue;
            }
            let known = self.0.get(&entry.client);
            if known.is_some_and(|known| known.clock > entry.clock) {
                continue;
            }
            if entry.is_removal() {
                let gone = self.0.remove(&entry.client);
                news |= gone.is_some_and(|gone| gone.head.is_some());
                continue;
            }
            let Ok(state) = serde_json::from_str::<Value>(&entry.state) else {
                continue;
            };
            let other = Other::read(&state, entry.clock, now_ms);
            news |= match known {
                Some(known) => !known.shows_as(&other),
                None => other.head.is_some(),
            };
            self.0.insert(entry.client, other);
        }
        news
    }

    /// Forgets who has not been heard of; whether that takes a caret away.
    pub(crate) fn expire(&mut self, now_ms: u64) -> bool {
        let mut news = false;
        self.0.retain(|_, other| {
            let lives = other.seen_ms + OUTDATED_MS > now_ms;
            news |= !lives && other.head.is_some();
            lives
        });
        news
    }

    /// Whether anyone has shown a caret.
    pub(crate) fn any_caret(&self) -> bool {
        self.0.values().any(|other| other.head.is_some())
    }

    /// Whether someone's caret stands in text that is still on its way here.
    pub(crate) fn wait_for_text(&self, doc: &Doc) -> bool {
        self.iter()
            .any(|other| other.head.is_some() && other.caret(doc).is_none())
    }

    /// What they tell of files, with what tells one time from another.
    pub(crate) fn words(&self) -> impl Iterator<Item = (&Other, Word, &DocumentId, (u64, u64))> {
        self.0.iter().flat_map(|(client, other)| {
            let words = other.words.iter();
            words.map(move |(word, document, number)| (other, *word, document, (*client, *number)))
        })
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
            words: Word::read(state),
            head: serde_json::from_value(state["cursor"]["head"].clone()).ok(),
        }
    }

    /// Whether a hint at their caret is the same.
    fn shows_as(&self, other: &Self) -> bool {
        self.head == other.head && (self.head.is_none() || self.name == other.name)
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
        let nobody = HashSet::new();
        let mine = HashSet::from([7]);
        assert!(!others.take(&shown, &mine, 0), "oneself is not another");
        let empty = Replica::new(9);
        assert!(others.take(&shown, &nobody, 0));
        assert!(others.wait_for_text(empty.doc()));
        assert!(!others.wait_for_text(ours.doc()));
        assert!(
            !others.take(&ada.announce(&document).unwrap(), &nobody, 10),
            "nothing new"
        );
        let other = others.iter().next().unwrap();
        assert_eq!(other.name, "Ada[31m");
        assert_eq!(other.caret(ours.doc()), Some(14));
        ours.edit("> héllo 😀 world!");
        assert_eq!(other.caret(ours.doc()), Some(16), "it moves with the text");
        assert!(ada.caret_at(&document, theirs.doc(), 6));
        assert!(others.take(&ada.announce(&document).unwrap(), &nobody, 10));
        assert_eq!(others.iter().next().unwrap().caret(ours.doc()), Some(8));
        assert!(!others.expire(OUTDATED_MS));
        assert!(others.expire(OUTDATED_MS + 10));
    }

    #[test]
    fn who_shows_no_caret_changes_no_hint() {
        let document: DocumentId = "d".parse().unwrap();
        let (mut bob, nobody) = (Own::new("Bob"), HashSet::new());
        bob.enter(&document, 7);
        let mut others = Others::default();
        assert!(!others.take(&bob.announce(&document).unwrap(), &nobody, 0));
        assert!(!others.any_caret());
        assert_eq!(others.iter().count(), 1);
        assert!(!others.expire(OUTDATED_MS), "he has gone unseen");
        assert!(!others.take(&bob.announce(&document).unwrap(), &nobody, 0));
        assert!(!others.take(&bob.leave(&document).unwrap(), &nobody, 0));
        assert_eq!(others.iter().count(), 0);

        bob.enter(&document, 8);
        bob.typed(&document, &Replica::new(8).edit("a"));
        assert!(others.take(&bob.announce(&document).unwrap(), &nobody, 0));
        assert!(others.any_caret());
        assert!(others.take(&bob.leave(&document).unwrap(), &nobody, 0));
    }

    #[test]
    fn what_is_told_of_files_is_shown_for_a_while_and_each_time_anew() {
        let index = DocumentId::index();
        let document: DocumentId = "d".parse().unwrap();
        let (mut bob, nobody) = (Own::new("Bob"), HashSet::new());
        bob.enter(&index, 7);
        let mut others = Others::default();
        let mut seen = |bob: &mut Own| -> Vec<_> {
            others.take(&bob.announce(&index).unwrap(), &nobody, 0);
            let all = others.words();
            all.map(|(other, word, document, time)| {
                (other.name.clone(), word, document.clone(), time)
            })
            .collect()
        };
        assert_eq!(seen(&mut bob), []);
        let time = |word, number| ("Bob".to_owned(), word, document.clone(), (7, number));
        bob.tells(Word::Restored, &document, 1);
        assert_eq!(seen(&mut bob), [time(Word::Restored, 1)]);
        bob.renew();
        bob.tells(Word::Deleted, &document, 2);
        let both = [time(Word::Deleted, 2), time(Word::Restored, 1)];
        assert_eq!(seen(&mut bob), both);
        bob.renew();
        let late = [time(Word::Deleted, 2)];
        assert_eq!(seen(&mut bob), late, "who came late hears of it, too");
        bob.renew();
        assert_eq!(seen(&mut bob), []);
        for number in 3..1_000 {
            bob.tells(Word::Kept, &document, number);
        }
        assert!(bob.announce(&index).unwrap().len() < 16 << 10);
    }

    #[test]
    fn hostile_states_are_survived() {
        let mut others = Others::default();
        let nobody = HashSet::new();
        others.take(b"\xff\xff\xff\xff", &nobody, 0);
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
            others.take(&awareness::encode(&[entry]), &nobody, 0);
        }
        let replica = Replica::new(1);
        assert!(
            others
                .iter()
                .all(|other| other.caret(replica.doc()).is_none())
        );
    }
}
