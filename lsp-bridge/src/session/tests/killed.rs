//! Editors whose bridge is killed while they live on, and that come back with what was typed meanwhile.

use std::fs::File;
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
async fn has_ended(root: &Path) {
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
