//! Presence.

use serde_json::{Value, json};

use super::editor::{Editor, eventually, on_disk};
use super::hub::Hub;

#[tokio::test]
async fn the_others_are_shown_where_they_type() {
    let hub = Hub::start().await;
    let mut ada = Editor::start(&hub, &[("a", "one\ntwo\n")]).await;
    eventually(|| hub.texts() == ["one\ntwo\n"]).await;
    let mut bob = Editor::start(&hub, &[]).await;
    on_disk(&bob.root().join("a"), "one\ntwo\n").await;
    ada.open("a").await;
    bob.open("a").await;
    bob.type_at("a", 1, 3, "!").await;
    ada.shows("a", "one\ntwo!\n").await;
    let uri = ada.uri("a");
    let range = |to: u32| {
        json!({
            "textDocument": { "uri": uri },
            "range": { "start": { "line": 0, "character": 0 }, "end": { "line": to, "character": 0 } },
        })
    };
    // The first request says that this editor shows hints; then it is told when to look again.
    let mut hints = ada
        .request("textDocument/inlayHint", range(9))
        .await
        .unwrap();
    while hints == json!([]) {
        ada.until(|_, message| message["method"] == "workspace/inlayHint/refresh")
            .await;
        hints = ada
            .request("textDocument/inlayHint", range(9))
            .await
            .unwrap();
    }
    assert_eq!(hints[0]["position"], json!({ "line": 1, "character": 4 }));
    assert_eq!(
        hints.as_array().unwrap().len(),
        1,
        "one's own caret is not shown"
    );
    let none = ada
        .request("textDocument/inlayHint", range(0))
        .await
        .unwrap();
    assert_eq!(none, json!([]), "only where it was asked for");

    let mut peers = json!([]);
    while peers[0]["file"] != "a" {
        let command = json!({ "command": "tutti.peers" });
        peers = ada
            .request("workspace/executeCommand", command)
            .await
            .unwrap();
    }
    assert_eq!(peers.as_array().unwrap().len(), 1);
    bob.quit().await;
    while hints != json!([]) {
        ada.until(|_, message| message["method"] == "workspace/inlayHint/refresh")
            .await;
        hints = ada
            .request("textDocument/inlayHint", range(9))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_caret_is_learned_from_requests_that_carry_places() {
    let hub = Hub::start().await;
    let mut ada = Editor::start(&hub, &[("a", "one\ntwo\n")]).await;
    eventually(|| hub.texts() == ["one\ntwo\n"]).await;
    let mut bob = Editor::start(&hub, &[]).await;
    on_disk(&bob.root().join("a"), "one\ntwo\n").await;
    ada.open("a").await;
    bob.open("a").await;
    bob.type_at("a", 1, 3, "!").await;
    ada.shows("a", "one\ntwo!\n").await;
    let place = json!({ "line": 0, "character": 2 });
    let params = json!({ "textDocument": { "uri": bob.uri("a") }, "position": place });
    let answer = bob.request("textDocument/documentHighlight", params).await;
    assert_eq!(answer.unwrap(), Value::Null);
    let params = json!({ "textDocument": { "uri": ada.uri("a") } });
    let mut hints = ada
        .request("textDocument/inlayHint", params.clone())
        .await
        .unwrap();
    while hints[0]["position"] != place {
        ada.until(|_, message| message["method"] == "workspace/inlayHint/refresh")
            .await;
        hints = ada
            .request("textDocument/inlayHint", params.clone())
            .await
            .unwrap();
    }
}
