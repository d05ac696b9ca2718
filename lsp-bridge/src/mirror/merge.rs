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
    let ours = without_shared(&ours, &theirs);
    let update = if ours.is_empty() {
        None
    } else if is_part(&base, &main) {
        let update = base.splice(&ours);
        main.apply(&update)?;
        Some(update)
    } else {
        // An editor saved what stands nowhere else, such as half of an edit: the document could not
        // place what is written next to that.
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

fn without_shared(ours: &Patch, theirs: &Patch) -> Patch {
    let mut left = Patch::default();
    for splice in ours.splices() {
        if !theirs.splices().iter().any(|other| contains(other, splice)) {
            left.push(splice.clone());
        }
    }
    left
}

/// Whether `other` does what `splice` does, and perhaps goes on behind it.
fn contains(other: &Splice, splice: &Splice) -> bool {
    other.at == splice.at
        && other.delete == splice.delete
        && other.insert.starts_with(&splice.insert)
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
