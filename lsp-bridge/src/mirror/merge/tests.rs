use tutti_protocol::ids::DocumentId;
use tutti_protocol::index::{self, Eol, FileEntry, Roots};
use yrs::StateVector;

use super::*;

/// What an editor shows, made of what it has exchanged already and of what is new.
#[test]
fn what_has_been_exchanged_is_not_new() {
    for (base, main, text, both) in [
        (
            "one\nthree\n",
            "one\nthree\nREMOTE\n",
            "oneTYPED\nthree\nREMOTE\n",
            "oneTYPED\nthree\nREMOTE\n",
        ),
        ("a\n", "aOWN\n", "aTYPEDOWN\n", "aTYPEDOWN\n"),
        ("a\n", "aOWN\n", "aOWTYPEDN\n", "aOWTYPEDN\n"),
        ("a\n", "aOWNLATER\n", "aOWNTYPED\n", "aOWNTYPEDLATER\n"),
        ("a\n", "L\naOWN\n", "aOWN\nX\n", "L\naOWN\nX\n"),
        (
            "a\nz\n",
            "a\nsent\n13 of Ada\nz\n",
            "a\nsent\n13 of Bob\n10 of Bob\nz\n",
            "a\nsent\n13 of Bob\n10 of Bob\n13 of Ada\nz\n",
        ),
    ] {
        let replica = |text: &str| {
            let mut replica = Replica::new(new_client_id());
            replica.edit(text);
            replica
        };
        let (base, mut shared) = (replica(base), replica(main));
        let new = what_is_new(&base, &shared, &Rope::from_str(text)).unwrap();
        if let Some(update) = new {
            shared.apply(&update).unwrap();
        }
        assert_eq!(shared.text(), both, "{main:?} and {text:?}");
    }
}

#[test]
fn of_what_is_shown_the_shared_text_may_have_more_and_not_less() {
    let mut main = Replica::new(1);
    main.edit("aONEBOBb\n");
    let shown = |text: &str| shown_of(&main, &Rope::from_str(text)).map(|shown| shown.text());
    for part in ["aONEBOBb\n", "aONEb\n", ""] {
        assert_eq!(shown(part).as_deref(), Some(part));
    }
    assert_eq!(shown("aONExb\n"), None);
}

fn states(base: &str, main: &str) -> (Vec<u8>, Vec<u8>) {
    let mut replica = replica(&Replica::new(1).state()).unwrap();
    replica.edit(base);
    let base = replica.state();
    replica.edit(main);
    (base, replica.state())
}

#[test]
fn both_sides_stay() {
    let table = [
        // base, what others made of it, what stands on disk, both
        ("a\nb\nc\n", "A\nb\nc\n", "a\nb\nC\n", "A\nb\nC\n"),
        ("a\nb\n", "a\nb\nc\n", "b\n", "b\nc\n"),
        ("", "", "new\n", "new\n"),
        ("x", "", "x", ""),
        // A line that others have changed is not deleted.
        ("x 39\nb\n", "x 7\nb\n", "b\n", "x 7\nb\n"),
        ("a\nb\nc\nd\n", "a\nbX\nc\nd\n", "D\nd\n", "D\nbX\nd\n"),
        // The same edit on both sides is taken once, also where one of them went on.
        ("a\n", "a\nhello\n", "a\nhello\n", "a\nhello\n"),
        ("a", "a hello", "a hel", "a hello"),
        ("a\n", "a hel\n", "a hello\n", "a hello\n"),
        // Or before which one has written more.
        ("a\n", "m 1\nm 2\na\n", "m 2\na\n", "m 1\nm 2\na\n"),
        ("a\n", "m 2\na\n", "m 1\nm 2\na\n", "m 1\nm 2\na\n"),
        // So is a line that one of them has in the place of the one beside it.
        (
            "line 73\nb\n",
            "line 25\nb\n",
            "line 25\nline 73\nb\n",
            "line 25\nb\n",
        ),
        (
            "line 73\nb\n",
            "line 25\nline 73\nb\n",
            "line 25\nb\n",
            "line 25\nb\n",
        ),
        (
            "a\nline 73\nb\n",
            "a\nline 73\nline 25\nb\n",
            "a\nline 30\nline 25\nb\n",
            "a\nline 30\nline 25\nb\n",
        ),
        (
            "line 73\nb\n",
            "line 74\nb\n",
            "line 25\nline 73\nb\n",
            "line 25\nline 74\nb\n",
        ),
        // Of a line that others have deleted, what it was changed to stays whole.
        (
            "1\nline 44 of Bob\nline 42 of Bob\n4\n",
            "1\n4\n",
            "1\nline 79 of Bob\n4\n",
            "1\nline 79 of Bob\n4\n",
        ),
        (
            "a\na long line\nb\n",
            "b\n",
            "a\na very long line!\nb\n",
            "a very long line!\nb\n",
        ),
    ];
    for (base, main, disk, both) in table {
        let (base_state, main_state) = states(base, main);
        let merged = merge_disk(&base_state, &main_state, disk).unwrap();
        assert_eq!(merged.main.text(), both, "{base:?} {main:?} {disk:?}");
        if let Some(update) = merged.update {
            let mut other = replica(&main_state).unwrap();
            other.apply(&update).unwrap();
            assert_eq!(other.text(), both);
        }
    }
}

/// Others have made a line of another by its letters, and deleted the next one, which reads like that.
#[test]
fn no_letters_of_a_line_are_left() {
    let mut replica = replica(&Replica::new(1).state()).unwrap();
    replica.edit("x 39\nx 7\nb\n");
    let base = replica.state();
    replica.edit("x 7\nx 7\nb\n");
    let second = Patch::single(4, 4, "");
    replica.splice(&second);
    let merged = merge_disk(&base, &replica.state(), "b\n").unwrap();
    assert_eq!(merged.main.text(), "b\n");
}

#[test]
fn what_two_have_made_on_their_own_is_there_once() {
    let table = [
        // The base, ours, theirs, both. In the last one nothing is the same.
        ("a\n", "a word\n", "a word\n", "a word\n"),
        ("a\n", "a word\n", "a words\n", "a words\n"),
        ("a\n", "a words\n", "a word\n", "a words\n"),
        ("a\nb\n", "A\nb c\n", "A\nb\n", "A\nb c\n"),
        ("x a\n", "x word\n", "x words\n", "x words\n"),
        ("a b\n", "a b word\n", "b word\n", "b word\n"),
        ("a\n", "a ours\n", "theirs a\n", "theirs a ours\n"),
    ];
    for (base, ours, theirs, both) in table {
        let told = format!("{ours:?} {theirs:?}");
        let (base_state, ours_state) = states(base, ours);
        let base = replica(&base_state).unwrap();
        let mut others = replica(&base_state).unwrap();
        others.edit(theirs);
        let (ours, others) = (Rope::from_str(ours), &others);
        for more in ["", "more\n"] {
            let mut main = replica(&ours_state).unwrap();
            main.edit(&format!("{ours}{more}"));
            let update = take_once(base.rope(), &ours, &main, others).unwrap();
            main.apply(&others.state()).unwrap();
            update.into_iter().for_each(|new| main.apply(&new).unwrap());
            assert_eq!(main.text(), format!("{both}{more}"), "{told}");
        }
        // The same before anything of ours is written.
        let new = what_is_new(&base, others, &ours);
        assert_eq!(new.is_none(), theirs.starts_with("theirs"), "{told}");
        if let Some(new) = new {
            let mut main = replica(&others.state()).unwrap();
            new.into_iter().for_each(|new| main.apply(&new).unwrap());
            assert_eq!(main.text(), both, "{told}");
        }
    }
}

#[test]
fn two_insertions_that_begin_alike_are_two() {
    let table = [
        ("a\n", "a\nuse one;\n", "a\nuse two;\n"),
        ("a\n", "a\nx\n", "a\nyx\n"),
        ("a", "abc", "abd"),
        // Each has ended their line.
        ("a\n", "a\nimport os\n", "a\nimport os.path\n"),
        ("a\n", "a\nval = 12\n", "a\nval = 1\n"),
    ];
    for (base, main, disk) in table {
        let (base_state, main_state) = states(base, main);
        let merged = merge_disk(&base_state, &main_state, disk).unwrap();
        let text = merged.main.text();
        let [ours, theirs] = [disk, main].map(|one| &one[base.len()..]);
        let both = [[base, ours, theirs].concat(), [base, theirs, ours].concat()];
        assert!(both.contains(&text), "{base:?} {main:?} {disk:?}: {text:?}");
    }
}

#[test]
fn what_was_typed_into_one_copy_is_there_once_as_well() {
    // However the two copies stand to each other, which the clients' ids decide.
    for _ in 0..20 {
        let (base_state, ours_state) = states("a\n", "a word\n");
        let mut theirs = replica(&base_state).unwrap();
        theirs.edit("a word\n");
        for typed in ["a word more\n", "a sword\n", "a wo-rd\n", "a rd\n", "a\n"] {
            let mut main = replica(&ours_state).unwrap();
            let ours = main.rope().clone();
            main.edit(typed);
            let base = Rope::from_str("a\n");
            let update = take_once(&base, &ours, &main, &theirs).unwrap();
            main.apply(&theirs.state()).unwrap();
            update.into_iter().for_each(|new| main.apply(&new).unwrap());
            assert_eq!(main.text(), typed);
        }
    }
}

#[test]
fn what_is_written_next_to_an_unshared_text_is_merged_as_well() {
    let (base, main) = states("a\n", "others\na\n");
    let mut base = replica(&base).unwrap();
    base.edit("a half\n");
    let merged = merge_disk(&base.state(), &main, "a half more\n").unwrap();
    assert_eq!(merged.main.text(), "others\na more\n");
    assert_eq!(replica(&merged.base).unwrap().text(), "a half more\n");
    let mut other = replica(&main).unwrap();
    other.apply(&merged.update.unwrap()).unwrap();
    assert_eq!(other.text(), "others\na more\n");
}

#[test]
fn a_state_takes_in_what_another_has_besides() {
    let (older, newer) = states("a\nb\n", "b\nc\n");
    for (state, stored, lacks) in [
        (&older, &newer, true),
        (&newer, &older, false),
        (&newer, &newer, false),
    ] {
        let whole = whole(state, stored).unwrap();
        assert_eq!(replica(&whole.state).unwrap().text(), "b\nc\n");
        assert_eq!(whole.lacked.is_some(), lacks);
        let mut apart = replica(state).unwrap();
        if let Some(update) = whole.lacked {
            apart.apply(&update).unwrap();
        }
        assert_eq!(apart.text(), "b\nc\n");
    }
    // A deletion has no number of its own.
    let (older, newer) = states("a\nb\n", "b\n");
    assert!(whole(&older, &newer).unwrap().lacked.is_some());
}

#[test]
fn an_index_takes_in_what_another_has_besides() {
    let doc = index::new_doc(1);
    let roots = Roots::of(&doc);
    let id = |id: &str| id.parse::<DocumentId>().unwrap();
    let put = |name: &str| {
        let entry = FileEntry {
            path: name.into(),
            eol: Eol::Lf,
            executable: false,
            created_at: 0,
            created_by: "Ada".into(),
            blob: None,
        };
        index::insert(&mut doc.transact_mut(), &roots, &id(name), &entry);
    };
    let state = || {
        let txn = doc.transact();
        txn.encode_state_as_update_v1(&StateVector::default())
    };
    put("a");
    let older = state();
    put("b");
    index::remove(&mut doc.transact_mut(), &roots, &id("a"));
    let newer = state();
    for (state, stored, lacks) in [(&older, &newer, true), (&newer, &older, false)] {
        let whole = whole(state, stored).unwrap();
        let both = replica(&whole.state).unwrap();
        Roots::of(both.doc());
        let entries = index::entries(&both.doc().transact());
        assert_eq!(entries.into_keys().collect::<Vec<_>>(), [id("b")]);
        assert_eq!(whole.lacked.is_some(), lacks);
    }
}
