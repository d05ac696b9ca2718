//! Characters of the shared text that an editor is never shown.
//!
//! A `\r` in an edit makes a line end in some editors and nothing in others, so theirs is not told of
//! it. It stays in the shared text, for everyone else, and goes with what it stands beside.

use super::items::{Node, View};
use super::showing::Mark;
use super::text::{Text, units};
use super::undo::Gone;

impl Text {
    /// Every `\r` that the shown text lacks is hidden from now on.
    pub(super) fn keep_back_returns(&mut self) {
        if !std::mem::take(&mut self.has_new_returns) {
            return;
        }
        for mut node in self.items.differing() {
            if self.items.item(node).shown {
                continue;
            }
            let content = self.content(View::Shared, node).insert;
            let mut rest = content.as_str();
            while let Some(at) = rest.find('\r') {
                node = self.cut_start(node, units(&rest[..at]));
                let behind = rest[at..].trim_start_matches('\r');
                let count = rest.len() - at - behind.len();
                let next = (!behind.is_empty()).then(|| self.cut_start(node, count as u32));
                self.items.keep_back(node, true);
                rest = behind;
                node = next.unwrap_or(node);
            }
        }
    }

    /// Character `at` of the shown text is hidden from now on.
    pub(super) fn hide(&mut self, at: usize) {
        let start = self.shown.char_to_utf16_cu(at) as u32;
        if let Some((node, offset)) = self.items.at(View::Shown, start) {
            let node = self.cut_start(node, offset);
            self.cut_end(node, self.shown.char(at).len_utf16() as u32);
            self.remove(View::Shown, node);
            self.items.keep_back(node, true);
        }
    }

    /// What is hidden.
    pub(super) fn hidden(&self) -> Vec<Node> {
        let hidden = |node: &Node| self.items.item(*node).is_hidden();
        self.items.all().filter(hidden).collect()
    }

    /// The same, by the names of the characters.
    pub(super) fn hidden_marks(&self) -> Vec<Mark> {
        let hidden = self.hidden().into_iter();
        hidden.map(|node| self.coming(node)).collect()
    }

    /// The person deletes `node` and so what is hidden between it and `last`, which they have deleted
    /// before; or, if it begins with a line end, the rest of that.
    pub(super) fn delete_hidden(
        &mut self,
        last: Option<Node>,
        node: Node,
        deleted: &mut Vec<Gone>,
    ) {
        if last.is_none() && !self.begins_with_newline(node) {
            return;
        }
        let mut hidden = Vec::new();
        let mut before = self.items.before(node);
        while let Some(node) = before.filter(|_| before != last) {
            let item = self.items.item(node);
            if item.is_hidden() {
                hidden.push(node);
            } else if last.is_none() && item.is_anywhere() {
                break;
            }
            before = self.items.before(node);
        }
        for node in hidden.into_iter().rev() {
            let (id, text) = (
                self.items.item(node).id,
                self.content(View::Shared, node).insert,
            );
            deleted.push(Gone { id, text });
            self.remove(View::Shared, node);
        }
    }

    fn begins_with_newline(&self, node: Node) -> bool {
        let at = self.items.start(View::Shown, node) as usize;
        self.shown.char(self.shown.utf16_cu_to_char(at)) == '\n'
    }
}
