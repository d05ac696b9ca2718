//! Links and projects that are withdrawn and deleted on another node.

use tutti_protocol::close;
use tutti_server::limits::Limits;
use tutti_server::ws::GrantId;

use crate::client::{Client, doc};
use crate::node::Node;
use crate::redis_server::{Kind, RedisServer};
use crate::server::{EDITOR, Server, Shared};

const LINK: &str = "lent";

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawn_link_and_a_deleted_project_end_on_every_node() {
    let (redis, shared) = (RedisServer::start(Kind::Single), Shared::new());
    shared.add_link(LINK);
    let one = Server::start(shared.path(), &redis.url(), Limits::default()).await;
    let two = Server::start(shared.path(), &redis.url(), Limits::default()).await;
    one.until_connected().await;
    two.until_connected().await;
    let mut ada = Client::yws(&two, "p/d", LINK, doc()).await;
    let mut bo = Client::yws(&two, "p/d", EDITOR, doc()).await;
    ada.until_synced().await;
    bo.until_synced().await;
    shared.remove_link(LINK);
    one.rooms().revoke(&GrantId::new(LINK));
    assert_eq!(ada.until_closed().await.0, close::FORBIDDEN);
    // Saved: what a node stores at the very moment of the deletion goes by a second one, later.
    let mut cy = Client::hocuspocus(&two, "p/d", EDITOR, doc()).await;
    cy.push("text").await;
    cy.until_saved().await;
    one.rooms()
        .delete_project(&"p".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(bo.until_closed().await.0, close::NOT_FOUND);
    assert_eq!(one.text("p/d").await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_withdrawn_while_redis_is_away_ends_all_the_same() {
    let (mut redis, shared) = (RedisServer::start(Kind::Single), Shared::new());
    shared.add_link(LINK);
    let one = Server::start(shared.path(), &redis.url(), Limits::default()).await;
    let two = Server::start(shared.path(), &redis.url(), Limits::default()).await;
    one.until_connected().await;
    two.until_connected().await;
    let mut ada = Client::yws(&two, "p/d", LINK, doc()).await;
    ada.until_synced().await;
    redis.kill();
    shared.remove_link(LINK);
    one.rooms().revoke(&GrantId::new(LINK));
    assert_eq!(ada.until_closed().await.0, close::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_withdrawn_by_a_node_that_dies_before_it_has_told_ends_all_the_same() {
    let (redis, shared) = (RedisServer::start(Kind::Single), Shared::new());
    shared.add_link(LINK);
    let one = Node::start(shared.path(), &redis.url());
    let two = Server::start(shared.path(), &redis.url(), Limits::default()).await;
    two.until_connected().await;
    let mut ada = Client::yws(&two, "p/d", LINK, doc()).await;
    ada.until_synced().await;
    shared.remove_link(LINK);
    drop(one);
    assert_eq!(ada.until_closed().await.0, close::FORBIDDEN);
}
