//! Two editors in one directory: the second one's bridge is a guest.

use std::sync::Arc;

use serde_json::json;

use super::editor::{Editor, eventually, on_disk};
use super::hub::Hub;

async fn second(first: &Editor) -> Editor {
    Editor::start_in(Arc::clone(&first.directory), json!({})).await
}

#[tokio::test]
async fn both_type_into_one_file() {
    let hub = Hub::start().await;
    let mut ada = Editor::start(&hub, &[("a", "one\n")]).await;
    eventually(|| hub.texts() == ["one\n"]).await;
    let mut guest = second(&ada).await;
    ada.open("a").await;
    guest.open("a").await;
    ada.type_at("a", 0, 3, " two").await;
    guest.shows("a", "one two\n").await;
    guest.type_at("a", 0, 7, " three").await;
    ada.shows("a", "one two three\n").await;
    guest.save("a").await;
    guest.close("a").await;
    ada.save("a").await;
    ada.close("a").await;
    let mut bob = Editor::start(&hub, &[]).await;
    on_disk(&bob.root().join("a"), "one two three\n").await;
    bob.open("a").await;
    bob.type_at("a", 0, 0, "> ").await;
    on_disk(&ada.root().join("a"), "> one two three\n").await;
    assert_eq!(hub.texts(), ["> one two three\n"]);
}

#[tokio::test]
async fn what_a_guest_saves_is_not_taken_for_a_change_of_another_program() {
    let hub = Hub::start().await;
    let ada = Editor::start(&hub, &[("a", "one\n")]).await;
    eventually(|| hub.texts() == ["one\n"]).await;
    let mut bob = Editor::start(&hub, &[]).await;
    on_disk(&bob.root().join("a"), "one\n").await;
    bob.open("a").await;
    let mut guest = second(&ada).await;
    guest.open("a").await;
    guest.type_at("a", 0, 3, " two").await;
    guest.save("a").await;
    bob.shows("a", "one two\n").await;
    bob.type_at("a", 0, 0, "> ").await;
    guest.shows("a", "> one two\n").await;
    guest.close("a").await;
    on_disk(&ada.root().join("a"), "> one two\n").await;
    bob.type_at("a", 0, 0, ">").await;
    on_disk(&ada.root().join("a"), ">> one two\n").await;
    assert_eq!(hub.texts(), [">> one two\n"]);
}

#[tokio::test]
async fn the_guest_takes_over() {
    let hub = Hub::start().await;
    let ada = Editor::start(&hub, &[("a", "one\n"), ("b", "b\n")]).await;
    eventually(|| hub.texts() == ["b\n", "one\n"]).await;
    let mut guest = second(&ada).await;
    guest.open("a").await;
    guest.type_at("a", 0, 3, " two").await;
    eventually(|| hub.texts() == ["b\n", "one two\n"]).await;
    let (_, directory) = ada.quit().await;
    let mut bob = Editor::start(&hub, &[]).await;
    on_disk(&bob.root().join("b"), "b\n").await;
    bob.open("b").await;
    bob.type_at("b", 0, 1, "!").await;
    on_disk(&directory.path().join("work/b"), "b!\n").await;
    guest.type_at("a", 0, 7, " three").await;
    eventually(|| hub.texts() == ["b!\n", "one two three\n"]).await;
}

#[tokio::test]
async fn what_another_program_writes_into_a_file_that_the_guest_shows_is_merged() {
    let hub = Hub::start().await;
    let owner = Editor::start(&hub, &[("a", "one\ntwo\nthree\n")]).await;
    eventually(|| hub.texts() == ["one\ntwo\nthree\n"]).await;
    let file = owner.root().join("a");
    let mut guest = Editor::start_in(owner.directory.clone(), json!({})).await;
    guest.open("a").await;
    guest.type_at("a", 2, 5, " typed").await;
    eventually(|| hub.texts() == ["one\ntwo\nthree typed\n"]).await;
    std::fs::write(&file, "one\nTWO\nthree\n").unwrap();
    let all = "one\nTWO\nthree typed\n";
    guest.shows("a", all).await;
    assert_eq!(hub.texts(), [all]);
    guest.save("a").await;
    guest.type_at("a", 0, 0, "!").await;
    guest.save("a").await;
    guest.close("a").await;
    on_disk(&file, &format!("!{all}")).await;
    eventually(|| hub.texts() == [format!("!{all}")]).await;
}

#[tokio::test]
async fn a_file_that_another_window_opens_while_others_type_reverts_nothing() {
    let hub = Hub::start().await;
    let mut ada = Editor::start(&hub, &[("a", "one\n"), ("b", "b\n")]).await;
    eventually(|| hub.texts() == ["b\n", "one\n"]).await;
    ada.open("b").await;
    let mut bob = Editor::start(&hub, &[]).await;
    let (here, there) = (ada.root().join("a"), bob.root().join("a"));
    on_disk(&there, "one\n").await;
    bob.open("a").await;
    for (at, letters, text) in [(3, " 1", "one 1\n"), (5, "2", "one 12\n")] {
        bob.type_at("a", 0, at, letters).await;
        on_disk(&here, text).await;
    }
    // Its editor has read the file before any of that.
    let mut guest = second(&ada).await;
    guest.open_with("a", "one\n").await;
    guest.shows("a", "one 12\n").await;
    guest.type_at("a", 0, 6, "!").await;
    bob.shows("a", "one 12!\n").await;
    assert_eq!(hub.texts(), ["b\n", "one 12!\n"]);
}
