//! Makes a version of each project that has fallen quiet after edits.
//!
//! Every node looks after what its own people have edited. Where people of several have, the first
//! to find the project quiet makes the version; the others see that there is a new one, or, if they
//! have begun as well, that theirs is overtaken or would be equal to it.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::task::AbortHandle;
use tutti_protocol::ids::ProjectId;
use tutti_protocol::rest::VersionReason;

use super::make::{HistoryError, Keeper};
use super::{About, Outcome};

/// Between two looks, and the share of the quiet time that this is at most.
const LOOK: Duration = Duration::from_secs(5);
const LOOKS: u32 = 8;

/// What is known of a project that may be quiet.
#[derive(Default)]
struct Watched {
    /// Its newest version half-way through the quiet time: whatever comes after it has all edits.
    newest: Option<u32>,
    /// After a failure: when to try again.
    again_at: Option<Instant>,
}

/// See the [module's documentation](self).
pub(crate) struct Watcher {
    keeper: Keeper,
    quiet: Duration,
    /// Longer than the other nodes wait, or shorter.
    patience: Duration,
    watched: HashMap<ProjectId, Watched>,
}

impl Watcher {
    /// Makes versions of projects that nobody has edited for `quiet`.
    pub(crate) fn new(keeper: Keeper, quiet: Duration) -> Self {
        Self {
            keeper,
            quiet,
            patience: quiet.mul_f64(jitter() / 4.0),
            watched: HashMap::new(),
        }
    }

    /// Looks now and then, until that is aborted.
    pub(crate) fn start(mut self) -> AbortHandle {
        let looks = async move {
            loop {
                tokio::time::sleep(LOOK.min(self.quiet / LOOKS)).await;
                self.look().await;
            }
        };
        tokio::spawn(looks).abort_handle()
    }

    /// One project after the other, so that there is never more than one version in memory.
    async fn look(&mut self) {
        let edited = self.keeper.rooms.edited();
        self.watched
            .retain(|project, _| edited.iter().any(|(edited, _)| edited == project));
        for (project, quiet_for) in edited {
            let people = self.keeper.rooms.people_since(&project).await;
            if quiet_for < self.quiet / 2 {
                self.watched.remove(&project);
                continue;
            }
            if let Err(error) = self.look_at(&project, quiet_for, people).await {
                metrics::counter!("tutti_version_failures_total").increment(1);
                tracing::warn!(%project, %error, "no version could be made of a project; it is tried again");
                let watched = self.watched.entry(project).or_default();
                watched.again_at = Some(Instant::now() + self.quiet);
            }
        }
    }

    async fn look_at(
        &mut self,
        project: &ProjectId,
        quiet_for: Duration,
        people: impl IntoIterator<Item = String>,
    ) -> Result<(), HistoryError> {
        let watched = self.watched.entry(project.clone()).or_default();
        if watched.again_at.is_some_and(|at| at > Instant::now()) {
            return Ok(());
        }
        let before = watched.newest;
        if before.is_some() && quiet_for < self.quiet + self.patience {
            return Ok(());
        }
        let begun = Instant::now();
        let rooms = &self.keeper.rooms;
        let newest = self.keeper.history.newest(project).await?;
        let newest = newest.map_or(0, |newest| newest.number);
        let Some(before) = before else {
            watched.newest = Some(newest);
            return Ok(());
        };
        // Only what is saved is known to be in the other's version.
        if newest > before && rooms.health().not_saving.is_none() {
            rooms.has_version(project, begun);
            return Ok(());
        }
        let about = About {
            name: None,
            because: VersionReason::Quiet,
            people: people.into_iter().collect(),
            made_at_ms: now_ms(),
        };
        match self.keeper.make(project, about).await {
            Ok(Outcome::Made(_) | Outcome::Unchanged(_)) | Err(HistoryError::Deleted) => {
                rooms.has_version(project, begun);
                Ok(())
            }
            Ok(Outcome::Overtaken) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as i64)
}

/// Between 0 and 1.
fn jitter() -> f64 {
    let mut byte = [0u8];
    // Without randomness there is simply no jitter.
    let _ = getrandom::fill(&mut byte);
    f64::from(byte[0]) / 256.0
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use tutti_protocol::ids::RoomName;
    use tutti_protocol::index::{CONTENT, Eol, FileEntry, Roots, insert, new_doc};
    use yrs::{ReadTxn, StateVector, Text, Transact};

    use super::*;
    use crate::auth::admin::AdminKey;
    use crate::auth::{Access, Directory, Project, SqliteDirectory, Token};
    use crate::fanout::SilentFanOut;
    use crate::history::History;
    use crate::limits::Limits;
    use crate::rooms::Rooms;
    use crate::store::SqliteStore;

    const QUIET: Duration = Duration::from_millis(40);

    /// A store with a project.
    async fn stored(dir: &Path) -> (SqliteStore, Arc<dyn Directory>, ProjectId) {
        let store = SqliteStore::open(&dir.join("d")).unwrap();
        let directory = SqliteDirectory::open(&dir.join("p")).unwrap();
        let project: ProjectId = "p".parse().unwrap();
        let record = Project {
            id: project.clone(),
            name: "P".to_owned(),
            created_at: 0,
        };
        directory.create_project(record, Vec::new()).await.unwrap();
        (store, Arc::new(directory), project)
    }

    /// One of several nodes on one store, which cannot hear each other.
    fn node(store: &SqliteStore, directory: &Arc<dyn Directory>) -> Watcher {
        let access = Access::new(directory.clone(), AdminKey::of(&Token::generate().unwrap()));
        let rooms = Rooms::new(
            Arc::new(store.clone()),
            Arc::new(SilentFanOut::new().unwrap()),
            Limits::default(),
        );
        let history = History::new(Arc::new(store.versions()), Arc::new(store.texts()));
        let keeper = Keeper::new(access, rooms, Arc::new(store.blobs()), history);
        Watcher::new(keeper, QUIET)
    }

    async fn apply(node: &Watcher, room: &str, write: impl FnOnce(&yrs::Doc)) {
        let doc = new_doc(u64::from(fastrand::u32(1..)));
        write(&doc);
        let update = doc.transact().encode_diff_v1(&StateVector::default());
        let room: RoomName = room.parse().unwrap();
        let rooms = &node.keeper.rooms;
        rooms.apply(&room, update.into()).await.unwrap();
    }

    async fn type_text(node: &Watcher, text: &str) {
        apply(node, "p/a", |doc| {
            let content = doc.get_or_insert_text(CONTENT);
            content.insert(&mut doc.transact_mut(), 0, text);
        })
        .await;
    }

    /// Lets all nodes look until none of them has anything left to do.
    async fn until_quiet(nodes: &mut [Watcher]) {
        while nodes
            .iter()
            .any(|node| !node.keeper.rooms.edited().is_empty())
        {
            let looks = nodes.iter_mut().map(Watcher::look);
            futures_util::future::join_all(looks).await;
            tokio::time::sleep(QUIET / LOOKS).await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_many_nodes_one_makes_the_version() {
        let dir = tempfile::tempdir().unwrap();
        let (store, directory, project) = stored(dir.path()).await;
        let mut nodes: Vec<Watcher> = (0..3).map(|_| node(&store, &directory)).collect();
        apply(&nodes[0], "p/index", |doc| {
            let roots = Roots::of(doc);
            let entry = FileEntry {
                path: "a.txt".to_owned(),
                eol: Eol::Lf,
                executable: false,
                created_at: 0,
                created_by: "Ada".to_owned(),
                blob: None,
            };
            insert(
                &mut doc.transact_mut(),
                &roots,
                &"a".parse().unwrap(),
                &entry,
            );
        })
        .await;
        let history = nodes[0].keeper.history.clone();
        for round in 1..=4 {
            for (n, node) in nodes.iter().enumerate() {
                type_text(node, &format!("<{round} {n}>")).await;
            }
            until_quiet(&mut nodes).await;
            let newest = history.newest(&project).await.unwrap().unwrap();
            assert_eq!(newest.number, round, "one for each time it fell quiet");
            assert_eq!(newest.because, VersionReason::Quiet);
            let files = history.files(&project, &newest).await.unwrap();
            let text = history.text(&project, files[0].sha256).await.unwrap();
            let text = String::from_utf8(text).unwrap();
            for n in 0..nodes.len() {
                assert!(text.contains(&format!("<{round} {n}>")), "{text}");
            }
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_cannot_be_read_is_tried_again_and_never_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let (store, directory, project) = stored(dir.path()).await;
        let mut node = node(&store, &directory);
        type_text(&node, "one").await;
        let raw = rusqlite::Connection::open(dir.path().join("d")).unwrap();
        raw.execute_batch("ALTER TABLE versions RENAME TO elsewhere")
            .unwrap();
        let half = QUIET / 2;
        tokio::time::sleep(half).await;
        node.look().await;
        assert!(node.watched[&project].again_at.is_some());
        assert_eq!(node.keeper.rooms.edited().len(), 1, "it is not forgotten");
        raw.execute_batch("ALTER TABLE elsewhere RENAME TO versions")
            .unwrap();
        until_quiet(std::slice::from_mut(&mut node)).await;
        assert_eq!(node.keeper.history.all(&project).await.unwrap().len(), 1);
    }
}
