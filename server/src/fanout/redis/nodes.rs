//! Which other nodes are there, by their signs of life.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::super::NodeId;

/// Between a node's signs of life.
pub(super) const BEAT: Duration = Duration::from_millis(500);

/// Between two looks for nodes that have fallen silent.
pub(super) const LOOK: Duration = Duration::from_millis(250);

/// A node that gives no sign for this long is not heard any more, for whatever reason. With a
/// [`LOOK`] before that is found and one into the store behind it, its edits are on the other nodes
/// within two seconds.
const SILENT_AFTER: Duration = Duration::from_millis(1_200);

/// Who looks later than this after its last look has stood still itself.
const STOOD_STILL: Duration = Duration::from_secs(3);

/// A node that gives no sign for this long is taken for dead.
pub(super) const DEAD_AFTER: Duration = Duration::from_secs(10);

/// How long a dead node is remembered, to be welcomed back.
const REMEMBER_DEAD: Duration = Duration::from_secs(600);

/// More nodes than anybody runs; whoever makes up more is not counted.
const MOST_NODES: usize = 1_024;

/// The other nodes.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    alive: HashMap<NodeId, Life>,
    dead: HashMap<NodeId, Instant>,
    last_look: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Life {
    heard: Instant,
    is_silent: bool,
}

impl Life {
    fn at(heard: Instant) -> Self {
        Self {
            heard,
            is_silent: false,
        }
    }
}

/// What a look has found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Whether any node is not heard that was before.
    pub(super) any_silent: bool,
    /// Nodes that have died.
    pub(super) dead: Vec<NodeId>,
}

impl Nodes {
    /// A sign of life; says whether the node had been taken for dead.
    pub(super) fn heard(&mut self, node: NodeId, now: Instant) -> bool {
        if self.alive.len() < MOST_NODES || self.alive.contains_key(&node) {
            self.alive.insert(node, Life::at(now));
        }
        self.dead.remove(&node).is_some()
    }

    /// A node has said goodbye; says whether it was known.
    pub(super) fn left(&mut self, node: NodeId) -> bool {
        self.dead.remove(&node);
        self.alive.remove(&node).is_some()
    }

    /// What has happened since the last look; look about once a [`LOOK`].
    pub(super) fn look(&mut self, now: Instant) -> Found {
        let late = self
            .last_look
            .replace(now)
            .is_some_and(|last| now.duration_since(last) > STOOD_STILL);
        if late {
            // It was this node that stood still; what the others said meanwhile is still to be
            // read.
            self.all_alive(now);
        }
        let dead: Vec<NodeId> = self
            .alive
            .iter()
            .filter(|(_, life)| now.duration_since(life.heard) > DEAD_AFTER)
            .map(|(&node, _)| node)
            .collect();
        for node in &dead {
            self.alive.remove(node);
            if self.dead.len() < MOST_NODES {
                self.dead.insert(*node, now);
            }
        }
        self.dead
            .retain(|_, died| now.duration_since(*died) < REMEMBER_DEAD);
        let mut any_silent = false;
        for life in self.alive.values_mut() {
            let is_silent = now.duration_since(life.heard) > SILENT_AFTER;
            any_silent |= is_silent && !std::mem::replace(&mut life.is_silent, is_silent);
        }
        Found { any_silent, dead }
    }

    /// Nobody could be heard for a while: everybody gets a new start.
    pub(super) fn all_alive(&mut self, now: Instant) {
        for life in self.alive.values_mut() {
            *life = Life::at(now);
        }
        self.last_look = Some(now);
    }

    /// Whether a node is there and was not found silent at the last look.
    pub(super) fn is_heard(&self, node: NodeId) -> bool {
        self.alive.get(&node).is_some_and(|life| !life.is_silent)
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.alive.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: NodeId = NodeId(1);

    fn look_until(nodes: &mut Nodes, start: Instant, from: u64, to: u64) -> Vec<(u64, NodeId)> {
        let mut died = Vec::new();
        for second in from..=to {
            let at = start + Duration::from_secs(second);
            let found = nodes.look(at);
            died.extend(found.dead.into_iter().map(|node| (second, node)));
        }
        died
    }

    #[test]
    fn a_silent_node_dies_and_may_come_back() {
        let (mut nodes, start) = (Nodes::default(), Instant::now());
        assert!(!nodes.heard(ONE, start));
        assert_eq!(look_until(&mut nodes, start, 1, 30), [(11, ONE)]);
        assert_eq!(nodes.count(), 0);
        assert!(nodes.heard(ONE, start + Duration::from_secs(31)));
        assert_eq!(nodes.count(), 1);
        assert!(nodes.left(ONE) && !nodes.left(ONE));
        assert_eq!(look_until(&mut nodes, start, 31, 60), []);
    }

    #[test]
    fn a_node_is_silent_once_and_long_before_it_is_dead() {
        let (mut nodes, start) = (Nodes::default(), Instant::now());
        nodes.heard(ONE, start);
        let mut silent_at = |from: u64, to: u64| -> Vec<u64> {
            let looks = (from..to).filter(|look| {
                let at = start + LOOK * *look as u32;
                nodes.look(at).any_silent
            });
            looks.collect()
        };
        assert_eq!(silent_at(1, 24), [5]);
        nodes.heard(ONE, start + LOOK * 24);
        let again = (25..40).find(|&look| nodes.look(start + LOOK * look).any_silent);
        assert_eq!(again, Some(29));
        // One sign that does not come makes no node silent.
        assert!(BEAT * 2 < SILENT_AFTER);
    }

    #[test]
    fn who_stood_still_itself_buries_nobody() {
        let (mut nodes, start) = (Nodes::default(), Instant::now());
        nodes.heard(ONE, start);
        assert_eq!(look_until(&mut nodes, start, 1, 2), []);
        assert_eq!(look_until(&mut nodes, start, 60, 69), []);
        assert_eq!(look_until(&mut nodes, start, 70, 90), [(71, ONE)]);
    }
}
