use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use mongodb::bson::{Bson, Document, doc};
use mongodb::event::command::CommandEvent;
use tutti_protocol::ids::RoomName;

use super::blobs::CHUNK_BYTES;
use super::layout::{Chunk, binary, chunks_since};
use super::writer::INLINE_BYTES;
use super::*;
use crate::mongo::test_server::TestServer;
use crate::store::conformance::{self, Contents, Opener};
use crate::store::{BlobStore, VersionStore};

struct Database(Mutex<TestServer>);

impl Database {
    fn start() -> Self {
        Self(Mutex::new(TestServer::start()))
    }

    async fn mongo(&self) -> Mongo {
        let uri = self.0.lock().unwrap().uri();
        Mongo::connect(&uri).await.unwrap()
    }
}

impl Opener for Database {
    fn open(&self) -> BoxFuture<'_, Arc<dyn DocumentStore>> {
        Box::pin(async {
            let store: Arc<dyn DocumentStore> = Arc::new(MongoStore::new(&self.mongo().await));
            store
        })
    }

    fn open_contents(&self, which: Contents) -> BoxFuture<'_, Arc<dyn BlobStore>> {
        Box::pin(async move {
            let store = MongoStore::new(&self.mongo().await);
            let store: Arc<dyn BlobStore> = match which {
                Contents::Blobs => Arc::new(store.blobs()),
                Contents::Texts => Arc::new(store.texts()),
            };
            store
        })
    }

    fn open_versions(&self) -> BoxFuture<'_, Arc<dyn VersionStore>> {
        Box::pin(async {
            let store = MongoStore::new(&self.mongo().await);
            let store: Arc<dyn VersionStore> = Arc::new(store.versions());
            store
        })
    }

    fn outage(&self, away: bool) -> BoxFuture<'_, ()> {
        let mut server = self.0.lock().unwrap();
        match away {
            true => server.kill(),
            false => server.restart(),
        }
        Box::pin(std::future::ready(()))
    }
}

fn room() -> RoomName {
    "p/d".parse().unwrap()
}

fn update(bytes: impl Into<Bytes>) -> Vec<Append> {
    vec![Append::new(room(), bytes.into())]
}

fn replacement(snapshot: impl Into<Bytes>) -> Replacement {
    Replacement {
        generation: 0,
        snapshot: snapshot.into(),
        contains: Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_conforms() {
    conformance::all(&Database::start()).await;
}

/// The commands that a node sends, by their names, without the connection's own.
#[derive(Clone, Default)]
struct Watched(Arc<Mutex<Vec<(String, Document)>>>);

impl Watched {
    async fn connect(&self, server: &TestServer) -> Mongo {
        let commands = self.0.clone();
        let watch = move |event| {
            if let CommandEvent::Started(started) = event {
                let sent = (started.command_name, started.command);
                commands.lock().unwrap().push(sent);
            }
        };
        Mongo::connect_watched(&server.uri(), Some(Arc::new(watch)))
            .await
            .unwrap()
    }

    fn take(&self) -> Vec<(String, Document)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[tokio::test]
async fn every_write_is_asked_for_on_a_majority_and_in_the_journal() {
    let server = TestServer::start();
    let watched = Watched::default();
    let mongo = watched.connect(&server).await;
    let store = MongoStore::new(&mongo);
    store
        .append(update(vec![1; INLINE_BYTES + 1]))
        .await
        .unwrap();
    let mut contains = store.load(&room()).await.unwrap().unwrap().log;
    for generation in 0..2 {
        let ids = contains.drain(..).map(|entry| entry.id).collect();
        let replacement = Replacement {
            generation,
            contains: ids,
            ..replacement(vec![2; 10])
        };
        assert!(store.replace(&room(), replacement).await.unwrap());
    }
    store.documents(&room().project).await.unwrap();
    store.delete_project(&room().project).await.unwrap();

    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (name, command) in watched.take() {
        let concern = |name| command.get_document(name).cloned().unwrap_or_default();
        match name.as_str() {
            "insert" | "update" | "delete" | "createIndexes" => {
                let concern = concern("writeConcern");
                assert_eq!(concern.get_str("w").ok(), Some("majority"), "{command}");
                assert_eq!(concern.get_bool("j").ok(), Some(true), "{command}");
                assert!(concern.contains_key("wtimeout"), "{command}");
            }
            "find" | "aggregate" => {
                let concern = concern("readConcern");
                assert_eq!(concern.get_str("level").ok(), Some("majority"), "{command}");
            }
            _ => {}
        }
        *seen.entry(name).or_default() += 1;
    }
    for name in [
        "insert",
        "update",
        "delete",
        "createIndexes",
        "find",
        "aggregate",
    ] {
        assert!(seen.contains_key(name), "{name}: {seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_costs_few_round_trips() {
    const ROOMS: usize = 100;
    const EDITS: usize = 20;
    let server = TestServer::start();
    let watched = Watched::default();
    let store = MongoStore::new(&watched.connect(&server).await);
    watched.take();
    // Each room waits for its last edits before it sends the next, as rooms do.
    let rooms = (0..ROOMS).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            let room: RoomName = format!("burst/{n}").parse().unwrap();
            for edit in 0..EDITS {
                let update = Bytes::from(edit.to_string());
                let append = Append::new(room.clone(), update);
                store.append(vec![append]).await.unwrap();
            }
        })
    });
    for room in rooms.collect::<Vec<_>>() {
        room.await.unwrap();
    }
    let sent = watched.take();
    let inserts = sent.iter().filter(|(name, _)| name == "insert").count();
    assert_eq!(sent.len(), inserts, "nothing but insertions");
    assert!(
        inserts * 10 < ROOMS * EDITS,
        "{inserts} round trips for {} edits",
        ROOMS * EDITS
    );
    // And a lone one is one.
    store.append(update("alone")).await.unwrap();
    assert_eq!(watched.take().len(), 1);
    // A load is two; three with a snapshot.
    store.load(&room()).await.unwrap();
    assert_eq!(watched.take().len(), 2);
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_not_doubled() {
    let server = TestServer::start();
    let mongo = Mongo::connect(&server.uri()).await.unwrap();
    let store = MongoStore::new(&mongo);
    let batch = [vec![1], vec![2; INLINE_BYTES + 1], vec![3]];
    let batch: Vec<Append> = batch.into_iter().flat_map(update).collect();
    store.append(batch[..2].to_vec()).await.unwrap();
    store.append(batch.clone()).await.unwrap();
    store.append(batch).await.unwrap();
    let log = store.load(&room()).await.unwrap().unwrap().log;
    let sizes: Vec<usize> = log.iter().map(|entry| entry.update.len()).collect();
    assert_eq!(sizes, [1, INLINE_BYTES + 1, 1]);
}

#[tokio::test]
async fn updates_and_snapshots_of_any_size_survive() {
    let server = TestServer::start();
    let mongo = Mongo::connect(&server.uri()).await.unwrap();
    let store = MongoStore::new(&mongo);
    let sizes = [
        INLINE_BYTES,
        INLINE_BYTES + 1,
        CHUNK_BYTES,
        CHUNK_BYTES + 1,
        17 * 1024 * 1024,
    ];
    let mut rng = fastrand::Rng::with_seed(1);
    let all: Vec<Bytes> = sizes
        .iter()
        .map(|&size| std::iter::repeat_with(|| rng.u8(..)).take(size).collect())
        .collect();
    for bytes in &all {
        store.append(update(bytes.clone())).await.unwrap();
    }
    let log = store.load(&room()).await.unwrap().unwrap().log;
    let read: Vec<&Bytes> = log.iter().map(|entry| &entry.update).collect();
    assert!(read == all.iter().collect::<Vec<_>>());
    let sizes = store.documents(&room().project).await.unwrap();
    let bytes: usize = all.iter().map(Bytes::len).sum();
    assert_eq!(sizes[0].bytes, bytes as u64);

    let mut contains = Some(log.iter().map(|entry| entry.id).collect());
    for (generation, bytes) in (0..).zip(&all) {
        let replacement = Replacement {
            generation,
            contains: contains.take().unwrap_or_default(),
            ..replacement(bytes.clone())
        };
        assert!(store.replace(&room(), replacement).await.unwrap());
        let read = store.load(&room()).await.unwrap().unwrap();
        assert!(read.snapshot.as_ref() == Some(bytes) && read.log.is_empty());
    }
    // Nothing is left but the chunks of the last snapshot.
    let chunks = store.tables.chunks.count_documents(doc! {}).await.unwrap();
    assert_eq!(chunks, (17 * 1024 * 1024usize).div_ceil(CHUNK_BYTES) as u64);
}

#[tokio::test]
async fn a_half_written_snapshot_is_never_read_and_goes_in_time() {
    let server = TestServer::start();
    let mongo = Mongo::connect(&server.uri()).await.unwrap();
    let store = MongoStore::new(&mongo);
    store.append(update(vec![1])).await.unwrap();
    let half = |age: Duration| Chunk {
        id: chunks_since(SystemTime::now() - age),
        room: room().to_string(),
        bytes: binary([7; 10]),
    };
    let hour = Duration::from_secs(3600);
    let (young, old) = (half(hour), half(25 * hour));
    store
        .tables
        .chunks
        .insert_many([&young, &old])
        .await
        .unwrap();
    let document = store.load(&room()).await.unwrap().unwrap();
    assert!(document.snapshot.is_none());
    assert!(store.replace(&room(), replacement("s")).await.unwrap());
    let left = |chunk: &Chunk| {
        let chunk = doc! { "_id": chunk.id.clone() };
        store.tables.chunks.count_documents(chunk).into_future()
    };
    // The young one may be a snapshot that another node is just writing.
    assert_eq!(
        (left(&young).await.unwrap(), left(&old).await.unwrap()),
        (1, 0)
    );
    let document = store.load(&room()).await.unwrap().unwrap();
    assert_eq!(document.snapshot.as_deref(), Some(&b"s"[..]));
}

#[tokio::test]
async fn damage_is_an_error_and_never_an_empty_document() {
    let server = TestServer::start();
    let mongo = Mongo::connect(&server.uri()).await.unwrap();
    let store = MongoStore::new(&mongo);
    let other = Bson::Binary(binary([0]));
    let damages = [
        (
            "updates",
            doc! { "$set": { "update": other.clone() } },
            "checksum",
        ),
        ("updates", doc! { "$unset": { "update": "" } }, "no update"),
        (
            "chunks",
            doc! { "$set": { "bytes": other.clone() } },
            "checksum",
        ),
        (
            "documents",
            doc! { "$set": { "snapshot.id": other } },
            "incomplete",
        ),
        (
            "documents",
            doc! { "$set": { "snapshot.size": 7i64 } },
            "checksum",
        ),
    ];
    for (n, (collection, damage, said)) in damages.into_iter().enumerate() {
        let room: RoomName = format!("damage/{n}").parse().unwrap();
        let append = Append::new(room.clone(), Bytes::from_static(b"precious"));
        store.append(vec![append]).await.unwrap();
        let snapshot = replacement(vec![9; CHUNK_BYTES + 1]);
        assert!(store.replace(&room, snapshot).await.unwrap());
        let name = if collection == "documents" {
            "_id"
        } else {
            "room"
        };
        let of_room = doc! { name: room.to_string() };
        let records = mongo.collection::<Document>(collection);
        let done = records.update_many(of_room, damage.clone()).await.unwrap();
        assert!(done.modified_count > 0, "{damage}");
        let error = store.load(&room).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
        assert!(error.to_string().contains(said), "{damage}: {error}");
    }
}

#[tokio::test]
async fn chunks_that_have_gone_are_damage_and_those_just_replaced_are_not() {
    let server = TestServer::start();
    let mongo = Mongo::connect(&server.uri()).await.unwrap();
    let store = MongoStore::new(&mongo);
    store
        .append(update(vec![1; INLINE_BYTES + 1]))
        .await
        .unwrap();
    store.tables.chunks.delete_many(doc! {}).await.unwrap();
    let error = store.load(&room()).await.unwrap_err();
    assert!(error.to_string().contains("incomplete"), "{error}");
}

#[tokio::test]
async fn another_programs_database_and_a_later_ones_are_left_alone() {
    let server = TestServer::start();
    let mongo = Mongo::connect(&server.uri()).await.unwrap();
    let refusal = async |mongo_uri: &crate::mongo::MongoUri| {
        Mongo::connect(mongo_uri).await.unwrap_err().to_string()
    };
    let schema = mongo.collection::<Document>(schema::META);
    let later = doc! { "$set": { "version": 99 } };
    schema.update_one(doc! {}, later).await.unwrap();
    let said = refusal(&server.uri()).await;
    assert!(said.contains("later version"), "{said}");

    let theirs = server.uri_text().replace("/tutti", "/theirs");
    let client = mongodb::Client::with_uri_str(&theirs).await.unwrap();
    let projects = client.database("theirs").collection::<Document>("projects");
    projects.insert_one(doc! { "x": 1 }).await.unwrap();
    let said = refusal(&theirs.parse().unwrap()).await;
    assert!(said.contains("another program"), "{said}");
    assert_eq!(projects.count_documents(doc! {}).await.unwrap(), 1);
}

#[tokio::test]
async fn a_database_that_is_not_there_is_said_in_one_sentence() {
    let mut server = TestServer::start();
    server.kill();
    let error = Mongo::connect(&server.uri()).await.unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("127.0.0.1")
            && said.contains("nothing listens at its address")
            && said.contains("--mongodb"),
        "{said}"
    );
    server.restart();
    Mongo::connect(&server.uri()).await.unwrap();
}

#[tokio::test]
async fn a_user_who_is_refused_is_told_at_once() {
    let server = TestServer::start_with(&["--auth"]);
    let wrong = server.uri_text().replace("//", "//ada:secret@");
    for uri in [server.uri_text(), wrong] {
        let patient = uri.replace("MS=1000", "MS=60000").parse().unwrap();
        let refused = Mongo::connect(&patient);
        let refused = tokio::time::timeout(Duration::from_secs(20), refused).await;
        let said = refused.expect("waiting is no use").unwrap_err().to_string();
        assert!(
            said.contains("readWrite") && !said.contains("secret"),
            "{said}"
        );
    }
}

/// A server that takes what it is sent and says nothing, as one behind a lost route does.
#[tokio::test]
async fn a_server_that_falls_silent_holds_up_nobody_for_ever() {
    let server = TestServer::start();
    let mongo = Mongo::connect(&server.uri()).await.unwrap();
    let store = MongoStore::new(&mongo);
    store.append(update("before")).await.unwrap();
    server.hold(true);
    let probe = tokio::time::timeout(Duration::from_secs(5), mongo.ping());
    assert!(probe.await.expect("a probe is short").is_err());
    let batch = update("meanwhile");
    let write = tokio::time::timeout(Duration::from_secs(60), store.append(batch.clone()));
    assert!(write.await.expect("a write ends").is_err());
    server.hold(false);
    // Whether or not the first try arrived after all, it is there once.
    store.append(batch).await.unwrap();
    let log = store.load(&room()).await.unwrap().unwrap().log;
    let log: Vec<&[u8]> = log.iter().map(|entry| &entry.update[..]).collect();
    assert_eq!(log, [&b"before"[..], b"meanwhile"]);
}

#[tokio::test]
async fn many_first_nodes_at_once_all_come_up() {
    let server = TestServer::start();
    let uri = server.uri();
    let starts = (0..6).map(|_| Mongo::connect(&uri));
    for started in futures_util::future::join_all(starts).await {
        started.unwrap();
    }
}
