//! Messages that Redis loses.

use std::time::{Duration, Instant};

use tutti_server::limits::Limits;
use yrs::{GetString, Text, Transact};

use crate::client::{Client, doc};
use crate::proxy::Proxy;
use crate::redis_server::{Kind, RedisServer};
use crate::server::{EDITOR, Server, Shared};

#[allow(
    clippy::print_stderr,
    reason = "figures, and what repeats a failed run"
)]
fn tell(what: &str, figure: impl std::fmt::Debug) {
    eprintln!("{what}: {figure:?}");
}

fn seed() -> u64 {
    let given = std::env::var("SEED").ok();
    let seed = given
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| fastrand::u64(..));
    tell("SEED", seed);
    seed
}

/// Two nodes in one room; what comes to the second may be swallowed.
struct Two {
    redis: RedisServer,
    proxy: Proxy,
    ada: Client,
    bo: Client,
    _nodes: (Server, Server),
}

async fn two() -> Two {
    let (redis, shared) = (RedisServer::start(Kind::Single), Shared::new());
    let proxy = Proxy::start(redis.port, 1).await;
    let one = Server::start(shared.path(), &redis.url(), Limits::default()).await;
    let two = Server::start(shared.path(), &proxy.url(), Limits::default()).await;
    one.until_connected().await;
    two.until_connected().await;
    let mut ada = Client::hocuspocus(&one, "p/d", EDITOR, doc()).await;
    let mut bo = Client::hocuspocus(&two, "p/d", EDITOR, doc()).await;
    ada.push("start").await;
    ada.until_saved().await;
    bo.until_text("start").await;
    // The directory is in use until the nodes have gone.
    std::mem::forget(shared);
    Two {
        redis,
        proxy,
        ada,
        bo,
        _nodes: (one, two),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_message_is_missed_when_the_next_one_comes() {
    let mut two = two().await;
    for round in 0..5 {
        let lost = format!("[lost {round}]");
        two.proxy.swallow_what(two.ada.push(&lost)).await;
        let began = Instant::now();
        two.ada.push(&format!("[next {round}]")).await;
        two.bo.until_text(&two.ada.text()).await;
        let took = began.elapsed();
        tell("a gap is closed after", took);
        assert!(took < Duration::from_secs(5));
    }
    drop(two.redis);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_message_is_found_though_nothing_follows_it() {
    let mut two = two().await;
    two.proxy.swallow_what(two.ada.push("[lost]")).await;
    let began = Instant::now();
    two.bo.until_text(&two.ada.text()).await;
    let took = began.elapsed();
    tell("a lost last message is found after", took);
    assert!(took < Duration::from_secs(15));
}

/// Types at the mark that comes first after `place`, never inside of one.
async fn insert(client: &mut Client, place: u32, word: &str) {
    let update = {
        let content = client.doc.get_or_insert_text("content");
        let mut txn = client.doc.transact_mut();
        let whole = content.get_string(&txn);
        let places: Vec<usize> = whole.match_indices('[').map(|(at, _)| at).collect();
        let at = match places.len() {
            0 => whole.len(),
            count => places[place as usize % count],
        };
        content.insert(&mut txn, at as u32, word);
        txn.encode_update_v1()
    };
    client.send_update(&update).await;
}

/// Three nodes that lose a fifth of what they should hear, and now and then their connection.
#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_that_lose_messages_come_to_one_text() {
    let seed = seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let (redis, shared) = (RedisServer::start(Kind::Single), Shared::new());
    let (mut proxies, mut nodes, mut clients) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..3 {
        let proxy = Proxy::start(redis.port, seed ^ n).await;
        nodes.push(Server::start(shared.path(), &proxy.url(), Limits::default()).await);
        proxies.push(proxy);
    }
    for node in &nodes {
        node.until_connected().await;
        clients.push(Client::hocuspocus(node, "p/d", EDITOR, doc()).await);
    }
    for client in &mut clients {
        client.until_saved().await;
    }
    for proxy in &proxies {
        proxy.swallow(200);
        proxy.delay(30);
    }
    let mut words = Vec::new();
    for round in 0..240 {
        let who = random.usize(..3);
        let word = format!("[{who}.{round}]");
        if random.u8(..4) == 0 {
            insert(&mut clients[who], random.u32(..), &word).await;
        } else {
            clients[who].push(&word).await;
        }
        words.push(word);
        match random.u8(..60) {
            0 => proxies[random.usize(..3)].cut(),
            1..10 => proxies.iter().for_each(Proxy::mend),
            _ => {}
        }
        let pause = Duration::from_millis(random.u64(..20));
        let other = random.usize(..3);
        let _ = tokio::time::timeout(pause, clients[other].step()).await;
    }
    proxies.iter().for_each(Proxy::mend);
    let lost: usize = proxies.iter().map(Proxy::swallowed).sum();
    tell("messages lost", lost);
    assert!(lost > 0);
    // Messages go on being lost while it heals.
    let began = Instant::now();
    for client in &mut clients {
        let all = |client: &Client| words.iter().all(|word| client.text().contains(word));
        client.until("everything", all).await;
    }
    tell("everything is everywhere after", began.elapsed());
    let text = clients[0].text();
    for client in &mut clients {
        client.until_text(&text).await;
    }
    for word in words {
        assert_eq!(text.matches(&word).count(), 1, "{word}");
    }
    for node in &nodes {
        assert_eq!(node.text("p/d").await, text);
    }
}
