//! Every cap: who meets it is told which, and nobody else notices.

use tutti_protocol::close;
use tutti_protocol::hocuspocus::Message;
use tutti_server::limits::Limits;

use crate::client::{Client, doc};
use crate::server::{EDITOR, Server};

const TOKEN: Message<'static> = Message::Token {
    token: EDITOR,
    version: None,
};

#[tokio::test]
async fn a_message_over_the_cap_ends_its_socket() {
    let limits = Limits {
        message_bytes: 64 * 1024,
        ..Limits::default()
    };
    let server = Server::with(limits).await;
    let mut witness = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    witness.until_saved().await;
    let mut yws = Client::yws(&server, "p/d", EDITOR, doc()).await;
    let mut hocuspocus = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    for client in [&mut yws, &mut hocuspocus] {
        client.until_synced().await;
        client.raw(vec![0; 65 * 1024]).await;
        let (code, reason) = client.until_closed().await;
        assert_eq!(code, close::TOO_BIG);
        assert!(reason.contains("64 KiB"), "{reason}");
    }
    witness.settle().await;
}

#[tokio::test]
async fn a_document_over_the_cap_takes_no_more_and_stays_readable() {
    let limits = Limits {
        document_bytes: 100_000,
        ..Limits::default()
    };
    let server = Server::with(limits).await;
    let mut yws = Client::yws(&server, "p/d", EDITOR, doc()).await;
    let mut hocuspocus = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    let mut other_room = Client::hocuspocus(&server, "p/e", EDITOR, doc()).await;
    yws.until_synced().await;
    hocuspocus.until_saved().await;
    other_room.until_saved().await;
    yws.push(&"x".repeat(90_000)).await;
    yws.settle().await;
    yws.push(&"y".repeat(20_000)).await;
    let (code, reason) = yws.until_closed().await;
    // In the range in which a stock client does not come back with the same again and again.
    assert_eq!(code, 4413);
    assert!(reason.contains("document"), "{reason}");
    hocuspocus.until_synced().await;
    hocuspocus.push(&"z".repeat(20_000)).await;
    hocuspocus
        .until("left", |client| client.left.is_some())
        .await;
    assert_eq!(hocuspocus.refused, 1);
    assert!(hocuspocus.closed.is_none());
    other_room.settle().await;
    let mut reader = Client::yws(&server, "p/d", EDITOR, doc()).await;
    reader
        .until("text", |client| client.text().len() == 90_000)
        .await;
}

#[tokio::test]
async fn typing_and_erasing_for_long_does_not_meet_the_documents_cap() {
    let limits = Limits {
        document_bytes: 20_000,
        ..Limits::default()
    };
    let server = Server::with(limits).await;
    let mut ada = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    ada.until_saved().await;
    use yrs::{ReadTxn, Text, Transact};
    for _ in 0..30 {
        ada.push(&"x".repeat(2_000)).await;
        let erased = {
            let content = ada.doc.get_or_insert_text("content");
            let mut txn = ada.doc.transact_mut();
            let len = content.len(&txn);
            content.remove_range(&mut txn, 0, len);
            txn.encode_update_v1()
        };
        ada.send_update(&erased).await;
    }
    ada.until_saved().await;
    assert!(ada.left.is_none() && ada.closed.is_none());
    assert!(!ada.doc.transact().has_missing_updates());
}

#[tokio::test]
async fn connections_of_one_address_are_counted() {
    let limits = Limits {
        connections_per_address: 2,
        ..Limits::default()
    };
    let server = Server::with(limits).await;
    let mut one = Client::yws(&server, "p/d", EDITOR, doc()).await;
    let mut two = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    one.until_synced().await;
    two.until_synced().await;
    let mut yws = Client::yws(&server, "p/d", EDITOR, doc()).await;
    let mut hocuspocus = Client::silent(&server, "p/d").await;
    for client in [&mut yws, &mut hocuspocus] {
        let (code, reason) = client.until_closed().await;
        assert_eq!(code, close::TRY_LATER);
        assert!(reason.contains("2 connections"), "{reason}");
    }
    // One that goes makes space for another.
    let mut witness = two;
    one.socket.close(None).await.unwrap();
    one.until_closed().await;
    witness.settle().await;
    let mut again = Client::yws(&server, "p/d", EDITOR, doc()).await;
    while !again.synced {
        if !again.step().await {
            again = Client::yws(&server, "p/d", EDITOR, doc()).await;
        }
    }
}

#[tokio::test]
async fn rooms_of_one_connection_are_counted() {
    let limits = Limits {
        rooms_per_socket: 2,
        ..Limits::default()
    };
    let server = Server::with(limits).await;
    let mut ada = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    ada.until_saved().await;
    ada.say_to("p/e", TOKEN).await;
    let mut third = ada;
    third.address("p/f");
    third.join(EDITOR).await;
    third
        .until("denied", |client| client.denied.is_some())
        .await;
    assert!(third.denied.as_ref().unwrap().contains("2 rooms"));
    // Leaving one makes space.
    third.say_to("p/e", Message::Close("")).await;
    third.join(EDITOR).await;
    third.until_synced().await;
}

#[tokio::test]
async fn rooms_of_one_project_are_counted() {
    let limits = Limits {
        rooms_per_project: 1,
        ..Limits::default()
    };
    let server = Server::with(limits).await;
    let mut ada = Client::yws(&server, "p/d", EDITOR, doc()).await;
    ada.until_synced().await;
    let mut same = Client::yws(&server, "p/d", EDITOR, doc()).await;
    same.until_synced().await;
    let mut neighbour = Client::yws(&server, "q/e", EDITOR, doc()).await;
    neighbour.until_synced().await;
    let mut more = Client::yws(&server, "p/e", EDITOR, doc()).await;
    let (code, reason) = more.until_closed().await;
    assert_eq!(code, close::TRY_LATER);
    assert!(reason.contains("1 files of this project"), "{reason}");
}

#[tokio::test]
async fn members_of_one_room_are_counted() {
    let limits = Limits {
        members_per_room: 1,
        ..Limits::default()
    };
    let server = Server::with(limits).await;
    let mut ada = Client::yws(&server, "p/d", EDITOR, doc()).await;
    ada.until_synced().await;
    let mut more = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    more.until("denied", |client| client.denied.is_some()).await;
    assert!(more.denied.unwrap().contains("open 1 times"));
}

#[tokio::test]
async fn who_guesses_tokens_is_sent_away() {
    let limits = Limits {
        auth_failures_per_socket: 3,
        ..Limits::default()
    };
    let server = Server::with(limits).await;
    let mut eve = Client::silent(&server, "p/d").await;
    for n in 0..5 {
        let address = format!("p/d\0{n}");
        let token = Message::Token {
            token: "guess",
            version: None,
        };
        eve.say_to(&address, token).await;
    }
    let (code, reason) = eve.until_closed().await;
    assert_eq!(code, close::FORBIDDEN);
    assert!(reason.contains("refused 3 times"), "{reason}");
}

#[tokio::test]
async fn who_sends_too_fast_is_read_more_slowly_and_loses_nothing() {
    let limits = Limits {
        messages_per_second: 200,
        burst_messages: 20,
        ..Limits::default()
    };
    let server = Server::with(limits).await;
    let mut fast = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    let mut witness = Client::yws(&server, "p/e", EDITOR, doc()).await;
    witness.until_synced().await;
    let started = std::time::Instant::now();
    for _ in 0..120 {
        fast.push("x").await;
    }
    witness.settle().await;
    fast.until_saved().await;
    assert!(started.elapsed() >= std::time::Duration::from_millis(450));
    assert_eq!(server.text("p/d").await.len(), 120);
}
