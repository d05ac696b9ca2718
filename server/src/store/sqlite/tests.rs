use std::time::Duration;

use super::*;
use crate::store::conformance::{self, Contents, Opener};
use crate::store::{BlobStore, VersionStore};

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("documents.sqlite3")
    }

    fn store(&self) -> SqliteStore {
        SqliteStore::open(&self.path()).unwrap()
    }

    /// A connection for looking and damaging, past the store.
    fn raw(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }
}

impl Opener for Files {
    fn open(&self) -> BoxFuture<'_, Arc<dyn DocumentStore>> {
        let store: Arc<dyn DocumentStore> = Arc::new(self.store());
        Box::pin(std::future::ready(store))
    }

    fn open_contents(&self, which: Contents) -> BoxFuture<'_, Arc<dyn BlobStore>> {
        let store = match which {
            Contents::Blobs => self.store().blobs(),
            Contents::Texts => self.store().texts(),
        };
        let store: Arc<dyn BlobStore> = Arc::new(store);
        Box::pin(std::future::ready(store))
    }

    fn open_versions(&self) -> BoxFuture<'_, Arc<dyn VersionStore>> {
        let store: Arc<dyn VersionStore> = Arc::new(self.store().versions());
        Box::pin(std::future::ready(store))
    }

    fn outage(&self, away: bool) -> BoxFuture<'_, ()> {
        for table in ["documents", "versions"] {
            let names = [table.to_owned(), format!("{table}_elsewhere")];
            let [from, to] = if away {
                [&names[0], &names[1]]
            } else {
                [&names[1], &names[0]]
            };
            let rename = format!("ALTER TABLE {from} RENAME TO {to}");
            self.raw().execute_batch(&rename).unwrap();
        }
        Box::pin(std::future::ready(()))
    }
}

fn room() -> RoomName {
    "p/d".parse().unwrap()
}

fn update(bytes: Vec<u8>) -> Vec<Append> {
    vec![Append::new(room(), bytes.into())]
}

#[tokio::test(flavor = "multi_thread")]
async fn it_conforms() {
    conformance::all(&Files::new()).await;
}

#[tokio::test]
async fn a_database_of_before_gets_what_it_lacks() {
    let files = Files::new();
    let store = files.store();
    store.append(update(vec![1])).await.unwrap();
    let third = "DROP TABLE versions; DROP TABLE texts; DROP TABLE text_parts;
                 UPDATE schema_version SET version = 2";
    let second = "DROP TABLE blobs; DROP TABLE blob_parts; UPDATE schema_version SET version = 1";
    for taken in [vec![third], vec![third, second]] {
        for before in taken {
            files.raw().execute_batch(before).unwrap();
        }
        let store = files.store();
        assert_eq!(store.load(&room()).await.unwrap().unwrap().log.len(), 1);
        let project = room().project;
        for contents in [store.blobs(), store.texts()] {
            assert!(contents.blobs(&project).await.unwrap().is_empty());
        }
        let versions = store.versions().list(&project, None, 10).await;
        assert!(versions.unwrap().is_empty());
    }
    let newest = "UPDATE schema_version SET version = 99";
    files.raw().execute_batch(newest).unwrap();
    assert!(SqliteStore::open(&files.path()).is_err());
}

#[tokio::test]
async fn a_commit_is_on_the_disk_before_it_is_reported() {
    let files = Files::new();
    let store = files.store();
    store.append(update(vec![1])).await.unwrap();
    let mode: String = files
        .raw()
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "wal");
    // What a crash would leave: the files as they are now, without any closing of the database.
    let copy = tempfile::tempdir().unwrap();
    for name in ["documents.sqlite3", "documents.sqlite3-wal"] {
        std::fs::copy(files.0.path().join(name), copy.path().join(name)).unwrap();
    }
    let restored = SqliteStore::open(&copy.path().join("documents.sqlite3")).unwrap();
    let document = restored.load(&room()).await.unwrap().unwrap();
    assert_eq!(document.log[0].update, vec![1]);
}

#[tokio::test]
async fn a_burst_is_one_commit() {
    let files = Files::new();
    let store = files.store();
    // While another process holds the lock, everything gathers behind the first job.
    let blocker = files.raw();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    let waiting: Vec<_> = (0..100u8)
        .map(|n| {
            tokio::spawn({
                let store = store.clone();
                async move { store.append(update(vec![n])).await }
            })
        })
        .collect();
    // Each hands its update over when it first runs: one turn for all of them.
    tokio::task::yield_now().await;
    blocker.execute_batch("COMMIT").unwrap();
    let frames = || -> i64 {
        // A commit writes at least one page to the log, whatever it holds.
        let (_, pages, _): (i64, i64, i64) = files
            .raw()
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .unwrap();
        pages
    };
    let before = frames();
    for task in waiting {
        task.await.unwrap().unwrap();
    }
    assert!(frames() - before < 30, "{} pages", frames() - before);
    assert_eq!(store.load(&room()).await.unwrap().unwrap().log.len(), 100);
}

#[tokio::test]
async fn a_full_disk_is_said_and_passes() {
    let files = Files::new();
    let store = files.store();
    store.append(update(vec![1; 1000])).await.unwrap();
    store.limit_size(Some(200_000)).await.unwrap();
    let error = store.append(update(vec![2; 1_000_000])).await.unwrap_err();
    assert!(matches!(error, StoreError::Full(_)), "{error:?}");
    // Nothing of it is there, small writes go on, and the space that comes back is used.
    store.append(update(vec![3; 10])).await.unwrap();
    store.limit_size(None).await.unwrap();
    store.append(update(vec![2; 1_000_000])).await.unwrap();
    let document = store.load(&room()).await.unwrap().unwrap();
    let sizes: Vec<usize> = document
        .log
        .iter()
        .map(|entry| entry.update.len())
        .collect();
    assert_eq!(sizes, [1000, 10, 1_000_000]);
}

#[tokio::test]
async fn in_a_group_one_that_does_not_fit_does_not_fail_the_others() {
    let files = Files::new();
    let store = files.store();
    store.append(update(vec![1])).await.unwrap();
    store.limit_size(Some(200_000)).await.unwrap();
    let blocker = files.raw();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    let tasks: Vec<_> = [10usize, 1_000_000, 20]
        .map(|size| {
            tokio::spawn({
                let store = store.clone();
                async move { store.append(update(vec![7; size])).await }
            })
        })
        .into_iter()
        .collect();
    // Each hands its update over when it first runs: one turn for all of them.
    tokio::task::yield_now().await;
    blocker.execute_batch("COMMIT").unwrap();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap().is_ok());
    }
    assert_eq!(results, [true, false, true]);
}

#[tokio::test]
async fn damage_is_an_error_and_never_an_empty_document() {
    let damages = [
        ("UPDATE updates SET bytes = x'00'", "entry"),
        ("UPDATE snapshots SET checksum = checksum + 1", "checksum"),
        ("DELETE FROM snapshots", "missing"),
        ("DELETE FROM snapshot_chunks WHERE chunk = 1", "incomplete"),
        ("UPDATE snapshots SET generation = 7", "generation"),
    ];
    for (damage, said) in damages {
        let files = Files::new();
        let store = files.store();
        store.append(update(vec![1, 2])).await.unwrap();
        let replacement = Replacement {
            generation: 0,
            snapshot: vec![9; CHUNK_BYTES + 1].into(),
            contains: Vec::new(),
        };
        assert!(store.replace(&room(), replacement).await.unwrap());
        assert!(files.raw().execute(damage, []).unwrap() > 0);
        let error = store.load(&room()).await.unwrap_err();
        assert!(error.to_string().contains(said), "{damage}: {error}");
    }
}

#[tokio::test]
async fn a_later_schema_is_left_alone() {
    let files = Files::new();
    drop(files.store());
    files
        .raw()
        .execute("UPDATE schema_version SET version = 99", [])
        .unwrap();
    let error = SqliteStore::open(&files.path()).map(drop).unwrap_err();
    assert!(error.to_string().contains("later version"), "{error}");
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_said() {
    let error = SqliteStore::open(Path::new("/proc/none/documents.sqlite3"))
        .map(drop)
        .unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly(_)), "{error:?}");
}

#[tokio::test]
async fn a_lone_write_does_not_wait_for_company() {
    let files = Files::new();
    let store = files.store();
    let write = store.append(update(vec![1]));
    tokio::time::timeout(Duration::from_secs(5), write)
        .await
        .expect("it is committed though nothing follows")
        .unwrap();
}
