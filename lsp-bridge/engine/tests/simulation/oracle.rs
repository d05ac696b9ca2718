//! The oracle: what must hold when nothing is on its way any more.

use std::collections::{HashMap, HashSet};

use crate::world::{User, World};

/// How the characters that people typed came out.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// What went wrong, a sentence a character.
    pub(crate) faults: Vec<String>,
}

/// Every editor must show one text; what became of each character is the verdict.
pub(crate) fn judge(world: &World) -> Verdict {
    let text = world.server.text();
    for (number, user) in world.users.iter().enumerate() {
        let shown = user.editor.buffer.to_string();
        let but_newline = user.editor.kind.keeps_newline;
        let is_same = shown == text || (but_newline && shown == format!("{text}\n"));
        assert!(is_same, "user {number} shows {shown:?} instead of {text:?}");
        assert_eq!(user.document.shown(), shown, "what user {number} shows");
        assert!(user.document.is_settled(), "user {number} is not settled");
    }
    let mut places: HashMap<char, Vec<usize>> = HashMap::new();
    for (at, c) in text.chars().enumerate() {
        places.entry(c).or_default().push(at);
    }
    let deleted = everyone(world, |user| &user.editor.deleted);
    let swallowed = everyone(world, |user| &user.editor.swallowed);
    let doubtful = everyone(world, |user| &user.editor.doubtful);
    let may_lack = |c: &char| deleted.contains(c) || swallowed.contains(c);
    let mut faults = Vec::new();
    for (number, user) in world.users.iter().enumerate() {
        for run in &user.runs {
            let mut last = None;
            for c in run {
                match places.get(c).map(Vec::as_slice).unwrap_or_default() {
                    [] if may_lack(c) => {}
                    [_, ..] if doubtful.contains(c) => {}
                    [] => faults.push(format!("{c} of user {number} is lost")),
                    [_, _, ..] => faults.push(format!("{c} of user {number} is doubled")),
                    [_] if deleted.contains(c) => {
                        faults.push(format!("{c} was deleted and came back"));
                    }
                    [at] if last > Some(*at) => {
                        faults.push(format!("{c} of user {number} is out of order"));
                        last = Some(*at);
                    }
                    [at] => last = Some(*at),
                }
            }
        }
    }
    Verdict { faults }
}

fn everyone(world: &World, of: impl Fn(&User) -> &HashSet<char>) -> HashSet<char> {
    let sets = world.users.iter().map(of);
    sets.flat_map(|set| set.iter().copied()).collect()
}
