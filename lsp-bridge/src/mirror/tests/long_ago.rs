//! Files that are written by what has read them long before.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use tutti_engine::Left;

use super::{Here, Hub, write};
use crate::mirror::{Journals, Notice};

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

    fn sync_when_nobody_comes_back(&mut self, hub: &mut Hub) {
        let id = hub.id("a.txt");
        while self.mirror.is_open(&id).unwrap() {
            std::thread::sleep(Duration::from_millis(100));
        }
        self.sync(hub);
    }

    fn is_told_once_of_what_was_put_back(&self) -> bool {
        matches!(self.told[..], [Notice::PutBack { .. }])
    }

    /// A window shows what the document holds, its bridge has ended, and the next one does not know it.
    fn outlives_its_bridge(&mut self, hub: &mut Hub) -> Journals {
        self.mirror.keep_journals().unwrap();
        let id = hub.id("a.txt");
        let main = hub.document(&id).fork(4);
        let (bridge, _) = Journals::open(&self.mirror.private).unwrap();
        let start = Left::begin_journal(main.fork(5), &main);
        let at = "a.txt".parse().unwrap();
        bridge.begin(&id, &at, &start).unwrap();
        bridge
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

/// By `cp -r d c; rm -rf d`, while others write there.
#[test]
fn what_others_write_into_a_file_that_a_program_has_copied_does_not_go_with_it() {
    let mut hub = Hub::new();
    let text = "1\n2\n3\n4\n5\n";
    let mut ada = Here::with(&[("d/a", text.as_bytes()), ("d/b", b"b\n")]);
    ada.sync(&mut hub);
    ada.write("c/a", text);
    ada.write("c/b", "b\n");
    let both = "1\nothers\n2\n3\n4\n5\n";
    hub.edit("d/a", both);
    let id = hub.id("d/a");
    ada.sync_document(&id, &mut hub);
    assert_eq!(ada.read("d/a"), both);
    fs::remove_dir_all(ada.path("d")).unwrap();
    ada.sync(&mut hub);
    assert_eq!(hub.id("c/a"), id);
    assert_eq!(
        (hub.text("c/a"), ada.read("c/a")),
        (both.into(), both.into())
    );
    assert!(ada.recovered().is_empty());
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

/// A window that has outlived its bridge, and that the next one does not know, is written again and again, each time
/// without what others have written since, beside what was typed there as well.
#[test]
fn a_window_that_outlived_its_bridge_is_written_again_and_again() {
    let words = |who: &str| ["one", "two", "three"].map(|word| format!("{who} has written {word}"));
    let (own, others) = (words("Ada"), words("Bob, beside her,"));
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n2\n3\n")]);
    ada.sync(&mut hub);
    drop(ada.outlives_its_bridge(&mut hub));
    let mut shown = "1\n2\n3\n".to_owned();
    for (own, others) in own.iter().zip(&others) {
        // At the start, and where the window is written in.
        let text = format!("{others}\n{}{others}\n", hub.text("a.txt"));
        hub.edit("a.txt", &text);
        ada.sync(&mut hub);
        // More often than is remembered.
        for n in 0..20 {
            hub.edit("a.txt", &format!("{n}\n{text}"));
            ada.sync(&mut hub);
        }
        hub.edit("a.txt", &text);
        ada.sync(&mut hub);
        shown = shown.replace("2\n", &format!("2\n{own}\n")) + own + "\n";
        ada.written_later(&mut hub, &shown, Duration::from_secs(60));
        let both = hub.text("a.txt");
        let count = |of: &str, line: &str| of.lines().filter(|other| *other == line).count();
        for line in text.lines() {
            let expected = count(&text, line);
            assert_eq!(count(&both, line), expected, "{line:?} in {both}");
        }
        assert_eq!(count(&both, own), 2, "{both}");
        assert_eq!(both.lines().count(), text.lines().count() + 2, "{both}");
        assert_eq!(ada.read("a.txt"), both);
        assert!(ada.is_told_once_of_what_was_put_back(), "{:?}", ada.told);
    }
}

/// As a formatter does.
#[test]
fn who_changes_what_others_wrote_has_seen_it() {
    let (mut hub, mut ada) = others_wrote();
    let text = "1\n  others\n2\n3\n";
    ada.written_later(&mut hub, text, Duration::from_secs(60));
    assert_eq!(hub.text("a.txt"), text);
    assert!(ada.told.is_empty(), "{:?}", ada.told);
}

/// A branch may be another by then.
#[test]
fn a_window_whose_editor_has_ended_writes_nothing() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n2\n3\n")]);
    ada.sync(&mut hub);
    drop(ada.outlives_its_bridge(&mut hub));
    let mut ended = std::process::Command::new("true").spawn().unwrap();
    ended.wait().unwrap();
    for bridge in fs::read_dir(ada.path(".tutti/journals")).unwrap() {
        let editor = bridge.unwrap().path().join("editor");
        fs::write(editor, ended.id().to_string()).unwrap();
    }
    hub.edit("a.txt", "1\nothers\n2\n3\n");
    ada.sync(&mut hub);
    ada.written_later(&mut hub, "1\n2\n3 mine\n", Duration::from_secs(60));
    assert_eq!(hub.text("a.txt"), "1\n2\n3 mine\n");
    assert!(
        matches!(ada.told[..], [Notice::Before { .. }]),
        "{:?}",
        ada.told
    );
}

/// What it wrote under the bridge before is what it shows for the next one, also what it wrote when nothing of
/// others' was missing in that.
#[test]
fn a_window_that_outlived_two_bridges_is_written() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n2\n3\n")]);
    ada.sync(&mut hub);
    drop(ada.outlives_its_bridge(&mut hub));
    for (n, text) in ["1\n2 one\n3\n", "1\n2 one two\n3\n"].iter().enumerate() {
        ada.written_later(&mut hub, text, Duration::from_secs(60 + n as u64));
    }
    hub.edit("a.txt", "others\n1\n2 one two\n3\n");
    ada.sync(&mut hub);
    let mut ada = ada.restart(|_| {});
    ada.mirror.keep_journals().unwrap();
    ada.sync(&mut hub);
    let text = "1\n2 one two three\n3\n";
    ada.written_later(&mut hub, text, Duration::from_secs(120));
    ada.sync_when_nobody_comes_back(&mut hub);
    let both = "others\n1\n2 one two three\n3\n";
    assert_eq!(hub.text("a.txt"), both);
    assert_eq!(ada.read("a.txt"), both);
    assert!(ada.is_told_once_of_what_was_put_back(), "{:?}", ada.told);
}

/// Nobody can tell who has written what a window shows. Who means it does it again.
#[test]
fn what_others_typed_and_a_window_does_not_show_is_put_back_once() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n2\n3\n")]);
    ada.sync(&mut hub);
    drop(ada.outlives_its_bridge(&mut hub));
    for more in ["others\n", "more of others\n"] {
        let both = format!("{more}{}", hub.text("a.txt"));
        hub.edit("a.txt", &both);
        ada.sync(&mut hub);
        ada.told.clear();
        ada.written_later(&mut hub, "1\n2\n3\n", Duration::from_secs(60));
        assert_eq!((hub.text("a.txt"), ada.read("a.txt")), (both.clone(), both));
        let told = &ada.told[..];
        assert!(matches!(told, [Notice::PutBack { .. }]), "{told:?}");
        ada.told.clear();
        ada.written_later(&mut hub, "1\n2\n3\n", Duration::from_secs(60));
        assert_eq!(hub.text("a.txt"), "1\n2\n3\n");
        let told = &ada.told[..];
        assert!(matches!(told, [Notice::Before { .. }]), "{told:?}");
    }
}

/// As git does.
#[test]
fn who_goes_back_past_what_others_wrote_twice_means_it() {
    let (mut hub, mut ada) = others_wrote();
    hub.edit("a.txt", "1\nothers\n2\n3\nmore\n");
    ada.sync(&mut hub);
    for text in ["1\n2\n3\n", "1\n2\n"] {
        ada.written_later(&mut hub, text, Duration::from_secs(60));
        assert_eq!(hub.text("a.txt"), text);
        assert!(ada.told.is_empty(), "{:?}", ada.told);
    }
}

/// Its editor lives on, and shows other files.
#[test]
fn what_a_program_does_with_a_file_that_was_closed_is_no_window() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n2\n3\n")]);
    ada.sync(&mut hub);
    let bridge = ada.outlives_its_bridge(&mut hub);
    bridge.closed(&hub.id("a.txt")).unwrap();
    drop(bridge);
    hub.edit("a.txt", "1\nothers\n2\n3\n");
    ada.sync(&mut hub);
    let mut ada = ada.restart(|dir| write(&dir.join("a.txt"), b"1\n2\n3\n"));
    ada.mirror.keep_journals().unwrap();
    assert!(!ada.mirror.is_awaited(&hub.id("a.txt")));
    ada.sync(&mut hub);
    assert_eq!(hub.text("a.txt"), "1\n2\n3\n");
    assert!(ada.told.is_empty(), "{:?}", ada.told);
}

/// As it is when the next bridge is started.
#[test]
fn a_window_is_written_while_no_bridge_runs() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n2\n3\n")]);
    ada.sync(&mut hub);
    drop(ada.outlives_its_bridge(&mut hub));
    hub.edit("a.txt", "others\n1\n2\n3\n");
    ada.sync(&mut hub);
    let mut ada = ada.restart(|dir| write(&dir.join("a.txt"), b"1\n2 mine\n3\n"));
    ada.mirror.keep_journals().unwrap();
    ada.sync(&mut hub);
    ada.sync_when_nobody_comes_back(&mut hub);
    assert_eq!(hub.text("a.txt"), "others\n1\n2 mine\n3\n");
    assert_eq!(ada.read("a.txt"), "others\n1\n2 mine\n3\n");
    assert!(ada.is_told_once_of_what_was_put_back(), "{:?}", ada.told);
}
