//! Edits reach everybody, in both framings.

use tutti_protocol::hocuspocus::Message;
use tutti_protocol::sync::SyncMessage;
use yrs::updates::encoder::Encode;
use yrs::{ReadTxn, StateVector, Text, Transact};

use crate::client::{Client, doc};
use crate::server::{EDITOR, Server};

#[tokio::test]
async fn clients_of_both_protocols_share_one_text() {
    let server = Server::start().await;
    let mut ada = Client::yws(&server, "p/d", EDITOR, doc()).await;
    let mut bo = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    let mut cy = Client::yws_with_header(&server, "p/d", EDITOR).await;
    for client in [&mut ada, &mut bo, &mut cy] {
        client.until_synced().await;
    }
    ada.push("a").await;
    bo.until_text("a").await;
    bo.push("b").await;
    cy.until_text("ab").await;
    cy.push("c").await;
    for client in [&mut ada, &mut bo, &mut cy] {
        client.until_text("abc").await;
    }
    assert_eq!(server.text("p/d").await, "abc");
}

#[tokio::test]
async fn offline_edits_are_collected() {
    let server = Server::start().await;
    let mut witness = Client::yws(&server, "p/d", EDITOR, doc()).await;
    witness.until_synced().await;

    let mut hocuspocus = Client::silent(&server, "p/d").await;
    hocuspocus.push_quietly("offline ");
    hocuspocus.join(EDITOR).await;
    hocuspocus.until_saved().await;
    witness.until_text("offline ").await;

    let late = doc();
    {
        let content = late.get_or_insert_text("content");
        content.push(&mut late.transact_mut(), "late");
    }
    let mut late = Client::yws(&server, "p/d", EDITOR, late).await;
    late.until("asked", |client| client.steps1 == 1).await;
    witness
        .until("both", |client| {
            let text = client.text();
            text.contains("late") && text.contains("offline ")
        })
        .await;
}

#[tokio::test]
async fn an_update_or_step2_is_confirmed_exactly_once() {
    let server = Server::start().await;
    let mut ada = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    // The Step2 of one who has nothing to tell.
    ada.until_saved().await;
    assert_eq!((ada.durable, ada.steps1), (1, 1));
    for n in 0..50 {
        ada.push(&n.to_string()).await;
    }
    ada.until_saved().await;
    // The same edits once more, as after a reconnection that came too early.
    let everything = ada.doc.transact().encode_diff_v1(&StateVector::default());
    ada.send_update(&everything).await;
    ada.unsynced += 1;
    ada.sync(SyncMessage::Step2(&everything)).await;
    ada.until_saved().await;
    ada.settle().await;
    ada.until_saved().await;
    assert_eq!((ada.durable, ada.refused), (1 + 50 + 2 + 1, 0));
}

#[tokio::test]
async fn one_of_many_messages_in_a_frame_is_not_the_only_one() {
    let server = Server::start().await;
    let mut ada = Client::yws(&server, "p/d", EDITOR, doc()).await;
    ada.until_synced().await;
    let mut frame = Vec::new();
    for word in ["one ", "two"] {
        let update = ada.push_quietly(word);
        let message = tutti_protocol::yws::Message::Sync(SyncMessage::Update(&update));
        frame.extend(message.encode());
    }
    ada.raw(frame).await;
    ada.until("both come back", |client| client.updates.len() == 2)
        .await;
    assert_eq!(server.text("p/d").await, "one two");
}

#[tokio::test]
async fn what_lacks_its_predecessors_is_kept_and_asked_for_but_not_served() {
    let server = Server::start().await;
    let mut ada = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    ada.until_saved().await;
    ada.push_quietly("lost ");
    ada.push("found").await;
    // Whoever comes now is served a document without a hole.
    let mut bo = Client::yws(&server, "p/d", EDITOR, doc()).await;
    bo.until_synced().await;
    // The server asks its sender; that question is not the sender's, so the answer to it must
    // not be counted as one that is confirmed.
    ada.until("asked", |client| client.steps1 == 2).await;
    bo.until_text("lost found").await;
    ada.settle().await;
    ada.until_saved().await;
    assert_eq!(ada.durable, 3, "Step2, update, Step2 of settling");
    drop((ada, bo));
    let text = server.text_after_kill("p/d").await;
    assert_eq!(text, "lost found");
}

#[tokio::test]
async fn an_update_that_waits_survives_a_restart_and_a_compaction() {
    let server = Server::start().await;
    let mut ada = Client::yws(&server, "p/d", EDITOR, doc()).await;
    ada.until_synced().await;
    let lost = ada.push_quietly("lost ");
    let found = ada.push_quietly("found");
    // A client of no more than a socket: it does not answer when it is asked.
    let mut mute = Client::silent(&server, "p/d").await;
    mute.join(EDITOR).await;
    mute.until_saved().await;
    mute.say(Message::Sync(SyncMessage::Update(&found))).await;
    mute.until("durable", |client| client.durable >= 2).await;
    tutti_server::store::compaction::compact(&server.store, &crate::server::name("p/d"))
        .await
        .unwrap();
    assert_eq!(server.text_after_kill("p/d").await, "");

    let next = Server::on(
        server.dir(),
        Default::default(),
        tutti_server::fanout::LocalFanOut::new(),
    )
    .await;
    let mut bo = Client::yws(&next, "p/d", EDITOR, doc()).await;
    bo.until_synced().await;
    bo.send_update(&lost).await;
    let mut cy = Client::yws(&next, "p/d", EDITOR, doc()).await;
    cy.until_text("lost found").await;
    // Its sender had not seen what waited, so it is told too.
    bo.until_text("lost found").await;
}

#[tokio::test]
async fn members_of_the_index_hear_which_documents_changed() {
    let server = Server::start().await;
    let mut index = Client::hocuspocus(&server, "p/index", EDITOR, doc()).await;
    let mut elsewhere = Client::hocuspocus(&server, "q/index", EDITOR, doc()).await;
    index.until_saved().await;
    elsewhere.until_saved().await;
    let mut ada = Client::yws(&server, "p/one", EDITOR, doc()).await;
    let mut bo = Client::yws(&server, "p/two", EDITOR, doc()).await;
    for n in 0..20 {
        ada.push(&n.to_string()).await;
        bo.push(&n.to_string()).await;
    }
    let told = |client: &Client| {
        let all = client.texts.concat();
        all.contains("one") && all.contains("two")
    };
    index.until("both are named", told).await;
    // Collected: far fewer messages than edits.
    assert!(index.texts.len() <= 10, "{:?}", index.texts);
    assert!(
        index
            .texts
            .iter()
            .all(|text| text.starts_with(r#"{"changed":["#))
    );
    elsewhere.settle().await;
    assert!(elsewhere.texts.is_empty());
    // The index itself is no news to its own members.
    index.texts.clear();
    index.push("x").await;
    index.until("saved", |client| client.unsynced == 0).await;
    index.settle().await;
    assert!(index.texts.is_empty());
}

#[tokio::test]
async fn text_is_read_whether_or_not_anybody_is_there() {
    let server = Server::start().await;
    let room = crate::server::name("p/d");
    assert_eq!(server.rooms.text(&room).await.unwrap(), None);
    let mut ada = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    ada.push("😀 text").await;
    ada.until_saved().await;
    let text = server.rooms.text(&room).await.unwrap();
    assert_eq!(text.as_deref(), Some("😀 text"));
    let clients = server
        .rooms
        .read(&room, |doc| doc.transact().state_vector().encode_v1().len())
        .await
        .unwrap();
    assert!(clients.unwrap() > 1);
}

#[tokio::test]
async fn the_server_itself_can_write() {
    let server = Server::start().await;
    let room = crate::server::name("p/d");
    let mut ada = Client::yws(&server, "p/d", EDITOR, doc()).await;
    ada.until_synced().await;
    let author = Client::silent(&server, "p/d").await;
    let update = author.push_quietly("imported");
    server.rooms.apply(&room, update.into()).await.unwrap();
    assert_eq!(server.text_after_kill("p/d").await, "imported");
    ada.until_text("imported").await;
    let error = server
        .rooms
        .apply(&room, bytes::Bytes::from_static(b"\xff\xff"))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("not valid"), "{error}");
}
