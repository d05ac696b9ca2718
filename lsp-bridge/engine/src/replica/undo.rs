//! What one person has written, kept so that it can be taken back without touching what others
//! have written since.
//!
//! Characters are known by their names. Those that the person inserted are deleted, wherever they
//! stand by now; those that they deleted come back, under new names, right before the place that
//! Yjs keeps for each deleted character. Taking back is one more edit of the same person, so the
//! document collects deleted characters as always: the text that may come back is kept here.

use std::collections::BTreeMap;

use yrs::{ClientID, ID, IdSet};

use super::items::{Item, Node, View};
use super::showing::part;
use super::text::{Text, units};
use super::wire::{self, Typed};

/// Units of one client, by their clocks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Clocks {
    /// First clock → the clock behind the last; no range touches another.
    ranges: BTreeMap<u32, u32>,
}

impl Clocks {
    pub(super) fn add(&mut self, mut from: u32, mut to: u32) {
        while let Some((start, end)) = self.touching(from, to) {
            self.ranges.remove(&start);
            from = from.min(start);
            to = to.max(end);
        }
        self.ranges.insert(from, to);
    }

    /// Takes out a range; what of it was there.
    fn take(&mut self, from: u32, to: u32) -> Vec<(u32, u32)> {
        let mut taken = Vec::new();
        while let Some((start, end)) = self.last_before(to).filter(|(_, end)| *end > from) {
            self.ranges.remove(&start);
            if start < from {
                self.ranges.insert(start, from);
            }
            if to < end {
                self.ranges.insert(to, end);
            }
            taken.push((start.max(from), end.min(to)));
        }
        taken.reverse();
        taken
    }

    fn contains(&self, clock: u32) -> bool {
        self.last_before(clock + 1)
            .is_some_and(|(_, end)| clock < end)
    }

    /// The last range that begins before `clock`.
    fn last_before(&self, clock: u32) -> Option<(u32, u32)> {
        let (start, end) = self.ranges.range(..clock).next_back()?;
        Some((*start, *end))
    }

    fn touching(&self, from: u32, to: u32) -> Option<(u32, u32)> {
        let (start, end) = self.ranges.range(..=to).next_back()?;
        (*end >= from).then_some((*start, *end))
    }

    fn iter(&self) -> impl Iterator<Item = (u32, u32)> {
        self.ranges.iter().map(|(from, to)| (*from, *to))
    }
}

/// A run of characters that was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gone {
    pub(super) id: ID,
    pub(super) text: String,
}

/// What a person's edit did to the shared text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Edit {
    /// What was inserted, under the person's own client id, and is there still as far as they know.
    pub(super) inserted: Clocks,
    /// What was deleted, but for what the same edit had inserted.
    pub(super) deleted: Vec<Gone>,
    /// The gaps at which it began, by their left neighbours in the shown text.
    pub(super) begins: Vec<Option<ID>>,
    /// The gaps at which it ended.
    pub(super) ends: Vec<Option<ID>>,
}

/// Characters that have come back: their old first clock and the one behind the last, and the new
/// first clock.
#[derive(Debug)]
pub(crate) struct Renamed {
    from: u32,
    to: u32,
    now: u32,
}

/// What taking an [`Edit`] back did.
#[derive(Debug)]
pub(crate) struct Reverted {
    /// For everyone.
    pub(crate) update: Vec<u8>,
    /// What takes this back in turn.
    pub(crate) inverse: Edit,
    /// The person's own characters that have come back; older edits are to know.
    pub(crate) renamed: Vec<Renamed>,
}

impl Edit {
    /// Whether the shared text has not changed by it.
    pub(crate) fn is_empty(&self) -> bool {
        self.inserted.ranges.is_empty() && self.deleted.is_empty()
    }

    /// About how many bytes of memory it takes.
    pub(crate) fn size_bytes(&self) -> usize {
        let ids = self.inserted.ranges.len() + self.deleted.len();
        let gaps = self.begins.len() + self.ends.len();
        let text: usize = self.deleted.iter().map(|gone| gone.text.len()).sum();
        text + size_of::<Gone>() * (ids + gaps) + size_of::<Self>()
    }

    /// How much text it inserted or deleted, in UTF-16 units.
    pub(crate) fn units(&self) -> usize {
        let inserted: u32 = self.inserted.iter().map(|(from, to)| to - from).sum();
        let deleted: u32 = self.deleted.iter().map(|gone| units(&gone.text)).sum();
        (inserted + deleted) as usize
    }

    /// Whether `next`, by the same `user`, goes on where this has ended.
    pub(crate) fn is_continued_by(&self, user: u64, next: &Self) -> bool {
        let is_own = |gap: &Option<ID>| {
            gap.is_some_and(|left| left.client.get() == user && self.inserted.contains(left.clock))
        };
        next.begins
            .iter()
            .any(|gap| self.ends.contains(gap) || self.begins.contains(gap) || is_own(gap))
    }

    /// Takes in what the same `user` did next, where this has ended.
    pub(crate) fn go_on(&mut self, user: u64, next: Self) {
        self.begins.clear();
        self.ends.clear();
        self.extend(user, next);
    }

    /// Takes in what the same `user` did at the same time.
    pub(crate) fn extend(&mut self, user: u64, next: Self) {
        for (from, to) in next.inserted.iter() {
            self.inserted.add(from, to);
        }
        for gone in next.deleted {
            self.lose(user, gone);
        }
        self.begins.extend(next.begins);
        self.ends.extend(next.ends);
    }

    /// These characters are deleted as well. Those that this edit itself had inserted leave no
    /// trace.
    fn lose(&mut self, user: u64, gone: Gone) {
        if gone.id.client.get() != user {
            return self.deleted.push(gone);
        }
        let (start, end) = (gone.id.clock, gone.id.clock + units(&gone.text));
        let mut kept = start;
        let own = self.inserted.take(start, end);
        for (from, to) in own.into_iter().chain([(end, end)]) {
            if kept < from {
                let text = part(&gone.text, (kept - start) as usize, (from - kept) as usize);
                let id = ID::new(gone.id.client, kept);
                self.deleted.push(Gone { id, text });
            }
            kept = to;
        }
    }

    /// What it had inserted has been deleted and come back under other names since.
    pub(crate) fn rename(&mut self, renamed: &[Renamed]) {
        for one in renamed {
            for (from, to) in self.inserted.take(one.from, one.to) {
                let now = one.now + (from - one.from);
                self.inserted.add(now, now + (to - from));
            }
        }
    }
}

impl Text {
    /// Takes back what `client` has done.
    pub(super) fn revert(&mut self, client: ClientID, edit: &Edit) -> Reverted {
        let mut deleted = IdSet::new();
        let mut inverse = Edit::default();
        for (from, to) in edit.inserted.iter() {
            for node in self.shared_within(ID::new(client, from), to) {
                let id = self.items.item(node).id;
                let text = self.content(View::Shared, node).insert;
                deleted.insert(id, self.items.item(node).len);
                self.remove(View::Shared, node);
                inverse.deleted.push(Gone { id, text });
            }
        }
        let mut typed = Vec::new();
        let mut renamed = Vec::new();
        for gone in &edit.deleted {
            let mut skipped = 0;
            let end = gone.id.clock + units(&gone.text);
            self.starting_with(gone.id);
            // Others may have written between the characters before they heard that these are gone.
            for node in self.items.runs(gone.id, end) {
                self.cut_end(node, end - self.items.item(node).id.clock);
                let Item { id, len, .. } = *self.items.item(node);
                let text = part(&gone.text, skipped, len as usize);
                skipped += len as usize;
                let back = self.bring_back(client, node, text);
                let now = back.id.clock;
                inverse.inserted.add(now, now + len);
                if id.client == client {
                    let (from, to) = (id.clock, id.clock + len);
                    renamed.push(Renamed { from, to, now });
                }
                typed.push(back);
            }
        }
        Reverted {
            update: wire::write(client, &typed, &deleted),
            inverse,
            renamed,
        }
    }

    /// Writes the characters of a deleted item anew, right before it.
    fn bring_back(&mut self, client: ClientID, node: Node, text: String) -> Typed {
        let before = self.items.before(node);
        let typed = Typed {
            id: ID::new(client, self.items.next_clock(client)),
            origin: before.map(|before| self.items.item(before).last_id()),
            right_origin: Some(self.items.item(node).id),
            text,
        };
        let item = Item {
            id: typed.id,
            len: units(&typed.text),
            origin: typed.origin,
            right_origin: typed.right_origin,
            shared: false,
            shown: false,
            kept_back: false,
        };
        let back = self.items.insert(before, item);
        self.put(View::Shared, back, &typed.text);
        typed
    }
}
