//! What another program writes into a file just before the editor writes over it.

use std::path::Path;

use serde_json::json;

use super::editor::{Editor, eventually, on_disk, two};
use super::hub::Hub;

const TEXT: &str = "one\ntwo\nthree\n";
const LINES: &str = "one\ntwo\nthree\nfour\nfive\nsix\n";

/// What was written before this in the editor's directory has been seen when it returns.
async fn is_seen(hub: &Hub, editor: &Editor, name: &str) {
    std::fs::write(editor.root().join(name), "").unwrap();
    eventually(|| hub.paths().contains(&name.to_owned())).await;
}

/// The text of the project's only file that is not empty.
fn text(hub: &Hub) -> String {
    hub.texts().concat()
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

/// The editor says that it has written its file, as which of its texts it does not say.
async fn tells_of_a_save(editor: &mut Editor, path: &str) {
    let document = json!({ "uri": editor.uri(path) });
    let saved = json!({ "textDocument": document });
    editor.notify("textDocument/didSave", saved).await;
}

#[tokio::test]
async fn it_is_merged() {
    for saves in [1, 2] {
        let hub = Hub::start().await;
        let (mut ada, mut bob) = two(&hub, TEXT).await;
        ada.type_at("a", 2, 5, " typed").await;
        bob.shows("a", "one\ntwo\nthree typed\n").await;
        bob.type_at("a", 0, 3, " mine").await;
        let file = bob.root().join("a");
        write(&file, "one\nTWO\nthree\n");
        is_seen(&hub, &bob, "b").await;
        for _ in 0..saves {
            bob.save("a").await;
        }
        let all = "one mine\nTWO\nthree typed\n";
        bob.shows("a", all).await;
        ada.shows("a", all).await;
        assert_eq!(text(&hub), all);
        bob.type_at("a", 0, 0, "!").await;
        bob.save("a").await;
        bob.close("a").await;
        let all = format!("!{all}");
        ada.shows("a", &all).await;
        assert_eq!(text(&hub), all);
        on_disk(&file, &all).await;
        assert!(!bob.root().join(".tutti/recovered").exists());
    }
}

#[tokio::test]
async fn it_is_merged_when_the_editor_closes_the_file_and_goes() {
    let hub = Hub::start().await;
    let (mut ada, mut bob) = two(&hub, TEXT).await;
    bob.type_at("a", 0, 3, " mine").await;
    ada.shows("a", "one mine\ntwo\nthree\n").await;
    let file = bob.root().join("a");
    write(&file, "one\nTWO\nthree\n");
    is_seen(&hub, &bob, "b").await;
    bob.save("a").await;
    bob.close("a").await;
    let (_, files) = bob.quit().await;
    let _bob = Editor::start_in(files, json!({})).await;
    let all = "one mine\nTWO\nthree\n";
    ada.shows("a", all).await;
    on_disk(&file, all).await;
}

#[tokio::test]
async fn it_is_merged_when_the_editor_of_another_window_writes_over_it() {
    let hub = Hub::start().await;
    let (owner, mut bob) = two(&hub, TEXT).await;
    let directory = owner.directory.clone();
    let mut first = owner;
    first.close("a").await;
    let mut ada = Editor::start_in(directory, json!({})).await;
    let file = ada.root().join("a");
    ada.open("a").await;
    ada.type_at("a", 0, 3, " mine").await;
    bob.shows("a", "one mine\ntwo\nthree\n").await;
    write(&file, "one\nTWO\nthree\n");
    // Until it cannot be the guest's own any more.
    let written = std::time::Instant::now();
    eventually(|| written.elapsed().as_millis() > 2_300).await;
    ada.save("a").await;
    let all = "one mine\nTWO\nthree\n";
    ada.shows("a", all).await;
    bob.shows("a", all).await;
    assert_eq!(text(&hub), all);
    ada.save("a").await;
    ada.type_at("a", 0, 0, "!").await;
    bob.shows("a", &format!("!{all}")).await;
    drop(first);
}

/// Two people with this file. The second one's editor writes it at each key, and never tells that it has.
async fn with_one_that_writes_untold(hub: &Hub, text: &str) -> (Editor, Editor) {
    let (ada, mut bob) = two(hub, text).await;
    bob.close("a").await;
    let (_, files) = bob.quit().await;
    let neovim = json!({ "clientInfo": { "name": "Neovim" } });
    let mut bob = Editor::start_in(files, neovim).await;
    bob.open("a").await;
    (ada, bob)
}

#[tokio::test]
async fn it_is_merged_though_the_editor_does_not_tell_of_what_it_writes() {
    // Whether it tells of what was typed before that is found in the file.
    for is_early in [true, false] {
        let hub = Hub::start().await;
        let (mut ada, mut bob) = with_one_that_writes_untold(&hub, LINES).await;
        bob.type_at("a", 0, 3, " mine").await;
        let mine = LINES.replace("one", "one mine");
        ada.shows("a", &mine).await;
        let file = bob.root().join("a");
        write(&file, &mine);
        is_seen(&hub, &bob, "b").await;
        write(&file, &mine.replace("five", "FIVE"));
        is_seen(&hub, &bob, "c").await;
        let more = mine.replace("two", "two more");
        if is_early {
            bob.type_at("a", 1, 3, " more").await;
        }
        write(&file, &more);
        is_seen(&hub, &bob, "d").await;
        if !is_early {
            bob.type_at("a", 1, 3, " more").await;
        }
        let all = more.replace("five", "FIVE");
        bob.shows("a", &all).await;
        ada.shows("a", &all).await;
        assert_eq!(text(&hub), all);
    }
}

#[tokio::test]
async fn it_is_merged_where_the_person_typed_if_it_stood_there_for_a_moment() {
    let hub = Hub::start().await;
    let (mut ada, mut bob) = with_one_that_writes_untold(&hub, LINES).await;
    bob.type_at("a", 5, 3, "!").await;
    let lines = LINES.replace("six", "six!");
    ada.shows("a", &lines).await;
    let file = bob.root().join("a");
    write(&file, &lines);
    is_seen(&hub, &bob, "b").await;
    write(&file, &lines.replace("two", "TWO"));
    let written = std::time::Instant::now();
    eventually(|| written.elapsed().as_millis() > 900).await;
    write(&file, &lines.replace("one", "one mine"));
    is_seen(&hub, &bob, "c").await;
    bob.type_at("a", 0, 3, " mine").await;
    let all = lines.replace("one\ntwo", "one mine\nTWO");
    ada.shows("a", &all).await;
    assert_eq!(text(&hub), all);
}

#[tokio::test]
async fn what_the_editor_has_written_untold_and_the_person_taken_back_stays_away() {
    let hub = Hub::start().await;
    let (mut ada, mut bob) = with_one_that_writes_untold(&hub, LINES).await;
    let file = bob.root().join("a");
    write(&file, &LINES.replace("one", "one wrong"));
    is_seen(&hub, &bob, "b").await;
    let right = LINES.replace("one", "one right");
    write(&file, &right);
    is_seen(&hub, &bob, "c").await;
    bob.type_at("a", 0, 3, " right").await;
    bob.type_at("a", 0, 0, "!").await;
    let all = format!("!{right}");
    ada.shows("a", &all).await;
    is_seen(&hub, &bob, "d").await;
    assert_eq!(text(&hub), all);
}

#[tokio::test]
async fn what_the_program_took_back_itself_stays_away() {
    let hub = Hub::start().await;
    let (mut ada, mut bob) = two(&hub, TEXT).await;
    let file = bob.root().join("a");
    write(&file, "one\nTWO\nthree\n");
    is_seen(&hub, &bob, "b").await;
    write(&file, TEXT);
    is_seen(&hub, &bob, "c").await;
    bob.type_at("a", 0, 3, " mine").await;
    bob.save("a").await;
    bob.type_at("a", 0, 0, "!").await;
    ada.shows("a", "!one mine\ntwo\nthree\n").await;
    assert_eq!(text(&hub), "!one mine\ntwo\nthree\n");
}

#[tokio::test]
async fn what_the_editor_itself_has_written_is_not_taken_for_it() {
    let hub = Hub::start().await;
    let (mut ada, mut bob) = two(&hub, TEXT).await;
    let file = bob.root().join("a");
    // Half of it, all of it, and what it was typed further: seen before the editor tells of any.
    bob.type_at("a", 0, 3, " mine").await;
    write(&file, "one mi");
    is_seen(&hub, &bob, "b").await;
    write(&file, "one mine\ntwo\nthree\n");
    is_seen(&hub, &bob, "c").await;
    bob.replace("a", (0, 3), (0, 8), " yours").await;
    write(&file, "one yours\ntwo\nthree\n");
    tells_of_a_save(&mut bob, "a").await;
    bob.type_at("a", 2, 5, " more").await;
    write(&file, "one yours\ntwo\nthree more\n");
    tells_of_a_save(&mut bob, "a").await;
    bob.type_at("a", 0, 0, "!").await;
    let all = "!one yours\ntwo\nthree more\n";
    ada.shows("a", all).await;
    is_seen(&hub, &bob, "d").await;
    assert_eq!(text(&hub), all);
    assert_eq!(bob.text("a"), all);
}
