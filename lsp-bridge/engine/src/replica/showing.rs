//! What an editor shows of a text, and the steps that bring it up to date.

use ropey::Rope;
use yrs::ID;

use super::items::{Node, View};
use super::text::Text;
use super::wire::{self, Run, Typed};
use crate::patch::{Patch, Splice};

/// One place at which the shown text lacks what the shared one has, or has what that lacks.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// The change, in the coordinates of the shown text.
    pub(crate) splice: Splice,
    /// The same by the names of the characters.
    pub(crate) marks: Vec<Mark>,
}

/// A run of characters that comes into the shown text, or leaves it.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    pub(super) id: ID,
    pub(super) len: u32,
    pub(super) text: String,
    /// It comes; it may have been deleted by others when it arrives. Else it leaves.
    pub(super) comes: bool,
}

impl Mark {
    /// What takes it back.
    pub(crate) fn reversed(mut self) -> Self {
        self.comes = !self.comes;
        self
    }
}

impl Text {
    /// What leads from the shown text to the shared one, in ascending order; no step touches
    /// another.
    pub(super) fn ahead(&self) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        for node in self.items.differing() {
            let (splice, mark) = self.step(node);
            match steps.last_mut() {
                Some(last) if last.splice.end() == splice.at => {
                    last.splice.delete += splice.delete;
                    last.splice.insert.push_str(&splice.insert);
                    last.marks.push(mark);
                }
                _ => steps.push(Step {
                    splice,
                    marks: vec![mark],
                }),
            }
        }
        steps
    }

    /// Nothing is shown.
    pub(super) fn hide_all(&mut self) {
        let shown = self.items.all().filter(|node| self.items.item(*node).shown);
        for node in shown.collect::<Vec<_>>() {
            self.items.set(View::Shown, node, false);
        }
        for node in self.hidden() {
            self.items.keep_back(node, false);
        }
        self.has_new_returns = true;
        self.shown = Rope::new();
    }

    /// The shared text is shown.
    pub(super) fn show_all(&mut self) {
        for node in self.items.differing() {
            let is_shared = self.items.item(node).shared;
            self.items.set(View::Shown, node, is_shared);
        }
        self.shown = self.shared.clone();
    }

    /// The shown text as a whole state in v1 encoding: every item of this replica, of which those
    /// that are not shown are deleted.
    pub(super) fn shown_state(&self) -> Vec<u8> {
        let run = |(len, node): (u32, Option<Node>)| {
            let Some(node) = node else {
                return Run::Collected(len);
            };
            let item = self.items.item(node);
            let (id, origin, right_origin) = (item.id, item.origin, item.right_origin);
            if item.shown {
                let text = self.content(View::Shown, node).insert;
                Run::Text(Typed {
                    id,
                    origin,
                    right_origin,
                    text,
                })
            } else {
                Run::Deleted {
                    len,
                    origin,
                    right_origin,
                }
            }
        };
        let clients = self.items.writers().into_iter();
        let clients = clients.map(|client| (client, self.items.written(client).map(run).collect()));
        wire::write_state(&clients.collect::<Vec<_>>())
    }

    /// The first character is shown no longer, though the shared text may have it still.
    pub(super) fn hide_first(&mut self) {
        if let Some((node, _)) = self.items.at(View::Shown, 0) {
            self.cut_end(node, 1);
            self.remove(View::Shown, node);
        }
    }

    /// Where the gap before character `at` of one text lies in the other: behind the same left
    /// neighbour.
    pub(super) fn carry(&self, from: View, to: View, at: usize) -> usize {
        let units = self.rope(from).char_to_utf16_cu(at) as u32;
        let left = units.checked_sub(1).and_then(|at| self.items.at(from, at));
        let units = left.map_or(0, |(node, offset)| {
            let start = self.items.start(to, node);
            let end = self.end_of(to, Some(node));
            end.min(start + offset + 1)
        });
        self.rope(to).utf16_cu_to_char(units as usize)
    }

    fn step(&self, node: Node) -> (Splice, Mark) {
        let item = self.items.item(node);
        let mark = |text, comes| Mark {
            id: item.id,
            len: item.len,
            text,
            comes,
        };
        if item.shown {
            let mut gone = self.content(View::Shown, node);
            let text = std::mem::take(&mut gone.insert);
            return (gone, mark(text, false));
        }
        let new = self.content(View::Shared, node).insert;
        let units = self.items.start(View::Shown, node) as usize;
        let splice = Splice {
            at: self.shown.utf16_cu_to_char(units),
            delete: 0,
            insert: new.clone(),
        };
        (splice, mark(new, true))
    }

    /// Everything in the shared text, to be shown.
    pub(super) fn everything(&self) -> Vec<Mark> {
        let nodes = self
            .items
            .all()
            .filter(|node| self.items.item(*node).shared);
        nodes.map(|node| self.coming(node)).collect()
    }

    /// What a node of the shared text holds, to be shown.
    pub(super) fn coming(&self, node: Node) -> Mark {
        Mark {
            id: self.items.item(node).id,
            len: self.items.item(node).len,
            text: self.content(View::Shared, node).insert,
            comes: true,
        }
    }

    /// Makes the shown text follow `marks`, which are in the order of the text. Returns what
    /// changed in it.
    pub(super) fn land(&mut self, marks: &[Mark]) -> Patch {
        let mut patch = Patch::default();
        // By how much what has landed already moves what comes behind it.
        let mut shift = 0isize;
        for mark in marks {
            let end = mark.id.clock + mark.len;
            let mut skipped = 0;
            self.starting_with(mark.id);
            for node in self.items.runs(mark.id, end) {
                self.cut_end(node, end - self.items.item(node).id.clock);
                let len = self.items.item(node).len as usize;
                if self.items.item(node).shown == mark.comes {
                    skipped += len;
                    continue;
                }
                let splice = match mark.comes {
                    true => {
                        let part = part(&mark.text, skipped, len);
                        self.put(View::Shown, node, &part);
                        let put = self.content(View::Shown, node);
                        Splice {
                            at: (put.at as isize - shift) as usize,
                            delete: 0,
                            insert: put.insert,
                        }
                    }
                    false => {
                        let gone = self.content(View::Shown, node);
                        self.remove(View::Shown, node);
                        Splice {
                            at: (gone.at as isize - shift) as usize,
                            delete: gone.delete,
                            insert: String::new(),
                        }
                    }
                };
                skipped += len;
                shift += splice.insert.chars().count() as isize - splice.delete as isize;
                patch.push(splice);
            }
        }
        patch
    }
}

/// `len` UTF-16 units of a text, behind the first `skipped`.
pub(super) fn part(text: &str, skipped: usize, len: usize) -> String {
    let units: Vec<u16> = text.encode_utf16().skip(skipped).take(len).collect();
    String::from_utf16_lossy(&units)
}
