//! Files that an editor shows.

use std::time::Duration;

use serde_json::{Value, json};
use tutti_engine::Encoding;

use super::editor::{Editor, directory, eventually, on_disk, two};
use super::hub::Hub;

#[tokio::test]
async fn two_editors_type_into_one_file() {
    let hub = Hub::start().await;
    let mut ada = Editor::start(&hub, &[("a.rs", "fn main() {}\n")]).await;
    eventually(|| hub.texts() == ["fn main() {}\n"]).await;
    let mut bob = Editor::start(&hub, &[]).await;
    on_disk(&bob.root().join("a.rs"), "fn main() {}\n").await;
    ada.open("a.rs").await;
    bob.open("a.rs").await;
    ada.type_at("a.rs", 0, 11, " body ").await;
    bob.shows("a.rs", "fn main() { body }\n").await;
    bob.type_at("a.rs", 0, 0, "pub ").await;
    ada.shows("a.rs", "pub fn main() { body }\n").await;
    assert_eq!(hub.texts(), ["pub fn main() { body }\n"]);
    assert!(ada.quit().await.0);
    assert!(bob.quit().await.0);
}

#[tokio::test]
async fn positions_count_as_the_client_counts() {
    // Behind `é𝄞`: 1 + 1 characters, 2 + 4 bytes, 1 + 2 code units.
    let table = [
        (json!(["utf-8"]), Encoding::Utf8, 6),
        (json!(["utf-32", "utf-8"]), Encoding::Utf8, 6),
        (json!(["utf-32"]), Encoding::Utf32, 2),
        (json!(["utf-32", "utf-8", "utf-16"]), Encoding::Utf16, 3),
        (json!([]), Encoding::Utf16, 3),
        (json!(null), Encoding::Utf16, 3),
    ];
    for (offered, encoding, character) in table {
        let hub = Hub::start().await;
        let capabilities = json!({
            "general": { "positionEncodings": offered },
            "workspace": { "applyEdit": true },
        });
        let files = directory(&hub, &[("a", "x\né𝄞z\n")]);
        let mut ada = Editor::start_in(files, json!({ "capabilities": capabilities })).await;
        assert_eq!(ada.encoding, encoding, "{offered}");
        eventually(|| hub.texts() == ["x\né𝄞z\n"]).await;
        let mut bob = Editor::start(&hub, &[]).await;
        on_disk(&bob.root().join("a"), "x\né𝄞z\n").await;
        ada.open("a").await;
        bob.open("a").await;
        ada.type_at("a", 1, character, "🎼").await;
        bob.shows("a", "x\né𝄞🎼z\n").await;
        bob.type_at("a", 1, 5, "!").await;
        ada.shows("a", "x\né𝄞🎼!z\n").await;
    }
}

#[tokio::test]
async fn a_document_opened_twice_is_taken_as_it_is_now() {
    let hub = Hub::start().await;
    let mut ada = Editor::start(&hub, &[("a", "one\n")]).await;
    eventually(|| hub.texts() == ["one\n"]).await;
    ada.open("a").await;
    ada.type_at("a", 0, 3, " two").await;
    eventually(|| hub.texts() == ["one two\n"]).await;
    // Emacs opens twice when it follows an edit to a file.
    ada.open_with("a", "one two\n").await;
    ada.type_at("a", 0, 7, " three").await;
    eventually(|| hub.texts() == ["one two three\n"]).await;
    ada.close("a").await;
    on_disk(&ada.root().join("a"), "one two three\n").await;
}

#[tokio::test]
async fn a_reload_from_disk_loses_nothing() {
    let hub = Hub::start().await;
    let mut ada = Editor::start(&hub, &[("a", "one\n")]).await;
    eventually(|| hub.texts() == ["one\n"]).await;
    ada.open("a").await;
    ada.type_at("a", 0, 3, " two").await;
    eventually(|| hub.texts() == ["one two\n"]).await;
    // Neovim's `:e!`: what is on disk is older than what everybody has.
    ada.close("a").await;
    ada.open_with("a", "one\n").await;
    ada.shows("a", "one two\n").await;
    assert_eq!(hub.texts(), ["one two\n"]);
}

#[tokio::test]
async fn what_was_typed_before_the_bridge_came_is_merged() {
    let hub = Hub::start().await;
    let mut ada = Editor::start(&hub, &[("a", "one\n")]).await;
    eventually(|| hub.texts() == ["one\n"]).await;
    // A restored buffer: its text is newer than the file.
    ada.open_with("a", "one more\n").await;
    eventually(|| hub.texts() == ["one more\n"]).await;
}

#[tokio::test]
async fn an_editor_that_has_read_an_older_file_reverts_nothing() {
    let hub = Hub::start().await;
    let mut ada = Editor::start(&hub, &[("a", "one\n")]).await;
    eventually(|| hub.texts() == ["one\n"]).await;
    let mut bob = Editor::start(&hub, &[]).await;
    on_disk(&bob.root().join("a"), "one\n").await;
    ada.open("a").await;
    ada.type_at("a", 0, 3, " two").await;
    on_disk(&bob.root().join("a"), "one two\n").await;
    ada.type_at("a", 0, 7, " three").await;
    on_disk(&bob.root().join("a"), "one two three\n").await;
    // It read the file before the bridge wrote it, and says so only now.
    bob.open_with("a", "one\n").await;
    bob.shows("a", "one two three\n").await;
    assert_eq!(hub.texts(), ["one two three\n"]);
}

#[tokio::test]
async fn a_new_file_is_shared_once_it_is_saved() {
    let hub = Hub::start().await;
    let mut ada = Editor::start(&hub, &[]).await;
    ada.open_with("new.rs", "").await;
    ada.type_at("new.rs", 0, 0, "fn new() {}\n").await;
    ada.save("new.rs").await;
    eventually(|| hub.texts() == ["fn new() {}\n"]).await;
    ada.type_at("new.rs", 0, 0, "pub ").await;
    eventually(|| hub.texts() == ["pub fn new() {}\n"]).await;
}

#[tokio::test]
async fn a_file_that_someone_deletes_is_told_of_and_comes_back_with_the_next_save() {
    let hub = Hub::start().await;
    let ada = Editor::start(&hub, &[("a", "one\n"), ("b", "b\n")]).await;
    eventually(|| hub.texts() == ["b\n", "one\n"]).await;
    let mut bob = Editor::start(&hub, &[]).await;
    on_disk(&bob.root().join("a"), "one\n").await;
    on_disk(&bob.root().join("b"), "b\n").await;
    bob.open("a").await;
    bob.type_at("a", 0, 0, "still ").await;
    eventually(|| hub.texts() == ["b\n", "still one\n"]).await;
    on_disk(&ada.root().join("a"), "still one\n").await;
    std::fs::remove_file(ada.root().join("a")).unwrap();
    bob.until(|_, message| {
        is_told(message, "Tutti: a was deleted by ")
            && is_told(message, "; save to bring it back")
            && !is_told(message, "someone")
    })
    .await;
    bob.type_at("a", 0, 0, "here ").await;
    bob.save("a").await;
    on_disk(&ada.root().join("a"), "here still one\n").await;
    // Nothing of it hangs on the session that brought it back.
    let (orderly, files) = bob.quit().await;
    assert!(orderly);
    let _bob = Editor::start_in(files.clone(), json!({})).await;
    std::fs::write(ada.root().join("b"), "later\n").unwrap();
    on_disk(&files.path().join("work/b"), "later\n").await;
    on_disk(&files.path().join("work/a"), "here still one\n").await;
    assert!(!files.path().join("work/.tutti/recovered").exists());
}

/// Another program changes it, and nobody saves it any more.
#[tokio::test]
async fn a_file_that_someone_deletes_comes_back_with_a_change_beneath_the_editor() {
    let hub = Hub::start().await;
    let ada = Editor::start(&hub, &[("a", "one\ntwo\n")]).await;
    eventually(|| hub.texts() == ["one\ntwo\n"]).await;
    let mut bob = Editor::start(&hub, &[]).await;
    on_disk(&bob.root().join("a"), "one\ntwo\n").await;
    bob.open("a").await;
    std::fs::remove_file(ada.root().join("a")).unwrap();
    bob.until(|_, message| is_told(message, "a was deleted by "))
        .await;
    std::fs::write(bob.root().join("a"), "one\ntwo and more\n").unwrap();
    bob.shows("a", "one\ntwo and more\n").await;
    on_disk(&ada.root().join("a"), "one\ntwo and more\n").await;
    let (orderly, files) = bob.quit().await;
    assert!(orderly);
    let _bob = Editor::start_in(files.clone(), json!({})).await;
    std::fs::write(ada.root().join("b"), "later\n").unwrap();
    on_disk(&files.path().join("work/b"), "later\n").await;
    on_disk(&files.path().join("work/a"), "one\ntwo and more\n").await;
}

/// As `git checkout` does it: the editor showed the same shortly before, and might have written it itself.
#[tokio::test]
async fn what_a_program_takes_back_beneath_the_editor_is_taken_back() {
    let hub = Hub::start().await;
    let ada = Editor::start(&hub, &[("a", "one\ntwo\n")]).await;
    eventually(|| hub.texts() == ["one\ntwo\n"]).await;
    let mut bob = Editor::start(&hub, &[]).await;
    let (adas, bobs) = (ada.root().join("a"), bob.root().join("a"));
    on_disk(&bobs, "one\ntwo\n").await;
    bob.open("a").await;
    let kept = bob.root().join("kept~");
    std::fs::write(&kept, "one\ntwo\n").unwrap();
    for text in ["one\nchanged\n", "one\ntwo\n", "one\nchanged\n", "kept"] {
        let text = if text == "kept" {
            // It keeps the time that it had.
            std::fs::rename(&kept, &bobs).unwrap();
            "one\ntwo\n"
        } else {
            std::fs::write(&bobs, text).unwrap();
            text
        };
        bob.shows("a", text).await;
        on_disk(&adas, text).await;
        // By a file's time nobody can tell what is done within one tick of the clock.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn what_an_editor_is_slow_to_write_and_never_tells_of_is_no_programs() {
    let hub = Hub::start().await;
    let mut ada = Editor::start(&hub, &[("a", "one\n")]).await;
    eventually(|| hub.texts() == ["one\n"]).await;
    ada.open("a").await;
    ada.type_at("a", 0, 3, " two").await;
    eventually(|| hub.texts() == ["one two\n"]).await;
    ada.type_at("a", 0, 7, " three").await;
    eventually(|| hub.texts() == ["one two three\n"]).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    std::fs::write(ada.root().join("a"), "one two\n").unwrap();
    // Nothing comes of it, and it takes three seconds until that is decided.
    tokio::time::sleep(Duration::from_secs(4)).await;
    ada.type_at("a", 0, 13, " four").await;
    eventually(|| hub.texts() == ["one two three four\n"]).await;
}

/// As `git checkout -- FILE` makes it, and programs that write another file and give it the name.
#[tokio::test]
async fn a_file_that_someone_deletes_comes_back_when_it_is_made_with_the_same_text() {
    for is_missing_first in [true, false] {
        let hub = Hub::start().await;
        let ada = Editor::start(&hub, &[("a", "one\n")]).await;
        eventually(|| hub.texts() == ["one\n"]).await;
        let mut bob = Editor::start(&hub, &[]).await;
        let bobs = bob.root().join("a");
        on_disk(&bobs, "one\n").await;
        bob.open("a").await;
        std::fs::remove_file(ada.root().join("a")).unwrap();
        bob.until(|_, message| is_told(message, "a was deleted by "))
            .await;
        let other = bob.root().join("other~");
        std::fs::write(&other, "one\n").unwrap();
        if is_missing_first {
            std::fs::remove_file(&bobs).unwrap();
        }
        std::fs::rename(&other, &bobs).unwrap();
        on_disk(&ada.root().join("a"), "one\n").await;
        bob.type_at("a", 0, 0, "more ").await;
        on_disk(&ada.root().join("a"), "more one\n").await;
    }
}

#[tokio::test]
async fn what_was_not_saved_of_a_file_that_others_delete_and_make_anew_is_kept() {
    let hub = Hub::start().await;
    let ada = Editor::start(&hub, &[("a", "one\n")]).await;
    eventually(|| hub.texts() == ["one\n"]).await;
    let mut bob = Editor::start(&hub, &[]).await;
    on_disk(&bob.root().join("a"), "one\n").await;
    bob.open("a").await;
    bob.type_at("a", 0, 0, "typed ").await;
    let file = ada.root().join("a");
    on_disk(&file, "typed one\n").await;
    std::fs::remove_file(&file).unwrap();
    bob.until(|_, message| is_told(message, "a was deleted by "))
        .await;
    std::fs::write(&file, "brand new\n").unwrap();
    bob.until(|_, message| is_told(message, "a was made anew"))
        .await;
    bob.shows("a", "brand new\n").await;
    on_disk(&bob.root().join(".tutti/recovered/a"), "typed one\n").await;
}

fn is_told(message: &Value, words: &str) -> bool {
    let told = message["params"]["message"].as_str();
    message["method"] == "window/showMessage" && told.is_some_and(|told| told.contains(words))
}

#[tokio::test]
async fn what_is_not_the_projects_stays_private() {
    let hub = Hub::start().await;
    let files = [("a", "shared\n"), (".gitignore", "secret\n")];
    let mut ada = Editor::start(&hub, &files).await;
    eventually(|| hub.texts().len() == 2).await;
    let before = hub.texts();
    ada.open_with("secret", "password\n").await;
    ada.type_at("secret", 0, 0, "my ").await;
    ada.save("secret").await;
    ada.open_with(".tutti/project.toml", "x\n").await;
    ada.open_with("../elsewhere", "x\n").await;
    for uri in [
        "untitled:Untitled-1",
        "git:/a?ref",
        "file://host/a",
        "file:///elsewhere/a",
    ] {
        let document = json!({ "uri": uri, "languageId": "x", "version": 1, "text": "private" });
        ada.notify("textDocument/didOpen", json!({ "textDocument": document }))
            .await;
        let changes = json!([{ "text": "more" }]);
        let document = json!({ "uri": uri, "version": 2 });
        let params = json!({ "textDocument": document, "contentChanges": changes });
        ada.notify("textDocument/didChange", params).await;
    }
    // Whatever came before this edit has been dealt with when it arrives.
    ada.open("a").await;
    ada.type_at("a", 0, 0, "! ").await;
    eventually(|| hub.texts().contains(&"! shared\n".to_owned())).await;
    assert_eq!(hub.texts().len(), before.len());
}

#[cfg(unix)]
#[tokio::test]
async fn names_are_understood_through_links_and_escapes() {
    let hub = Hub::start().await;
    let directory = directory(&hub, &[("a b#ü.rs", "x\n")]);
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(directory.path().join("work"), &link).unwrap();
    let root = super::editor::uri(&link);
    let mut ada = Editor::start_in(directory, json!({ "rootUri": root })).await;
    eventually(|| hub.texts() == ["x\n"]).await;
    let uri = format!("{root}/a%20b%23%C3%BC.rs");
    let document = json!({ "uri": uri, "languageId": "x", "version": 0, "text": "x\n" });
    ada.notify("textDocument/didOpen", json!({ "textDocument": document }))
        .await;
    let changes = json!([{ "text": "xy\n" }]);
    let document = json!({ "uri": uri, "version": 1 });
    let params = json!({ "textDocument": document, "contentChanges": changes });
    ada.notify("textDocument/didChange", params).await;
    eventually(|| hub.texts() == ["xy\n"]).await;
}

#[tokio::test]
async fn a_file_that_is_not_on_this_disk_yet_is_shown_as_the_project_has_it() {
    // Neovim tells of an empty line, the others of no text.
    for (client, empty) in [("Neovim", "\n"), ("helix", "")] {
        let hub = Hub::start().await;
        let ada = Editor::start(&hub, &[("a", "one\n")]).await;
        eventually(|| hub.texts() == ["one\n"]).await;
        let info = json!({ "clientInfo": { "name": client } });
        let mut bob = Editor::start_in(directory(&hub, &[]), info).await;
        bob.open_with("a", empty).await;
        bob.shows("a", "one\n").await;
        bob.close("a").await;
        on_disk(&bob.root().join("a"), "one\n").await;
        assert!(!bob.root().join(".tutti/recovered").exists());
        assert_eq!(hub.texts(), ["one\n"]);
        drop(ada);
    }
}

#[tokio::test]
async fn a_file_that_is_moved_from_under_its_editor_and_opened_at_its_new_place_reverts_nothing() {
    for closes in [true, false] {
        let hub = Hub::start().await;
        let (mut ada, mut bob) = two(&hub, "one\ntwo\n").await;
        ada.type_at("a", 0, 3, " mine").await;
        bob.shows("a", "one mine\ntwo\n").await;
        std::fs::rename(ada.root().join("a"), ada.root().join("b")).unwrap();
        eventually(|| hub.paths() == ["b"]).await;
        bob.type_at("a", 1, 3, " theirs").await;
        let all = "one mine\ntwo theirs\n";
        ada.shows("a", all).await;
        // The editor writes it where it was.
        ada.save("a").await;
        if closes {
            ada.close("a").await;
        }
        let (_, files) = ada.quit().await;
        let mut ada = Editor::start_in(files, json!({})).await;
        let there = std::fs::read_to_string(ada.root().join("b")).unwrap_or_default();
        ada.open_with("b", &there).await;
        ada.shows("b", all).await;
        ada.type_at("b", 0, 0, "!").await;
        bob.shows("a", &format!("!{all}")).await;
        assert_eq!(hub.texts(), [format!("!{all}")]);
        ada.save("b").await;
        ada.close("b").await;
        let root = ada.root();
        on_disk(&root.join("b"), &format!("!{all}")).await;
        eventually(|| !root.join("a").exists()).await;
        assert_eq!(hub.paths(), ["b"]);
        assert!(!root.join(".tutti/recovered").exists());
    }
}

#[tokio::test]
async fn what_another_program_writes_into_a_file_that_is_open_is_merged() {
    let hub = Hub::start().await;
    let mut ada = Editor::start(&hub, &[("a", "one\ntwo\nthree\n")]).await;
    eventually(|| hub.texts() == ["one\ntwo\nthree\n"]).await;
    let mut bob = Editor::start(&hub, &[]).await;
    let theirs = bob.root().join("a");
    on_disk(&theirs, "one\ntwo\nthree\n").await;
    bob.open("a").await;
    ada.open("a").await;
    ada.type_at("a", 2, 5, " typed").await;
    bob.shows("a", "one\ntwo\nthree typed\n").await;
    bob.type_at("a", 0, 3, " mine").await;
    std::fs::write(&theirs, "one\nTWO\nthree\n").unwrap();
    let all = "one mine\nTWO\nthree typed\n";
    bob.shows("a", all).await;
    ada.shows("a", all).await;
    assert_eq!(hub.texts(), [all]);
    // What the editor saves over it, and what it reads, changes nothing more.
    bob.save("a").await;
    bob.type_at("a", 0, 0, "!").await;
    ada.shows("a", &format!("!{all}")).await;
    bob.close("a").await;
    on_disk(&theirs, &format!("!{all}")).await;
    assert_eq!(hub.texts(), [format!("!{all}")]);
    assert!(!bob.root().join(".tutti/recovered").exists());
}

#[tokio::test]
async fn what_an_editor_has_read_again_by_itself_is_known_when_another_program_writes_once_more() {
    let hub = Hub::start().await;
    let mut ada = Editor::start(&hub, &[("a", "one\ntwo\n")]).await;
    eventually(|| hub.texts() == ["one\ntwo\n"]).await;
    ada.open("a").await;
    let file = ada.root().join("a");
    std::fs::write(&file, "one\n2\n").unwrap();
    ada.replace("a", (1, 0), (1, 3), "2").await;
    // What was written before this has been seen, too.
    std::fs::write(ada.root().join("b"), "").unwrap();
    eventually(|| hub.paths().contains(&"b".to_owned())).await;
    ada.type_at("a", 0, 3, " mine").await;
    std::fs::write(&file, "one\n3\n").unwrap();
    ada.shows("a", "one mine\n3\n").await;
    eventually(|| hub.texts().contains(&"one mine\n3\n".to_owned())).await;
}

#[tokio::test]
async fn what_is_typed_while_an_editor_writes_its_file_stays() {
    for is_told in [true, false] {
        let hub = Hub::start().await;
        let mut ada = Editor::start(&hub, &[("a", "one\n"), ("b", "b\n")]).await;
        eventually(|| hub.texts() == ["b\n", "one\n"]).await;
        ada.open("a").await;
        ada.open("b").await;
        ada.type_at("a", 0, 3, " two").await;
        std::fs::write(ada.root().join("a"), "one two\n").unwrap();
        ada.type_at("a", 0, 7, " three").await;
        if is_told {
            let uri = ada.uri("a");
            let saved = json!({ "textDocument": { "uri": uri }, "text": ada.text("a") });
            ada.notify("textDocument/didSave", saved).await;
        }
        // What another program writes later is merged: the time for that is over for the one above.
        std::fs::write(ada.root().join("b"), "c\n").unwrap();
        ada.shows("b", "c\n").await;
        eventually(|| hub.texts() == ["c\n", "one two three\n"]).await;
        ada.type_at("a", 0, 0, "!").await;
        eventually(|| hub.texts() == ["!one two three\n", "c\n"]).await;
    }
}

/// Whoever asked for an edit outside the text has another one: what they save then counts, from its file if
/// they do not send it.
#[tokio::test]
async fn a_save_without_its_text_ends_a_drift() {
    let hub = Hub::start().await;
    let (mut ada, mut bob) = two(&hub, "one\ntwo\n").await;
    ada.open("a").await;
    bob.open("a").await;
    let outside = json!({ "line": 7, "character": 0 });
    let change = json!({ "range": { "start": outside, "end": outside }, "text": "eight\n" });
    let name = json!({ "uri": ada.uri("a"), "version": 9 });
    let params = json!({ "textDocument": name, "contentChanges": [change] });
    ada.notify("textDocument/didChange", params).await;
    ada.until(|_, message| message["method"] == "window/showMessage")
        .await;
    std::fs::write(ada.root().join("a"), "one\nfive\neight\n").unwrap();
    let params = json!({ "textDocument": { "uri": ada.uri("a") } });
    ada.notify("textDocument/didSave", params).await;
    bob.shows("a", "one\nfive\neight\n").await;
    assert_eq!(hub.texts(), ["one\nfive\neight\n"]);
}
