//! Many rooms on one connection.

use tutti_protocol::close;
use tutti_protocol::hocuspocus::Message;
use tutti_protocol::sync::SyncMessage;
use tutti_server::limits::Limits;
use yrs::Transact;
use yrs::updates::encoder::Encode;

use crate::client::{Client, doc};
use crate::server::{EDITOR, Server};

const TOKEN: Message<'static> = Message::Token {
    token: EDITOR,
    version: Some("4.8.0"),
};

#[tokio::test]
async fn sessions_of_one_document_on_one_connection_are_two_members() {
    let server = Server::start().await;
    let mut one = Client::hocuspocus(&server, "p/d\0one", EDITOR, doc()).await;
    one.until_saved().await;
    // The second session of the same connection joins and edits.
    one.say_to("p/d\0two", TOKEN).await;
    let author = Client::silent(&server, "p/d").await;
    let update = author.push_quietly("from two");
    one.say_to("p/d\0two", Message::Sync(SyncMessage::Update(&update)))
        .await;
    one.until_text("from two").await;
    let mut plain = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    plain.until_text("from two").await;
    one.push(" from one").await;
    plain.until_text("from two from one").await;
}

#[tokio::test]
async fn what_is_sent_before_being_let_in_is_not_lost() {
    let server = Server::start().await;
    let mut ada = Client::silent(&server, "p/d").await;
    // A stock provider sends edits as they come, also while its token is being fetched.
    let update = ada.push_quietly("early ");
    ada.send_update(&update).await;
    ada.join(EDITOR).await;
    ada.unsynced += 1;
    ada.push("late").await;
    ada.until("all confirmed", |client| client.durable == 3)
        .await;
    assert_eq!(server.text("p/d").await, "early late");
}

#[tokio::test]
async fn what_waits_to_be_let_in_is_bounded() {
    let limits = Limits {
        pending_join_bytes: 10_000,
        ..Limits::default()
    };
    let server = Server::with(limits).await;
    let mut ada = Client::silent(&server, "p/d").await;
    let update = ada.push_quietly(&"x".repeat(4_000));
    for _ in 0..3 {
        ada.send_update(&update).await;
    }
    let (code, reason) = ada.until_closed().await;
    assert_eq!(code, close::TRY_LATER);
    assert!(reason.contains("before being let in"), "{reason}");
}

#[tokio::test]
async fn who_leaves_hears_nothing_more_and_may_come_back_on_the_same_connection() {
    let server = Server::start().await;
    let mut ada = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    let mut bo = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    ada.until_saved().await;
    bo.until_saved().await;
    ada.say(Message::Close("")).await;
    // Its own next answer, in another room, shows that the leaving has been read.
    ada.say_to("p/other", TOKEN).await;
    let before = ada.frames;
    ada.until("in the other room", |client| client.frames > before)
        .await;
    bo.push("missed").await;
    bo.until_saved().await;
    // The client leaves and joins in one breath; its second life is a whole one.
    ada.join(EDITOR).await;
    ada.say(Message::Close("")).await;
    ada.join(EDITOR).await;
    ada.until_text("missed").await;
    assert!(ada.left.is_none());
    ada.push("!").await;
    bo.until_text("missed!").await;
}

#[tokio::test]
async fn stock_messages_that_are_not_for_a_server_do_nothing() {
    let server = Server::start().await;
    let mut ada = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    let mut bo = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    ada.until_saved().await;
    bo.until_saved().await;
    for message in [
        Message::BroadcastStateless("spam"),
        Message::Stateless("app"),
        Message::SyncStatus(true),
        Message::PermissionDenied("no"),
        Message::Ping,
        Message::Pong,
    ] {
        ada.say(message).await;
    }
    ada.raw(vec![10]).await;
    ada.settle().await;
    bo.settle().await;
    assert!(bo.texts.is_empty() && ada.closed.is_none());
}

#[tokio::test]
async fn a_step1_that_asks_for_no_question_gets_none() {
    let server = Server::start().await;
    let mut ada = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    ada.until_saved().await;
    assert_eq!(ada.steps1, 1);
    ada.synced = false;
    let vector = yrs::ReadTxn::state_vector(&ada.doc.transact()).encode_v1();
    ada.say(Message::SyncReply(SyncMessage::Step1(&vector)))
        .await;
    ada.until_synced().await;
    ada.settle().await;
    assert_eq!(ada.steps1, 2);
}

#[tokio::test]
async fn a_connection_pings_and_is_answered() {
    use futures_util::StreamExt;
    let server = Server::start().await;
    let mut ada = Client::silent(&server, "p/d").await;
    ada.raw(vec![9]).await;
    let answer = ada.socket.next().await.unwrap().unwrap();
    assert_eq!(answer.into_data()[..], [10]);
}

#[tokio::test]
async fn who_was_refused_may_go_on_talking_without_harm_and_try_again() {
    let limits = Limits {
        pending_join_bytes: 10_000,
        auth_failures_per_socket: 3,
        ..Limits::default()
    };
    let server = Server::with(limits).await;
    let mut ada = Client::hocuspocus(&server, "p/d", "wrong", doc()).await;
    ada.until("denied", |client| client.denied.is_some()).await;
    // A stock provider sends its edits whether it was let in or not.
    for _ in 0..10 {
        ada.push(&"x".repeat(2_000)).await;
    }
    for _ in 0..10 {
        ada.say_to("p/bad name", Message::Stateless("x")).await;
    }
    ada.join(EDITOR).await;
    ada.until_saved().await;
    assert_eq!(server.text("p/d").await.len(), 20_000);
}
