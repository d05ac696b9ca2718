//! Presence.

use serde_json::{Value, json};

use super::editor::{Editor, eventually, on_disk, two};
use super::hub::Hub;

const REFRESH: &str = "workspace/inlayHint/refresh";

/// The hints in `a`.
async fn hints(editor: &mut Editor) -> Value {
    let params = json!({ "textDocument": { "uri": editor.uri("a") } });
    let answer = editor.request("textDocument/inlayHint", params).await;
    answer.unwrap()
}

/// Asks for the hints in `a`, now and whenever the bridge says so, until they are as wanted.
async fn hints_until(editor: &mut Editor, wanted: impl Fn(&Value) -> bool) {
    while !wanted(&hints(editor).await) {
        editor
            .until(|_, message| message["method"] == REFRESH)
            .await;
    }
}

#[tokio::test]
async fn the_others_are_shown_where_they_type() {
    let hub = Hub::start().await;
    let (mut ada, mut bob) = two(&hub, "one\ntwo\n").await;
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
        ada.until(|_, message| message["method"] == REFRESH).await;
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
        ada.until(|_, message| message["method"] == REFRESH).await;
        hints = ada
            .request("textDocument/inlayHint", range(9))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_caret_is_learned_from_requests_that_carry_places() {
    let hub = Hub::start().await;
    let (mut ada, mut bob) = two(&hub, "one\ntwo\n").await;
    bob.type_at("a", 1, 3, "!").await;
    ada.shows("a", "one\ntwo!\n").await;
    let place = json!({ "line": 0, "character": 2 });
    let params = json!({ "textDocument": { "uri": bob.uri("a") }, "position": place });
    let answer = bob.request("textDocument/documentHighlight", params).await;
    assert_eq!(answer.unwrap(), Value::Null);
    hints_until(&mut ada, |hints| hints[0]["position"] == place).await;
}

/// How many of the messages that were read ask to look at the hints again.
fn refreshes(editor: &Editor) -> usize {
    let refresh = |message: &&Value| message["method"] == REFRESH;
    editor.seen.iter().filter(refresh).count()
}

#[tokio::test]
async fn the_editor_looks_again_when_others_move_and_not_when_its_own_person_types() {
    let hub = Hub::start().await;
    let (mut ada, mut bob) = two(&hub, "one\ntwo\n").await;
    bob.type_at("a", 1, 3, "!").await;
    ada.shows("a", "one\ntwo!\n").await;
    let place = json!({ "line": 1, "character": 4 });
    hints_until(&mut ada, |hints| hints[0]["position"] == place).await;
    hints_until(&mut bob, |hints| *hints == json!([])).await;
    ada.seen.clear();

    // Each key has made its way through the server and back when Bob's bridge knows of it.
    for typed in 0..4 {
        ada.type_at("a", 0, typed, "x").await;
        let place = json!({ "line": 0, "character": typed + 1 });
        hints_until(&mut bob, |hints| hints[0]["position"] == place).await;
    }
    let params = json!({ "textDocument": { "uri": bob.uri("a") }, "position": { "line": 1, "character": 0 } });
    let answer = bob.request("textDocument/documentHighlight", params).await;
    assert_eq!(answer.unwrap(), Value::Null);
    ada.until(|_, message| message["method"] == REFRESH).await;
    assert_eq!(refreshes(&ada), 0, "nothing of others had changed before");
    let hints = hints(&mut ada).await;
    assert_eq!(hints[0]["position"], json!({ "line": 1, "character": 0 }));
}

#[tokio::test]
async fn an_editor_that_does_not_know_the_question_is_asked_once() {
    let hub = Hub::start().await;
    let mut ada = Editor::start(&hub, &[("a", "one\ntwo\n")]).await;
    ada.unknown = Some(REFRESH);
    eventually(|| hub.texts() == ["one\ntwo\n"]).await;
    let mut bob = Editor::start(&hub, &[]).await;
    on_disk(&bob.root().join("a"), "one\ntwo\n").await;
    ada.open("a").await;
    assert_eq!(hints(&mut ada).await, json!([]));
    bob.open("a").await;
    bob.type_at("a", 0, 0, "x").await;
    ada.until(|_, message| message["method"] == REFRESH).await;
    // A caret is announced every 80 ms at most, so that these outlast the pause between two questions.
    for typed in 1..8 {
        bob.type_at("a", 0, typed, "x").await;
        while hints(&mut ada).await[0]["position"]["character"] != typed + 1 {}
    }
    assert_eq!(refreshes(&ada), 0);
}
