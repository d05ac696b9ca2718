//! A name that was a file's becomes a directory's, or the other way round, as a checkout may do it.

use super::*;
use crate::mirror::{Survey, survey};

/// Files and what they hold.
type Files<'a> = &'a [(&'a str, &'a [u8])];

/// Ada and Bob have these files, and Ada makes them those.
fn changes(before: Files<'_>, after: Files<'_>) -> (Hub, Here, Here) {
    let (mut hub, mut ada, mut bob) = (Hub::new(), Here::with(before), Here::new());
    ada.sync(&mut hub);
    bob.sync(&mut hub);
    assert_eq!(ada.files(), bob.files());
    for (path, _) in before {
        fs::remove_file(ada.path(path)).unwrap();
    }
    for (path, _) in before {
        // As git does: empty directories go.
        let ends: Vec<_> = path.match_indices('/').map(|(end, _)| end).collect();
        for end in ends.into_iter().rev() {
            let _ = fs::remove_dir(ada.path(&path[..end]));
        }
    }
    after
        .iter()
        .for_each(|(path, bytes)| ada.write(path, bytes));
    for _ in 0..3 {
        ada.sync(&mut hub);
        bob.sync(&mut hub);
    }
    (hub, ada, bob)
}

#[test]
fn the_others_have_it_as_well() {
    let (one, two): (&[u8], &[u8]) = (b"one\n", b"another\n");
    let data: &[u8] = &[0, 1, 255];
    let table: [(Files<'_>, Files<'_>); 6] = [
        (&[("x", one)], &[("x/a", two), ("x/b/c", one)]),
        (&[("x/a", one), ("x/b", two)], &[("x", b"new\n")]),
        (&[("x", data)], &[("x/a", two)]),
        (&[("x/a", one)], &[("x", data)]),
        // One that moves.
        (&[("x", one)], &[("x/x", one)]),
        (&[("d/x/x", one)], &[("d/x", one)]),
    ];
    for (before, after) in table {
        for (before, after) in [(before, after), (after, before)] {
            let (hub, ada, bob) = changes(before, after);
            let expected: BTreeMap<_, _> = after
                .iter()
                .map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec()))
                .collect();
            assert_eq!(ada.files(), expected, "{before:?}");
            assert_eq!(bob.files(), expected, "{before:?}");
            let there = |entry: &FileEntry| entry.is_there();
            let listed = hub.entries().into_values().filter(there).count();
            assert_eq!(listed, after.len(), "{before:?} {after:?}");
            assert_eq!(
                (&ada.told[..], &bob.told[..]),
                (&[][..], &[][..]),
                "{before:?}"
            );
            assert_eq!(bob.left_alone(), [""; 0]);
        }
    }
}

#[test]
fn one_that_moves_is_the_same() {
    for (from, to) in [("x", "x/x"), ("x/x", "x")] {
        let (mut hub, mut ada) = (Hub::new(), Here::with(&[(from, b"text\n")]));
        let mut bob = Here::new();
        ada.sync(&mut hub);
        bob.sync(&mut hub);
        let id = hub.id(from);
        fs::remove_file(ada.path(from)).unwrap();
        let _ = fs::remove_dir(ada.path("x"));
        ada.write(to, "text\n");
        hub.edit(from, "text\ntyped\n");
        ada.sync(&mut hub);
        ada.sync(&mut hub);
        bob.sync(&mut hub);
        assert_eq!(hub.id(to), id, "{from} {to}");
        assert_eq!(ada.read(to), "text\ntyped\n");
        assert_eq!(ada.files(), bob.files());
    }
}

/// Ada makes a file of a directory in which Bob has typed meanwhile.
#[test]
fn what_was_typed_there_meanwhile_waits_for_its_place() {
    let (mut hub, mut ada) = (Hub::new(), Here::with(&[("x/a", b"text\n")]));
    ada.sync(&mut hub);
    fs::remove_dir_all(ada.path("x")).unwrap();
    ada.write("x", "Ada's\n");
    hub.edit("x/a", "text\ntyped\n");
    ada.sync(&mut hub);
    ada.sync(&mut hub);
    assert_eq!(ada.read("x"), "Ada's\n");
    assert_eq!(hub.text("x/a"), "text\ntyped\n");
    assert_eq!(hub.entries().len(), 1);
    let (path, reason) = ("x/a".into(), LeftAlone::ParentIsFile.to_string());
    let left_alone = [
        format!("x: {}", LeftAlone::InTheWay("x/a".parse().unwrap())),
        format!("{path}: {reason}"),
    ];
    let document = hub.id("x/a");
    let waits = Notice::Waits {
        document,
        path,
        reason,
    };
    assert_eq!(ada.told, [waits]);
    assert_eq!(ada.left_alone(), left_alone);
    fs::rename(ada.path("x"), ada.path("y")).unwrap();
    ada.sync(&mut hub);
    ada.sync(&mut hub);
    assert_eq!(ada.read("x/a"), "text\ntyped\n");
    assert_eq!(hub.text("y"), "Ada's\n");
    assert_eq!(ada.left_alone(), [""; 0]);
}

/// What is told of these paths, and nothing else, as a watcher does.
fn sees(ada: &mut Here, hub: &mut Hub, paths: &[&str]) {
    let changes = Changes::of(paths.iter().copied());
    let effects = ada.mirror.files_changed(&changes).unwrap();
    ada.carry_out(effects, hub);
    ada.look_again(hub);
    let effects = ada.mirror.index_changed(hub.entries(), true).unwrap();
    ada.carry_out(effects, hub);
}

fn status(ada: &mut Here, hub: &Hub) -> Survey {
    let (index, state) = (DocumentId::index(), hub.index.state());
    ada.mirror.persist(&index, &state, false).unwrap();
    survey(ada.directory.path()).unwrap()
}

fn names_left_alone(told: &Survey) -> Vec<&str> {
    let all = told.left_alone.iter();
    all.map(|(path, _)| path.as_str()).collect()
}

/// Ada makes a directory of a file in which Bob types meanwhile, or a file of a directory, and goes back.
#[test]
fn once_the_place_is_free_again_what_others_wrote_meanwhile_comes() {
    for (file, other) in [("x", "x/a"), ("x/a", "x")] {
        let (mut hub, mut ada) = (Hub::new(), Here::with(&[(file, b"text\n")]));
        ada.sync(&mut hub);
        let take_away = |ada: &Here| {
            let all = ada.path("x");
            match all.is_dir() {
                true => fs::remove_dir_all(all).unwrap(),
                false => fs::remove_file(all).unwrap(),
            }
        };
        take_away(&ada);
        ada.write(other, "Ada's\n");
        hub.edit(file, "text\ntyped\n");
        sees(&mut ada, &mut hub, &["x"]);
        assert!(
            matches!(ada.told[..], [Notice::Waits { .. }]),
            "{:?}",
            ada.told
        );
        let told = status(&mut ada, &hub);
        assert_eq!(names_left_alone(&told), ["x", "x/a"]);
        assert_eq!((told.followed, told.differing()), (0, 0), "{told:?}");
        take_away(&ada);
        ada.write(file, "text\n");
        sees(&mut ada, &mut hub, &["x"]);
        assert_eq!(ada.read(file), "text\ntyped\n", "{file}");
        assert_eq!(ada.left_alone(), [""; 0]);
        let told = status(&mut ada, &hub);
        assert_eq!((told.followed, told.left_alone.len()), (1, 0), "{told:?}");
        assert_eq!(ada.told.len(), 1, "{:?}", ada.told);
    }
}

/// Both make new files at the same moment, and the names do not go together.
#[test]
fn what_never_had_a_place_comes_once_that_is_free() {
    let (mut hub, mut ada) = (Hub::new(), Here::new());
    ada.sync(&mut hub);
    ada.write("x", "Ada's\n");
    hub.put("d", "x/a", "Bob's\n");
    let effects = ada.mirror.index_changed(hub.entries(), true).unwrap();
    ada.carry_out(effects, &mut hub);
    sees(&mut ada, &mut hub, &["x"]);
    let told = status(&mut ada, &hub);
    assert_eq!(names_left_alone(&told), ["x", "x/a"]);
    assert_eq!(told.differing(), 0);
    fs::rename(ada.path("x"), ada.path("y")).unwrap();
    sees(&mut ada, &mut hub, &["x", "y"]);
    assert_eq!(ada.read("x/a"), "Bob's\n");
    assert_eq!(hub.text("y"), "Ada's\n");
    assert_eq!(ada.left_alone(), [""; 0]);
}
