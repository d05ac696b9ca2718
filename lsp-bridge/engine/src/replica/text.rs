//! A text as items and as ropes, and the edits that one person makes in it.

use ropey::Rope;
use yrs::{ClientID, ID, IdSet};

use super::items::{Item, Items, Node, View};
use super::showing::Mark;
use super::undo::{Edit, Gone};
use super::wire::{self, Typed};
use crate::patch::{Patch, Splice};

/// The items of a text, and both texts that they make.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) items: Items,
    pub(super) shared: Rope,
    pub(super) shown: Rope,
    /// Somebody has cut a surrogate pair in half, which leaves two replacement characters, as in
    /// Yjs: the editor does not show these.
    pub(super) is_torn: bool,
    /// A `\r` may have come into the shared text alone since [`Text::keep_back_returns`] was called.
    pub(super) has_new_returns: bool,
    /// What came into the shown text and left it, if that is wanted.
    pub(super) flips: Option<Vec<Mark>>,
}

/// What [`Text::write`] is doing.
struct Writing<'a> {
    view: View,
    client: ClientID,
    edit: &'a mut Edit,
    typed: &'a mut Vec<Typed>,
}

impl Text {
    pub(super) fn new() -> Self {
        Self {
            items: Items::new(),
            shared: Rope::new(),
            shown: Rope::new(),
            is_torn: false,
            has_new_returns: true,
            flips: None,
        }
    }

    pub(super) fn rope(&self, view: View) -> &Rope {
        match view {
            View::Shared => &self.shared,
            View::Shown => &self.shown,
        }
    }

    fn rope_mut(&mut self, view: View) -> &mut Rope {
        match view {
            View::Shared => &mut self.shared,
            View::Shown => &mut self.shown,
        }
    }

    /// Changes what `view` shows by `patch`, as `client`, and returns the update that says so to
    /// everyone, and what it did. What is deleted and inserted in the shown text is so in the shared one as well.
    ///
    /// New characters stand right behind their left neighbour, whatever else others have put there
    /// that the view does not show yet; but behind what has been deleted there, as in Yjs, so that
    /// what was replaced comes back in the place of its replacement.
    pub(super) fn write(&mut self, view: View, client: ClientID, patch: &Patch) -> (Vec<u8>, Edit) {
        let mut edit = Edit::default();
        let mut typed = Vec::new();
        let mut writing = Writing {
            view,
            client,
            edit: &mut edit,
            typed: &mut typed,
        };
        self.write_all(patch.splices(), 0, &mut writing);
        let mut deleted = IdSet::new();
        for gone in &edit.deleted {
            deleted.insert(gone.id, units(&gone.text));
        }
        (wire::write(client, &typed, &deleted), edit)
    }

    /// Writes what is to change `moved` characters further on; by how many it moves what follows.
    ///
    /// The one in the middle comes first: whoever takes this in finds that each cuts an item of half the
    /// length, and yrs needs the more time for a cut the longer the item is.
    fn write_all(&mut self, splices: &[Splice], moved: isize, writing: &mut Writing) -> isize {
        let (before, [splice, behind @ ..]) = splices.split_at(splices.len() / 2) else {
            return 0;
        };
        let mut grown = self.write_one(splice, moved, writing);
        grown += self.write_all(before, moved, writing);
        grown + self.write_all(behind, moved + grown, writing)
    }

    fn write_one(&mut self, splice: &Splice, moved: isize, writing: &mut Writing) -> isize {
        let Writing {
            view,
            client,
            edit,
            typed,
        } = writing;
        let rope = self.rope(*view);
        let unit = |at: usize| rope.char_to_utf16_cu(at.saturating_add_signed(moved)) as u32;
        let (start, end) = (unit(splice.at), unit(splice.end()));
        edit.begins
            .extend([start, end].map(|at| self.left_of(*view, at)));
        self.delete(*view, start, end - start, &mut edit.deleted);
        let mut caret = start;
        if !splice.insert.is_empty() {
            let one = self.type_in(*view, start, *client, &splice.insert);
            let (clock, len) = (one.id.clock, units(&one.text));
            edit.inserted.add(clock, clock + len);
            typed.push(one);
            caret += len;
        }
        edit.ends.push(self.left_of(*view, caret));
        splice.insert.chars().count() as isize - splice.delete as isize
    }

    /// The unit before a place of a text.
    fn left_of(&self, view: View, at: u32) -> Option<ID> {
        let (node, offset) = self.items.at(view, at.checked_sub(1)?)?;
        let first = self.items.item(node).id;
        Some(ID::new(first.client, first.clock + offset))
    }

    fn delete(&mut self, view: View, start: u32, len: u32, deleted: &mut Vec<Gone>) {
        let mut left = len;
        let mut last = None;
        while left > 0 {
            let Some((node, offset)) = self.items.at(view, start) else {
                debug_assert!(false, "a deletion behind the end");
                return;
            };
            let node = self.cut_start(node, offset);
            self.cut_end(node, left);
            if view == View::Shown {
                self.delete_hidden(last, node, deleted);
                last = Some(node);
            }
            let item = self.items.item(node);
            left -= item.len;
            if item.shared {
                let (id, text) = (item.id, self.content(View::Shared, node).insert);
                deleted.push(Gone { id, text });
                self.remove(View::Shared, node);
            }
            if view == View::Shown {
                self.remove(View::Shown, node);
            }
        }
    }

    fn type_in(&mut self, view: View, start: u32, client: ClientID, text: &str) -> Typed {
        let left = start.checked_sub(1).and_then(|at| self.items.at(view, at));
        let mut left = left.map(|(node, offset)| {
            self.cut_end(node, offset + 1);
            node
        });
        let mut after = self.items.after(left);
        while let Some(gone) = after.filter(|node| !self.items.item(*node).is_anywhere()) {
            left = Some(gone);
            after = self.items.after(left);
        }
        let typed = Typed {
            id: ID::new(client, self.items.next_clock(client)),
            origin: left.map(|node| self.items.item(node).last_id()),
            right_origin: after.map(|node| self.items.item(node).id),
            text: text.to_owned(),
        };
        let item = Item {
            id: typed.id,
            len: units(text),
            origin: typed.origin,
            right_origin: typed.right_origin,
            shared: true,
            shown: view == View::Shown,
            kept_back: false,
        };
        let at = self.end_of(View::Shared, left);
        insert(&mut self.shared, at, text);
        if view == View::Shown {
            insert(&mut self.shown, start, text);
        }
        self.has_new_returns |= view == View::Shared && text.contains('\r');
        self.flipped(view, item.id, item.len, Some(text));
        match left.filter(|left| continues(self.items.item(*left), &item)) {
            Some(left) => self.items.lengthen(left, item.len),
            None => drop(self.items.insert(left, item)),
        }
        typed
    }

    /// Where a text goes on behind an item (or starts).
    pub(super) fn end_of(&self, view: View, node: Option<Node>) -> u32 {
        node.map_or(0, |node| {
            let item = self.items.item(node);
            self.items.start(view, node) + if item.is_in(view) { item.len } else { 0 }
        })
    }

    /// Takes an item out of a text.
    pub(super) fn remove(&mut self, view: View, node: Node) {
        let start = self.items.start(view, node);
        let end = start + self.items.item(node).len;
        let rope = self.rope_mut(view);
        let from = rope.utf16_cu_to_char(start as usize);
        let to = rope.utf16_cu_to_char(end as usize);
        rope.remove(from..to);
        self.items.set(view, node, false);
        let item = self.items.item(node);
        self.flipped(view, item.id, item.len, None);
    }

    /// Puts an item with this content into a text.
    pub(super) fn put(&mut self, view: View, node: Node, content: &str) {
        self.items.set(view, node, true);
        self.has_new_returns |= view == View::Shared && content.contains('\r');
        let start = self.items.start(view, node);
        insert(self.rope_mut(view), start, content);
        let item = self.items.item(node);
        self.flipped(view, item.id, item.len, Some(content));
    }

    /// Characters came into a text, or left it.
    fn flipped(&mut self, view: View, id: ID, len: u32, content: Option<&str>) {
        if let (View::Shown, Some(flips)) = (view, &mut self.flips) {
            flips.push(Mark {
                id,
                len,
                text: content.unwrap_or_default().to_owned(),
                comes: content.is_some(),
            });
        }
    }

    /// The characters of an item that stands in `view`.
    pub(super) fn content(&self, view: View, node: Node) -> Splice {
        let start = self.items.start(view, node) as usize;
        let rope = self.rope(view);
        let at = rope.utf16_cu_to_char(start);
        let end = rope.utf16_cu_to_char(start + self.items.item(node).len as usize);
        Splice {
            at,
            delete: end - at,
            insert: part_of(rope, at, end),
        }
    }

    /// The part of an item that starts `offset` units behind its start.
    pub(super) fn cut_start(&mut self, node: Node, offset: u32) -> Node {
        if offset == 0 {
            return node;
        }
        self.tear(View::Shared, node, offset);
        self.tear(View::Shown, node, offset);
        self.items.split(node, offset)
    }

    /// Makes an item end `len` units behind its start, if it is longer.
    pub(super) fn cut_end(&mut self, node: Node, len: u32) {
        if len < self.items.item(node).len {
            self.cut_start(node, len);
        }
    }

    /// A cut through a surrogate pair leaves two replacement characters.
    fn tear(&mut self, view: View, node: Node, offset: u32) {
        if !self.items.item(node).is_in(view) {
            return;
        }
        let place = (self.items.start(view, node) + offset) as usize;
        let rope = self.rope_mut(view);
        let at = rope.utf16_cu_to_char(place);
        if rope.char_to_utf16_cu(at) != place {
            rope.remove(at..=at);
            rope.insert(at, "\u{fffd}\u{fffd}");
            self.is_torn = true;
        }
    }
}

/// Whether `next`, which stands right behind `item`, can be one with it.
fn continues(item: &Item, next: &Item) -> bool {
    let last = item.last_id();
    next.id == ID::new(last.client, last.clock + 1)
        && next.origin == Some(last)
        && next.right_origin == item.right_origin
        && (next.shared, next.shown) == (item.shared, item.shown)
        && !item.kept_back
}

pub(super) fn units(text: &str) -> u32 {
    text.encode_utf16().count() as u32
}

/// The characters from one place to another. A slice of a rope counts lines and units first.
fn part_of(rope: &Rope, from: usize, to: usize) -> String {
    let (from, to) = (rope.char_to_byte(from), rope.char_to_byte(to));
    let (chunks, mut start, ..) = rope.chunks_at_byte(from);
    let mut text = String::with_capacity(to - from);
    for chunk in chunks {
        text.push_str(&chunk[from.saturating_sub(start)..chunk.len().min(to - start)]);
        start += chunk.len();
        if start >= to {
            break;
        }
    }
    text
}

fn insert(rope: &mut Rope, units: u32, text: &str) {
    let at = rope.utf16_cu_to_char(units as usize);
    rope.insert(at, text);
}
