use super::*;

#[test]
fn a_letter_that_stands_elsewhere_is_the_same_letter() {
    // The editor shows "TX", the shared text has "XT" (two insertions at one place).
    let alignment = Alignment::Same.landed(
        &Patch::single(1, 0, "T"),
        &Patch::single(2, 0, "T"),
        &Rope::from_str("aTXb"),
        &Rope::from_str("aXTb"),
    );
    let places: Vec<_> = match &alignment {
        Alignment::Same => unreachable!(),
        Alignment::Mapped(characters) => characters.iter().map(|c| c.place).collect(),
    };
    assert_eq!(places, [Some(0), Some(2), Some(1), Some(3)]);
    let splice = |at, delete, insert: &str| Splice {
        at,
        delete,
        insert: insert.into(),
    };
    // Deleting the T deletes the T.
    let removal = alignment.carry(&splice(1, 1, ""), &Rope::from_str("aXTb"));
    assert_eq!(removal, Patch::single(2, 1, ""));
    // Typing behind the X stays behind the X.
    let typing = alignment.carry(&splice(3, 0, "Y"), &Rope::from_str("aXTb"));
    assert_eq!(typing, Patch::single(2, 0, "Y"));
    // Something in the place of both is where the first of them stood.
    let both = alignment.carry(&splice(1, 2, "Y"), &Rope::from_str("aXTb"));
    assert_eq!(both, Patch::single(1, 2, "Y"));
    let all = alignment.carry(&splice(0, 4, "Y"), &Rope::from_str("aXTb"));
    assert_eq!(all, Patch::single(0, 4, "Y"));
    // The repair moves the T, which is ours.
    let repair = alignment.repair(&Rope::from_str("aTXb"), &Rope::from_str("aXTb"));
    assert_eq!(repair.splices()[0], Patch::single(1, 1, "").splices()[0]);
    assert_eq!(repair.splices()[1], Patch::single(3, 0, "T").splices()[0]);
    let after = alignment.typed(
        &splice(1, 1, ""),
        &removal,
        &Rope::from_str("aXb"),
        &Rope::from_str("aXb"),
    );
    assert!(after.is_same());
}

fn character(place: usize, is_ours: bool) -> Character {
    Character {
        place: Some(place),
        is_ours,
    }
}

/// The editor shows a newline that the text has not, so the two are never the same. Of two equal letters
/// each stood for the other's, and all that was shown between them stood the wrong way round: what was
/// typed there was written behind it.
#[test]
fn equal_letters_that_have_changed_places_have_not() {
    let replica = Rope::from_str("axbx");
    let crossed = [(0, false), (3, false), (2, true), (1, true)];
    let mut characters = crossed
        .map(|(place, is_ours)| character(place, is_ours))
        .to_vec();
    characters.push(Character::unknown(true));
    let alignment = Alignment::Mapped(characters).landed(
        &Patch::default(),
        &Patch::default(),
        &Rope::from_str("axbx\n"),
        &replica,
    );
    let typed = Splice {
        at: 2,
        delete: 0,
        insert: "Y".into(),
    };
    let written = alignment.carry(&typed, &replica);
    assert_eq!(written, Patch::from(typed));
    assert!(alignment.ends_with_nobodys());
}

/// Four letters of ours stand before the person's, and one of them is out of order as well.
#[test]
fn a_repair_leaves_the_persons_letters_where_they_are() {
    let ours = [2, 3, 4, 1].map(|place| character(place, true));
    let characters = ours.into_iter().chain([character(0, false)]).collect();
    let repair =
        Alignment::Mapped(characters).repair(&Rope::from_str("pqrsA"), &Rope::from_str("Aspqr"));
    let mut expected = Patch::single(0, 4, "");
    expected.push(Splice {
        at: 5,
        delete: 0,
        insert: "spqr".into(),
    });
    assert_eq!(repair, expected);
}

/// A deletion of ours has fallen on the `1` that the person typed, and they type on.
#[test]
fn what_is_typed_behind_a_letter_that_fell_stays_behind_it() {
    let characters = vec![character(0, false), character(2, false)];
    let alignment = Alignment::Mapped(characters);
    let typing = Splice {
        at: 1,
        delete: 0,
        insert: "2".into(),
    };
    let replica = Rope::from_str("a1X");
    let written = alignment.carry(&typing, &replica);
    assert_eq!(written, Patch::single(2, 0, "2"));
    let (shown, replica) = (Rope::from_str("a2X"), Rope::from_str("a12X"));
    let after = alignment.typed(&typing, &written, &shown, &replica);
    assert_eq!(after.repair(&shown, &replica), Patch::single(1, 0, "1"));
}

/// The editor shows "aTXb", the shared text has "aXTb", and the person types behind the `T`, which
/// stands wrong. It is the `T` that moves, and not what they type.
#[test]
fn what_is_typed_behind_a_letter_that_stands_wrong_stays_at_the_caret() {
    let ours = Character {
        place: Some(2),
        is_ours: true,
    };
    let characters = [
        character(0, false),
        ours,
        character(1, false),
        character(3, false),
    ];
    let alignment = Alignment::Mapped(characters.to_vec());
    let typing = Splice {
        at: 2,
        delete: 0,
        insert: "12".into(),
    };
    let written = alignment.carry(&typing, &Rope::from_str("aXTb"));
    assert_eq!(written, Patch::single(1, 0, "12"));
    let (shown, replica) = (Rope::from_str("aT12Xb"), Rope::from_str("a12XTb"));
    let after = alignment.typed(&typing, &written, &shown, &replica);
    let mut move_t = Patch::single(1, 1, "");
    move_t.push(Splice {
        at: 5,
        delete: 0,
        insert: "T".into(),
    });
    assert_eq!(after.repair(&shown, &replica), move_t);
}

/// Who deletes the newline that the editor has put there, once it is everyone's, deletes it.
#[test]
fn a_newline_that_has_become_real_can_be_deleted() {
    let characters = vec![
        character(1, true),
        character(0, false),
        Character::unknown(true),
    ];
    let (shown, replica) = (Rope::from_str("TX\n"), Rope::from_str("XT\n"));
    let alignment = Alignment::Mapped(characters.clone()).newline_is_real(&shown, &replica);
    let newline = Splice {
        at: 2,
        delete: 1,
        insert: String::new(),
    };
    assert_eq!(
        alignment.carry(&newline, &replica),
        Patch::from(newline.clone())
    );
    let alignment = Alignment::Mapped(characters).newline_is_real(&shown, &shown);
    assert!(alignment.is_same());
}
