//! What files held before the mirror wrote into them.
//!
//! A program reads a file, thinks, and writes it: git, a formatter, a person's script, an editor without
//! a bridge. What others have written in between, and the mirror into the file, is not in what it
//! writes; but it has not deleted that, for it never saw it.
//!
//! A program thinks for a moment. What is written later looks the same where somebody has deleted what
//! others wrote and something else was written in the same place, as git does that goes to another
//! branch: what that is taken for is decided in `made_of.rs`.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, SystemTime};

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
    /// Of which files something was overwritten, in order, and when: some of that may have gone by now.
    order: VecDeque<(SystemTime, DocumentId)>,
    bytes: usize,
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

impl Recent {
    /// The mirror writes into a file that holds the text of `base`.
    pub(super) fn overwritten(&mut self, document: &DocumentId, base: &[u8]) {
        let now = SystemTime::now();
        let all = self.before.entry(document.clone()).or_default();
        let last = all.back().map(|before| before.at);
        let stood = last.map_or(Duration::MAX, |at| {
            now.duration_since(at).unwrap_or_default()
        });
        let state = base.to_vec();
        self.bytes += state.len();
        all.push_back(Before {
            at: now,
            stood,
            state,
        });
        if all.len() > MOST {
            // Of the last moment any may have been read.
            let is_old = |at: &usize| !is_within(all[*at].at, now, THINKING);
            let shortest = (0..all.len())
                .filter(is_old)
                .min_by_key(|at| all[*at].stood);
            let gone = all.remove(shortest.unwrap_or(0));
            self.bytes -= gone.map_or(0, |before| before.state.len());
        }
        self.order.push_back((now, document.clone()));
        self.prune(now);
    }

    fn prune(&mut self, now: SystemTime) {
        while let Some((at, document)) = self.order.front()
            && (!is_within(*at, now, LONG) || self.bytes > MOST_BYTES)
        {
            if let Some(all) = self.before.get_mut(document) {
                while let Some(gone) = all.pop_front_if(|before| before.at <= *at) {
                    self.bytes -= gone.state.len();
                }
                if all.is_empty() {
                    self.before.remove(document);
                }
            }
            self.order.pop_front();
        }
    }

    /// What a program may have read that has written the file at this time: also what was overwritten only after
    /// that, where it has written elsewhere, and moved that to the file's place or taken the file away.
    pub(super) fn just_before(
        &self,
        document: &DocumentId,
        written: Option<SystemTime>,
    ) -> impl Iterator<Item = &[u8]> {
        let written = written.into_iter();
        written.flat_map(|written| {
            let latest = written + THINKING;
            self.within(document, latest, 2 * THINKING)
        })
    }

    /// What somebody may have read who has written the file at this time, however long ago.
    pub(super) fn long_before(
        &self,
        document: &DocumentId,
        written: Option<SystemTime>,
    ) -> impl Iterator<Item = &[u8]> {
        let written = written.into_iter();
        written.flat_map(|written| self.within(document, written, LONG))
    }

    fn within(
        &self,
        document: &DocumentId,
        now: SystemTime,
        time: Duration,
    ) -> impl Iterator<Item = &[u8]> {
        let all = self.before.get(document).into_iter().flatten();
        let all = all.filter(move |before| is_within(before.at, now, time));
        all.map(|before| before.state.as_slice())
    }
}

fn is_within(at: SystemTime, now: SystemTime, time: Duration) -> bool {
    now.duration_since(at).is_ok_and(|age| age < time)
}
