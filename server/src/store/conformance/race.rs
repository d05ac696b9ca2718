//! Several nodes at once.
//!
//! `SEED` in the environment repeats a random run; the seed is printed.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use yrs::StateVector;

use super::{Author, Opener, append, load, room, text, text_of};
use crate::document::{Document, Wanted};
use crate::store::Seen;
use crate::store::compaction::compact;

const WRITERS: u64 = 3;

/// Of each writer.
const EDITS: usize = 60;

/// Writers, compactors and readers on handles of their own: at every moment a reader sees all
/// that was acknowledged before it began, and at the end everything is there once.
pub(super) async fn concurrent_nodes_lose_nothing(opener: &dyn Opener) {
    let seed = seed();
    eprintln_seed(seed);
    let room = room(&format!("concurrent/doc-{seed}"));
    let acknowledged: Arc<Vec<AtomicUsize>> =
        Arc::new((0..WRITERS).map(|_| Default::default()).collect());
    let running = Arc::new(AtomicBool::new(true));

    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let (store, room) = (opener.open().await, room.clone());
        let acknowledged = acknowledged.clone();
        let mut rng = fastrand::Rng::with_seed(seed ^ writer);
        writers.spawn(async move {
            let author = Author::new(writer + 1);
            let mut done = 0;
            while done < EDITS {
                let count = rng.usize(1..=4).min(EDITS - done);
                let batch = (0..count)
                    .map(|n| append(&room, author.push(&format!("<{writer}:{}>", done + n))))
                    .collect();
                store.append(batch).await.expect("it is appended");
                done += count;
                acknowledged[writer as usize].store(done, SeqCst);
            }
        });
    }
    let mut others = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let (store, room, running) = (opener.open().await, room.clone(), running.clone());
        others.spawn(async move {
            while running.load(SeqCst) {
                compact(&*store, &room).await.expect("it compacts");
                tokio::task::yield_now().await;
            }
        });
    }
    for _ in 0..2 {
        let (store, room, running) = (opener.open().await, room.clone(), running.clone());
        let acknowledged = acknowledged.clone();
        others.spawn(async move {
            while running.load(SeqCst) {
                let expected: Vec<usize> = acknowledged.iter().map(|n| n.load(SeqCst)).collect();
                let stored = store.load(&room).await.expect("it loads");
                let text = stored.as_ref().map(text).unwrap_or_default();
                each_is_there_once(&text, &expected, seed);
            }
        });
    }
    // One who follows: what it has read at any time is all that was acknowledged before.
    {
        let (store, room, running) = (opener.open().await, room.clone(), running.clone());
        let acknowledged = acknowledged.clone();
        others.spawn(async move {
            let (mut seen, mut follower) = (Seen::default(), Document::default());
            while running.load(SeqCst) {
                let expected: Vec<usize> = acknowledged.iter().map(|n| n.load(SeqCst)).collect();
                let Some(news) = store.news(&room, &seen).await.expect("it reads") else {
                    continue;
                };
                seen.note(&news);
                let log = news.log.iter().map(|entry| &entry.update);
                for update in news.snapshot.iter().chain(log) {
                    follower
                        .apply(update, Wanted::AsSent)
                        .expect("what is stored applies");
                }
                let text = text_of(&follower);
                each_is_there_once(&text, &expected, seed);
            }
        });
    }
    while let Some(writer) = writers.join_next().await {
        writer.expect("the writer ends well");
    }
    running.store(false, SeqCst);
    while let Some(other) = others.join_next().await {
        other.expect("the task ends well");
    }
    let store = opener.open().await;
    compact(&*store, &room).await.expect("it compacts");
    let end = load(&*store, &room).await;
    assert!(
        end.log.is_empty(),
        "seed {seed}: {} entries left",
        end.log.len()
    );
    let whole = text(&end);
    for writer in 0..WRITERS {
        let own: String = (0..EDITS)
            .map(|edit| format!("<{writer}:{edit}>"))
            .collect();
        let theirs: String = whole
            .split_inclusive('>')
            .filter(|mark| mark.starts_with(&format!("<{writer}:")))
            .collect();
        assert_eq!(theirs, own, "seed {seed}");
    }
    let document = Document::from_stored(&end).expect("what is stored is a document");
    assert!(!document.diff(&StateVector::default()).is_empty());
}

/// That every edit is in the text, up to as many of each writer.
fn each_is_there_once(text: &str, of_each: &[usize], seed: u64) {
    for (writer, &count) in of_each.iter().enumerate() {
        for edit in 0..count {
            let mark = format!("<{writer}:{edit}>");
            assert_eq!(text.matches(&mark).count(), 1, "seed {seed}: {mark}");
        }
    }
}

fn seed() -> u64 {
    std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| fastrand::u64(..))
}

#[allow(clippy::print_stderr, reason = "a failed run must be repeatable")]
fn eprintln_seed(seed: u64) {
    eprintln!("store conformance: SEED={seed}");
}
