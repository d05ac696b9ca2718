//! Hostile bytes cost one connection.

use tutti_protocol::close;
use tutti_protocol::codec::Write;
use tutti_protocol::hocuspocus::Message;
use tutti_protocol::sync::SyncMessage;

use crate::client::{Client, doc, state};
use crate::server::{EDITOR, Server};

#[allow(clippy::print_stdout, reason = "a failed run must be repeatable")]
fn print_seed(seed: u64) {
    println!("SEED={seed}");
}

fn seed() -> u64 {
    let seed = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    print_seed(seed);
    seed
}

#[tokio::test]
async fn each_kind_of_garbage_is_named() {
    let server = Server::start().await;
    let mut witness = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    witness.push("precious").await;
    witness.until_saved().await;

    let step = |kind: u64, bytes: &[u8]| {
        let mut frame = Vec::new();
        frame.var_uint(0);
        frame.var_uint(kind);
        frame.var_bytes(bytes);
        frame
    };
    let yws: [(Vec<u8>, &str); 6] = [
        (vec![99], "type 99"),
        (vec![0, 7, 0], "type 7"),
        (vec![0, 2, 0xff, 0xff, 0x7f], "ends too early"),
        // A claim of 2^28 clients.
        (
            step(2, &[0xff, 0xff, 0xff, 0x7f]),
            "larger than the message",
        ),
        (step(0, &[0xff, 0xff, 0x7f]), "larger than the message"),
        (vec![1, 3, 1, 1, 1], "awareness"),
    ];
    for (frame, reason) in &yws {
        let mut client = Client::yws(&server, "p/d", EDITOR, doc()).await;
        client.until_synced().await;
        client.raw(frame.clone()).await;
        let closed = client.until_closed().await;
        assert_eq!(closed.0, close::BAD_FRAME, "{frame:?}: {closed:?}");
        assert!(closed.1.contains(reason), "{frame:?}: {closed:?}");

        let mut client = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
        client.until_saved().await;
        let mut framed = Vec::new();
        framed.var_str("p/d");
        framed.extend(frame);
        client.raw(framed).await;
        let closed = client.until_closed().await;
        assert_eq!(closed.0, close::BAD_FRAME, "{frame:?}: {closed:?}");
    }
    let mut client = Client::silent(&server, "p/d").await;
    client.raw(vec![0xff; 20]).await;
    assert_eq!(client.until_closed().await.0, close::BAD_FRAME);

    let mut client = Client::yws(&server, "p/d", EDITOR, doc()).await;
    use futures_util::SinkExt;
    client.socket.send("text".into()).await.unwrap();
    assert_eq!(client.until_closed().await.0, close::BAD_FRAME);

    witness.settle().await;
    assert_eq!(server.text("p/d").await, "precious");
}

#[tokio::test]
async fn damaged_frames_of_every_kind_trouble_nobody_else() {
    let server = Server::start().await;
    let mut rng = fastrand::Rng::with_seed(seed());
    let mut witness = Client::hocuspocus(&server, "p/witness", EDITOR, doc()).await;
    witness.until_saved().await;
    let mut victim = Client::yws(&server, "p/d", EDITOR, doc()).await;
    victim.until_synced().await;
    for round in 0..150 {
        let is_yws = rng.bool();
        let mut client = if is_yws {
            Client::yws(&server, "p/d", EDITOR, doc()).await
        } else {
            Client::hocuspocus(&server, "p/d", EDITOR, doc()).await
        };
        let update = client.push_quietly("some text 😀");
        let states = tutti_protocol::awareness::encode(&[state(rng.u64(1..99), 1, "x")]);
        for _ in 0..6 {
            let step = match rng.u8(..4) {
                0 => SyncMessage::Step1(&[1, 1, 1]),
                1 => SyncMessage::Step2(&update),
                _ => SyncMessage::Update(&update),
            };
            let message = match rng.u8(..8) {
                0 => Message::Awareness(&states),
                1 => Message::Stateless("x"),
                2 => Message::Close(""),
                _ => Message::Sync(step),
            };
            let mut frame = tutti_protocol::hocuspocus::Frame {
                address: "p/d",
                message,
            }
            .encode();
            if is_yws {
                frame.drain(..4);
            }
            for _ in 0..rng.usize(0..3) {
                let at = rng.usize(..frame.len());
                frame[at] = rng.u8(..);
            }
            client.raw(frame).await;
        }
        drop(client);
        if round % 25 == 0 {
            let word = format!("{round} ");
            witness.push(&word).await;
            witness.until_saved().await;
            assert!(server.text("p/witness").await.ends_with(&word));
        }
    }
    // The room itself goes on as well; its text is whatever forged edits made of it.
    let mut after = Client::yws(&server, "p/d", EDITOR, doc()).await;
    after.until_synced().await;
    after.push("alive").await;
    after
        .until("echo", |client| !client.updates.is_empty())
        .await;
    assert!(server.text("p/d").await.contains("alive"));
}

/// An update that decodes and whose integration fails half way: its second item claims to lie
/// within its first, which is a text.
fn spoiling() -> Vec<u8> {
    let mut update = vec![1, 2, 1, 0];
    update.extend([4, 1]);
    update.var_str("content");
    update.var_str("half ");
    update.extend([4, 0, 1, 0]);
    update.var_str("way");
    update.push(0);
    update
}

#[tokio::test]
async fn an_update_that_breaks_the_document_costs_its_sender_only() {
    let server = Server::start().await;
    let mut witness = Client::hocuspocus(&server, "p/d", EDITOR, doc()).await;
    witness.push("precious").await;
    witness.until_saved().await;
    for round in 0..5 {
        // Not stored yet when the document has to be built again.
        let blocker = server.raw();
        blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
        witness.push(&format!(" {round}")).await;
        witness.settle().await;
        let mut eve = Client::yws(&server, "p/d", EDITOR, doc()).await;
        eve.until_synced().await;
        eve.send_update(&spoiling()).await;
        let (code, reason) = eve.until_closed().await;
        assert_eq!(code, close::BAD_FRAME);
        assert!(reason.contains("cannot be integrated"), "{reason}");
        blocker.execute_batch("COMMIT").unwrap();
        witness.push("!").await;
        witness.until_saved().await;
        assert_eq!(server.text("p/d").await, witness.text());
        assert_eq!(server.text_after_kill("p/d").await, witness.text());
    }
    assert_eq!(witness.text(), "precious 0! 1! 2! 3! 4!");
}
