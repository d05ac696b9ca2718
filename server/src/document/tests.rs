use std::collections::HashSet;

use yrs::{GetString, Text};

use super::*;
use crate::store::{EntryId, LogEntry};

struct Author(Doc);

impl Author {
    fn new(client: u64) -> Self {
        Self(new_doc(client))
    }

    fn type_at(&self, at: u32, text: &str) -> Bytes {
        let content = self.0.get_or_insert_text("content");
        let mut txn = self.0.transact_mut();
        content.insert(&mut txn, at, text);
        txn.encode_update_v1().into()
    }

    fn hear(&self, update: &[u8]) {
        let update = Update::decode_v1(update).unwrap();
        self.0.transact_mut().apply_update(update).unwrap();
    }

    fn text(&self) -> String {
        text_of(&self.0)
    }
}

fn text_of(doc: &Doc) -> String {
    let content = doc.get_or_insert_text("content");
    content.get_string(&doc.transact())
}

#[test]
fn an_edit_is_handed_on_as_it_came_and_a_repeated_one_not_at_all() {
    let ada = Author::new(1);
    let update = ada.type_at(0, "hi");
    let mut document = Document::default();
    let change = document.apply(&update, Wanted::AsSent).unwrap();
    assert_eq!(change.integrated.as_ref(), Some(&update));
    assert_eq!(
        document.apply(&update, Wanted::AsSent).unwrap(),
        Change::default()
    );
    assert_eq!(text_of(document.doc()), "hi");
}

#[test]
fn of_a_whole_state_only_the_news_are_handed_on() {
    let ada = Author::new(1);
    let mut document = Document::default();
    document
        .apply(&ada.type_at(0, &"x".repeat(1000)), Wanted::AsSent)
        .unwrap();
    ada.type_at(1000, "new");
    let state: Bytes = ada
        .0
        .transact()
        .encode_diff_v1(&StateVector::default())
        .into();
    let change = document.apply(&state, Wanted::OnlyNew).unwrap();
    assert!(change.integrated.unwrap().len() < 50);
    assert_eq!(text_of(document.doc()), ada.text());
}

#[test]
fn what_lacks_its_predecessors_is_held_and_never_served() {
    let ada = Author::new(1);
    let updates: Vec<Bytes> = ["one ", "two ", "three"]
        .iter()
        .map(|word| ada.type_at(ada.text().len() as u32, word))
        .collect();
    let mut document = Document::default();
    let reader = Author::new(2);
    for index in [2, 1] {
        let change = document.apply(&updates[index], Wanted::AsSent).unwrap();
        assert_eq!(
            change,
            Change {
                held: true,
                ..Change::default()
            }
        );
        assert_eq!(document.diff(&StateVector::default()), crate::update::EMPTY);
        assert_eq!(document.state_vector(), [0]);
    }
    assert!(document.held_bytes() > 0);
    // The first brings all three, in one update for the others.
    let change = document.apply(&updates[0], Wanted::AsSent).unwrap();
    reader.hear(&change.integrated.unwrap());
    assert_eq!(reader.text(), "one two three");
    assert_eq!(document.held_bytes(), 0);
}

#[test]
fn held_updates_survive_in_any_order_of_the_log() {
    let ada = Author::new(1);
    let updates: Vec<Bytes> = (0..20).map(|n| ada.type_at(n, "x")).collect();
    let mut rng = fastrand::Rng::with_seed(3);
    for _ in 0..20 {
        let mut order: Vec<usize> = (0..updates.len()).collect();
        rng.shuffle(&mut order);
        let stored = StoredDocument {
            generation: 0,
            snapshot: None,
            log: order
                .iter()
                .map(|&n| LogEntry {
                    id: EntryId(n as u128),
                    update: updates[n].clone(),
                })
                .collect(),
        };
        let document = Document::from_stored(&stored).unwrap();
        assert_eq!(text_of(document.doc()), ada.text(), "{order:?}");
        assert_eq!(document.held_bytes(), 0);
    }
}

#[test]
fn damaged_updates_leave_the_document_or_say_that_they_spoilt_it() {
    let ada = Author::new(1);
    let base = ada.type_at(0, "hello world");
    let more = ada.type_at(5, " there 😀");
    let mut rng = fastrand::Rng::with_seed(11);
    let mut outcomes = HashSet::new();
    for round in 0..3_000 {
        let mut document = Document::default();
        document.apply(&base, Wanted::AsSent).unwrap();
        let mut bytes = more.to_vec();
        for _ in 0..rng.usize(1..4) {
            let at = rng.usize(..bytes.len());
            bytes[at] = rng.u8(..);
        }
        match document.apply(&bytes.into(), Wanted::AsSent) {
            Ok(change) => {
                outcomes.insert("applied");
                // Forged origins may place text otherwise in every replica; but what is served
                // is an update, and without holes.
                let served: Bytes = document.diff(&StateVector::default()).into();
                let mut reader = Document::default();
                for update in [Some(served), change.integrated].into_iter().flatten() {
                    reader.apply(&update, Wanted::AsSent).unwrap();
                    assert_eq!(reader.held_bytes(), 0, "round {round}");
                }
                assert_eq!(reader.state_vector(), document.state_vector());
            }
            Err(ApplyError::NoUpdate(_)) => {
                outcomes.insert("refused");
                assert_eq!(text_of(document.doc()), "hello world", "round {round}");
            }
            Err(ApplyError::Spoilt(_)) => {
                outcomes.insert("spoilt");
            }
        }
    }
    assert!(outcomes.contains("applied") && outcomes.contains("refused"));
}
