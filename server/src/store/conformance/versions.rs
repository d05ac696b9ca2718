//! What every [`VersionStore`] must do.

use std::sync::Arc;

use tutti_protocol::blob::BlobHash;
use tutti_protocol::ids::ProjectId;
use tutti_protocol::rest::VersionReason;

use super::{Opener, polled};
use crate::store::{StoredVersion, VersionStore};

pub(super) async fn all(opener: &dyn Opener) {
    what_is_added_is_listed_newest_first(opener).await;
    of_two_at_once_one_gets_the_number(opener).await;
    one_killed_at_any_point_is_listed_whole_or_not(opener).await;
    what_is_removed_is_gone_and_the_rest_stays(opener).await;
    projects_have_their_own_and_lose_them_alone(opener).await;
    what_cannot_be_read_is_no_empty_list(opener).await;
}

fn project(name: &str) -> ProjectId {
    name.parse().expect("a name within the rules")
}

fn version(number: u32) -> StoredVersion {
    StoredVersion {
        number,
        name: number.is_multiple_of(2).then(|| format!("the ♪ {number}")),
        made_at_ms: 1_790_000_000_000 + i64::from(number),
        because: match number % 3 {
            0 => VersionReason::Named,
            1 => VersionReason::Quiet,
            _ => VersionReason::BeforeRestore,
        },
        people: (0..number % 3).map(|n| format!("Ada \\ {n}")).collect(),
        files: number % 1_000,
        list: BlobHash([number as u8; 32]),
    }
}

async fn add(store: &dyn VersionStore, project: &ProjectId, number: u32) -> bool {
    let version = version(number);
    let added = store.add(project, &version).await;
    added.expect("it answers")
}

async fn list(
    store: &dyn VersionStore,
    project: &ProjectId,
    before: Option<u32>,
    most: u32,
) -> Vec<StoredVersion> {
    let listed = store.list(project, before, most).await;
    listed.expect("they are listed")
}

async fn numbers(store: &dyn VersionStore, project: &ProjectId) -> Vec<u32> {
    let listed = list(store, project, None, 100).await;
    listed.iter().map(|version| version.number).collect()
}

async fn what_is_added_is_listed_newest_first(opener: &dyn Opener) {
    let (store, project) = (opener.open_versions().await, project("versions"));
    assert!(list(&*store, &project, None, 10).await.is_empty());
    // With numbers of more than one length, and one that is missing.
    for number in [1, 2, 9, 10, 11, 100, u32::MAX] {
        assert!(add(&*store, &project, number).await);
    }
    let other_node = opener.open_versions().await;
    let all = list(&*other_node, &project, None, 100).await;
    let expected = [u32::MAX, 100, 11, 10, 9, 2, 1];
    assert_eq!(all, expected.map(version));
    // A page after the other.
    let mut paged = Vec::new();
    let mut before = None;
    loop {
        let page = list(&*store, &project, before, 2).await;
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { break };
        before = Some(last.number);
        paged.extend(page);
    }
    assert_eq!(paged, all);
}

async fn of_two_at_once_one_gets_the_number(opener: &dyn Opener) {
    let project = project("versions-race");
    let nodes = [opener.open_versions().await, opener.open_versions().await];
    for number in 1..=10 {
        let mut adding = tokio::task::JoinSet::new();
        for n in 0..4u8 {
            let (store, project) = (nodes[usize::from(n) % 2].clone(), project.clone());
            let mut version = version(number);
            version.list = BlobHash([n; 32]);
            adding.spawn(async move {
                let added = store.add(&project, &version).await;
                added.expect("it answers").then_some(version)
            });
        }
        let added = adding.join_all().await;
        let added: Vec<StoredVersion> = added.into_iter().flatten().collect();
        assert_eq!(list(&*nodes[0], &project, None, 1).await, added);
    }
}

async fn one_killed_at_any_point_is_listed_whole_or_not(opener: &dyn Opener) {
    let (store, project) = (opener.open_versions().await, project("versions-killed"));
    for polls in 0..12 {
        let number = polls as u32 + 1;
        let ended = polled(add(&*store, &project, number), polls).await;
        let listed = list(&*store, &project, None, 1).await;
        let is_there = listed.first().is_some_and(|newest| newest.number == number);
        assert!(!is_there || listed[0] == version(number), "{polls}");
        assert!(ended.is_none() || is_there, "{polls}");
        // What a killed node has sent last may still arrive; either way it is there once.
        add(&*store, &project, number).await;
        let listed = list(&*store, &project, None, 1).await;
        assert_eq!(listed, [version(number)], "{polls}");
    }
    assert_eq!(numbers(&*store, &project).await.len(), 12);
}

async fn what_is_removed_is_gone_and_the_rest_stays(opener: &dyn Opener) {
    let (store, project) = (opener.open_versions().await, project("versions-removed"));
    for number in 1..=4 {
        assert!(add(&*store, &project, number).await);
    }
    for gone in [2, 3, 3, 7] {
        let removed = store.remove(&project, gone).await;
        removed.expect("it is removed");
    }
    assert_eq!(numbers(&*store, &project).await, [4, 1]);
}

async fn projects_have_their_own_and_lose_them_alone(opener: &dyn Opener) {
    let store: Arc<dyn VersionStore> = opener.open_versions().await;
    let (one, other) = (project("versions-p"), project("versions-p2"));
    for number in 1..=3 {
        assert!(add(&*store, &one, number).await);
        assert!(add(&*store, &other, number).await);
    }
    store.remove_all(&one).await.expect("they are removed");
    assert!(numbers(&*store, &one).await.is_empty());
    assert_eq!(numbers(&*store, &other).await, [3, 2, 1]);
}

async fn what_cannot_be_read_is_no_empty_list(opener: &dyn Opener) {
    let (store, project) = (opener.open_versions().await, project("versions-away"));
    assert!(add(&*store, &project, 1).await);
    opener.outage(true).await;
    assert!(store.list(&project, None, 10).await.is_err());
    assert!(store.add(&project, &version(2)).await.is_err());
    opener.outage(false).await;
    // Whether the second try of the driver came through after all is not known.
    add(&*store, &project, 2).await;
    assert_eq!(numbers(&*store, &project).await, [2, 1]);
}
