use bytes::Bytes;
use sha2::{Digest, Sha256};
use tutti_protocol::blob::BlobHash;
use tutti_protocol::ids::{DocumentId, ProjectId, RoomName};
use tutti_protocol::index::{Eol, new_doc};
use tutti_protocol::rest::{FileKind, VersionReason};
use tutti_protocol::role::Role;
use yrs::{GetString, Map, Text, Transact};

use super::place::Opened;
use super::*;
use crate::auth::{Link, Pass, Project, ProjectRecord, Token};
use crate::document::Document;
use crate::history::{About, History, ListedFile, Outcome};
use crate::mongo::Mongo;
use crate::mongo::test_server::TestServer;
use crate::store::blobs::PART_BYTES;
use crate::store::compaction::compact;
use crate::store::{Append, StoredDocument, WriteId};

const PROJECTS: [&str; 2] = ["alpha", "beta"];

/// A directory for a place, and a database for another.
struct Places {
    server: TestServer,
    dir: tempfile::TempDir,
}

impl Places {
    fn new() -> Self {
        Self {
            server: TestServer::start(),
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn sqlite(&self, name: &str) -> Place {
        Place::Sqlite(self.dir.path().join(name))
    }

    fn mongo(&self, name: &str) -> Place {
        let uri = self
            .server
            .uri_text()
            .replace("/tutti", &format!("/{name}"));
        Place::Mongo(uri.parse().unwrap())
    }
}

fn room(project: &str, document: &str) -> RoomName {
    let document: DocumentId = document.parse().unwrap();
    RoomName::new(project.parse().unwrap(), document)
}

/// Fills a place with what a server would have written there.
async fn fill(place: &Place, seed: u64) {
    let place = place.open_target().await.unwrap();
    let mut rng = fastrand::Rng::with_seed(seed);
    for project in PROJECTS {
        let id: ProjectId = project.parse().unwrap();
        let link = |max_uses| {
            let token = Token::generate().unwrap();
            let link = Link {
                id: token.id().to_owned(),
                project: id.clone(),
                role: Role::Editor,
                created_at: 5,
                expires_at: Some(1_900_000_000_000),
                max_uses,
                uses: max_uses.map_or(0, |_| 1),
                made_with: None,
            };
            (link, token.hash())
        };
        let (root, mut limited) = (link(None), link(Some(3)));
        limited.0.made_with = Some(root.0.id.clone());
        let pass = Token::generate().unwrap();
        let record = ProjectRecord {
            project: Project {
                id: id.clone(),
                name: format!("{project} ♪"),
                created_at: 4,
            },
            passes: vec![Pass {
                id: pass.id().to_owned(),
                link: limited.0.id.clone(),
                hash: pass.hash(),
            }],
            links: vec![root, limited],
        };
        place.directory.restore_project(record).await.unwrap();
        for document in ["index", "one", "two", "waiting"] {
            type_into(&place, &room(project, document), &mut rng).await;
        }
        for bytes in [0, 10, PART_BYTES + 3] {
            send(&place, &id, &mut rng, bytes).await;
        }
        for round in 0..3 {
            keep_version(&place, &id, &mut rng, round).await;
        }
        // A gap in their numbers, as thinning out leaves it.
        place.versions.remove(&id, 2).await.unwrap();
    }
}

/// A content of a file that is no text.
async fn send(place: &Opened, project: &ProjectId, rng: &mut fastrand::Rng, bytes: usize) {
    let content: Bytes = (0..bytes).map(|_| rng.u8(..)).collect();
    let upload = WriteId::next();
    for (at, part) in content.chunks(PART_BYTES).enumerate() {
        let part = Bytes::copy_from_slice(part);
        let put = place.blobs.put_part(project, upload, at as u32, part);
        put.await.unwrap();
    }
    let hash = BlobHash(Sha256::digest(&content).into());
    let finish = place.blobs.finish(project, upload, hash, bytes as u64);
    finish.await.unwrap();
}

/// A version, of which the second has a text that takes more than one part.
async fn keep_version(place: &Opened, project: &ProjectId, rng: &mut fastrand::Rng, round: usize) {
    let history = versions_of(place);
    let mut draft = history.draft(project).await.unwrap();
    let large: String = (0..2 * PART_BYTES * round.min(1))
        .map(|_| rng.alphanumeric())
        .collect();
    for (n, text) in [format!("{round} ♪"), "same".to_owned(), large]
        .into_iter()
        .enumerate()
    {
        let file = |sha256, bytes| ListedFile {
            id: format!("f{n}").parse().unwrap(),
            path: format!("{n}.txt"),
            kind: FileKind::Text,
            sha256,
            bytes,
            eol: Eol::Lf,
            executable: false,
            created_at: 3,
            created_by: "Ada".to_owned(),
        };
        draft.add_text(text, file).await.unwrap();
    }
    let about = About {
        name: (round == 0).then(|| "first".to_owned()),
        because: if round == 0 {
            VersionReason::Named
        } else {
            VersionReason::Quiet
        },
        people: vec!["Ada".to_owned(), "Bob".to_owned()],
        made_at_ms: 7,
    };
    let ended = draft.end(about).await.unwrap();
    assert!(matches!(ended, Outcome::Made(_)));
}

fn versions_of(place: &Opened) -> History {
    History::new(place.versions.clone(), place.texts.clone())
}

/// Two people write text and a map; a part of it is compacted, and one update lacks another.
async fn type_into(place: &Opened, room: &RoomName, rng: &mut fastrand::Rng) {
    let people = [new_doc(rng.u64(1..1 << 40)), new_doc(rng.u64(1..1 << 40))];
    let mut updates: Vec<Bytes> = Vec::new();
    for n in 0..120 {
        let person = &people[rng.usize(..2)];
        let text = person.get_or_insert_text("content");
        let map = person.get_or_insert_map("files");
        let mut txn = person.transact_mut();
        let length = text.get_string(&txn).encode_utf16().count() as u32;
        let lost = room.document.as_str() == "waiting" && n == 60;
        match rng.u8(..4) {
            0 if length > 2 && !lost => text.remove_range(&mut txn, rng.u32(..length - 1), 1),
            1 => {
                map.insert(&mut txn, format!("key{}", rng.u8(..5)), n);
            }
            _ => text.insert(&mut txn, rng.u32(..=length), "♪ab"),
        }
        let update = Bytes::from(txn.encode_update_v1());
        drop(txn);
        if lost {
            // Lost on its way: all that this person writes from here on has to wait for it.
            continue;
        }
        updates.push(update);
    }
    for (n, update) in updates.into_iter().enumerate() {
        let append = Append::new(room.clone(), update);
        place.documents.append(vec![append]).await.unwrap();
        if n == 80 && room.document.as_str() != "two" {
            compact(&*place.documents, room).await.unwrap();
        }
    }
}

async fn stored(place: &Opened, project: &str, document: &str) -> StoredDocument {
    let loaded = place.documents.load(&room(project, document)).await;
    loaded.unwrap().unwrap()
}

fn text(stored: &StoredDocument) -> String {
    let document = Document::from_stored(stored).unwrap();
    let text = document.doc().get_or_insert_text("content");
    text.get_string(&document.doc().transact())
}

async fn quietly(from: &Place, to: &Place) -> Result<Report, MigrateError> {
    migrate(from, to, |_| {}).await
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_goes_there_and_back() {
    let seed = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    print_seed(seed);
    let places = Places::new();
    let (start, middle, end) = (
        places.sqlite("start"),
        places.mongo("middle"),
        places.sqlite("end"),
    );
    fill(&start, seed).await;
    crate::auth::admin::load_or_create(&places.dir.path().join("start")).unwrap();
    let mut lines = Vec::new();
    let there = migrate(&start, &middle, |line| lines.push(line.to_owned())).await;
    let there = there.unwrap();
    let expected = Report {
        projects: 2,
        links: 4,
        tokens: 2,
        documents: 8,
        files: 6,
        versions: 4,
        already_there: 0,
        admin_token: "the admin token stays the same".to_owned(),
    };
    assert_eq!(there, expected);
    assert_eq!(
        lines,
        [
            "alpha ♪: 4 documents, 3 binary files, 2 versions",
            "beta ♪: 4 documents, 3 binary files, 2 versions",
            "comparing"
        ]
    );
    let back = quietly(&middle, &end).await.unwrap();
    assert_eq!((back.documents, back.files, back.versions), (8, 6, 4));
    assert!(back.admin_token.contains("makes a new admin token"));

    let (start, end) = (
        start.open_source().await.unwrap(),
        end.open_source().await.unwrap(),
    );
    let mut waiting = 0;
    for project in PROJECTS {
        for document in ["index", "one", "two", "waiting"] {
            let before = stored(&start, project, document).await;
            let after = stored(&end, project, document).await;
            assert_eq!(text(&after), text(&before));
            // What waits for a lost update is neither dropped nor merged.
            waiting += usize::from(!after.log.is_empty());
        }
    }
    assert_eq!(waiting, 2, "seed {seed}");
    for project in PROJECTS {
        let id: ProjectId = project.parse().unwrap();
        let (before, after) = (versions_of(&start), versions_of(&end));
        let versions = before.all(&id).await.unwrap();
        let numbers: Vec<u32> = versions.iter().map(|version| version.number).collect();
        assert_eq!(numbers, [3, 1]);
        assert_eq!(after.all(&id).await.unwrap(), versions);
        for version in &versions {
            let files = before.files(&id, version).await.unwrap();
            assert_eq!(after.files(&id, version).await.unwrap(), files);
            for file in files {
                let text = before.text(&id, file.sha256).await.unwrap();
                assert!(after.text(&id, file.sha256).await.unwrap() == text);
            }
        }
    }
}

#[allow(clippy::print_stderr, reason = "a failed run must be repeatable")]
fn print_seed(seed: u64) {
    eprintln!("migration: SEED={seed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_copy_goes_on_and_is_served_by_nobody_meanwhile() {
    let places = Places::new();
    let (from, to) = (places.sqlite("from"), places.mongo("to"));
    fill(&from, 1).await;
    // Ended when the first project is there and the second is not.
    let dropped = {
        let (from, to) = (from.clone(), to.clone());
        let (told, mut tell) = tokio::sync::mpsc::unbounded_channel();
        let (abort, aborted) = std::sync::mpsc::channel::<()>();
        let copying = tokio::spawn(async move {
            migrate(&from, &to, move |line| {
                let _ = told.send(line.to_owned());
                // It is ended here, between two steps.
                let ended = tokio::task::block_in_place(|| aborted.recv());
                assert!(ended.is_err(), "nothing is sent");
            })
            .await
        });
        assert_eq!(
            tell.recv().await.unwrap(),
            "alpha ♪: 4 documents, 3 binary files, 2 versions"
        );
        copying.abort();
        drop(abort);
        copying.await
    };
    assert!(dropped.unwrap_err().is_cancelled());

    let settings = crate::config::Settings {
        listen: ([127, 0, 0, 1], 0).into(),
        data: Some(places.dir.path().join("node")),
        mongodb: match &to {
            Place::Mongo(uri) => Some(uri.clone()),
            Place::Sqlite(_) => None,
        },
        ..Default::default()
    };
    let refusal = crate::app::start(settings.clone()).await.err().unwrap();
    assert!(
        refusal.to_string().contains("`tutti-server migrate` again"),
        "{refusal}"
    );
    let other = places.sqlite("other");
    fill(&other, 2).await;
    let refusal = quietly(&other, &to).await.unwrap_err();
    assert!(
        matches!(refusal, MigrateError::OtherCopy { .. }),
        "{refusal}"
    );

    // Half of everything is nobody's backup.
    let refusal = quietly(&to, &places.sqlite("further")).await.unwrap_err();
    assert!(
        matches!(refusal, MigrateError::HalfCopied { .. }),
        "{refusal}"
    );

    let report = quietly(&from, &to).await.unwrap();
    assert_eq!((report.documents, report.files), (8, 6));
    assert_eq!(report.already_there, 4 + 3);
    let running = crate::app::start(settings).await.unwrap();
    running.shutdown().await.unwrap();
}

/// Between two runs the source is served: what it has lost meanwhile goes from the copy as well.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_source_has_lost_since_an_interrupted_copy_goes_from_the_copy() {
    for there in [true, false] {
        let places = Places::new();
        let (from, to) = match there {
            true => (places.sqlite("source"), places.mongo("target")),
            false => (places.mongo("source"), places.sqlite("target")),
        };
        fill(&from, 1).await;
        quietly(&from, &to).await.unwrap();
        let source = from.open_target().await.unwrap();
        // As it was before the last step of the copy.
        let target = to.open_target().await.unwrap();
        target.mark.set(&source.name).await.unwrap();
        drop(target);

        let alpha: ProjectId = "alpha".parse().unwrap();
        let links = source.directory.links(&alpha).await.unwrap();
        let root = links.iter().find(|link| link.made_with.is_none()).unwrap();
        let removed = source.directory.delete_link(&alpha, &root.id).await;
        assert_eq!(removed.unwrap().len(), 2);
        let none = std::collections::HashSet::new();
        let far = std::time::SystemTime::now() + std::time::Duration::from_secs(3600);
        let collected = source.blobs.collect(&alpha, far, &none);
        assert_eq!(collected.await.unwrap(), 3);
        // One document only of those that there were.
        let kept = stored(&source, "alpha", "one").await;
        source.documents.delete_project(&alpha).await.unwrap();
        let updates = kept.snapshot.into_iter();
        let updates = updates.chain(kept.log.into_iter().map(|entry| entry.update));
        let batch = updates.map(|update| Append::new(room("alpha", "one"), update));
        source.documents.append(batch.collect()).await.unwrap();
        source.versions.remove(&alpha, 1).await.unwrap();
        let beta: ProjectId = "beta".parse().unwrap();
        source.directory.delete_project(&beta).await.unwrap();
        source.documents.delete_project(&beta).await.unwrap();
        source.blobs.delete_blobs(&beta).await.unwrap();
        versions_of(&source).delete_project(&beta).await.unwrap();
        drop(source);

        let report = quietly(&from, &to).await.unwrap();
        let counts = (report.projects, report.links, report.tokens);
        assert_eq!(counts, (1, 0, 0));
        assert_eq!((report.documents, report.files, report.versions), (1, 0, 1));
        let target = to.open_source().await.unwrap();
        assert!(target.documents.documents(&beta).await.unwrap().is_empty());
        assert!(target.blobs.blobs(&beta).await.unwrap().is_empty());
        assert!(target.texts.blobs(&beta).await.unwrap().is_empty());
        assert!(versions_of(&target).all(&beta).await.unwrap().is_empty());
        assert!(target.mark.source().await.unwrap().is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_not_empty_and_a_source_that_is_are_refused() {
    let places = Places::new();
    let (one, two) = (places.sqlite("one"), places.mongo("two"));
    fill(&one, 1).await;
    fill(&two, 2).await;
    for (from, to) in [(&one, &two), (&two, &one)] {
        let refusal = quietly(from, to).await.unwrap_err();
        assert!(matches!(refusal, MigrateError::NotEmpty(_)), "{refusal}");
    }
    let refusal = quietly(&one, &one).await.unwrap_err();
    assert!(matches!(refusal, MigrateError::SamePlace(_)), "{refusal}");
    let target = places.sqlite("target");
    for nothing in [places.sqlite("none"), places.mongo("none")] {
        let refusal = quietly(&nothing, &target).await;
        assert!(matches!(refusal, Err(MigrateError::NothingThere(_))));
    }
    for name in ["none", "target"] {
        assert!(!places.dir.path().join(name).exists(), "nothing is made");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_differs_is_never_called_done() {
    let places = Places::new();
    let (from, to) = (places.sqlite("from"), places.mongo("to"));
    fill(&from, 1).await;
    let Place::Mongo(uri) = &to else {
        unreachable!()
    };
    let target = Mongo::connect(uri).await.unwrap();
    let store = crate::store::MongoStore::new(&target);
    // Somebody writes into the target between copying and comparing.
    let result = migrate(&from, &to, |line| {
        if line == "comparing" {
            let doc = new_doc(7);
            let text = doc.get_or_insert_text("content");
            let mut txn = doc.transact_mut();
            text.push(&mut txn, "stray");
            let update = Bytes::from(txn.encode_update_v1());
            let append = Append::new(room("beta", "one"), update);
            tokio::task::block_in_place(|| {
                use crate::store::DocumentStore;
                tokio::runtime::Handle::current().block_on(store.append(vec![append]))
            })
            .unwrap();
        }
    })
    .await;
    let refusal = result.unwrap_err();
    assert!(
        refusal.to_string().starts_with("beta/one differs"),
        "{refusal}"
    );
    assert!(
        to.open_target()
            .await
            .unwrap()
            .mark
            .source()
            .await
            .unwrap()
            .is_some()
    );
}

/// A text that a version names is compared by its hash, not by its name.
#[tokio::test(flavor = "multi_thread")]
async fn a_version_whose_text_differs_is_never_called_copied() {
    let places = Places::new();
    for (from, to) in [
        (places.sqlite("one"), places.mongo("two")),
        (places.mongo("three"), places.sqlite("four")),
    ] {
        fill(&from, 1).await;
        let source = from.open_target().await.unwrap();
        let beta: ProjectId = "beta".parse().unwrap();
        let texts = source.texts.blobs(&beta).await.unwrap();
        source.texts.delete_blobs(&beta).await.unwrap();
        // Under each name there is now what was packed from another text.
        let packed = zstd::bulk::compress(b"another text", 3).unwrap();
        let all = texts
            .iter()
            .map(|text| (text.hash, Bytes::from(packed.clone())));
        source.texts.put_small(&beta, all.collect()).await.unwrap();
        drop(source);
        let refusal = quietly(&from, &to).await.unwrap_err().to_string();
        assert!(refusal.contains("history of beta"), "{refusal}");
    }
}
