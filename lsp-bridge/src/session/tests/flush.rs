//! Making editors report what they hold back.

use futures_util::StreamExt;
use serde_json::{Value, json};
use tower_lsp::Loopback;
use tutti_engine::Effect;

use super::editor::{Editor, directory};
use super::hub::Hub;
use crate::link::Timing;
use crate::lsp::{Abilities, Wire, wire};
use crate::session::FindSetup;
use crate::session::project::Project;

const REFRESH: &str = "workspace/semanticTokens/refresh";

/// The `initialize` parameters of a Neovim that announces this much.
fn neovim(full: Value, refresh: Value) -> Value {
    json!({
        "clientInfo": { "name": "Neovim" },
        "capabilities": {
            "workspace": { "applyEdit": true, "semanticTokens": { "refreshSupport": refresh } },
            "textDocument": { "semanticTokens": { "requests": { "full": full } } },
        },
    })
}

fn offered(editor: &Editor) -> &Value {
    &editor.seen[0]["initialized"]["capabilities"]
}

#[tokio::test]
async fn tokens_are_offered_where_asking_for_them_makes_an_editor_report() {
    let hub = Hub::start().await;
    let (yes, no) = (json!(true), json!(false));
    let mut helix = neovim(yes.clone(), yes.clone());
    helix["clientInfo"]["name"] = "helix".into();
    let table = [
        (neovim(json!({ "delta": true }), yes.clone()), true),
        (neovim(yes.clone(), yes.clone()), true),
        (neovim(no.clone(), yes.clone()), false),
        (neovim(Value::Null, yes.clone()), false),
        (neovim(yes.clone(), no), false),
        (neovim(yes, Value::Null), false),
        (helix, false),
    ];
    for (params, expected) in table {
        let mut ada = Editor::start_in(directory(&hub, &[]), params.clone()).await;
        let provider =
            json!({ "legend": { "tokenTypes": [], "tokenModifiers": [] }, "full": true });
        let provider = if expected { provider } else { Value::Null };
        assert_eq!(
            offered(&ada)["semanticTokensProvider"],
            provider,
            "{params}"
        );
        let document = json!({ "textDocument": { "uri": ada.uri("a") } });
        let tokens = ada.request("textDocument/semanticTokens/full", document);
        assert_eq!(tokens.await.unwrap(), json!({ "data": [] }));
    }
}

#[tokio::test]
async fn formatting_is_offered_where_it_makes_an_editor_report() {
    let hub = Hub::start().await;
    for (client, expected) in [("GNU Emacs", true), ("Neovim", false), ("helix", false)] {
        let info = json!({ "clientInfo": { "name": client } });
        let mut ada = Editor::start_in(directory(&hub, &[("a", "one\n")]), info).await;
        let offered = &offered(&ada)["documentOnTypeFormattingProvider"];
        if !expected {
            assert_eq!(*offered, Value::Null, "{client}");
            continue;
        }
        let keys = offered["moreTriggerCharacter"].as_array().unwrap();
        for key in [" ", "~", "a", ";", "é", "ß", "ž", "λ", "ж"] {
            assert!(keys.contains(&json!(key)), "{key}");
        }
        assert_eq!(offered["firstTriggerCharacter"], "\n");
        ada.open("a").await;
        ada.type_at("a", 0, 0, "x").await;
        let typed = json!({
            "textDocument": { "uri": ada.uri("a") },
            "position": { "line": 0, "character": 1 },
            "ch": "x",
            "options": { "tabSize": 4, "insertSpaces": true },
        });
        let edits = ada.request("textDocument/onTypeFormatting", typed).await;
        assert_eq!(edits.unwrap(), Value::Null);
    }
}

/// What the bridge asks the editor when the engine wants a flush; `None` if nothing.
async fn asked(params: Value) -> Option<String> {
    let hub = Hub::start().await;
    let directory = directory(&hub, &[]);
    let root = directory.path().join("work");
    let credentials = directory.path().join("credentials.toml");
    let setup = FindSetup::with(credentials, Timing::default());
    let setup = setup.find(&[root]).unwrap().unwrap();
    let Wire { turn, client, .. } = wire();
    let (mut outbound, _answers) = turn.split();
    let mut project = Project::start(setup, Abilities::read(&params), client.clone());
    project.perform(&"d".parse().unwrap(), vec![Effect::Flush]);
    // What is said last marks the end.
    client.tell("end", Value::Null);
    let first = outbound.next().await.unwrap();
    project.finish().await;
    (first.method() != "end").then(|| {
        assert!(first.params().is_none(), "strict clients refuse any");
        first.method().to_owned()
    })
}

#[tokio::test]
async fn a_flush_is_a_refresh_where_that_is_understood() {
    let able = neovim(json!(true), json!(true));
    assert_eq!(asked(able).await.as_deref(), Some(REFRESH));
    let unable = neovim(json!(true), json!(false));
    assert_eq!(asked(unable).await, None);
}
