//! Several bridges in one directory.

use super::*;

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

    // Open in the guest's editor: not the owner's to touch.
    guest.opened(&id, None).unwrap();
    ada.write("a.txt", "1\ntyped\n");
    let changes = Changes::of(["a.txt"]);
    assert_eq!(ada.mirror.files_changed(&changes).unwrap(), []);
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

/// What others did to a file while a guest's editor had it open is done here once that has closed it.
#[test]
fn what_a_guest_had_open_follows_the_index_when_it_is_closed() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"a\n"), ("b.txt", b"b\n")]);
    ada.sync(&mut hub);
    let (a, b) = (hub.id("a.txt"), hub.id("b.txt"));
    let mut guest = Mirror::open(ada.directory.path(), "Ada").unwrap();
    guest.opened(&a, None).unwrap();
    guest.opened(&b, None).unwrap();
    hub.rename("a.txt", "moved.txt");
    hub.remove("b.txt");
    ada.sync(&mut hub);
    assert!(ada.has("a.txt") && ada.has("b.txt") && !ada.has("moved.txt"));
    assert_eq!(ada.mirror.look_after_guests().unwrap(), []);

    guest.closed(&a).unwrap();
    guest.closed(&b).unwrap();
    let effects = ada.mirror.look_after_guests().unwrap();
    ada.carry_out(effects, &mut hub);
    assert_eq!(ada.read("moved.txt"), "a\n");
    assert!(!ada.has("a.txt") && !ada.has("b.txt"));
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
