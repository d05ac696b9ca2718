//! What files held just before the mirror wrote into them.
//!
//! A program reads a file, thinks, and writes it: git, a formatter, a person's script. What others
//! have written in between, and the mirror into the file, is not in what it writes; but it has not
//! deleted that, for it never saw it.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, SystemTime};

use ropey::Rope;
use tutti_engine::Replica;
use tutti_engine::diff::diff_lines;
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

    /// What the program has read that has written `text` at this time, if that was older than `base`:
    /// to go from `base` to the text is to go back to it, and on from there.
    pub(super) fn read_by(
        &self,
        document: &DocumentId,
        base: &Replica,
        text: &str,
        written: Option<SystemTime>,
    ) -> Option<Vec<u8>> {
        let (bases, written) = (self.before.get(document)?, written?);
        let text = Rope::from_str(text);
        let cost = |from: &Rope, to: &Rope| diff_lines(from, to).cost();
        let whole_way = cost(base.rope(), &text);
        let may_be_read = bases.iter().filter(|(at, _)| is_within(*at, written));
        let read = |state: &Vec<u8>| {
            let Ok(older) = super::merge::replica(state) else {
                return false;
            };
            let back = cost(base.rope(), older.rope());
            back > 0 && back + cost(older.rope(), &text) == whole_way
        };
        let mut read = may_be_read.filter(|(_, state)| read(state));
        read.next().map(|(_, state)| state.clone())
    }
}

fn is_within(at: SystemTime, now: SystemTime) -> bool {
    now.duration_since(at).is_ok_and(|age| age < THINKING)
}
