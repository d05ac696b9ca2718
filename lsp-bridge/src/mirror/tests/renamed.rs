//! Files that are open under a name which the project has given to another, and stored indexes that are older than what
//! is known of files.

use super::*;
use crate::mirror::{Candidates, EditorSaved};

fn chosen(here: &Here, hub: &Hub, path: &str, others: &[&DocumentId], text: &str) -> String {
    let listed = hub.entries().into_iter();
    let mut listed = listed.filter(|(_, entry)| entry.path == path);
    let candidates = Candidates {
        path: path.parse().unwrap(),
        text: text.into(),
        listed: listed.next().map(|(document, _)| document),
        others: others.iter().map(|other| (*other).clone()).collect(),
    };
    let chosen = here.mirror.choose(&candidates).unwrap();
    chosen.map_or("none".into(), |document| document.to_string())
}

#[test]
fn another_file_waits_for_a_name_until_the_one_that_is_open_there_is_closed() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"mine\n")]);
    ada.sync(&mut hub);
    let mine = hub.id("a.txt");
    ada.mirror.opened(&mine, None).unwrap();
    hub.rename("a.txt", "b.txt");
    hub.put("theirs", "a.txt", "theirs\n");
    ada.sync(&mut hub);
    assert_eq!(ada.read("a.txt"), "mine\n");
    let waits: Vec<String> = ada
        .mirror
        .left_alone()
        .map(|(path, _)| path.into())
        .collect();
    assert_eq!(waits, ["a.txt"]);
    let effects = ada.mirror.closed(&mine).unwrap();
    ada.carry_out(effects, &mut hub);
    ada.sync(&mut hub);
    assert_eq!(
        (ada.read("a.txt"), ada.read("b.txt")),
        ("theirs\n".into(), "mine\n".into())
    );
    assert!(ada.recovered().is_empty(), "{:?}", ada.told);
    assert_eq!(ada.mirror.left_alone().count(), 0);
}

#[test]
fn a_file_that_is_opened_under_its_old_name_stands_there_again() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"mine\n")]);
    ada.sync(&mut hub);
    let mine = hub.id("a.txt");
    hub.rename("a.txt", "b.txt");
    hub.put("theirs", "a.txt", "theirs\n");
    ada.sync(&mut hub);
    assert_eq!(ada.read("a.txt"), "theirs\n");
    let place = "a.txt".parse().unwrap();
    let effects = ada.mirror.opened(&mine, Some(&place)).unwrap();
    ada.carry_out(effects, &mut hub);
    assert_eq!(
        (ada.read("a.txt"), ada.has("b.txt")),
        ("mine\n".into(), false)
    );
    // What the editor saves is no change of the other file.
    ada.write("a.txt", "mine, and more\n");
    ada.sync(&mut hub);
    assert_eq!(hub.text("a.txt"), "theirs\n");
    let effects = ada.mirror.closed(&mine).unwrap();
    ada.carry_out(effects, &mut hub);
    ada.sync(&mut hub);
    let files = (ada.read("a.txt"), ada.read("b.txt"));
    assert_eq!(files, ("theirs\n".into(), "mine, and more\n".into()));
    assert_eq!(hub.text("b.txt"), "mine, and more\n");
}

/// A file that is open is moved, others move its document elsewhere, and its editor writes it where it was.
#[test]
fn a_file_that_moved_away_from_its_editor_is_not_forgotten() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"mine\n")]);
    ada.sync(&mut hub);
    let mine = hub.id("a.txt");
    ada.mirror.opened(&mine, None).unwrap();
    fs::rename(ada.path("a.txt"), ada.path("b.txt")).unwrap();
    ada.sync(&mut hub);
    assert_eq!(hub.id("b.txt"), mine);
    hub.rename("b.txt", "c.txt");
    let effects = ada.mirror.index_changed(hub.entries(), true).unwrap();
    ada.carry_out(effects, &mut hub);
    ada.write("a.txt", "mine\n");
    let state = hub.document(&mine).state();
    let saved = EditorSaved {
        path: "a.txt".parse().unwrap(),
        shown: state.clone(),
        state,
        unsaved: false,
        recent: Vec::new(),
        told: std::time::Instant::now(),
    };
    ada.mirror.editor_saved(&mine, saved).unwrap();
    let effects = ada.mirror.closed(&mine).unwrap();
    ada.carry_out(effects, &mut hub);
    // It has one name, and what stood under the others was the same.
    let names: Vec<_> = hub.entries().into_values().map(|one| one.path).collect();
    assert_eq!(names, ["c.txt"]);
    assert_eq!(hub.text("c.txt"), "mine\n");
    assert!(!ada.has("a.txt") && !ada.has("b.txt"));
}

#[test]
fn a_file_that_was_moved_here_just_when_an_editor_opened_it_stays_where_it_is() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"mine\n")]);
    ada.sync(&mut hub);
    let mine = hub.id("a.txt");
    fs::rename(ada.path("a.txt"), ada.path("b.txt")).unwrap();
    let effects = ada.mirror.files_changed(&Changes::everything()).unwrap();
    ada.carry_out(effects, &mut hub);
    let place = "a.txt".parse().unwrap();
    let effects = ada.mirror.opened(&mine, Some(&place)).unwrap();
    ada.carry_out(effects, &mut hub);
    ada.sync(&mut hub);
    assert_eq!((hub.id("b.txt"), ada.has("a.txt")), (mine, false));
    assert_eq!(ada.read("b.txt"), "mine\n");
}

#[test]
fn the_text_tells_which_of_two_an_editor_shows() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"first\nmine\n")]);
    ada.sync(&mut hub);
    let mine = hub.id("a.txt");
    hub.rename("a.txt", "b.txt");
    let theirs = hub.put("theirs", "a.txt", "theirs\nlast\n");
    ada.sync(&mut hub);
    for (text, document) in [
        ("first\nmine\n", &mine),
        ("first\r\nmine, and more\r\n", &mine),
        ("theirs\nlast\n", &theirs),
        ("theirs\nlast, and more\n", &theirs),
        ("", &theirs),
        ("of neither", &theirs),
    ] {
        let found = chosen(&ada, &hub, "a.txt", &[&mine], text);
        assert_eq!(found, document.to_string(), "{text:?}");
    }
    // Where the project has no file by that name.
    assert_eq!(
        chosen(&ada, &hub, "c.txt", &[&mine], "first\nmine\n!"),
        mine.to_string()
    );
    assert_eq!(chosen(&ada, &hub, "c.txt", &[&mine], ""), "none");
}

#[test]
fn an_index_that_may_be_old_deletes_moves_and_doubles_nothing() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n"), ("b.txt", b"2\n")]);
    ada.sync(&mut hub);
    let old = hub.entries();
    hub.rename("a.txt", "moved.txt");
    let new = hub.put("new", "new.txt", "3\n");
    ada.sync(&mut hub);
    let files = ada.files();
    let mut ada = ada.restart(|_| ());
    let effects = ada.mirror.index_changed(old, false).unwrap();
    assert!(!effects.contains(&Effect::Sync(new)), "{effects:?}");
    let effects = ada.mirror.files_changed(&Changes::everything()).unwrap();
    let is_edit = |effect: &&Effect| matches!(effect, Effect::Index(_));
    assert_eq!(effects.iter().find(is_edit), None);
    assert_eq!(ada.files(), files);
    ada.sync(&mut hub);
    assert_eq!(ada.files(), files);
    assert_eq!(hub.entries().len(), 3);
}

#[test]
fn a_new_file_that_no_index_lists_yet_is_made_the_same_document() {
    let mut hub = Hub::new();
    let mut ada = Here::new();
    ada.sync(&mut hub);
    ada.write("a.txt", "1\n");
    let effects = ada.mirror.files_changed(&Changes::everything()).unwrap();
    // The index was sent, and nothing of it was stored.
    ada.carry_out(effects, &mut hub);
    let made = hub.id("a.txt");
    let mut ada = ada.restart(|_| ());
    ada.mirror.index_changed(BTreeMap::new(), false).unwrap();
    let effects = ada.mirror.files_changed(&Changes::everything()).unwrap();
    ada.carry_out(effects, &mut hub);
    ada.sync(&mut hub);
    assert_eq!(hub.entries().into_keys().collect::<Vec<_>>(), [made]);
    assert_eq!(hub.text("a.txt"), "1\n");
}

#[test]
fn a_file_that_was_brought_back_and_moved_is_not_the_new_one_at_its_first_place() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("d/a.txt", b"1\n")]);
    ada.sync(&mut hub);
    let id = hub.id("d/a.txt");
    let entry = hub.entries()[&id].clone();
    fs::remove_file(ada.path("d/a.txt")).unwrap();
    ada.sync(&mut hub);
    assert!(hub.entries().is_empty());
    hub.change_index(|txn, files| index::insert(txn, files, &id, &entry));
    ada.sync(&mut hub);
    fs::rename(ada.path("d"), ada.path("e")).unwrap();
    ada.sync(&mut hub);
    assert_eq!(hub.id("e/a.txt"), id);
    // As a checkout of what was committed does it.
    ada.write("d/a.txt", "1\n");
    ada.sync(&mut hub);
    assert_eq!(hub.id("e/a.txt"), id);
    assert_eq!(hub.text("d/a.txt"), "1\n");
    hub.edit("e/a.txt", "1\n2\n");
    ada.sync(&mut hub);
    assert_eq!(ada.read("e/a.txt"), "1\n2\n");
    assert_eq!(ada.read("d/a.txt"), "1\n");
}

#[test]
fn a_file_that_is_new_at_a_place_which_the_stored_index_gives_to_another_is_found() {
    let data = b"\xff\0 1";
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a", data)]);
    written_before(&ada.path("a"));
    ada.sync(&mut hub);
    let older = hub.entries();
    hub.rename("a", "b");
    ada.sync(&mut hub);
    let mut ada = ada.restart(|root| {
        // As a checkout of what was committed does it.
        fs::write(root.join("a"), data).unwrap();
        written_before(&root.join("a"));
    });
    let mut effects = ada.mirror.index_changed(older, false).unwrap();
    let everything = Changes::everything();
    effects.extend(ada.mirror.files_changed(&everything).unwrap());
    ada.carry_out(effects, &mut hub);
    let effects = ada.mirror.index_changed(hub.entries(), true).unwrap();
    ada.carry_out(effects, &mut hub);
    let paths: Vec<_> = hub.entries().into_values().map(|one| one.path).collect();
    assert_eq!(paths.len(), 2, "{paths:?}");
    assert!(ada.has("a") && ada.has("b"));
}

#[test]
fn a_file_that_an_editor_has_saved_another_over_is_written_again() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n")]);
    ada.sync(&mut hub);
    let id = hub.id("a.txt");
    let place = "a.txt".parse().unwrap();
    ada.mirror.opened(&id, Some(&place)).unwrap();
    fs::rename(ada.path("a.txt"), ada.path("b.txt")).unwrap();
    ada.sync(&mut hub);
    hub.put("other", "a.txt", "other\n");
    ada.sync(&mut hub);
    assert_eq!(ada.read("a.txt"), "other\n");
    // The editor has the first file there still.
    hub.edit("b.txt", "1\n2\n");
    let state = hub.document(&id).state();
    ada.write("a.txt", "1\n2\n");
    let saved = EditorSaved {
        path: place,
        shown: state.clone(),
        state,
        unsaved: false,
        recent: Vec::new(),
        told: std::time::Instant::now(),
    };
    ada.mirror.editor_saved(&id, saved).unwrap();
    let effects = ada.mirror.closed(&id).unwrap();
    ada.carry_out(effects, &mut hub);
    ada.sync(&mut hub);
    assert_eq!(ada.read("a.txt"), "other\n");
    assert_eq!(ada.read("b.txt"), "1\n2\n");
}

#[test]
fn a_file_that_is_moved_while_others_write_into_it_stays_one() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n")]);
    ada.sync(&mut hub);
    let id = hub.id("a.txt");
    fs::rename(ada.path("a.txt"), ada.path("moved.txt")).unwrap();
    hub.edit("a.txt", "1\ntheirs\n");
    // What they wrote comes before it is seen that the file was moved.
    let theirs = hub.document(&id).fork(7).state();
    let settled = ada.mirror.settle(&id, &theirs).unwrap();
    let again = Effect::LookAgain("a.txt".parse().unwrap());
    assert_eq!(settled.effects, [again]);
    assert!(!ada.has("a.txt"));
    ada.sync(&mut hub);
    assert_eq!(hub.id("moved.txt"), id);
    assert_eq!(ada.read("moved.txt"), "1\ntheirs\n");
    assert!(!ada.has("a.txt"));
}
