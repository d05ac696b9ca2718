//! What every [`DocumentStore`] must do. Each check uses a project of its own, so all of them may
//! run on one database.

mod blobs;
mod history;
mod race;
mod versions;

use std::collections::HashSet;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tutti_protocol::ids::{ProjectId, RoomName};
use tutti_protocol::index::new_doc;
use yrs::{Doc, GetString, Text, Transact};

use super::compaction::compact;
use super::{
    Append, BlobStore, DocumentStore, EntryId, Replacement, Seen, StoredDocument, VersionStore,
};
use crate::document::Document;

/// Which contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contents {
    /// Those of files that are no texts.
    Blobs,
    /// Those of versions.
    Texts,
}

/// Opens one more handle to the same data, as another node would.
pub trait Opener: Send + Sync {
    /// The handle.
    fn open(&self) -> BoxFuture<'_, Arc<dyn DocumentStore>>;

    /// The same, for contents.
    fn open_contents(&self, which: Contents) -> BoxFuture<'_, Arc<dyn BlobStore>>;

    /// The same, for versions.
    fn open_versions(&self) -> BoxFuture<'_, Arc<dyn VersionStore>>;

    /// Takes the data away from all handles, or brings it back: nothing can be read meanwhile.
    fn outage(&self, away: bool) -> BoxFuture<'_, ()>;
}

/// Runs every check.
///
/// # Panics
/// The store does not conform.
pub async fn all(opener: &dyn Opener) {
    absent_is_not_empty(opener).await;
    batches_are_kept_in_order(opener).await;
    a_replacement_takes_exactly_what_it_contains(opener).await;
    a_stale_replacement_changes_nothing(opener).await;
    news_is_what_was_not_seen(opener).await;
    snapshots_of_any_size_survive(opener).await;
    entries_are_never_named_twice(opener).await;
    projects_are_listed_and_deleted(opener).await;
    compaction_keeps_what_waits_for_its_predecessors(opener).await;
    a_write_that_is_tried_again_is_no_second_one(opener).await;
    a_compaction_killed_at_any_point_loses_nothing(opener).await;
    race::concurrent_nodes_lose_nothing(opener).await;
    what_cannot_be_read_is_never_empty(opener).await;
    blobs::all(opener).await;
    versions::all(opener).await;
    history::all(opener).await;
}

fn room(name: &str) -> RoomName {
    name.parse().expect("a name within the rules")
}

fn append(room: &RoomName, update: impl Into<Bytes>) -> Append {
    Append::new(room.clone(), update.into())
}

async fn load(store: &dyn DocumentStore, room: &RoomName) -> StoredDocument {
    store
        .load(room)
        .await
        .expect("it loads")
        .expect("it is there")
}

async fn put(store: &dyn DocumentStore, room: &RoomName, updates: &[&'static [u8]]) {
    let batch = updates.iter().map(|&update| append(room, update)).collect();
    store.append(batch).await.expect("it is appended");
}

fn updates(document: &StoredDocument) -> Vec<&[u8]> {
    document.log.iter().map(|entry| &entry.update[..]).collect()
}

fn ids(document: &StoredDocument) -> Vec<EntryId> {
    document.log.iter().map(|entry| entry.id).collect()
}

async fn absent_is_not_empty(opener: &dyn Opener) {
    let store = opener.open().await;
    let room = room("absent/doc");
    assert!(store.load(&room).await.expect("it loads").is_none());
    put(&*store, &room, &[b""]).await;
    assert_eq!(updates(&load(&*store, &room).await), [b""]);
}

async fn batches_are_kept_in_order(opener: &dyn Opener) {
    let (store, other) = (opener.open().await, opener.open().await);
    let (one, two) = (room("batches/one"), room("batches/two"));
    let batch = vec![
        append(&one, &b"a"[..]),
        append(&two, &b"b"[..]),
        append(&one, &b"c"[..]),
    ];
    let first = store.entry_of(batch[0].write);
    store.append(batch).await.expect("it is appended");
    let stored = load(&*other, &one).await.log[0].id;
    assert!(first.is_none_or(|first| first == stored), "another name");
    put(&*other, &one, &[b"d"]).await;
    for store in [&store, &other] {
        assert_eq!(updates(&load(&**store, &one).await), [b"a", b"c", b"d"]);
        assert_eq!(updates(&load(&**store, &two).await), [b"b"]);
    }
}

async fn a_replacement_takes_exactly_what_it_contains(opener: &dyn Opener) {
    let (store, other) = (opener.open().await, opener.open().await);
    let room = room("replacement/doc");
    put(&*store, &room, &[b"a", b"b", b"c"]).await;
    let before = load(&*store, &room).await;
    assert_eq!(before.generation, 0);
    assert!(before.snapshot.is_none());
    // Appended after the load that the snapshot is made from.
    put(&*other, &room, &[b"d"]).await;
    let replacement = Replacement {
        generation: before.generation,
        snapshot: Bytes::from_static(b"a+c"),
        contains: vec![before.log[0].id, before.log[2].id],
    };
    assert!(store.replace(&room, replacement).await.expect("it is done"));
    let after = load(&*other, &room).await;
    assert_eq!(after.snapshot.as_deref(), Some(&b"a+c"[..]));
    assert_eq!(after.generation, 1);
    assert_eq!(updates(&after), [b"b", b"d"]);
}

async fn a_stale_replacement_changes_nothing(opener: &dyn Opener) {
    let (store, other) = (opener.open().await, opener.open().await);
    let room = room("stale/doc");
    put(&*store, &room, &[b"a", b"b"]).await;
    let seen = load(&*store, &room).await;
    let replacement = |snapshot: &'static [u8], contains| Replacement {
        generation: seen.generation,
        snapshot: Bytes::from_static(snapshot),
        contains,
    };
    let first = replacement(b"a", vec![seen.log[0].id]);
    assert!(other.replace(&room, first).await.expect("it is done"));
    let late = replacement(b"ab", ids(&seen));
    assert!(!store.replace(&room, late).await.expect("it is refused"));
    let after = load(&*store, &room).await;
    assert_eq!(after.snapshot.as_deref(), Some(&b"a"[..]));
    assert_eq!(updates(&after), [b"b"]);

    let absent = "stale/absent".parse().expect("a name within the rules");
    let nothing = replacement(b"x", Vec::new());
    assert!(
        !store
            .replace(&absent, nothing)
            .await
            .expect("it is refused")
    );
    assert!(store.load(&absent).await.expect("it loads").is_none());
}

async fn news_is_what_was_not_seen(opener: &dyn Opener) {
    let (store, other) = (opener.open().await, opener.open().await);
    let room = room("news/doc");
    let mut seen = Seen::default();
    let news = async |seen: &mut Seen| {
        let news = store.news(&room, seen).await.expect("it reads");
        let news = news.expect("it is there");
        seen.note(&news);
        news
    };
    assert!(store.news(&room, &seen).await.expect("it reads").is_none());
    put(&*store, &room, &[b"a"]).await;
    put(&*other, &room, &[b"b", b"c"]).await;
    put(&*other, &"news/other".parse().expect("a name"), &[b"x"]).await;
    assert_eq!(updates(&news(&mut seen).await), [b"a", b"b", b"c"]);
    assert!(news(&mut seen).await.log.is_empty());
    put(&*other, &room, &[b"d"]).await;
    put(&*store, &room, &[b"e"]).await;
    // Entries are found whichever of them has been seen.
    let all = load(&*store, &room).await;
    let mut odd = Seen::default();
    odd.entries.extend([all.log[0].id, all.log[3].id]);
    let unseen = store.news(&room, &odd).await.expect("it reads");
    assert_eq!(updates(&unseen.expect("it is there")), [b"b", b"c", b"e"]);
    assert_eq!(updates(&news(&mut seen).await), [b"d", b"e"]);

    // What another snapshot took with it is news again, once.
    let replacement = Replacement {
        generation: 0,
        snapshot: Bytes::from_static(b"a+d"),
        contains: vec![all.log[0].id, all.log[3].id],
    };
    assert!(other.replace(&room, replacement).await.expect("it is done"));
    put(&*other, &room, &[b"f"]).await;
    let whole = news(&mut seen).await;
    assert_eq!(whole.snapshot.as_deref(), Some(&b"a+d"[..]));
    assert_eq!(updates(&whole), [b"b", b"c", b"e", b"f"]);
    let nothing = news(&mut seen).await;
    assert!(nothing.snapshot.is_none() && nothing.log.is_empty());
    let mut known = Seen::default();
    known.note(&load(&*store, &room).await);
    assert_eq!(seen, known);
}

async fn snapshots_of_any_size_survive(opener: &dyn Opener) {
    let store = opener.open().await;
    let room = room("sizes/doc");
    put(&*store, &room, &[b"a"]).await;
    let mut rng = fastrand::Rng::with_seed(1);
    for (generation, size) in [0usize, 1, 256 * 1024, 256 * 1024 + 1, 20_000_000, 10]
        .into_iter()
        .enumerate()
    {
        let snapshot: Bytes = std::iter::repeat_with(|| rng.u8(..)).take(size).collect();
        let replacement = Replacement {
            generation: generation as u64,
            snapshot: snapshot.clone(),
            contains: Vec::new(),
        };
        assert!(store.replace(&room, replacement).await.expect("it is done"));
        let after = load(&*store, &room).await;
        assert!(after.snapshot == Some(snapshot), "{size} bytes");
        assert_eq!(updates(&after), [b"a"]);
    }
}

async fn entries_are_never_named_twice(opener: &dyn Opener) {
    let store = opener.open().await;
    let room = room("names/doc");
    let mut seen = HashSet::new();
    for generation in 0..3 {
        put(&*store, &room, &[b"a", b"b"]).await;
        let document = load(&*store, &room).await;
        for id in ids(&document) {
            assert!(seen.insert(id), "{id:?} was used before");
        }
        let replacement = Replacement {
            generation,
            snapshot: Bytes::from_static(b"s"),
            contains: ids(&document),
        };
        assert!(store.replace(&room, replacement).await.expect("it is done"));
    }
}

async fn projects_are_listed_and_deleted(opener: &dyn Opener) {
    let store = opener.open().await;
    let project: ProjectId = "listed".parse().expect("an id within the rules");
    let neighbour = room("listed-not/a");
    put(&*store, &room("listed/b"), &[b"12", b"345"]).await;
    put(&*store, &room("listed/a"), &[b"1"]).await;
    put(&*store, &neighbour, &[b"1"]).await;
    let replacement = Replacement {
        generation: 0,
        snapshot: Bytes::from_static(b"0123456789"),
        contains: Vec::new(),
    };
    assert!(
        store
            .replace(&room("listed/a"), replacement)
            .await
            .expect("it is done")
    );
    let listed: Vec<(String, u64)> = store
        .documents(&project)
        .await
        .expect("it lists")
        .into_iter()
        .map(|size| (size.document.to_string(), size.bytes))
        .collect();
    assert_eq!(listed, [("a".to_owned(), 11), ("b".to_owned(), 5)]);

    store.delete_project(&project).await.expect("it is deleted");
    assert!(
        store
            .documents(&project)
            .await
            .expect("it lists")
            .is_empty()
    );
    assert!(
        store
            .load(&room("listed/a"))
            .await
            .expect("it loads")
            .is_none()
    );
    assert_eq!(updates(&load(&*store, &neighbour).await), [b"1"]);
    // A project of the same name starts from nothing.
    put(&*store, &room("listed/a"), &[b"new"]).await;
    let again = load(&*store, &room("listed/a")).await;
    assert_eq!(updates(&again), [b"new"]);
    assert!(again.snapshot.is_none());
}

/// One who types, and keeps what each keystroke sends.
struct Author {
    doc: Doc,
}

impl Author {
    fn new(client: u64) -> Self {
        Self {
            doc: new_doc(client),
        }
    }

    fn push(&self, text: &str) -> Bytes {
        let content = self.doc.get_or_insert_text("content");
        let mut txn = self.doc.transact_mut();
        content.push(&mut txn, text);
        txn.encode_update_v1().into()
    }

    fn erase_first(&self) -> Bytes {
        let content = self.doc.get_or_insert_text("content");
        let mut txn = self.doc.transact_mut();
        content.remove_range(&mut txn, 0, 1);
        txn.encode_update_v1().into()
    }
}

fn text(stored: &StoredDocument) -> String {
    text_of(&Document::from_stored(stored).expect("what is stored is a document"))
}

fn text_of(document: &Document) -> String {
    let content = document.doc().get_or_insert_text("content");
    content.get_string(&document.doc().transact())
}

async fn compaction_keeps_what_waits_for_its_predecessors(opener: &dyn Opener) {
    let store = opener.open().await;
    let room = room("pending/doc");
    let author = Author::new(1);
    let [first, lost, third] = ["one ", "two ", "three"].map(|word| author.push(word));
    let late_deletion = author.erase_first();
    for update in [&first, &third, &late_deletion] {
        let batch = vec![append(&room, update.clone())];
        store.append(batch).await.expect("it is appended");
    }
    let compacted = compact(&*store, &room).await.expect("it compacts");
    let compacted = compacted.expect("there was something to merge");
    assert_eq!(compacted.kept_entries, 1);
    assert_eq!(text(&load(&*store, &room).await), "ne ");
    let batch = vec![append(&room, lost)];
    store.append(batch).await.expect("it is appended");
    assert_eq!(text(&load(&*store, &room).await), "ne two three");
    compact(&*store, &room).await.expect("it compacts");
    let after = load(&*store, &room).await;
    assert_eq!(text(&after), "ne two three");
    assert!(after.log.is_empty());
}

/// A store may keep what it was given twice, as long as it does not show.
async fn a_write_that_is_tried_again_is_no_second_one(opener: &dyn Opener) {
    let (store, other) = (opener.open().await, opener.open().await);
    let room = room("again/doc");
    let author = Author::new(1);
    let batch: Vec<Append> = ["one ", "two ", "three"]
        .map(|word| append(&room, author.push(word)))
        .into();
    // The first try came half the way, and its answer was lost.
    let half = batch[..2].to_vec();
    store.append(half).await.expect("it is appended");
    for store in [&store, &other] {
        let again = batch.clone();
        store.append(again).await.expect("it is appended again");
    }
    assert_eq!(text(&load(&*store, &room).await), "one two three");
}

/// A node may be killed between any two steps of a compaction. Another one finds everything, and
/// compacts the document to its end.
async fn a_compaction_killed_at_any_point_loses_nothing(opener: &dyn Opener) {
    let room = room("killed/doc");
    let author = Author::new(1);
    let mut expected = String::new();
    let mut kills = 0;
    loop {
        let (store, other) = (opener.open().await, opener.open().await);
        let mark = format!("<{kills}>");
        let batch = vec![append(&room, author.push(&mark))];
        store.append(batch).await.expect("it is appended");
        expected += &mark;
        let ended = polled(compact(&*store, &room), kills).await;
        assert_eq!(text(&load(&*other, &room).await), expected);
        if let Some(result) = ended {
            result.expect("it compacts");
            break;
        }
        kills += 1;
    }
    assert!(kills > 0, "it is never killed");
    let store = opener.open().await;
    compact(&*store, &room).await.expect("it compacts");
    let end = load(&*store, &room).await;
    assert_eq!(text(&end), expected);
    assert!(end.log.is_empty());
}

/// Lets a future run until it has been polled so often, and drops it: nothing of it runs on.
async fn polled<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

async fn what_cannot_be_read_is_never_empty(opener: &dyn Opener) {
    let store = opener.open().await;
    let room = room("away/doc");
    put(&*store, &room, &[b"precious"]).await;
    opener.outage(true).await;
    assert!(store.load(&room).await.is_err());
    assert!(store.documents(&room.project).await.is_err());
    let batch = vec![append(&room, &b"meanwhile"[..])];
    assert!(store.append(batch.clone()).await.is_err());
    opener.outage(false).await;
    store.append(batch).await.expect("it is appended");
    let document = load(&*store, &room).await;
    assert_eq!(updates(&document), [&b"precious"[..], b"meanwhile"]);
}
