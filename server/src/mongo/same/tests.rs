//! Whether a node notices that its database is gone and another is there.

use std::time::{Duration, Instant};

use bytes::Bytes;
use mongodb::bson::{Document, doc};
use tutti_protocol::ids::RoomName;

use crate::auth::{Directory, MongoDirectory};
use crate::fanout::{Hears, MongoSigns, NodeId, Signs};
use crate::mongo::Mongo;
use crate::mongo::test_server::TestServer;
use crate::store::{Append, DocumentStore, MongoStore, VersionStore};

#[tokio::test]
async fn nothing_is_stored_in_or_read_from_a_database_that_has_taken_the_place_of_this_one() {
    let mut server = TestServer::start();
    let mongo = Mongo::connect(&server.uri()).await.unwrap();
    let store = MongoStore::new(&mongo);
    let signs = MongoSigns::new(&mongo);
    let room: RoomName = "p/d".parse().unwrap();
    let append = || vec![Append::new(room.clone(), Bytes::from_static(b"\0\0"))];
    store.append(append()).await.unwrap();
    let returns = mongo.returns();

    server.kill();
    server.restart_as_another();
    // More than once: at first the driver finds its connections broken.
    for _ in 0..4 {
        assert!(store.append(append()).await.is_err());
        assert!(store.load(&room).await.is_err());
        assert!(store.versions().list(&room.project, None, 1).await.is_err());
        let left = signs.leave(NodeId(1), Hears::Store).await;
        assert!(left.is_err());
    }
    let said = mongo.ping().await.unwrap_err().to_string();
    assert!(
        said.contains(
            "bring that one back (stop all nodes first if it is a copy), or start this node anew"
        ),
        "{said}"
    );
    // A node that starts anew makes it its own.
    let fresh = MongoStore::new(&Mongo::connect(&server.uri()).await.unwrap());
    fresh.append(append()).await.unwrap();
    assert!(store.append(append()).await.is_err());

    server.kill();
    server.restart_as_another();
    let back = Instant::now();
    while let Err(error) = store.append(append()).await {
        assert!(back.elapsed() < Duration::from_secs(60), "{error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(store.load(&room).await.unwrap().unwrap().log.len(), 2);
    mongo.ping().await.unwrap();
    assert_eq!(*returns.borrow(), 1);
}

#[tokio::test]
async fn one_that_was_emptied_where_it_is_is_found_out_by_whoever_asks_whether_it_is_there() {
    let server = TestServer::start();
    let mongo = Mongo::connect(&server.uri()).await.unwrap();
    let store = MongoStore::new(&mongo);
    let room: RoomName = "p/d".parse().unwrap();
    let append = || vec![Append::new(room.clone(), Bytes::from_static(b"\0\0"))];
    store.append(append()).await.unwrap();
    mongo.raw().drop().await.unwrap();
    let said = mongo.ping().await.unwrap_err().to_string();
    assert!(said.contains("or an empty one in its place"), "{said}");
    assert!(store.append(append()).await.is_err());
    assert!(store.load(&room).await.is_err());
    let there = mongo.raw().list_collection_names().await.unwrap();
    assert!(there.is_empty(), "{there:?} was written");
}

/// Nobody asks whether it is there: the next question whether a project is does, and at last any write.
#[tokio::test]
async fn one_that_was_emptied_where_it_is_is_not_believed_and_can_be_used_anew() {
    let server = TestServer::start();
    let mongo = Mongo::connect(&server.uri()).await.unwrap();
    let (store, signs) = (MongoStore::new(&mongo), MongoSigns::new(&mongo));
    let room: RoomName = "p/d".parse().unwrap();
    let append = || vec![Append::new(room.clone(), Bytes::from_static(b"\0\0"))];
    store.append(append()).await.unwrap();
    signs.leave(NodeId(1), Hears::Store).await.unwrap();
    mongo.raw().drop().await.unwrap();
    // Before two seconds are over, it may be written to; then no more.
    let mut written = 0;
    while store.append(append()).await.is_ok() {
        signs.leave(NodeId(1), Hears::Store).await.ok();
        written += 1;
        assert!(written < 100_000, "nobody notices");
    }
    let directory = MongoDirectory::new(mongo.clone());
    assert!(directory.project(&room.project).await.is_err());
    assert!(directory.credential("a token").await.is_err());
    let fresh = Mongo::connect(&server.uri()).await.unwrap();
    let directory = MongoDirectory::new(fresh);
    assert!(directory.project(&room.project).await.unwrap().is_none());
}

#[tokio::test]
async fn a_collection_of_another_program_is_none_that_was_left_behind() {
    let server = TestServer::start();
    let client = mongodb::Client::with_uri_str(server.uri_text())
        .await
        .unwrap();
    let uri = server.uri();
    let theirs = client
        .database(uri.database())
        .collection::<Document>("updates");
    theirs.insert_one(doc! { "title": "news" }).await.unwrap();
    let refused = Mongo::connect(&uri).await.unwrap_err().to_string();
    assert!(
        refused.contains("updates is another program's"),
        "{refused}"
    );
}
