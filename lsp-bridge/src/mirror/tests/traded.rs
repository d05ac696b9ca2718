//! Files that trade their names, or pass them on, before anybody looks, while others type into them.

use super::*;

/// One swaps, the others pass a name on; each as the commands of a shell.
const TRADES: [(&str, &[(&str, &str)]); 5] = [
    ("a swap", &[("a", "t"), ("b", "a"), ("t", "b")]),
    ("a chain", &[("b", "new"), ("a", "b")]),
    ("a long chain", &[("c", "new"), ("b", "c"), ("a", "b")]),
    (
        "a ring of three",
        &[("a", "t"), ("c", "a"), ("b", "c"), ("t", "b")],
    ),
    ("a chain into a new directory", &[("b", "d/b"), ("a", "b")]),
];
const NAMES: [&str; 4] = ["a", "b", "c", "data"];

fn text_of(name: &str) -> String {
    match name {
        "data" => "\u{fffd}".to_owned(),
        name => (0..6).map(|n| format!("line {n} of {name}\n")).collect(),
    }
}

fn shared() -> (Hub, Here) {
    let mut hub = Hub::new();
    let mut ada = Here::new();
    for name in NAMES {
        let bytes = match name {
            "data" => b"\xff\0 data".to_vec(),
            name => text_of(name).into_bytes(),
        };
        ada.write(name, bytes);
        written_before(&ada.path(name));
    }
    ada.sync(&mut hub);
    (hub, ada)
}

/// The documents by their paths.
fn listed(hub: &Hub) -> BTreeMap<String, DocumentId> {
    let entries = hub.entries().into_iter();
    entries.map(|(id, entry)| (entry.path, id)).collect()
}

fn rename(root: &Path, moves: &[(&str, &str)]) {
    for (from, to) in moves {
        fs::create_dir_all(root.join(to).parent().unwrap()).unwrap();
        fs::rename(root.join(from), root.join(to)).unwrap();
    }
}

/// Where each name has gone.
fn after(moves: &[(&str, &str)], name: &str) -> String {
    moves
        .iter()
        .fold(name.to_owned(), |at, (from, to)| match at == *from {
            true => (*to).to_owned(),
            false => at,
        })
}

/// Each file is where it went, the same document, with what was written into it.
fn is_whole(
    when: &str,
    hub: &Hub,
    here: &Here,
    before: &BTreeMap<String, DocumentId>,
    moves: &[(&str, &str)],
    typed: impl Fn(&str) -> String,
) {
    let expected: BTreeMap<_, _> = before
        .iter()
        .map(|(name, id)| (after(moves, name), id.clone()))
        .collect();
    assert_eq!(listed(hub), expected, "{when}");
    for name in ["a", "b", "c"] {
        let at = after(moves, name);
        assert_eq!(hub.text(&at), typed(name), "{when}: {name} at {at}");
        assert_eq!(here.read(&at), typed(name), "{when}: {name} at {at}");
    }
    assert_eq!(here.files().len(), before.len(), "{when}");
    let is_told = |notice: &&Notice| !matches!(notice, Notice::LeftAlone { .. });
    assert_eq!(here.told.iter().find(is_told), None, "{when}");
    assert_eq!(here.recovered().len(), 0, "{when}");
}

#[test]
fn each_stays_the_document_that_it_was() {
    for (what, moves) in TRADES {
        for runs in [true, false] {
            let (mut hub, mut ada) = shared();
            let before = listed(&hub);
            match runs {
                true => rename(ada.directory.path(), moves),
                false => ada = ada.restart(|root| rename(root, moves)),
            }
            ada.sync(&mut hub);
            ada.sync(&mut hub);
            let when = format!("{what} {runs}");
            is_whole(&when, &hub, &ada, &before, moves, text_of);
        }
    }
}

/// What they type comes before it is seen that the files were renamed, and after it.
#[test]
fn what_others_type_meanwhile_lands_where_it_was_typed() {
    for (what, moves) in TRADES {
        for runs in [true, false] {
            let (mut hub, mut ada) = shared();
            let mut bob = Here::new();
            bob.sync(&mut hub);
            let before = listed(&hub);
            match runs {
                true => rename(ada.directory.path(), moves),
                false => ada = ada.restart(|root| rename(root, moves)),
            }
            for name in ["a", "b", "c"] {
                hub.edit(name, &("first ".to_owned() + &text_of(name)));
            }
            // Settled before the files are looked at.
            let effects = ada.mirror.index_changed(hub.entries(), true).unwrap();
            ada.carry_out(effects, &mut hub);
            for id in before.values().filter(|id| **id != before["data"]) {
                ada.sync_document(id, &mut hub);
            }
            ada.look_again(&mut hub);
            for id in before.values().filter(|id| **id != before["data"]) {
                let text = hub.document(id).text();
                hub.document(id).edit(&("second ".to_owned() + &text));
            }
            ada.sync(&mut hub);
            ada.sync(&mut hub);
            let typed = |name: &str| "second first ".to_owned() + &text_of(name);
            let when = format!("{what} {runs}");
            is_whole(&when, &hub, &ada, &before, moves, typed);
            bob.sync(&mut hub);
            bob.sync(&mut hub);
            let when = format!("{when}, at Bob's");
            is_whole(&when, &hub, &bob, &before, moves, typed);
        }
    }
}

/// As is changed in place behind the renames, there is nothing else to tell by.
#[test]
fn each_follows_its_file_whatever_that_holds_by_now() {
    let (mut hub, mut ada) = shared();
    let before = listed(&hub);
    let (_, moves) = TRADES[0];
    rename(ada.directory.path(), moves);
    ada.write("a", text_of("a") + "more\n");
    ada.write("b", "nothing of that\n");
    ada.sync(&mut hub);
    ada.sync(&mut hub);
    assert_eq!(hub.id("a"), before["b"]);
    assert_eq!(hub.id("b"), before["a"]);
    assert_eq!(hub.text("a"), text_of("a") + "more\n");
    assert_eq!(hub.text("b"), "nothing of that\n");
    assert_eq!(ada.read("b"), "nothing of that\n");
}

#[test]
fn a_text_and_data_trade_their_names() {
    let (mut hub, mut ada) = shared();
    let before = listed(&hub);
    rename(
        ada.directory.path(),
        &[("a", "t"), ("data", "a"), ("t", "data")],
    );
    hub.edit("a", &("theirs ".to_owned() + &text_of("a")));
    ada.sync(&mut hub);
    ada.sync(&mut hub);
    assert_eq!(hub.id("data"), before["a"]);
    assert_eq!(hub.id("a"), before["data"]);
    assert_eq!(ada.read("data"), "theirs ".to_owned() + &text_of("a"));
    assert_eq!(fs::read(ada.path("a")).unwrap(), b"\xff\0 data");
}

#[test]
fn two_directories_trade_their_names_with_files_that_are_called_alike() {
    for runs in [true, false] {
        let mut hub = Hub::new();
        let mut ada = Here::new();
        for n in 0..12 {
            for dir in ["d1", "d2"] {
                // Some are empty, some are alike.
                let text = match n % 3 {
                    0 => String::new(),
                    1 => "the same everywhere\n".to_owned(),
                    _ => format!("{n} in {dir}\n"),
                };
                ada.write(&format!("{dir}/deep{}/f{n}", n % 2), text);
            }
        }
        ada.write("d1/only1", "");
        ada.write("d2/only2", "");
        ada.sync(&mut hub);
        let mut bob = Here::new();
        bob.sync(&mut hub);
        let before = listed(&hub);
        let trade = |root: &Path| rename(root, &[("d1", "t"), ("d2", "d1"), ("t", "d2")]);
        match runs {
            true => trade(ada.directory.path()),
            false => ada = ada.restart(trade),
        }
        for path in before.keys() {
            let text = hub.text(path);
            hub.edit(path, &format!("typed in {path}\n{text}"));
        }
        ada.sync(&mut hub);
        ada.sync(&mut hub);
        bob.sync(&mut hub);
        bob.sync(&mut hub);
        let other = |path: &str| match path.strip_prefix("d1/") {
            Some(rest) => format!("d2/{rest}"),
            None => path.replace("d2/", "d1/"),
        };
        let expected: BTreeMap<_, _> = before
            .iter()
            .map(|(p, id)| (other(p), id.clone()))
            .collect();
        assert_eq!(listed(&hub), expected, "{runs}");
        assert_eq!(ada.files(), bob.files(), "{runs}");
        for path in before.keys() {
            let typed = format!("typed in {path}\n");
            assert!(ada.read(&other(path)).starts_with(&typed), "{path}");
        }
        assert_eq!((ada.told.as_slice(), ada.recovered().len()), (&[][..], 0));
        assert_eq!((bob.told.as_slice(), bob.recovered().len()), (&[][..], 0));
    }
}

/// The watcher tells of the one name before the others.
#[test]
fn whichever_of_the_names_is_heard_of_first() {
    for (what, moves) in TRADES {
        for heard in ["a", "b"] {
            let (mut hub, mut ada) = shared();
            let before = listed(&hub);
            rename(ada.directory.path(), moves);
            let effects = ada.mirror.files_changed(&Changes::of([heard])).unwrap();
            ada.carry_out(effects, &mut hub);
            ada.sync(&mut hub);
            let when = format!("{what} {heard}");
            is_whole(&when, &hub, &ada, &before, moves, text_of);
        }
    }
}

#[test]
fn files_that_an_editor_shows_trade_their_names() {
    for (what, moves) in TRADES {
        let (mut hub, mut ada) = shared();
        let before = listed(&hub);
        let (a, b) = (hub.id("a"), hub.id("b"));
        for (id, name) in [(&a, "a"), (&b, "b")] {
            let place = name.parse().unwrap();
            ada.mirror.opened(id, Some(&place)).unwrap();
        }
        rename(ada.directory.path(), moves);
        ada.sync(&mut hub);
        for (id, name) in [(&a, "a"), (&b, "b")] {
            hub.document(id)
                .edit(&("typed ".to_owned() + &text_of(name)));
        }
        ada.sync(&mut hub);
        for id in [&a, &b] {
            let state = hub.document(id).state();
            ada.mirror.persist(id, &state, false).unwrap();
            let effects = ada.mirror.closed(id).unwrap();
            ada.carry_out(effects, &mut hub);
        }
        ada.sync(&mut hub);
        ada.sync(&mut hub);
        let typed = |name: &str| match name {
            "c" => text_of(name),
            name => "typed ".to_owned() + &text_of(name),
        };
        is_whole(what, &hub, &ada, &before, moves, typed);
    }
}

/// What programs do that write a file: the name keeps its document.
#[test]
fn whoever_writes_a_file_by_renaming_has_not_renamed_it() {
    type Write = fn(&Here, &str);
    let ways: [(&str, Write); 5] = [
        ("a new file in the place of the old one", |ada, text| {
            ada.write("new", text);
            fs::rename(ada.path("new"), ada.path("a")).unwrap();
        }),
        ("the old one as a backup", |ada, text| {
            fs::rename(ada.path("a"), ada.path("a~")).unwrap();
            ada.write("a", text);
        }),
        ("the old one as a backup, which goes", |ada, text| {
            fs::rename(ada.path("a"), ada.path("a~")).unwrap();
            ada.write("a", text);
            fs::remove_file(ada.path("a~")).unwrap();
        }),
        ("the old one aside, and both exchanged", |ada, text| {
            ada.write("new", text);
            fs::rename(ada.path("a"), ada.path("old")).unwrap();
            fs::rename(ada.path("new"), ada.path("a")).unwrap();
            fs::remove_file(ada.path("old")).unwrap();
        }),
        ("removed and made anew", |ada, text| {
            fs::remove_file(ada.path("a")).unwrap();
            ada.write("a", text);
        }),
    ];
    for (what, write) in ways {
        let (mut hub, mut ada) = shared();
        let before = listed(&hub);
        // Each time another one.
        for round in 1..4 {
            let mine = format!("mine {round}\n");
            write(&ada, &(text_of("a") + &mine));
            let theirs = format!("theirs {round}\n{}", hub.text("a"));
            hub.edit("a", &theirs);
            ada.sync(&mut hub);
            ada.sync(&mut hub);
            assert_eq!(hub.id("a"), before["a"], "{what} {round}");
            let text = hub.text("a");
            assert!(
                text.ends_with(&mine) && text.contains(&format!("theirs {round}\n")),
                "{what}: {text}"
            );
            assert_eq!(ada.read("a"), text, "{what} {round}");
            ada.write("a", text_of("a"));
            hub.edit("a", &text_of("a"));
            ada.sync(&mut hub);
        }
        for name in ["b", "c"] {
            assert_eq!(
                (hub.id(name), hub.text(name)),
                (before[name].clone(), text_of(name))
            );
        }
    }
}

/// Backups with numbers: each time the older ones pass their names on.
#[test]
fn a_file_stays_itself_while_its_backups_pass_their_names_on() {
    let (mut hub, mut ada) = shared();
    let id = hub.id("a");
    for round in 0..4 {
        for n in (0..round).rev() {
            let [from, to] = [n, n + 1].map(|n| ada.path(&format!("a.{n}")));
            if from.exists() {
                fs::rename(from, to).unwrap();
            }
        }
        fs::rename(ada.path("a"), ada.path("a.0")).unwrap();
        ada.write("a", text_of("a") + &format!("mine {round}\n"));
        ada.sync(&mut hub);
        ada.sync(&mut hub);
        assert_eq!(hub.id("a"), id, "{round}");
        assert_eq!(hub.text("a"), text_of("a") + &format!("mine {round}\n"));
    }
    let texts: Vec<_> = ["a.0", "a.1", "a.2"].map(|name| hub.text(name)).into();
    let held = |n: usize| text_of("a") + &format!("mine {n}\n");
    assert_eq!(texts, [held(2), held(1), held(0)]);
}

/// One that another is renamed over is the same document still.
#[test]
fn a_file_that_takes_the_place_of_another_is_that_ones_new_text() {
    let (mut hub, mut ada) = shared();
    let before = listed(&hub);
    rename(ada.directory.path(), &[("a", "b")]);
    ada.sync(&mut hub);
    ada.sync(&mut hub);
    ada.sync(&mut hub);
    assert_eq!(hub.id("b"), before["b"]);
    assert_eq!((hub.text("b"), ada.read("b")), (text_of("a"), text_of("a")));
    assert_eq!(listed(&hub).keys().collect::<Vec<_>>(), ["b", "c", "data"]);
}

/// As `git checkout` does it: files go and come under the same names, and get each other's numbers.
#[test]
fn a_number_that_was_given_to_another_file_says_nothing() {
    for round in 0..8 {
        let (mut hub, mut ada) = shared();
        let before = listed(&hub);
        for name in ["a", "b", "c"] {
            fs::remove_file(ada.path(name)).unwrap();
        }
        let mut names = ["a", "b", "c"];
        names.rotate_left(round % 3);
        for name in names {
            ada.write(name, text_of(name) + "of another branch\n");
        }
        ada.sync(&mut hub);
        ada.sync(&mut hub);
        assert_eq!(listed(&hub), before);
        for name in names {
            assert_eq!(hub.text(name), text_of(name) + "of another branch\n");
        }
    }
}

#[test]
fn two_names_of_one_file_are_no_trade() {
    let (mut hub, mut ada) = shared();
    let before = listed(&hub);
    fs::hard_link(ada.path("a"), ada.path("e")).unwrap();
    fs::remove_file(ada.path("b")).unwrap();
    fs::hard_link(ada.path("a"), ada.path("b")).unwrap();
    ada.sync(&mut hub);
    ada.sync(&mut hub);
    for name in ["a", "b", "c"] {
        assert_eq!(hub.id(name), before[name], "{name}");
    }
    assert_eq!((hub.text("b"), hub.text("e")), (text_of("a"), text_of("a")));
}

/// Others have renamed one of them meanwhile.
#[test]
fn a_file_that_others_rename_as_well_goes_where_they_have_it() {
    let (mut hub, mut ada) = shared();
    let before = listed(&hub);
    let (_, moves) = TRADES[0];
    rename(ada.directory.path(), moves);
    hub.rename("b", "theirs");
    ada.sync(&mut hub);
    ada.sync(&mut hub);
    assert_eq!(
        (hub.id("theirs"), hub.id("b")),
        (before["b"].clone(), before["a"].clone())
    );
    assert_eq!(
        (ada.read("theirs"), ada.read("b")),
        (text_of("b"), text_of("a"))
    );
    assert!(!ada.has("a"));
    assert_eq!((ada.told.as_slice(), ada.recovered().len()), (&[][..], 0));
}

/// A bridge ends when only some of the records say where the files stand, here or where others trade their names.
#[test]
fn a_trade_is_whole_whenever_its_bridge_ends() {
    let records = |root: &Path| -> BTreeMap<PathBuf, Vec<u8>> {
        let entries = fs::read_dir(root.join(".tutti/state")).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let paths = paths.filter(|path| path.extension().is_some_and(|end| end != "json"));
        paths
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect()
    };
    for (what, moves) in TRADES {
        for by_others in [false, true] {
            for kept in 0..3 {
                for sent in [false, true] {
                    let (mut hub, mut ada) = shared();
                    let before = listed(&hub);
                    let old = records(ada.directory.path());
                    let stored = hub.entries();
                    let mut new = Hub::new();
                    new.index = hub.index.fork(new_client_id());
                    if by_others {
                        let ids: Vec<_> = before.iter().collect();
                        for (name, id) in ids {
                            let to = after(moves, name).parse().unwrap();
                            hub.change_index(|txn, files| index::rename(txn, files, id, &to));
                        }
                        ada.mirror.index_changed(hub.entries(), true).unwrap();
                    } else {
                        rename(ada.directory.path(), moves);
                        let effects = ada.mirror.files_changed(&Changes::everything()).unwrap();
                        let effects = effects.into_iter();
                        let edits = effects.filter(|effect| matches!(effect, Effect::Index(_)));
                        ada.carry_out(edits.collect(), &mut new);
                        if sent {
                            hub.index.apply(&new.index.state()).unwrap();
                        }
                    }
                    let changed: Vec<_> = old.iter().collect();
                    for (path, bytes) in changed.iter().skip(kept) {
                        fs::write(path, bytes).unwrap();
                    }
                    let mut ada = ada.restart(|_| ());
                    let effects = ada.mirror.index_changed(stored, false).unwrap();
                    ada.carry_out(effects, &mut hub);
                    let effects = ada.mirror.files_changed(&Changes::everything()).unwrap();
                    ada.carry_out(effects, &mut hub);
                    ada.sync(&mut hub);
                    ada.sync(&mut hub);
                    let when =
                        format!("{what}, by others {by_others}, {kept} records, sent {sent}");
                    is_whole(&when, &hub, &ada, &before, moves, text_of);
                }
            }
        }
    }
}
