//! Two registries on one store, linked by a fan-out.

use tutti_server::fanout::LocalFanOut;
use tutti_server::limits::Limits;

use crate::client::{Client, doc, state};
use crate::server::{EDITOR, Server};

async fn two() -> (Server, Server) {
    let fanout = LocalFanOut::new();
    let other = fanout.another_node();
    let dir = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let one = Server::on(dir, Limits::default(), fanout).await;
    let two = one.node(other).await;
    (one, two)
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_two_nodes_share_text_presence_and_hints() {
    let (one, two) = two().await;
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
    drop(ada);
    bo.until("gone", |client| client.states.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_opens_a_room_hears_what_is_not_stored_yet() {
    let (one, two) = two().await;
    let mut ada = Client::hocuspocus(&one, "p/d", EDITOR, doc()).await;
    ada.until_saved().await;
    ada.show(&[state(1, 1, "Ada")]).await;
    let blocker = one.raw();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    ada.push("not stored").await;
    ada.settle().await;
    let mut bo = Client::yws(&two, "p/d", EDITOR, doc()).await;
    bo.until_text("not stored").await;
    bo.until("ada", |client| client.states.contains_key(&1))
        .await;
    blocker.execute_batch("COMMIT").unwrap();
    ada.until_saved().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_that_write_and_compact_at_once_lose_nothing() {
    let fanout = LocalFanOut::new();
    let other = fanout.another_node();
    let limits = || Limits {
        compact_entries: 5,
        ..Limits::default()
    };
    let dir = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let one = Server::on(dir.clone(), limits(), fanout).await;
    let two = Server::on(dir, limits(), other).await;
    let mut ada = Client::hocuspocus(&one, "p/d", EDITOR, doc()).await;
    let mut bo = Client::hocuspocus(&two, "p/d", EDITOR, doc()).await;
    for n in 0..60 {
        ada.push(&format!("[a{n}]")).await;
        bo.push(&format!("[b{n}]")).await;
        if n % 5 == 0 {
            ada.until_saved().await;
            bo.until_saved().await;
        }
    }
    ada.until_saved().await;
    bo.until_saved().await;
    let all = |client: &Client| client.parts().len() == 120;
    ada.until("all", all).await;
    bo.until("all", all).await;
    assert_eq!(ada.text(), bo.text());
    assert_eq!(one.text_after_kill("p/d").await, ada.text());
}
