//! Many files at once: what is quadratic takes minutes here.

use std::time::{Duration, Instant};

use super::*;

/// Long for a slow machine, and short for anything quadratic.
const PATIENCE: Duration = Duration::from_secs(300);

fn entry(path: String) -> FileEntry {
    FileEntry {
        path,
        eol: Eol::Lf,
        executable: false,
        created_at: 0,
        created_by: "Mallory".into(),
        blob: None,
    }
}

/// An index of 100,000 entries, most of them hostile, costs the mirror seconds at most.
#[test]
fn a_hundred_thousand_entries() {
    let hostile = |n: u32| match n % 10 {
        0 => format!("../../outside/{n}"),
        1 => format!("/tmp/{n}"),
        2 => format!(".GIT/hooks/{n}"),
        3 => "same/name.rs".to_owned(),
        4 => format!("dir{n}/NUL"),
        5 => "x/".repeat(600),
        6 => format!("{n}\0"),
        7 => format!(".g\u{200d}it/{n}"),
        8 => format!("git~{n}/x"),
        _ => format!("dir/{n}/\u{202e}"),
    };
    let entries: BTreeMap<DocumentId, FileEntry> = (0..100_000u32)
        .map(|n| (format!("d{n}").parse().unwrap(), entry(hostile(n))))
        .collect();
    let mut ada = Here::with(&[("mine.txt", b"mine\n")]);
    let start = Instant::now();
    let effects = ada.mirror.index_changed(entries.clone(), true).unwrap();
    assert_eq!(effects.len(), 10_000, "those of one name, with suffixes");
    let again = ada.mirror.index_changed(entries, true).unwrap();
    assert_eq!(again.len(), 10_000);
    let effects = ada.mirror.files_changed(&Changes::everything()).unwrap();
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::Index(_)))
    );
    let told = ada.mirror.left_alone().count();
    assert_eq!(
        told,
        90_000 - 10_000 + 1,
        "each refused path, and the equal ones once"
    );
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    assert_eq!(ada.files().into_keys().collect::<Vec<_>>(), ["mine.txt"]);
}

/// A checkout of another branch: a directory of many files moves, and then they all go.
#[test]
fn many_files_move_and_go() {
    const FILES: u32 = 3_000;
    let mut ada = Here::new();
    for n in 0..FILES {
        ada.write(&format!("old/{}/f{n}.txt", n % 50), format!("text {n}\n"));
    }
    let mut hub = Hub::new();
    ada.sync(&mut hub);
    let ids: Vec<DocumentId> = hub.entries().into_keys().collect();
    assert_eq!(ids.len(), FILES as usize);
    let start = Instant::now();
    fs::rename(ada.path("old"), ada.path("new")).unwrap();
    ada.sync(&mut hub);
    let entries = hub.entries();
    assert!(entries.values().all(|entry| entry.path.starts_with("new/")));
    assert_eq!(
        entries.into_keys().collect::<Vec<_>>(),
        ids,
        "the same documents"
    );
    fs::remove_dir_all(ada.path("new")).unwrap();
    ada.sync(&mut hub);
    assert!(hub.entries().is_empty());
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
}
