//! Files that others have renamed, and that an editor shows under their old names.

use std::sync::Arc;

use serde_json::json;

use super::editor::{Editor, eventually, on_disk, two};
use super::hub::Hub;
use super::killed::has_ended;

const TEXT: &str = "one\ntwo\n";

/// The editor tells its person where the file is now.
async fn is_told(editor: &mut Editor) {
    editor
        .until(|_, message| {
            let told = message["params"]["message"].as_str();
            message["method"] == "window/showMessage"
                && told.is_some_and(|told| told.starts_with("Tutti: a was renamed to b by "))
        })
        .await;
}

/// What the editor makes of the file under its old name goes on being the renamed file.
async fn goes_on(hub: &Hub, mut ada: Editor, mut bob: Editor) {
    ada.shows("a", TEXT).await;
    ada.type_at("a", 0, 3, " mine").await;
    bob.shows("b", "one mine\ntwo\n").await;
    ada.save("a").await;
    bob.type_at("b", 1, 3, " theirs").await;
    let all = "one mine\ntwo theirs\n";
    ada.shows("a", all).await;
    ada.close("a").await;
    let root = ada.root();
    on_disk(&root.join("b"), all).await;
    eventually(|| !root.join("a").exists()).await;
    assert_eq!(hub.paths(), ["b"]);
    assert!(hub.texts().contains(&all.to_owned()));
    assert!(!root.join(".tutti/recovered").exists());
}

/// Bob renames the file while Ada's directory has no bridge.
async fn renamed_while_away(hub: &Hub) -> (Arc<tempfile::TempDir>, Editor) {
    let (mut ada, mut bob) = two(hub, TEXT).await;
    ada.close("a").await;
    let (_, files) = ada.quit().await;
    bob.close("a").await;
    std::fs::rename(bob.root().join("a"), bob.root().join("b")).unwrap();
    eventually(|| hub.paths() == ["b"]).await;
    bob.open("b").await;
    (files, bob)
}

#[tokio::test]
async fn one_that_is_moved_before_its_editor_tells_of_it_goes_on() {
    let hub = Hub::start().await;
    let (files, bob) = renamed_while_away(&hub).await;
    let mut ada = Editor::start_in(files, json!({})).await;
    on_disk(&ada.root().join("b"), TEXT).await;
    // It has read it where it was.
    ada.open_with("a", TEXT).await;
    is_told(&mut ada).await;
    goes_on(&hub, ada, bob).await;
}

#[tokio::test]
async fn one_that_is_moved_while_its_editor_shows_it_goes_on() {
    let hub = Hub::start().await;
    let (mut ada, mut bob) = two(&hub, TEXT).await;
    bob.close("a").await;
    std::fs::rename(bob.root().join("a"), bob.root().join("b")).unwrap();
    is_told(&mut ada).await;
    bob.open("b").await;
    goes_on(&hub, ada, bob).await;
}

#[tokio::test]
async fn one_that_a_killed_editor_has_left_is_opened_where_it_stands_still() {
    for with_another in [false, true] {
        let hub = Hub::start().await;
        let (mut ada, mut bob) = two(&hub, "on\ntwo\n").await;
        let root = ada.root();
        ada.type_at("a", 0, 2, "e").await;
        bob.shows("a", TEXT).await;
        let files = ada.kill().await;
        has_ended(&root).await;
        bob.close("a").await;
        std::fs::rename(bob.root().join("a"), bob.root().join("b")).unwrap();
        eventually(|| hub.paths() == ["b"]).await;
        bob.open("b").await;
        let another = match with_another {
            true => Some(Editor::start_in(files.clone(), json!({})).await),
            false => None,
        };
        let mut ada = Editor::start_in(files, json!({})).await;
        // The index has come: Bob's new file is here.
        std::fs::write(bob.root().join("c"), "c\n").unwrap();
        on_disk(&root.join("c"), "c\n").await;
        std::fs::remove_file(bob.root().join("c")).unwrap();
        eventually(|| hub.paths() == ["b"]).await;
        ada.open("a").await;
        is_told(&mut ada).await;
        goes_on(&hub, ada, bob).await;
        drop(another);
    }
}

#[tokio::test]
async fn who_shows_files_that_another_renames_hears_who_that_is() {
    let hub = Hub::start().await;
    let files = ["one", "two", "three"].map(|name| (format!("old/{name}"), format!("{name}\n")));
    let mut ada = Editor::start(&hub, &[]).await;
    for (path, text) in &files {
        std::fs::create_dir_all(ada.root().join("old")).unwrap();
        std::fs::write(ada.root().join(path), text).unwrap();
    }
    eventually(|| hub.paths().len() == files.len()).await;
    let mut bob = Editor::start(&hub, &[]).await;
    for (path, text) in &files {
        on_disk(&bob.root().join(path), text).await;
        bob.open(path).await;
        bob.type_at(path, 0, 0, "still ").await;
        ada.open(path).await;
        ada.shows(path, &format!("still {text}")).await;
        ada.close(path).await;
    }
    std::fs::rename(ada.root().join("old"), ada.root().join("new")).unwrap();
    for _ in &files {
        let told = bob
            .until(|_, message| {
                let told = message["params"]["message"].as_str();
                told.is_some_and(|told| told.contains(" was renamed to new/"))
            })
            .await;
        let told = told["params"]["message"].as_str().unwrap();
        assert!(!told.ends_with(" by someone"), "{told}");
    }
}

/// The editor goes back to the old name; the person knows who has given the new one.
#[tokio::test]
async fn who_has_renamed_it_is_not_told_that_someone_did() {
    let hub = Hub::start().await;
    let mut ada = Editor::start(&hub, &[("a", TEXT)]).await;
    eventually(|| hub.texts() == [TEXT]).await;
    ada.open("a").await;
    ada.close("a").await;
    std::fs::rename(ada.root().join("a"), ada.root().join("b")).unwrap();
    eventually(|| hub.paths() == ["b"]).await;
    ada.open_with("a", TEXT).await;
    let told = ada
        .until(|_, message| message["method"] == "window/showMessage")
        .await;
    assert_eq!(
        told["params"]["message"],
        "Tutti: a was renamed to b by you"
    );
}

#[tokio::test]
async fn a_new_file_under_the_old_name_is_a_new_one() {
    let hub = Hub::start().await;
    let (files, _bob) = renamed_while_away(&hub).await;
    let mut ada = Editor::start_in(files, json!({})).await;
    on_disk(&ada.root().join("b"), TEXT).await;
    for text in ["", "a text of its own\n"] {
        ada.open_with("a", text).await;
        ada.type_at("a", 0, 0, "new ").await;
        ada.save("a").await;
        eventually(|| hub.texts().contains(&format!("new {text}"))).await;
        ada.close("a").await;
        std::fs::remove_file(ada.root().join("a")).unwrap();
        eventually(|| hub.paths() == ["b"]).await;
    }
    assert!(hub.texts().contains(&TEXT.to_owned()));
}
