//! How the nodes that hold a room come to the same document whatever was lost between them.
//!
//! What is lost is mostly found by its number ([`Received::Missed`]), and asked for at once. What
//! numbers cannot show (the last message before a silence, a node that was away) is found by
//! comparing digests: soon after each burst of changes, then more and more rarely, at moments that
//! differ from node to node. Who hears the digest it has itself says nothing, so a quiet room costs
//! one small message now and then, and one in which nothing differs costs nothing else.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tutti_protocol::awareness;
use yrs::StateVector;

use super::actor::Room;
use super::presence::Moment;
use super::saver::Waiter;
use super::sync::Integrated;
use crate::document::Wanted;
use crate::fanout::{Digest, Message, NodeId, Received};
use crate::update::{EMPTY, read_state_vector};

/// How long a room is quiet before its content is compared.
const QUIET: Duration = Duration::from_secs(1);

/// A room that is never quiet is compared this often all the same.
const NEVER_QUIET: Duration = Duration::from_secs(15);

/// The longest time between two comparisons while somebody is in the room.
const RARELY: Duration = Duration::from_secs(120);

/// The largest message that goes over the fan-out; a larger one is read from the store.
const MESSAGE_BYTES: usize = 1024 * 1024;

/// Awareness states in one message, so that the largest of them stay below a mebibyte together.
const STATES: usize = 50;

/// When to compare.
#[derive(Debug)]
pub(super) struct Schedule {
    due: Option<Instant>,
    /// How long to wait after the next comparison.
    step: Duration,
    /// The first change since the last comparison, and the last one.
    changed: Option<(Instant, Instant)>,
    /// Between 0 and 1; the same for all changes of a burst.
    jitter: f64,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            due: None,
            step: QUIET,
            changed: None,
            jitter: 0.5,
        }
    }
}

impl Schedule {
    /// The document has changed, or something was lost. `random` gives a number between 0 and 1.
    fn changed(&mut self, now: Instant, random: impl FnOnce() -> f64) {
        let first = match self.changed {
            Some((first, _)) => first,
            None => {
                self.jitter = random();
                now
            }
        };
        self.changed = Some((first, now));
        self.step = QUIET;
        let latest = first + NEVER_QUIET;
        self.due = Some((now + QUIET.mul_f64(1.0 + self.jitter)).min(latest.max(now)));
    }

    /// The comparison has been made, or another node has just told what we would have said.
    fn compared(&mut self, now: Instant, random: f64) {
        self.changed = None;
        self.step = (self.step * 2).min(RARELY);
        self.due = Some(now + self.step.mul_f64(0.5 + random));
    }

    /// Nobody needs to know any more.
    fn stop(&mut self) {
        *self = Self::default();
    }

    /// Whether a difference is one, and not an edit that is under way.
    fn is_quiet(&self, now: Instant) -> bool {
        self.changed.is_none_or(|(first, last)| {
            now.duration_since(last) >= QUIET || now.duration_since(first) >= NEVER_QUIET / 2
        })
    }

    /// Whether anything has changed since the last comparison.
    fn has_news(&self) -> bool {
        self.changed.is_some()
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }
}

impl Room {
    pub(super) fn on_received(&mut self, received: Received) {
        match received {
            Received::Message(from, message) => self.on_message(from, message),
            Received::Missed(node) => {
                self.presence.doubt(Some(node), Instant::now());
                self.note_change();
                self.ask(Some(node));
                self.follow_store();
            }
            Received::Silent => self.follow_silent(),
            Received::CutOff => self.follow_cut_off(),
            Received::Left(node) => self.on_gone(node),
            Received::Lost(node) => {
                self.on_gone(node);
                self.follow_for_a_while();
            }
            Received::Away => {
                // Whoever told it may have died with Redis, of which nobody would hear.
                self.hearsay.orphaned();
                self.follow_until_back();
            }
            Received::Back => self.on_back(),
        }
    }

    fn on_gone(&mut self, node: NodeId) {
        let gone = self.presence.left_elsewhere(node, Moment::now());
        self.tell_awareness(&gone);
        // It may not have stored all that it told, even where it stopped in order. And what it could not say any more
        // may be in the store.
        self.hearsay.orphaned();
        self.follow_store();
    }

    fn on_back(&mut self) {
        self.follow_no_more();
        if !self.registry.fanout.has_others() {
            return;
        }
        self.presence.doubt(None, Instant::now());
        self.ask(None);
        // A room that was read after its subscription held has missed nothing that is stored.
        if !std::mem::take(&mut self.is_fresh) {
            self.follow_store();
        }
    }

    fn on_message(&mut self, from: NodeId, message: Message) {
        match message {
            Message::Update(update) => self.hear_update_elsewhere(from, &update, Wanted::AsSent),
            Message::Awareness(update) => self.hear_awareness_elsewhere(from, &update),
            Message::Digest(digest) => self.compare(from, digest),
            Message::Ask { vector, digest } => self.answer_elsewhere(from, &vector, digest),
            Message::Answer {
                update,
                vector,
                digest,
            } => self.hear_answer(from, &update, &vector, digest),
            Message::Probe(client) => {
                let owner = self.presence.owner(client);
                if let Some(owner) = owner.and_then(|owner| self.members.get(&owner)) {
                    owner.outbox.socket().probe();
                }
            }
            Message::Stored => self.follow_store(),
            Message::Changed(documents) => {
                self.registry.changed_elsewhere(&self.name, &documents);
            }
            // Not a room's business.
            Message::Revoked(_) | Message::Deleted(_) | Message::Alive | Message::Leaving => {}
        }
    }

    /// Tells other nodes what this one has, so that they send what it lacks.
    pub(super) fn ask(&mut self, to: Option<NodeId>) {
        metrics::counter!("tutti_fanout_exchanges_total").increment(1);
        let vector = self.document.state_vector().into();
        let digest = self.digest();
        self.publish_to(to, Message::Ask { vector, digest });
        self.publish_presence(to);
    }

    fn publish_presence(&mut self, to: Option<NodeId>) {
        for some in self.presence.own(Moment::now()).chunks(STATES) {
            let states = awareness::encode(some).into();
            self.publish_to(to, Message::Awareness(states));
        }
    }

    /// What the document contains; computed once for each change of it.
    fn digest(&mut self) -> Digest {
        if let Some(digest) = self.digest {
            return digest;
        }
        let digest = Digest(self.document.fingerprint());
        self.digest = Some(digest);
        digest
    }

    /// Notes that the document has changed, or may differ from the others'.
    pub(super) fn note_change(&mut self) {
        self.digest = None;
        if self.registry.fanout.has_others() {
            self.schedule.changed(Instant::now(), random);
        }
    }

    fn compare(&mut self, from: NodeId, digest: Digest) {
        let now = Instant::now();
        if digest == self.digest() {
            self.schedule.compared(now, random());
        } else if self.schedule.is_quiet(now) {
            metrics::counter!("tutti_fanout_differences_total").increment(1);
            self.note_change();
            self.ask(Some(from));
            self.follow_store();
        }
    }

    /// The time to compare has come.
    pub(super) fn on_compare(&mut self) {
        if self.members.is_empty() && !self.schedule.has_news() {
            return self.schedule.stop();
        }
        self.tell_digest();
    }

    fn tell_digest(&mut self) {
        if self.registry.fanout.has_others() {
            let digest = self.digest();
            self.publish(Message::Digest(digest));
        }
        self.schedule.compared(Instant::now(), random());
    }

    /// Nobody is in the room any more, and it is stored: the last word on what it contains.
    pub(super) fn compare_before_rest(&mut self) {
        if self.schedule.has_news() {
            self.tell_digest();
        }
        self.schedule.stop();
    }

    pub(super) fn hear_update_elsewhere(&mut self, from: NodeId, update: &Bytes, wanted: Wanted) {
        if update[..] == *EMPTY {
            return;
        }
        let Integrated { news, held } = self.integrate_elsewhere(update, wanted);
        if news.is_some() || held {
            self.note_hearsay(update, news.as_ref());
        }
        if held {
            // It builds on something that was lost.
            self.note_change();
            self.ask(Some(from));
        }
    }

    fn answer_elsewhere(&mut self, from: NodeId, vector: &Bytes, digest: Digest) {
        // Whatever differs, who has just come wants to see who is there.
        self.publish_presence(Some(from));
        if self.name.document.is_index() {
            for documents in self.registry.lately_changed(&self.name.project) {
                self.publish_to(Some(from), Message::Changed(documents));
            }
        }
        let own = self.digest();
        if own == digest {
            return;
        }
        let Ok(theirs) = read_state_vector(vector) else {
            return;
        };
        let update = self.document.diff(&theirs);
        if update.len() > MESSAGE_BYTES {
            return self.wait(Waiter::Announce);
        }
        let answer = Message::Answer {
            update: update.into(),
            vector: self.document.state_vector().into(),
            digest: own,
        };
        self.publish_to(Some(from), answer);
    }

    fn hear_answer(&mut self, from: NodeId, update: &Bytes, vector: &Bytes, digest: Digest) {
        let news = self.integrate_elsewhere(update, Wanted::OnlyNew).news;
        if news.is_some() {
            metrics::counter!("tutti_fanout_heals_total").increment(1);
            self.note_hearsay(update, news.as_ref());
        }
        if self.digest() == digest {
            return;
        }
        // It lacks something in its turn.
        if let Ok(theirs) = read_state_vector(vector) {
            self.send_what_lacks(from, &theirs);
        }
    }

    fn send_what_lacks(&mut self, to: NodeId, theirs: &StateVector) {
        let lacks = self.document.diff(theirs);
        if lacks.len() > MESSAGE_BYTES {
            self.wait(Waiter::Announce);
        } else if lacks[..] != *EMPTY {
            self.publish_to(Some(to), Message::Update(lacks.into()));
        }
    }

    /// Sends an edit of this node's members to the other nodes; call it once it is accepted.
    pub(super) fn publish_edit(&mut self, update: Bytes) {
        self.note_change();
        if !self.registry.fanout.has_others() {
            return;
        }
        if update.len() > MESSAGE_BYTES {
            return self.wait(Waiter::Announce);
        }
        self.publish(Message::Update(update));
    }
}

/// Between 0 and 1.
pub(super) fn random() -> f64 {
    // Without randomness there is simply no jitter.
    getrandom::u32().map_or(0.5, |random| f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_compared_soon_after_its_end_and_then_more_and_more_rarely() {
        let (mut schedule, start) = (Schedule::default(), Instant::now());
        let at = |ms: u64| start + Duration::from_millis(ms);
        assert!(schedule.due().is_none() && !schedule.has_news());
        for ms in [0, 100, 200] {
            schedule.changed(at(ms), || 0.5);
        }
        assert_eq!(schedule.due(), Some(at(1_700)));
        assert!(!schedule.is_quiet(at(1_100)) && schedule.is_quiet(at(1_200)));
        let mut now = at(1_700);
        let mut pauses = Vec::new();
        for _ in 0..9 {
            schedule.compared(now, 0.5);
            let next = schedule.due().unwrap();
            pauses.push(next.duration_since(now).as_secs());
            now = next;
        }
        assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 120, 120, 120]);
    }

    #[test]
    fn a_room_that_is_never_quiet_is_compared_all_the_same() {
        let (mut schedule, start) = (Schedule::default(), Instant::now());
        let mut now = start;
        while schedule.due().is_none_or(|due| due > now) {
            schedule.changed(now, || 1.0);
            now += Duration::from_millis(100);
        }
        let after = now.duration_since(start);
        assert!(
            after <= NEVER_QUIET + Duration::from_millis(100),
            "{after:?}"
        );
        assert!(schedule.is_quiet(now));
    }
}
