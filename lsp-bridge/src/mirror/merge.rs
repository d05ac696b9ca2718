//! A change made on disk, merged into the document as operations.

use ropey::Rope;
use tutti_engine::diff::{diff, diff_lines};
use tutti_engine::patch::{Patch, Side, Splice};
use tutti_engine::{BadUpdate, Replica};
use yrs::updates::encoder::Encode;
use yrs::{ReadTxn, Transact};

use super::beside::{Likeness, beside, chars, kept_where_changed, whole_where_deleted};
use super::same_lines::brought_once;

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
    let ours = changes(base.rope(), &Rope::from_str(disk));
    let theirs = changes(base.rope(), main.rope());
    if theirs.is_empty() && !ours.is_empty() {
        // The same text, and perhaps not the same characters: who has deleted a line and somebody
        // else written it anew. What goes now is what is there.
        let update = main.splice(&ours);
        let (update, base) = (Some(update), main.state());
        return Ok(Merged { update, main, base });
    }
    let ours = whole_where_deleted(base.rope(), &ours, &theirs);
    let ours = kept_where_changed(base.rope(), &ours, &theirs);
    let once = brought_once(base.rope(), &ours, &theirs);
    let is_brought = once != ours;
    let beside = beside(&once, &theirs, Likeness::Continued);
    let update = if beside.left.is_empty() {
        None
    } else if is_part(&base, &main) && !beside.meets && !is_brought {
        let update = base.splice(&beside.left);
        main.apply(&update)?;
        Some(update)
    } else {
        // An editor saved what stands nowhere else, such as half of an edit: the document could not
        // place what is written next to that. What goes on behind their text must stay there; and of a
        // line beside which they have written one like it, they may have kept other letters.
        base.splice(&beside.left);
        Some(main.splice(&beside.in_theirs))
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

/// The changes from one text to another. An insertion that could as well stand further to the right,
/// since what it passes is what it begins with, stands there: so the same change looks the same
/// beside whatever else has changed. Whole lines pass whole lines.
fn changes(from: &Rope, to: &Rope) -> Patch {
    let patch = diff_lines(from, to);
    let mut out = Patch::default();
    for (number, splice) in patch.splices().iter().enumerate() {
        let mut splice = splice.clone();
        let next = patch.splices().get(number + 1);
        let limit = next.map_or(from.len_chars(), |next| next.at.saturating_sub(1));
        while splice.delete == 0
            && let Some(passed) = passed(from, &splice)
            && splice.at + chars(&passed).len() <= limit
        {
            splice.insert.drain(..passed.len());
            splice.insert.push_str(&passed);
            splice.at += chars(&passed).len();
        }
        out.push(splice);
    }
    out
}

/// What an insertion begins with that stands behind its place as well: a character, or a line if it
/// inserts whole lines.
fn passed(text: &Rope, insertion: &Splice) -> Option<String> {
    let at = insertion.at;
    let begins = at == 0 || text.char(at - 1) == '\n';
    let next = match begins && insertion.insert.ends_with('\n') {
        true => text.line(text.char_to_line(at)).to_string(),
        false => text.get_char(at)?.to_string(),
    };
    (!next.is_empty() && insertion.insert.starts_with(&next)).then_some(next)
}

/// What an editor's `text`, made out of `base`, has beyond what `main` has made of it, as an update
/// of `main`. `None` if the two have no change in common.
pub(crate) fn what_is_new(base: &Replica, main: &Replica, text: &Rope) -> Option<Option<Vec<u8>>> {
    let ours = changes(base.rope(), text);
    let theirs = changes(base.rope(), main.rope());
    let beside = beside(&ours, &theirs, Likeness::Exchanged);
    let is_new = !beside.left.is_empty();
    let new = is_new.then(|| main.fork(new_client_id()).splice(&beside.in_theirs));
    (beside.left != ours).then_some(new)
}

/// What of `main` an editor shows whose text is `text`; `None` if that is not `main` without some of its
/// characters.
pub(crate) fn shown_of(main: &Replica, text: &Rope) -> Option<Replica> {
    let lacks = diff(main.rope(), text);
    let is_part = lacks
        .splices()
        .iter()
        .all(|splice| splice.insert.is_empty());
    is_part.then(|| {
        let mut shown = main.fork(new_client_id());
        shown.splice(&lacks);
        shown
    })
}

/// The same of what [`merge_disk`] has taken into `main`, where it is known what stands for the text.
pub(crate) fn shown_by(
    main: &Replica,
    base: &[u8],
    text: &Rope,
) -> Result<Option<Replica>, BadUpdate> {
    let base = replica(base)?;
    // Else letters that happen to be the same pass for each other.
    match base.rope() == text && is_part(&base, main) {
        true => Ok(Some(base)),
        false => Ok(shown_of(main, text)),
    }
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
    let to_ours = changes(base, ours);
    let to_theirs = changes(base, theirs.rope());
    let beside = beside(&to_ours, &to_theirs, Likeness::Exchanged);
    if beside.left == to_ours {
        return Ok(None);
    }
    let mut text = theirs.rope().clone();
    beside.in_theirs.apply(&mut text);
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
}
