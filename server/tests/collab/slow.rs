//! A client that reads slowly, or not at all.

use std::time::{Duration, Instant};

use tutti_server::limits::Limits;
use yrs::{Text, Transact};

use crate::client::{Client, doc, state};
use crate::server::{EDITOR, Server};

/// Replaces the whole text, so that traffic grows and the document does not.
async fn replace(client: &mut Client, with: &str) {
    let update = {
        let content = client.doc.get_or_insert_text("content");
        let mut txn = client.doc.transact_mut();
        let len = content.len(&txn);
        content.remove_range(&mut txn, 0, len);
        content.push(&mut txn, with);
        txn.encode_update_v1()
    };
    client.send_update(&update).await;
}

/// Sends about 40 MB through a room while `slow` reads nothing; the writer is confirmed all along.
async fn flood(server: &Server, writer: &mut Client) -> String {
    let mut last = String::new();
    for n in 0..80 {
        last = format!("{n}{}", "x".repeat(500_000));
        replace(writer, &last).await;
        writer.until_saved().await;
    }
    assert_eq!(server.text("p/d").await, last);
    last
}

/// A server for many bytes, with one who writes and one of each protocol who may stop to read.
async fn crowd() -> (Server, Client, Client, Client) {
    let limits = Limits {
        bytes_per_second: 1 << 30,
        burst_bytes: 1 << 30,
        ..Limits::default()
    };
    let server = Server::with(limits).await;
    let mut writer = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    let mut yws = Client::yws(&server, "p/d", EDITOR, doc()).await;
    let mut hocuspocus = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    writer.until_saved().await;
    yws.until_synced().await;
    hocuspocus.until_saved().await;
    (server, writer, yws, hocuspocus)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_nothing_holds_up_no_shutdown() {
    let (server, mut writer, _yws, _hocuspocus) = crowd().await;
    flood(&server, &mut writer).await;
    drop(writer);
    let start = Instant::now();
    server.rooms.shutdown().await.unwrap();
    let took = start.elapsed();
    assert!(took < Duration::from_secs(6), "it took {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stops_reading_costs_nobody_anything_and_is_brought_up_to_date() {
    let (server, mut writer, mut yws, mut hocuspocus) = crowd().await;
    writer.show(&[state(1, 1, "Ada")]).await;
    let text = flood(&server, &mut writer).await;

    let mut received = 0;
    for client in [&mut yws, &mut hocuspocus] {
        // Its own edit, made while it was behind, is confirmed too.
        client
            .until("caught up", |client| client.text() == text)
            .await;
        client
            .until("who is there", |client| client.states.contains_key(&1))
            .await;
        received += client.updates.len();
    }
    assert!(received < 150, "not all 160 frames were kept: {received}");
    hocuspocus.push("!").await;
    hocuspocus.until_saved().await;
    writer
        .until("edit", |client| client.text().ends_with('!'))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_never_reads_again_is_dropped() {
    let limits = Limits {
        bytes_per_second: 1 << 30,
        burst_bytes: 1 << 30,
        write_timeout: Duration::from_millis(300),
        ..Limits::default()
    };
    let server = Server::with(limits).await;
    let mut writer = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    let mut stuck = Client::yws(&server, "p/d", EDITOR, doc()).await;
    writer.until_saved().await;
    stuck.until_synced().await;
    stuck.show(&[state(7, 1, "Stuck")]).await;
    writer
        .until("seen", |client| client.states.contains_key(&7))
        .await;
    flood(&server, &mut writer).await;
    writer
        .until("gone", |client| !client.states.contains_key(&7))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_member_delays_nobody() {
    let limits = Limits {
        bytes_per_second: 1 << 30,
        burst_bytes: 1 << 30,
        ..Limits::default()
    };
    let server = Server::with(limits).await;
    let mut writer = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    let mut reader = Client::yws(&server, "p/d", EDITOR, doc()).await;
    let mut slow = Vec::new();
    for _ in 0..20 {
        slow.push(Client::yws(&server, "p/d", EDITOR, doc()).await);
    }
    writer.until_saved().await;
    reader.until_synced().await;
    for _ in 0..20 {
        replace(&mut writer, &"x".repeat(500_000)).await;
        let expected = writer.text();
        reader
            .until("it came", |client| client.text() == expected)
            .await;
    }
    let mut times = Vec::new();
    for n in 0..50 {
        let started = Instant::now();
        let word = format!("{n} ");
        writer.push(&word).await;
        reader
            .until("it came", |client| client.text().ends_with(&word))
            .await;
        times.push(started.elapsed());
    }
    times.sort();
    assert!(times[25] < Duration::from_millis(500), "{times:?}");
}
