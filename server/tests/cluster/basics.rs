//! Nodes over a Redis that works, single or a cluster.

use std::time::{Duration, Instant};

use tutti_server::limits::Limits;
use tutti_server::rooms::Have;
use yrs::{ReadTxn, Text, Transact};

use crate::client::{Client, doc, state};
use crate::redis_server::{Kind, RedisServer};
use crate::server::{EDITOR, Server, Shared};

async fn share_text_presence_and_hints(kind: Kind) {
    let (redis, shared) = (RedisServer::start(kind), Shared::new());
    let one = Server::start(shared.path(), &redis.url(), Limits::default()).await;
    let two = Server::start(shared.path(), &redis.url(), Limits::default()).await;
    one.until_connected().await;
    let mut ada = Client::hocuspocus(&one, "p/d", EDITOR, doc()).await;
    let mut bo = Client::yws(&two, "p/d", EDITOR, doc()).await;
    let mut index = Client::hocuspocus(&two, "p/index", EDITOR, doc()).await;
    ada.until_saved().await;
    bo.until_synced().await;
    index.until_saved().await;
    ada.show(&[state(1, 1, "Ada")]).await;
    ada.push("from one ").await;
    bo.until_text("from one ").await;
    bo.push("from two").await;
    ada.until_text("from one from two").await;
    bo.until("ada", |client| client.states.contains_key(&1))
        .await;
    index
        .until("hint", |client| client.texts.concat().contains("\"d\""))
        .await;
    // Who comes later, on a node that has not opened the room.
    let three = Server::start(shared.path(), &redis.url(), Limits::default()).await;
    three.until_connected().await;
    let mut cy = Client::yws(&three, "p/d", EDITOR, doc()).await;
    cy.until_text("from one from two").await;
    cy.until("ada", |client| client.states.contains_key(&1))
        .await;
    // A node that leaves says so: who was there is gone at once.
    let began = Instant::now();
    drop(ada);
    cy.show(&[state(3, 1, "Cy")]).await;
    bo.until("cy", |client| client.states.contains_key(&3))
        .await;
    three.rooms().shutdown().await.unwrap();
    bo.until("gone", |client| client.states.is_empty()).await;
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_share_text_presence_and_hints() {
    share_text_presence_and_hints(Kind::Single).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_share_text_presence_and_hints_over_a_cluster() {
    share_text_presence_and_hints(Kind::Cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_was_unloaded_hears_what_is_not_stored_yet() {
    let (redis, shared) = (RedisServer::start(Kind::Single), Shared::new());
    let small = Limits {
        cache_bytes: 0,
        ..Limits::default()
    };
    let one = Server::start(shared.path(), &redis.url(), Limits::default()).await;
    let two = Server::start(shared.path(), &redis.url(), small).await;
    one.until_connected().await;
    two.until_connected().await;
    let mut ada = Client::hocuspocus(&one, "p/d", EDITOR, doc()).await;
    let mut bo = Client::yws(&two, "p/d", EDITOR, doc()).await;
    ada.push("stored ").await;
    ada.until_saved().await;
    bo.until_text("stored ").await;
    drop(bo);
    for round in 0..3 {
        let blocker = shared.raw();
        blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
        ada.push(&format!("[not stored {round}]")).await;
        ada.settle().await;
        let mut bo = Client::yws(&two, "p/d", EDITOR, doc()).await;
        bo.until_text(&ada.text()).await;
        blocker.execute_batch("COMMIT").unwrap();
        ada.until_saved().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_that_is_too_large_to_be_sent_comes_from_the_store() {
    let (redis, shared) = (RedisServer::start(Kind::Single), Shared::new());
    let one = Server::start(shared.path(), &redis.url(), Limits::default()).await;
    let two = Server::start(shared.path(), &redis.url(), Limits::default()).await;
    one.until_connected().await;
    let mut ada = Client::hocuspocus(&one, "p/d", EDITOR, doc()).await;
    let mut bo = Client::hocuspocus(&two, "p/d", EDITOR, doc()).await;
    ada.until_saved().await;
    bo.until_saved().await;
    let long = "x".repeat(3_000_000);
    ada.push(&long).await;
    ada.until_saved().await;
    bo.until("all", |client| client.text().len() == long.len())
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_anybody_else_writes_to_redis_is_passed_over() {
    let (redis, shared) = (RedisServer::start(Kind::Single), Shared::new());
    let one = Server::start(shared.path(), &redis.url(), Limits::default()).await;
    one.until_connected().await;
    let mut ada = Client::hocuspocus(&one, "p/d", EDITOR, doc()).await;
    ada.push("mine").await;
    ada.until_saved().await;
    let channel = "tutti:0:room:p/d";
    let mut random = fastrand::Rng::with_seed(7);
    for length in 0..400 {
        let mut bytes: Vec<u8> = std::iter::repeat_with(|| random.u8(..))
            .take(length)
            .collect();
        if let Some(first) = bytes.first_mut() {
            *first = 1;
        }
        assert_eq!(redis.publish(channel, &bytes), 1);
    }
    // A head of node 5, opening 6, number 1; an update that claims much and holds nothing.
    for update in [&b"\xff\xff\xff\xff\x0f"[..], b"\x01\x01\x01\x00", b""] {
        let mut bytes = vec![1, 5, 0, 6, 1, 1, 0, update.len() as u8];
        bytes.extend(update);
        redis.publish(channel, &bytes);
    }
    redis.publish("tutti:0:server", &vec![1; 5_000_000]);
    ada.push(" still").await;
    ada.until_saved().await;
    let mut bo = Client::yws(&one, "p/d", EDITOR, doc()).await;
    bo.until_text("mine still").await;
}

/// What is written in bulk, past the rooms, reaches who has such a document open on another node.
#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_takes_in_in_bulk_reaches_the_others() {
    let (redis, shared) = (RedisServer::start(Kind::Single), Shared::new());
    let one = Server::start(shared.path(), &redis.url(), Limits::default()).await;
    let two = Server::start(shared.path(), &redis.url(), Limits::default()).await;
    one.until_connected().await;
    two.until_connected().await;
    let mut bo = Client::yws(&two, "p/d", EDITOR, doc()).await;
    bo.until_synced().await;
    let whole = {
        let doc = doc();
        let content = doc.get_or_insert_text("content");
        content.push(&mut doc.transact_mut(), "in bulk");
        doc.transact().encode_diff_v1(&yrs::StateVector::default())
    };
    let asked = vec![("d".parse().unwrap(), Have::State(whole.into()))];
    let project = "p".parse().unwrap();
    one.rooms().exchange(&project, asked).await.unwrap();
    bo.until_text("in bulk").await;
}
