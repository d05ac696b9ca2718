//! Signs that nodes leave in the store while they cannot be heard.
//!
//! A node that Redis does not reach is silent to the others, and one that starts meanwhile has never heard of it. All of
//! them reach the store, or nothing is saved: so whoever is cut off leaves a sign there, again and again, and whoever is
//! not looks for signs. A sign that goes on to change is of a node that lives; one that does not was left behind.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;

use super::NodeId;

/// How long a sign stands still before it is taken away, by whoever sees it.
const LEFT_BEHIND: Duration = Duration::from_secs(600);

/// A node's sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sign {
    /// Whose it is.
    pub node: NodeId,
    /// How often it was left.
    pub count: i64,
}

/// The place where signs are left. An error is told in words for the operator.
pub trait Signs: Send + Sync + 'static {
    /// Leaves a node's sign, in the place of the one before.
    fn leave(&self, node: NodeId) -> BoxFuture<'_, Result<(), String>>;

    /// Takes a node's sign away, if there is one.
    fn take(&self, node: NodeId) -> BoxFuture<'_, Result<(), String>>;

    /// All signs.
    fn all(&self) -> BoxFuture<'_, Result<Vec<Sign>, String>>;
}

/// The signs that were seen, and when they last changed.
#[derive(Default)]
pub(super) struct Seen {
    signs: HashMap<NodeId, (i64, Instant)>,
}

/// What a look at the signs has found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Whether any other node lives and cannot be heard.
    pub(super) any_alive: bool,
    /// Whose signs were left behind.
    pub(super) left_behind: Vec<NodeId>,
}

impl Seen {
    /// Takes note of all signs there are, those of the node `own` left out. No clock but this node's counts.
    pub(super) fn note(&mut self, signs: &[Sign], own: NodeId, now: Instant) -> Found {
        let others = || signs.iter().filter(|sign| sign.node != own);
        self.signs
            .retain(|node, _| others().any(|sign| sign.node == *node));
        let mut found = Found::default();
        for sign in others() {
            let before = self.signs.get(&sign.node);
            match before.filter(|(count, _)| *count == sign.count) {
                None => {
                    found.any_alive = true;
                    self.signs.insert(sign.node, (sign.count, now));
                }
                Some((_, since)) if now.duration_since(*since) > LEFT_BEHIND => {
                    found.left_behind.push(sign.node);
                }
                Some(_) => {}
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_that_changes_is_alive_and_one_that_does_not_is_left_behind() {
        let (mut seen, start) = (Seen::default(), Instant::now());
        let sign = |node, count| Sign {
            node: NodeId(node),
            count,
        };
        let mut note = |seconds, signs: &[Sign]| {
            let found = seen.note(signs, NodeId(1), start + Duration::from_secs(seconds));
            (found.any_alive, found.left_behind)
        };
        assert_eq!(note(0, &[sign(1, 1)]), (false, vec![]));
        // Nobody knows how old one is that is seen first.
        assert_eq!(note(1, &[sign(1, 2), sign(2, 7)]), (true, vec![]));
        assert_eq!(note(2, &[sign(2, 7)]), (false, vec![]));
        assert_eq!(note(3, &[sign(2, 8)]), (true, vec![]));
        assert_eq!(note(603, &[sign(2, 8), sign(3, 1)]), (true, vec![]));
        let left_behind = vec![NodeId(2)];
        assert_eq!(note(604, &[sign(2, 8), sign(3, 1)]), (false, left_behind));
        // Gone, and back.
        assert_eq!(note(605, &[]), (false, vec![]));
        assert_eq!(note(606, &[sign(3, 1)]), (true, vec![]));
    }
}
