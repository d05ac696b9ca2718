//! Files that are read from the disk again, which some editors report like typing.

use serde_json::{Value, json};

use super::editor::{Editor, directory, eventually, on_disk};
use super::hub::Hub;

/// What an editor says of a reload behind its report.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    Watched,
    Saved,
    Nothing,
}

/// Bob's editor shows a file that Ada has typed into, and reports that it holds what is on the disk.
async fn reports_the_disk(client: &str, is_whole: bool, then: Then) -> (Hub, Editor, Editor) {
    let hub = Hub::start().await;
    let mut ada = Editor::start(&hub, &[("a", "one\ntwo\n")]).await;
    eventually(|| hub.texts() == ["one\ntwo\n"]).await;
    let info = json!({ "clientInfo": { "name": client } });
    let mut bob = Editor::start_in(directory(&hub, &[]), info).await;
    on_disk(&bob.root().join("a"), "one\ntwo\n").await;
    ada.open("a").await;
    bob.open("a").await;
    ada.type_at("a", 0, 3, " more").await;
    bob.shows("a", "one more\ntwo\n").await;
    let (from, to, text) = match is_whole {
        true => ((0, 0), (2, 0), "one\ntwo\n"),
        false => ((0, 3), (0, 8), ""),
    };
    let uri = bob.replace("a", from, to, text).await;
    match then {
        Then::Watched => {
            let changes = json!([{ "uri": uri, "type": 2 }]);
            bob.notify(
                "workspace/didChangeWatchedFiles",
                json!({ "changes": changes }),
            )
            .await;
        }
        Then::Saved => bob.save("a").await,
        Then::Nothing => {}
    }
    (hub, ada, bob)
}

#[tokio::test]
async fn what_others_have_typed_stays() {
    for (client, is_whole) in [("helix", false), ("Visual Studio Code", true)] {
        let then = if is_whole {
            Then::Nothing
        } else {
            Then::Watched
        };
        let (hub, mut ada, mut bob) = reports_the_disk(client, is_whole, then).await;
        bob.shows("a", "one more\ntwo\n").await;
        bob.type_at("a", 1, 3, "!").await;
        eventually(|| hub.texts() == ["one more\ntwo!\n"]).await;
        ada.shows("a", "one more\ntwo!\n").await;
        assert!(bob.quit().await.0);
    }
}

#[tokio::test]
async fn what_was_deleted_by_hand_is_deleted() {
    for (client, is_whole, then) in [
        ("helix", false, Then::Nothing),
        ("helix", false, Then::Saved),
        ("Visual Studio Code", false, Then::Nothing),
        ("Visual Studio Code", true, Then::Saved),
        ("something else", true, Then::Nothing),
    ] {
        let (hub, mut ada, bob) = reports_the_disk(client, is_whole, then).await;
        eventually(|| hub.texts() == ["one\ntwo\n"]).await;
        ada.shows("a", "one\ntwo\n").await;
        assert_eq!(bob.text("a"), "one\ntwo\n", "{client}");
    }
}

#[tokio::test]
async fn what_is_typed_behind_the_report_counts_either_way() {
    for then in [Then::Watched, Then::Nothing] {
        let (hub, _ada, mut bob) = reports_the_disk("helix", false, then).await;
        bob.type_at("a", 1, 3, "!").await;
        let text = match then {
            Then::Watched => "one more\ntwo!\n",
            _ => "one\ntwo!\n",
        };
        eventually(|| hub.texts() == [text]).await;
        bob.shows("a", text).await;
    }
}

#[tokio::test]
async fn helix_is_asked_to_tell_of_files_and_no_other() {
    let watches = json!({ "workspace": {
        "applyEdit": true, "didChangeWatchedFiles": { "dynamicRegistration": true },
    } });
    for (client, asked) in [
        ("helix", true),
        ("Neovim", false),
        ("Visual Studio Code", false),
    ] {
        let hub = Hub::start().await;
        let info = json!({ "clientInfo": { "name": client }, "capabilities": watches });
        let mut bob = Editor::start_in(directory(&hub, &[("a", "one\n")]), info).await;
        eventually(|| hub.texts() == ["one\n"]).await;
        let is_asked = |message: &Value| message["method"] == "client/registerCapability";
        if asked {
            bob.until(|_, message| is_asked(message)).await;
        } else {
            // Long after the time at which Helix is asked.
            let mut ada = Editor::start(&hub, &[]).await;
            on_disk(&ada.root().join("a"), "one\n").await;
            bob.open("a").await;
            ada.open("a").await;
            ada.type_at("a", 0, 0, "!").await;
            bob.shows("a", "!one\n").await;
            assert!(!bob.seen.iter().any(is_asked), "{client}");
        }
    }
}
