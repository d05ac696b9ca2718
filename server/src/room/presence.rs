//! Who is in a room, and what each one shows.
//!
//! A state belongs to the connection that set it first; no other may change or remove it. The
//! traps of the awareness protocol that this avoids:
//! - y-websocket clients send back what they hear about others. Nothing follows from that.
//! - A client that reconnects sends its state with the clock it had before; everybody else has
//!   seen that clock removed and would ignore it. Its clock is moved on.
//! - A client may come back before its old connection is found dead. Its claim is kept, and that
//!   connection is [probed](Heard::probe).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tutti_protocol::awareness::AwarenessEntry;

use super::MemberId;
use crate::fanout::NodeId;
use crate::limits::Limits;

/// How long a removed client's clock is remembered.
const REMEMBER_REMOVED: Duration = Duration::from_secs(120);

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
            let known = self.shown.get(&entry.client);
            let takes = match known {
                Some(shown) => match shown.owner {
                    Owner::Member(_) => false,
                    Owner::Elsewhere(owner) if owner == node => {
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

    /// Removes what has not been renewed for too long.
    pub(super) fn expire(&mut self, now: Instant, timeout: Duration) -> Vec<AwarenessEntry> {
        self.removed
            .retain(|_, removed| now.duration_since(removed.at) < REMEMBER_REMOVED);
        self.remove(now, |shown| now.duration_since(shown.renewed) > timeout)
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

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: NodeId = NodeId(1);
    const ADA: MemberId = MemberId(1);
    const BO: MemberId = MemberId(2);

    fn entry(client: u64, clock: u64, state: &str) -> AwarenessEntry {
        AwarenessEntry {
            client,
            clock,
            state: state.to_owned(),
        }
    }

    struct Room {
        presence: Presence,
        limits: Limits,
        start: Instant,
    }

    impl Room {
        fn new() -> Self {
            Self {
                presence: Presence::default(),
                limits: Limits::default(),
                start: Instant::now(),
            }
        }

        fn at(&self, second: u64) -> Instant {
            self.start + Duration::from_secs(second)
        }

        /// A member that came at second `joined` says something at second `now`.
        fn says(
            &mut self,
            member: MemberId,
            joined: u64,
            now: u64,
            entries: &[AwarenessEntry],
        ) -> Heard {
            let (joined, now) = (self.at(joined), self.at(now));
            self.presence
                .hear(member, joined, entries.to_vec(), now, &self.limits)
        }
    }

    #[test]
    fn a_state_belongs_to_the_connection_that_set_it() {
        let mut room = Room::new();
        let ada = entry(1, 1, r#"{"user":"Ada"}"#);
        let heard = room.says(ADA, 0, 0, std::slice::from_ref(&ada));
        assert_eq!(heard.relay, std::slice::from_ref(&ada));
        let bo = entry(2, 1, "{}");
        room.says(BO, 0, 0, std::slice::from_ref(&bo));
        // Neither a newer state nor a removal by somebody else is taken.
        for forged in [entry(1, 9, "{}"), entry(1, 9, "null"), entry(1, 1, "null")] {
            assert_eq!(room.says(BO, 0, 1, &[forged]), Heard::default());
        }
        let mut all = room.presence.all();
        all.sort_by_key(|entry| entry.client);
        assert_eq!(all, [ada, bo]);
    }

    #[test]
    fn a_state_goes_with_its_connection() {
        let mut room = Room::new();
        room.says(ADA, 0, 0, &[entry(1, 4, "{}")]);
        let gone = room.presence.leave(ADA, room.at(1));
        assert_eq!(gone, [entry(1, 4, "null")]);
        assert!(room.presence.all().is_empty());
        assert_eq!(room.presence.bytes, 0);
        // A y-websocket client that repeats what it had heard brings no ghost back.
        assert_eq!(room.says(BO, 0, 2, &[entry(1, 4, "{}")]), Heard::default());
    }

    #[test]
    fn who_reconnects_is_seen_at_once() {
        let mut room = Room::new();
        room.says(ADA, 0, 0, &[entry(1, 4, "{}")]);
        room.presence.leave(ADA, room.at(1));
        let heard = room.says(MemberId(3), 2, 2, &[entry(1, 4, "{}")]);
        assert_eq!(heard.relay, [entry(1, 5, "{}")]);
    }

    #[test]
    fn who_reconnects_before_the_old_connection_is_gone_gets_its_place() {
        let mut room = Room::new();
        room.says(ADA, 0, 0, &[entry(1, 4, "{}")]);
        let again = MemberId(3);
        let heard = room.says(again, 2, 2, &[entry(1, 4, r#"{"new":1}"#)]);
        assert_eq!((heard.relay.len(), heard.probe), (0, Some(ADA)));
        let relay = room.presence.leave(ADA, room.at(3));
        assert_eq!(relay, [entry(1, 5, r#"{"new":1}"#)]);
        let next = entry(1, 6, "{}");
        let heard = room.says(again, 2, 4, std::slice::from_ref(&next));
        assert_eq!(heard.relay, [next]);
    }

    #[test]
    fn a_claim_is_void_once_its_owner_shows_itself() {
        let mut room = Room::new();
        room.says(ADA, 0, 0, &[entry(1, 4, "{}")]);
        // One who shows nothing itself and repeats what it hears, as y-websocket does.
        assert_eq!(room.says(BO, 1, 1, &[entry(1, 4, "{}")]).probe, Some(ADA));
        room.says(ADA, 0, 2, &[entry(1, 5, "{}")]);
        let gone = room.presence.leave(ADA, room.at(3));
        assert_eq!(gone, [entry(1, 5, "null")]);
    }

    #[test]
    fn a_state_that_is_not_renewed_expires() {
        let mut room = Room::new();
        room.says(ADA, 0, 0, &[entry(1, 1, "{}")]);
        room.says(BO, 0, 20, &[entry(2, 1, "{}")]);
        let timeout = Duration::from_secs(30);
        assert!(room.presence.expire(room.at(30), timeout).is_empty());
        let gone = room.presence.expire(room.at(31), timeout);
        assert_eq!(gone, [entry(1, 1, "null")]);
        // Its next renewal brings it back.
        assert_eq!(room.says(ADA, 0, 32, &[entry(1, 2, "{}")]).relay.len(), 1);
    }

    #[test]
    fn caps_and_rules_are_kept() {
        let mut room = Room::new();
        room.limits.awareness_state_bytes = 100;
        room.limits.awareness_clients_per_member = 2;
        room.limits.awareness_room_bytes = 150;
        let long = format!("\"{}\"", "x".repeat(98));
        let bad = [
            entry(1, 1, &"x".repeat(101)),
            entry(1, 1, "{"),
            entry(1, u64::MAX, "{}"),
            entry(1, 1, &"[".repeat(99)),
        ];
        assert_eq!(room.says(ADA, 0, 0, &bad).refused, bad.len());
        assert_eq!(room.says(ADA, 0, 0, &[entry(1, 1, &long)]).refused, 0);
        assert_eq!(room.says(BO, 0, 0, &[entry(2, 1, &long)]).refused, 1);
        let many: Vec<_> = (10..14).map(|client| entry(client, 1, "{}")).collect();
        assert_eq!(room.says(BO, 0, 0, &many).refused, 2);
    }

    #[test]
    fn another_nodes_clients_are_its_own() {
        let mut room = Room::new();
        let (now, limits) = (room.at(0), room.limits.clone());
        let there = entry(7, 1, "{}");
        let relay = room
            .presence
            .hear_elsewhere(NODE, vec![there.clone()], now, &limits);
        assert_eq!(relay, [there]);
        assert!(room.presence.own().is_empty());
        room.says(ADA, 0, 0, &[entry(1, 1, "{}")]);
        let forged = vec![entry(1, 2, "null")];
        assert!(
            room.presence
                .hear_elsewhere(NODE, forged, now, &limits)
                .is_empty()
        );
    }

    #[test]
    fn a_nodes_clients_go_with_it_unless_they_have_gone_over() {
        let mut room = Room::new();
        let (now, limits) = (room.at(0), room.limits.clone());
        let other = NodeId(2);
        let mut hear = |node, entry| {
            let presence = &mut room.presence;
            presence
                .hear_elsewhere(node, vec![entry], now, &limits)
                .len()
        };
        assert_eq!(hear(NODE, entry(7, 1, "{}")), 1);
        assert_eq!(hear(NODE, entry(8, 1, "{}")), 1);
        // Another node may not end it, nor repeat it; but the client may be there now.
        assert_eq!(hear(other, entry(7, 1, "null")), 0);
        assert_eq!(hear(other, entry(7, 1, "{}")), 0);
        assert_eq!(hear(other, entry(7, 2, "{}")), 1);
        assert_eq!(hear(NODE, entry(7, 1, "null")), 0);
        let gone = room.presence.left_elsewhere(NODE, now);
        assert_eq!(gone, [entry(8, 1, "null")]);
        assert_eq!(room.presence.all(), [entry(7, 2, "{}")]);
    }
}
