//! Documents that wait for their turn, each once: some go ahead of the others.

use std::collections::{BTreeMap, VecDeque};

use tutti_protocol::ids::DocumentId;

/// See the [module's documentation](self).
#[derive(Debug, Default)]
pub(super) struct Line {
    ahead: VecDeque<DocumentId>,
    others: VecDeque<DocumentId>,
    /// Those that wait, and whether ahead. What stands in a line besides has had its turn.
    waiting: BTreeMap<DocumentId, bool>,
}

impl Line {
    /// Puts a document at the end, if it does not wait already.
    pub(super) fn push(&mut self, document: DocumentId) {
        if !self.contains(&document) {
            self.waiting.insert(document.clone(), false);
            self.others.push_back(document);
        }
    }

    /// Puts a document ahead of all but those that were put there before.
    pub(super) fn push_ahead(&mut self, document: DocumentId) {
        if self.waiting.insert(document.clone(), true) != Some(true) {
            self.ahead.push_back(document);
        }
    }

    /// Whose turn it is.
    pub(super) fn pop(&mut self) -> Option<DocumentId> {
        for (line, is_ahead) in [(&mut self.ahead, true), (&mut self.others, false)] {
            while let Some(document) = line.pop_front() {
                if self.waiting.get(&document) == Some(&is_ahead) {
                    self.waiting.remove(&document);
                    return Some(document);
                }
            }
        }
        None
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn contains(&self, document: &DocumentId) -> bool {
        self.waiting.contains_key(document)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_one_turn_and_some_have_it_first() {
        let [a, b, c, d]: [DocumentId; 4] = ["a", "b", "c", "d"].map(|id| id.parse().unwrap());
        let mut line = Line::default();
        for document in [&a, &b, &c, &a] {
            line.push(document.clone());
        }
        for document in [&c, &d, &c] {
            line.push_ahead(document.clone());
        }
        line.push(d.clone());
        assert_eq!(line.len(), 4);
        let mut order = Vec::new();
        while let Some(document) = line.pop() {
            if order.is_empty() {
                // Once more while it is looked after.
                line.push(document.clone());
            }
            order.push(document);
        }
        assert_eq!(order, [c.clone(), d, a, b, c]);
        assert_eq!(line.len(), 0);
    }
}
