//! Who is there, as the members of a room see it.

use std::time::Duration;

use tutti_protocol::hocuspocus::Message;
use tutti_server::limits::Limits;

use crate::client::{Client, doc, state};
use crate::server::{EDITOR, Server, VIEWER};

fn names(client: &Client) -> Vec<u64> {
    client.states.keys().copied().collect()
}

#[tokio::test]
async fn states_come_to_everybody_and_back_to_their_sender() {
    let server = Server::start().await;
    let mut ada = Client::yws(&server, "p/d", EDITOR, doc()).await;
    let mut bo = Client::hocuspocus(&server, "p/d", VIEWER, doc()).await;
    ada.until_synced().await;
    bo.until_synced().await;
    ada.show(&[state(1, 1, "Ada")]).await;
    bo.show(&[state(2, 1, "Bo")]).await;
    for client in [&mut ada, &mut bo] {
        client.until("both", |client| names(client) == [1, 2]).await;
    }
    // Who comes later sees who is there, and may ask again.
    let mut cy = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    cy.until("both", |client| names(client) == [1, 2]).await;
    cy.states.clear();
    cy.say(Message::QueryAwareness).await;
    cy.until("both", |client| names(client) == [1, 2]).await;
    // Whose connection ends is gone at once.
    drop(ada);
    for client in [&mut bo, &mut cy] {
        client.until("one", |client| names(client) == [2]).await;
    }
}

#[tokio::test]
async fn nobody_speaks_for_another() {
    let server = Server::start().await;
    let mut ada = Client::yws(&server, "p/d", EDITOR, doc()).await;
    let mut eve = Client::yws(&server, "p/d", EDITOR, doc()).await;
    ada.until_synced().await;
    eve.until_synced().await;
    ada.show(&[state(1, 1, "Ada")]).await;
    eve.until("ada", |client| names(client) == [1]).await;
    eve.show(&[state(2, 1, "Eve")]).await;
    eve.show(&[state(1, 100, "Eve as Ada")]).await;
    let mut removal = state(1, 101, "");
    removal.state = "null".to_owned();
    eve.show(&[removal]).await;
    eve.settle().await;
    ada.until("eve", |client| client.states.contains_key(&2))
        .await;
    assert!(ada.states[&1].state.contains("Ada"));
    assert!(!ada.states[&1].state.contains("Eve"));
    assert!(ada.closed.is_none());
}

#[tokio::test]
async fn who_reconnects_before_the_old_connection_is_found_dead_is_seen() {
    let server = Server::start().await;
    let mut witness = Client::yws(&server, "p/d", EDITOR, doc()).await;
    witness.until_synced().await;
    // It never reads, so it answers no ping: as a machine that has gone to sleep.
    let mut asleep = Client::yws(&server, "p/d", EDITOR, doc()).await;
    asleep.show(&[state(1, 5, "Ada, asleep")]).await;
    witness.until("seen", |client| names(client) == [1]).await;
    let mut awake = Client::yws(&server, "p/d", EDITOR, doc()).await;
    // Stock clients come back with the clock they had.
    awake.show(&[state(1, 5, "Ada, awake")]).await;
    awake.until_synced().await;
    // And they renew their state now and then, with the next clock.
    let awake = tokio::spawn(async move {
        let mut renewal = tokio::time::interval(Duration::from_secs(2));
        let mut clock = 5;
        loop {
            tokio::select! {
                more = awake.step() => if !more { break },
                _ = renewal.tick() => {
                    clock += 1;
                    awake.show(&[state(1, clock, "Ada, awake")]).await;
                }
            }
        }
    });
    witness
        .until("awake", |client| {
            client
                .states
                .get(&1)
                .is_some_and(|state| state.state.contains("awake") && state.clock > 5)
        })
        .await;
    awake.abort();
}

#[tokio::test]
async fn who_is_asked_for_a_sign_of_life_and_gives_it_is_left_alone() {
    let limits = Limits {
        probe_timeout: Duration::from_millis(50),
        ..Limits::default()
    };
    let server = Server::with(limits).await;
    for round in 0..20 {
        let mut ada = Client::yws(&server, "p/d", EDITOR, doc()).await;
        ada.until_synced().await;
        ada.show(&[state(1, 1, "Ada")]).await;
        ada.until("seen", |client| names(client) == [1]).await;
        let mut echo = Client::yws(&server, "p/d", EDITOR, doc()).await;
        echo.show(&[state(1, 1, "Ada")]).await;
        echo.until_synced().await;
        // Reading answers the ping; the time that the answer may take passes meanwhile.
        let waiting = async {
            loop {
                ada.until(&format!("round {round}"), |client| client.closed.is_some())
                    .await;
            }
        };
        let time = Duration::from_millis(120);
        assert!(tokio::time::timeout(time, waiting).await.is_err());
        assert!(ada.closed.is_none(), "round {round}");
    }
}

#[tokio::test]
async fn a_dead_peer_is_found_and_its_state_goes() {
    let limits = Limits {
        pong_timeout: Duration::from_millis(600),
        ..Limits::default()
    };
    let server = Server::with(limits).await;
    let mut witness = Client::yws(&server, "p/d", EDITOR, doc()).await;
    witness.until_synced().await;
    let mut dead = Client::yws(&server, "p/d", EDITOR, doc()).await;
    dead.show(&[state(1, 1, "Ada")]).await;
    witness.until("seen", |client| names(client) == [1]).await;
    // The witness answers pings by reading; the other does not.
    witness
        .until("gone", |client| names(client).is_empty())
        .await;
}

#[tokio::test]
async fn a_state_that_nobody_renews_expires() {
    let limits = Limits {
        awareness_timeout: Duration::from_millis(100),
        ..Limits::default()
    };
    let server = Server::with(limits).await;
    let mut ada = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    ada.show(&[state(1, 1, "Ada")]).await;
    ada.until("seen", |client| names(client) == [1]).await;
    ada.until("gone", |client| names(client).is_empty()).await;
}

#[tokio::test]
async fn a_quiet_room_still_gives_signs_of_life() {
    let limits = Limits {
        keep_alive: Duration::from_millis(100),
        ..Limits::default()
    };
    let server = Server::with(limits).await;
    // y-websocket, a provider of version 4 (its token tells its version), and one of version 2.
    let mut yws = Client::yws(&server, "p/d", EDITOR, doc()).await;
    let mut four = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    let mut two = Client::silent(&server, "p/d").await;
    let token = Message::Token {
        token: EDITOR,
        version: None,
    };
    two.say(token).await;
    two.until("in", |client| client.role.is_some()).await;
    yws.until_synced().await;
    four.until_saved().await;
    four.until("pinged", |client| client.pings > 1).await;
    for client in [&mut yws, &mut two] {
        let before = client.frames;
        client
            .until("a message", |client| client.frames > before + 1)
            .await;
        assert_eq!(client.pings, 0);
        assert!(client.states.is_empty());
    }
}
