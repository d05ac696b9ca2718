//! Files that no editor shows.

use serde_json::json;
use tower_lsp::Loopback;

use super::editor::{Editor, directory, eventually, on_disk, two};
use super::hub::Hub;
use crate::link::Timing;
use crate::lsp::{Abilities, Wire, wire};
use crate::mirror::{Changes, survey};
use crate::session::FindSetup;
use crate::session::disk::Task;
use crate::session::project::Project;

#[tokio::test]
async fn they_follow_the_project() {
    let hub = Hub::start().await;
    let mut ada = Editor::start(&hub, &[("a", "one\n")]).await;
    eventually(|| hub.texts() == ["one\n"]).await;
    let bob = Editor::start(&hub, &[]).await;
    let file = bob.root().join("a");
    on_disk(&file, "one\n").await;
    ada.open("a").await;
    for (typed, text) in [(" two", "one two\n"), (" and", "one and two\n")] {
        ada.type_at("a", 0, 3, typed).await;
        on_disk(&file, text).await;
    }
}

#[tokio::test]
async fn a_closed_file_gets_what_its_editor_never_saved() {
    let hub = Hub::start().await;
    let mut ada = Editor::start(&hub, &[("a", "one\n")]).await;
    eventually(|| hub.texts() == ["one\n"]).await;
    ada.open("a").await;
    ada.type_at("a", 0, 3, " two").await;
    ada.close("a").await;
    on_disk(&ada.root().join("a"), "one two\n").await;
    assert_eq!(hub.texts(), ["one two\n"]);
}

#[tokio::test]
async fn other_programs_are_the_persons_own_hands() {
    let hub = Hub::start().await;
    let ada = Editor::start(&hub, &[("a", "one\ntwo\n")]).await;
    eventually(|| hub.texts() == ["one\ntwo\n"]).await;
    let mut bob = Editor::start(&hub, &[]).await;
    on_disk(&bob.root().join("a"), "one\ntwo\n").await;
    bob.open("a").await;
    std::fs::write(ada.root().join("a"), "one\ntwo!\n").unwrap();
    bob.shows("a", "one\ntwo!\n").await;
    std::fs::write(ada.root().join("b"), "new\n").unwrap();
    on_disk(&bob.root().join("b"), "new\n").await;
    std::fs::remove_file(ada.root().join("b")).unwrap();
    eventually(|| !bob.root().join("b").exists()).await;
}

#[tokio::test]
async fn what_happened_while_no_bridge_ran_is_caught_up_with() {
    let hub = Hub::start().await;
    let mut ada = Editor::start(&hub, &[("a", "one\n"), ("b", "b\n")]).await;
    eventually(|| hub.texts() == ["b\n", "one\n"]).await;
    let bob = Editor::start(&hub, &[]).await;
    on_disk(&bob.root().join("a"), "one\n").await;
    on_disk(&bob.root().join("b"), "b\n").await;
    let (orderly, files) = bob.quit().await;
    assert!(orderly);
    let root = files.path().join("work");
    std::fs::write(root.join("a"), "one more\n").unwrap();
    ada.open("a").await;
    ada.type_at("a", 0, 0, "just ").await;
    eventually(|| hub.texts() == ["b\n", "just one\n"]).await;
    let _bob = Editor::start_in(files, serde_json::json!({})).await;
    on_disk(&root.join("a"), "just one more\n").await;
    ada.shows("a", "just one more\n").await;
}

#[tokio::test]
async fn a_saved_file_is_not_taken_for_a_change_of_another_program() {
    let hub = Hub::start().await;
    let mut ada = Editor::start(&hub, &[("a", "one\n")]).await;
    eventually(|| hub.texts() == ["one\n"]).await;
    let mut bob = Editor::start(&hub, &[]).await;
    on_disk(&bob.root().join("a"), "one\n").await;
    ada.open("a").await;
    ada.type_at("a", 0, 3, " two").await;
    ada.save("a").await;
    ada.type_at("a", 0, 7, " three").await;
    ada.save("a").await;
    ada.close("a").await;
    bob.open_with("a", "one\n").await;
    bob.shows("a", "one two three\n").await;
    bob.type_at("a", 0, 0, "> ").await;
    on_disk(&ada.root().join("a"), "> one two three\n").await;
    assert_eq!(hub.texts(), ["> one two three\n"]);
}

#[tokio::test]
async fn a_file_is_not_in_step_that_the_last_editor_has_left_without_saving() {
    let hub = Hub::start().await;
    let mut ada = Editor::start(&hub, &[("a", "one\n"), ("b", "two\n")]).await;
    eventually(|| hub.texts().len() == 2).await;
    ada.open("a").await;
    ada.type_at("a", 0, 3, " more").await;
    eventually(|| hub.texts().contains(&"one more\n".to_owned())).await;
    let root = ada.root();
    let seen = || {
        let survey = survey(&root).unwrap();
        (survey.followed, survey.waiting.clone(), survey.differing())
    };
    assert_eq!(seen(), (2, vec![], 0));
    let (_, files) = ada.quit().await;
    assert_eq!(seen(), (1, vec!["a".to_owned()], 0));
    let _ada = Editor::start_in(files, json!({})).await;
    on_disk(&root.join("a"), "one more\n").await;
    eventually(|| seen() == (2, vec![], 0)).await;
}

/// What the mirror has found last is told by the bridge that found it.
#[tokio::test]
async fn a_move_that_is_found_while_the_bridge_goes_is_told() {
    let hub = Hub::start().await;
    let directory = directory(&hub, &[("a", "1\n"), ("b", "2\n")]);
    let root = directory.path().join("work");
    let credentials = directory.path().join("credentials.toml");
    let setup = FindSetup::with(credentials, Timing::default());
    let setup = setup.find(std::slice::from_ref(&root)).unwrap().unwrap();
    let Wire { turn, client, .. } = wire();
    let (_outbound, _answers) = turn.split();
    let mut project = Project::start(setup, Abilities::read(&json!({})), client);
    while hub.texts() != ["1\n", "2\n"] || !project.all_saved() {
        let input = project.next().await;
        project.handle(input);
    }
    for name in ["a", "b"] {
        std::fs::rename(root.join(name), root.join(format!("{name}.moved"))).unwrap();
    }
    project.disk.give(Task::FilesChanged(Changes::everything()));
    project.finish().await;
    eventually(|| hub.paths() == ["a.moved", "b.moved"]).await;
    // The next bridge has nothing to add.
    let next = Editor::start_in(directory, json!({})).await;
    eventually(|| hub.members() == 1 && !root.join(".tutti/state/moved.json").exists()).await;
    let (quit_well, _directory) = next.quit().await;
    assert!(quit_well);
    assert_eq!(hub.paths(), ["a.moved", "b.moved"]);
    assert!(root.join("a.moved").exists() && !root.join("a").exists());
}

/// Whoever has started the bridge lives on, as an editor does that starts its language server anew.
#[tokio::test]
async fn a_file_that_was_open_goes_back_to_what_the_editor_showed_while_no_bridge_runs() {
    let hub = Hub::start().await;
    let (mut ada, mut bob) = two(&hub, "one\n").await;
    ada.close("a").await;
    bob.type_at("a", 0, 0, "not ").await;
    let file = ada.root().join("a");
    on_disk(&file, "not one\n").await;
    let (_, files) = ada.quit().await;
    std::fs::write(&file, "one\n").unwrap();
    let mut ada = Editor::start_in(files, json!({})).await;
    eventually(|| hub.texts() == ["one\n"]).await;
    ada.open_with("a", "one\n").await;
    ada.shows("a", "one\n").await;
    on_disk(&bob.root().join("a"), "one\n").await;
}
