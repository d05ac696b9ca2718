//! Undo of one's own edits at random: beside someone else, and compared with yrs' own undo.

use yrs::undo::{Options, UndoManager};
use yrs::updates::decoder::Decode;
use yrs::{ClientID, Doc, GetString, OffsetKind, ReadTxn, StateVector, Text, Transact, Update};

use super::undo_tests::Desk;
use super::*;
use crate::diff::refine;

/// Steps end where they end: each undo leads to a text that was there before, each redo back again.
#[test]
fn undo_walks_back_and_redo_forth() {
    for seed in 0..1_500 {
        println!("seed {seed}");
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut ada = Desk::open(3, "a😀bc");
        let mut texts = vec!["a😀bc".to_owned()];
        let mut at = 0;
        for _ in 0..rng.usize(1..30) {
            ada.now += rng.u64(0..700);
            let length = ada.text.len_chars();
            at = if rng.u8(0..3) == 0 {
                rng.usize(0..=length)
            } else {
                at.saturating_sub(rng.usize(0..3))
            };
            let delete = rng.usize(0..=(length - at).min(3));
            let insert = *rng.choice(&["", "x", "yz", "𝄞"]).unwrap();
            if delete > 0 || !insert.is_empty() {
                ada.replace(at, delete, insert);
                texts.push(ada.text.to_string());
            }
            at += insert.chars().count();
        }
        let mut way = vec![texts.len() - 1];
        while ada.undo() {
            let newest = way[way.len() - 1];
            let found = texts[..newest].iter().rposition(|text| ada.text == *text);
            let found = found.unwrap_or_else(|| panic!("seed {seed}: {} is new", ada.text));
            way.push(found);
        }
        assert_eq!(ada.text, texts[0], "seed {seed}");
        for step in way.iter().rev().skip(1) {
            assert!(ada.redo(), "seed {seed}");
            assert_eq!(ada.text, texts[*step], "seed {seed}");
        }
        assert!(!ada.redo(), "seed {seed}");
    }
}

/// One person of two undoes at random while both write, and everything at the end. What the other
/// typed stays, and what was deleted of it comes back.
#[test]
fn nothing_is_left_of_one_and_nothing_is_missing_of_the_other() {
    for seed in 0..400 {
        println!("seed {seed}");
        let mut rng = fastrand::Rng::with_seed(seed);
        let start: String = ('a'..'k').collect();
        let mut desks = [Desk::open(3, &start), Desk::open(4, &start)];
        let mut next = ['\u{4e00}', '\u{20000}'];
        // What the second person deleted is theirs to delete.
        let mut deleted = Vec::new();
        let mut heard = [0, 0];
        for _ in 0..rng.usize(5..60) {
            let who = rng.usize(0..2);
            let desk = &mut desks[who];
            desk.is_slow = rng.u8(0..4) == 0;
            desk.now += rng.u64(0..900);
            match rng.u8(0..6) {
                0 if who == 0 => drop(desk.undo()),
                1 if who == 0 => drop(desk.redo()),
                2 => desk.obey(),
                _ => {
                    let at = rng.usize(0..=desk.text.len_chars());
                    let delete = rng.usize(0..=(desk.text.len_chars() - at).min(3));
                    let insert: String = (0..rng.usize(0..4))
                        .map(|_| {
                            let letter = next[who];
                            next[who] = char::from_u32(letter as u32 + 1).unwrap();
                            letter
                        })
                        .collect();
                    if who == 1 {
                        deleted.extend(desk.text.slice(at..at + delete).chars());
                    }
                    desk.replace(at, delete, &insert);
                }
            }
            while rng.bool() {
                hear(&mut desks, &mut heard, rng.usize(0..2));
            }
        }
        while desks[0].undo() {}
        for desk in &mut desks {
            desk.is_slow = false;
            desk.obey();
        }
        for who in [0, 1] {
            while hear(&mut desks, &mut heard, who) {}
        }
        // What has only now been heard of was undone as well.
        while desks[0].undo() {}
        while hear(&mut desks, &mut heard, 1) {}
        let text = desks[0].text.to_string();
        desks[0].shows(&text);
        desks[1].shows(&text);
        let count = |letter: char| text.chars().filter(|other| *other == letter).count();
        for letter in '\u{4e00}'..next[0] {
            assert_eq!(count(letter), 0, "seed {seed}: {letter} in {text}");
        }
        for letter in start.chars().chain('\u{20000}'..next[1]) {
            let is_deleted = deleted.contains(&letter);
            let count = count(letter);
            assert!(
                count == 1 || is_deleted && count == 0,
                "seed {seed}: {letter} {count} times in {text}"
            );
        }
    }
}

/// The next thing that the other has sent arrives; whether there was any.
fn hear(desks: &mut [Desk; 2], heard: &mut [usize; 2], who: usize) -> bool {
    let Some(update) = desks[1 - who].sent.get(heard[who]).cloned() else {
        return false;
    };
    heard[who] += 1;
    desks[who].handle(Event::Remote { update });
    true
}

/// A person whose document is yrs' own, with its own undo.
struct Stock {
    doc: Doc,
    undo: UndoManager<()>,
}

const MINE: &str = "mine";

impl Stock {
    fn new(text: &str) -> Self {
        let mut options = yrs::Options::with_client_id(ClientID::new(3));
        options.offset_kind = OffsetKind::Utf16;
        let doc = Doc::with_options(options);
        let content = doc.get_or_insert_text("content");
        let state = {
            let mut start = Replica::new(1);
            start.edit(text)
        };
        doc.transact_mut()
            .apply_update(Update::decode_v1(&state).unwrap())
            .unwrap();
        let mut undo = UndoManager::with_options(Options::default());
        undo.expand_scope(&doc, &content);
        undo.include_origin(MINE);
        Self { doc, undo }
    }

    fn text(&self) -> String {
        let content = self.doc.get_or_insert_text("content");
        content.get_string(&self.doc.transact())
    }

    fn replace(&mut self, at: usize, delete: usize, insert: &str) {
        self.undo.reset();
        let rope = Rope::from_str(&self.text());
        let content = self.doc.get_or_insert_text("content");
        let mut txn = self.doc.transact_mut_with(MINE);
        // Only what really changes is a change, as for the engine.
        let patch = refine(&rope, &Patch::single(at, delete, insert));
        for splice in patch.splices().iter().rev() {
            let from = rope.char_to_utf16_cu(splice.at) as u32;
            let to = rope.char_to_utf16_cu(splice.end()) as u32;
            content.remove_range(&mut txn, from, to - from);
            content.insert(&mut txn, from, &splice.insert);
        }
    }

    fn others_write(&mut self, patch: &Patch) {
        let state = self.doc.transact().encode_diff_v1(&StateVector::default());
        let update = Replica::from_state(99, &state).unwrap().splice(patch);
        let update = Update::decode_v1(&update).unwrap();
        self.doc.transact_mut().apply_update(update).unwrap();
    }
}

/// Our undo does what yrs' own does, to the letter: while people write, and then, step by step. (Of
/// text that comes back in pieces, again and again, yrs' loses sight.)
#[test]
fn undo_is_that_of_yjs() {
    for seed in 0..300 {
        println!("seed {seed}");
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut ada = Desk::open(3, "a😀bc");
        let mut stock = Stock::new("a😀bc");
        for step in 0..rng.usize(3..40) {
            ada.pause();
            let length = ada.text.len_chars();
            let at = rng.usize(0..=length);
            let delete = rng.usize(0..=(length - at).min(4));
            let insert = *rng.choice(&["x", "yz", "𝄞", "uvw"]).unwrap();
            if rng.u8(0..3) == 0 {
                let patch = Patch::single(at, delete, insert);
                stock.others_write(&patch);
                let update = ada.document.main().fork(99).splice(&patch);
                ada.handle(Event::Remote { update });
            } else {
                stock.replace(at, delete, insert);
                ada.replace(at, delete, insert);
            }
            assert_eq!(ada.text.to_string(), stock.text(), "seed {seed}, {step}");
        }
        let mut is_left = true;
        while is_left {
            is_left = ada.undo();
            assert_eq!(is_left, stock.undo.undo_blocking(), "seed {seed}");
            assert_eq!(ada.text.to_string(), stock.text(), "seed {seed}");
        }
        is_left = true;
        while is_left {
            is_left = ada.redo();
            assert_eq!(is_left, stock.undo.redo_blocking(), "seed {seed}");
            assert_eq!(ada.text.to_string(), stock.text(), "seed {seed}");
        }
    }
}
