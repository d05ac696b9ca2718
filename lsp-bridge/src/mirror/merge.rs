//! A change made on disk, merged into the document as operations.

use ropey::Rope;
use tutti_engine::diff::diff;
use tutti_engine::patch::{Patch, Side, Splice};
use tutti_engine::{BadUpdate, Replica};
use yrs::updates::encoder::Encode;
use yrs::{ReadTxn, Transact};

/// The outcome of [`merge_disk`].
#[derive(Debug)]
pub(crate) struct Merged {
    /// What the document lacked; `None` if it had everything.
    pub(crate) update: Option<Vec<u8>>,
    /// The document with it.
    pub(crate) main: Replica,
    /// The state that the disk's text stands for now.
    pub(crate) base: Vec<u8>,
}

/// A state, made whole by what another copy of the same document has besides.
pub(crate) struct Whole {
    /// What both have.
    pub(crate) state: Vec<u8>,
    /// What the first lacked, as an update; `None` if it had everything.
    pub(crate) lacked: Option<Vec<u8>>,
}

/// Adds what `stored` has besides to `state`.
pub(crate) fn whole(state: &[u8], stored: &[u8]) -> Result<Whole, BadUpdate> {
    // Most states are stored as they come.
    if state == stored {
        let state = state.to_vec();
        return Ok(Whole {
            state,
            lacked: None,
        });
    }
    let mut replica = replica(state)?;
    let before = replica.doc().transact().snapshot();
    replica.apply(stored)?;
    let lacked = (replica.doc().transact().snapshot() != before)
        .then(|| replica.diff(&before.state_map.encode_v1()));
    Ok(Whole {
        state: replica.state(),
        lacked: lacked.transpose()?,
    })
}

/// A replica of `state` that may write.
///
/// The client id is drawn anew each time, since one that was used before could have written other
/// operations under the same clock.
pub(crate) fn replica(state: &[u8]) -> Result<Replica, BadUpdate> {
    Replica::from_state(new_client_id(), state)
}

/// 32 bits, as Yjs draws them.
pub(crate) fn new_client_id() -> u64 {
    u64::from(fastrand::u32(1..))
}

/// Merges `disk`, which another program has made out of the text of `base`, into `main`.
///
/// An edit that the document has already, at the same place of the same base, is taken once: the
/// text of an open file reaches both the document and, when it is saved, the disk.
pub(crate) fn merge_disk(base: &[u8], main: &[u8], disk: &str) -> Result<Merged, BadUpdate> {
    let mut base = replica(base)?;
    let mut main = replica(main)?;
    let ours = diff(base.rope(), &Rope::from_str(disk));
    let theirs = diff(base.rope(), main.rope());
    let (ours, goes_on) = without_shared(&ours, &theirs);
    let update = if ours.is_empty() {
        None
    } else if is_part(&base, &main) && !goes_on {
        let update = base.splice(&ours);
        main.apply(&update)?;
        Some(update)
    } else {
        // An editor saved what stands nowhere else, such as half of an edit: the document could not
        // place what is written next to that. And what goes on behind their text must stay there.
        base.splice(&ours);
        Some(main.splice(&ours.rebase(&theirs, Side::After)))
    };
    let base = base.state();
    Ok(Merged { update, main, base })
}

/// Whether every character of `base` is known to `main`.
fn is_part(base: &Replica, main: &Replica) -> bool {
    let main = main.doc().transact().state_vector();
    let base = base.doc().transact().state_vector();
    base.iter()
        .all(|(client, clock)| main.get(client) >= *clock)
}

/// How much of a splice another patch of the same text does as well.
enum Shared {
    Nothing,
    All,
    /// Its beginning; this goes on behind it.
    Start(Splice),
}

fn shared(splice: &Splice, theirs: &Patch) -> Shared {
    let same_place = |other: &&Splice| other.at == splice.at && other.delete == splice.delete;
    let Some(other) = theirs.splices().iter().find(same_place) else {
        return Shared::Nothing;
    };
    if other.insert.starts_with(&splice.insert) {
        return Shared::All;
    }
    match splice.insert.strip_prefix(&other.insert) {
        Some(rest) if !other.insert.is_empty() => Shared::Start(Splice {
            at: splice.end(),
            delete: 0,
            insert: rest.to_owned(),
        }),
        _ => Shared::Nothing,
    }
}

/// What of `ours` is left beside `theirs`, and whether some of that goes on behind an insertion of
/// theirs.
fn without_shared(ours: &Patch, theirs: &Patch) -> (Patch, bool) {
    let (mut left, mut goes_on) = (Patch::default(), false);
    for splice in ours.splices() {
        match shared(splice, theirs) {
            Shared::Nothing => left.push(splice.clone()),
            Shared::All => {}
            Shared::Start(rest) => {
                left.push(rest);
                goes_on = true;
            }
        }
    }
    (left, goes_on)
}

/// What an editor's `text`, made out of `base`, has beyond what `main` has made of it, as an update
/// of `main`. `None` if the two have no change in common.
pub(crate) fn what_is_new(base: &Replica, main: &Replica, text: &Rope) -> Option<Option<Vec<u8>>> {
    let (ours, theirs) = (diff(base.rope(), text), diff(base.rope(), main.rope()));
    let (left, _) = without_shared(&ours, &theirs);
    let new = (!left.is_empty()).then(|| {
        let patch = left.rebase(&theirs, Side::After);
        main.fork(new_client_id()).splice(&patch)
    });
    (left != ours).then_some(new)
}

/// Makes one of what `ours` and `theirs` have both made out of `base`, each in its own characters:
/// an update for who has `main`, which ours has become since, and theirs. `None` if there is
/// nothing of that kind.
///
/// What was written next to the one stands next to the other then. No order of characters yields
/// that by itself, so it is the texts that are merged.
pub(crate) fn take_once(
    base: &Rope,
    ours: &Rope,
    main: &Replica,
    theirs: &Replica,
) -> Result<Option<Vec<u8>>, BadUpdate> {
    let to_ours = diff(base, ours);
    let to_theirs = diff(base, theirs.rope());
    let (left, _) = without_shared(&to_ours, &to_theirs);
    if left == to_ours {
        return Ok(None);
    }
    let mut text = theirs.rope().clone();
    left.rebase(&to_theirs, Side::After).apply(&mut text);
    let since = diff(ours, main.rope()).rebase(&diff(ours, &text), Side::After);
    since.apply(&mut text);
    let mut met = main.fork(new_client_id());
    met.apply(&theirs.state())?;
    let patch = diff(met.rope(), &text);
    Ok((!patch.is_empty()).then(|| met.splice(&patch)))
}

/// Two updates in one.
pub(crate) fn both(one: &[u8], other: &[u8]) -> Vec<u8> {
    let merged = yrs::merge_updates_v1([one, other]);
    merged.expect("two updates that were made here")
}

#[cfg(test)]
mod tests {
    use tutti_protocol::ids::DocumentId;
    use tutti_protocol::index::{self, Eol, FILES, FileEntry};
    use yrs::StateVector;

    use super::*;

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
            // The same edit on both sides is taken once, also where one of them went on.
            ("a\n", "a\nhello\n", "a\nhello\n", "a\nhello\n"),
            ("a", "a hello", "a hel", "a hello"),
            ("a\n", "a hel\n", "a hello\n", "a hello\n"),
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
        let files = doc.get_or_insert_map(FILES);
        let id = |id: &str| id.parse::<DocumentId>().unwrap();
        let put = |name: &str| {
            let entry = FileEntry {
                path: name.into(),
                eol: Eol::Lf,
                executable: false,
                created_at: 0,
                created_by: "Ada".into(),
            };
            index::insert(&mut doc.transact_mut(), &files, &id(name), &entry);
        };
        let state = || {
            let txn = doc.transact();
            txn.encode_state_as_update_v1(&StateVector::default())
        };
        put("a");
        let older = state();
        put("b");
        index::remove(&mut doc.transact_mut(), &files, &id("a"));
        let newer = state();
        for (state, stored, lacks) in [(&older, &newer, true), (&newer, &older, false)] {
            let whole = whole(state, stored).unwrap();
            let both = replica(&whole.state).unwrap();
            both.doc().get_or_insert_map(FILES);
            let entries = index::entries(&both.doc().transact());
            assert_eq!(entries.into_keys().collect::<Vec<_>>(), [id("b")]);
            assert_eq!(whole.lacked.is_some(), lacks);
        }
    }
}
