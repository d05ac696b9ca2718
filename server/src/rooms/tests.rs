use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use tutti_protocol::bulk::Differing;
use tutti_protocol::fingerprint::fingerprint;
use tutti_protocol::ids::DocumentId;
use tutti_protocol::index::new_doc;
use yrs::updates::decoder::Decode;
use yrs::{StateVector, Text, Update};

use super::*;
use crate::fanout::{FanOut, LocalFanOut, Message, Received, Topic};
use crate::store::{Append, Replacement, Seen, SqliteStore, StoredDocument};

fn name(room: &str) -> RoomName {
    room.parse().unwrap()
}

fn edit(text: &str) -> Bytes {
    let doc = new_doc(fastrand::u64(1..1 << 32));
    let content = doc.get_or_insert_text("content");
    let mut txn = doc.transact_mut();
    content.push(&mut txn, text);
    txn.encode_update_v1().into()
}

/// The real store, which counts how often it is read, and can be made to wait before it writes.
struct Counting(SqliteStore, AtomicUsize, Semaphore);

impl DocumentStore for Counting {
    fn append(&self, batch: Vec<Append>) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async {
            let _permit = self.2.acquire().await.unwrap();
            self.0.append(batch).await
        })
    }
    fn load<'a>(
        &'a self,
        room: &'a RoomName,
    ) -> BoxFuture<'a, Result<Option<StoredDocument>, StoreError>> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.load(room)
    }
    fn news<'a>(
        &'a self,
        room: &'a RoomName,
        seen: &'a Seen,
    ) -> BoxFuture<'a, Result<Option<StoredDocument>, StoreError>> {
        self.0.news(room, seen)
    }
    fn replace<'a>(
        &'a self,
        room: &'a RoomName,
        replacement: Replacement,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        self.0.replace(room, replacement)
    }
    fn documents<'a>(
        &'a self,
        project: &'a ProjectId,
    ) -> BoxFuture<'a, Result<Vec<DocumentSize>, StoreError>> {
        self.0.documents(project)
    }
    fn delete_project<'a>(
        &'a self,
        project: &'a ProjectId,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.0.delete_project(project)
    }
}

fn rooms(dir: &tempfile::TempDir, limits: Limits) -> (Rooms, Arc<Counting>) {
    let fanout = Arc::new(LocalFanOut::new());
    rooms_of_node(dir, limits, fanout)
}

fn rooms_of_node(
    dir: &tempfile::TempDir,
    limits: Limits,
    fanout: Arc<LocalFanOut>,
) -> (Rooms, Arc<Counting>) {
    let store = SqliteStore::open(&dir.path().join("documents.sqlite3")).unwrap();
    let writes = Semaphore::new(1);
    let store = Arc::new(Counting(store, AtomicUsize::new(0), writes));
    (Rooms::new(store.clone(), fanout, limits), store)
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_come_at_once_load_a_room_once() {
    let dir = tempfile::tempdir().unwrap();
    let (rooms, store) = rooms(&dir, Limits::default());
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let rooms = rooms.clone();
            tokio::spawn(async move { rooms.apply(&name("p/d"), edit("x")).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(store.1.load(Ordering::SeqCst), 1);
    let text = rooms.text(&name("p/d")).await.unwrap().unwrap();
    assert_eq!(text.len(), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_beyond_the_cache_go_and_the_last_used_stay() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits {
        cache_bytes: 200_000,
        ..Limits::default()
    };
    let (rooms, store) = rooms(&dir, limits);
    for n in 0..100 {
        let room = name(&format!("p/{n}"));
        rooms.apply(&room, edit(&n.to_string())).await.unwrap();
    }
    // Unloading goes on in the rooms' own tasks.
    while rooms.registry.counts().0 > 25 {
        tokio::task::yield_now().await;
    }
    let before = store.1.load(Ordering::SeqCst);
    let text = rooms.text(&name("p/99")).await.unwrap();
    assert_eq!(text.as_deref(), Some("99"));
    assert_eq!(store.1.load(Ordering::SeqCst), before, "it was in memory");
    let text = rooms.text(&name("p/0")).await.unwrap();
    assert_eq!(text.as_deref(), Some("0"));
    assert_eq!(store.1.load(Ordering::SeqCst), before + 1, "it was not");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_no_cache_at_all_everything_still_works() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits {
        cache_bytes: 0,
        ..Limits::default()
    };
    let (rooms, _) = rooms(&dir, limits);
    let tasks: Vec<_> = (0..200)
        .map(|n| {
            let rooms = rooms.clone();
            tokio::spawn(async move {
                let room = name(&format!("p/{}", n % 3));
                rooms.apply(&room, edit("x")).await.unwrap();
                rooms.text(&room).await.unwrap().unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let mut total = 0;
    for n in 0..3 {
        total += rooms
            .text(&name(&format!("p/{n}")))
            .await
            .unwrap()
            .unwrap()
            .len();
    }
    assert_eq!(total, 200);
    while rooms.registry.counts().0 > 0 {
        tokio::task::yield_now().await;
    }
}

/// Resident memory of this process, in bytes.
#[cfg(target_os = "linux")]
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn loading_and_unloading_keeps_memory_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits {
        cache_bytes: 0,
        ..Limits::default()
    };
    let (rooms, _) = rooms(&dir, limits);
    let room = name("p/d");
    let doc = new_doc(7);
    let content = doc.get_or_insert_text("content");
    // Typed character by character at alternating places, so that it has many items.
    for n in 0..4_000u32 {
        let mut txn = doc.transact_mut();
        content.insert(&mut txn, n / 2, "x");
    }
    let whole = doc.transact().encode_diff_v1(&yrs::StateVector::default());
    rooms.apply(&room, whole.into()).await.unwrap();
    let cycle = async |times: usize| {
        for _ in 0..times {
            assert_eq!(rooms.text(&room).await.unwrap().unwrap().len(), 4_000);
            while rooms.registry.counts().0 > 0 {
                tokio::task::yield_now().await;
            }
        }
    };
    cycle(50).await;
    let before = resident();
    cycle(150).await;
    let grown = resident().saturating_sub(before);
    // A leaked document of this kind would be some hundred kilobytes each time.
    assert!(grown < 16 * 1024 * 1024, "grown by {grown} bytes");
}

fn document(id: &str) -> DocumentId {
    id.parse().unwrap()
}

async fn exchange(rooms: &Rooms, asked: Vec<(&str, Have)>) -> Vec<Bytes> {
    let asked = asked.into_iter().map(|(id, have)| (document(id), have));
    let given = rooms
        .exchange(&"p".parse().unwrap(), asked.collect())
        .await
        .unwrap();
    given.into_iter().map(|(_, update)| update).collect()
}

fn text_of(updates: &[Bytes]) -> String {
    let mut document = crate::document::Document::default();
    for update in updates {
        document
            .apply(update, crate::document::Wanted::AsSent)
            .unwrap();
    }
    let content = document.doc().get_or_insert_text("content");
    content.get_string(&document.doc().transact())
}

#[tokio::test]
async fn an_exchange_of_closed_documents_opens_no_room() {
    let dir = tempfile::tempdir().unwrap();
    let (rooms, _) = rooms(&dir, Limits::default());
    let (a, b) = (edit("one"), edit("two"));
    let state = |update: &Bytes| Have::State(update.clone());
    let given = exchange(&rooms, vec![("a", state(&a)), ("b", state(&b))]).await;
    assert_eq!(given, [Bytes::new(), Bytes::new()], "nothing is lacking");
    let again = exchange(&rooms, vec![("a", state(&a))]).await;
    assert_eq!(again, [Bytes::new()], "nor when it is said twice");
    let nothing = || Have::Vector(StateVector::default());
    let given = exchange(&rooms, vec![("a", nothing()), ("absent", nothing())]).await;
    assert_eq!(text_of(&given[..1]), "one");
    assert_eq!(given[1], Bytes::new());
    for room in ["p/a", "p/b", "p/absent"] {
        assert!(rooms.registry.resident(&name(room)).is_none(), "{room}");
    }
    // And a fresh server has them.
    let other = SqliteStore::open(&dir.path().join("documents.sqlite3")).unwrap();
    assert_eq!(
        other.load(&name("p/b")).await.unwrap().unwrap().log.len(),
        1
    );
}

#[tokio::test]
async fn an_exchange_merges_with_what_is_open_and_with_what_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let (rooms, _) = rooms(&dir, Limits::default());
    let (theirs, ours) = (edit("theirs "), edit("ours "));
    rooms.apply(&name("p/open"), theirs.clone()).await.unwrap();
    assert!(rooms.registry.resident(&name("p/open")).is_some());
    exchange(&rooms, vec![("closed", Have::State(theirs.clone()))]).await;
    for id in ["open", "closed"] {
        let given = exchange(&rooms, vec![(id, Have::State(ours.clone()))]).await;
        let here = text_of(&[ours.clone(), given[0].clone()]);
        let there = rooms
            .text(&name(&format!("p/{id}")))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(here, there);
        assert_eq!(here.len(), "theirs ours ".len(), "{here}");
    }
}

#[tokio::test]
async fn what_is_no_whole_state_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (rooms, _) = rooms(&dir, Limits::default());
    let doc = new_doc(7);
    let content = doc.get_or_insert_text("content");
    content.push(&mut doc.transact_mut(), "first");
    let mut txn = doc.transact_mut();
    content.push(&mut txn, "second");
    let second: Bytes = txn.encode_update_v1().into();
    for bad in [second, Bytes::from_static(b"nonsense")] {
        let asked = vec![
            (document("good"), Have::State(edit("x"))),
            (document("bad"), Have::State(bad)),
        ];
        let error = rooms
            .exchange(&"p".parse().unwrap(), asked)
            .await
            .unwrap_err();
        assert!(matches!(error, RoomError::BadUpdate(_)), "{error}");
        assert_eq!(rooms.text(&name("p/bad")).await.unwrap(), None);
    }
}

/// Somebody types into a document at the very moment in which it is sent in bulk.
#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_races_with_an_edit() {
    let dir = tempfile::tempdir().unwrap();
    let (rooms, _) = rooms(&dir, Limits::default());
    for n in 0..60 {
        let id = format!("d{n}");
        let room = name(&format!("p/{id}"));
        let (one, other) = (edit("bulk "), edit("typed "));
        let asked = vec![(document(&id), Have::State(one))];
        let project = "p".parse().unwrap();
        let (typed, sent) =
            tokio::join!(rooms.apply(&room, other), rooms.exchange(&project, asked));
        typed.unwrap();
        sent.unwrap();
        let shown = rooms.text(&room).await.unwrap().unwrap();
        assert_eq!(shown.len(), "bulk typed ".len(), "{n}: {shown}");
    }
}

#[tokio::test]
async fn who_tells_a_fingerprint_hears_what_is_different() {
    let dir = tempfile::tempdir().unwrap();
    let (rooms, _) = rooms(&dir, Limits::default());
    let content = |doc: &Doc| doc.get_or_insert_text("content");
    let ada = new_doc(7);
    content(&ada).push(&mut ada.transact_mut(), "abc");
    let update = |doc: &Doc| doc.transact().encode_diff_v1(&StateVector::default());
    let before = update(&ada);
    let asks = |doc: &Doc| {
        let txn = doc.transact();
        Have::Contents(txn.state_vector(), fingerprint(&txn))
    };
    for (id, is_open) in [("closed", false), ("open", true)] {
        let room = name(&format!("p/{id}"));
        match is_open {
            true => rooms.apply(&room, before.clone().into()).await.unwrap(),
            false => drop(exchange(&rooms, vec![(id, Have::State(before.clone().into()))]).await),
        }
        let bob = new_doc(8);
        let known = Update::decode_v1(&before).unwrap();
        bob.transact_mut().apply_update(known).unwrap();
        // The same, something more here, something less, and both.
        assert_eq!(
            exchange(&rooms, vec![(id, asks(&bob))]).await,
            [Bytes::new()]
        );
        let nothing = exchange(&rooms, vec![(id, asks(&new_doc(9)))]).await;
        let differing = Differing::read(&nothing[0]).unwrap().unwrap();
        assert_eq!(differing.fingerprint, fingerprint(&bob.transact()));
        assert_eq!(text_of(&[differing.update.to_vec().into()]), "abc");
        content(&bob).remove_range(&mut bob.transact_mut(), 0, 1);
        let deleted = exchange(&rooms, vec![(id, asks(&bob))]).await;
        let differing = Differing::read(&deleted[0]).unwrap().unwrap();
        let given = Update::decode_v1(differing.update).unwrap();
        bob.transact_mut().apply_update(given).unwrap();
        assert_ne!(differing.fingerprint, fingerprint(&bob.transact()));
        assert_eq!(rooms.registry.resident(&room).is_some(), is_open);
    }
    let unknown = exchange(&rooms, vec![("unknown", asks(&ada))]).await;
    assert!(Differing::read(&unknown[0]).unwrap().is_some());
}

/// Another node answers from the store, where the change may not have been when it was told of.
#[tokio::test]
async fn what_was_long_on_its_way_into_the_store_is_told_again() {
    let dir = tempfile::tempdir().unwrap();
    let fanout = Arc::new(LocalFanOut::new());
    let other = fanout.another_node();
    let mut told = other.subscribe(&Topic::Room(name("p/index")));
    let (rooms, store) = rooms_of_node(&dir, Limits::default(), fanout);
    let held = store.2.acquire().await.unwrap();
    let room = name("p/a");
    let typed = rooms.apply(&room, edit("one"));
    let mut is_told = async || {
        loop {
            if let Received::Message(_, Message::Changed(documents)) = told.next().await {
                return documents.to_vec();
            }
        }
    };
    let hears = async {
        assert_eq!(is_told().await, [document("a")]);
        drop(held);
        assert_eq!(is_told().await, [document("a")]);
    };
    let (typed, ()) = tokio::join!(typed, hears);
    typed.unwrap();
}
