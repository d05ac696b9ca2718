//! Redis, or a node, that is away for a while or for good.

use std::time::{Duration, Instant};

use tutti_server::limits::Limits;

use crate::client::{Client, doc, state};
use crate::node::Node;
use crate::proxy::Proxy;
use crate::redis_server::{Kind, RedisServer};
use crate::server::{EDITOR, Server, Shared};

#[allow(clippy::print_stderr, reason = "figures")]
fn tell(what: &str, figure: Duration) {
    eprintln!("{what}: {figure:?}");
}

/// Types on one side and waits for it on the other; how long it took.
async fn passes(from: &mut Client, to: &mut Client, word: &str) -> Duration {
    let began = Instant::now();
    from.push(word).await;
    to.until(word, |client| client.text().contains(word)).await;
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_is_away_nodes_follow_the_store() {
    let (mut redis, shared) = (RedisServer::start(Kind::Single), Shared::new());
    let one = Server::start(shared.path(), &redis.url(), Limits::default()).await;
    let two = Server::start(shared.path(), &redis.url(), Limits::default()).await;
    one.until_connected().await;
    two.until_connected().await;
    let mut ada = Client::hocuspocus(&one, "p/d", EDITOR, doc()).await;
    let mut bo = Client::yws(&two, "p/d", EDITOR, doc()).await;
    let mut index = Client::hocuspocus(&two, "p/index", EDITOR, doc()).await;
    ada.until_saved().await;
    bo.until_synced().await;
    index.until_saved().await;
    tell("over Redis", passes(&mut ada, &mut bo, "[first]").await);
    redis.kill();
    let mut slowest = Duration::ZERO;
    for round in 0..6 {
        slowest = slowest.max(passes(&mut ada, &mut bo, &format!("[a{round}]")).await);
        slowest = slowest.max(passes(&mut bo, &mut ada, &format!("[b{round}]")).await);
    }
    tell("through the store, at the most", slowest);
    assert!(slowest < Duration::from_secs(6));
    index
        .until("hint", |client| {
            client.texts.concat().matches("\"d\"").count() > 1
        })
        .await;
    let trouble = one.rooms().fanout_trouble().unwrap();
    assert!(trouble.contains("Redis"), "{trouble}");
    // Who comes meanwhile, on a node that has not opened the room.
    let three = Server::start(shared.path(), &redis.url(), Limits::default()).await;
    let mut cy = Client::yws(&three, "p/d", EDITOR, doc()).await;
    cy.until_text(&ada.text()).await;

    redis.launch();
    for node in [&one, &two, &three] {
        node.until_connected().await;
    }
    ada.show(&[state(1, 1, "Ada")]).await;
    for client in [&mut bo, &mut cy] {
        client
            .until("ada", |client| client.states.contains_key(&1))
            .await;
    }
    let took = passes(&mut ada, &mut bo, "[again]").await;
    tell("over Redis again", took);
    cy.until_text(&ada.text()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_without_members_is_looked_up_when_somebody_asks_while_redis_is_away() {
    let (mut redis, shared) = (RedisServer::start(Kind::Single), Shared::new());
    let one = Server::start(shared.path(), &redis.url(), Limits::default()).await;
    let two = Server::start(shared.path(), &redis.url(), Limits::default()).await;
    one.until_connected().await;
    two.until_connected().await;
    let mut ada = Client::hocuspocus(&one, "p/d", EDITOR, doc()).await;
    ada.push("[first]").await;
    ada.until_saved().await;
    assert_eq!(two.text("p/d").await, ada.text());
    redis.kill();
    for node in [&one, &two] {
        node.until_trouble(true).await;
    }
    // Who reads it, twice.
    for word in ["[second]", "[third]"] {
        ada.push(word).await;
        ada.until_saved().await;
        assert_eq!(two.text("p/d").await, ada.text());
    }
    // Who comes has it with the first answer.
    ada.push("[fourth]").await;
    ada.until_saved().await;
    let mut bo = Client::yws(&two, "p/d", EDITOR, doc()).await;
    bo.until_synced().await;
    assert_eq!(bo.text(), ada.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_says_nothing_is_given_up() {
    let (redis, shared) = (RedisServer::start(Kind::Single), Shared::new());
    let one = Server::start(shared.path(), &redis.url(), Limits::default()).await;
    let two = Server::start(shared.path(), &redis.url(), Limits::default()).await;
    one.until_connected().await;
    two.until_connected().await;
    let mut ada = Client::hocuspocus(&one, "p/d", EDITOR, doc()).await;
    let mut bo = Client::hocuspocus(&two, "p/d", EDITOR, doc()).await;
    ada.until_saved().await;
    bo.until_saved().await;
    passes(&mut ada, &mut bo, "[before]").await;
    redis.signal("STOP");
    let stopped = Instant::now();
    let took = passes(&mut ada, &mut bo, "[while]").await;
    tell("Redis stands still; first edit after", took);
    assert!(took < Duration::from_secs(3));
    one.until_trouble(true).await;
    two.until_trouble(true).await;
    tell("noticed after", stopped.elapsed());
    assert!(stopped.elapsed() < Duration::from_secs(3));
    passes(&mut bo, &mut ada, "[store]").await;
    redis.signal("CONT");
    one.until_trouble(false).await;
    two.until_trouble(false).await;
    passes(&mut ada, &mut bo, "[after]").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_starts_without_redis_and_joins_the_others_when_it_comes() {
    let (mut redis, shared) = (RedisServer::absent(Kind::Single), Shared::new());
    let one = Server::start(shared.path(), &redis.url(), Limits::default()).await;
    one.until_trouble(true).await;
    let mut ada = Client::hocuspocus(&one, "p/d", EDITOR, doc()).await;
    ada.push("alone").await;
    ada.until_saved().await;
    redis.launch();
    let two = Server::start(shared.path(), &redis.url(), Limits::default()).await;
    one.until_connected().await;
    two.until_connected().await;
    let mut bo = Client::hocuspocus(&two, "p/d", EDITOR, doc()).await;
    bo.until_text("alone").await;
    passes(&mut bo, &mut ada, "[both]").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_on_a_node_that_was_killed_is_gone_soon() {
    let (redis, shared) = (RedisServer::start(Kind::Single), Shared::new());
    let killed = Node::start(shared.path(), &redis.url());
    let one = Server::start(shared.path(), &redis.url(), Limits::default()).await;
    one.until_connected().await;
    let mut ada = Client::hocuspocus(&killed.server, "p/d", EDITOR, doc()).await;
    let mut bo = Client::yws(&one, "p/d", EDITOR, doc()).await;
    ada.push("from the killed").await;
    ada.until_saved().await;
    ada.show(&[state(1, 1, "Ada")]).await;
    bo.until("ada", |client| client.states.contains_key(&1))
        .await;
    bo.until_text("from the killed").await;
    let began = Instant::now();
    killed.signal("KILL");
    bo.until("gone", |client| client.states.is_empty()).await;
    tell("gone after", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stood_still_catches_up() {
    let (redis, shared) = (RedisServer::start(Kind::Single), Shared::new());
    let stopped = Node::start(shared.path(), &redis.url());
    let one = Server::start(shared.path(), &redis.url(), Limits::default()).await;
    one.until_connected().await;
    let mut ada = Client::hocuspocus(&stopped.server, "p/d", EDITOR, doc()).await;
    let mut bo = Client::yws(&one, "p/d", EDITOR, doc()).await;
    ada.until_saved().await;
    bo.until_synced().await;
    bo.show(&[state(2, 1, "Bo")]).await;
    ada.until("bo", |client| client.states.contains_key(&2))
        .await;
    passes(&mut ada, &mut bo, "[before]").await;
    stopped.signal("STOP");
    // What is typed there meanwhile waits in the socket.
    ada.push("[there]").await;
    let resume = Instant::now() + Duration::from_secs(12);
    let mut round = 0;
    while Instant::now() < resume {
        bo.push(&format!("[here {round}]")).await;
        round += 1;
        let _ = tokio::time::timeout(Duration::from_millis(500), bo.step()).await;
    }
    stopped.signal("CONT");
    let began = Instant::now();
    bo.until("there", |client| client.text().contains("[there]"))
        .await;
    ada.until_text(&bo.text()).await;
    tell("caught up after", began.elapsed());
    // Both see each other, and go on.
    ada.show(&[state(1, 1, "Ada")]).await;
    bo.until("ada", |client| client.states.contains_key(&1))
        .await;
    passes(&mut bo, &mut ada, "[after]").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_alone_is_cut_off_is_heard_through_the_store() {
    let (redis, shared) = (RedisServer::start(Kind::Single), Shared::new());
    let proxy = Proxy::start(redis.port, 1).await;
    let one = Server::start(shared.path(), &redis.url(), Limits::default()).await;
    let two = Server::start(shared.path(), &proxy.url(), Limits::default()).await;
    one.until_connected().await;
    two.until_connected().await;
    let mut ada = Client::hocuspocus(&one, "p/d", EDITOR, doc()).await;
    let mut bo = Client::hocuspocus(&two, "p/d", EDITOR, doc()).await;
    ada.until_saved().await;
    bo.until_saved().await;
    passes(&mut ada, &mut bo, "[before]").await;
    proxy.cut();
    two.until_trouble(true).await;
    tell(
        "to the one cut off",
        passes(&mut ada, &mut bo, "[to]").await,
    );
    // The others find out by its silence.
    let took = passes(&mut bo, &mut ada, "[from]").await;
    tell("from it, first", took);
    assert!(took < Duration::from_secs(4));
    let took = passes(&mut bo, &mut ada, "[again]").await;
    tell("from it, later", took);
    assert!(took < Duration::from_secs(10));
    proxy.mend();
    two.until_connected().await;
    passes(&mut bo, &mut ada, "[after]").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_starts_sees_what_one_stores_that_it_has_never_heard() {
    let (redis, shared) = (RedisServer::start(Kind::Single), Shared::new());
    let proxy = Proxy::start(redis.port, 1).await;
    let two = Server::start(shared.path(), &proxy.url(), Limits::default()).await;
    two.until_connected().await;
    proxy.cut();
    two.until_trouble(true).await;
    let one = Server::start(shared.path(), &redis.url(), Limits::default()).await;
    one.until_connected().await;
    let mut ada = Client::hocuspocus(&one, "p/d", EDITOR, doc()).await;
    let mut bo = Client::hocuspocus(&two, "p/d", EDITOR, doc()).await;
    ada.until_saved().await;
    bo.until_saved().await;
    let took = passes(&mut bo, &mut ada, "[from]").await;
    tell("from one that was never heard", took);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_over_from_a_node_that_was_killed_is_shown_on_all_others() {
    let (redis, shared) = (RedisServer::start(Kind::Single), Shared::new());
    let killed = Node::start(shared.path(), &redis.url());
    let one = Server::start(shared.path(), &redis.url(), Limits::default()).await;
    let two = Server::start(shared.path(), &redis.url(), Limits::default()).await;
    one.until_connected().await;
    two.until_connected().await;
    let mut ada = Client::hocuspocus(&killed.server, "p/d", EDITOR, doc()).await;
    let mut bo = Client::hocuspocus(&two, "p/d", EDITOR, doc()).await;
    let mut cy = Client::hocuspocus(&one, "p/d", EDITOR, doc()).await;
    ada.show(&[state(1, 1, "Ada")]).await;
    for other in [&mut bo, &mut cy] {
        other
            .until("ada", |client| client.states.contains_key(&1))
            .await;
    }
    // She comes back at once and shows herself once, as yet while nobody knows that the node is dead.
    killed.signal("KILL");
    let began = Instant::now();
    let mut again = Client::hocuspocus(&one, "p/d", EDITOR, doc()).await;
    again.show(&[state(1, 2, "Ada again")]).await;
    bo.until("ada again", |client| {
        let shown = client.states.get(&1);
        shown.is_some_and(|shown| shown.state.contains("Ada again"))
    })
    .await;
    tell("shown again after", began.elapsed());
    // Ten seconds until the dead one is given up. An exchange would bring her too, some time later.
    assert!(began.elapsed() < Duration::from_secs(14));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_cluster_the_member_is_named_that_is_down() {
    let (seed, mut other) = RedisServer::start_two();
    let shared = Shared::new();
    let node = Server::start(shared.path(), &seed.url(), Limits::default()).await;
    node.until_trouble(false).await;
    other.kill();
    let began = Instant::now();
    let named = format!("127.0.0.1:{} is down or out of reach", other.port);
    loop {
        let said = node.rooms().fanout_trouble().unwrap_or_default();
        if said.contains(&named) {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{said}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
