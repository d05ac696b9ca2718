//! Nothing that a person wrote is lost.

use std::time::{Duration, SystemTime};

use super::super::merge::whole;
use super::super::{EditorSaved, HeldOpen, survey};
use super::*;

fn told(here: &Here) -> String {
    here.told.iter().map(ToString::to_string).collect()
}

#[test]
fn a_deleted_file_that_was_changed_here_is_kept_aside() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("src/a.txt", b"1\n"), ("src/b.txt", b"1\n")]);
    ada.sync(&mut hub);
    ada.write("src/a.txt", "1\nmine\n");
    hub.remove("src/a.txt");
    hub.remove("src/b.txt");
    ada.sync(&mut hub);
    assert!(ada.files().is_empty());
    let kept = BTreeMap::from([("src__a.txt".to_owned(), "1\nmine\n".to_owned())]);
    assert_eq!(ada.recovered(), kept);
    assert_eq!(
        told(&ada),
        "Your text of src/a.txt was kept in .tutti/recovered/src__a.txt, because someone else \
         deleted the file."
    );
}

#[test]
fn unconfirmed_edits_of_a_deleted_file_are_kept_aside() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n")]);
    ada.sync(&mut hub);
    // Typed in an editor while there was no connection, and never saved to the disk.
    let id = hub.id("a.txt");
    let mut offline = hub.document(&id).fork(77);
    offline.edit("1\noffline\n");
    ada.mirror.persist(&id, &offline.state(), true).unwrap();
    assert_eq!(ada.mirror.unsaved(), [id]);
    let mut ada = ada.restart(|_| ());
    assert_eq!(ada.mirror.unsaved().len(), 1);
    hub.remove("a.txt");
    let effects = ada.mirror.index_changed(hub.entries(), true).unwrap();
    ada.carry_out(effects, &mut hub);
    assert!(!ada.has("a.txt"));
    assert_eq!(ada.recovered()["a.txt"], "1\noffline\n");
}

#[test]
fn a_file_that_was_there_before_the_project_is_kept_aside() {
    let mut hub = Hub::new();
    hub.put("d1", "a.txt", "theirs\n");
    hub.put("d2", "same.txt", "same\n");
    let mut ada = Here::with(&[
        ("a.txt", b"mine\n"),
        ("same.txt", b"same\n"),
        ("only-mine.txt", b"mine\n"),
    ]);
    ada.sync(&mut hub);
    assert_eq!(ada.read("a.txt"), "theirs\n");
    assert_eq!(hub.text("a.txt"), "theirs\n");
    assert_eq!(hub.text("only-mine.txt"), "mine\n");
    let kept = BTreeMap::from([("a.txt".to_owned(), "mine\n".to_owned())]);
    assert_eq!(ada.recovered(), kept);
}

#[test]
fn a_deletion_here_loses_to_an_edit_there() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n")]);
    ada.sync(&mut hub);
    fs::remove_file(ada.path("a.txt")).unwrap();
    hub.edit("a.txt", "1\n2\n");
    ada.sync(&mut hub);
    assert_eq!(ada.read("a.txt"), "1\n2\n");
    assert_eq!(hub.entries().len(), 1);
    assert!(told(&ada).contains("a.txt is there again"));
}

#[test]
fn a_file_that_is_missing_at_the_start_deletes_nothing_that_others_wrote() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n"), ("b.txt", b"1\n")]);
    ada.sync(&mut hub);
    let (a, b) = (hub.id("a.txt"), hub.id("b.txt"));
    let mut ada = ada.restart(|root| {
        fs::remove_file(root.join("a.txt")).unwrap();
        fs::remove_file(root.join("b.txt")).unwrap();
    });
    hub.edit("a.txt", "1\ntheirs\n");
    // The files are looked at before anything has come from the server.
    ada.mirror.index_changed(hub.entries(), true).unwrap();
    let effects = ada.look_for_gone();
    let asked = |id: &DocumentId| effects.contains(&Effect::Sync(id.clone()));
    assert!(effects.len() == 2 && asked(&a) && asked(&b), "{effects:?}");
    for id in [&a, &b] {
        let stored = ada.mirror.stored(id).unwrap().unwrap();
        let settled = ada.mirror.settle_offline(id, &stored.state).unwrap();
        assert_eq!(
            settled.effects,
            [],
            "nothing is deleted without a connection"
        );
    }
    ada.carry_out(effects, &mut hub);
    assert_eq!(hub.entries().keys().collect::<Vec<_>>(), [&a]);
    assert_eq!(ada.read("a.txt"), "1\ntheirs\n");
}

#[test]
fn a_file_that_is_moved_while_it_is_open_is_renamed() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n")]);
    ada.sync(&mut hub);
    let id = hub.id("a.txt");
    ada.mirror.opened(&id, None).unwrap();
    hub.edit("a.txt", "1\ntheirs\n");
    fs::rename(ada.path("a.txt"), ada.path("moved.txt")).unwrap();
    ada.sync(&mut hub);
    assert_eq!(hub.id("moved.txt"), id);
    let effects = ada.mirror.closed(&id).unwrap();
    ada.carry_out(effects, &mut hub);
    let mut ada = ada.restart(|_| ());
    ada.sync(&mut hub);
    let files = BTreeMap::from([("moved.txt".to_owned(), b"1\ntheirs\n".to_vec())]);
    assert_eq!(ada.files(), files);
    assert_eq!(hub.entries().len(), 1);
}

#[test]
fn an_editor_that_puts_the_old_text_aside_to_save_renames_nothing() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n")]);
    ada.sync(&mut hub);
    let id = hub.id("a.txt");
    ada.mirror.opened(&id, None).unwrap();
    fs::rename(ada.path("a.txt"), ada.path("a.txt~")).unwrap();
    ada.sync(&mut hub);
    assert_eq!(hub.id("a.txt"), id);
}

#[test]
fn a_torn_state_is_no_empty_document() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n2\n")]);
    ada.sync(&mut hub);
    let id = hub.id("a.txt");
    let mut ada = ada.restart(|root| {
        let path = root.join(format!(".tutti/state/{id}.yrs"));
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        fs::write(root.join("a.txt"), "1\n2\nmine\n").unwrap();
    });
    ada.sync(&mut hub);
    assert_eq!(hub.text("a.txt"), "1\n2\n");
    assert_eq!(ada.read("a.txt"), "1\n2\n");
    assert_eq!(ada.recovered()["a.txt"], "1\n2\nmine\n");
}

#[test]
fn an_open_file_is_the_editors() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n"), ("b.txt", b"1\n")]);
    ada.sync(&mut hub);
    let (a, b) = (hub.id("a.txt"), hub.id("b.txt"));
    ada.mirror.opened(&a, None).unwrap();
    ada.mirror.opened(&b, None).unwrap();
    hub.edit("a.txt", "1\n2\n");
    hub.remove("b.txt");
    ada.sync(&mut hub);
    assert_eq!(ada.read("a.txt"), "1\n");
    assert_eq!(ada.read("b.txt"), "1\n");
    // The editor saves what it shows, and closes.
    let shown = hub.document(&a).fork(7).state();
    ada.write("a.txt", "1\n2\n");
    ada.mirror.editor_saved(&a, saved("a.txt", shown)).unwrap();
    hub.edit("a.txt", "1\n2\n3\n");
    for id in [&a, &b] {
        let effects = ada.mirror.closed(id).unwrap();
        ada.carry_out(effects, &mut hub);
    }
    assert_eq!(ada.read("a.txt"), "1\n2\n3\n");
    assert_eq!(hub.text("a.txt"), "1\n2\n3\n");
    assert!(!ada.has("b.txt"));
    assert!(ada.recovered().is_empty(), "{:?}", ada.told);
}

/// An editor that shows all that there is.
fn saved(path: &str, state: Vec<u8>) -> EditorSaved {
    EditorSaved {
        path: path.parse().unwrap(),
        shown: state.clone(),
        state,
        unsaved: false,
        recent: Vec::new(),
        told: std::time::Instant::now(),
    }
}

/// Whether the stored state has every character that the file was made from.
fn base_is_in_state(here: &Here, id: &DocumentId) -> bool {
    let state = here.mirror.stored(id).unwrap().unwrap().state;
    let base = here.mirror.base(id).unwrap().unwrap();
    whole(&state, &base).unwrap().lacked.is_none()
}

#[test]
fn what_an_editor_saved_without_a_server_outlives_every_end() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n")]);
    ada.sync(&mut hub);
    let id = hub.id("a.txt");
    ada.mirror.opened(&id, None).unwrap();
    let mut typed = hub.document(&id).fork(7);
    typed.edit("1\ntyped\n");
    ada.write("a.txt", "1\ntyped\n");
    let saved = EditorSaved {
        unsaved: true,
        ..saved("a.txt", typed.state())
    };
    ada.mirror.editor_saved(&id, saved).unwrap();
    assert!(base_is_in_state(&ada, &id));
    // Killed: nothing more is stored.
    let mut ada = ada.restart(|_| ());
    assert_eq!(ada.mirror.unsaved(), std::slice::from_ref(&id));
    ada.sync(&mut hub);
    assert_eq!(ada.read("a.txt"), "1\ntyped\n");
    assert_eq!(hub.text("a.txt"), "1\ntyped\n");
}

#[test]
fn a_session_that_has_not_heard_of_a_change_on_disk_does_not_undo_it() {
    for text in ["1\n2\nmine\n", "2\n"] {
        let mut hub = Hub::new();
        let mut ada = Here::with(&[("a.txt", b"1\n2\n")]);
        ada.sync(&mut hub);
        let id = hub.id("a.txt");
        let before = hub.document(&id).state();
        ada.write("a.txt", text);
        let settled = ada.mirror.settle(&id, &before).unwrap();
        assert!(settled.update.is_some());
        // The session stores what it has, and everything ends.
        ada.mirror.persist(&id, &before, false).unwrap();
        assert!(base_is_in_state(&ada, &id));
        assert_eq!(ada.mirror.unsaved(), std::slice::from_ref(&id));
        // The same if it goes on: it is told again.
        let settled = ada.mirror.settle(&id, &before).unwrap();
        assert!(settled.update.is_some());
        let mut ada = ada.restart(|_| ());
        ada.sync(&mut hub);
        assert_eq!(ada.read("a.txt"), text);
        assert_eq!(hub.text("a.txt"), text);
    }
}

#[test]
fn a_file_that_is_renamed_while_it_is_open_stays_one_file() {
    for ends_before_it_closes in [false, true] {
        let mut hub = Hub::new();
        let mut ada = Here::with(&[("d.txt", b"1\n")]);
        ada.sync(&mut hub);
        let id = hub.id("d.txt");
        ada.mirror.opened(&id, None).unwrap();
        hub.rename("d.txt", "d2.txt");
        ada.sync(&mut hub);
        // The editor goes on to write the name that it opened.
        hub.edit("d2.txt", "1\n2\n");
        ada.write("d.txt", "1\n2\n");
        let shown = hub.document(&id).fork(7).state();
        let saved = saved("d.txt", shown);
        ada.mirror.editor_saved(&id, saved).unwrap();
        ada.sync(&mut hub);
        if ends_before_it_closes {
            ada = ada.restart(|_| ());
        } else {
            let effects = ada.mirror.closed(&id).unwrap();
            ada.carry_out(effects, &mut hub);
        }
        ada.sync(&mut hub);
        let files = BTreeMap::from([("d2.txt".to_owned(), b"1\n2\n".to_vec())]);
        assert_eq!(ada.files(), files);
        assert_eq!(hub.entries().keys().collect::<Vec<_>>(), [&id]);
        assert_eq!(hub.text("d2.txt"), "1\n2\n");
        assert!(ada.recovered().is_empty(), "{:?}", ada.told);
    }
}

#[test]
fn a_file_that_others_rename_while_it_is_open_is_not_called_changed() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.md", b"1\n"), ("b.md", b"b\n")]);
    ada.sync(&mut hub);
    let id = hub.id("a.md");
    ada.mirror.opened(&id, None).unwrap();
    hub.rename("a.md", "z.md");
    ada.sync(&mut hub);
    let store_index = |ada: &mut Here, hub: &Hub| {
        let state = hub.index.state();
        let index = DocumentId::index();
        ada.mirror.persist(&index, &state, false).unwrap();
    };
    store_index(&mut ada, &hub);
    let seen = |ada: &Here| survey(ada.directory.path()).unwrap();
    let renamed = [("a.md".to_owned(), "z.md".to_owned())];
    let told = seen(&ada);
    assert_eq!((told.followed, told.differing()), (2, 0), "{told:?}");
    assert_eq!(told.renamed, renamed);
    // Typed on, and written under the name that the editor has, before the server confirms it.
    hub.edit("z.md", "1\n2\n");
    ada.write("a.md", "1\n2\n");
    let shown = hub.document(&id).fork(7).state();
    let unsaved = EditorSaved {
        unsaved: true,
        ..saved("a.md", shown.clone())
    };
    ada.mirror.editor_saved(&id, unsaved).unwrap();
    let told = seen(&ada);
    assert_eq!(told.unsaved, ["a.md"]);
    assert_eq!((told.followed, told.differing()), (1, 1), "{told:?}");
    ada.mirror.persist(&id, &shown, false).unwrap();
    // Others use the old name for another file, which has not come yet.
    hub.put("new", "a.md", "new\n");
    store_index(&mut ada, &hub);
    let told = seen(&ada);
    assert_eq!((told.followed, told.differing()), (2, 0), "{told:?}");
    assert_eq!(told.renamed, renamed);
    // What another program does to it is a change, of the file that is here.
    ada.write("a.md", "else\n");
    assert_eq!(seen(&ada).changed, ["a.md"]);
    ada.write("a.md", "1\n2\n");
    let effects = ada.mirror.closed(&id).unwrap();
    ada.carry_out(effects, &mut hub);
    ada.sync(&mut hub);
    let told = seen(&ada);
    assert_eq!((told.followed, told.differing()), (3, 0), "{told:?}");
    assert!(told.renamed.is_empty());
}

#[test]
fn a_file_that_differs_and_holds_unconfirmed_edits_is_counted_once() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n")]);
    ada.sync(&mut hub);
    let state = hub.index.state();
    let index = DocumentId::index();
    ada.mirror.persist(&index, &state, false).unwrap();
    let id = hub.id("a.txt");
    let mut typed = hub.document(&id).fork(7);
    typed.edit("1\n2\n");
    ada.mirror.persist(&id, &typed.state(), true).unwrap();
    ada.write("a.txt", "else\n");
    ada.write("new.txt", "new\n");
    let told = survey(ada.directory.path()).unwrap();
    assert_eq!(told.unsaved, ["a.txt"]);
    assert_eq!(told.changed, ["new.txt"]);
    assert_eq!((told.followed, told.differing()), (0, 2));
}

#[test]
fn a_save_that_nobody_reported_is_not_doubled() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n")]);
    ada.sync(&mut hub);
    // Typed in the editor, which went to the project, and saved just before everything ended.
    hub.edit("a.txt", "1\ntyped\n");
    let mut ada = ada.restart(|root| fs::write(root.join("a.txt"), "1\ntyped\n").unwrap());
    hub.edit("a.txt", "1\ntyped\nmore\n");
    ada.sync(&mut hub);
    assert_eq!(ada.read("a.txt"), "1\ntyped\nmore\n");
    assert_eq!(hub.text("a.txt"), "1\ntyped\nmore\n");
}

#[test]
fn who_may_only_read_changes_nothing_there_and_loses_nothing_here() {
    let mut hub = Hub::new();
    hub.put("d1", "a.txt", "1\n");
    hub.put("d2", "b.txt", "1\n");
    let mut ada = Here::new();
    ada.mirror.set_read_only(true).unwrap();
    ada.sync(&mut hub);
    ada.write("a.txt", "1\nmine\n");
    ada.write("new.txt", "mine\n");
    fs::remove_file(ada.path("b.txt")).unwrap();
    ada.sync(&mut hub);
    assert_eq!(hub.entries().len(), 2);
    assert_eq!(hub.text("a.txt"), "1\n");
    assert_eq!(ada.read("a.txt"), "1\n");
    assert_eq!(ada.recovered()["a.txt"], "1\nmine\n");
    assert_eq!(ada.read("b.txt"), "1\n");
    assert_eq!(
        ada.left_alone(),
        ["new.txt: you may only read this project"]
    );
}

#[test]
fn a_directory_that_went_away_deletes_nothing() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n")]);
    ada.sync(&mut hub);
    fs::rename(ada.path(".tutti"), ada.path("elsewhere")).unwrap();
    fs::remove_file(ada.path("a.txt")).unwrap();
    let failed = ada.mirror.files_changed(&Changes::everything());
    assert!(failed.is_err(), "{failed:?}");
    assert_eq!(hub.entries().len(), 1);
}

#[test]
fn a_new_file_that_the_index_never_heard_of_stays() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("old.txt", b"1\n")]);
    ada.sync(&mut hub);
    ada.write("new.txt", "new\n");
    // The bridge asks for the entry; an index without it comes in first, then everything ends.
    let effects = ada.mirror.files_changed(&Changes::everything()).unwrap();
    assert!(matches!(effects[..], [Effect::Index(_), Effect::Sync(_)]));
    ada.mirror.index_changed(hub.entries(), true).unwrap();
    assert_eq!(ada.read("new.txt"), "new\n");
    let mut ada = ada.restart(|_| ());
    ada.sync(&mut hub);
    assert_eq!(ada.read("new.txt"), "new\n");
    assert_eq!(hub.text("new.txt"), "new\n");
    assert!(ada.recovered().is_empty());
}

#[test]
fn nothing_is_new_before_the_index_is_known() {
    let mut ada = Here::with(&[("a.txt", b"1\n")]);
    let effects = ada.mirror.files_changed(&Changes::everything()).unwrap();
    assert_eq!(effects, []);
}

#[test]
fn what_an_editor_has_opened_meanwhile_is_not_read() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n")]);
    ada.sync(&mut hub);
    let id = hub.id("a.txt");
    let held = HeldOpen::default();
    ada.mirror.look_at(held.clone());
    held.hold(&id);
    ada.write("a.txt", "1\nsaved\n");
    let state = hub.document(&id).state();
    let settled = ada.mirror.settle(&id, &state).unwrap();
    assert_eq!((settled.update, settled.effects), (None, Vec::new()));
    held.release(&id);
    ada.sync(&mut hub);
    assert_eq!(hub.text("a.txt"), "1\nsaved\n");
}

/// Who writes a file empties it first. What others typed meanwhile stays where it was.
#[test]
fn a_file_that_is_being_written_is_read_when_it_has_been() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n2\n")]);
    ada.sync(&mut hub);
    hub.edit("a.txt", "1\ntheirs\n2\n");
    ada.write("a.txt", "");
    let path = ada.path("a.txt");
    let writer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(40));
        fs::write(path, "1\n2\nmine\n").unwrap();
    });
    ada.sync(&mut hub);
    writer.join().unwrap();
    assert_eq!(hub.text("a.txt"), "1\ntheirs\n2\nmine\n");
    // One that stays empty was emptied.
    ada.write("a.txt", "");
    written(&ada.path("a.txt"), 60);
    ada.sync(&mut hub);
    assert_eq!(hub.text("a.txt"), "");
}

/// The file was written so many seconds from now.
fn written(path: &Path, later: u64) {
    let file = fs::File::options().write(true).open(path).unwrap();
    let then = SystemTime::now() + Duration::from_secs(later);
    file.set_modified(then).unwrap();
}

/// A program that has read the file before the mirror wrote into it has not deleted what it did not
/// see. Much later it has.
#[test]
fn what_a_program_has_not_seen_is_not_deleted_by_it() {
    for (later, all) in [(0, "1\ntheirs\n2\nmine\n"), (60, "1\n2\nmine\n")] {
        let mut hub = Hub::new();
        let mut ada = Here::with(&[("a.txt", b"1\n2\n")]);
        ada.sync(&mut hub);
        hub.edit("a.txt", "1\ntheirs\n2\n");
        ada.sync(&mut hub);
        ada.write("a.txt", "1\n2\nmine\n");
        written(&ada.path("a.txt"), later);
        ada.sync(&mut hub);
        assert_eq!(hub.text("a.txt"), all);
        assert_eq!(ada.read("a.txt"), all);
    }
}
