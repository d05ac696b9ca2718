use yrs::updates::decoder::Decode;
use yrs::{Array, GetString, Map, Text, Transact, Update};

use super::*;

fn doc(client: u64) -> yrs::Doc {
    tutti_protocol::index::new_doc(client)
}

/// What an edit of `doc` sends.
fn edit(doc: &yrs::Doc, at: u32, text: &str) -> Vec<u8> {
    let content = doc.get_or_insert_text("content");
    let mut txn = doc.transact_mut();
    content.insert(&mut txn, at, text);
    txn.encode_update_v1()
}

fn erase(doc: &yrs::Doc, at: u32, len: u32) -> Vec<u8> {
    let content = doc.get_or_insert_text("content");
    let mut txn = doc.transact_mut();
    content.remove_range(&mut txn, at, len);
    txn.encode_update_v1()
}

fn apply(doc: &yrs::Doc, update: &[u8]) {
    doc.transact_mut()
        .apply_update(Update::decode_v1(update).unwrap())
        .unwrap();
}

fn text(doc: &yrs::Doc) -> String {
    let content = doc.get_or_insert_text("content");
    content.get_string(&doc.transact())
}

fn everything(doc: &yrs::Doc) -> Vec<u8> {
    doc.transact().encode_diff_v1(&StateVector::default())
}

#[test]
fn every_content_that_yrs_writes_is_walked_over_to_its_end() {
    let doc = doc(1);
    edit(&doc, 0, "héllo 😀");
    erase(&doc, 1, 2);
    let map = doc.get_or_insert_map("map");
    let array = doc.get_or_insert_array("array");
    {
        let mut txn = doc.transact_mut();
        map.insert(&mut txn, "nested", yrs::MapPrelim::from([("k", 1.5)]));
        let deep = yrs::Any::from_json(r#"{"a":[1,-70,null,true,"x",{"b":1e300}]}"#).unwrap();
        map.insert(&mut txn, "any", deep);
        array.push_back(&mut txn, vec![1u8, 2, 3]);
        array.push_back(&mut txn, yrs::TextPrelim::new("inner"));
        let content = yrs::WriteTxn::get_or_insert_text(&mut txn, "content");
        let bold = yrs::types::Attrs::from([("b".into(), true.into())]);
        content.format(&mut txn, 0, 2, bold);
        let fragment = yrs::WriteTxn::get_or_insert_xml_fragment(&mut txn, "xml");
        let element = yrs::XmlElementPrelim::empty("div");
        yrs::XmlFragment::push_back(&fragment, &mut txn, element);
        array.push_back(&mut txn, yrs::Doc::new());
    }
    let update = everything(&doc);
    let scanned = scan(&update).unwrap();
    let end = scanned.structs().map(|(_, piece)| piece.end()).max();
    let vector = doc.transact().state_vector();
    assert_eq!(end, clocks(&vector).get(&1).copied());
    assert!(matches!(scanned.split(&mut Clocks::new()), Split::Ready));
    assert!(Contents::of(&doc.transact()).cover(&scanned));
}

#[test]
fn a_part_that_can_be_integrated_does_not_wait_for_the_rest() {
    // Bo has Ada's edit; the server has not.
    let (ada, bo) = (doc(1), doc(2));
    let missed = edit(&ada, 0, "ada");
    let first = edit(&bo, 0, "bo");
    apply(&bo, &missed);
    assert_eq!(text(&bo), "adabo");
    let on_ada = edit(&bo, 3, "!");
    let own = edit(&bo, 6, "?");

    let mut have = Clocks::new();
    let Split::Ready = scan(&first).unwrap().split(&mut have) else {
        panic!()
    };
    let Split::Partly { missing, held, .. } = scan(&on_ada).unwrap().split(&mut have) else {
        panic!()
    };
    assert_eq!((missing, &held), (vec![(1, 2)], &on_ada));
    let Split::Partly { missing, .. } = scan(&own).unwrap().split(&mut have) else {
        panic!()
    };
    assert_eq!(missing, [(2, 2)]);

    // All three in one update: the first is not kept back.
    let both = yrs::merge_updates_v1([&first, &on_ada, &own]).unwrap();
    let Split::Partly { ready, .. } = scan(&both).unwrap().split(&mut Clocks::new()) else {
        panic!()
    };
    let server = doc(9);
    apply(&server, &ready);
    assert_eq!(text(&server), "bo");
    assert!(!server.transact().has_missing_updates());

    // The whole state depends on nothing.
    let Split::Ready = scan(&everything(&bo)).unwrap().split(&mut Clocks::new()) else {
        panic!()
    };
}

#[test]
fn a_gap_in_one_clients_clocks_is_not_jumped() {
    let ada = doc(1);
    edit(&ada, 0, "one ");
    // A map entry depends on nothing but its predecessor's clock.
    let map = ada.get_or_insert_map("map");
    let later = {
        let mut txn = ada.transact_mut();
        map.insert(&mut txn, "k", 1);
        txn.encode_update_v1()
    };
    let mut have = Clocks::new();
    let Split::Partly { missing, ready, .. } = scan(&later).unwrap().split(&mut have) else {
        panic!()
    };
    assert_eq!(missing, [(1, 3)]);
    assert_eq!(ready, EMPTY);
    assert!(have.is_empty());
}

#[test]
fn deletions_wait_for_what_they_delete() {
    let ada = doc(1);
    let first = edit(&ada, 0, "abcdef");
    let second = erase(&ada, 1, 4);
    let Split::Partly {
        ready,
        held,
        missing,
    } = scan(&second).unwrap().split(&mut Clocks::from([(1, 3)]))
    else {
        panic!()
    };
    assert_eq!(missing, [(1, 3)]);
    let ranges = |update: &[u8]| -> Vec<_> { scan(update).unwrap().deletions().collect() };
    assert_eq!(ranges(&ready), [(1, 1..3)]);
    assert_eq!(ranges(&held), [(1, 3..5)]);

    let server = doc(9);
    for update in [&first, &ready, &held] {
        apply(&server, update);
    }
    assert_eq!(text(&server), "af");
}

#[test]
fn parts_in_any_order_make_the_same_document_without_a_hole_on_the_way() {
    for seed in 0..200 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let clients: Vec<_> = (1..=3).map(doc).collect();
        let mut updates: Vec<Vec<u8>> = Vec::new();
        for _ in 0..30 {
            let client = &clients[rng.usize(..3)];
            let len = text(client).encode_utf16().count() as u32;
            updates.push(if len > 3 && rng.u8(..4) == 0 {
                let at = rng.u32(..len - 2);
                erase(client, at, 2)
            } else {
                edit(client, rng.u32(..=len), "ab")
            });
            let (from, to) = (rng.usize(..3), rng.usize(..3));
            apply(&clients[to], &everything(&clients[from]));
        }
        for from in &clients {
            apply(&clients[0], &everything(from));
        }
        rng.shuffle(&mut updates);

        let server = doc(9);
        let mut have = Clocks::new();
        let mut held = updates;
        let mut rounds = 0;
        while !held.is_empty() {
            rounds += 1;
            assert!(rounds < 100, "seed {seed}: no progress");
            held = held
                .into_iter()
                .filter_map(|update| match scan(&update).unwrap().split(&mut have) {
                    Split::Ready => {
                        apply(&server, &update);
                        None
                    }
                    Split::Partly { ready, held, .. } => {
                        apply(&server, &ready);
                        Some(held)
                    }
                })
                .inspect(|_| {
                    assert!(!server.transact().has_missing_updates(), "seed {seed}");
                })
                .collect();
            assert_eq!(
                clocks(&server.transact().state_vector()),
                have,
                "seed {seed}"
            );
        }
        assert_eq!(text(&server), text(&clients[0]), "seed {seed}");
    }
}

#[test]
fn contents_do_not_cover_what_they_lack() {
    let ada = doc(1);
    let first = edit(&ada, 0, "abc");
    let server = doc(9);
    apply(&server, &first);
    let second = edit(&ada, 3, "d");
    let third = erase(&ada, 0, 1);
    let contents = Contents::of(&server.transact());
    assert!(contents.cover(&scan(&first).unwrap()));
    assert!(!contents.cover(&scan(&second).unwrap()));
    assert!(!contents.cover(&scan(&third).unwrap()));
    assert!(contents.cover(&scan(EMPTY).unwrap()));
}

#[test]
fn claims_are_not_believed() {
    let refused: [(&[u8], ScanError); 7] = [
        // 2^28 clients, or structs, or values.
        (&[0xff, 0xff, 0xff, 0x7f], ScanError::Count),
        (&[1, 0xff, 0xff, 0xff, 0x7f, 1, 0, 0, 0], ScanError::Count),
        (
            &[1, 1, 1, 0, 8, 1, 1, b'a', 0xff, 0xff, 0x7f],
            ScanError::Count,
        ),
        // A struct that ends past the last clock.
        (
            &[1, 1, 1, 0xff, 0xff, 0xff, 0xff, 7, 0, 2, 0],
            ScanError::Range,
        ),
        (&[0, 0, 0], ScanError::Trailing),
        (&[2, 1, 1, 0, 0, 1, 1, 1, 0, 0, 1, 0], ScanError::Twice),
        (
            &[1, 1, 1, 0, 2, 1, 1, b'a', 1, 1, b'x', 0],
            ScanError::Content(2),
        ),
    ];
    for (bytes, error) in refused {
        assert_eq!(scan(bytes).unwrap_err(), error, "{bytes:?}");
    }
    // An array in an array in an array …
    let mut deep = vec![1, 1, 1, 0, 8, 1, 1, b'a', 1];
    deep.extend([117, 1].repeat(100_000));
    assert_eq!(scan(&deep).unwrap_err(), ScanError::Depth);
    assert_eq!(
        read_state_vector(&[0xff, 0xff, 0x7f]),
        Err(ScanError::Count)
    );
}

#[test]
fn garbage_is_an_error_and_no_panic() {
    let doc = doc(1);
    edit(&doc, 0, "hello");
    erase(&doc, 1, 2);
    let good = everything(&doc);
    let mut rng = fastrand::Rng::with_seed(7);
    for _ in 0..20_000 {
        let mut bytes = good.clone();
        for _ in 0..rng.usize(1..4) {
            let at = rng.usize(..bytes.len());
            bytes[at] = rng.u8(..);
        }
        bytes.truncate(rng.usize(1..=bytes.len()));
        if let Ok(scanned) = scan(&bytes) {
            scanned.split(&mut Clocks::new());
        }
    }
}
