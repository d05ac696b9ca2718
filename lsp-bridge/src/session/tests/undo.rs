//! Undo and redo by command and by request.

use serde_json::{Value, json};

use super::editor::{Editor, eventually, on_disk};
use super::hub::Hub;
use crate::session::commands::UNDO_TAKES;

async fn command(editor: &mut Editor, command: &str, arguments: Value) -> Result<Value, Value> {
    let params = json!({ "command": command, "arguments": arguments });
    editor.request("workspace/executeCommand", params).await
}

#[tokio::test]
async fn what_one_wrote_goes_and_what_others_wrote_inside_stays() {
    let hub = Hub::start().await;
    let mut ada = Editor::start(&hub, &[("a", "()\n")]).await;
    let provider = &ada.seen[0]["initialized"]["capabilities"]["executeCommandProvider"];
    let offered = provider["commands"].as_array().unwrap();
    assert!(offered.contains(&json!("tutti.undo")));
    assert!(offered.contains(&json!("tutti.redo")));
    eventually(|| hub.texts() == ["()\n"]).await;
    let mut bob = Editor::start(&hub, &[]).await;
    on_disk(&bob.root().join("a"), "()\n").await;
    ada.open("a").await;
    bob.open("a").await;
    ada.type_at("a", 0, 1, "mine").await;
    bob.shows("a", "(mine)\n").await;
    bob.type_at("a", 0, 3, "THEIRS").await;
    ada.shows("a", "(miTHEIRSne)\n").await;
    let uri = ada.uri("a");
    // By command with and without the document's name, and by request.
    for (undo, redo) in [
        (json!([{ "uri": uri }]), json!([])),
        (json!([null]), json!(null)),
    ] {
        let done = command(&mut ada, "tutti.undo", undo).await;
        assert_eq!(done, Ok(json!({ "undone": true })));
        ada.shows("a", "(THEIRS)\n").await;
        bob.shows("a", "(THEIRS)\n").await;
        let done = command(&mut ada, "tutti.undo", json!([])).await;
        assert_eq!(done, Ok(json!({ "undone": false })));
        let done = command(&mut ada, "tutti.redo", redo).await;
        assert_eq!(done, Ok(json!({ "redone": true })));
        bob.shows("a", "(miTHEIRSne)\n").await;
        ada.shows("a", "(miTHEIRSne)\n").await;
    }
    for wrong in [
        json!(["x"]),
        json!([["x"]]),
        json!([{ "path": "a" }]),
        json!([{ "uri": 5 }]),
    ] {
        let error = command(&mut ada, "tutti.undo", wrong).await.unwrap_err();
        assert_eq!(error["message"], UNDO_TAKES);
    }
    let done = ada.request("tutti/undo", json!({ "uri": uri })).await;
    assert_eq!(done, Ok(json!({ "undone": true })));
    let done = ada.request("tutti/redo", Value::Null).await;
    assert_eq!(done, Ok(json!({ "redone": true })));
    let done = ada.request("tutti/redo", json!({})).await;
    assert_eq!(done, Ok(json!({ "redone": false })));
    // It is the person's: Bob takes back his own only.
    let done = command(&mut bob, "tutti.undo", json!([])).await;
    assert_eq!(done, Ok(json!({ "undone": true })));
    ada.shows("a", "(mine)\n").await;
    bob.shows("a", "(mine)\n").await;
    assert!(ada.quit().await.0);
    assert!(bob.quit().await.0);
    assert_eq!(hub.texts(), ["(mine)\n"]);
}

#[tokio::test]
async fn without_a_name_it_is_the_document_in_which_one_wrote_last() {
    let hub = Hub::start().await;
    let mut ada = Editor::start(&hub, &[("a", "a\n"), ("b", "b\n")]).await;
    eventually(|| hub.texts().len() == 2).await;
    let mut bob = Editor::start(&hub, &[]).await;
    on_disk(&bob.root().join("a"), "a\n").await;
    on_disk(&bob.root().join("b"), "b\n").await;
    for path in ["a", "b"] {
        ada.open(path).await;
        bob.open(path).await;
    }
    let nothing = command(&mut ada, "tutti.undo", json!([])).await;
    assert_eq!(nothing, Ok(json!({ "undone": false })));
    ada.type_at("a", 0, 0, "1").await;
    ada.type_at("b", 0, 0, "2").await;
    // What others write is not what she wrote last.
    bob.shows("a", "1a\n").await;
    bob.type_at("a", 0, 0, "x").await;
    ada.shows("a", "x1a\n").await;
    for expected in [true, false] {
        let done = command(&mut ada, "tutti.undo", json!([])).await;
        assert_eq!(done, Ok(json!({ "undone": expected })));
    }
    ada.shows("b", "b\n").await;
    ada.shows("a", "x1a\n").await;
    let uri = ada.uri("a");
    let done = command(&mut ada, "tutti.undo", json!([{ "uri": uri }])).await;
    assert_eq!(done, Ok(json!({ "undone": true })));
    ada.shows("a", "xa\n").await;
}

/// Closing a document ends its history.
#[tokio::test]
async fn a_document_that_was_closed_has_nothing_to_undo() {
    let hub = Hub::start().await;
    let mut ada = Editor::start(&hub, &[("a", "one\n")]).await;
    eventually(|| hub.texts() == ["one\n"]).await;
    ada.open("a").await;
    ada.type_at("a", 0, 3, " two").await;
    eventually(|| hub.texts() == ["one two\n"]).await;
    ada.close("a").await;
    let done = command(&mut ada, "tutti.undo", json!([])).await;
    assert_eq!(done, Ok(json!({ "undone": false })));
    ada.open_with("a", "one two\n").await;
    let uri = ada.uri("a");
    let done = command(&mut ada, "tutti.undo", json!([{ "uri": uri }])).await;
    assert_eq!(done, Ok(json!({ "undone": false })));
}

#[tokio::test]
async fn who_may_not_undo_is_told_why() {
    let message = |result: Result<Value, Value>| result.unwrap_err()["message"].clone();
    let hub = Hub::start().await;
    let mut ada = Editor::start(&hub, &[("a", "one\n")]).await;
    eventually(|| hub.texts() == ["one\n"]).await;
    ada.open("a").await;
    let elsewhere = json!([{ "uri": "file:///elsewhere" }]);
    let why = message(command(&mut ada, "tutti.undo", elsewhere).await);
    assert_eq!(why, "file:///elsewhere is no open file of this project");
    let error = command(&mut ada, "tutti.redo", json!([{ "uri": 3 }])).await;
    assert_eq!(error.unwrap_err()["code"], -32602);

    hub.viewers_only();
    let mut eve = Editor::start(&hub, &[]).await;
    on_disk(&eve.root().join("a"), "one\n").await;
    eve.open("a").await;
    eve.type_at("a", 0, 0, "not ").await;
    let is_told = |message: &Value| message["method"] == "window/showMessage";
    eve.until(|_, message| is_told(message)).await;
    for way in ["tutti.undo", "tutti.redo"] {
        let why = message(command(&mut eve, way, json!([])).await);
        assert_eq!(why, "your link is view-only: nothing here is yours to undo");
    }
    assert_eq!(eve.text("a"), "not one\n");

    let outside = tempfile::tempdir().unwrap();
    std::fs::create_dir(outside.path().join("work")).unwrap();
    let mut joe = Editor::start_in(outside.into(), json!({})).await;
    let why = message(command(&mut joe, "tutti.undo", json!([])).await);
    assert_eq!(why, "this is no shared project");
}
