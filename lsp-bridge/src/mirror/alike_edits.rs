//! The same edit, made of the same text by two programs, is one edit.
//!
//! Two people pull the same commit, or run the same formatter, before either has heard of the other. Would
//! each write as somebody of their own, everything that came would stand there twice. So what writes an
//! edit is named by the edit itself: by the characters that it stands between, those that it takes away
//! and those that it brings. Who makes the same one writes the very same characters, and Yjs takes what it
//! knows already for what it is.

use ropey::Rope;
use tutti_engine::patch::Patch;
use tutti_engine::{BadUpdate, DECISIONS, NAMES, Replica};
use yrs::{ClientID, ReadTxn, Transact};

use super::beside::lines_of;
use super::state::hash;

/// Who writes while the name is not known. Nothing that it writes is ever sent or stored.
const NOBODY: u64 = NAMES;

/// Up to so many edits of one text have a name each; each name stays in the document for good.
const MOST_NAMES: usize = 16;

/// Writes `patch`, whose old text must be the replica's, in the name of the edit. What it does in different
/// places are different edits: two that have only some of them in common have these in common. Returns the
/// update.
///
/// # Errors
/// [`BadUpdate`] if the replica cannot be written to.
pub(crate) fn write(replica: &mut Replica, patch: &Patch) -> Result<Vec<u8>, BadUpdate> {
    let known = replica.doc().transact().state_vector();
    let mut nameless = replica.fork(NOBODY);
    let mut updates = Vec::new();
    // From the end, so that no place moves before its turn.
    for edit in edits(replica.rope(), patch).iter().rev() {
        let is_by_nobody = nameless.splice(edit);
        let edit_itself = Replica::nameless(&is_by_nobody)?;
        // An edit that was made once and taken back is made again, and has to have another name.
        let mut names = (0_u32..).map(|time| name(&edit_itself, time));
        let is_new = |name: &u64| known.get(&ClientID::new(*name)) == 0;
        let name = names.find(is_new).unwrap_or(NOBODY + 1);
        updates.push(replica.splice_as(name, edit));
    }
    let merged = yrs::merge_updates_v1(updates.iter().map(Vec::as_slice));
    Ok(merged.expect("updates that were made here"))
}

/// Writes `patch`, which two who have written apart come to, in the name of a decision. Where it only takes away,
/// it leaves a mark, for others to hear of it. Returns the update.
///
/// # Errors
/// [`BadUpdate`] if the replica cannot be written to.
pub(crate) fn write_decision(replica: &mut Replica, patch: &Patch) -> Result<Vec<u8>, BadUpdate> {
    let edit = Replica::nameless(&replica.fork(NOBODY).splice(patch))?;
    let known = replica.doc().transact().state_vector();
    let range = DECISIONS.end - DECISIONS.start;
    let mut names = (0_u32..).map(|time| DECISIONS.start + name(&edit, time) % range);
    let is_new = |name: &u64| known.get(&ClientID::new(*name)) == 0;
    let name = names.find(is_new).unwrap_or(DECISIONS.start);
    let mark = [Patch::single(0, 0, " "), Patch::single(0, 1, "")];
    let updates = mark
        .iter()
        .chain([patch])
        .map(|patch| replica.splice_as(name, patch));
    let updates: Vec<Vec<u8>> = updates.collect();
    let merged = yrs::merge_updates_v1(updates.iter().map(Vec::as_slice));
    Ok(merged.expect("updates that were made here"))
}

/// The parts of a patch that lie in lines of their own.
fn edits(text: &Rope, patch: &Patch) -> Vec<Patch> {
    let mut edits: Vec<(Patch, usize)> = Vec::new();
    for splice in patch.splices() {
        let (start, end) = lines_of(text, splice);
        match edits.last_mut() {
            Some((edit, last)) if start < *last => {
                edit.push(splice.clone());
                *last = end;
            }
            _ => edits.push((Patch::from(splice.clone()), end)),
        }
    }
    match edits.len() > MOST_NAMES {
        true => vec![patch.clone()],
        false => edits.into_iter().map(|(edit, _)| edit).collect(),
    }
}

/// A new document with this text, in the name of the text: who makes a file of the same text makes the same
/// characters, in a document of their own.
pub(super) fn begin(text: &str) -> Replica {
    let mut replica = Replica::new(name(text.as_bytes(), 0));
    replica.edit(text);
    replica
}

/// Whether two documents began with one text, or hold an edit that two programs have made alike.
pub(super) fn have_common(one: &Replica, other: &Replica) -> bool {
    let other = other.doc().transact().state_vector();
    let one = one.doc().transact().state_vector();
    let mut named = one.iter().filter(|(client, _)| client.get() >= NAMES);
    named.any(|(client, _)| other.get(client) > 0)
}

fn name(nameless: &[u8], time: u32) -> u64 {
    let of = [nameless, &time.to_be_bytes()].concat();
    let hash = hash(&of);
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    NAMES | (u64::from_be_bytes(first) % NAMES)
}

#[cfg(test)]
mod tests {
    use tutti_engine::diff::diff_lines;
    use tutti_engine::patch::{Patch, Splice};

    use super::*;
    use crate::mirror::merge::new_client_id;

    fn text(of: &str) -> Replica {
        let mut replica = Replica::new(1);
        replica.edit(of);
        replica
    }

    #[test]
    fn the_same_edit_is_made_once() {
        let start = text("a\nb\n");
        let patch = Patch::single(2, 2, "new\nB\n");
        let (mut ada, mut bob) = (start.fork(new_client_id()), start.fork(new_client_id()));
        let by_ada = write(&mut ada, &patch).unwrap();
        let by_bob = write(&mut bob, &patch).unwrap();
        assert_eq!(by_ada, by_bob);
        ada.apply(&by_bob).unwrap();
        assert_eq!(ada.text(), "a\nnew\nB\n");
        assert_eq!(bob.text(), "a\nnew\nB\n");
    }

    #[test]
    fn another_one_is_another() {
        let start = text("a\nb\n");
        let others = [
            Patch::single(2, 0, "new\n"),
            Patch::single(2, 0, "New\n"),
            Patch::single(0, 0, "new\n"),
            Patch::single(2, 1, "new\n"),
        ];
        let mut all = start.fork(new_client_id());
        for patch in &others {
            let mut one = start.fork(new_client_id());
            all.apply(&write(&mut one, patch).unwrap()).unwrap();
        }
        let mut lines: Vec<String> = all.text().lines().map(str::to_owned).collect();
        lines.sort_unstable();
        assert_eq!(lines.concat().matches("ew").count(), 4, "{lines:?}");
    }

    #[test]
    fn of_two_edits_what_both_do_is_done_once() {
        let start = text("one\ntwo\nthree\nfour\nfive\n");
        let both = [
            Splice {
                at: 4,
                delete: 3,
                insert: "TWO".into(),
            },
            Splice {
                at: 19,
                delete: 0,
                insert: "new\n".into(),
            },
        ];
        let (mut by_ada, mut by_bob) = (Patch::default(), Patch::default());
        both.iter().for_each(|one| by_ada.push(one.clone()));
        by_bob.push(both[0].clone());
        by_bob.push(Splice {
            at: 9,
            delete: 0,
            insert: "Bob's ".into(),
        });
        by_bob.push(both[1].clone());
        let (mut ada, mut bob) = (start.fork(new_client_id()), start.fork(new_client_id()));
        write(&mut ada, &by_ada).unwrap();
        let update = write(&mut bob, &by_bob).unwrap();
        ada.apply(&update).unwrap();
        assert_eq!(ada.text(), "one\nTWO\ntBob's hree\nfour\nnew\nfive\n");
        assert_eq!(bob.text(), ada.text());
    }

    #[test]
    fn many_edits_have_one_name() {
        let lines: String = (0..100).map(|n| format!("line {n}\n\n")).collect();
        let mut replica = text(&lines);
        let before = replica.doc().transact().state_vector().len();
        let changed = Rope::from_str(&lines.replace("line", "row"));
        let patch = diff_lines(replica.rope(), &changed);
        write(&mut replica, &patch).unwrap();
        assert_eq!(*replica.rope(), changed);
        assert_eq!(replica.doc().transact().state_vector().len(), before + 1);
    }

    #[test]
    fn a_decision_is_heard_of_though_it_only_takes_away() {
        let mut replica = text("one\none\n");
        for expected in ["one\n", ""] {
            let update = write_decision(&mut replica, &Patch::single(0, 4, "")).unwrap();
            assert_eq!(replica.text(), expected);
            let state = replica.state();
            let mut apart = tutti_engine::Apart::new(&text("").state(), &text("").state()).unwrap();
            assert!(apart.hear(&update).unwrap());
            assert!(apart.hear(&state).unwrap());
            assert!(!apart.hear(&text("two\n").state()).unwrap());
        }
    }

    #[test]
    fn two_files_of_one_text_are_one_text() {
        let (mut ada, bob) = (begin("a\nb\n"), begin("a\nb\n"));
        assert!(have_common(&ada, &bob));
        let mut bob = bob.fork(new_client_id());
        bob.edit("a\nBob's\nb\n");
        ada.apply(&bob.state()).unwrap();
        assert_eq!(ada.text(), "a\nBob's\nb\n");
        assert!(!have_common(&ada, &begin("a\n")));
        assert!(!have_common(&begin(""), &begin("")));
    }

    #[test]
    fn what_was_taken_back_is_made_again() {
        let mut replica = text("a\n");
        for _ in 0..3 {
            write(&mut replica, &Patch::single(2, 0, "b\n")).unwrap();
            assert_eq!(replica.text(), "a\nb\n");
            write(&mut replica, &Patch::single(2, 2, "")).unwrap();
            assert_eq!(replica.text(), "a\n");
        }
    }
}
