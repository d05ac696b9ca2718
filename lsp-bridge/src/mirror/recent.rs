//! What files held just before the mirror wrote into them.
//!
//! A program reads a file, thinks, and writes it: git, a formatter, a person's script. What others
//! have written in between, and the mirror into the file, is not in what it writes; but it has not
//! deleted that, for it never saw it.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, SystemTime};

use ropey::Rope;
use tutti_engine::Replica;
use tutti_engine::diff::diff;
use tutti_protocol::ids::DocumentId;

/// No program thinks longer.
const THINKING: Duration = Duration::from_secs(2);
/// So many of one file's are kept.
const MOST: usize = 8;

/// See the [module's documentation](self).
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// When it was overwritten, and the state of the document that it stood for.
    before: HashMap<DocumentId, VecDeque<(SystemTime, Vec<u8>)>>,
}

impl Recent {
    /// The mirror writes into a file that holds the text of `base`.
    pub(super) fn overwritten(&mut self, document: &DocumentId, base: &[u8]) {
        let now = SystemTime::now();
        self.before.retain(|_, bases| {
            bases.retain(|(at, _)| is_within(*at, now));
            !bases.is_empty()
        });
        let bases = self.before.entry(document.clone()).or_default();
        if bases.len() == MOST {
            bases.pop_front();
        }
        bases.push_back((now, base.to_vec()));
    }

    /// Of what the program may have read that has written `text` at this time: the state that is
    /// nearest to it, if it is nearer than `base`.
    pub(super) fn read_by(
        &self,
        document: &DocumentId,
        base: &Replica,
        text: &str,
        written: Option<SystemTime>,
    ) -> Option<Vec<u8>> {
        let (bases, written) = (self.before.get(document)?, written?);
        let text = Rope::from_str(text);
        let mut least = diff(base.rope(), &text).cost();
        let mut nearest = None;
        for (_, state) in bases.iter().filter(|(at, _)| is_within(*at, written)) {
            let Ok(older) = super::merge::replica(state) else {
                continue;
            };
            let cost = diff(older.rope(), &text).cost();
            if cost < least {
                (least, nearest) = (cost, Some(state.clone()));
            }
        }
        nearest
    }
}

fn is_within(at: SystemTime, now: SystemTime) -> bool {
    now.duration_since(at).is_ok_and(|age| age < THINKING)
}
