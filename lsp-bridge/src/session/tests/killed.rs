//! Editors whose bridge is killed while they live on, and that come back with what was typed meanwhile.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::editor::{Editor, eventually, on_disk};
use super::hub::Hub;

/// On disk, where nobody saves anything else.
const FILE: &str = "-\n=\n+\n";
const TYPED: &str = "0-cADBba4df135eCEFG6HI7\n=\n+2\n";
/// By others, while the editor is without a bridge.
const OTHERS: &str = "0-cADBba4gqdf135eCEFG6HI7\n=\n+2\n";

/// The directory in which an editor was that has typed [`TYPED`] and whose bridge was killed.
async fn killed(hub: &Hub) -> Arc<tempfile::TempDir> {
    let mut ada = Editor::start(hub, &[("a", FILE)]).await;
    eventually(|| hub.texts() == [FILE]).await;
    ada.open("a").await;
    ada.type_at("a", 0, 0, "0").await;
    ada.type_at("a", 0, 2, "cADBba4df135eCEFG6HI7").await;
    ada.type_at("a", 2, 1, "2").await;
    eventually(|| hub.texts() == [TYPED]).await;
    let root = ada.root();
    let files = ada.kill().await;
    has_ended(&root).await;
    files
}

/// Nobody looks after the directory any more.
pub(super) async fn has_ended(root: &Path) {
    let lock = root.join(".tutti/lock");
    eventually(|| File::open(&lock).is_ok_and(|lock| lock.try_lock().is_ok())).await;
}

async fn others_write(hub: &Hub) {
    let mut bob = Editor::start(hub, &[]).await;
    on_disk(&bob.root().join("a"), TYPED).await;
    bob.open("a").await;
    bob.type_at("a", 0, 9, "gq").await;
    eventually(|| hub.texts() == [OTHERS]).await;
    assert!(bob.quit().await.0);
}

#[tokio::test]
async fn what_was_typed_all_over_the_text_is_there_once() {
    for (shown, both) in [
        (
            "0-cATDBba4df135eCEFGYN6HI7JKLMOPRSUVWZABCDEGHIJKLM\nQ=FX\n+2\n",
            "0-cATDBba4gqdf135eCEFGYN6HI7JKLMOPRSUVWZABCDEGHIJKLM\nQ=FX\n+2\n",
        ),
        (
            "0-cAXDBbaY4df13Z5eCEFG6HIV7W\n=S\n+2T\n",
            "0-cAXDBbaY4gqdf13Z5eCEFG6HIV7W\n=S\n+2T\n",
        ),
    ] {
        let hub = Hub::start().await;
        let files = killed(&hub).await;
        others_write(&hub).await;
        let mut ada = Editor::start_in(files, json!({})).await;
        ada.open_with("a", shown).await;
        ada.shows("a", both).await;
        eventually(|| hub.texts() == [both]).await;
    }
}

/// When the journal was lost, once; from then on there is one again, whatever the editor has done of what it was
/// asked for.
#[tokio::test]
async fn without_a_journal_as_well() {
    const LINE: &str = "The quick brown fox jumps over the lazy dog. ";
    type Typed = &'static [(usize, &'static str)];
    // A text, where others have written into it, and what is typed each time.
    let table: [(String, u32, Typed); 2] = [
        (
            LINE.repeat(4),
            51,
            &[(21, "ONE"), (151, "TWO"), (81, "SIX"), (5, "TEN")],
        ),
        (LINE.to_owned(), 21, &[(21, "ONE"), (40, "TWO"), (5, "SIX")]),
    ];
    for (line, place, own) in table {
        let hub = Hub::start().await;
        let mut ada = Editor::start(&hub, &[("a", FILE)]).await;
        eventually(|| hub.texts() == [FILE]).await;
        ada.open("a").await;
        ada.type_at("a", 0, 1, &line).await;
        let mut shown = format!("-{line}\n=\n+\n");
        eventually(|| hub.texts() == [shown.as_str()]).await;
        let mut bob = Editor::start(&hub, &[]).await;
        on_disk(&bob.root().join("a"), &shown).await;
        let root = ada.root();
        let mut files = ada.kill().await;
        has_ended(&root).await;
        fs::remove_dir_all(root.join(".tutti/journals")).unwrap();
        bob.open("a").await;
        bob.type_at("a", 0, place, "BOB").await;
        eventually(|| hub.texts()[0].contains("BOB")).await;
        for (at, typed) in own {
            shown.insert_str(*at, typed);
            let mut ada = Editor::start_in(files, json!({})).await;
            ada.open_with("a", &shown).await;
            eventually(|| hub.texts()[0].contains(typed)).await;
            files = ada.kill().await;
            has_ended(&root).await;
        }
        let text = hub.texts().remove(0);
        assert_eq!(text.replace("BOB", ""), shown);
        bob.shows("a", &text).await;
    }
}
