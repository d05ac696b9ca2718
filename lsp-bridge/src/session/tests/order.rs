//! An editor whose messages overtake each other.

use serde_json::{Value, json};

use super::editor::{Editor, eventually};
use super::hub::Hub;

#[derive(Clone, Copy)]
enum Message {
    /// The text and its version.
    Open(&'static str, i32),
    /// A version, and what was typed at which character of the first line.
    Change(i32, u32, &'static str),
}
use Message::{Change, Open};

impl Message {
    fn method_and_params(self, uri: &str) -> (&'static str, Value) {
        match self {
            Open(text, version) => {
                let document =
                    json!({ "uri": uri, "languageId": "x", "version": version, "text": text });
                ("textDocument/didOpen", json!({ "textDocument": document }))
            }
            Change(version, character, text) => {
                let place = json!({ "line": 0, "character": character });
                let change = json!({ "range": { "start": place, "end": place }, "text": text });
                let document = json!({ "uri": uri, "version": version });
                let params = json!({ "textDocument": document, "contentChanges": [change] });
                ("textDocument/didChange", params)
            }
        }
    }
}

#[tokio::test]
async fn every_key_counts_once_however_it_comes() {
    let (a, b, c) = (Change(1, 3, "a"), Change(2, 4, "b"), Change(3, 5, "c"));
    let orders = [
        vec![Open("one\n", 0), b, a, c],
        // The opening is overtaken.
        vec![a, Open("one\n", 0), c, b],
        vec![b, a, Open("one\n", 0), c],
        // A change that the opened text holds already comes behind it.
        vec![Open("onea\n", 1), a, c, b],
        vec![a, Open("onea\n", 1), b, c],
    ];
    for order in orders {
        for waits in [false, true] {
            let hub = Hub::start().await;
            let ada = Editor::start(&hub, &[("f", "one\n")]).await;
            eventually(|| hub.texts() == ["one\n"]).await;
            let (_, files) = ada.quit().await;
            let mut ada = Editor::start_in(files, json!({})).await;
            if waits {
                // Whatever there is to make ready has been when the connection stands.
                eventually(|| hub.members() == 1).await;
            }
            let uri = ada.uri("f");
            for message in &order {
                let (method, params) = message.method_and_params(&uri);
                ada.notify(method, params).await;
            }
            eventually(|| hub.texts() == ["oneabc\n"]).await;
            assert!(ada.quit().await.0);
            assert_eq!(hub.texts(), ["oneabc\n"]);
        }
    }
}
