//! Who is in a room, and what each one shows.
//!
//! A state belongs to the connection that set it first; no other may change or remove it. The
//! traps of the awareness protocol that this avoids:
//! - Clients send back what they hear about others. Nothing follows from that.
//! - A client never forgets the clocks that it has heard, and ignores what is not newer, though it
//!   forgets the states when its connection ends. So everybody is told clocks of the server's own
//!   making ([`clock`]): they grow with the time of day, and are moved on for whoever comes, so
//!   that who returns sees everybody, and everybody sees who returns, after a restart and on
//!   another node as well. A client's own clock only tells its own words in order, and a client
//!   is told of itself with that clock alone: with a newer one it would take its own old state
//!   for a change.
//! - A client may come back before its old connection is found dead. Its claim is kept, and that
//!   connection is [probed](Heard::probe).

mod clock;
mod state;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use tutti_protocol::awareness::AwarenessEntry;

pub(super) use self::clock::Moment;
pub(super) use self::state::News;
use self::state::{Owner, Removed, Shown, is_repeated, is_state};
use super::MemberId;
use crate::fanout::NodeId;
use crate::limits::Limits;

/// How long a removed client's clock is remembered.
const REMEMBER_REMOVED: Duration = Duration::from_secs(120);

/// How long another node may take to say that somebody is still there, once that is in doubt.
const DOUBT: Duration = Duration::from_secs(6);

/// A state of another node that was told this lately is not told again unchanged: it is said anew
/// to every node that asks who is there. Clients take who is not renewed for 30 s for gone.
const TOLD_LATELY: Duration = Duration::from_secs(5);

/// Names that are told of at once, and characters of each.
const MOST_NAMES: usize = 100;
const NAME_CHARS: usize = 100;

/// The name that somebody shows.
fn name_in(state: &str) -> Option<String> {
    let state: serde_json::Value = serde_json::from_str(state).ok()?;
    let name = state.get("user")?.get("name")?.as_str()?;
    let plain = name.chars().filter(|c| !c.is_control()).take(NAME_CHARS);
    let name = plain.collect::<String>().trim().to_owned();
    (!name.is_empty()).then_some(name)
}

/// The states of a room.
#[derive(Default)]
pub(super) struct Presence {
    shown: HashMap<u64, Shown>,
    removed: HashMap<u64, Removed>,
    /// For a shown client, the latest state of another connection that claims to be it.
    claims: HashMap<u64, (MemberId, AwarenessEntry)>,
    bytes: usize,
    /// When something is to be told that came too soon.
    release_at: Option<Instant>,
}

/// What came of an awareness update.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// What everybody is to hear, its sender too.
    pub(super) relay: Vec<News>,
    /// The owner of a state that somebody else claims.
    pub(super) probe: Option<MemberId>,
    /// The same where another node has the client.
    pub(super) probe_elsewhere: Option<(NodeId, u64)>,
    /// States that were not taken for a cap or for being no state.
    pub(super) refused: usize,
}

impl Presence {
    /// The names that people show, as many and as long as are of use to anybody.
    pub(super) fn names(&self) -> BTreeSet<String> {
        let states = self.shown.values().map(|shown| shown.state.as_str());
        states.filter_map(name_in).take(MOST_NAMES).collect()
    }

    /// Takes in what a member says; `joined` is when it came.
    pub(super) fn hear(
        &mut self,
        member: MemberId,
        joined: Instant,
        entries: Vec<AwarenessEntry>,
        now: Moment,
        limits: &Limits,
    ) -> Heard {
        let mut heard = Heard::default();
        let mut owned = self.owned_by(member);
        for entry in entries {
            if !is_state(&entry) || entry.state.len() > limits.awareness_state_bytes {
                heard.refused += 1;
                continue;
            }
            match self.shown.get(&entry.client) {
                Some(shown) if shown.owner == Owner::Member(member) => {
                    let newer = entry.clock > shown.said;
                    let removes = entry.is_removal() && entry.clock == shown.said;
                    if !newer && !removes {
                        continue;
                    }
                    // It lives; whoever claimed to be it only repeated what it had heard.
                    self.claims.remove(&entry.client);
                }
                Some(shown) => {
                    let repeats = is_repeated(entry.clock, shown.told);
                    if owned == 0 && !entry.is_removal() && !repeats {
                        match shown.owner {
                            Owner::Member(_) if entry.clock < shown.said => continue,
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
                        && removed.is_repeated_by(member, joined, entry.clock)
                    {
                        continue;
                    }
                    owned += 1;
                }
            }
            if self.bytes + entry.state.len() > limits.awareness_room_bytes {
                heard.refused += 1;
                continue;
            }
            let news = self.take(entry, Owner::Member(member), now);
            heard.relay.extend(news);
        }
        heard
    }

    /// Takes in what another node says about its clients. A client that has gone over to another
    /// node is that one's as soon as its clock moves on there.
    pub(super) fn hear_elsewhere(
        &mut self,
        node: NodeId,
        entries: Vec<AwarenessEntry>,
        now: Moment,
        limits: &Limits,
    ) -> Vec<News> {
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
                        entry.clock > shown.said
                            || (entry.is_removal() && entry.clock == shown.said)
                    }
                    Owner::Elsewhere(_) => !entry.is_removal() && entry.clock > shown.said,
                },
                None => !entry.is_removal(),
            };
            let fits = entry.state.len() <= limits.awareness_state_bytes
                && self.bytes + entry.state.len() <= limits.awareness_room_bytes;
            if !takes || !is_state(&entry) || !fits {
                continue;
            }
            match entry.is_removal() {
                true => relay.extend(self.end(entry.client, now)),
                false => relay.extend(self.take(entry, Owner::Elsewhere(node), now)),
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

    /// Sets a state, or removes it; what everybody is to hear of that, and now.
    fn take(&mut self, entry: AwarenessEntry, owner: Owner, now: Moment) -> Option<News> {
        if entry.is_removal() {
            return self.forget(entry.client, Some(entry.clock), now);
        }
        let before = self.shown.remove(&entry.client);
        let removed = self.removed.remove(&entry.client);
        self.bytes += entry.state.len();
        self.bytes -= before.as_ref().map_or(0, |before| before.state.len());
        let last = before.as_ref().map(|before| before.told);
        let next = last
            .or(removed.map(|removed| removed.told))
            .map_or(0, |last| last + 1);
        let before = before.filter(|before| before.owner == owner);
        let mut pace = before
            .as_ref()
            .map(|before| before.pace)
            .unwrap_or_default();
        let (time, held) = match owner {
            Owner::Member(_) => (now.eighths, !pace.allows(now.at)),
            Owner::Elsewhere(_) => (entry.clock, false),
        };
        let is_known = before.as_ref().is_some_and(|before| {
            let lately = now.at.duration_since(before.told_at) < TOLD_LATELY;
            matches!(owner, Owner::Elsewhere(_)) && lately && before.state == entry.state
        });
        let untold = before.filter(|_| held || is_known);
        let is_told = untold.is_none();
        let (told, told_at) = match untold {
            Some(before) => (before.told, before.told_at),
            None => (next.max(time), now.at),
        };
        let client = entry.client;
        let shown = Shown {
            state: entry.state,
            said: entry.clock,
            told,
            told_at,
            owner,
            renewed: now.at,
            doubted: None,
            ahead: (entry.clock as i64).saturating_sub(now.eighths as i64),
            pace,
            held,
        };
        if held {
            self.release_at = earlier(self.release_at, pace.due());
        }
        let news = is_told.then(|| shown.news(client));
        self.shown.insert(client, shown);
        news
    }

    /// Removes a client; `said` is the clock that its owner gave that.
    fn forget(&mut self, client: u64, said: Option<u64>, now: Moment) -> Option<News> {
        let before = self.shown.remove(&client)?;
        self.bytes -= before.state.len();
        let removed = Removed {
            said: said.unwrap_or(before.said),
            told: before.told,
            owner: before.owner,
            at: now.at,
        };
        // At the same clock: a client that is still there moves on from it.
        let news = News {
            client,
            state: "null".to_owned(),
            said: removed.said,
            told: removed.told,
            owner: removed.owner,
        };
        self.removed.insert(client, removed);
        Some(news)
    }

    /// Removes a client whose connection, node or time has ended; who claimed it gets it.
    fn end(&mut self, client: u64, now: Moment) -> Option<News> {
        let gone = self.forget(client, None, now);
        match self.claims.remove(&client) {
            Some((claimant, entry)) => self.take(entry, Owner::Member(claimant), now),
            None => gone,
        }
    }

    /// Removes what a member that has left showed; who claimed it gets it. Returns what
    /// everybody is to hear.
    pub(super) fn leave(&mut self, member: MemberId, now: Moment) -> Vec<News> {
        self.claims.retain(|_, (claimant, _)| *claimant != member);
        self.remove(now, |shown| shown.owner == Owner::Member(member))
    }

    /// Removes the clients of another node that has gone.
    pub(super) fn left_elsewhere(&mut self, node: NodeId, now: Moment) -> Vec<News> {
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
    pub(super) fn expire(&mut self, now: Moment, timeout: Duration) -> Vec<News> {
        self.removed
            .retain(|_, removed| now.at.duration_since(removed.at) < REMEMBER_REMOVED);
        self.remove(now, |shown| {
            let is_unsaid = |since| now.at.duration_since(since) > DOUBT;
            now.at.duration_since(shown.renewed) > timeout || shown.doubted.is_some_and(is_unsaid)
        })
    }

    fn remove(&mut self, now: Moment, which: impl Fn(&Shown) -> bool) -> Vec<News> {
        let gone: Vec<u64> = self
            .shown
            .iter()
            .filter(|(_, shown)| which(shown))
            .map(|(&client, _)| client)
            .collect();
        gone.into_iter()
            .filter_map(|client| self.end(client, now))
            .collect()
    }

    /// What came too soon to be told when it came, and is told now.
    pub(super) fn release(&mut self, now: Moment) -> Vec<News> {
        let mut relay = Vec::new();
        for (&client, shown) in &mut self.shown {
            if shown.held && shown.pace.allows(now.at) {
                shown.held = false;
                shown.told_at = now.at;
                shown.told = (shown.told + 1).max(now.eighths);
                relay.push(shown.news(client));
            }
        }
        let held = self.shown.values().filter(|shown| shown.held);
        self.release_at = held.map(|shown| shown.pace.due()).fold(None, earlier);
        relay
    }

    /// When to call [`Presence::release`].
    pub(super) fn release_at(&self) -> Option<Instant> {
        self.release_at
    }

    /// The member that shows itself as this client.
    pub(super) fn owner(&self, client: u64) -> Option<MemberId> {
        match self.shown.get(&client)?.owner {
            Owner::Member(member) => Some(member),
            Owner::Elsewhere(_) => None,
        }
    }

    /// The member that claims to be this client, which is somebody else's.
    pub(super) fn claimant(&self, client: u64) -> Option<MemberId> {
        self.claims.get(&client).map(|(claimant, _)| *claimant)
    }

    /// Everybody's state for a member who has just come, and may have been here before.
    pub(super) fn greet(&mut self, member: MemberId, now: Moment) -> Vec<AwarenessEntry> {
        for shown in self.shown.values_mut() {
            shown.move_on(now);
        }
        self.all(member)
    }

    /// Everybody's state for a member.
    pub(super) fn all(&self, member: MemberId) -> Vec<AwarenessEntry> {
        let shown = self.shown.iter();
        shown
            .filter(|(client, _)| self.claimant(**client) != Some(member))
            .map(
                |(&client, shown)| match shown.owner == Owner::Member(member) {
                    true => shown.news(client).own_entry(),
                    false => shown.news(client).entry(),
                },
            )
            .collect()
    }

    /// The states of this node's own clients, for the members of another one, who may have been
    /// here before.
    pub(super) fn own(&mut self, now: Moment) -> Vec<AwarenessEntry> {
        let shown = self.shown.iter_mut();
        shown
            .filter(|(_, shown)| matches!(shown.owner, Owner::Member(_)))
            .map(|(&client, shown)| {
                shown.move_on(now);
                shown.news(client).entry()
            })
            .collect()
    }
}

fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
