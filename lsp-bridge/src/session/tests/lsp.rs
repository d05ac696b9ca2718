//! The protocol's own rules.

use serde_json::{Value, json};

use super::editor::{Editor, directory, eventually};
use super::hub::Hub;

#[tokio::test]
async fn strange_messages_are_survived() {
    let hub = Hub::start().await;
    let mut ada = Editor::start(&hub, &[("a", "one\n")]).await;
    let nothing = json!({});
    for method in [
        "textDocument/didOpen",
        "textDocument/didChange",
        "textDocument/didSave",
        "textDocument/didClose",
        "workspace/didChangeConfiguration",
        "$/setTrace",
        "made/up",
    ] {
        ada.notify(method, nothing.clone()).await;
        ada.notify(method, Value::Null).await;
    }
    let unopened = json!({ "uri": "file:///x", "version": 3 });
    let change = json!({ "textDocument": unopened, "contentChanges": [{ "text": "x" }] });
    ada.notify("textDocument/didChange", change).await;
    ada.write(json!({ "jsonrpc": "2.0", "id": 99, "result": { "applied": true } }))
        .await;
    let error = ada.request("made/up", nothing.clone()).await.unwrap_err();
    assert_eq!(error["code"], -32601);
    let hover = json!({ "textDocument": { "uri": "file:///x" }, "position": { "line": 0 } });
    let error = ada.request("textDocument/hover", hover).await.unwrap_err();
    assert_eq!(error["code"], -32601);
    let command = json!({ "command": "tutti.unheard" });
    let error = ada
        .request("workspace/executeCommand", command)
        .await
        .unwrap_err();
    assert_eq!(error["code"], -32602);
    assert!(ada.quit().await.0);
}

/// What the editor's text is made of is not known, so neither is what it shows.
#[tokio::test]
async fn a_change_of_a_file_that_is_not_open_is_told_of_once() {
    let hub = Hub::start().await;
    let mut ada = Editor::start(&hub, &[("a", "one\n"), ("b", "two\n")]).await;
    eventually(|| hub.texts() == ["one\n", "two\n"]).await;
    for path in ["a", "a", "b"] {
        let document = json!({ "uri": ada.uri(path), "version": 3 });
        let change = json!({ "textDocument": document, "contentChanges": [{ "text": "x" }] });
        ada.notify("textDocument/didChange", change).await;
    }
    let is_told = |message: &Value| {
        let told = message["params"]["message"].as_str().unwrap_or_default();
        told.contains("without having opened it")
            .then(|| told.contains("changed a "))
    };
    ada.until(|_, message| is_told(message) == Some(false))
        .await;
    let before = ada.seen.iter().filter_map(is_told);
    assert_eq!(before.collect::<Vec<bool>>(), [true]);
    assert_eq!(hub.texts(), ["one\n", "two\n"]);
    assert!(ada.quit().await.0);
}

#[tokio::test]
async fn nothing_is_answered_before_initialize() {
    let mut ada = Editor::spawn(tempfile::tempdir().unwrap().into());
    let error = ada.request("shutdown", Value::Null).await.unwrap_err();
    assert_eq!(error["code"], -32002);
    ada.notify("exit", Value::Null).await;
    assert!(
        !ada.served.await.unwrap(),
        "exit without shutdown is no orderly end"
    );
}

#[tokio::test]
async fn what_is_offered_follows_the_client() {
    let hub = Hub::start().await;
    let table = [
        ("Neovim", 1, Value::Null),
        ("helix", 2, Value::Null),
        ("Eglot", 2, json!(true)),
        ("never seen", 1, Value::Null),
    ];
    for (client, change, highlights) in table {
        let info = json!({ "clientInfo": { "name": client }, "capabilities": {} });
        let ada = Editor::start_in(directory(&hub, &[]), info).await;
        let offered = &ada.seen[0]["initialized"]["capabilities"];
        assert_eq!(offered["textDocumentSync"]["change"], change, "{client}");
        assert_eq!(offered["textDocumentSync"]["openClose"], true);
        assert_eq!(offered["textDocumentSync"]["save"]["includeText"], true);
        assert_eq!(offered["documentHighlightProvider"], highlights, "{client}");
        assert_eq!(offered.get("positionEncoding"), None);
        assert_eq!(offered.get("inlayHintProvider"), None);
        assert!(offered["executeCommandProvider"]["commands"].is_array());
    }
}

#[tokio::test]
async fn outside_of_a_project_nothing_is_done() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("work")).unwrap();
    let mut ada = Editor::start_in(directory.into(), json!({})).await;
    ada.open_with("a", "one\n").await;
    ada.type_at("a", 0, 0, "x").await;
    ada.save("a").await;
    let hints = json!({ "textDocument": { "uri": ada.uri("a") } });
    let hints = ada.request("textDocument/inlayHint", hints).await;
    assert_eq!(hints.unwrap(), Value::Null);
    ada.close("a").await;
    let heard: Vec<_> = ada
        .seen
        .iter()
        .filter(|m| m.get("method").is_some())
        .collect();
    assert!(heard.is_empty(), "{heard:?}");
    let (orderly, directory) = ada.quit().await;
    assert!(orderly);
    assert!(!directory.path().join("work/.tutti").exists());
}

#[tokio::test]
async fn a_project_that_nothing_opens_says_what_to_do() {
    let hub = Hub::start().await;
    let directory = directory(&hub, &[]);
    std::fs::remove_file(directory.path().join("credentials.toml")).unwrap();
    let mut ada = Editor::start_in(directory, json!({})).await;
    ada.until(|_, message| {
        message["method"] == "window/showMessage"
            && message["params"]["message"]
                .as_str()
                .unwrap()
                .contains("tutti join LINK")
    })
    .await;
    assert!(ada.vanish().await.0);
}
