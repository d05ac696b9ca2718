//! Who is in the room: coming, going, and what everybody is told.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tutti_protocol::awareness::{self, AwarenessEntry};
use tutti_protocol::close;
use tutti_protocol::hint::Hint;
use tutti_protocol::ids::DocumentId;

use super::actor::{Room, not_saved};
use super::framing::Shared;
use super::presence::{Moment, News};
use super::{Closing, Framing, JoinError, MemberId, NewMember, Outbox};
use crate::fanout::{Message, NodeId};
use crate::ws::Grant;

/// Step1s without an answer that are remembered.
const MOST_ASKED: usize = 64;

/// How long a member that shows nothing waits to be told who is there. Who comes back says first
/// whom it shows; only then is it known which of the states are its own.
const GREETING: Duration = Duration::from_millis(500);

/// Ids in one hint, which bounds its size.
const HINT_IDS: usize = 1_000;

pub(super) struct Member {
    pub(super) outbox: Arc<Outbox>,
    pub(super) grant: Grant,
    pub(super) joined: Instant,
    /// For each Step1 sent to it, whether the Step2 that answers it is acknowledged. A client
    /// counts on one acknowledgement for each Step1 of its own, so what the server asks on top
    /// goes without.
    pub(super) asked: VecDeque<bool>,
    /// Whether it was asked for predecessors that are missing.
    pub(super) asked_missing: bool,
    /// y-websocket: own updates that are not durable yet.
    pub(super) echoes: usize,
    /// y-websocket: an echo was thrown away.
    pub(super) echo_lost: bool,
    /// Whether it was told who is there.
    pub(super) greeted: bool,
}

impl Member {
    pub(super) fn note_asked(&mut self, acknowledged: bool) {
        // Who is asked and never answers does not make the list grow.
        if self.asked.len() == MOST_ASKED {
            self.asked.pop_front();
        }
        self.asked.push_back(acknowledged);
    }
}

impl Room {
    pub(super) fn join(&mut self, new: NewMember) -> Result<(), JoinError> {
        if self.registry.is_revoked(&new.grant.grant_id) {
            return Err(JoinError::Refused(Closing::new(
                close::FORBIDDEN,
                "this link has been withdrawn, or the project is gone",
            )));
        }
        if let Some(closing) = &self.ending {
            return Err(JoinError::Refused(closing.clone()));
        }
        let most = self.registry.limits.members_per_room;
        if self.members.len() >= most {
            return Err(JoinError::Refused(Closing::new(
                close::TRY_LATER,
                format!("this file is open {most} times, which is the most there may be"),
            )));
        }
        let outbox = new.outbox;
        outbox.joined(self.handle.mailbox.clone());
        let mut member = Member {
            grant: new.grant,
            joined: Instant::now(),
            asked: VecDeque::new(),
            asked_missing: false,
            echoes: 0,
            echo_lost: false,
            greeted: false,
            outbox,
        };
        let framing = member.outbox.framing();
        if let Some(frame) = framing.authenticated(member.grant.role) {
            member.outbox.push_kept(frame);
        }
        if *framing == Framing::Yws {
            // Hocuspocus clients are asked when they ask.
            self.ask_member(&mut member, true);
        }
        if let Some(error) = self.saver.failure()
            && let Some(frame) = member
                .outbox
                .framing()
                .stateless(&not_saved(error).to_json())
        {
            member.outbox.push_kept(frame);
        }
        let patience = tokio::time::Instant::now() + GREETING;
        self.greet_at.get_or_insert(patience);
        self.members.insert(member.outbox.member(), member);
        if std::mem::take(&mut self.idle) {
            // Nobody looked after it meanwhile.
            self.follow_store();
            self.note_change();
        }
        self.registry.room_in_use(&self.name, &self.handle);
        Ok(())
    }

    pub(super) fn leave(&mut self, id: MemberId) {
        if self.members.remove(&id).is_none() {
            return;
        }
        let gone = self.presence.leave(id, Moment::now());
        self.tell_awareness(&gone);
        self.tell_idle();
    }

    /// Once nobody is in the room and everything is saved, it may be unloaded.
    pub(super) fn tell_idle(&mut self) {
        if self.members.is_empty() && self.saver.is_clean() {
            self.compare_before_rest();
            self.show();
            self.idle = true;
            self.registry.room_idle(&self.name, &self.handle);
        }
    }

    /// Ends one member.
    pub(super) fn remove(&mut self, id: MemberId, closing: Closing) {
        if let Some(member) = self.members.get(&id) {
            member.outbox.close(closing);
            self.leave(id);
        }
    }

    pub(super) fn remove_members(&mut self, which: impl Fn(&Member) -> bool, closing: &Closing) {
        let gone: Vec<MemberId> = self
            .members
            .iter()
            .filter(|(_, member)| which(member))
            .map(|(&id, _)| id)
            .collect();
        for id in gone {
            self.remove(id, closing.clone());
        }
    }

    pub(super) fn on_tick(&mut self) {
        let now = Moment::now();
        let timeout = self.registry.limits.awareness_timeout;
        let gone = self.presence.expire(now, timeout);
        self.tell_awareness(&gone);
        if self.presence.has_doubts() {
            self.ask(None);
        }
        let time = SystemTime::now();
        self.remove_members(
            |member| member.grant.expires_at.is_some_and(|end| end <= time),
            &Closing::new(close::UNAUTHORIZED, "this link has expired"),
        );
        self.tell_idle();
    }

    /// Tells a member who is there.
    pub(super) fn greet(&mut self, id: MemberId) {
        let Some(member) = self.members.get_mut(&id) else {
            return;
        };
        member.greeted = true;
        let states = self.presence.greet(id, Moment::now());
        if !states.is_empty() {
            let update = awareness::encode(&states);
            let framing = member.outbox.framing();
            member.outbox.push(framing.awareness(&update));
        }
    }

    /// Tells what came too soon to be told when it came.
    pub(super) fn on_release(&mut self) {
        let held = self.presence.release(Moment::now());
        self.tell_awareness(&held);
    }

    /// Greets those who have shown nothing in time.
    pub(super) fn on_greet(&mut self) {
        let now = Instant::now();
        let waiting = self.members.iter().filter(|(_, member)| !member.greeted);
        let (due, later): (Vec<_>, Vec<_>) = waiting
            .map(|(&id, member)| (id, member.joined + GREETING))
            .partition(|(_, at)| *at <= now);
        self.greet_at = later.iter().map(|(_, at)| (*at).into()).min();
        for (id, _) in due {
            self.greet(id);
        }
    }

    /// Sends news of who is there to every member, and to the other nodes where they are of this
    /// one's clients.
    pub(super) fn tell_awareness(&mut self, news: &[News]) {
        if news.is_empty() {
            return;
        }
        let entries: Vec<AwarenessEntry> = news.iter().map(News::entry).collect();
        let update = awareness::encode(&entries);
        let concerned: BTreeSet<MemberId> = news
            .iter()
            .flat_map(|news| [news.member(), self.presence.claimant(news.client)])
            .flatten()
            .collect();
        let mut shared = Shared::new(|framing: &Framing| framing.awareness(&update));
        for (id, member) in &self.members {
            let framing = member.outbox.framing();
            member.outbox.push(match concerned.contains(id) {
                true => framing.awareness(&awareness::encode(&self.entries_for(*id, news))),
                false => shared.frame(framing),
            });
        }
        let own = news.iter().filter(|news| news.member().is_some());
        let own: Vec<AwarenessEntry> = own.map(News::entry).collect();
        if !own.is_empty() {
            self.publish(Message::Awareness(awareness::encode(&own).into()));
        }
    }

    /// News as a member hears it some of which is about itself.
    fn entries_for(&self, id: MemberId, news: &[News]) -> Vec<AwarenessEntry> {
        news.iter()
            .filter(|news| self.presence.claimant(news.client) != Some(id))
            .map(|news| match news.member() == Some(id) {
                true => news.own_entry(),
                false => news.entry(),
            })
            .collect()
    }

    pub(super) fn tell_changed(&mut self, documents: &[DocumentId]) {
        for part in documents.chunks(HINT_IDS) {
            self.tell_text(&Hint::Changed(part.to_vec()).to_json());
        }
    }

    pub(super) fn tell_text(&mut self, text: &str) {
        for member in self.members.values() {
            if let Some(frame) = member.outbox.framing().stateless(text) {
                member.outbox.push_kept(frame);
            }
        }
    }

    pub(super) fn publish(&self, message: Message) {
        self.publish_to(None, message);
    }

    pub(super) fn publish_to(&self, to: Option<NodeId>, message: Message) {
        self.registry.fanout.publish(&self.topic, to, message);
    }
}
