//! Finds out what was lost, by the numbers on what arrives.

use std::collections::HashMap;

use super::super::NodeId;

/// Nodes whose numbers are followed in one topic. More there are not, unless somebody makes them
/// up; those are then asked too often, which is only a waste.
const MOST_NODES: usize = 256;

/// How far each node has come in one topic.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    nodes: HashMap<NodeId, Heard>,
}

#[derive(Debug)]
struct Heard {
    opening: u64,
    /// The number of its next message; none: any will do.
    next: Option<u64>,
}

impl Numbers {
    /// Takes note of `count` messages from `first` on; says whether any before them was missed.
    pub(super) fn missed(&mut self, node: NodeId, opening: u64, first: u64, count: u64) -> bool {
        if opening == 0 {
            return false;
        }
        let after = first.saturating_add(count);
        if self.nodes.len() >= MOST_NODES && !self.nodes.contains_key(&node) {
            self.nodes.clear();
        }
        let known = self.nodes.entry(node).or_insert(Heard {
            opening,
            next: Some(1),
        });
        if known.opening != opening {
            *known = Heard {
                opening,
                next: Some(1),
            };
        }
        let expected = known.next.unwrap_or(first);
        // What comes late or twice does not turn the count back.
        known.next = Some(after.max(expected));
        first > expected
    }

    /// Anything may have been missed, and everybody is asked for it: each node's next number is
    /// as good as any.
    pub(super) fn any_will_do(&mut self) {
        for heard in self.nodes.values_mut() {
            heard.next = None;
        }
    }

    /// Forgets a node; says whether it was known.
    pub(super) fn forget(&mut self, node: NodeId) -> bool {
        self.nodes.remove(&node).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: NodeId = NodeId(1);
    const TWO: NodeId = NodeId(2);

    #[test]
    fn a_lost_message_is_missed_once() {
        let mut numbers = Numbers::default();
        assert!(!numbers.missed(ONE, 5, 1, 2));
        assert!(!numbers.missed(ONE, 5, 3, 1));
        assert!(numbers.missed(ONE, 5, 6, 1));
        assert!(!numbers.missed(ONE, 5, 7, 1));
        // What comes late changes nothing.
        assert!(!numbers.missed(ONE, 5, 4, 2));
        assert!(!numbers.missed(ONE, 5, 8, 1));
    }

    #[test]
    fn who_is_new_and_does_not_begin_with_one_was_missed() {
        let mut numbers = Numbers::default();
        assert!(numbers.missed(ONE, 5, 2, 1));
        assert!(!numbers.missed(TWO, 5, 1, 1));
        // It has opened the room anew.
        assert!(!numbers.missed(ONE, 6, 1, 1));
        assert!(numbers.missed(ONE, 7, 3, 1));
        assert!(!numbers.missed(ONE, 0, 0, 1), "nothing is numbered");
    }

    #[test]
    fn after_asking_everybody_any_number_will_do() {
        let mut numbers = Numbers::default();
        numbers.missed(ONE, 5, 1, 1);
        numbers.any_will_do();
        assert!(!numbers.missed(ONE, 5, 90, 1));
        assert!(numbers.missed(ONE, 5, 92, 1));
        assert!(numbers.forget(ONE) && !numbers.forget(ONE));
    }
}
