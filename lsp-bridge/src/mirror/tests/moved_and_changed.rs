//! Files that are moved and changed before the mirror looks.

use super::*;

fn lines(of: std::ops::Range<usize>) -> String {
    of.map(|n| format!("line {n}\n")).collect()
}

/// The documents by their paths.
fn listed(hub: &Hub) -> BTreeMap<String, DocumentId> {
    let entries = hub.entries().into_iter();
    entries.map(|(id, entry)| (entry.path, id)).collect()
}

fn look(ada: &mut Here, hub: &mut Hub) {
    let effects = ada.mirror.files_changed(&Changes::everything()).unwrap();
    ada.carry_out(effects, hub);
}

#[test]
fn a_file_stays_one_with_what_others_write_meanwhile() {
    for (to, runs) in [
        ("b/a", true),
        ("b/a", false),
        ("other", true),
        ("other", false),
    ] {
        let mut hub = Hub::new();
        let mut ada = Here::with(&[("a", lines(0..20).as_bytes())]);
        ada.sync(&mut hub);
        let id = hub.id("a");
        let changes = |root: &Path| {
            fs::create_dir(root.join("b")).unwrap();
            fs::rename(root.join("a"), root.join(to)).unwrap();
            let text = lines(0..20).replace("line 7\n", "mine\n");
            fs::write(root.join(to), text).unwrap();
        };
        match runs {
            true => changes(ada.directory.path()),
            false => ada = ada.restart(changes),
        }
        hub.edit("a", &lines(0..20).replace("line 17\n", "theirs\n"));
        if !runs {
            let effects = ada.mirror.index_changed(hub.entries(), false).unwrap();
            ada.carry_out(effects, &mut hub);
        }
        look(&mut ada, &mut hub);
        ada.sync(&mut hub);
        let text = lines(0..20)
            .replace("line 7\n", "mine\n")
            .replace("line 17\n", "theirs\n");
        assert_eq!(
            listed(&hub),
            BTreeMap::from([(to.to_owned(), id)]),
            "{runs}"
        );
        assert_eq!(
            (hub.text(to), ada.read(to)),
            (text.clone(), text),
            "{to} {runs}"
        );
        assert_eq!(ada.files().len(), 1);
        assert_eq!((ada.told.as_slice(), ada.recovered().len()), (&[][..], 0));
    }
}

#[test]
fn a_directory_is_moved_with_one_file_that_was_changed_and_one_that_has_another_name() {
    let mut hub = Hub::new();
    let mut ada = Here::new();
    for n in 0..24 {
        ada.write(&format!("old/{n}/mod.rs"), lines(n * 50..n * 50 + 10));
    }
    ada.write("old/7/first.rs", lines(5000..5020));
    ada.write("old/7/same.rs", "same\n");
    ada.write("old/keep.rs", "keep\n");
    ada.sync(&mut hub);
    let before = listed(&hub);
    fs::rename(ada.path("old"), ada.path("new")).unwrap();
    ada.write("new/7/mod.rs", lines(352..362));
    fs::remove_file(ada.path("new/7/first.rs")).unwrap();
    ada.write("new/7/second.rs", lines(5002..5022));
    ada.sync(&mut hub);
    let moved = before.into_iter().map(|(path, id)| {
        let path = path.replace("old/", "new/").replace("first", "second");
        (path, id)
    });
    assert_eq!(listed(&hub), moved.collect());
    assert_eq!(hub.text("new/7/mod.rs"), lines(352..362));
}

/// The directory is walked before the file is there, and the file is looked for when it has gone.
#[test]
fn a_file_that_was_missing_a_moment_before_is_found() {
    for change in ["", "more\n"] {
        let mut hub = Hub::new();
        let mut ada = Here::with(&[("a", lines(0..20).as_bytes()), ("b/other", b"other\n")]);
        ada.sync(&mut hub);
        let before = listed(&hub);
        fs::remove_file(ada.path("a")).unwrap();
        let effects = ada.mirror.files_changed(&Changes::of(["a"])).unwrap();
        ada.carry_out(effects, &mut hub);
        ada.write("b/a", lines(0..20) + change);
        let effects = ada.mirror.files_changed(&Changes::of(["b/a"])).unwrap();
        ada.carry_out(effects, &mut hub);
        ada.look_again(&mut hub);
        ada.sync(&mut hub);
        assert_eq!(listed(&hub)["b/a"], before["a"]);
        assert_eq!(listed(&hub).len(), 2);
        assert_eq!(hub.text("b/a"), lines(0..20) + change);
    }
}

#[test]
fn one_that_went_and_another_that_came_are_two() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[
        ("a/x", lines(0..20).as_bytes()),
        ("y", lines(0..20).as_bytes()),
    ]);
    ada.sync(&mut hub);
    let before = listed(&hub);
    fs::remove_dir_all(ada.path("a")).unwrap();
    fs::remove_file(ada.path("y")).unwrap();
    ada.write("b/x", lines(20..40));
    ada.write("z", lines(10..30));
    ada.sync(&mut hub);
    let found = listed(&hub);
    assert_eq!(found.keys().collect::<Vec<_>>(), ["b/x", "z"]);
    assert!(
        before
            .values()
            .all(|id| found.values().all(|other| other != id))
    );
}

#[test]
fn a_file_that_an_editor_shows_is_moved_as_well() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[("a", lines(0..20).as_bytes())]);
    ada.sync(&mut hub);
    let id = hub.id("a");
    ada.mirror.opened(&id, None).unwrap();
    fs::create_dir(ada.path("b")).unwrap();
    fs::rename(ada.path("a"), ada.path("b/a")).unwrap();
    ada.write("b/a", lines(0..21));
    look(&mut ada, &mut hub);
    assert_eq!(
        listed(&hub),
        BTreeMap::from([("b/a".to_owned(), id.clone())])
    );
    let effects = ada.mirror.closed(&id).unwrap();
    ada.carry_out(effects, &mut hub);
    ada.sync(&mut hub);
    assert_eq!(hub.text("b/a"), lines(0..21));
    // What it keeps of a file under another name while it saves is no such file.
    ada.mirror.opened(&id, None).unwrap();
    fs::rename(ada.path("b/a"), ada.path("b/4913")).unwrap();
    ada.write("b/4913", lines(0..22));
    look(&mut ada, &mut hub);
    assert_eq!(hub.id("b/a"), id);
}

/// A directory is listed as it is when anything in it is heard of.
#[test]
fn a_file_is_the_same_where_its_new_place_is_heard_of_first() {
    let mut hub = Hub::new();
    let mut ada = Here::with(&[
        ("old/a/mod.rs", lines(0..20).as_bytes()),
        ("old/b/mod.rs", lines(100..120).as_bytes()),
        ("old/c", lines(200..220).as_bytes()),
    ]);
    ada.sync(&mut hub);
    let before = listed(&hub);
    fs::create_dir_all(ada.path("new/a")).unwrap();
    let moves = [
        ("old/a/mod.rs", "new/a/mod.rs"),
        ("old/b/mod.rs", "new/mod.rs"),
        ("old/c", "old/d"),
    ];
    for (from, to) in moves {
        fs::rename(ada.path(from), ada.path(to)).unwrap();
        let text = ada.read(to) + "mine\n";
        ada.write(to, text);
    }
    let changes = Changes::of(["new", "old/d"]);
    let effects = ada.mirror.files_changed(&changes).unwrap();
    ada.carry_out(effects, &mut hub);
    let expected: BTreeMap<_, _> = moves
        .iter()
        .map(|(from, to)| ((*to).to_owned(), before[*from].clone()))
        .collect();
    assert_eq!(listed(&hub), expected);
    ada.look_again(&mut hub);
    ada.sync(&mut hub);
    assert_eq!(listed(&hub), expected);
    assert_eq!(hub.text("old/d"), lines(200..220) + "mine\n");
}
