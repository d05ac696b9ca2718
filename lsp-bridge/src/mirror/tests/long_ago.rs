//! Files that are written by what has read them long before.

use std::fs::File;
use std::time::{Duration, SystemTime};

use super::{Here, Hub};
use crate::mirror::Notice;

impl Here {
    /// A program writes this, so long from now as its file's time tells.
    fn written_later(&mut self, hub: &mut Hub, text: &str, later: Duration) {
        self.write("a.txt", text);
        let file = File::options()
            .write(true)
            .open(self.path("a.txt"))
            .unwrap();
        file.set_modified(SystemTime::now() + later).unwrap();
        self.look_again(hub);
        self.sync(hub);
    }
}

fn others_wrote() -> (Hub, Here) {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n2\n3\n")]);
    ada.sync(&mut hub);
    hub.edit("a.txt", "1\nothers\n2\n3\n");
    ada.sync(&mut hub);
    assert_eq!(ada.read("a.txt"), "1\nothers\n2\n3\n");
    (hub, ada)
}

#[test]
fn what_goes_with_it_is_kept_aside_and_told() {
    let (mut hub, mut ada) = others_wrote();
    ada.written_later(&mut hub, "1\n2\n3 mine\n", Duration::from_secs(60));
    assert_eq!(hub.text("a.txt"), "1\n2\n3 mine\n");
    let [Notice::Before { path, kept_at }] = &ada.told[..] else {
        panic!("{:?}", ada.told);
    };
    assert_eq!(path, "a.txt");
    assert_eq!(ada.read(kept_at), "1\nothers\n2\n3\n");
}

#[test]
fn what_a_program_has_read_a_moment_ago_does_not_go() {
    let (mut hub, mut ada) = others_wrote();
    ada.written_later(&mut hub, "1\n2\n3 mine\n", Duration::ZERO);
    assert_eq!(hub.text("a.txt"), "1\nothers\n2\n3 mine\n");
    assert!(ada.told.is_empty(), "{:?}", ada.told);
}

#[test]
fn neither_who_goes_back_to_it_nor_who_has_seen_it_is_told() {
    for text in ["1\n2\n3\n", "1\nothers\n2\n3 mine\n", "1\noth\n2\n"] {
        let (mut hub, mut ada) = others_wrote();
        ada.written_later(&mut hub, text, Duration::from_secs(60));
        assert_eq!(hub.text("a.txt"), text);
        assert!(ada.told.is_empty(), "{text:?}: {:?}", ada.told);
    }
}

#[test]
fn after_an_hour_nobody_is_told() {
    let (mut hub, mut ada) = others_wrote();
    ada.written_later(&mut hub, "1\n2\n3 mine\n", Duration::from_secs(3_700));
    assert_eq!(hub.text("a.txt"), "1\n2\n3 mine\n");
    assert!(ada.told.is_empty(), "{:?}", ada.told);
}
