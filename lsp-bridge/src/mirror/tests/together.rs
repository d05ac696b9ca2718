//! Several bridges in one directory.

use std::time::SystemTime;

use super::*;
use crate::mirror::{EditorSaved, survey};

#[test]
fn a_guest_writes_no_files_and_loses_nothing() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n")]);
    ada.sync(&mut hub);
    let id = hub.id("a.txt");
    let mut guest = Mirror::open(ada.directory.path(), "Ada").unwrap();
    assert!(ada.mirror.is_owner() && !guest.is_owner());
    assert!(!guest.take_over().unwrap());
    assert!(guest.stored(&id).unwrap().is_some());
    assert_eq!(guest.index_changed(BTreeMap::new(), true).unwrap(), []);
    assert!(ada.has("a.txt"));

    // Open in the guest's editor: not the owner's to touch, and the guest may be about to say that it
    // was its editor.
    guest.opened(&id, None).unwrap();
    ada.write("a.txt", "1\ntyped\n");
    let changes = Changes::of(["a.txt"]);
    let written = Effect::Written(id.clone(), "1\ntyped\n".to_owned());
    let again = Effect::LookAgain("a.txt".parse().unwrap());
    let effects = ada.mirror.files_changed(&changes).unwrap();
    assert_eq!(effects, [written, again]);
    guest.closed(&id).unwrap();
    let effects = ada.mirror.files_changed(&changes).unwrap();
    assert_eq!(effects, [Effect::Sync(id.clone())]);
    ada.write("a.txt", "1\n");

    // The guest ends without a connection; the owner's next start takes in what it had.
    let mut offline = hub.document(&id).fork(77);
    offline.edit("1\noffline\n");
    guest.persist(&id, &offline.state(), true).unwrap();
    drop(guest);
    let mut ada = ada.restart(|_| ());
    assert_eq!(ada.mirror.unsaved(), [id]);
    ada.sync(&mut hub);
    assert_eq!(hub.text("a.txt"), "1\noffline\n");
    assert_eq!(ada.read("a.txt"), "1\noffline\n");
    let guests = fs::read_dir(ada.path(".tutti/guests")).unwrap().count();
    assert_eq!(guests, 0);
}

#[test]
fn a_guest_takes_over_when_the_owner_has_gone() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n")]);
    ada.sync(&mut hub);
    let id = hub.id("a.txt");
    let mut guest = Mirror::open(ada.directory.path(), "Ada").unwrap();
    let mut offline = hub.document(&id).fork(77);
    offline.edit("1\noffline\n");
    guest.persist(&id, &offline.state(), true).unwrap();
    let Here {
        directory,
        told,
        busy,
        mirror,
    } = ada;
    drop(mirror);
    assert!(guest.take_over().unwrap());
    assert!(!guest.take_over().unwrap(), "once is enough");
    let mut ada = Here {
        directory,
        mirror: guest,
        told,
        busy,
    };
    assert_eq!(ada.mirror.unsaved(), [id]);
    ada.sync(&mut hub);
    assert_eq!(ada.read("a.txt"), "1\noffline\n");
}

/// What a guest's editor has written into a file, with the replica that it came from.
fn saves(guest: &mut Mirror, hub: &mut Hub, path: &str, text: &str) -> (DocumentId, Vec<u8>) {
    let id = hub.id(path);
    guest.index_changed(hub.entries(), true).unwrap();
    let mut shown = hub.document(&id).fork(78);
    shown.edit(text);
    let state = shown.state();
    let saved = EditorSaved {
        path: path.parse().unwrap(),
        shown: state.clone(),
        state: state.clone(),
        unsaved: true,
        recent: Vec::new(),
        told: std::time::Instant::now(),
    };
    guest.editor_saved(&id, saved).unwrap();
    (id, state)
}

fn two_files_as_surveys_know_them() -> (Hub, Here) {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n"), ("b.txt", b"1\n")]);
    ada.sync(&mut hub);
    let index = hub.index.state();
    ada.mirror
        .persist(&DocumentId::index(), &index, false)
        .unwrap();
    (hub, ada)
}

#[test]
fn what_a_guest_has_saved_is_no_change_that_nobody_has() {
    let (mut hub, ada) = two_files_as_surveys_know_them();
    let seen = |ada: &Here| survey(ada.directory.path()).unwrap();
    let mut guest = Mirror::open(ada.directory.path(), "Ada").unwrap();
    let (id, state) = saves(&mut guest, &mut hub, "a.txt", "1\n2\n");
    ada.write("a.txt", "1\n2\n");
    let on_its_way = seen(&ada);
    assert_eq!(
        (on_its_way.unsaved, on_its_way.followed),
        (vec!["a.txt".to_owned()], 1)
    );
    guest.persist(&id, &state, false).unwrap();
    let told = seen(&ada);
    assert_eq!((told.differing(), told.followed), (0, 2));
    // Nor when both have ended at once, so that nobody has taken it in.
    drop(guest);
    let Here {
        directory, mirror, ..
    } = ada;
    drop(mirror);
    let told = survey(directory.path()).unwrap();
    assert!(!told.bridge_runs);
    assert_eq!((told.differing(), told.followed), (0, 2));
    fs::write(directory.path().join("a.txt"), "1\n2\n3\n").unwrap();
    assert_eq!(survey(directory.path()).unwrap().changed, ["a.txt"]);
}

#[test]
fn a_file_of_an_editor_that_reports_nothing_is_not_in_step() {
    let (hub, mut ada) = two_files_as_surveys_know_them();
    let (a, b) = (hub.id("a.txt"), hub.id("b.txt"));
    let mut guest = Mirror::open(ada.directory.path(), "Ada").unwrap();
    for (mirror, document, name) in [(&mut ada.mirror, a, "a.txt"), (&mut guest, b, "b.txt")] {
        mirror.opened(&document, None).unwrap();
        for hears in [false, true, false] {
            mirror.hears(&document, hears).unwrap();
            let told = survey(ada.directory.path()).unwrap();
            let unheard: &[&str] = if hears { &[] } else { &[name] };
            assert_eq!(told.unheard, unheard);
            assert_eq!(told.followed, 2 - unheard.len());
        }
        mirror.closed(&document).unwrap();
        assert!(survey(ada.directory.path()).unwrap().unheard.is_empty());
    }
}

#[test]
fn what_a_guest_has_saved_is_taken_once_whoever_hears_of_it_first() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n")]);
    ada.sync(&mut hub);
    let mut guest = Mirror::open(ada.directory.path(), "Ada").unwrap();
    let (id, state) = saves(&mut guest, &mut hub, "a.txt", "1\n2\n");
    ada.write("a.txt", "1\n2\n");
    // A third window opens the file: what it reads is what the second has saved.
    let third = Mirror::open(ada.directory.path(), "Ada").unwrap();
    let base = third.base(&id).unwrap().unwrap();
    assert_eq!(third.text_of(&id, &base).unwrap(), "1\n2\n");
    // The owner hears of the file before the server has what was typed.
    ada.sync(&mut hub);
    hub.document(&id).apply(&state).unwrap();
    ada.sync(&mut hub);
    assert_eq!(hub.text("a.txt"), "1\n2\n");
    assert_eq!(ada.read("a.txt"), "1\n2\n");
    // What was saved long ago and is put there again by another program is a change.
    hub.edit("a.txt", "1\n2\n3\n");
    ada.sync(&mut hub);
    assert_eq!(ada.read("a.txt"), "1\n2\n3\n");
    ada.write("a.txt", "1\n2\n");
    // So late that it had seen what it takes away.
    let file = fs::File::open(ada.path("a.txt")).unwrap();
    let late = SystemTime::now() + Duration::from_secs(9);
    file.set_modified(late).unwrap();
    ada.sync(&mut hub);
    assert_eq!(hub.text("a.txt"), "1\n2\n");
}

#[test]
fn what_a_guest_had_saved_when_it_was_killed_is_taken_once() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n")]);
    ada.sync(&mut hub);
    let mut guest = Mirror::open(ada.directory.path(), "Ada").unwrap();
    let (id, state) = saves(&mut guest, &mut hub, "a.txt", "1\n2\n");
    drop(guest);
    let mut ada = ada.restart(|root| fs::write(root.join("a.txt"), "1\n2\n").unwrap());
    hub.document(&id).apply(&state).unwrap();
    ada.sync(&mut hub);
    assert_eq!(hub.text("a.txt"), "1\n2\n");
    assert_eq!(ada.read("a.txt"), "1\n2\n");
}

#[test]
fn a_renamed_file_stands_in_one_place_whenever_the_guest_that_shows_it_ends() {
    for n in 0..20 {
        let mut hub = Hub::new();
        let mut ada = Here::with(&[("a.txt", b"1\n")]);
        ada.sync(&mut hub);
        let mut guest = Mirror::open(ada.directory.path(), "Ada").unwrap();
        let id = hub.id("a.txt");
        guest.index_changed(hub.entries(), true).unwrap();
        let place = "a.txt".parse().unwrap();
        guest.opened(&id, Some(&place)).unwrap();
        hub.rename("a.txt", "b.txt");
        ada.sync(&mut hub);
        hub.edit("b.txt", "1\n2\n");
        let state = hub.document(&id).state();
        // At one moment after the other of the time that this takes.
        let delay = Duration::from_micros(100 * n);
        let ends = std::thread::spawn(move || {
            std::thread::sleep(delay);
            drop(guest);
        });
        while !ada.has("b.txt") {
            ada.mirror.settle(&id, &state).unwrap();
        }
        ends.join().unwrap();
        assert!(!ada.has("a.txt"));
        assert_eq!(ada.read("b.txt"), "1\n2\n");
    }
}

#[test]
fn a_renamed_file_that_a_guest_saves_and_closes_at_once_is_moved_with_what_was_saved() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n")]);
    ada.sync(&mut hub);
    let mut guest = Mirror::open(ada.directory.path(), "Ada").unwrap();
    let id = hub.id("a.txt");
    let place = "a.txt".parse().unwrap();
    guest.index_changed(hub.entries(), true).unwrap();
    guest.opened(&id, Some(&place)).unwrap();
    hub.rename("a.txt", "b.txt");
    ada.sync(&mut hub);
    assert!(ada.has("a.txt") && !ada.has("b.txt"));
    guest.index_changed(hub.entries(), true).unwrap();
    let mut shown = hub.document(&id).fork(78);
    shown.edit("1\n2\n");
    let state = shown.state();
    let saved = EditorSaved {
        path: place,
        shown: state.clone(),
        state: state.clone(),
        unsaved: true,
        recent: Vec::new(),
        told: std::time::Instant::now(),
    };
    ada.write("a.txt", "1\n2\n");
    guest.editor_saved(&id, saved).unwrap();
    guest.closed(&id).unwrap();
    drop(guest);
    // The others type before the owner looks.
    hub.document(&id).apply(&state).unwrap();
    hub.edit("b.txt", "0\n1\n23\n");
    let changes = Changes::of(["a.txt"]);
    let effects = ada.mirror.files_changed(&changes).unwrap();
    assert_eq!(effects, [Effect::Sync(id)]);
    ada.carry_out(effects, &mut hub);
    ada.sync(&mut hub);
    let names: Vec<_> = hub.entries().into_values().map(|one| one.path).collect();
    assert_eq!(names, ["b.txt"]);
    assert_eq!(hub.text("b.txt"), "0\n1\n23\n");
    assert_eq!(ada.read("b.txt"), "0\n1\n23\n");
    assert!(!ada.has("a.txt"));
}
