//! Paths and directories that want to lead astray.

use super::*;
use crate::mirror::tree::{Expected, Found, LeftAlone, Outcome, Tree};

#[test]
fn hostile_paths_are_shown_and_written_nowhere() {
    let long = "x/".repeat(512) + "x";
    let paths = [
        "",
        "/tmp/absolute",
        "../outside",
        "a/../../outside",
        "./a",
        "a//b",
        ".git/hooks/post-checkout",
        ".GIT/config",
        "sub/.git/config",
        ".g\u{200c}it/config",
        "\u{ff0e}git/config",
        "git~1/config",
        ".tutti/project.toml",
        ".TUTTI/project.toml",
        "CON",
        "aux.txt",
        "a\\b",
        "C:\\windows",
        "bell\u{7}",
        "esc\u{1b}[31m",
        "line\nbreak",
        "nul\0byte",
        "flip\u{202e}txt.exe",
        "trailing.",
        "trailing ",
        &long,
    ];
    let mut hub = Hub::new();
    for (n, path) in paths.iter().enumerate() {
        hub.put(&format!("d{n}"), path, "evil\n");
    }
    hub.put("good", "good.txt", "good\n");
    let mut ada = Here::new();
    let outside: Vec<_> = fs::read_dir(ada.directory.path().parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name == "outside")
        .collect();
    ada.sync(&mut hub);
    assert_eq!(
        ada.files().into_keys().collect::<Vec<_>>(),
        ["good.txt"],
        "only the good one"
    );
    assert!(outside.is_empty() && !ada.path("../outside").exists());
    assert!(!Path::new("/tmp/absolute").exists());
    let left = ada.left_alone();
    assert_eq!(left.len(), paths.len(), "{left:#?}");
    for line in left {
        assert!(!line.contains(char::is_control), "{line:?}");
    }
}

#[test]
fn a_private_file_is_neither_replaced_nor_shared() {
    let mut hub = Hub::new();
    hub.put("d1", ".env", "EVIL=1\n");
    hub.put("d2", "target/run.sh", "evil\n");
    let mut ada = Here::with(&[(".gitignore", b".env\ntarget/\n"), (".env", b"SECRET=1\n")]);
    ada.sync(&mut hub);
    assert_eq!(ada.read(".env"), "SECRET=1\n");
    assert!(!ada.has("target"));
    assert_eq!(hub.text(".env"), "EVIL=1\n", "the secret went nowhere");
    assert_eq!(ada.left_alone().len(), 2);
}

#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    use std::os::unix::fs::symlink;
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("victim.txt"), "victim\n").unwrap();
    let mut ada = Here::new();
    symlink(outside.path(), ada.path("dir")).unwrap();
    symlink(outside.path().join("victim.txt"), ada.path("file.txt")).unwrap();
    symlink("nowhere", ada.path("dangling.txt")).unwrap();
    ada.write("plain", "a file\n");
    let mut hub = Hub::new();
    hub.put("d1", "dir/evil.txt", "evil\n");
    hub.put("d2", "dir/victim.txt", "evil\n");
    hub.put("d3", "file.txt", "evil\n");
    hub.put("d4", "dangling.txt", "evil\n");
    hub.put("d5", "plain/below.txt", "evil\n");
    ada.sync(&mut hub);
    let found: Vec<_> = fs::read_dir(outside.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(found, ["victim.txt"]);
    let victim = fs::read_to_string(outside.path().join("victim.txt")).unwrap();
    assert_eq!(victim, "victim\n");
    assert!(ada.path("file.txt").is_symlink());
    assert!(!ada.has("nowhere"));
    assert_eq!(ada.read("plain"), "a file\n");
    // And deleting through them deletes nothing.
    for path in ["dir/victim.txt", "file.txt"] {
        hub.remove(path);
    }
    ada.sync(&mut hub);
    assert!(outside.path().join("victim.txt").exists());
    assert!(ada.path("file.txt").is_symlink());
}

/// Someone exchanges a directory for a link that leads out, again and again, while files are
/// written, renamed and removed beneath it.
#[cfg(target_os = "linux")]
#[test]
fn a_link_that_is_swapped_in_leads_nowhere() {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicBool, Ordering};
    let outside = tempfile::tempdir().unwrap();
    let here = tempfile::tempdir().unwrap();
    let (dir, link) = (here.path().join("dir"), here.path().join("link"));
    fs::create_dir(&dir).unwrap();
    symlink(outside.path(), &link).unwrap();
    fs::write(outside.path().join("victim"), "victim").unwrap();
    let tree = Tree::open(here.path()).unwrap();
    let victim = "dir/victim".parse().unwrap();
    let moved = "dir/moved".parse().unwrap();
    let done = AtomicBool::new(false);
    let (mut written, mut refused) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                renameat_with(CWD, &dir, CWD, &link, RenameFlags::EXCHANGE).unwrap();
            }
        });
        while written < 300 || refused < 300 {
            let path = format!("dir/{}", written + refused).parse().unwrap();
            match tree.write(&path, b"text", false, Expected::Missing) {
                Ok((outcome, _)) => {
                    assert_eq!(outcome, Outcome::Done);
                    written += 1;
                }
                Err(_) => refused += 1,
            }
            let _ = tree.remove(&victim, Expected::Bytes(b"victim"));
            let _ = tree.rename(&victim, &moved);
            let found = tree.read(&victim);
            assert!(!matches!(found, Found::File(_)), "{found:?}");
        }
        done.store(true, Ordering::Relaxed);
    });
    let found: Vec<_> = fs::read_dir(outside.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(found, ["victim"]);
}

#[cfg(unix)]
#[test]
fn pipes_do_not_block_and_special_files_are_named() {
    let mut ada = Here::with(&[("a.txt", b"a\n")]);
    let made = std::process::Command::new("mkfifo")
        .arg(ada.path("pipe"))
        .status()
        .unwrap();
    assert!(made.success());
    let mut hub = Hub::new();
    hub.put("d1", "pipe", "evil\n");
    ada.sync(&mut hub);
    assert_eq!(ada.left_alone(), ["pipe: it is no plain file"]);
}

#[test]
fn what_is_no_text_is_left_alone_where_the_server_takes_texts_only() {
    let mut ada = Here::with(&[("latin1.txt", b"na\xefve"), ("zero.bin", b"a\0b")]);
    let big = fs::File::create(ada.path("big.txt")).unwrap();
    big.set_len(crate::mirror::MAX_FILE_BYTES + 1).unwrap();
    let mut hub = Hub::new();
    hub.put("d1", "evil.bin", "a\0b");
    let effects = ada.mirror.connected(None).unwrap();
    assert!(effects.is_empty());
    ada.sync(&mut hub);
    assert_eq!(
        ada.left_alone(),
        [
            "big.txt: it is larger than 10 MiB",
            "evil.bin: it is not UTF-8 text",
            "latin1.txt: it is not UTF-8 text",
            "zero.bin: it is not UTF-8 text",
        ]
    );
    assert_eq!(hub.entries().len(), 1);
}

#[test]
fn a_text_that_has_outgrown_a_file_is_named_though_no_bridge_runs() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n")]);
    ada.sync(&mut hub);
    hub.edit(
        "a.txt",
        &"long\n".repeat(crate::mirror::MAX_FILE_BYTES as usize / 5 + 1),
    );
    ada.sync(&mut hub);
    assert_eq!(ada.read("a.txt"), "1\n");
    let index = hub.index.state();
    ada.mirror
        .persist(&DocumentId::index(), &index, false)
        .unwrap();
    let said = crate::mirror::survey(ada.directory.path()).unwrap();
    assert_eq!(said.left_alone, [("a.txt".to_owned(), LeftAlone::TooBig)]);
    assert_eq!((said.followed, said.differing()), (0, 0));
}

#[test]
fn a_file_that_is_deleted_after_its_text_has_outgrown_it_is_deleted_for_all() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a.txt", b"1\n")]);
    ada.sync(&mut hub);
    let long = "long\n".repeat(crate::mirror::MAX_FILE_BYTES as usize / 5 + 1);
    // Typed and saved, and the bridge was killed before it heard of the latter.
    hub.edit("a.txt", &long);
    ada.write("a.txt", &long);
    ada.sync(&mut hub);
    assert_eq!(hub.text("a.txt"), long);
    let mut ada = ada.restart(|root| fs::remove_file(root.join("a.txt")).unwrap());
    ada.sync(&mut hub);
    assert!(hub.entries().is_empty(), "{:?}", hub.entries());
}

#[test]
fn a_write_that_comes_second_changes_nothing() {
    let here = tempfile::tempdir().unwrap();
    let tree = Tree::open(here.path()).unwrap();
    let path = "a/b.txt".parse().unwrap();
    let write = |bytes: &[u8], expected| {
        let written = tree.write(&path, bytes, false, expected);
        written.map(|(outcome, _)| outcome)
    };
    assert_eq!(write(b"1", Expected::Missing), Ok(Outcome::Done));
    assert_eq!(write(b"2", Expected::Missing), Ok(Outcome::Changed));
    assert_eq!(write(b"2", Expected::Bytes(b"0")), Ok(Outcome::Changed));
    assert_eq!(
        tree.remove(&path, Expected::Bytes(b"0")),
        Ok(Outcome::Changed)
    );
    let Found::File(file) = tree.read(&path) else {
        panic!("it is gone");
    };
    assert_eq!(file.bytes, b"1");
    assert_eq!(write(b"2", Expected::Bytes(b"1")), Ok(Outcome::Done));
    assert_eq!(tree.remove(&path, Expected::Bytes(b"2")), Ok(Outcome::Done));
    assert_eq!(write(b"3", Expected::Bytes(b"2")), Ok(Outcome::Changed));
    let names = fs::read_dir(here.path()).unwrap().count();
    assert_eq!(
        names, 0,
        "neither a temporary file nor a directory stays behind"
    );
    assert_eq!(write(b"3", Expected::Missing), Ok(Outcome::Done));
    let directory = "a".parse().unwrap();
    assert_eq!(tree.read(&directory), Found::Missing);
    let blocked = tree.write(&directory, b"4", false, Expected::Missing);
    assert_eq!(blocked, Err(LeftAlone::Directory));
}
