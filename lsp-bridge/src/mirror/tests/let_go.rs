//! Files that no editor shows any more: what was left undone meanwhile is made up for.

use std::fs;

use super::{Here, Hub};
use crate::mirror::{Journals, Mirror, Notice, survey};
use tutti_engine::Left;
use tutti_protocol::ids::DocumentId;
use tutti_protocol::index;

impl Here {
    /// A second bridge in the same directory, whose editor opens a file.
    fn guest_that_opens(&self, hub: &Hub, path: &str) -> Mirror {
        let mut guest = Mirror::open(self.directory.path(), "Ada").unwrap();
        guest.index_changed(hub.entries(), true).unwrap();
        let at = path.parse().unwrap();
        guest.opened(&hub.id(path), Some(&at)).unwrap();
        guest
    }

    fn looks_after_guests(&mut self, hub: &mut Hub) {
        let effects = self.mirror.look_after_guests().unwrap();
        self.carry_out(effects, hub);
    }
}

#[test]
fn one_that_was_deleted_while_it_was_open_is_deleted_when_it_is_closed() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n")]);
    ada.sync(&mut hub);
    let a = hub.id("a.txt");
    ada.mirror.opened(&a, None).unwrap();
    fs::remove_file(ada.path("a.txt")).unwrap();
    ada.sync(&mut hub);
    assert_eq!(hub.entries().len(), 1, "it may be about to be saved");
    let effects = ada.mirror.closed(&a).unwrap();
    ada.carry_out(effects, &mut hub);
    ada.look_again(&mut hub);
    assert!(hub.entries().is_empty());
    assert!(!ada.has("a.txt"));
}

#[test]
fn one_that_another_wrote_in_while_it_was_open_and_deleted_is_there_again_when_it_is_closed() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n")]);
    ada.sync(&mut hub);
    let a = hub.id("a.txt");
    ada.mirror.opened(&a, None).unwrap();
    fs::remove_file(ada.path("a.txt")).unwrap();
    hub.edit("a.txt", "1\n2\n");
    ada.sync(&mut hub);
    let effects = ada.mirror.closed(&a).unwrap();
    ada.carry_out(effects, &mut hub);
    ada.look_again(&mut hub);
    assert_eq!(ada.read("a.txt"), "1\n2\n");
    assert_eq!(hub.text("a.txt"), "1\n2\n");
}

#[test]
fn one_that_was_deleted_while_a_guest_had_it_open_is_deleted_when_that_has_gone() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n"), ("b.txt", b"b\n")]);
    ada.sync(&mut hub);
    let guest = ada.guest_that_opens(&hub, "a.txt");
    fs::remove_file(ada.path("a.txt")).unwrap();
    ada.sync(&mut hub);
    ada.looks_after_guests(&mut hub);
    assert_eq!(hub.entries().len(), 2, "it may be about to be saved");
    drop(guest);
    ada.looks_after_guests(&mut hub);
    ada.look_again(&mut hub);
    assert_eq!(hub.entries().len(), 1);
    assert!(ada.has("b.txt"));
}

#[test]
fn one_that_others_renamed_while_a_guest_had_it_open_is_moved_when_that_has_gone() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n")]);
    ada.sync(&mut hub);
    let guest = ada.guest_that_opens(&hub, "a.txt");
    hub.rename("a.txt", "b.txt");
    ada.sync(&mut hub);
    assert_eq!(ada.read("a.txt"), "1\n");
    drop(guest);
    ada.looks_after_guests(&mut hub);
    assert_eq!(ada.read("b.txt"), "1\n");
    assert!(!ada.has("a.txt"));
}

#[test]
fn one_that_others_deleted_while_a_guest_had_it_open_goes_when_that_has_gone() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n")]);
    ada.sync(&mut hub);
    let guest = ada.guest_that_opens(&hub, "a.txt");
    hub.remove("a.txt");
    ada.sync(&mut hub);
    assert_eq!(ada.read("a.txt"), "1\n");
    drop(guest);
    ada.looks_after_guests(&mut hub);
    assert!(!ada.has("a.txt"));
}

#[test]
fn one_that_others_deleted_while_it_is_open_is_not_called_changed() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n"), ("b.txt", b"b\n")]);
    ada.sync(&mut hub);
    let a = hub.id("a.txt");
    ada.mirror.opened(&a, None).unwrap();
    hub.remove("a.txt");
    ada.sync(&mut hub);
    let state = hub.index.state();
    let index = DocumentId::index();
    ada.mirror.persist(&index, &state, false).unwrap();
    let seen = |ada: &Here| survey(ada.directory.path()).unwrap();
    let told = seen(&ada);
    assert_eq!(told.deleted, ["a.txt"]);
    assert_eq!((told.followed, told.differing()), (1, 0), "{told:?}");
    let effects = ada.mirror.closed(&a).unwrap();
    ada.carry_out(effects, &mut hub);
    let told = seen(&ada);
    assert!(told.deleted.is_empty(), "{told:?}");
    assert_eq!((told.followed, told.differing()), (1, 0), "{told:?}");
    // A new file of that name is one that was made here.
    ada.write("a.txt", "new\n");
    assert_eq!(seen(&ada).changed, ["a.txt"]);
}

#[test]
fn one_that_others_deleted_and_that_is_moved_while_it_is_open_is_a_new_file_there() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n")]);
    ada.sync(&mut hub);
    let a = hub.id("a.txt");
    let entry = hub.entries()[&a].clone();
    ada.mirror.opened(&a, None).unwrap();
    hub.remove("a.txt");
    ada.sync(&mut hub);
    fs::rename(ada.path("a.txt"), ada.path("b.txt")).unwrap();
    ada.sync(&mut hub);
    assert_ne!(hub.id("b.txt"), a);
    // The editor saves it, and by that it is in the project again.
    hub.change_index(|txn, files| index::insert(txn, files, &a, &entry));
    ada.write("a.txt", "1\n");
    ada.sync(&mut hub);
    let effects = ada.mirror.closed(&a).unwrap();
    ada.carry_out(effects, &mut hub);
    ada.sync(&mut hub);
    assert_eq!(hub.id("a.txt"), a);
    assert_eq!(hub.text("b.txt"), "1\n");
}

#[test]
fn what_was_typed_and_never_written_into_one_that_others_deleted_is_kept() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n")]);
    ada.sync(&mut hub);
    let a = hub.id("a.txt");
    ada.mirror.opened(&a, None).unwrap();
    hub.edit("a.txt", "1\ntyped\n");
    let state = hub.document(&a).state();
    ada.mirror.persist(&a, &state, false).unwrap();
    hub.remove("a.txt");
    ada.sync(&mut hub);
    let effects = ada.mirror.closed(&a).unwrap();
    ada.carry_out(effects, &mut hub);
    assert!(!ada.has("a.txt"));
    assert_eq!(ada.recovered()["a.txt"], "1\ntyped\n");
}

/// Its bridge was killed before it could store what was typed.
#[test]
fn what_only_a_journal_holds_of_one_that_others_deleted_is_kept() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n")]);
    ada.sync(&mut hub);
    let a = hub.id("a.txt");
    let mut typed = hub.document(&a).fork(4);
    typed.edit("1\ntyped\n");
    let (journals, _) = Journals::open(&ada.mirror.private).unwrap();
    let start = Left::begin_journal(typed.fork(5), &typed);
    let at = "a.txt".parse().unwrap();
    drop(journals.begin(&a, &at, &start).unwrap());
    drop(journals);
    hub.remove("a.txt");
    let mut ada = ada.restart(|_| ());
    ada.mirror.keep_journals().unwrap();
    ada.sync(&mut hub);
    while ada.mirror.is_open(&a).unwrap() {
        assert!(ada.has("a.txt"), "its editor may come back to it");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    ada.looks_after_guests(&mut hub);
    assert!(!ada.has("a.txt"));
    assert_eq!(ada.recovered()["a.txt"], "1\ntyped\n");
    assert!(
        matches!(ada.told[..], [Notice::Deleted { .. }]),
        "{:?}",
        ada.told
    );
}

#[test]
fn whoever_deleted_one_that_another_brings_back_is_told() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n")]);
    ada.sync(&mut hub);
    let a = hub.id("a.txt");
    let entry = hub.entries()[&a].clone();
    fs::remove_file(ada.path("a.txt")).unwrap();
    ada.sync(&mut hub);
    hub.change_index(|txn, files| index::insert(txn, files, &a, &entry));
    ada.sync(&mut hub);
    assert_eq!(ada.read("a.txt"), "1\n");
    let path = "a.txt".to_owned();
    assert_eq!(ada.told, [Notice::ChangedMeanwhile { path }]);
}
