//! Editors that come back to a file that is newer than what the last bridge could store.

use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

use serde_json::json;

use super::editor::{Editor, eventually, on_disk};
use super::hub::Hub;
use crate::mirror::survey;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// A directory whose file says `file`, whose project says `shared`, and whose record of both is
/// from when they said `one`, with no journal: as after a loss of power.
async fn behind(hub: &Hub, shared: &str, file: &str) -> Arc<tempfile::TempDir> {
    let ada = Editor::start(hub, &[("a", "one\n")]).await;
    eventually(|| hub.texts() == ["one\n"]).await;
    let (_, files) = ada.quit().await;
    let (record, old) = (
        files.path().join("work/.tutti/state"),
        files.path().join("old"),
    );
    copy(&record, &old);
    if shared != "one\n" {
        let mut ada = Editor::start_in(files.clone(), json!({})).await;
        ada.open("a").await;
        let typed = shared.strip_prefix("one").unwrap().trim_end();
        ada.type_at("a", 0, 3, typed).await;
        eventually(|| hub.texts() == [shared]).await;
        ada.save("a").await;
        assert!(ada.quit().await.0);
    }
    assert_eq!(hub.texts(), [shared]);
    fs::remove_dir_all(&record).unwrap();
    fs::remove_dir_all(files.path().join("work/.tutti/journals")).unwrap();
    copy(&old, &record);
    fs::write(files.path().join("work/a"), file).unwrap();
    files
}

/// What the server has, what the file has, what everybody has at the end.
const TABLE: [(&str, &str, &str); 4] = [
    ("one word\n", "one word\n", "one word\n"),
    ("one word\n", "one words\n", "one words\n"),
    ("one words\n", "one word\n", "one words\n"),
    ("one\n", "one word\n", "one word\n"),
];

/// Everybody has `text`, and nothing that is still under way changes that.
async fn stays(hub: &Hub, mut ada: Editor, text: &str) {
    eventually(|| hub.texts() == [text]).await;
    ada.shows("a", text).await;
    let more = format!("!{text}");
    ada.type_at("a", 0, 0, "!").await;
    eventually(|| hub.texts() == [more.as_str()]).await;
    assert_eq!(ada.text("a"), more);
    ada.save("a").await;
    ada.close("a").await;
    let root = ada.root();
    let (orderly, _files) = ada.quit().await;
    assert!(orderly);
    assert_eq!(fs::read_to_string(root.join("a")).unwrap(), more);
    assert_eq!(hub.texts(), [more.as_str()]);
    assert!(!root.join(".tutti/recovered").exists());
}

#[tokio::test]
async fn what_the_server_has_already_is_not_written_again() {
    for (shared, file, text) in TABLE {
        let hub = Hub::start().await;
        let files = behind(&hub, shared, file).await;
        let mut ada = Editor::start_in(files, json!({})).await;
        ada.open("a").await;
        stays(&hub, ada, text).await;
    }
}

#[tokio::test]
async fn nor_once_it_is_heard_of() {
    for (shared, file, text) in TABLE {
        for closed in [false, true] {
            let hub = Hub::start().await;
            let files = behind(&hub, shared, file).await;
            hub.cut(false);
            let mut ada = Editor::start_in(files, json!({})).await;
            let root = ada.root();
            ada.open("a").await;
            // It has been taken for the person's, for now.
            eventually(|| survey(&root).unwrap().unsaved == ["a"]).await;
            if !closed {
                hub.accept_again();
                stays(&hub, ada, text).await;
                continue;
            }
            ada.type_at("a", 0, 0, "?").await;
            ada.close("a").await;
            // The file follows once the bridge has taken it over.
            on_disk(&root.join("a"), &format!("?{file}")).await;
            hub.accept_again();
            let text = format!("?{text}");
            eventually(|| hub.texts() == [text.as_str()]).await;
            on_disk(&root.join("a"), &text).await;
            ada.open("a").await;
            stays(&hub, ada, &text).await;
        }
    }
}

#[tokio::test]
async fn what_is_typed_while_the_server_is_waited_for_arrives() {
    for in_time in [true, false] {
        let hub = Hub::start().await;
        let files = behind(&hub, "one word\n", "one word\n").await;
        hub.silent(true);
        let mut ada = Editor::start_in(files, json!({})).await;
        let root = ada.root();
        ada.open("a").await;
        ada.type_at("a", 0, 8, " more").await;
        if !in_time {
            // It is not waited for endlessly.
            eventually(|| survey(&root).unwrap().unsaved == ["a"]).await;
        }
        hub.silent(false);
        stays(&hub, ada, "one word more\n").await;
    }
}

#[tokio::test]
async fn what_was_typed_before_the_server_answered_survives_the_end() {
    let hub = Hub::start().await;
    let files = behind(&hub, "one\n", "one word\n").await;
    hub.silent(true);
    let mut ada = Editor::start_in(files, json!({})).await;
    ada.open("a").await;
    ada.type_at("a", 0, 8, " more").await;
    let (_, files) = ada.vanish().await;
    hub.silent(false);
    let mut ada = Editor::start_in(files, json!({})).await;
    ada.open("a").await;
    stays(&hub, ada, "one word more\n").await;
}

#[tokio::test]
async fn a_file_that_nobody_opens_waits_as_well() {
    let hub = Hub::start().await;
    let files = behind(&hub, "one word\n", "one word\n").await;
    let file = files.path().join("work/a");
    hub.silent(true);
    let mut ada = Editor::start_in(files, json!({})).await;
    let root = ada.root();
    fs::write(root.join("b"), "b\n").unwrap();
    eventually(|| survey(&root).unwrap().unsaved.contains(&"b".to_owned())).await;
    ada.open("b").await;
    ada.type_at("b", 0, 0, "marked").await;
    ada.save("b").await;
    // All is done in order: who has stored this has looked at the other file.
    let is_marked = |entry: io::Result<fs::DirEntry>| {
        let bytes = fs::read(entry.unwrap().path()).unwrap_or_default();
        bytes.windows(6).any(|part| part == b"marked")
    };
    eventually(|| {
        let mut stored = fs::read_dir(root.join(".tutti/state")).unwrap();
        stored.any(is_marked)
    })
    .await;
    hub.silent(false);
    let mut bob = Editor::start(&hub, &[]).await;
    on_disk(&bob.root().join("a"), "one word\n").await;
    bob.open("a").await;
    bob.type_at("a", 0, 8, "!").await;
    // What comes of the start has been dealt with when this has arrived.
    on_disk(&file, "one word!\n").await;
    assert!(hub.texts().contains(&"one word!\n".to_owned()));
}
