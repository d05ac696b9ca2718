//! Signs that nodes leave in the store, so that those are known of that cannot be heard.
//!
//! A node that Redis does not reach is silent to the others, one that starts meanwhile has never heard of it, and one that
//! has no Redis, or another one, is never heard at all. All of them reach the store, or nothing is saved: so each node
//! leaves a sign there, again and again, and looks for those of others (`lookout.rs`). A sign that goes on to change is of a
//! node that lives; one that does not was left behind.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;

use super::NodeId;

/// Between the signs of a node that nothing is the matter with.
pub(super) const SELDOM: Duration = Duration::from_secs(10);

/// For how long a sign that does not change is one of a node that lives: two may come late.
const LIVES: Duration = Duration::from_secs(25);

/// How long a sign stands still before it is taken away, by whoever sees it.
const LEFT_BEHIND: Duration = Duration::from_secs(600);

/// So many signs of a node that is not heard were no coincidence.
const NO_COINCIDENCE: u32 = 2;

/// By what a node hears others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hears {
    /// By a Redis that it is connected to.
    Redis,
    /// By a Redis, which is away.
    Nobody,
    /// By the store alone, as it has no Redis.
    Store,
}

/// A node's sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sign {
    /// Whose it is.
    pub node: NodeId,
    /// How often it was left.
    pub count: i64,
    /// By what the node hears others.
    pub hears: Hears,
}

/// The place where signs are left. An error is told in words for the operator.
pub trait Signs: Send + Sync + 'static {
    /// Leaves a node's sign, in the place of the one before.
    fn leave(&self, node: NodeId, hears: Hears) -> BoxFuture<'_, Result<(), String>>;

    /// Takes a node's sign away, if there is one.
    fn take(&self, node: NodeId) -> BoxFuture<'_, Result<(), String>>;

    /// All signs.
    fn all(&self) -> BoxFuture<'_, Result<Vec<Sign>, String>>;
}

/// The signs that were seen.
#[derive(Default)]
pub(super) struct Seen {
    signs: HashMap<NodeId, Known>,
}

struct Known {
    sign: Sign,
    /// When it was found to be another one than before.
    changed: Instant,
    /// How often it has changed since its node was heard.
    unheard: u32,
}

/// What a look at the signs has found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Whether any other node lives, or may, that is not heard.
    pub(super) any_unheard: bool,
    /// By what such nodes hear others that have been found to live for some time, and say that nothing is the matter.
    pub(super) apart: Vec<Hears>,
    /// Whose signs were left behind.
    pub(super) left_behind: Vec<NodeId>,
}

impl Seen {
    /// Takes note of all signs there are, those of the node `own` left out; `is_heard` tells which nodes are heard. No clock
    /// but this node's counts.
    pub(super) fn note(
        &mut self,
        signs: &[Sign],
        own: NodeId,
        now: Instant,
        is_heard: impl Fn(NodeId) -> bool,
    ) -> Found {
        let others = || signs.iter().filter(|sign| sign.node != own);
        self.signs
            .retain(|node, _| others().any(|sign| sign.node == *node));
        let mut found = Found::default();
        for &sign in others() {
            // Nobody knows how old one is that is seen first.
            let known = self.signs.entry(sign.node).or_insert(Known {
                sign,
                changed: now,
                unheard: 0,
            });
            let is_heard = is_heard(sign.node);
            if known.sign != sign {
                known.changed = now;
                known.unheard += 1;
            }
            // Who has just found its Redis again is heard in a moment.
            if is_heard || known.sign.hears != sign.hears {
                known.unheard = 0;
            }
            known.sign = sign;
            let age = now.duration_since(known.changed);
            if age > LEFT_BEHIND {
                found.left_behind.push(sign.node);
            } else if age <= LIVES && !is_heard {
                found.any_unheard = true;
                if known.unheard >= NO_COINCIDENCE && sign.hears != Hears::Nobody {
                    found.apart.push(sign.hears);
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: NodeId = NodeId(1);

    fn sign(node: u64, count: i64, hears: Hears) -> Sign {
        Sign {
            node: NodeId(node),
            count,
            hears,
        }
    }

    #[test]
    fn a_sign_that_changes_is_alive_and_one_that_does_not_is_left_behind() {
        let (mut seen, start) = (Seen::default(), Instant::now());
        let mut note = |seconds, signs: &[(u64, i64)]| {
            let signs: Vec<Sign> = signs
                .iter()
                .map(|&(node, count)| sign(node, count, Hears::Nobody))
                .collect();
            let now = start + Duration::from_secs(seconds);
            let found = seen.note(&signs, OWN, now, |_| false);
            assert_eq!(found.apart, []);
            (found.any_unheard, found.left_behind)
        };
        assert_eq!(note(0, &[(1, 1)]), (false, vec![]));
        assert_eq!(note(1, &[(1, 2), (2, 7)]), (true, vec![]));
        assert_eq!(note(26, &[(2, 7)]), (true, vec![]));
        assert_eq!(note(27, &[(2, 7)]), (false, vec![]));
        assert_eq!(note(30, &[(2, 8)]), (true, vec![]));
        assert_eq!(note(630, &[(2, 8), (3, 1)]), (true, vec![]));
        let left_behind = vec![NodeId(2)];
        assert_eq!(note(660, &[(2, 8), (3, 1)]), (false, left_behind));
        // Gone, and back.
        assert_eq!(note(661, &[]), (false, vec![]));
        assert_eq!(note(662, &[(3, 1)]), (true, vec![]));
    }

    #[test]
    fn who_lives_and_is_not_heard_though_it_hears_is_apart() {
        let (mut seen, start) = (Seen::default(), Instant::now());
        let mut note = |seconds, count, hears, is_heard| {
            let now = start + Duration::from_secs(seconds);
            let found = seen.note(&[sign(2, count, hears)], OWN, now, |_| is_heard);
            (found.any_unheard, found.apart)
        };
        assert_eq!(note(0, 1, Hears::Redis, false), (true, vec![]));
        assert_eq!(note(10, 2, Hears::Redis, true), (false, vec![]));
        // It has fallen silent, and died.
        assert_eq!(note(12, 2, Hears::Redis, false), (true, vec![]));
        assert_eq!(note(36, 2, Hears::Redis, false), (false, vec![]));
        // It lives after all, and its Redis was away.
        assert_eq!(note(40, 3, Hears::Nobody, false), (true, vec![]));
        assert_eq!(note(41, 4, Hears::Nobody, false), (true, vec![]));
        assert_eq!(note(42, 5, Hears::Nobody, false), (true, vec![]));
        assert_eq!(note(43, 6, Hears::Redis, false), (true, vec![]));
        assert_eq!(note(53, 7, Hears::Redis, false), (true, vec![]));
        let apart = vec![Hears::Redis];
        assert_eq!(note(63, 8, Hears::Redis, false), (true, apart));
        assert_eq!(note(64, 8, Hears::Redis, true), (false, vec![]));
    }
}
