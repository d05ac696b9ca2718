//! Losing the server, finding it again, and being refused.

use serde_json::{Value, json};

use super::editor::{Editor, directory, eventually, on_disk, two};
use super::hub::Hub;
use crate::mirror::survey;

fn is_message(message: &Value, words: &str) -> bool {
    message["method"] == "window/showMessage"
        && message["params"]["message"]
            .as_str()
            .unwrap()
            .contains(words)
}

#[tokio::test]
async fn edits_made_apart_meet_once() {
    let hub = Hub::start().await;
    let (mut ada, mut bob) = two(&hub, "-\n").await;
    ada.type_at("a", 0, 0, "<").await;
    bob.shows("a", "<-\n").await;
    for round in 0..3 {
        hub.cut(false);
        for n in 0..5 {
            ada.type_at("a", 0, 0, &format!("a{round}{n} ")).await;
            bob.type_at(
                "a",
                0,
                bob.text("a").len() as u32 - 1,
                &format!(" b{round}{n}"),
            )
            .await;
        }
        hub.accept_again();
        let last = |who: &str| format!("{who}{round}4");
        let both = |text: &str| text.contains(&last("a")) && text.contains(&last("b"));
        eventually(|| both(&hub.texts()[0])).await;
        let text = hub.texts()[0].clone();
        ada.shows("a", &text).await;
        bob.shows("a", &text).await;
        for n in 0..5 {
            for who in ["a", "b"] {
                assert_eq!(
                    text.matches(&format!("{who}{round}{n}")).count(),
                    1,
                    "{text}"
                );
            }
        }
    }
}

#[tokio::test]
async fn what_was_typed_without_a_server_goes_out_at_the_next_start() {
    let hub = Hub::start().await;
    let ada = Editor::start(&hub, &[("a", "one\n")]).await;
    eventually(|| hub.texts() == ["one\n"]).await;
    let (_, files) = ada.quit().await;
    hub.cut(false);
    let mut ada = Editor::start_in(files, json!({})).await;
    ada.open("a").await;
    ada.type_at("a", 0, 3, " two").await;
    // Nobody saves, nobody closes.
    let (orderly, files) = ada.vanish().await;
    assert!(orderly, "an end of input is no failure");
    assert_eq!(hub.texts(), ["one\n"]);
    hub.accept_again();
    let root = files.path().join("work");
    let _ada = Editor::start_in(files, json!({})).await;
    eventually(|| hub.texts() == ["one two\n"]).await;
    on_disk(&root.join("a"), "one two\n").await;
}

#[tokio::test]
async fn what_another_program_wrote_without_a_server_survives_an_editor() {
    for killed in [false, true] {
        let hub = Hub::start().await;
        let ada = Editor::start(&hub, &[("a", "hi\n")]).await;
        eventually(|| hub.texts() == ["hi\n"]).await;
        let (_, files) = ada.quit().await;
        hub.cut(false);
        let file = files.path().join("work/a");
        std::fs::write(&file, "hi, written offline\n").unwrap();
        let mut ada = Editor::start_in(files, json!({})).await;
        ada.open("a").await;
        ada.save("a").await;
        let root = ada.root();
        eventually(|| survey(&root).unwrap().unsaved == ["a"]).await;
        let files = match killed {
            true => ada.kill().await,
            false => ada.quit().await.1,
        };
        hub.accept_again();
        let mut ada = Editor::start_in(files, json!({})).await;
        ada.open("a").await;
        eventually(|| hub.texts() == ["hi, written offline\n"]).await;
        assert_eq!(ada.text("a"), "hi, written offline\n");
        on_disk(&file, "hi, written offline\n").await;
    }
}

#[tokio::test]
async fn what_is_not_confirmed_is_called_so_until_it_is() {
    let hub = Hub::start().await;
    let mut ada = Editor::start(&hub, &[("a", "one\n")]).await;
    let root = ada.root();
    let unsaved = || survey(&root).unwrap().unsaved;
    eventually(|| hub.texts() == ["one\n"]).await;
    ada.open("a").await;
    hub.cut(false);
    ada.type_at("a", 0, 3, " two").await;
    ada.save("a").await;
    eventually(|| unsaved() == ["a"]).await;
    let (_, files) = ada.quit().await;
    // A session that finds no server, either, knows no better.
    let mut ada = Editor::start_in(files, json!({})).await;
    ada.open("a").await;
    let (_, files) = ada.quit().await;
    assert_eq!(unsaved(), ["a"]);
    // Nothing more is typed: the file is opened, and it is enough.
    hub.accept_again();
    let mut ada = Editor::start_in(files, json!({})).await;
    ada.open("a").await;
    eventually(|| hub.texts() == ["one two\n"]).await;
    eventually(|| unsaved().is_empty()).await;
    let (orderly, _files) = ada.quit().await;
    assert!(orderly && unsaved().is_empty());
}

#[tokio::test]
async fn the_last_edit_before_the_end_reaches_the_server() {
    for polite in [true, false] {
        let hub = Hub::start().await;
        let mut ada = Editor::start(&hub, &[("a", "one\n")]).await;
        eventually(|| hub.texts() == ["one\n"]).await;
        ada.open("a").await;
        ada.type_at("a", 0, 3, " two").await;
        match polite {
            true => assert!(ada.quit().await.0),
            false => assert!(ada.vanish().await.0),
        }
        assert_eq!(hub.texts(), ["one two\n"]);
    }
}

#[tokio::test]
async fn a_refused_link_is_told_once_and_typing_goes_on() {
    let hub = Hub::start().await;
    hub.deny();
    let mut ada = Editor::start(&hub, &[("a", "one\n")]).await;
    ada.until(|_, message| is_message(message, "tutti join LINK"))
        .await;
    ada.open("a").await;
    ada.type_at("a", 0, 3, " two").await;
    let again = ada
        .request(
            "workspace/executeCommand",
            json!({ "command": "tutti.peers" }),
        )
        .await;
    assert_eq!(again.unwrap(), json!([]));
    assert!(
        ada.seen
            .iter()
            .all(|message| !is_message(message, "not connected"))
    );
    assert!(ada.quit().await.0);
}

#[tokio::test]
async fn a_viewer_sees_everything_and_changes_nothing() {
    let hub = Hub::start().await;
    let mut ada = Editor::start(&hub, &[("a", "one\n")]).await;
    eventually(|| hub.texts() == ["one\n"]).await;
    ada.open("a").await;
    hub.viewers_only();
    let mut eve = Editor::start(&hub, &[]).await;
    on_disk(&eve.root().join("a"), "one\n").await;
    eve.open("a").await;
    eve.type_at("a", 0, 0, "not ").await;
    eve.until(|_, message| is_message(message, "view-only"))
        .await;
    eve.type_at("a", 0, 0, "at all ").await;
    eve.save("a").await;
    // What differs is called so, while the bridge runs, after it, and after the next one.
    let root = eve.root();
    let is_told = || {
        let survey = survey(&root).unwrap();
        survey.unsaved == ["a"] && survey.followed == 0
    };
    eventually(is_told).await;
    eve.close("a").await;
    let (orderly, files) = eve.quit().await;
    assert!(orderly && is_told());
    let mut eve = Editor::start_in(files, json!({})).await;
    eve.open("a").await;
    eve.type_at("a", 0, 0, "").await;
    let (orderly, _files) = eve.quit().await;
    assert!(orderly && is_told());
    on_disk(&root.join("a"), "at all not one\n").await;
    assert_eq!(hub.texts(), ["one\n"]);
}

#[tokio::test]
async fn an_outage_that_lasts_is_told_and_so_is_its_end() {
    let hub = Hub::start().await;
    let files = directory(&hub, &[("a", "one\n")]);
    hub.cut(false);
    let mut ada = Editor::start_in(files, json!({})).await;
    ada.open("a").await;
    ada.until(|_, message| is_message(message, "offline, edits are kept here"))
        .await;
    hub.accept_again();
    ada.until(|_, message| is_message(message, "connected again"))
        .await;
    ada.type_at("a", 0, 3, " two").await;
    eventually(|| hub.texts() == ["one two\n"]).await;
    let is_told = |message: &&Value| is_message(message, "offline");
    assert_eq!(ada.seen.iter().filter(is_told).count(), 0, "told once");
}

fn progress(kind: &'static str) -> impl Fn(&Editor, &Value) -> bool {
    move |_, message| {
        message["method"] == "$/progress" && message["params"]["value"]["kind"] == kind
    }
}

#[tokio::test]
async fn a_server_that_cannot_save_is_told_of_and_so_is_its_end() {
    let hub = Hub::start().await;
    let capabilities = json!({
        "window": { "workDoneProgress": true },
        "workspace": { "applyEdit": true },
    });
    let files = directory(&hub, &[("a", "one\n")]);
    let mut ada = Editor::start_in(files, json!({ "capabilities": capabilities })).await;
    ada.open("a").await;
    ada.until(progress("end")).await;
    hub.say(true, r#"{"saved":false,"reason":"the disk is full"}"#);
    let shown = ada.until(progress("begin")).await;
    let trouble = "the server cannot save now, edits are kept here: the disk is full";
    assert_eq!(shown["params"]["value"]["message"], trouble);
    let told = |message: &Value| is_message(message, trouble);
    ada.until(|_, message| told(message)).await;
    hub.say(true, r#"{"saved":false,"reason":"the disk is full"}"#);
    ada.save("a").await;
    ada.until(|_, message| told(message)).await;
    ada.save("a").await;
    hub.say(true, r#"{"saved":true}"#);
    ada.until(|_, message| is_message(message, "the server saves again"))
        .await;
    ada.until(progress("end")).await;
    assert!(!ada.seen.iter().any(told), "told once, and at a save");
}

const FULL: &str = r#"{"saved":false,"reason":"the disk is full"}"#;

fn is_full(message: &Value) -> bool {
    is_message(message, "the server cannot save now")
}

fn is_over(message: &Value) -> bool {
    is_message(message, "the server saves again")
}

#[tokio::test]
async fn who_has_left_the_file_hears_that_the_server_saves_when_it_does() {
    let hub = Hub::start().await;
    let files = directory(&hub, &[("a", "one\n"), ("b", "b\n")]);
    let mut ada = Editor::start_in(files, json!({})).await;
    ada.open("a").await;
    eventually(|| hub.readers() == 1 && hub.texts() == ["b\n", "one\n"]).await;
    hub.say(false, FULL);
    ada.until(|_, message| is_full(message)).await;
    ada.close("a").await;
    eventually(|| hub.readers() == 0).await;
    ada.open("b").await;
    assert!(!ada.seen.iter().any(is_over));
    ada.type_at("b", 0, 1, "!").await;
    ada.until(|_, message| is_over(message)).await;
    eventually(|| hub.texts() == ["b!\n", "one\n"]).await;
}

#[tokio::test]
async fn after_an_outage_a_server_that_says_nothing_saves_and_one_that_cannot_is_no_news() {
    let hub = Hub::start().await;
    let files = directory(&hub, &[("a", "one\n")]);
    let mut ada = Editor::start_in(files, json!({})).await;
    ada.open("a").await;
    eventually(|| hub.readers() == 1 && hub.texts() == ["one\n"]).await;
    hub.say(false, FULL);
    ada.until(|_, message| is_full(message)).await;
    let there = |hub: &Hub| hub.members() == 1 && hub.readers() == 1;
    hub.cut(true);
    eventually(|| !there(&hub)).await;
    eventually(|| there(&hub)).await;
    hub.say(false, FULL);
    hub.cut(true);
    ada.until(|_, message| is_over(message)).await;
    assert!(!ada.seen.iter().any(is_full), "told once");
}

#[tokio::test]
async fn a_server_that_takes_nobody_in_is_no_connection() {
    let hub = Hub::start().await;
    let files = directory(&hub, &[("a", "one\n")]);
    hub.turn_away(true);
    let mut ada = Editor::start_in(files, json!({})).await;
    ada.open("a").await;
    ada.until(|_, message| is_message(message, "offline, edits are kept here"))
        .await;
    let is_back = |message: &Value| is_message(message, "connected again");
    assert!(!ada.seen.iter().any(is_back));
    hub.turn_away(false);
    ada.until(|_, message| is_back(message)).await;
}

#[tokio::test]
async fn progress_has_an_ending() {
    let hub = Hub::start().await;
    let capabilities = json!({
        "window": { "workDoneProgress": true },
        "workspace": { "applyEdit": true },
    });
    let files = directory(&hub, &[("a", "one\n")]);
    let mut ada = Editor::start_in(files, json!({ "capabilities": capabilities })).await;
    let begin = ada.until(progress("begin")).await;
    let end = ada.until(progress("end")).await;
    assert_eq!(begin["params"]["token"], end["params"]["token"]);
    hub.cut(false);
    let offline = ada.until(progress("begin")).await;
    let message = offline["params"]["value"]["message"].as_str().unwrap();
    assert!(message.contains("edits are kept here"), "{message}");
    hub.accept_again();
    ada.until(progress("end")).await;
}

#[tokio::test]
async fn a_text_that_is_not_known_is_not_an_empty_one() {
    let hub = Hub::start().await;
    let ada = Editor::start(&hub, &[("a", "one\n"), ("b", "b\n")]).await;
    eventually(|| hub.texts() == ["b\n", "one\n"]).await;
    let (_, files) = ada.quit().await;
    let root = files.path().join("work");
    // The replica of `a` is gone; the index is not.
    for entry in std::fs::read_dir(root.join(".tutti/state")).unwrap() {
        let path = entry.unwrap().path();
        let stored = std::fs::read(&path).unwrap_or_default();
        if stored.windows(4).any(|bytes| bytes == b"one\n") {
            std::fs::remove_file(path).unwrap();
        }
    }
    std::fs::write(root.join("a"), "precious\n").unwrap();
    hub.cut(false);
    let mut ada = Editor::start_in(files, json!({})).await;
    ada.open("b").await;
    ada.type_at("b", 0, 1, "!").await;
    ada.close("b").await;
    // What was to be done about `a` has been done before.
    on_disk(&root.join("b"), "b!\n").await;
    on_disk(&root.join("a"), "precious\n").await;
    hub.accept_again();
    on_disk(&root.join("a"), "one\n").await;
    eventually(|| hub.texts() == ["b!\n", "one\n"]).await;
    let kept = std::fs::read_dir(root.join(".tutti/recovered")).unwrap();
    let texts = kept.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
    assert!(texts.into_iter().any(|text| text == "precious\n"));
}
