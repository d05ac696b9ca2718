//! What every [`BlobStore`] must do.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tutti_protocol::blob::BlobHash;
use tutti_protocol::ids::ProjectId;

use super::{Contents, Opener, polled};
use crate::store::blobs::PART_BYTES;
use crate::store::{BlobStore, WriteId};

pub(super) async fn all(opener: &dyn Opener) {
    kept_apart(opener).await;
    for which in [Contents::Blobs, Contents::Texts] {
        of(&Kind { opener, which }).await;
    }
}

/// Opens one kind of contents.
struct Kind<'a> {
    opener: &'a dyn Opener,
    which: Contents,
}

impl Kind<'_> {
    async fn open(&self) -> Arc<dyn BlobStore> {
        self.opener.open_contents(self.which).await
    }
}

async fn of(kind: &Kind<'_>) {
    contents_of_any_size_survive(kind).await;
    what_was_not_finished_is_not_there(kind).await;
    one_content_sent_twice_is_one(kind).await;
    an_upload_killed_at_any_point_leaves_nothing_half(kind).await;
    only_what_is_unused_and_unnamed_is_collected(kind).await;
    what_is_asked_about_while_it_is_collected_is_there_or_lacking(kind).await;
    projects_have_their_own_and_lose_them_alone(kind).await;
    many_small_ones_are_put_at_once(kind).await;
    many_put_and_killed_at_any_point_are_there_whole_or_not(kind).await;
}

fn project(name: &str) -> ProjectId {
    name.parse().expect("a name within the rules")
}

fn content(of: u8, bytes: usize) -> (BlobHash, Bytes) {
    let bytes: Bytes = (0..bytes).map(|at| of ^ (at / 7) as u8).collect();
    (BlobHash(Sha256::digest(&bytes).into()), bytes)
}

async fn put_parts(store: &dyn BlobStore, project: &ProjectId, bytes: &Bytes) -> WriteId {
    let upload = WriteId::next();
    for (place, part) in bytes.chunks(PART_BYTES).enumerate() {
        let part = Bytes::copy_from_slice(part);
        let put = store.put_part(project, upload, place as u32, part);
        put.await.expect("a part is written");
    }
    upload
}

async fn put(store: &dyn BlobStore, project: &ProjectId, (hash, bytes): &(BlobHash, Bytes)) {
    let upload = put_parts(store, project, bytes).await;
    let finish = store.finish(project, upload, *hash, bytes.len() as u64);
    finish.await.expect("it is finished");
}

/// A content, whole; `None` if it is not there.
async fn read(store: &dyn BlobStore, project: &ProjectId, hash: BlobHash) -> Option<Vec<u8>> {
    let blob = store.find(project, hash).await.expect("it is looked up")?;
    let mut bytes = Vec::new();
    for place in 0..blob.parts() {
        let part = store.part(project, &blob, place).await;
        bytes.extend_from_slice(&part.expect("a part is read"));
    }
    assert_eq!(bytes.len() as u64, blob.bytes);
    Some(bytes)
}

async fn hashes(store: &dyn BlobStore, project: &ProjectId) -> HashSet<BlobHash> {
    let all = store.blobs(project).await.expect("they are listed");
    let hashes: HashSet<BlobHash> = all.iter().map(|blob| blob.hash).collect();
    assert_eq!(hashes.len(), all.len(), "each once");
    hashes
}

async fn contents_of_any_size_survive(kind: &Kind<'_>) {
    let (store, project) = (kind.open().await, project("blob-sizes"));
    let sizes = [
        0,
        1,
        PART_BYTES - 1,
        PART_BYTES,
        PART_BYTES + 1,
        5 * PART_BYTES,
    ];
    for (of, size) in sizes.into_iter().enumerate() {
        put(&*store, &project, &content(of as u8, size)).await;
    }
    let other_node = kind.open().await;
    for (of, size) in sizes.into_iter().enumerate() {
        let (hash, bytes) = content(of as u8, size);
        let there = read(&*other_node, &project, hash).await;
        assert!(there.is_some_and(|there| there == bytes), "{size} bytes");
    }
    assert_eq!(hashes(&*store, &project).await.len(), sizes.len());
}

async fn what_was_not_finished_is_not_there(kind: &Kind<'_>) {
    let (store, project) = (kind.open().await, project("blob-unfinished"));
    let (hash, bytes) = content(1, 2 * PART_BYTES + 5);
    let upload = put_parts(&*store, &project, &bytes).await;
    assert_eq!(read(&*store, &project, hash).await, None);
    assert!(
        store
            .touch(&project, &[hash])
            .await
            .expect("it answers")
            .is_empty()
    );
    store
        .discard(&project, upload)
        .await
        .expect("it is discarded");
    // Finished by someone who did not write it all, or whose parts have been swept away.
    let finish = store.finish(&project, upload, hash, bytes.len() as u64);
    assert!(finish.await.is_err(), "parts are missing");
    assert_eq!(read(&*store, &project, hash).await, None);
    assert!(hashes(&*store, &project).await.is_empty());

    let upload = put_parts(&*store, &project, &bytes).await;
    let before = SystemTime::now() - Duration::from_secs(60);
    store.sweep(before).await.expect("it is swept");
    let finish = store.finish(&project, upload, hash, bytes.len() as u64);
    finish.await.expect("an upload under way is not swept away");
    let left = put_parts(&*store, &project, &content(2, 9).1).await;
    let later = SystemTime::now() + Duration::from_secs(60);
    store.sweep(later).await.expect("it is swept");
    let whole = read(&*store, &project, hash).await;
    assert!(
        whole.is_some_and(|whole| whole == bytes),
        "a content is not"
    );
    let finish = store.finish(&project, left, content(2, 9).0, 9);
    assert!(finish.await.is_err(), "what was left behind is");
}

async fn one_content_sent_twice_is_one(kind: &Kind<'_>) {
    let project = project("blob-twice");
    let one = content(3, PART_BYTES + 1);
    let nodes = [kind.open().await, kind.open().await];
    let mut sending = tokio::task::JoinSet::new();
    for round in 0..4 {
        let (store, project, one) = (nodes[round % 2].clone(), project.clone(), one.clone());
        sending.spawn(async move { put(&*store, &project, &one).await });
    }
    sending.join_all().await;
    assert_eq!(hashes(&*nodes[0], &project).await, HashSet::from([one.0]));
    let later = SystemTime::now() + Duration::from_secs(60);
    nodes[1].sweep(later).await.expect("it is swept");
    let whole = read(&*nodes[0], &project, one.0).await;
    assert!(whole.is_some_and(|whole| whole == one.1));
}

/// A node is killed between any two steps: then the content is there whole, or not at all, and can
/// be sent again.
async fn an_upload_killed_at_any_point_leaves_nothing_half(kind: &Kind<'_>) {
    let store = kind.open().await;
    let of_round = |polls: usize| project(&format!("blob-killed-{polls}"));
    let one = content(4, PART_BYTES + 7);
    // What a killed node has sent last may still be on its way. A sweep leaves it a day for that,
    // and this one more than a round.
    let mut begun_before = SystemTime::UNIX_EPOCH;
    for polls in 0..24 {
        let begins = SystemTime::now();
        let project = of_round(polls);
        let ended = polled(put(&*store, &project, &one), polls).await;
        let there = read(&*store, &project, one.0).await;
        assert!(
            there.as_ref().is_none_or(|there| *there == one.1),
            "{polls}"
        );
        assert!(ended.is_none() || there.is_some(), "{polls}");
        store.sweep(begun_before).await.expect("it is swept");
        put(&*store, &project, &one).await;
        let there = read(&*store, &project, one.0).await;
        assert!(there.is_some_and(|there| there == one.1), "{polls}");
        // Nor does a node that is killed while it collects: what is sent again is there.
        tokio::time::sleep(Duration::from_millis(2)).await;
        let since = SystemTime::now();
        tokio::time::sleep(Duration::from_millis(2)).await;
        let nothing = HashSet::new();
        let collect = store.collect(&project, since, &nothing);
        polled(collect, polls).await;
        put(&*store, &project, &one).await;
        store.sweep(begun_before).await.expect("it is swept");
        let there = read(&*store, &project, one.0).await;
        assert!(there.is_some_and(|there| there == one.1), "{polls}");
        begun_before = begins;
    }
    for polls in 0..24 {
        let there = read(&*store, &of_round(polls), one.0).await;
        assert!(there.is_some_and(|there| there == one.1), "{polls}");
    }
}

async fn only_what_is_unused_and_unnamed_is_collected(kind: &Kind<'_>) {
    let (store, project) = (kind.open().await, project("blob-collected"));
    let all = [5, 6, 7].map(|of| content(of, 100));
    for one in &all {
        put(&*store, &project, one).await;
    }
    let [named, used, gone] = all.map(|(hash, _)| hash);
    let early = SystemTime::now() - Duration::from_secs(60);
    let nothing = HashSet::new();
    let collect = store.collect(&project, early, &nothing);
    assert_eq!(collect.await.expect("it is collected"), 0);
    tokio::time::sleep(Duration::from_millis(3)).await;
    let since = SystemTime::now();
    tokio::time::sleep(Duration::from_millis(3)).await;
    let there = store.touch(&project, &[used, content(9, 9).0]).await;
    assert_eq!(there.expect("it answers"), HashSet::from([used]));
    let named_ones = HashSet::from([named]);
    let collect = store.collect(&project, since, &named_ones);
    assert_eq!(collect.await.expect("it is collected"), 1);
    assert_eq!(
        hashes(&*store, &project).await,
        HashSet::from([named, used])
    );
    assert_eq!(read(&*store, &project, gone).await, None);
    // It can be sent again.
    put(&*store, &project, &content(7, 100)).await;
    assert!(read(&*store, &project, gone).await.is_some());
}

/// One node collects what another is asked about: whoever hears that it is there finds it there.
async fn what_is_asked_about_while_it_is_collected_is_there_or_lacking(kind: &Kind<'_>) {
    let nodes = [kind.open().await, kind.open().await];
    for round in 0..10u8 {
        let project = project(&format!("blob-race-{round}"));
        let one = content(round, 50);
        put(&*nodes[0], &project, &one).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
        let since = SystemTime::now();
        tokio::time::sleep(Duration::from_millis(2)).await;
        let (collector, asked) = (nodes[0].clone(), nodes[1].clone());
        let (of, also_of) = (project.clone(), project.clone());
        let hash = one.0;
        let collecting =
            tokio::spawn(async move { collector.collect(&of, since, &HashSet::new()).await });
        let asking = tokio::spawn(async move { asked.touch(&also_of, &[hash]).await });
        let gone = collecting.await.expect("it ends").expect("it is collected");
        let there = asking.await.expect("it ends").expect("it answers");
        let is_there = read(&*nodes[1], &project, hash).await.is_some();
        assert_eq!(is_there, gone == 0, "{round}");
        assert!(
            is_there || there.is_empty(),
            "{round}: it was said to be there"
        );
    }
}

async fn projects_have_their_own_and_lose_them_alone(kind: &Kind<'_>) {
    let store: Arc<dyn BlobStore> = kind.open().await;
    let (one, other) = (project("blob-p"), project("blob-p2"));
    let same = content(8, PART_BYTES + 3);
    put(&*store, &one, &same).await;
    assert_eq!(read(&*store, &other, same.0).await, None);
    put(&*store, &other, &same).await;
    store.delete_blobs(&one).await.expect("they are deleted");
    assert!(hashes(&*store, &one).await.is_empty());
    let whole = read(&*store, &other, same.0).await;
    assert!(whole.is_some_and(|whole| whole == same.1));
}

async fn put_small(store: &dyn BlobStore, project: &ProjectId, all: &[(BlobHash, Bytes)]) {
    let put = store.put_small(project, all.to_vec());
    put.await.expect("they are put");
}

async fn many_small_ones_are_put_at_once(kind: &Kind<'_>) {
    let project = project("blob-small");
    let nodes = [kind.open().await, kind.open().await];
    let sizes = [0, 1, 100, PART_BYTES];
    let all: Vec<_> = (0..12)
        .map(|n| content(n, sizes[usize::from(n) % 4]))
        .collect();
    put(&*nodes[1], &project, &all[2]).await;
    let mut putting = tokio::task::JoinSet::new();
    for round in 0..4 {
        // Each puts some that another puts as well.
        let part = all[round..round + 8].to_vec();
        let (store, project) = (nodes[round % 2].clone(), project.clone());
        putting.spawn(async move { put_small(&*store, &project, &part).await });
    }
    putting.join_all().await;
    put_small(&*nodes[0], &project, &all).await;
    put_small(&*nodes[0], &project, &[]).await;
    let later = SystemTime::now() + Duration::from_secs(60);
    nodes[1].sweep(later).await.expect("it is swept");
    let distinct: HashSet<BlobHash> = all.iter().map(|(hash, _)| *hash).collect();
    assert_eq!(hashes(&*nodes[0], &project).await, distinct);
    for (hash, bytes) in &all {
        let there = read(&*nodes[1], &project, *hash).await;
        assert!(there.is_some_and(|there| there == *bytes));
    }
}

async fn many_put_and_killed_at_any_point_are_there_whole_or_not(kind: &Kind<'_>) {
    let store = kind.open().await;
    let all: Vec<_> = (20..24).map(|n| content(n, 50)).collect();
    for polls in 0..16 {
        let project = project(&format!("blob-small-killed-{polls}"));
        let put = put_small(&*store, &project, &all);
        let ended = polled(put, polls).await.is_some();
        for (hash, bytes) in &all {
            let there = read(&*store, &project, *hash).await;
            assert!(there.as_ref().is_none_or(|there| there == bytes), "{polls}");
            assert!(!ended || there.is_some(), "{polls}");
        }
        put_small(&*store, &project, &all).await;
        for (hash, bytes) in &all {
            let there = read(&*store, &project, *hash).await;
            assert!(there.is_some_and(|there| there == *bytes), "{polls}");
        }
    }
}

/// One name in both kinds is two contents.
async fn kept_apart(opener: &dyn Opener) {
    let project = project("blob-kinds");
    let blobs = opener.open_contents(Contents::Blobs).await;
    let texts = opener.open_contents(Contents::Texts).await;
    let one = content(30, 10);
    put(&*blobs, &project, &one).await;
    assert_eq!(read(&*texts, &project, one.0).await, None);
    // What lies under a text's hash is packed.
    let packed = (one.0, Bytes::from_static(b"packed"));
    put_small(&*texts, &project, &[packed]).await;
    let there = read(&*texts, &project, one.0).await;
    assert_eq!(there.as_deref(), Some(&b"packed"[..]));
    texts
        .delete_blobs(&project)
        .await
        .expect("they are deleted");
    let there = read(&*blobs, &project, one.0).await;
    assert!(there.is_some_and(|there| there == one.1));
}
