//! People who open a document, read it and leave: how often it was in memory, and how long it took.

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message;
use tutti_protocol::codec::Reader;
use tutti_protocol::index::new_doc;
use tutti_protocol::sync::SyncMessage;
use tutti_protocol::yws;
use yrs::{Text, Transact};

use crate::clients::Spread;
use crate::node::Node;

/// Visits for each document there is.
const VISITS_EACH: usize = 10;

/// A document's text.
const BYTES: usize = 32 << 10;

/// Makes the documents, and visits them.
pub(crate) async fn measure(nodes: &[Node], visits: usize) -> Result<()> {
    let documents = (visits / VISITS_EACH).max(5);
    for document in 0..documents {
        let node = &nodes[document % nodes.len()];
        fill(node.addr(), document).await?;
    }
    let before = opened(nodes)?;
    let mut rng = fastrand::Rng::with_seed(1);
    let mut took = Vec::new();
    for visit in 0..visits {
        // Most people are in the files that the others are in.
        let document = match rng.u8(..5) {
            0 => rng.usize(..documents),
            _ => rng.usize(..documents / 5),
        };
        let began = Instant::now();
        visit_one(nodes[visit % nodes.len()].addr(), document).await?;
        took.push(began.elapsed().as_micros() as u64);
    }
    let after = opened(nodes)?;
    let (hits, misses) = (after.0 - before.0, after.1 - before.1);
    let took = Spread::new(took);
    println!(
        "visits                  {:>10} to {documents} documents of 32 KiB",
        took.count()
    );
    println!(
        "found in memory         {:>10.1} %",
        hits * 100.0 / (hits + misses)
    );
    println!(
        "until it is shown       {:>7.1} ms {:>7.1} ms, the median and 99 %",
        took.at_ms(0.5),
        took.at_ms(0.99)
    );
    Ok(())
}

/// Rooms entered: from memory, and from the store.
fn opened(nodes: &[Node]) -> Result<(f64, f64)> {
    let sum = |from: &str| -> Result<f64> {
        let nodes = nodes.iter();
        nodes
            .map(|node| node.figure("tutti_room_opens_total", from))
            .sum()
    };
    Ok((sum("\"memory\"")?, sum("\"store\"")?))
}

async fn fill(node: SocketAddr, document: usize) -> Result<()> {
    let doc = new_doc(document as u64 + 1);
    let content = doc.get_or_insert_text("content");
    let update = {
        let mut txn = doc.transact_mut();
        content.push(
            &mut txn,
            &"thirty-two letters are in a line".repeat(BYTES / 32),
        );
        txn.encode_update_v1()
    };
    exchange(
        node,
        document,
        &yws::Message::Sync(SyncMessage::Update(&update)),
    )
    .await
}

async fn visit_one(node: SocketAddr, document: usize) -> Result<()> {
    exchange(
        node,
        document,
        &yws::Message::Sync(SyncMessage::Step1(&[0])),
    )
    .await
}

/// Says one thing and waits for the answer to it: the document, or the update again, once it is durable.
async fn exchange(node: SocketAddr, document: usize, said: &yws::Message<'_>) -> Result<()> {
    let url = format!("ws://{node}/ws/load/visited-{document}?token=any");
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await?;
    socket.send(Message::Binary(said.encode().into())).await?;
    loop {
        let message = socket.next().await.context("it closed")??;
        let Message::Binary(frame) = message else {
            bail!("no answer but {message:?}");
        };
        let mut reader = Reader::new(&frame);
        if let yws::Message::Sync(SyncMessage::Step2(_) | SyncMessage::Update(_)) =
            yws::Message::read(&mut reader)?
        {
            socket.close(None).await?;
            return Ok(());
        }
    }
}
