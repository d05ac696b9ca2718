//! Others' updates into the items: the integration of YATA, as Yjs does it.
//!
//! An update is planned before anything changes. One that lacks predecessors is not begun, so the
//! text never has holes.

use std::collections::{HashMap, HashSet};

use yrs::{ClientID, ID, IdSet};

use super::items::{Item, Node, View};
use super::text::Text;
use super::wire::{Content, Kind, Parent, Parsed, Struct};

impl Text {
    /// The order in which the update's structs can be integrated, each behind all that it refers
    /// to; `None` if something that it builds upon is not here.
    pub(super) fn plan(&self, parsed: &Parsed) -> Option<Vec<usize>> {
        let mut waiting: HashMap<ClientID, std::ops::Range<usize>> = HashMap::new();
        let mut known: HashMap<ClientID, u32> = HashMap::new();
        for (index, one) in parsed.structs.iter().enumerate() {
            let client = one.id.client;
            let range = waiting.entry(client).or_insert(index..index);
            // Of each client an update speaks once.
            if range.end != index {
                return None;
            }
            range.end = index + 1;
            known
                .entry(client)
                .or_insert_with(|| self.items.next_clock(client));
        }
        let is_known = |known: &HashMap<ClientID, u32>, id: ID| {
            let next = known.get(&id.client).copied();
            id.clock < next.unwrap_or_else(|| self.items.next_clock(id.client))
        };
        let mut order = Vec::with_capacity(parsed.structs.len());
        let mut clients: Vec<ClientID> = waiting.keys().copied().collect();
        clients.sort();
        // Whoever is waited for comes first; nobody can be waited for twice on one way.
        let mut way: Vec<ClientID> = Vec::new();
        while let Some(client) = way.pop().or_else(|| clients.pop()) {
            let range = waiting[&client].clone();
            let mut at = range.start;
            while let Some(one) = parsed.structs[..range.end].get(at) {
                let (next, end) = (known[&client], one.id.clock + one.len);
                if one.id.clock > next || matches!(one.kind, Kind::Missing) && end > next {
                    return None;
                }
                if let Some(needed) = one.needs().find(|id| !is_known(&known, *id)) {
                    let is_due = |range: &std::ops::Range<usize>| !range.is_empty();
                    let is_circle = needed.client == client || way.contains(&needed.client);
                    if is_circle || !waiting.get(&needed.client).is_some_and(is_due) {
                        return None;
                    }
                    way.extend([client, needed.client]);
                    break;
                }
                order.push(at);
                at += 1;
                known.insert(client, next.max(end));
                if !way.is_empty() {
                    // Whoever waited may have waited for this; the rest has time.
                    clients.push(client);
                    break;
                }
            }
            waiting.insert(client, at..range.end);
        }
        let is_here = |id: ID| is_known(&known, id);
        ranges(&parsed.deleted)
            .all(|(client, _, end)| end == 0 || is_here(ID::new(client, end - 1)))
            .then_some(order)
    }

    /// Takes in an update in the order that [`Text::plan`] gave.
    pub(super) fn integrate(&mut self, parsed: Parsed, order: &[usize]) {
        let mut structs: Vec<Option<Struct>> = parsed.structs.into_iter().map(Some).collect();
        for &index in order {
            if let Some(one) = structs[index].take() {
                self.add(one);
            }
        }
        for (client, from, to) in ranges(&parsed.deleted) {
            self.remove_all(ID::new(client, from), to);
        }
    }

    fn add(&mut self, one: Struct) {
        let next = self.items.next_clock(one.id.client);
        let known = next.saturating_sub(one.id.clock);
        if known >= one.len {
            return;
        }
        let (id, len) = (
            ID::new(one.id.client, one.id.clock + known),
            one.len - known,
        );
        let Kind::Item {
            mut origin,
            right_origin,
            parent,
            content,
        } = one.kind
        else {
            return self.items.skip(id, len);
        };
        if known > 0 {
            origin = Some(ID::new(id.client, id.clock - 1));
        }
        let left = origin.map(|origin| self.ending_with(origin));
        let right = right_origin.map(|right| self.starting_with(right));
        let is_part = match parent {
            Parent::Text => true,
            Parent::Other => false,
            Parent::Inherited => left != Some(None) && right != Some(None),
        };
        if !is_part {
            return self.items.skip(id, len);
        }
        let item = Item {
            id,
            len,
            origin,
            right_origin,
            shared: false,
            shown: false,
            kept_back: false,
        };
        let left = self.place(&item, left.flatten(), right.flatten());
        let node = self.items.insert(left, item);
        if let Content::Text(text) = content {
            self.put(View::Shared, node, &behind(&text, known));
        }
    }

    /// The left neighbour of a new item, between `left` and `right` (YATA's integration).
    fn place(&self, item: &Item, left: Option<Node>, right: Option<Node>) -> Option<Node> {
        let mut place = left;
        let mut next = self.items.after(left);
        let mut before = HashSet::new();
        let mut conflicting = HashSet::new();
        while let Some(other_node) = next.filter(|_| next != right) {
            before.insert(other_node);
            conflicting.insert(other_node);
            let other = self.items.item(other_node);
            if other.origin == item.origin {
                if other.id.client < item.id.client {
                    place = next;
                    conflicting.clear();
                } else if other.right_origin == item.right_origin {
                    break;
                }
            } else {
                let origin = other.origin.and_then(|origin| self.items.find(origin));
                match origin.filter(|origin| before.contains(origin)) {
                    Some(origin) if !conflicting.contains(&origin) => {
                        place = next;
                        conflicting.clear();
                    }
                    Some(_) => {}
                    None => break,
                }
            }
            next = self.items.after(next);
        }
        place
    }

    /// Deletes what `from` and its successors up to the clock `to` name.
    fn remove_all(&mut self, from: ID, to: u32) {
        for node in self.shared_within(from, to) {
            self.remove(View::Shared, node);
        }
    }

    /// What is there of `from` and its successors up to the clock `to`, as items of their own.
    pub(super) fn shared_within(&mut self, from: ID, to: u32) -> Vec<Node> {
        if let Some(first) = self.items.find(from) {
            let item = self.items.item(first);
            if item.shared && item.id.clock < from.clock && from.clock < item.id.clock + item.len {
                self.cut_start(first, from.clock - item.id.clock);
            }
        }
        let mut nodes = self.items.runs(from, to);
        nodes.retain(|node| self.items.item(*node).shared);
        if let Some(last) = nodes.last() {
            self.cut_end(*last, to - self.items.item(*last).id.clock);
        }
        nodes
    }

    /// The item whose last unit is `id`.
    pub(super) fn ending_with(&mut self, id: ID) -> Option<Node> {
        let node = self.items.find(id)?;
        self.cut_end(node, id.clock - self.items.item(node).id.clock + 1);
        Some(node)
    }

    /// The item whose first unit is `id`.
    pub(super) fn starting_with(&mut self, id: ID) -> Option<Node> {
        let node = self.items.find(id)?;
        Some(self.cut_start(node, id.clock - self.items.item(node).id.clock))
    }
}

impl Struct {
    /// What has to be there before.
    fn needs(&self) -> impl Iterator<Item = ID> {
        let (origin, right_origin) = match self.kind {
            Kind::Item {
                origin,
                right_origin,
                ..
            } => (origin, right_origin),
            Kind::Collected | Kind::Missing => (None, None),
        };
        origin.into_iter().chain(right_origin)
    }
}

/// Client, first clock, and the clock behind the last.
fn ranges(set: &IdSet) -> impl Iterator<Item = (ClientID, u32, u32)> {
    set.iter().flat_map(|(client, ranges)| {
        let client = *client;
        ranges
            .iter()
            .map(move |range| (client, range.start, range.end))
    })
}

/// A text without its first units; half a pair is a replacement character.
fn behind(text: &str, mut skipped: u32) -> String {
    let mut letters = text.chars();
    while skipped > 0 {
        let Some(letter) = letters.next() else {
            break;
        };
        let len = letter.len_utf16() as u32;
        if len > skipped {
            return format!("\u{fffd}{}", letters.as_str());
        }
        skipped -= len;
    }
    letters.as_str().to_owned()
}
