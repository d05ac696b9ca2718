//! Who is let in, as what, and for how long.

use std::time::Duration;

use tutti_protocol::close;
use tutti_protocol::hocuspocus::Message;
use tutti_protocol::role::Role;
use tutti_protocol::sync::SyncMessage;
use tutti_server::ws::GrantId;
use yrs::{ReadTxn, StateVector, Transact};

use crate::client::{Client, connect, doc};
use crate::server::{EDITOR, Server, VIEWER};

#[tokio::test]
async fn refusals_come_with_their_code_and_reason() {
    let server = Server::start().await;
    let refused = [
        ("p/d", "wrong", close::UNAUTHORIZED, "not valid"),
        ("secret/d", EDITOR, close::FORBIDDEN, "another project"),
        ("none/d", EDITOR, close::NOT_FOUND, "no such project"),
        ("busy/d", EDITOR, close::TRY_LATER, "come back later"),
        ("p/a.b", EDITOR, close::NOT_FOUND, "a room is named"),
        ("p/%20", EDITOR, close::NOT_FOUND, "a room is named"),
    ];
    for (room, token, code, reason) in refused {
        let mut client = Client::yws(&server, room, token, doc()).await;
        let closed = client.until_closed().await;
        assert_eq!(closed.0, code, "{room} {token}: {closed:?}");
        assert!(closed.1.contains(reason), "{closed:?}");
        // Stock clients print the reason of this message.
        let told = code != close::TRY_LATER;
        assert_eq!(client.denied.is_some(), told, "{room} {token}");
        assert!(!client.synced);
    }
    for (room, token, code, reason) in refused {
        let mut client = Client::hocuspocus(&server, room, token, doc()).await;
        if code == close::TRY_LATER {
            assert_eq!(client.until_closed().await.0, code);
            continue;
        }
        client
            .until("denied", |client| client.denied.is_some())
            .await;
        let said = client.denied.clone().unwrap();
        // A space is no escape here, but a character outside the rules.
        assert!(said.contains(reason), "{room}: {said}");
        assert!(client.role.is_none() && !client.synced);
    }
    let url = format!("ws://{}/ws/p/d", server.addr);
    let mut bare = connect(url).await;
    let mut closed = None;
    use futures_util::StreamExt;
    while let Some(Ok(message)) = bare.next().await {
        if let tokio_tungstenite::tungstenite::Message::Close(Some(frame)) = message {
            closed = Some(u16::from(frame.code));
        }
    }
    assert_eq!(closed, Some(close::UNAUTHORIZED), "no token at all");
}

#[tokio::test]
async fn one_room_refused_leaves_the_others_of_a_connection_alone() {
    let server = Server::start().await;
    let mut ada = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    ada.until_saved().await;
    let token = |token| Message::Token {
        token,
        version: None,
    };
    ada.say_to("secret/d", token(EDITOR)).await;
    ada.say_to("p/../etc", token(EDITOR)).await;
    ada.push("still here").await;
    ada.until_saved().await;
    assert_eq!(server.text("p/d").await, "still here");
}

#[tokio::test]
async fn a_viewer_sees_everything_and_changes_nothing() {
    let server = Server::start().await;
    let mut ada = Client::yws(&server, "p/d", EDITOR, doc()).await;
    ada.until_synced().await;
    ada.push("read me").await;

    let mut hocuspocus = Client::hocuspocus(&server, "p/d", VIEWER, doc()).await;
    hocuspocus.until_text("read me").await;
    assert_eq!(hocuspocus.role, Some(Role::Viewer));
    // A Step2 without news is confirmed, an edit is refused, as the stock server does.
    hocuspocus.until_saved().await;
    hocuspocus.push("forbidden").await;
    hocuspocus
        .until("refused", |client| client.refused == 1)
        .await;
    let everything = hocuspocus
        .doc
        .transact()
        .encode_diff_v1(&StateVector::default());
    hocuspocus.sync(SyncMessage::Step2(&everything)).await;
    hocuspocus
        .until("refused", |client| client.refused == 2)
        .await;

    let mut yws = Client::yws(&server, "p/d", VIEWER, doc()).await;
    yws.until_text("read me").await;
    yws.push("forbidden").await;
    yws.settle().await;
    assert!(yws.closed.is_none());

    ada.push("!").await;
    ada.settle().await;
    assert_eq!(ada.text(), "read me!");
    assert_eq!(server.text("p/d").await, "read me!");
}

#[tokio::test]
async fn a_withdrawn_link_ends_its_holders_and_nobody_else() {
    let server = Server::start().await;
    server.links.add("guest", Role::Editor, None);
    let mut ada = Client::yws(&server, "p/d", EDITOR, doc()).await;
    let mut yws = Client::yws(&server, "p/d", "guest", doc()).await;
    let mut hocuspocus = Client::hocuspocus(&server, "p/e", "guest", doc()).await;
    for client in [&mut ada, &mut yws, &mut hocuspocus] {
        client.until_synced().await;
    }
    server.rooms.revoke(&GrantId::new("guest"));
    let (code, reason) = yws.until_closed().await;
    assert_eq!(code, close::FORBIDDEN);
    assert!(reason.contains("withdrawn"), "{reason}");
    hocuspocus
        .until("left", |client| client.left.is_some())
        .await;
    assert!(hocuspocus.denied.unwrap().contains("withdrawn"));
    ada.settle().await;
    // Who was let in just before, by a check that did not know yet, does not come in either.
    let mut late = Client::yws(&server, "p/d", "guest", doc()).await;
    assert_eq!(late.until_closed().await.0, close::FORBIDDEN);
}

#[tokio::test]
async fn a_link_that_expires_ends_its_holders() {
    let server = Server::start().await;
    let soon = Some(Duration::from_millis(100));
    server.links.add("brief", Role::Editor, soon);
    let mut ada = Client::yws(&server, "p/d", "brief", doc()).await;
    let (code, reason) = ada.until_closed().await;
    assert_eq!(code, close::UNAUTHORIZED);
    assert!(reason.contains("expired"), "{reason}");
}

#[tokio::test]
async fn a_fresh_token_takes_over_from_one_that_expires() {
    let server = Server::start().await;
    let soon = Some(Duration::from_millis(500));
    server.links.add("brief", Role::Viewer, soon);
    let mut ada = Client::hocuspocus(&server, "p/d", "brief", doc()).await;
    ada.until_synced().await;
    let token = Message::Token {
        token: EDITOR,
        version: None,
    };
    ada.say(token).await;
    ada.until("editor", |client| client.role == Some(Role::Editor))
        .await;
    ada.push("now allowed").await;
    ada.until("confirmed", |client| client.durable == 2).await;
    // The old link's end, seen through another holder of it, does not end this one.
    let mut other = Client::hocuspocus(&server, "p/d", "brief", doc()).await;
    other.until("left", |client| client.left.is_some()).await;
    ada.settle().await;
    assert!(ada.left.is_none());
}

#[tokio::test]
async fn a_deleted_project_closes_for_good() {
    let server = Server::start().await;
    let mut yws = Client::yws(&server, "p/d", EDITOR, doc()).await;
    let mut hocuspocus = Client::hocuspocus(&server, "p/e", EDITOR, doc()).await;
    let mut neighbour = Client::yws(&server, "q/d", EDITOR, doc()).await;
    for client in [&mut yws, &mut hocuspocus, &mut neighbour] {
        client.until_synced().await;
    }
    hocuspocus.push("to be deleted").await;
    hocuspocus.until_saved().await;
    let blocker = server.raw();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    // On its way into the store while the project goes: it must not come back.
    hocuspocus.push("too late").await;
    hocuspocus.settle().await;
    let (rooms, project) = (server.rooms.clone(), "p".parse().unwrap());
    let deleted = tokio::spawn(async move { rooms.delete_project(&project).await });
    let (code, reason) = yws.until_closed().await;
    assert_eq!(
        (code, reason.as_str()),
        (close::NOT_FOUND, "the project has been deleted")
    );
    hocuspocus
        .until("left", |client| client.left.is_some())
        .await;
    blocker.execute_batch("COMMIT").unwrap();
    deleted.await.unwrap().unwrap();
    let left = server.rooms.documents(&"p".parse().unwrap()).await.unwrap();
    assert_eq!(left, []);
    neighbour.settle().await;
}
