//! Directories that are projects of their own, within the one that is mirrored.

use std::fs;

use super::*;

const NAMED: &str = "server = \"http://127.0.0.1:1\"\nproject = \"inner\"\n";
const ALONE: &str = "the directory inner is a shared project of its own";

#[test]
fn its_files_do_not_go_up() {
    for named_in in ["project.toml", "pending.toml"] {
        let named = format!("a/inner/.tutti/{named_in}");
        let mut here = Here::with(&[
            ("a/b", b"ours\n"),
            ("a/inner/c", b"theirs\n"),
            ("a/inner/d/data", b"\0\xff"),
            (&named, NAMED.as_bytes()),
        ]);
        let mut hub = Hub::new();
        here.sync(&mut hub);
        let entries = hub.entries();
        let paths: Vec<_> = entries.values().map(|entry| entry.path.as_str()).collect();
        assert_eq!(paths, ["a/b"]);
        assert_eq!(here.left_alone(), [format!("a/inner: {ALONE}")]);
    }
}

#[test]
fn what_others_put_there_is_listed_and_written_nowhere() {
    let mut here = Here::with(&[
        ("inner/c", b"theirs\n"),
        ("inner/.tutti/project.toml", NAMED.as_bytes()),
    ]);
    let mut hub = Hub::new();
    hub.put("x", "inner/c", "another\n");
    hub.put("y", "inner/new", "new\n");
    hub.put("z", "moves", "moved\n");
    here.sync(&mut hub);
    hub.rename("moves", "inner/moved");
    here.sync(&mut hub);
    assert_eq!(here.read("inner/c"), "theirs\n");
    assert!(!here.has("inner/new") && !here.has("inner/moved"));
    let lines = here.left_alone();
    for path in ["inner", "inner/c", "inner/new", "inner/moved"] {
        let line = format!("{path}: {ALONE}");
        assert!(lines.contains(&line), "no {line:?} in {lines:?}");
    }
    assert!(here.told.is_empty(), "{:?}", here.told);
    assert_eq!(hub.text("inner/c"), "another\n");
}

#[test]
fn files_that_were_shared_before_are_neither_taken_away_nor_followed() {
    let mut here = Here::with(&[("inner/c", b"one\n"), ("inner/data", b"\0\xff"), ("d", b"")]);
    let mut hub = Hub::new();
    here.sync(&mut hub);
    here.write("inner/.tutti/project.toml", NAMED);
    here.sync(&mut hub);
    here.write("inner/c", "one, and its own\n");
    here.sync(&mut hub);
    assert_eq!(hub.text("inner/c"), "one\n");
    // Someone tidies up.
    hub.remove("inner/c");
    hub.rename("inner/data", "data");
    here.sync(&mut hub);
    assert_eq!(here.read("inner/c"), "one, and its own\n");
    assert!(here.has("inner/data"), "{:?}", here.files());
    assert!(hub.entries().values().all(|entry| entry.path != "inner/c"));
    // And here it ends to be a project.
    fs::remove_dir_all(here.path("inner/.tutti")).unwrap();
    here.sync(&mut hub);
    assert_eq!(hub.text("inner/c"), "one, and its own\n");
}
