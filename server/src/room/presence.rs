//! Who is in a room, and what each one shows.
//!
//! A state belongs to the connection that set it first; no other may change or remove it. The
//! traps of the awareness protocol that this avoids:
//! - y-websocket clients send back what they hear about others. Nothing follows from that.
//! - A client that reconnects sends its state with the clock it had before; everybody else has
//!   seen that clock removed and would ignore it. Its clock is moved on.
//! - A client may come back before its old connection is found dead. Its claim is kept, and that
//!   connection is [probed](Heard::probe).

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tutti_protocol::awareness::AwarenessEntry;

use super::MemberId;
use crate::fanout::NodeId;
use crate::limits::Limits;

/// How long a removed client's clock is remembered.
const REMEMBER_REMOVED: Duration = Duration::from_secs(120);

/// How long another node may take to say that somebody is still there, once that is in doubt.
const DOUBT: Duration = Duration::from_secs(6);

/// Clocks beyond this do not fit every client's number type.
const MAX_CLOCK: u64 = u32::MAX as u64 - 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Member(MemberId),
    /// A client of another node.
    Elsewhere(NodeId),
}

struct Shown {
    entry: AwarenessEntry,
    owner: Owner,
    renewed: Instant,
    /// Since when it may be that its node has said that it is gone, and was not heard.
    doubted: Option<Instant>,
}

struct Removed {
    clock: u64,
    at: Instant,
}

/// The states of a room.
#[derive(Default)]
pub(super) struct Presence {
    shown: HashMap<u64, Shown>,
    removed: HashMap<u64, Removed>,
    /// For a shown client, the latest state of another connection that claims to be it.
    claims: HashMap<u64, (MemberId, AwarenessEntry)>,
    bytes: usize,
}

/// What came of an awareness update.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// What everybody is to hear, its sender too.
    pub(super) relay: Vec<AwarenessEntry>,
    /// The owner of a state that somebody else claims.
    pub(super) probe: Option<MemberId>,
    /// The same where another node has the client.
    pub(super) probe_elsewhere: Option<(NodeId, u64)>,
    /// States that were not taken for a cap or for being no state.
    pub(super) refused: usize,
}

impl Presence {
    /// Takes in what a member says; `joined` is when it came.
    pub(super) fn hear(
        &mut self,
        member: MemberId,
        joined: Instant,
        entries: Vec<AwarenessEntry>,
        now: Instant,
        limits: &Limits,
    ) -> Heard {
        let mut heard = Heard::default();
        let mut owned = self.owned_by(member);
        for mut entry in entries {
            if !is_state(&entry) || entry.state.len() > limits.awareness_state_bytes {
                heard.refused += 1;
                continue;
            }
            match self.shown.get(&entry.client) {
                Some(shown) if shown.owner == Owner::Member(member) => {
                    let newer = entry.clock > shown.entry.clock;
                    let removes = entry.is_removal() && entry.clock == shown.entry.clock;
                    if !newer && !removes {
                        continue;
                    }
                    // It lives; whoever claimed to be it only repeated what it had heard.
                    self.claims.remove(&entry.client);
                }
                Some(shown) => {
                    if owned == 0 && !entry.is_removal() && entry.clock >= shown.entry.clock {
                        match shown.owner {
                            Owner::Member(owner) => heard.probe = Some(owner),
                            Owner::Elsewhere(node) => {
                                heard.probe_elsewhere = Some((node, entry.client));
                            }
                        }
                        self.claims.insert(entry.client, (member, entry));
                    }
                    continue;
                }
                None if entry.is_removal() => continue,
                None => {
                    if owned >= limits.awareness_clients_per_member {
                        heard.refused += 1;
                        continue;
                    }
                    if let Some(removed) = self.removed.get(&entry.client)
                        && entry.clock <= removed.clock
                    {
                        // Who was here before the removal only repeats what it heard.
                        if joined < removed.at {
                            continue;
                        }
                        entry.clock = removed.clock + 1;
                    }
                    owned += 1;
                }
            }
            if self.bytes + entry.state.len() > limits.awareness_room_bytes {
                heard.refused += 1;
                continue;
            }
            self.set(entry.clone(), Owner::Member(member), now);
            heard.relay.push(entry);
        }
        heard
    }

    /// Takes in what another node says about its clients. A client that has gone over to another
    /// node is that one's as soon as its clock moves on there.
    pub(super) fn hear_elsewhere(
        &mut self,
        node: NodeId,
        entries: Vec<AwarenessEntry>,
        now: Instant,
        limits: &Limits,
    ) -> Vec<AwarenessEntry> {
        let mut relay = Vec::new();
        for entry in entries {
            let known = self.shown.get_mut(&entry.client);
            let takes = match known {
                Some(shown) => match shown.owner {
                    Owner::Member(_) => false,
                    Owner::Elsewhere(owner) if owner == node => {
                        if !entry.is_removal() {
                            shown.doubted = None;
                        }
                        entry.clock > shown.entry.clock
                            || (entry.is_removal() && entry.clock == shown.entry.clock)
                    }
                    Owner::Elsewhere(_) => !entry.is_removal() && entry.clock > shown.entry.clock,
                },
                None => !entry.is_removal(),
            };
            let fits = entry.state.len() <= limits.awareness_state_bytes
                && self.bytes + entry.state.len() <= limits.awareness_room_bytes;
            if takes && is_state(&entry) && fits {
                self.set(entry.clone(), Owner::Elsewhere(node), now);
                relay.push(entry);
            }
        }
        relay
    }

    fn owned_by(&self, member: MemberId) -> usize {
        self.shown
            .values()
            .filter(|shown| shown.owner == Owner::Member(member))
            .count()
    }

    fn set(&mut self, entry: AwarenessEntry, owner: Owner, now: Instant) {
        if entry.is_removal() {
            self.forget(entry.client, entry.clock, now);
            return;
        }
        self.removed.remove(&entry.client);
        self.bytes += entry.state.len();
        let shown = Shown {
            entry,
            owner,
            renewed: now,
            doubted: None,
        };
        if let Some(before) = self.shown.insert(shown.entry.client, shown) {
            self.bytes -= before.entry.state.len();
        }
    }

    fn forget(&mut self, client: u64, clock: u64, now: Instant) {
        if let Some(before) = self.shown.remove(&client) {
            self.bytes -= before.entry.state.len();
        }
        self.removed.insert(client, Removed { clock, at: now });
    }

    /// Removes what a member that has left showed; who claimed it gets it. Returns what
    /// everybody is to hear.
    pub(super) fn leave(&mut self, member: MemberId, now: Instant) -> Vec<AwarenessEntry> {
        self.claims.retain(|_, (claimant, _)| *claimant != member);
        self.remove(now, |shown| shown.owner == Owner::Member(member))
    }

    /// Removes the clients of another node that has gone.
    pub(super) fn left_elsewhere(&mut self, node: NodeId, now: Instant) -> Vec<AwarenessEntry> {
        self.remove(now, |shown| shown.owner == Owner::Elsewhere(node))
    }

    /// Something of this node was lost, or of any: it is about to be asked who is there.
    pub(super) fn doubt(&mut self, node: Option<NodeId>, now: Instant) {
        for shown in self.shown.values_mut() {
            if let Owner::Elsewhere(owner) = shown.owner
                && node.is_none_or(|node| node == owner)
            {
                shown.doubted.get_or_insert(now);
            }
        }
    }

    /// Whether somebody is shown who may have gone.
    pub(super) fn has_doubts(&self) -> bool {
        self.shown.values().any(|shown| shown.doubted.is_some())
    }

    /// Removes what has not been renewed for too long, and whom nobody has vouched for.
    pub(super) fn expire(&mut self, now: Instant, timeout: Duration) -> Vec<AwarenessEntry> {
        self.removed
            .retain(|_, removed| now.duration_since(removed.at) < REMEMBER_REMOVED);
        self.remove(now, |shown| {
            let is_unsaid = |since| now.duration_since(since) > DOUBT;
            now.duration_since(shown.renewed) > timeout || shown.doubted.is_some_and(is_unsaid)
        })
    }

    fn remove(&mut self, now: Instant, which: impl Fn(&Shown) -> bool) -> Vec<AwarenessEntry> {
        let gone: Vec<(u64, u64)> = self
            .shown
            .values()
            .filter(|shown| which(shown))
            .map(|shown| (shown.entry.client, shown.entry.clock))
            .collect();
        let mut relay = Vec::new();
        for (client, clock) in gone {
            self.forget(client, clock, now);
            relay.push(match self.claims.remove(&client) {
                Some((claimant, mut entry)) => {
                    entry.clock = entry.clock.max(clock + 1);
                    self.set(entry.clone(), Owner::Member(claimant), now);
                    entry
                }
                // At the same clock: a client that is still there moves on from it.
                None => AwarenessEntry {
                    client,
                    clock,
                    state: "null".to_owned(),
                },
            });
        }
        relay
    }

    /// The member that shows itself as this client.
    pub(super) fn owner(&self, client: u64) -> Option<MemberId> {
        match self.shown.get(&client)?.owner {
            Owner::Member(member) => Some(member),
            Owner::Elsewhere(_) => None,
        }
    }

    /// Everybody's state.
    pub(super) fn all(&self) -> Vec<AwarenessEntry> {
        self.entries(|_| true)
    }

    /// The states of this node's own clients.
    pub(super) fn own(&self) -> Vec<AwarenessEntry> {
        self.entries(|shown| matches!(shown.owner, Owner::Member(_)))
    }

    fn entries(&self, which: impl Fn(&Shown) -> bool) -> Vec<AwarenessEntry> {
        self.shown
            .values()
            .filter(|shown| which(shown))
            .map(|shown| shown.entry.clone())
            .collect()
    }
}

/// Clients throw on what is not JSON, and some on large clocks.
fn is_state(entry: &AwarenessEntry) -> bool {
    entry.clock <= MAX_CLOCK
        && entry.client < 1 << 53
        && serde_json::from_str::<serde::de::IgnoredAny>(&entry.state).is_ok()
}
