//! What files held before the mirror wrote into them.
//!
//! A program reads a file, thinks, and writes it: git, a formatter, a person's script, an editor without
//! a bridge. What others have written in between, and the mirror into the file, is not in what it
//! writes; but it has not deleted that, for it never saw it.
//!
//! A program thinks for a moment. What is written later looks the same where somebody has deleted what
//! others wrote and something else was written in the same place, as git does that goes to another
//! branch: what that is taken for is decided elsewhere.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, SystemTime};

use ropey::Rope;
use tutti_engine::Replica;
use tutti_engine::diff::diff_lines;
use tutti_protocol::ids::DocumentId;

/// No program thinks longer.
const THINKING: Duration = Duration::from_secs(2);
/// No person leaves an editor alone for longer with what they will write.
const LONG: Duration = Duration::from_secs(60 * 60);
/// So many of one file's are kept.
const MOST: usize = 8;
/// The most bytes of all files' that are kept.
const MOST_BYTES: usize = 16 << 20;

/// See the [module's documentation](self).
#[derive(Debug, Default)]
pub(super) struct Recent {
    before: HashMap<DocumentId, VecDeque<Before>>,
}

#[derive(Debug)]
struct Before {
    /// When it was overwritten.
    at: SystemTime,
    /// For how long it had stood: the longer, the likelier somebody has read it.
    stood: Duration,
    /// The state of the document that it stood for.
    state: Vec<u8>,
}

/// What a program has read.
pub(super) struct Read {
    pub(super) state: Vec<u8>,
    /// It was overwritten only just before the program wrote.
    pub(super) is_recent: bool,
}

impl Recent {
    /// The mirror writes into a file that holds the text of `base`.
    pub(super) fn overwritten(&mut self, document: &DocumentId, base: &[u8]) {
        let now = SystemTime::now();
        self.before.retain(|_, all| {
            all.retain(|before| is_within(before.at, now, LONG));
            !all.is_empty()
        });
        let all = self.before.entry(document.clone()).or_default();
        let last = all.back().map(|before| before.at);
        let stood = last.map_or(Duration::MAX, |at| {
            now.duration_since(at).unwrap_or_default()
        });
        all.push_back(Before {
            at: now,
            stood,
            state: base.to_vec(),
        });
        if all.len() > MOST {
            // Of the last moment any may have been read.
            let is_old = |before: &Before| !is_within(before.at, now, THINKING);
            let shortest = (0..all.len())
                .filter(|at| is_old(&all[*at]))
                .min_by_key(|at| all[*at].stood);
            all.remove(shortest.unwrap_or(0));
        }
        self.prune();
    }

    fn prune(&mut self) {
        let bytes = |all: &VecDeque<Before>| all.iter().map(|one| one.state.len()).sum::<usize>();
        let mut total: usize = self.before.values().map(bytes).sum();
        while total > MOST_BYTES {
            let first = self.before.values_mut();
            let first = first.filter(|all| !all.is_empty());
            let Some(oldest) = first.min_by_key(|all| all[0].at) else {
                return;
            };
            total -= oldest.pop_front().map_or(0, |before| before.state.len());
        }
    }

    /// What the program has read that has written `text` at this time, if that was older than `base`.
    pub(super) fn read_by(
        &self,
        document: &DocumentId,
        base: &Replica,
        text: &Rope,
        written: Option<SystemTime>,
    ) -> Option<Read> {
        let (all, written) = (self.before.get(document)?, written?);
        let read = |before: &Before, is_recent: bool| {
            let older = super::merge::replica(&before.state).ok()?;
            // Whoever goes back to what stood there long ago has meant that.
            let may_be = is_recent || older.rope() != text;
            (may_be && leads_over(base.rope(), older.rope(), text)).then(|| Read {
                state: before.state.clone(),
                is_recent,
            })
        };
        let recent = |before: &&Before| is_within(before.at, written, THINKING);
        let mut now = all.iter().filter(recent).filter_map(|one| read(one, true));
        now.next().or_else(|| {
            let is_old = |one: &&Before| !recent(one) && is_within(one.at, written, LONG);
            let mut long_ago = all.iter().filter(is_old);
            long_ago.find_map(|one| read(one, false))
        })
    }
}

/// Whether to go from one text to another is to go to the one between, and on from there.
pub(super) fn leads_over(from: &Rope, between: &Rope, to: &Rope) -> bool {
    let cost = |from: &Rope, to: &Rope| diff_lines(from, to).cost();
    let back = cost(from, between);
    back > 0 && back + cost(between, to) == cost(from, to)
}

fn is_within(at: SystemTime, now: SystemTime, time: Duration) -> bool {
    now.duration_since(at).is_ok_and(|age| age < time)
}
