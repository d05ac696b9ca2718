//! The executable bit of files that move, and of files that an editor shows.

use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use super::super::EditorSaved;
use super::*;

fn is_executable(here: &Here, path: &str) -> bool {
    let found = fs::metadata(here.path(path)).unwrap();
    found.permissions().mode() & 0o100 != 0
}

fn set(here: &Here, path: &str, executable: bool) {
    let mode = if executable { 0o755 } else { 0o644 };
    fs::set_permissions(here.path(path), fs::Permissions::from_mode(mode)).unwrap();
}

fn listed(hub: &Hub, path: &str) -> bool {
    hub.entries()[&hub.id(path)].executable
}

/// What was seen to change, without a look at all files.
fn changed(here: &mut Here, hub: &mut Hub, paths: &[&str]) {
    let changes = Changes::of(paths.iter().copied());
    let effects = here.mirror.files_changed(&changes).unwrap();
    here.carry_out(effects, hub);
}

#[test]
fn a_file_that_is_moved_and_made_executable_at_once_is_both() {
    for content in [b"#!/bin/sh\n".as_slice(), b"\0binary"] {
        let mut hub = Hub::new();
        let mut ada = Here::with(&[("a", content)]);
        let effects = ada.mirror.connected(Some(1 << 20)).unwrap();
        ada.carry_out(effects, &mut hub);
        ada.sync(&mut hub);
        let id = hub.id("a");
        for (from, to, on) in [("a", "b", true), ("b", "c", false)] {
            set(&ada, from, on);
            fs::rename(ada.path(from), ada.path(to)).unwrap();
            changed(&mut ada, &mut hub, &[from, to]);
            assert_eq!((hub.id(to), listed(&hub, to)), (id.clone(), on));
            assert_eq!(is_executable(&ada, to), on);
        }
    }
}

/// An editor shows the file `run`.
fn with_one_open() -> (Hub, Here, DocumentId) {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("run", b"1\n")]);
    ada.sync(&mut hub);
    let id = hub.id("run");
    ada.mirror
        .opened(&id, Some(&"run".parse().unwrap()))
        .unwrap();
    (hub, ada, id)
}

#[test]
fn an_editors_file_is_made_executable_at_once() {
    let (mut hub, mut ada, id) = with_one_open();
    hub.edit("run", "1\nunwritten\n");
    let before = fs::metadata(ada.path("run")).unwrap().modified().unwrap();
    for on in [true, false] {
        hub.change_index(|txn, roots| index::set_executable(txn, roots, &id, on));
        let effects = ada.mirror.index_changed(hub.entries(), true).unwrap();
        assert_eq!(effects, []);
        assert_eq!(is_executable(&ada, "run"), on);
        let after = fs::metadata(ada.path("run")).unwrap().modified().unwrap();
        assert_eq!((ada.read("run").as_str(), after), ("1\n", before));
        // What the mirror itself has done is no news.
        changed(&mut ada, &mut hub, &["run"]);
        assert_eq!(listed(&hub, "run"), on);
    }
}

#[test]
fn a_person_makes_the_file_executable_that_their_editor_shows() {
    let (mut hub, mut ada, id) = with_one_open();
    for on in [true, false] {
        set(&ada, "run", on);
        changed(&mut ada, &mut hub, &["run"]);
        assert_eq!(listed(&hub, "run"), on);
    }
    // Moved as well.
    fs::rename(ada.path("run"), ada.path("go")).unwrap();
    set(&ada, "go", true);
    changed(&mut ada, &mut hub, &["run", "go"]);
    let again = std::mem::take(&mut ada.busy);
    let effects = ada.mirror.files_changed(&Changes::of(again)).unwrap();
    ada.carry_out(effects, &mut hub);
    assert_eq!((hub.id("go"), listed(&hub, "go")), (id, true));
}

/// The editor writes the file, and its mode changes before or after that.
#[test]
fn a_save_sets_no_mode_and_hides_none() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("run", b"1\n")]);
    ada.sync(&mut hub);
    let id = hub.id("run");
    let path: tutti_protocol::path::ProjectPath = "run".parse().unwrap();
    ada.mirror.opened(&id, Some(&path)).unwrap();
    let saved = |ada: &mut Here, hub: &mut Hub, text: &str| {
        hub.edit("run", text);
        let state = hub.document(&id).state();
        let saved = EditorSaved {
            path: path.clone(),
            shown: state.clone(),
            state,
            unsaved: false,
            recent: Vec::new(),
            told: Instant::now(),
        };
        ada.mirror.editor_saved(&id, saved).unwrap();
        changed(ada, hub, &["run"]);
    };
    // Made executable and saved before either was looked at.
    set(&ada, "run", true);
    ada.write("run", "1\n2\n");
    saved(&mut ada, &mut hub, "1\n2\n");
    assert!(listed(&hub, "run") && is_executable(&ada, "run"));
    // The editor has written a new file, and forgot the mode.
    ada.write("run.new", "1\n2\n3\n");
    fs::rename(ada.path("run.new"), ada.path("run")).unwrap();
    changed(&mut ada, &mut hub, &["run"]);
    assert!(listed(&hub, "run"));
    saved(&mut ada, &mut hub, "1\n2\n3\n");
    assert!(listed(&hub, "run") && is_executable(&ada, "run"));
}
