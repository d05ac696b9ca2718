//! The same new file, made by two people at once.

use super::*;
use crate::mirror::alike_edits;

const DATA: [u8; 3] = [0, 1, 255];

/// Ada makes a file that Bob makes as well, with this text, under the smaller id or the larger.
fn both_make(text: &str, bobs: &str, is_bobs_first: bool) -> (Hub, Here) {
    let (mut hub, mut ada) = (Hub::new(), Here::new());
    ada.sync(&mut hub);
    ada.write("new.txt", text);
    let effects = ada.mirror.files_changed(&Changes::everything()).unwrap();
    ada.carry_out(effects, &mut hub);
    // Ids of the mirror's own making have 16 characters out of 0 to 9 and a to z.
    let id = if is_bobs_first { "0" } else { "zz" };
    hub.put(id, "new.txt", bobs);
    ada.sync(&mut hub);
    ada.sync(&mut hub);
    (hub, ada)
}

/// Ada has made a file, and the project has it.
fn made_by_ada() -> (Hub, Here, DocumentId) {
    let (mut hub, mut ada) = (Hub::new(), Here::new());
    ada.sync(&mut hub);
    ada.write("new.txt", "text\n");
    ada.sync(&mut hub);
    let id = hub.id("new.txt");
    (hub, ada, id)
}

#[test]
fn it_is_there_once() {
    for text in ["text\n", ""] {
        let (mut hub, mut ada) = both_make(text, text, true);
        ada.sync(&mut hub);
        assert_eq!(ada.files().len(), 1, "{text:?}");
        assert_eq!(hub.entries().len(), 1, "{text:?}");
        assert_eq!(ada.read("new.txt"), text);
        assert_eq!(ada.told, []);
    }
}

#[cfg(unix)]
#[test]
fn one_that_is_executable_for_either_is_so() {
    use std::os::unix::fs::PermissionsExt;
    for (adas, bobs) in [(true, false), (false, true)] {
        let (mut hub, mut ada) = (Hub::new(), Here::new());
        ada.sync(&mut hub);
        ada.write("run.sh", "text\n");
        let mode = |on: bool| fs::Permissions::from_mode(if on { 0o755 } else { 0o644 });
        fs::set_permissions(ada.path("run.sh"), mode(adas)).unwrap();
        let effects = ada.mirror.files_changed(&Changes::everything()).unwrap();
        ada.carry_out(effects, &mut hub);
        let first = hub.put("0", "run.sh", "text\n");
        hub.change_index(|txn, roots| index::set_executable(txn, roots, &first, bobs));
        for _ in 0..4 {
            ada.sync(&mut hub);
        }
        assert_eq!(ada.files().len(), 1, "{adas} {bobs}");
        let entries: Vec<_> = hub.entries().into_values().collect();
        assert!(
            matches!(&entries[..], [one] if one.executable),
            "{entries:?}"
        );
        let on_disk = ada.path("run.sh").metadata().unwrap().permissions();
        assert_eq!(on_disk.mode() & 0o777, 0o755, "{adas} {bobs}");
    }
}

#[test]
fn who_made_the_other_one_takes_it_away() {
    let (hub, ada) = both_make("text\n", "text\n", false);
    assert_eq!(hub.entries().len(), 2);
    assert_eq!(ada.files().len(), 2);
}

#[test]
fn of_two_that_differ_both_stay() {
    for is_bobs_first in [true, false] {
        let (hub, ada) = both_make("text\n", "Bob's\n", is_bobs_first);
        assert_eq!(hub.entries().len(), 2);
        let texts: BTreeSet<_> = ada.files().into_values().collect();
        assert_eq!(texts.len(), 2);
        assert_eq!(ada.hears_of_another_name("new.txt"), is_bobs_first);
    }
}

/// As two people on Linux may make them, and other systems cannot have.
#[test]
fn of_two_whose_names_differ_in_case_alone_one_has_another_name_and_its_person_hears_of_it() {
    let (mut hub, mut ada, _) = made_by_ada();
    hub.put("0", "New.txt", "Bob's\n");
    ada.sync(&mut hub);
    ada.sync(&mut hub);
    let names: Vec<_> = ada.files().into_keys().collect();
    assert_eq!((names.len(), ada.read("New.txt").as_str()), (2, "Bob's\n"));
    assert_eq!(ada.read(&names[1]), "text\n");
    assert!(ada.hears_of_another_name("New.txt"));
}

impl Here {
    /// Whether Ada is told that her new file has another name now, since that of Bob has its own.
    fn hears_of_another_name(&self, bobs: &str) -> bool {
        let is_so = |notice: &Notice| match notice {
            Notice::OtherName {
                path,
                now,
                other,
                by,
            } => path == "new.txt" && self.read(now) == "text\n" && other == bobs && by == "Bob",
            _ => panic!("{notice:?}"),
        };
        self.told.iter().any(is_so)
    }
}

#[test]
fn one_that_an_editor_shows_stays() {
    let (mut hub, mut ada, id) = made_by_ada();
    ada.mirror.opened(&id, None).unwrap();
    hub.put("0", "new.txt", "text\n");
    ada.sync(&mut hub);
    ada.sync(&mut hub);
    assert_eq!(hub.entries().len(), 2);
    assert!(ada.has("new.txt"));
}

#[test]
fn what_is_typed_into_the_other_meanwhile_stays() {
    let (mut hub, mut ada, id) = made_by_ada();
    hub.document(&id).edit("text\ntyped\n");
    hub.put("0", "new.txt", "text\n");
    ada.sync(&mut hub);
    ada.sync(&mut hub);
    assert_eq!(hub.entries().len(), 2);
    assert!(
        ada.files()
            .into_values()
            .any(|text| text == b"text\ntyped\n")
    );
}

/// Both take over a file, and go on in it before they hear of each other.
#[test]
fn what_was_written_into_either_is_in_the_one_that_stays() {
    for (adas, bobs) in [
        ("text\nAda's\n", "text\n"),
        ("text\n", "Bob's\ntext\n"),
        ("text\nAda's\n", "Bob's\ntext\n"),
    ] {
        let (mut hub, mut ada) = (Hub::new(), Here::new());
        ada.sync(&mut hub);
        ada.write("new.txt", "text\n");
        ada.sync(&mut hub);
        if adas != "text\n" {
            ada.write("new.txt", adas);
            ada.sync(&mut hub);
        }
        let first = hub.put("0", "new.txt", "");
        let begun = alike_edits::begin("text\n").state();
        hub.document(&first).apply(&begun).unwrap();
        hub.document(&first).edit(bobs);
        for _ in 0..4 {
            ada.sync(&mut hub);
        }
        let both = match (adas, bobs) {
            (adas, "text\n") => adas,
            ("text\n", bobs) => bobs,
            _ => "Bob's\ntext\nAda's\n",
        };
        assert_eq!(
            ada.files(),
            BTreeMap::from([("new.txt".to_owned(), both.into())])
        );
        assert_eq!(hub.text("new.txt"), both);
        assert_eq!(hub.entries().len(), 1);
        assert_eq!(ada.recovered(), BTreeMap::new());
    }
}

#[test]
fn data_is_there_once() {
    let (mut hub, mut ada) = (Hub::new(), Here::new());
    ada.sync(&mut hub);
    ada.write("new.png", DATA);
    ada.sync(&mut hub);
    let (_, mut entry) = hub.entries().into_iter().next().unwrap();
    entry.created_by = "Bob".to_owned();
    let first = "0".parse().unwrap();
    hub.change_index(|txn, roots| index::insert(txn, roots, &first, &entry));
    for _ in 0..3 {
        ada.sync(&mut hub);
    }
    assert_eq!(
        ada.files(),
        BTreeMap::from([("new.png".to_owned(), DATA.to_vec())])
    );
}

/// What Bob has made is heard of while what Ada has made is listed, and before the index shows that.
#[test]
fn one_that_is_heard_of_just_then_is_not_taken_for_the_own() {
    for (text, id) in [(true, "0"), (true, "zz"), (false, "0"), (false, "zz")] {
        let content: &[u8] = if text { b"text\n" } else { &DATA };
        let (mut hub, mut ada) = (Hub::new(), Here::new());
        ada.sync(&mut hub);
        ada.write("new", content);
        let effects = ada.mirror.files_changed(&Changes::everything()).unwrap();
        ada.carry_out(effects, &mut hub);
        ada.look_again(&mut hub);
        let (adas, mut entry) = hub.entries().into_iter().next().unwrap();
        entry.created_by = "Bob".to_owned();
        let bobs: DocumentId = id.parse().unwrap();
        match text {
            true => drop(hub.put(id, "new", "text\n")),
            false => hub.change_index(|txn, roots| index::insert(txn, roots, &bobs, &entry)),
        }
        let mut without_adas = hub.entries();
        without_adas.remove(&adas);
        let effects = ada.mirror.index_changed(without_adas, true).unwrap();
        ada.carry_out(effects, &mut hub);
        for _ in 0..3 {
            ada.sync(&mut hub);
        }
        let is_bobs_first = id == "0";
        let there = hub
            .entries()
            .into_iter()
            .filter(|(_, entry)| entry.is_there());
        let there: Vec<_> = there.map(|(document, _)| document).collect();
        // Bob takes his away, where that is the second.
        let expected = if is_bobs_first {
            vec![bobs]
        } else {
            vec![adas, bobs]
        };
        assert_eq!(there, expected, "text: {text}, {id}");
        assert_eq!(ada.files()["new"], content, "text: {text}, {id}");
        assert_eq!(ada.files().len(), expected.len(), "text: {text}, {id}");
        assert_eq!(ada.told, [], "text: {text}, {id}");
    }
}
