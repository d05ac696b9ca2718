//! Documents that the server is asked about many at once, without their rooms.

use std::fs;

use tutti_engine::Replica;
use tutti_protocol::bulk::Differing;
use tutti_protocol::fingerprint::fingerprint;
use tutti_protocol::ids::DocumentId;
use yrs::Transact;

use super::{Here, Hub};
use crate::mirror::merge::new_client_id;
use crate::mirror::{Answered, ToAsk};

/// Ada's directory with a file in step, the file's document, and what the server is asked with.
fn in_step(hub: &mut Hub) -> (Here, DocumentId, ToAsk) {
    let mut ada = Here::with(&[("a.txt", b"1\n2\n")]);
    ada.sync(hub);
    let id = hub.id("a.txt");
    let asked = ada.mirror.to_ask(&id).unwrap().unwrap();
    (ada, id, asked)
}

impl Here {
    /// Asks the server, and takes in what it gives.
    fn is_answered(&mut self, hub: &mut Hub, id: &DocumentId, asked: &ToAsk) -> Option<Answered> {
        let server = hub.document(id);
        let fingerprint = fingerprint(&server.doc().transact());
        let update = server.diff(&asked.vector).unwrap();
        let differing = Differing {
            fingerprint,
            update: &update,
        };
        let given = match fingerprint == asked.fingerprint {
            true => Vec::new(),
            false => differing.write(),
        };
        self.mirror.answered(id, asked, &given).unwrap()
    }
}

#[test]
fn what_others_have_written_comes_into_the_file() {
    let mut hub = Hub::new();
    let (mut ada, id, asked) = in_step(&mut hub);
    let before = hub.document(&id).state();
    hub.edit("a.txt", "1\nmore\n");
    let answered = ada.is_answered(&mut hub, &id, &asked).unwrap();
    assert_eq!(answered.settled.update, None);
    assert_eq!(answered.overwritten, Some(before));
    assert_eq!(ada.read("a.txt"), "1\nmore\n");
    // And then both have the same.
    let asked = ada.mirror.to_ask(&id).unwrap().unwrap();
    let server = fingerprint(&hub.document(&id).doc().transact());
    assert_eq!(asked.fingerprint, server);
    let answered = ada.is_answered(&mut hub, &id, &asked).unwrap();
    assert_eq!(answered.overwritten, None);
}

#[test]
fn what_was_written_here_meanwhile_needs_a_room() {
    let mut hub = Hub::new();
    let (mut ada, id, asked) = in_step(&mut hub);
    fs::write(ada.path("a.txt"), "1\nours\n2\n").unwrap();
    hub.edit("a.txt", "1\n2\ntheirs\n");
    let answered = ada.is_answered(&mut hub, &id, &asked).unwrap();
    let update = answered.settled.update.unwrap();
    assert_eq!(ada.read("a.txt"), "1\nours\n2\ntheirs\n");
    assert_eq!(ada.mirror.unsaved(), std::slice::from_ref(&id));
    assert_eq!(ada.mirror.to_ask(&id).unwrap(), None);
    hub.document(&id).apply(&update).unwrap();
    assert_eq!(hub.text("a.txt"), "1\nours\n2\ntheirs\n");
    // What is answered to the question of before is out of date.
    assert!(ada.is_answered(&mut hub, &id, &asked).is_none());
}

#[test]
fn what_the_server_has_lost_needs_a_room() {
    let mut hub = Hub::new();
    let (mut ada, id, old) = in_step(&mut hub);
    let backup = hub.document(&id).state();
    for text in ["1\nmore\n2\n", "2\n"] {
        hub.edit("a.txt", text);
        ada.is_answered(&mut hub, &id, &old);
        ada.sync(&mut hub);
        assert_eq!(ada.read("a.txt"), text);
        let restored = Replica::from_state(new_client_id(), &backup).unwrap();
        hub.documents.insert(id.clone(), restored);
        let asked = ada.mirror.to_ask(&id).unwrap().unwrap();
        assert!(ada.is_answered(&mut hub, &id, &asked).is_none(), "{text}");
        let state = ada.mirror.stored(&id).unwrap().unwrap().state;
        hub.document(&id).apply(&state).unwrap();
    }
}

#[test]
fn nonsense_changes_nothing() {
    let mut hub = Hub::new();
    let (mut ada, id, asked) = in_step(&mut hub);
    for given in [&b"short"[..], &[7; 16], &[7; 40]] {
        let answered = ada.mirror.answered(&id, &asked, given).unwrap();
        assert!(answered.is_none(), "{given:?}");
        assert_eq!(ada.mirror.to_ask(&id).unwrap().as_ref(), Some(&asked));
    }
}
