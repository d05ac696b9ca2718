//! Sees every update at the moment when it is made, and who wrote how many of each letter.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use yrs::types::Delta;
use yrs::updates::decoder::Decode;
use yrs::{
    Assoc, ClientID, Doc, GetString, ID, IndexedSequence, Observable, OffsetKind, Options, ReadTxn,
    TextRef, Transact, Update,
};

/// A person, or nobody: the text was there before them.
pub(crate) type Author = Option<usize>;

/// As what Yjs client a person writes whose document has been opened so often.
pub(crate) fn client(person: usize, opening: u32) -> u64 {
    1_000 * person as u64 + 1_000 + u64::from(opening)
}

fn author(client: ClientID) -> Author {
    (client.get() / 1_000)
        .checked_sub(1)
        .map(|person| person as usize)
}

/// One part of what an update does to the text.
enum Part {
    Keeps(u32),
    Takes(u32),
    Puts(String),
}

/// See the module.
pub(crate) struct Witness {
    doc: Doc,
    text: TextRef,
    /// The text as it was before the last update, in UTF-16.
    units: Vec<u16>,
    parts: Arc<Mutex<Vec<Part>>>,
    balance: HashMap<(Author, char), isize>,
}

impl Witness {
    pub(crate) fn new(state: &[u8]) -> Self {
        let doc = new_doc(3);
        let text = doc.get_or_insert_text("content");
        let parts = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&parts);
        text.observe("witness", move |txn, event| {
            let part = |delta: &Delta| match delta {
                Delta::Retain(units, _) => Part::Keeps(*units),
                Delta::Deleted(units) => Part::Takes(*units),
                Delta::Inserted(text, _) => Part::Puts(text.clone().to_string(txn)),
            };
            let parts = event.delta(txn).iter().map(part);
            sink.lock().expect("no one panics").extend(parts);
        });
        let mut witness = Self {
            doc,
            text,
            units: Vec::new(),
            parts,
            balance: HashMap::new(),
        };
        witness.takes(state);
        witness
    }

    /// The engine of `person` has written this, as done by them: what they took out, and what they put
    /// in.
    pub(crate) fn sees(&mut self, person: usize, update: &[u8]) -> (String, String) {
        let (gone, new) = self.takes(update);
        for (letters, change) in [(&gone, -1), (&new, 1)] {
            for letter in letters.chars() {
                *self.balance.entry((Some(person), letter)).or_default() += change;
            }
        }
        (gone, new)
    }

    /// The same, at the person's word: what it took out, and what it put in.
    pub(crate) fn sees_undone(&mut self, update: &[u8]) -> (String, String) {
        self.takes(update)
    }

    /// What an update takes out of the text, and what it puts in.
    fn takes(&mut self, update: &[u8]) -> (String, String) {
        let update = Update::decode_v1(update).expect("an update");
        let mut txn = self.doc.transact_mut();
        txn.apply_update(update).expect("it fits");
        drop(txn);
        let (mut gone, mut new, mut at) = (Vec::new(), String::new(), 0);
        for part in self.parts.lock().expect("no one panics").drain(..) {
            match part {
                Part::Keeps(units) => at += units as usize,
                Part::Takes(units) => gone.extend(self.units.drain(at..at + units as usize)),
                Part::Puts(text) => {
                    self.units.splice(at..at, text.encode_utf16());
                    at += text.encode_utf16().count();
                    new.push_str(&text);
                }
            }
        }
        (String::from_utf16_lossy(&gone), new)
    }

    /// How often everyone's engine wrote each letter as typed by them, less how often it took it out.
    pub(crate) fn balance(&self, who: Author, letter: char) -> isize {
        self.balance
            .get(&(who, letter))
            .copied()
            .unwrap_or_default()
    }

    /// Everyone and every letter of which there is a balance.
    pub(crate) fn counted(&self) -> impl Iterator<Item = (Author, char)> {
        self.balance.keys().copied()
    }

    /// The text.
    pub(crate) fn text(&self) -> String {
        String::from_utf16_lossy(&self.units)
    }

    /// The letters of `state`, what an editor shows, that somebody has taken out of the text.
    pub(crate) fn gone_from(&self, state: &[u8]) -> String {
        let is_there: HashSet<ID> = letters_of(&self.doc, &self.text)
            .filter_map(|(id, _)| id)
            .collect();
        let doc = new_doc(4);
        let text = doc.get_or_insert_text("content");
        let update = Update::decode_v1(state).expect("a state");
        doc.transact_mut().apply_update(update).expect("it fits");
        let known = self.doc.transact().state_vector();
        let is_known = |id: &ID| id.clock < known.get(&id.client);
        let shown = letters_of(&doc, &text);
        let gone =
            shown.filter(|(id, _)| id.is_some_and(|id| is_known(&id) && !is_there.contains(&id)));
        gone.map(|(_, letter)| letter).collect()
    }

    /// The text, and who wrote each letter of it.
    pub(crate) fn authors(&self) -> Vec<(Author, char)> {
        let letters = letters_of(&self.doc, &self.text);
        letters
            .map(|(id, letter)| (id.and_then(|id| author(id.client)), letter))
            .collect()
    }
}

fn new_doc(client: u64) -> Doc {
    let mut options = Options::with_client_id(ClientID::new(client));
    options.offset_kind = OffsetKind::Utf16;
    Doc::with_options(options)
}

/// Each letter of a text with its name.
fn letters_of(doc: &Doc, text: &TextRef) -> impl Iterator<Item = (Option<ID>, char)> {
    let txn = doc.transact();
    let mut at = 0;
    let letters = text.get_string(&txn);
    let letters = letters.chars().map(|letter| {
        let place = text.sticky_index(&txn, at, Assoc::After);
        at += letter.len_utf16() as u32;
        (place.and_then(|place| place.id().copied()), letter)
    });
    letters.collect::<Vec<_>>().into_iter()
}
