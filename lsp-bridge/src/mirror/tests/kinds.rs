//! A name that was a file's becomes a directory's, or the other way round, as a checkout may do it.

use super::*;

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
    assert_eq!(ada.told, [Notice::LeftAlone { path, reason }]);
    assert_eq!(ada.left_alone(), left_alone);
    fs::rename(ada.path("x"), ada.path("y")).unwrap();
    ada.sync(&mut hub);
    ada.sync(&mut hub);
    assert_eq!(ada.read("x/a"), "text\ntyped\n");
    assert_eq!(hub.text("y"), "Ada's\n");
    assert_eq!(ada.left_alone(), [""; 0]);
}
