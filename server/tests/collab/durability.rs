//! "Saved" means saved; and a store that fails neither stops the editing nor is kept quiet.

use std::time::Duration;

use tutti_protocol::close;
use tutti_protocol::hocuspocus::Message;
use tutti_server::fanout::LocalFanOut;
use tutti_server::limits::Limits;
use tutti_server::rooms::Have;
use tutti_server::store::{Append, DocumentStore};
use yrs::{ReadTxn, Transact};

use crate::client::{Client, doc};
use crate::server::{EDITOR, Server, name};

#[tokio::test]
async fn an_edit_reaches_the_others_before_it_is_durable_and_is_confirmed_only_after() {
    let server = Server::start().await;
    let mut ada = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    let mut bo = Client::yws(&server, "p/d", EDITOR, doc()).await;
    ada.until_saved().await;
    bo.until_synced().await;
    let confirmed = ada.durable;

    let blocker = server.raw();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    ada.push("from ada ").await;
    bo.until_text("from ada ").await;
    bo.push("from bo").await;
    ada.until_text("from ada from bo").await;
    // Everything that the server had to say has been said; no confirmation is among it.
    ada.settle().await;
    bo.settle().await;
    assert_eq!(ada.durable, confirmed);
    assert_eq!(bo.updates.len(), 1, "only ada's update came");

    blocker.execute_batch("COMMIT").unwrap();
    ada.until_saved().await;
    bo.until("echo", |client| client.updates.len() == 2).await;
    let stored = server.text_after_kill("p/d").await;
    assert_eq!(stored, "from ada from bo");
}

#[tokio::test]
async fn whatever_moment_the_process_is_killed_what_was_confirmed_is_there() {
    let server = Server::start().await;
    let mut ada = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    ada.until_saved().await;
    for round in 0..5 {
        for n in 0..20 {
            ada.push(&format!("[{round}.{n}]")).await;
        }
        let target = ada.durable + 7 + round;
        ada.until("some confirmed", |client| client.durable >= target)
            .await;
        let stored = server.text_after_kill("p/d").await;
        // One confirmation is for the Step2 of joining.
        for part in ada.parts().iter().take(ada.durable - 1) {
            assert_eq!(stored.matches(part).count(), 1, "{part} in {stored}");
        }
        ada.until_saved().await;
    }
}

#[tokio::test]
async fn a_full_disk_is_said_and_nothing_is_confirmed_until_it_is_made_good() {
    let server = Server::start().await;
    let mut ada = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    let mut bo = Client::yws(&server, "p/d", EDITOR, doc()).await;
    bo.until_synced().await;
    ada.push("before ").await;
    ada.until_saved().await;
    assert_eq!(server.rooms.health().not_saving, None);

    server.store.limit_size(Some(1)).await.unwrap();
    let long = "x".repeat(200_000);
    ada.push(&long).await;
    ada.until("told", |client| !client.texts.is_empty()).await;
    let said = r#"{"saved":false,"reason":"the disk is full"#;
    assert!(ada.texts[0].starts_with(said), "{:?}", ada.texts);
    let health = server.rooms.health();
    assert!(
        health.not_saving.unwrap().contains("disk is full"),
        "health says why"
    );
    assert_eq!(health.failing_rooms, 1);

    // Editing goes on, both ways; who comes now is told as well.
    ada.push("during").await;
    bo.until("all", |client| client.text().ends_with("during"))
        .await;
    let mut late = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    late.until("told", |client| !client.texts.is_empty()).await;
    late.until("all", |client| client.text().ends_with("during"))
        .await;
    ada.settle().await;
    assert!(ada.unsynced >= 2);
    assert_eq!(server.text_after_kill("p/d").await, "before ");

    server.store.limit_size(None).await.unwrap();
    ada.until("told again", |client| client.texts.len() == 2)
        .await;
    assert_eq!(ada.texts[1], r#"{"saved":true}"#);
    ada.until_saved().await;
    assert_eq!(server.rooms.health(), Default::default());
    let stored = server.text_after_kill("p/d").await;
    assert!(stored.starts_with("before x") && stored.ends_with("during"));
}

#[tokio::test]
async fn what_cannot_be_saved_is_bounded_and_then_refused_with_the_reason() {
    let limits = Limits {
        unsaved_bytes: 300_000,
        ..Limits::default()
    };
    let server = Server::with(limits).await;
    let mut ada = Client::yws(&server, "p/d", EDITOR, doc()).await;
    let mut witness = Client::hocuspocus(&server, "p/other", EDITOR, doc()).await;
    ada.until_synced().await;
    witness.until_saved().await;
    server.store.limit_size(Some(1)).await.unwrap();
    ada.push(&"x".repeat(200_000)).await;
    ada.settle().await;
    ada.push(&"y".repeat(200_000)).await;
    let (code, reason) = ada.until_closed().await;
    assert_eq!(code, close::TRY_LATER);
    assert!(reason.contains("cannot take more edits"), "{reason}");
    witness.settle().await;

    // What was refused is still in the client, which comes back with it.
    server.store.limit_size(None).await.unwrap();
    let nothing = bytes::Bytes::from_static(tutti_server::update::EMPTY);
    // Returns once everything before it is durable.
    server.rooms.apply(&name("p/d"), nothing).await.unwrap();
    let mut again = Client::yws(&server, "p/d", EDITOR, ada.doc.clone()).await;
    again
        .until("asked", |client| client.steps1 == 1 && client.synced)
        .await;
    again.settle().await;
    assert_eq!(server.text("p/d").await.len(), 400_000);
}

#[tokio::test]
async fn a_failed_load_is_never_an_empty_document() {
    let server = Server::start().await;
    let mut ada = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    ada.push("precious").await;
    ada.until_saved().await;
    drop(ada);
    let next = Server::on(server.dir(), Limits::default(), LocalFanOut::new()).await;
    let store = next.raw();
    store
        .execute_batch("ALTER TABLE updates RENAME TO away")
        .unwrap();

    let mut yws = Client::yws(&next, "p/d", EDITOR, doc()).await;
    let (code, reason) = yws.until_closed().await;
    assert_eq!(code, close::TRY_LATER);
    assert!(reason.contains("cannot be loaded"), "{reason}");
    assert!(!yws.synced && yws.frames == 0);
    assert!(next.rooms.text(&name("p/d")).await.is_err());

    // A provider cannot come back to one room, so its join is tried again for it.
    let mut bo = Client::hocuspocus(&next, "p/d", EDITOR, doc()).await;
    bo.push("typed meanwhile ").await;
    store
        .execute_batch("ALTER TABLE away RENAME TO updates")
        .unwrap();
    bo.until("both", |client| {
        client.text().contains("precious") && client.unsynced == 0
    })
    .await;
    assert_eq!(next.text("p/d").await, bo.text());
}

#[tokio::test]
async fn a_store_that_stays_away_ends_in_a_close_that_brings_the_client_back() {
    let server = Server::start().await;
    let mut ada = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    ada.push("precious").await;
    ada.until_saved().await;
    let next = Server::on(server.dir(), Limits::default(), LocalFanOut::new()).await;
    next.raw()
        .execute_batch("ALTER TABLE updates RENAME TO away")
        .unwrap();
    let mut bo = Client::hocuspocus(&next, "p/d", EDITOR, doc()).await;
    let (code, reason) = bo.until_closed().await;
    assert_eq!(code, close::TRY_LATER);
    assert!(reason.contains("cannot be loaded"), "{reason}");
    assert!(!bo.synced);
}

/// Both what does not fit its checksum, and what does and is no Yjs update.
#[tokio::test]
async fn a_damaged_document_is_a_case_of_its_own_and_its_own_alone() {
    for fits_its_checksum in [false, true] {
        let server = Server::start().await;
        let mut ada = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
        ada.push("precious").await;
        ada.until_saved().await;
        drop(ada);
        let next = Server::on(server.dir(), Limits::default(), LocalFanOut::new()).await;
        if fits_its_checksum {
            let garbage = Append::new(name("p/d"), bytes::Bytes::from_static(b"no update"));
            next.store.append(vec![garbage]).await.unwrap();
        } else {
            let damage = "UPDATE updates SET checksum = checksum + 1";
            assert!(next.raw().execute(damage, []).unwrap() > 0);
        }

        let mut yws = Client::yws(&next, "p/d", EDITOR, doc()).await;
        let (code, reason) = yws.until_closed().await;
        assert_eq!((code, &reason[..]), (close::DAMAGED, close::DAMAGED_REASON));
        assert!(!yws.synced, "an empty document was shown");
        assert_eq!(next.rooms.health().damaged_documents, 1);

        // One room is refused, the socket stays, and so do the others on it.
        let mut bo = Client::hocuspocus(&next, "p/other", EDITOR, doc()).await;
        bo.until_synced().await;
        let token = Message::Token {
            token: EDITOR,
            version: None,
        };
        bo.say_to("p/d", token).await;
        let mut cy = Client::hocuspocus(&next, "p/d", EDITOR, doc()).await;
        cy.until("denied", |client| client.denied.is_some()).await;
        assert_eq!(cy.denied.as_deref(), Some(close::DAMAGED_REASON));
        assert!(!cy.synced);
        bo.push("goes on").await;
        bo.until_saved().await;
        assert!(bo.closed.is_none() && cy.closed.is_none());

        let asked = ["e", "d", "f"].map(|id| {
            let state = doc().transact().encode_diff_v1(&Default::default());
            (id.parse().unwrap(), Have::State(state.into()))
        });
        let project = "p".parse().unwrap();
        let exchange = |asked: &[_]| next.rooms.exchange(&project, asked.to_vec());
        let given = exchange(&asked).await.unwrap();
        assert_eq!(given.len(), 1, "the answer ends ahead of the damaged one");
        assert!(exchange(&asked[1..]).await.unwrap_err().is_damage());
        assert_eq!(exchange(&asked[2..]).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_document_that_is_restored_opens_and_counts_as_damaged_no_more() {
    let server = Server::start().await;
    let mut ada = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    ada.push("precious").await;
    ada.until_saved().await;
    let next = Server::on(server.dir(), Limits::default(), LocalFanOut::new()).await;
    let by = |change: &str| {
        let sql = format!("UPDATE updates SET checksum = checksum {change}");
        next.raw().execute(&sql, []).unwrap()
    };
    by("+ 1");
    let mut bo = Client::hocuspocus(&next, "p/d", EDITOR, doc()).await;
    bo.until("denied", |client| client.denied.is_some()).await;
    by("- 1");
    bo.join(EDITOR).await;
    bo.until("the text", |client| client.text() == "precious")
        .await;
    assert_eq!(next.rooms.health().damaged_documents, 0);
}

#[tokio::test]
async fn shutdown_saves_everything_and_sends_everybody_away_to_come_back() {
    let server = Server::start().await;
    let mut ada = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    let mut bo = Client::yws(&server, "p/e", EDITOR, doc()).await;
    ada.until_saved().await;
    bo.until_synced().await;
    let blocker = server.raw();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    ada.push("last words").await;
    bo.push("and mine").await;
    ada.settle().await;
    bo.settle().await;
    let rooms = server.rooms.clone();
    let shutdown = tokio::spawn(async move { rooms.shutdown().await });
    blocker.execute_batch("COMMIT").unwrap();
    assert_eq!(ada.until_closed().await.0, close::RESTART);
    assert_eq!(bo.until_closed().await.0, close::RESTART);
    // The confirmation came before the end.
    assert_eq!(ada.unsynced, 0);
    shutdown.await.unwrap().unwrap();
    assert_eq!(server.text_after_kill("p/d").await, "last words");
    assert_eq!(server.text_after_kill("p/e").await, "and mine");
    // Nobody gets in any more.
    let mut late = Client::yws(&server, "p/d", EDITOR, doc()).await;
    assert_eq!(late.until_closed().await.0, close::RESTART);
}

#[tokio::test]
async fn shutdown_with_a_store_that_takes_nothing_ends_and_says_so() {
    let limits = Limits {
        shutdown_timeout: Duration::from_millis(300),
        ..Limits::default()
    };
    let server = Server::with(limits).await;
    let mut ada = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    ada.until_saved().await;
    server.store.limit_size(Some(1)).await.unwrap();
    ada.push(&"x".repeat(200_000)).await;
    ada.until("told", |client| !client.texts.is_empty()).await;
    let error = server.rooms.shutdown().await.unwrap_err();
    assert!(error.to_string().contains("disk is full"), "{error}");
}

#[tokio::test]
async fn a_long_log_is_compacted_while_people_type() {
    let limits = Limits {
        compact_entries: 20,
        ..Limits::default()
    };
    let server = Server::with(limits).await;
    let mut ada = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    ada.until_saved().await;
    let mut expected = String::new();
    for n in 0..200 {
        let word = format!("{n} ");
        ada.push(&word).await;
        expected += &word;
        if n % 10 == 0 {
            ada.until_saved().await;
        }
    }
    ada.until_saved().await;
    assert_eq!(server.text_after_kill("p/d").await, expected);
    let entries: i64 = server
        .raw()
        .query_row("SELECT count(*) FROM updates", [], |row| row.get(0))
        .unwrap();
    assert!(entries < 150, "{entries} entries are left");
}
