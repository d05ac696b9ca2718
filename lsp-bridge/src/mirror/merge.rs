//! A change made on disk, merged into the document as operations.

use ropey::Rope;
use tutti_engine::diff::{diff, diff_lines};
use tutti_engine::patch::{Patch, Side, Splice};
use tutti_engine::{BadUpdate, Replica, merge_lines};
use yrs::updates::encoder::Encode;
use yrs::{ReadTxn, Transact};

use super::alike_edits;
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
        let update = alike_edits::write(&mut main, &ours)?;
        let (update, base) = (Some(update), main.state());
        return Ok(Merged { update, main, base });
    }
    // They have taken over what the other program has, perhaps, and gone on.
    let by_lines = merge_lines(&base.text(), disk, &main.text());
    if let Some(merge) = by_lines.filter(|merge| merge.is_shared) {
        let patch = diff_lines(main.rope(), &Rope::from_str(&merge.text));
        let is_new = !patch.is_empty();
        let update = is_new
            .then(|| alike_edits::write(&mut main, &patch))
            .transpose()?;
        base.splice(&ours);
        let base = base.state();
        return Ok(Merged { update, main, base });
    }
    let ours = whole_where_deleted(base.rope(), &ours, &theirs);
    let ours = kept_where_changed(base.rope(), &ours, &theirs);
    let once = brought_once(base.rope(), &ours, &theirs);
    let is_brought = once != ours;
    let beside = beside(&once, &theirs, Likeness::Continued);
    let mut update = None;
    if !beside.left.is_empty() {
        let is_part = is_part(&base, &main);
        let by_characters = alike_edits::write(&mut base, &beside.left)?;
        let mut text = main.rope().clone();
        beside.in_theirs.apply(&mut text);
        // An editor saved what stands nowhere else, such as half of an edit: the document could not
        // place what is written next to that. What goes on behind their text must stay there; of a
        // line beside which they have written one like it, they may have kept other letters; and of
        // one that they have made another of, letters would be left.
        update = if is_part
            && !beside.meets
            && !is_brought
            && let Some(both) = with(&main, &by_characters, &text)?
        {
            main = both;
            Some(by_characters)
        } else {
            Some(alike_edits::write(&mut main, &beside.in_theirs)?)
        };
    }
    let base = base.state();
    Ok(Merged { update, main, base })
}

/// `main` with an update, if that makes this text of it.
fn with(main: &Replica, update: &[u8], text: &Rope) -> Result<Option<Replica>, BadUpdate> {
    let mut both = main.fork(new_client_id());
    both.apply(update)?;
    Ok((both.rope() == text).then_some(both))
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
mod tests;
