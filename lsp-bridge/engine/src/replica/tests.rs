//! The items against yrs itself: whatever is written, wherever, both show one text.

use yrs::{GetString, Text as _, TextRef};

use super::*;

const LETTERS: [char; 5] = ['a', 'b', '\n', 'é', '😀'];

fn content(doc: &Doc) -> TextRef {
    doc.get_or_insert_text(wire::CONTENT)
}

fn in_yrs(doc: &Doc) -> String {
    content(doc).get_string(&doc.transact())
}

/// A patch of up to three places.
fn random_patch(rng: &mut fastrand::Rng, length: usize) -> Patch {
    let mut patch = Patch::default();
    let mut at = 0;
    for _ in 0..rng.usize(1..=3) {
        at += rng.usize(0..=length - at);
        let delete = rng.usize(0..=(length - at).min(4));
        let count = rng.usize(0..4);
        let insert = std::iter::repeat_with(|| *rng.choice(&LETTERS).unwrap());
        patch.push(crate::patch::Splice {
            at,
            delete,
            insert: insert.take(count).collect(),
        });
        at += delete;
        if at == length {
            break;
        }
        at += 1;
    }
    patch
}

/// A writer that knows nothing of our items: yrs by itself.
struct Stock(Doc);

impl Stock {
    fn new(client: u64) -> Self {
        let mut options = Options::with_client_id(ClientID::new(client));
        options.offset_kind = OffsetKind::Utf16;
        Self(Doc::with_options(options))
    }

    fn apply(&self, update: &[u8]) {
        let update = Update::decode_v1(update).unwrap();
        self.0.transact_mut().apply_update(update).unwrap();
    }

    /// Also in the middle of a surrogate pair, if `tears`.
    fn write(&self, rng: &mut fastrand::Rng, tears: bool) -> Vec<u8> {
        let text = content(&self.0);
        let mut txn = self.0.transact_mut();
        let letters: Vec<u16> = text.get_string(&txn).encode_utf16().collect();
        let whole = |mut at: usize| {
            if !tears
                && letters
                    .get(at)
                    .is_some_and(|unit| (0xdc00..0xe000).contains(unit))
            {
                at -= 1;
            }
            at
        };
        let from = whole(rng.usize(0..=letters.len()));
        let to = whole(rng.usize(from..=(from + 4).min(letters.len()))).max(from);
        text.remove_range(&mut txn, from as u32, (to - from) as u32);
        for _ in 0..rng.usize(0..3) {
            let letter = rng.choice(&LETTERS).unwrap().to_string();
            text.insert(&mut txn, from as u32, &letter);
        }
        txn.encode_update_v1()
    }
}

/// Three of ours and one of yrs write at once; updates arrive late, and out of order.
fn all_agree(seed: u64, tears: bool) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut ours = [Replica::new(10), Replica::new(2), Replica::new(33)];
    let stock = Stock::new(5);
    let mut late: Vec<(usize, Vec<u8>)> = Vec::new();
    for _ in 0..rng.usize(5..80) {
        let writer = rng.usize(0..4);
        let update = if let Some(replica) = ours.get_mut(writer) {
            let patch = random_patch(&mut rng, replica.rope().len_chars());
            replica.splice(&patch)
        } else {
            stock.write(&mut rng, tears)
        };
        late.extend(
            (0..4)
                .filter(|reader| *reader != writer)
                .map(|to| (to, update.clone())),
        );
        while rng.u8(0..4) > 0 && !late.is_empty() {
            let (reader, update) = late.swap_remove(rng.usize(0..late.len()));
            match ours.get_mut(reader) {
                Some(replica) => replica.apply(&update).unwrap(),
                // yrs by itself cuts pairs while updates wait for each other.
                None if tears => late.push((reader, update)),
                None => stock.apply(&update),
            }
            if let Some(replica) = ours.get(reader) {
                assert_eq!(replica.text(), in_yrs(replica.doc()), "seed {seed}");
            }
        }
    }
    let mut states: Vec<Vec<u8>> = ours.iter().map(Replica::state).collect();
    states.push(stock.0.transact().encode_diff_v1(&StateVector::default()));
    for replica in &mut ours {
        for state in &states {
            replica.apply(state).unwrap();
        }
        assert_eq!(replica.text(), in_yrs(replica.doc()), "seed {seed}");
        assert!(replica.waiting.is_empty(), "seed {seed}");
        let copy = Replica::from_state(7, &replica.state()).unwrap();
        assert_eq!(copy.text(), replica.text(), "seed {seed}, from its state");
    }
    assert_eq!(ours[0].text(), ours[1].text(), "seed {seed}");
    assert_eq!(ours[0].text(), ours[2].text(), "seed {seed}");
}

#[test]
fn the_items_agree_with_yrs() {
    for seed in 0..600 {
        all_agree(seed, false);
    }
}

#[test]
fn a_pair_that_somebody_cuts_is_cut_everywhere() {
    for seed in 0..200 {
        all_agree(seed, true);
    }
}

#[test]
fn garbage_is_refused_and_changes_nothing() {
    let mut replica = Replica::new(1);
    replica.edit("kept");
    assert!(replica.apply(b"\xff\xff\xff garbage").is_err());
    assert!(replica.diff(b"\xff\xff").is_err());
    assert_eq!(replica.text(), "kept");
}

#[test]
fn an_update_waits_for_what_it_builds_upon() {
    let mut writer = Replica::new(1);
    let updates = ["a", "ab", "ab!", "b!"].map(|text| writer.edit(text));
    let mut reader = Replica::new(2);
    for update in updates.iter().skip(1).rev() {
        reader.apply(update).unwrap();
        assert_eq!(reader.text(), "");
    }
    reader.apply(&updates[0]).unwrap();
    assert_eq!(reader.text(), "b!");
}

#[test]
fn what_is_written_as_somebody_else_is_theirs_with_everyone() {
    let (mut writer, mut reader) = (Replica::new(1), Replica::new(2));
    for update in [
        writer.splice(&Patch::single(0, 0, "mine ")),
        writer.splice_as(7, &Patch::single(5, 0, "theirs")),
    ] {
        reader.apply(&update).unwrap();
    }
    assert_eq!(reader.text(), "mine theirs");
    let written = reader.doc().transact().state_vector();
    assert_eq!(written.get(&ClientID::new(1)), 5);
    assert_eq!(written.get(&ClientID::new(7)), 6);
}

/// What an editor shows, kept up step by step while it and others write.
#[test]
fn the_shown_text_follows_by_steps() {
    for seed in 0..400u64 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut replica = Replica::new(1);
        let mut other = Replica::new(2);
        other.edit("some text 😀\n");
        replica.apply(&other.state()).unwrap();
        replica.begin_showing(None);
        let mut shown = replica.shown().clone();
        for _ in 0..40 {
            let patch = random_patch(&mut rng, other.rope().len_chars());
            let update = other.splice(&patch);
            if rng.bool() {
                replica.apply(&update).unwrap();
            }
            // The person types before the steps that are under way have landed.
            let steps = replica.ahead();
            let patch = random_patch(&mut rng, shown.len_chars());
            let (update, _) = replica.type_in(99, &patch);
            patch.apply(&mut shown);
            other.apply(&update).unwrap();
            assert_eq!(*replica.shown(), shown, "seed {seed}");
            for step in &steps {
                let patch = replica.land(&step.marks);
                patch.apply(&mut shown);
                assert_eq!(*replica.shown(), shown, "seed {seed}");
            }
        }
        replica.apply(&other.state()).unwrap();
        let mut whole = Patch::default();
        for step in replica.ahead() {
            whole.push(step.splice);
        }
        whole.apply(&mut shown);
        assert_eq!(shown, *replica.rope(), "seed {seed}");
        assert_eq!(replica.text(), in_yrs(replica.doc()), "seed {seed}");
    }
}

/// An update with a hole over what is known already says nothing new about that; over what is not
/// known it has to wait for it.
#[test]
fn a_hole_over_what_is_known_is_none() {
    let mut writer = Replica::new(1);
    let start = writer.state();
    let letters = ["a", "ab", "abc"].map(|text| writer.edit(text));
    let holey = yrs::merge_updates_v1([&letters[0], &letters[2]]).unwrap();
    for (known, expected) in [(2, "abc"), (1, "a")] {
        let mut reader = Replica::from_state(2, &start).unwrap();
        for letter in &letters[..known] {
            reader.apply(letter).unwrap();
        }
        reader.apply(&holey).unwrap();
        assert_eq!(reader.text(), expected);
        reader.apply(&letters[1]).unwrap();
        assert_eq!(reader.text(), "abc");
    }
}

/// What has to be kept for undo is counted: every place, and all the text.
#[test]
fn an_edit_is_as_large_as_what_it_holds() {
    let mut replica = Replica::new(1);
    replica.edit(&"a ".repeat(1_000));
    replica.begin_showing(None);
    let mut patch = Patch::default();
    for at in 0..1_000 {
        let insert = "x".to_owned();
        let delete = 0;
        patch.push(crate::patch::Splice {
            at: 2 * at + 1,
            delete,
            insert,
        });
    }
    let (_, scattered) = replica.type_in(2, &patch);
    let (_, one) = replica.type_in(2, &Patch::single(0, 0, "y"));
    assert!(scattered.size_bytes() > 1_000 * one.size_bytes() / 4);
    assert!(scattered.size_bytes() < 1_000 * one.size_bytes());
    assert!(one.size_bytes() < 1_000, "{}", one.size_bytes());
    // Each run that is gone has a name and a text beside its place.
    let mut patch = Patch::default();
    for at in 0..1_000 {
        let insert = String::new();
        let at = 3 * at + 2;
        patch.push(crate::patch::Splice {
            at,
            delete: 1,
            insert,
        });
    }
    let (_, gone) = replica.type_in(2, &patch);
    let names = 1_000 * size_of::<yrs::ID>();
    assert!(gone.size_bytes() > scattered.size_bytes() + names);
    assert!(gone.size_bytes() < 2 * scattered.size_bytes());
    let length = replica.rope().len_chars();
    let (_, all) = replica.type_in(2, &Patch::single(0, length, ""));
    assert!(all.size_bytes() > length && all.size_bytes() < 200 * length);
}

/// Memory grows with the places at which people write, not with their keys.
#[test]
fn what_is_typed_on_takes_no_more_room_than_a_paste() {
    let mut replica = Replica::new(1);
    replica.edit("()");
    replica.begin_showing(None);
    let before = replica.text.items.all().count();
    for at in 1..=100 {
        replica.type_in(2, &Patch::single(at, 0, "x"));
    }
    // What was there is parted by it.
    assert_eq!(replica.text.items.all().count(), before + 2);
}

/// Each time that one has come, whoever has written it.
#[test]
fn returns_are_kept_back_when_they_come() {
    let mut replica = Replica::new(1);
    replica.edit("ab");
    replica.begin_showing(None);
    replica.keep_back_returns();
    replica.edit("a\rb");
    replica.keep_back_returns();
    assert!(replica.is_shown());
    let mut other = replica.fork(2);
    let update = other.edit("a\rb\r");
    replica.apply(&update).unwrap();
    assert!(!replica.is_shown());
    replica.keep_back_returns();
    assert!(replica.is_shown());
    assert_eq!(replica.shown().to_string(), "ab");
}
