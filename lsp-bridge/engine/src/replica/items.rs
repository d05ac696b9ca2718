//! The items of a Yjs text in document order, with an index from places to items and back.
//!
//! yrs finds the item at a place by walking from the start of the text; a keystroke in a
//! long-lived file would pay for every edit ever made in it. Here the items hang in a balanced
//! tree (a treap) that counts units below each node, so every look-up costs a logarithm.
//!
//! Two texts share the one sequence of items: the *shared* text, made of the items that nobody has
//! deleted, and the *shown* text, made of those that an editor is known to show. Each is a set of
//! flags, so the step from one to the other is wherever the flags differ.
//!
//! Lengths and offsets are UTF-16 code units, as in Yjs.

use std::collections::{BTreeMap, HashMap};

use yrs::{ClientID, ID};

/// A place in [`Items`]'s arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Node(u32);

/// Neither item nor subtree.
const NIL: Node = Node(u32::MAX);

impl Node {
    fn some(self) -> Option<Self> {
        (self != NIL).then_some(self)
    }
}

/// Which of the two texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// What everyone has written.
    Shared,
    /// What the editor shows.
    Shown,
}

/// A run of characters that were inserted together and have not been parted since.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// The name of the first unit; the others count up from it.
    pub(super) id: ID,
    pub(super) len: u32,
    /// The units between which it was inserted (YATA; Nicolaescu et al. 2016).
    pub(super) origin: Option<ID>,
    pub(super) right_origin: Option<ID>,
    /// Whether it stands in the shared text.
    pub(super) shared: bool,
    /// Whether it stands in the shown text.
    pub(super) shown: bool,
    /// Whether the shared text may have it and the shown one not, for good: the two do not differ by
    /// it.
    pub(super) kept_back: bool,
}

impl Item {
    pub(super) fn last_id(&self) -> ID {
        ID::new(self.id.client, self.id.clock + self.len - 1)
    }

    fn count(&self) -> Count {
        let if_in = |is_in| if is_in { self.len } else { 0 };
        Count {
            shared: if_in(self.shared),
            shown: if_in(self.shown),
            differing: if_in(self.differs()),
        }
    }

    fn differs(&self) -> bool {
        self.shared != self.shown && !self.is_hidden()
    }

    /// Whether it stands in the shared text, and is kept back from the shown one.
    pub(super) fn is_hidden(&self) -> bool {
        self.kept_back && self.shared && !self.shown
    }

    /// Whether it stands in either text.
    pub(super) fn is_anywhere(&self) -> bool {
        self.shared || self.shown
    }

    pub(super) fn is_in(&self, view: View) -> bool {
        match view {
            View::Shared => self.shared,
            View::Shown => self.shown,
        }
    }
}

/// Units in a subtree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Count {
    shared: u32,
    shown: u32,
    differing: u32,
}

impl Count {
    fn of(self, view: View) -> u32 {
        match view {
            View::Shared => self.shared,
            View::Shown => self.shown,
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            shared: self.shared + other.shared,
            shown: self.shown + other.shown,
            differing: self.differing + other.differing,
        }
    }
}

#[derive(Debug)]
struct Slot {
    item: Item,
    before: Node,
    after: Node,
    parent: Node,
    left: Node,
    right: Node,
    below: Count,
}

/// What is known of one client.
#[derive(Debug, Default)]
struct Client {
    /// First clock → item; `NIL` for what is not part of the text.
    runs: BTreeMap<u32, Node>,
    /// The clock that comes next.
    next: u32,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Items {
    slots: Vec<Slot>,
    root: Node,
    first: Node,
    clients: HashMap<ClientID, Client>,
}

impl Items {
    pub(super) fn new() -> Self {
        Self {
            slots: Vec::new(),
            root: NIL,
            first: NIL,
            clients: HashMap::new(),
        }
    }

    pub(super) fn item(&self, node: Node) -> &Item {
        &self.slot(node).item
    }

    pub(super) fn after(&self, node: Option<Node>) -> Option<Node> {
        node.map_or(self.first, |node| self.slot(node).after).some()
    }

    pub(super) fn before(&self, node: Node) -> Option<Node> {
        self.slot(node).before.some()
    }

    /// The clock that comes next for `client`.
    pub(super) fn next_clock(&self, client: ClientID) -> u32 {
        self.clients.get(&client).map_or(0, |client| client.next)
    }

    /// The items of a client from one clock up to another that are part of the text. One that begins
    /// before `from` is left out; the last may end behind `to`.
    pub(super) fn runs(&self, from: ID, to: u32) -> Vec<Node> {
        let runs = self.clients.get(&from.client).map(|client| &client.runs);
        let within = runs.into_iter().flat_map(|runs| runs.range(from.clock..to));
        within.filter_map(|(_, node)| node.some()).collect()
    }

    /// Every client that has written, in ascending order.
    pub(super) fn writers(&self) -> Vec<ClientID> {
        let mut clients: Vec<_> = self.clients.keys().copied().collect();
        clients.sort();
        clients
    }

    /// What a client has written, from clock 0 on: the length of each run, and its item, if it is
    /// part of the text.
    pub(super) fn written(&self, client: ClientID) -> impl Iterator<Item = (u32, Option<Node>)> {
        let client = self.clients.get(&client).into_iter();
        client.flat_map(|client| {
            let ends = client.runs.keys().skip(1).copied().chain([client.next]);
            let runs = client.runs.iter().zip(ends);
            runs.map(|((start, node), end)| (end - start, node.some()))
        })
    }

    /// The item that holds `id`, if it is part of the text.
    pub(super) fn find(&self, id: ID) -> Option<Node> {
        let runs = &self.clients.get(&id.client)?.runs;
        runs.range(..=id.clock).next_back()?.1.some()
    }

    /// The item that stands at `at` of a text, and how many of its units lie before the place.
    pub(super) fn at(&self, view: View, mut at: u32) -> Option<(Node, u32)> {
        let mut node = self.root.some()?;
        loop {
            let slot = self.slot(node);
            let left = self.below(slot.left).of(view);
            let own = slot.item.count().of(view);
            node = if at < left {
                slot.left
            } else if at < left + own {
                return Some((node, at - left));
            } else {
                at -= left + own;
                slot.right.some()?
            };
        }
    }

    /// How many units of a text stand before an item.
    pub(super) fn start(&self, view: View, node: Node) -> u32 {
        let mut count = self.below(self.slot(node).left).of(view);
        let mut child = node;
        while let Some(parent) = self.slot(child).parent.some() {
            let slot = self.slot(parent);
            if slot.right == child {
                count += self.below(slot.left).of(view) + slot.item.count().of(view);
            }
            child = parent;
        }
        count
    }

    /// The items that stand in one text only, in order, but for those that are hidden.
    pub(super) fn differing(&self) -> Vec<Node> {
        let mut found = Vec::new();
        let mut way = vec![(self.root, false)];
        while let Some((node, is_due)) = way.pop() {
            if self.below(node).differing == 0 {
                continue;
            }
            let slot = self.slot(node);
            if is_due {
                if slot.item.differs() {
                    found.push(node);
                }
            } else {
                way.extend([(slot.right, false), (node, true), (slot.left, false)]);
            }
        }
        found
    }

    /// Whether the two texts differ.
    pub(super) fn differ(&self) -> bool {
        self.below(self.root).differing > 0
    }

    /// Every item, in order.
    pub(super) fn all(&self) -> impl Iterator<Item = Node> {
        std::iter::successors(self.first.some(), |node| self.after(Some(*node)))
    }

    /// Puts a new item behind `before`, or first.
    pub(super) fn insert(&mut self, before: Option<Node>, item: Item) -> Node {
        let client = self.clients.entry(item.id.client).or_default();
        let new = Node(u32::try_from(self.slots.len()).expect("fewer items than units"));
        client.runs.insert(item.id.clock, new);
        client.next = client.next.max(item.id.clock + item.len);
        let before = before.unwrap_or(NIL);
        let after = before.some().map_or(self.first, |b| self.slot(b).after);
        self.slots.push(Slot {
            below: item.count(),
            item,
            before,
            after,
            parent: NIL,
            left: NIL,
            right: NIL,
        });
        match before.some() {
            Some(before) => self.slot_mut(before).after = new,
            None => self.first = new,
        }
        if let Some(after) = after.some() {
            self.slot_mut(after).before = new;
        }
        match before.some().filter(|b| self.slot(*b).right == NIL) {
            Some(before) => {
                self.slot_mut(before).right = new;
                self.slot_mut(new).parent = before;
            }
            // Then the next item in order has nothing on its left.
            None if after != NIL => {
                self.slot_mut(after).left = new;
                self.slot_mut(new).parent = after;
            }
            None => self.root = new,
        }
        self.recount(new);
        self.lift(new);
        new
    }

    /// Remembers units that are not part of the text.
    pub(super) fn skip(&mut self, id: ID, len: u32) {
        let client = self.clients.entry(id.client).or_default();
        client.runs.insert(id.clock, NIL);
        client.next = client.next.max(id.clock + len);
    }

    /// Lengthens an item by units that were typed behind it.
    pub(super) fn lengthen(&mut self, node: Node, by: u32) {
        let item = &mut self.slot_mut(node).item;
        item.len += by;
        let next = item.id.clock + item.len;
        let client = item.id.client;
        self.clients.entry(client).or_default().next = next;
        self.recount(node);
    }

    /// Parts an item `offset` units behind its start; the second part.
    pub(super) fn split(&mut self, node: Node, offset: u32) -> Node {
        let item = &mut self.slot_mut(node).item;
        debug_assert!(0 < offset && offset < item.len);
        let mut second = item.clone();
        item.len = offset;
        second.origin = Some(item.last_id());
        second.id.clock += offset;
        second.len -= offset;
        self.recount(node);
        self.insert(Some(node), second)
    }

    /// Puts an item into a text or takes it out.
    pub(super) fn set(&mut self, view: View, node: Node, is_in: bool) {
        let item = &mut self.slot_mut(node).item;
        match view {
            View::Shared => item.shared = is_in,
            View::Shown => item.shown = is_in,
        }
        self.recount(node);
    }

    /// From now on an item is kept back from the shown text, or is no longer.
    pub(super) fn keep_back(&mut self, node: Node, is_kept_back: bool) {
        self.slot_mut(node).item.kept_back = is_kept_back;
        self.recount(node);
    }

    fn slot(&self, node: Node) -> &Slot {
        &self.slots[node.0 as usize]
    }

    fn slot_mut(&mut self, node: Node) -> &mut Slot {
        &mut self.slots[node.0 as usize]
    }

    fn below(&self, node: Node) -> Count {
        node.some()
            .map_or(Count::default(), |node| self.slot(node).below)
    }

    /// Counts anew from `node` up to the root.
    fn recount(&mut self, node: Node) {
        let mut next = node;
        while let Some(node) = next.some() {
            self.count_below(node);
            next = self.slot(node).parent;
        }
    }

    fn count_below(&mut self, node: Node) {
        let slot = self.slot(node);
        let count = self
            .below(slot.left)
            .plus(slot.item.count())
            .plus(self.below(slot.right));
        self.slot_mut(node).below = count;
    }

    /// Rotates a new node up to where its priority belongs.
    fn lift(&mut self, node: Node) {
        while let Some(parent) = self.slot(node).parent.some() {
            if priority(parent) >= priority(node) {
                break;
            }
            let above = self.slot(parent).parent;
            let was_left = self.slot(parent).left == node;
            let between = if was_left {
                std::mem::replace(&mut self.slot_mut(node).right, parent)
            } else {
                std::mem::replace(&mut self.slot_mut(node).left, parent)
            };
            let parents = self.slot_mut(parent);
            parents.parent = node;
            if was_left {
                parents.left = between;
            } else {
                parents.right = between;
            }
            if let Some(between) = between.some() {
                self.slot_mut(between).parent = parent;
            }
            self.slot_mut(node).parent = above;
            match above.some() {
                Some(above) if self.slot(above).left == parent => self.slot_mut(above).left = node,
                Some(above) => self.slot_mut(above).right = node,
                None => self.root = node,
            }
            self.count_below(parent);
            self.count_below(node);
        }
    }
}

/// What keeps the tree shallow: numbers without order that are the same in every run (the
/// finalizer of SplitMix64; Steele, Lea, Flood 2014).
fn priority(node: Node) -> u64 {
    let mut z = u64::from(node.0).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many slots lie on the longest way down from `node`.
    fn depth(items: &Items, node: Node) -> usize {
        node.some().map_or(0, |node| {
            let slot = items.slot(node);
            1 + depth(items, slot.left).max(depth(items, slot.right))
        })
    }

    /// Whoever types at the end of a text, or at its start, for hours: a place is still found in a
    /// logarithm.
    #[test]
    fn the_tree_stays_shallow() {
        const COUNT: u32 = 5_000;
        for at_end in [true, false] {
            let mut items = Items::new();
            let mut left = None;
            for clock in 0..COUNT {
                let item = Item {
                    id: ID::new(yrs::ClientID::new(1), 2 * clock),
                    len: 1,
                    origin: None,
                    right_origin: None,
                    shared: true,
                    shown: false,
                    kept_back: false,
                };
                let node = items.insert(left, item);
                left = at_end.then_some(node);
            }
            let order: Vec<u32> = items.all().map(|n| items.item(n).id.clock / 2).collect();
            let is_sorted = match at_end {
                true => order.is_sorted(),
                false => order.iter().rev().is_sorted(),
            };
            assert!(is_sorted && order.len() == COUNT as usize);
            let depth = depth(&items, items.root);
            assert!(depth < 60, "{depth} deep");
            for at in [0, 1, COUNT / 2, COUNT - 1] {
                let (node, offset) = items.at(View::Shared, at).unwrap();
                assert_eq!((items.start(View::Shared, node), offset), (at, 0));
            }
            assert_eq!(items.differing().len(), COUNT as usize);
        }
    }
}
