//! Files and documents follow each other.

use super::super::survey;
use super::*;

#[test]
fn every_file_arrives_byte_for_byte() {
    let files: &[(&str, &[u8])] = &[
        ("unix.txt", b"a\nb\n"),
        ("dos.txt", b"a\r\nb\r\n"),
        ("mixed.txt", b"a\r\nb\n\rc"),
        ("bom.txt", b"\xef\xbb\xbfa\r\nb\r\n"),
        ("open-ended.txt", b"a\nb"),
        ("empty.txt", b""),
        ("deep/er/𝄞.txt", "𝄞 naïve\n".as_bytes()),
    ];
    let mut hub = Hub::new();
    let mut ada = Here::with(files);
    ada.sync(&mut hub);
    let mut bob = Here::new();
    bob.sync(&mut hub);
    assert_eq!(bob.files(), ada.files());
    assert_eq!(bob.files().len(), files.len());
    assert!(ada.told.is_empty() && bob.told.is_empty());
    assert_eq!(hub.text("dos.txt"), "a\nb\n");
    // Nothing moves any more.
    for here in [&mut ada, &mut bob] {
        let entries = hub.entries();
        assert_eq!(here.mirror.index_changed(entries, true).unwrap(), []);
        let everything = Changes::everything();
        assert_eq!(here.mirror.files_changed(&everything).unwrap(), []);
    }
}

#[test]
fn edits_on_both_sides_stay() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\r\n2\r\n3\r\n")]);
    ada.sync(&mut hub);
    ada.write("a.txt", "1\r\n2\r\nthree\r\n");
    hub.edit("a.txt", "one\n2\n3\n");
    ada.sync(&mut hub);
    assert_eq!(hub.text("a.txt"), "one\n2\nthree\n");
    assert_eq!(ada.read("a.txt"), "one\r\n2\r\nthree\r\n");
}

#[test]
fn a_line_that_a_program_adds_comes_to_end_as_the_others_do_for_everybody() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\r\n2\r\n")]);
    ada.sync(&mut hub);
    let mut bob = Here::new();
    bob.sync(&mut hub);
    let mixed = "1\r\n2\r\n3\n";
    ada.write("a.txt", mixed);
    let effects = ada.mirror.files_changed(&Changes::everything()).unwrap();
    ada.carry_out(effects, &mut hub);
    assert_eq!(hub.text("a.txt"), "1\n2\n3\n");
    assert_eq!(ada.read("a.txt"), mixed, "who adds it may go on");
    ada.look_again(&mut hub);
    bob.sync(&mut hub);
    assert_eq!(ada.read("a.txt"), "1\r\n2\r\n3\r\n");
    assert_eq!(ada.files(), bob.files());
    assert!(ada.told.is_empty());
}

/// Of one that is shared so, each `\r` is text.
#[test]
fn lines_that_end_in_several_ways_from_the_beginning_stay_so_for_everybody() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\r\n2\n3\r\n")]);
    ada.sync(&mut hub);
    let mut bob = Here::new();
    bob.sync(&mut hub);
    bob.write("a.txt", "1\r\n2\n3\r\n4\n");
    bob.sync(&mut hub);
    ada.sync(&mut hub);
    assert_eq!(ada.read("a.txt"), "1\r\n2\n3\r\n4\n");
    assert_eq!(ada.files(), bob.files());
}

#[test]
fn what_was_done_while_no_bridge_ran_is_merged() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[
        ("a.txt", b"1\n2\n3\n"),
        ("gone.txt", b"gone\n"),
        ("old/name.txt", b"moved\n"),
    ]);
    ada.sync(&mut hub);
    let moved = hub.id("old/name.txt");
    hub.edit("a.txt", "one\n2\n3\n");
    let mut ada = ada.restart(|root| {
        write(&root.join("a.txt"), b"1\n2\nthree\n");
        write(&root.join("new.txt"), b"new\n");
        fs::remove_file(root.join("gone.txt")).unwrap();
        fs::create_dir(root.join("new")).unwrap();
        fs::rename(root.join("old/name.txt"), root.join("new/name.txt")).unwrap();
    });
    ada.sync(&mut hub);
    assert_eq!(hub.text("a.txt"), "one\n2\nthree\n");
    assert_eq!(hub.text("new.txt"), "new\n");
    assert_eq!(hub.id("new/name.txt"), moved, "a moved file stays the same");
    let paths: Vec<String> = hub.entries().into_values().map(|e| e.path).collect();
    assert_eq!(paths.len(), 3, "{paths:?}");
}

#[test]
fn others_rename_and_delete() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[
        ("a.txt", b"A\n"),
        ("b.txt", b"B\n"),
        ("deep/down/c.txt", b"C\n"),
        ("edited.txt", b"1\n2\n"),
    ]);
    ada.sync(&mut hub);
    // In each other's way.
    hub.rename("a.txt", "x.txt");
    hub.rename("b.txt", "a.txt");
    hub.rename("x.txt", "b.txt");
    hub.remove("deep/down/c.txt");
    hub.rename("edited.txt", "moved/edited.txt");
    ada.write("edited.txt", "1\n2\n3\n");
    ada.sync(&mut hub);
    let files = ada.files();
    let expected: &[(&str, &str)] = &[
        ("a.txt", "B\n"),
        ("b.txt", "A\n"),
        ("moved/edited.txt", "1\n2\n3\n"),
    ];
    let expected = expected
        .iter()
        .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()))
        .collect();
    assert_eq!(files, expected);
    assert!(!ada.has("deep"), "empty directories go with their files");
    assert_eq!(hub.text("moved/edited.txt"), "1\n2\n3\n");
    assert!(ada.recovered().is_empty());
}

#[test]
fn a_file_that_comes_back_is_the_same_document() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n2\n")]);
    ada.sync(&mut hub);
    let id = hub.id("a.txt");
    fs::remove_file(ada.path("a.txt")).unwrap();
    let effects = ada.look_for_gone();
    assert_eq!(effects, [Effect::Sync(id.clone())]);
    ada.carry_out(effects, &mut hub);
    assert!(hub.entries().is_empty());
    ada.write("a.txt", "1\n2\n3\n");
    let effects = ada.mirror.files_changed(&Changes::of(["a.txt"])).unwrap();
    ada.carry_out(effects, &mut hub);
    assert_eq!(hub.id("a.txt"), id);
    assert_eq!(hub.text("a.txt"), "1\n2\n3\n");
}

#[cfg(unix)]
#[test]
fn modes_are_kept_and_the_executable_bit_is_shared() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |here: &Here, path| {
        let found = fs::metadata(here.path(path)).unwrap();
        found.permissions().mode() & 0o777
    };
    let set = |here: &Here, path, mode| {
        fs::set_permissions(here.path(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("run.sh", b"#!/bin/sh\n"), ("private.txt", b"1\n")]);
    set(&ada, "run.sh", 0o750);
    set(&ada, "private.txt", 0o640);
    ada.sync(&mut hub);
    let mut bob = Here::new();
    bob.sync(&mut hub);
    assert_eq!(mode(&bob, "run.sh") & 0o100, 0o100);
    assert_eq!(mode(&bob, "private.txt") & 0o111, 0);

    hub.edit("private.txt", "1\n2\n");
    hub.edit("run.sh", "#!/bin/sh\necho\n");
    ada.sync(&mut hub);
    assert_eq!(mode(&ada, "private.txt"), 0o640);
    assert_eq!(mode(&ada, "run.sh"), 0o750);

    set(&ada, "run.sh", 0o640);
    set(&ada, "private.txt", 0o740);
    ada.sync(&mut hub);
    bob.sync(&mut hub);
    assert_eq!(mode(&bob, "run.sh") & 0o111, 0);
    assert_eq!(mode(&bob, "private.txt") & 0o100, 0o100);
    assert_eq!(mode(&ada, "private.txt"), 0o740);
}

#[test]
fn line_ends_that_were_converted_here_are_converted_everywhere() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n2\n")]);
    ada.sync(&mut hub);
    let mut bob = Here::new();
    bob.sync(&mut hub);
    ada.write("a.txt", "1\r\n2\r\n");
    ada.sync(&mut hub);
    bob.sync(&mut hub);
    assert_eq!(hub.text("a.txt"), "1\n2\n", "nobody's text changes");
    assert_eq!(bob.read("a.txt"), "1\r\n2\r\n");
}

#[test]
fn ignored_files_stay_here() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[
        (".gitignore", b"*.log\n/build/\n!keep.log\n"),
        (".tuttiignore", b"secret*\n"),
        ("sub/.gitignore", b"local.txt\n!*.log\n"),
        ("a.log", b"1"),
        ("keep.log", b"1"),
        ("secret.txt", b"1"),
        ("build/out.txt", b"1"),
        ("build/keep.log", b"1"),
        ("sub/local.txt", b"1"),
        ("sub/b.log", b"1"),
        ("sub/build/kept.txt", b"1"),
        (".git/config", b"1"),
        ("sub/.git/config", b"1"),
        (".tutti/own", b"1"),
    ]);
    ada.sync(&mut hub);
    let mut shared: Vec<String> = hub.entries().into_values().map(|e| e.path).collect();
    shared.sort();
    let expected = [
        ".gitignore",
        ".tuttiignore",
        "keep.log",
        "sub/.gitignore",
        "sub/b.log",
        "sub/build/kept.txt",
    ];
    assert_eq!(shared, expected);
    // A file that is shared and ignored later is neither deleted nor followed.
    ada.write(".gitignore", "keep.log\n");
    ada.write("keep.log", "2");
    let effects = ada
        .mirror
        .files_changed(&Changes::of([".gitignore", "keep.log"]))
        .unwrap();
    ada.carry_out(effects, &mut hub);
    assert_eq!(hub.text("keep.log"), "1");
    assert_eq!(hub.text("a.log"), "1", "no longer ignored");
}

#[tokio::test]
async fn the_watcher_sees_others_and_own_writes_change_nothing() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n"), ("sub/b.txt", b"1\n")]);
    ada.sync(&mut hub);
    let mut changes = ada.mirror.watch().unwrap();

    ada.write("sub/b.txt", "1\n2\n");
    let seen = changes.next().await;
    let effects = ada.mirror.files_changed(&seen).unwrap();
    assert_eq!(effects, [Effect::Sync(hub.id("sub/b.txt"))], "{seen:?}");
    ada.carry_out(effects, &mut hub);
    assert_eq!(hub.text("sub/b.txt"), "1\n2\n");

    // A new directory, and what was made in it before it was watched.
    ada.write("new/deep/c.txt", "c\n");
    while !hub.entries().values().any(|e| e.path == "new/deep/c.txt") {
        let seen = changes.next().await;
        let effects = ada.mirror.files_changed(&seen).unwrap();
        ada.carry_out(effects, &mut hub);
    }
    ada.write("new/deep/d.txt", "d\n");
    while !hub.entries().values().any(|e| e.path == "new/deep/d.txt") {
        let seen = changes.next().await;
        let effects = ada.mirror.files_changed(&seen).unwrap();
        ada.carry_out(effects, &mut hub);
    }

    hub.edit("a.txt", "1\n2\n");
    let id = hub.id("a.txt");
    ada.sync_document(&id, &mut hub);
    assert_eq!(ada.read("a.txt"), "1\n2\n");
    let seen = changes.next().await;
    assert_eq!(ada.mirror.files_changed(&seen).unwrap(), [], "{seen:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_differ_only_in_case_are_one_name() {
    let files: &[(&str, &[u8])] = &[("README", b"1\n"), ("Readme", b"2\n"), ("a.txt", b"3\n")];
    let mut hub = Hub::new();
    let mut ada = Here::with(files);
    let before = ada.files();
    ada.sync(&mut hub);
    // An editor opens, and whatever is due is done.
    ada = ada.restart(|_| ());
    ada.sync(&mut hub);
    assert_eq!(ada.files(), before, "nothing is renamed or written");
    assert_eq!(hub.entries().len(), 2);
    assert_eq!(hub.text("README"), "1\n");
    let told = ada
        .told
        .iter()
        .map(Notice::to_string)
        .collect::<BTreeSet<_>>();
    let is_told =
        |one: &String| one.starts_with("Readme is left alone: its name differs from README");
    assert!(told.len() == 1 && told.iter().all(is_told), "{told:?}");
    let left = "Readme: its name differs from README only in case";
    assert!(
        ada.left_alone()[0].starts_with(left),
        "{:?}",
        ada.left_alone()
    );
    let index = hub.index.state();
    ada.mirror
        .persist(&DocumentId::index(), &index, false)
        .unwrap();
    drop(ada.mirror);
    let survey = survey(ada.directory.path()).unwrap();
    assert_eq!(survey.left_alone.len(), 1);
    assert_eq!((survey.followed, survey.changed.len()), (2, 0));
    ada.mirror = Mirror::open(ada.directory.path(), "Ada").unwrap();
    ada.sync(&mut hub);
    // The name is free once nobody has it.
    hub.remove("README");
    ada.sync(&mut hub);
    assert_eq!(hub.text("Readme"), "2\n");
    assert!(ada.left_alone().is_empty() && !ada.has("README"));
    // A file that is renamed so stays what it is, also if it was changed besides.
    let id = hub.id("a.txt");
    fs::remove_file(ada.path("a.txt")).unwrap();
    ada.write("A.txt", "3\n4\n");
    ada.sync(&mut hub);
    assert_eq!(hub.id("A.txt"), id);
    assert_eq!(hub.text("A.txt"), "3\n4\n");
    assert_eq!(hub.entries().len(), 2);
    assert_eq!(ada.read("A.txt"), "3\n4\n");
}

#[test]
fn what_a_killed_bridge_was_writing_is_taken_away() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("src/a.txt", b"1\n")]);
    ada.sync(&mut hub);
    let mut ada = ada.restart(|root| {
        for (name, text) in [("1", "1\n"), ("2", ""), ("3", "somebody's\n")] {
            fs::write(root.join(format!("src/.tutti-{name}.tmp")), text).unwrap();
        }
    });
    ada.sync(&mut hub);
    assert_eq!(ada.files().keys().collect::<Vec<_>>(), ["src/a.txt"]);
    let kept: Vec<String> = ada.recovered().into_values().collect();
    assert_eq!(kept, ["somebody's\n"]);
}

#[test]
fn what_editors_leave_beside_a_file_is_not_shared() {
    let mut hub = Hub::new();
    let own = [
        "#a.txt#",
        ".#a.txt",
        "a.txt~",
        ".a.txt.swp",
        "4913",
        "b/#c#",
    ];
    let mut ada = Here::with(&[("a.txt", b"1\n"), ("~", b"nobody's backup\n")]);
    for name in own {
        ada.write(name, "unsaved\n");
    }
    ada.sync(&mut hub);
    assert_eq!(hub.text("~"), "nobody's backup\n");
    assert_eq!(hub.entries().len(), 2);
    ada.write(".tuttiignore", "!*~\n");
    ada.sync(&mut hub);
    assert_eq!(hub.text("a.txt~"), "unsaved\n");
    assert_eq!(hub.entries().len(), 4);
}

/// The server takes edits of a document that somebody has deleted: whoever did had not seen them.
#[test]
fn what_was_confirmed_just_before_a_deletion_is_heard_of_is_kept_aside() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n"), ("b.txt", b"1\n")]);
    ada.sync(&mut hub);
    let mut ada = ada.restart(|root| fs::write(root.join("a.txt"), "1\nmine\n").unwrap());
    ada.sync(&mut hub);
    let id = hub.id("a.txt");
    let state = hub.document(&id).state();
    ada.mirror.persist(&id, &state, false).unwrap();
    hub.remove("a.txt");
    hub.remove("b.txt");
    ada.sync(&mut hub);
    assert!(ada.files().is_empty());
    let kept: Vec<_> = ada.recovered().into_iter().collect();
    assert_eq!(kept, [("a.txt".to_owned(), "1\nmine\n".to_owned())]);
}
