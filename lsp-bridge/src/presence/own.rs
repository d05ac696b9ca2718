//! What we show of ourselves.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tutti_protocol::awareness::{self, AwarenessEntry};
use tutti_protocol::ids::DocumentId;
use yrs::updates::decoder::Decode;
use yrs::{Assoc, ClientID, Doc, IndexedSequence, Transact, Update};

use super::word::{WORDS, Word};

/// Colours that can be told apart on light and dark ground, and carry white letters: those that the web
/// client gives people (`server/web/src/lib/person.ts`).
const COLORS: [&str; 10] = [
    "#d9480f", "#c2255c", "#9c36b5", "#5f3dc4", "#3b5bdb", "#1971c2", "#0c8599", "#087f5b",
    "#2b8a3e", "#a35200",
];
/// The opacity of `colorLight`, for selections.
const LIGHT: &str = "33";

/// This person, in each room that shows them.
pub(crate) struct Own {
    user: Value,
    rooms: BTreeMap<DocumentId, Shown>,
}

struct Shown {
    client: u64,
    clock: u64,
    /// Their caret, as relative position.
    caret: Option<Value>,
    /// In the index room: the document that they look at.
    file: Option<DocumentId>,
    /// In the index room: what they tell of files.
    words: Vec<(Word, DocumentId, u64)>,
    /// How many of these have been shown since the last renewal but one.
    shown_long: usize,
}

impl Own {
    pub(crate) fn new(name: &str) -> Self {
        let sum = name
            .bytes()
            .fold(0_usize, |sum, byte| sum * 31 % 65_537 + usize::from(byte));
        let color = COLORS[sum % COLORS.len()];
        Self {
            user: json!({ "name": name, "color": color, "colorLight": format!("{color}{LIGHT}") }),
            rooms: BTreeMap::new(),
        }
    }

    /// Shows the person in a room, under a client id that is theirs alone there.
    pub(crate) fn enter(&mut self, document: &DocumentId, client: u64) {
        let shown = self.rooms.entry(document.clone()).or_insert(Shown {
            client,
            clock: 0,
            caret: None,
            file: None,
            words: Vec::new(),
            shown_long: 0,
        });
        if shown.client != client {
            (shown.client, shown.clock, shown.caret) = (client, 0, None);
        }
    }

    /// Shows them no longer; the update that says so.
    pub(crate) fn leave(&mut self, document: &DocumentId) -> Option<Vec<u8>> {
        let shown = self.rooms.remove(document)?;
        Some(awareness::encode(&[AwarenessEntry {
            client: shown.client,
            clock: shown.clock + 1,
            state: "null".into(),
        }]))
    }

    /// The rooms that show them.
    pub(crate) fn rooms(&self) -> impl Iterator<Item = &DocumentId> {
        self.rooms.keys()
    }

    /// The update that shows them in a room, newer than all before.
    pub(crate) fn announce(&mut self, document: &DocumentId) -> Option<Vec<u8>> {
        let shown = self.rooms.get_mut(document)?;
        shown.clock += 1;
        let mut state = json!({ "user": self.user });
        if let Some(caret) = &shown.caret {
            state["cursor"] = json!({ "anchor": caret, "head": caret });
        }
        if let Some(file) = &shown.file {
            state["file"] = file.as_str().into();
        }
        for (word, document, number) in &shown.words {
            state[word.field()][document.as_str()] = (*number).into();
        }
        Some(awareness::encode(&[AwarenessEntry {
            client: shown.client,
            clock: shown.clock,
            state: state.to_string(),
        }]))
    }

    /// In the index room: the document that they look at now; whether that is news.
    pub(crate) fn looks_at(&mut self, file: Option<&DocumentId>) -> bool {
        match self.rooms.get_mut(&DocumentId::index()) {
            Some(shown) if shown.file.as_ref() != file => {
                shown.file = file.cloned();
                true
            }
            _ => false,
        }
    }

    /// They tell this of a document's file. `number` is another one each time.
    pub(crate) fn tells(&mut self, word: Word, document: &DocumentId, number: u64) {
        if let Some(shown) = self.rooms.get_mut(&DocumentId::index())
            && shown
                .words
                .iter()
                .filter(|(other, ..)| *other == word)
                .count()
                < WORDS
        {
            shown.words.push((word, document.clone(), number));
        }
    }

    /// All is about to be announced once more: who is there has heard by now what was shown the last time.
    pub(crate) fn renew(&mut self) {
        for shown in self.rooms.values_mut() {
            shown.words.drain(..shown.shown_long);
            shown.shown_long = shown.words.len();
        }
    }

    /// They typed what `update` holds: the caret stands behind the last character of it. An
    /// update that only deletes says nothing.
    pub(crate) fn typed(&mut self, document: &DocumentId, update: &[u8]) {
        let Some(shown) = self.rooms.get_mut(document) else {
            return;
        };
        let Ok(update) = Update::decode_v1(update) else {
            return;
        };
        // Not `Update::state_vector`: that knows only of updates that start at clock 0.
        let typed = update.insertions(true);
        let typed = typed.get(&ClientID::new(shown.client));
        let end = typed.and_then(|ranges| ranges.iter().map(|(range, _)| range.end).max());
        if let Some(last) = end.and_then(|end| end.checked_sub(1)) {
            let item = json!({ "client": shown.client, "clock": last });
            shown.caret = Some(json!({ "type": null, "tname": null, "item": item, "assoc": -1 }));
        }
    }

    /// Their caret stands at this place of the text, in UTF-16 units; whether that is news.
    pub(crate) fn caret_at(&mut self, document: &DocumentId, doc: &Doc, units: u32) -> bool {
        let Some(shown) = self.rooms.get_mut(document) else {
            return false;
        };
        let content = doc.get_or_insert_text("content");
        let place = content.sticky_index(&doc.transact(), units, Assoc::After);
        let caret = place.and_then(|place| serde_json::to_value(place).ok());
        let news = caret.is_some() && caret != shown.caret;
        if news {
            shown.caret = caret;
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tutti_engine::Replica;

    fn state(update: &[u8]) -> Value {
        serde_json::from_str(&awareness::decode(update).unwrap()[0].state).unwrap()
    }

    #[test]
    fn states_have_the_fields_of_y_codemirror() {
        let mut own = Own::new("Ada");
        let document: DocumentId = "d".parse().unwrap();
        assert!(own.announce(&document).is_none(), "not there, not shown");
        own.enter(&document, 7);
        let mut replica = Replica::new(7);
        let update = replica.edit("a😀b");
        own.typed(&document, &update);
        let shown = state(&own.announce(&document).unwrap());
        assert_eq!(shown["user"]["name"], "Ada");
        assert_eq!(
            shown["user"]["colorLight"].as_str().unwrap(),
            format!("{}33", shown["user"]["color"].as_str().unwrap())
        );
        // Four UTF-16 units, the last of which has the clock 3.
        assert_eq!(
            shown["cursor"]["head"]["item"],
            json!({ "client": 7, "clock": 3 })
        );
        let delete = replica.edit("a😀");
        own.typed(&document, &delete);
        assert_eq!(state(&own.announce(&document).unwrap()), shown);

        // Every later change moves it as well: one letter at a time, and a replacement.
        for (text, clock) in [("a😀c", 4), ("a😀cd", 5), ("xy😀cd", 7)] {
            let update = replica.edit(text);
            own.typed(&document, &update);
            let moved = state(&own.announce(&document).unwrap());
            assert_eq!(
                moved["cursor"]["head"]["item"],
                json!({ "client": 7, "clock": clock }),
                "{text}"
            );
        }

        assert!(own.caret_at(&document, replica.doc(), 2));
        assert!(!own.caret_at(&document, replica.doc(), 2));
        let moved = state(&own.announce(&document).unwrap());
        assert_eq!(
            moved["cursor"]["anchor"]["item"],
            json!({ "client": 7, "clock": 1 })
        );
        let gone = awareness::decode(&own.leave(&document).unwrap()).unwrap();
        assert!(gone[0].is_removal() && gone[0].clock == 7);
    }
}
