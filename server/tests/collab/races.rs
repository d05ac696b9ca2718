//! Races that are known from other servers (load, unload and reconnect), over real sockets.

use std::sync::Arc;

use tutti_server::limits::Limits;

use crate::client::{Client, doc};
use crate::server::{EDITOR, Server};

#[tokio::test(flavor = "multi_thread")]
async fn first_joiners_share_one_document() {
    let server = Arc::new(Server::start().await);
    let mut before = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    before.push("[before]").await;
    before.until_saved().await;
    for round in 0..5 {
        // A server that has loaded nothing yet, and many who come at the same moment.
        let next = Arc::new(
            Server::on(
                server.dir(),
                Limits::default(),
                tutti_server::fanout::LocalFanOut::new(),
            )
            .await,
        );
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..12 {
            let next = next.clone();
            tasks.spawn(async move {
                let word = format!("[{round}.{n}]");
                let mut client = Client::hocuspocus(&next, "p/d", EDITOR, doc()).await;
                client.push(&word).await;
                client.until_saved().await;
                word
            });
        }
        let words = tasks.join_all().await;
        let text = next.text("p/d").await;
        let stored = next.text_after_kill("p/d").await;
        for word in words {
            assert_eq!(text.matches(&word).count(), 1, "{word} in {text}");
            assert_eq!(stored.matches(&word).count(), 1, "{word} in {stored}");
        }
        assert_eq!(stored.matches("[before]").count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unloading_races_with_joining_and_loses_nothing() {
    // No room for idle documents at all: each is unloaded the moment its last member leaves.
    let limits = Limits {
        cache_bytes: 0,
        compact_entries: 10,
        ..Limits::default()
    };
    let server = Arc::new(Server::with(limits).await);
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..6 {
        let server = server.clone();
        tasks.spawn(async move {
            let mut rng = fastrand::Rng::with_seed(n);
            let mut words = Vec::new();
            for round in 0..25 {
                let room = format!("p/{}", rng.u8(..2));
                let word = format!("[{n}.{round}]");
                if rng.bool() {
                    let mut client = Client::hocuspocus(&server, &room, EDITOR, doc()).await;
                    client.push(&word).await;
                    client.until_saved().await;
                } else {
                    let mut client = Client::yws(&server, &room, EDITOR, doc()).await;
                    client.until_synced().await;
                    client.push(&word).await;
                    client.settle().await;
                }
                if rng.bool() {
                    let text = server.text(&room).await;
                    assert!(text.contains(&word), "{word} is missing in {text}");
                }
                words.push((room, word));
            }
            words
        });
    }
    let words = tasks.join_all().await.concat();
    for (room, word) in words {
        let text = server.text(&room).await;
        assert_eq!(text.matches(&word).count(), 1, "{word} in {room}: {text}");
    }
}

#[tokio::test]
async fn an_edit_during_a_write_is_saved_by_the_next_one() {
    let server = Server::start().await;
    let mut ada = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    ada.until_saved().await;
    for _ in 0..20 {
        let blocker = server.raw();
        blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
        ada.push("[first]").await;
        // The first is in the store's hands when the second arrives.
        ada.settle().await;
        ada.push("[second]").await;
        ada.settle().await;
        blocker.execute_batch("COMMIT").unwrap();
        ada.until_saved().await;
        assert_eq!(server.text_after_kill("p/d").await, ada.text());
    }
}

#[tokio::test]
async fn a_failed_write_is_tried_again_though_nobody_types_and_everybody_left() {
    let server = Server::start().await;
    let mut ada = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    ada.until_saved().await;
    server.store.limit_size(Some(1)).await.unwrap();
    let long = "x".repeat(200_000);
    ada.push(&long).await;
    ada.until("told", |client| !client.texts.is_empty()).await;
    drop(ada);
    server.store.limit_size(None).await.unwrap();
    let nothing = bytes::Bytes::from_static(tutti_server::update::EMPTY);
    let room = crate::server::name("p/d");
    server.rooms.apply(&room, nothing).await.unwrap();
    assert_eq!(server.text_after_kill("p/d").await, long);
}

#[tokio::test]
async fn reconnecting_while_the_store_fails_shows_the_unsaved_edits() {
    let limits = Limits {
        cache_bytes: 0,
        ..Limits::default()
    };
    let server = Server::with(limits).await;
    let mut ada = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    ada.until_saved().await;
    server.store.limit_size(Some(1)).await.unwrap();
    let long = "x".repeat(200_000);
    ada.push(&long).await;
    ada.until("told", |client| !client.texts.is_empty()).await;
    drop(ada);
    // Nobody is in the room and the cache is full, but what is not saved keeps it.
    for _ in 0..3 {
        let mut bo = Client::yws(&server, "p/d", EDITOR, doc()).await;
        bo.until("all", |client| client.text() == long).await;
    }
}
