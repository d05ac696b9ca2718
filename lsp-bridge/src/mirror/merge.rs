//! A change made on disk, merged into the document as operations.

use ropey::Rope;
use tutti_engine::diff::diff;
use tutti_engine::patch::{Patch, Splice};
use tutti_engine::{BadUpdate, Replica};

/// The outcome of [`merge_disk`].
#[derive(Debug)]
pub(crate) struct Merged {
    /// What the document lacked; `None` if it had everything.
    pub(crate) update: Option<Vec<u8>>,
    /// The document with it.
    pub(crate) main: Replica,
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
    if ours.is_empty() {
        return Ok(Merged { update: None, main });
    }
    let update = base.splice(&ours);
    main.apply(&update)?;
    Ok(Merged {
        update: Some(update),
        main,
    })
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
}
