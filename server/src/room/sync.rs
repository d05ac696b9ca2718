//! An update's way through the room, and the answers to the sync steps.

use std::time::Duration;

use bytes::Bytes;
use tutti_protocol::awareness;
use tutti_protocol::close;
use tutti_protocol::role::Role;
use tutti_protocol::sync::SyncMessage;
use yrs::{ReadTxn, StateVector, Transact};

use super::actor::Room;
use super::framing::Shared;
use super::members::Member;
use super::presence::Moment;
use super::saver::Waiter;
use super::{ClientMessage, Closing, Framing, MemberId};
use crate::document::{ApplyError, Change, Wanted};
use crate::fanout::{Message, NodeId};
use crate::rooms::RoomError;
use crate::update::{EMPTY, scan};

/// Sent where a document would outgrow its cap: in the range that stops stock clients, since
/// coming back with the same edits cannot help. HTTP's 413 says the same.
const DOCUMENT_TOO_LARGE: u16 = 4413;

/// Between two looks whether there is room for a whole document among what is not saved.
const ANEW_PAUSE: Duration = Duration::from_millis(500);

impl Room {
    pub(super) fn hear(&mut self, from: MemberId, message: ClientMessage) {
        let Some(member) = self.members.get_mut(&from) else {
            return;
        };
        match message {
            ClientMessage::Step1 { known, and_ask } => {
                member.outbox.asked(known, and_ask);
                self.answer(from);
            }
            ClientMessage::Step2(update) => {
                let acknowledge = member.asked.pop_front().unwrap_or(true);
                self.hear_update(from, &update, Wanted::OnlyNew, acknowledge);
            }
            ClientMessage::Update(update) => {
                self.hear_update(from, &update, Wanted::AsSent, true);
            }
            ClientMessage::Awareness(update) => self.hear_awareness(from, &update),
            ClientMessage::QueryAwareness => {
                let states = awareness::encode(&self.presence.all(from));
                member
                    .outbox
                    .push(member.outbox.framing().awareness(&states));
            }
        }
    }

    fn hear_update(&mut self, from: MemberId, update: &Bytes, wanted: Wanted, acknowledge: bool) {
        let Some(member) = self.members.get(&from) else {
            return;
        };
        let framing = member.outbox.framing().clone();
        if member.grant.role == Role::Viewer {
            // What a stock server does: a Step2 without news is confirmed, an edit is refused.
            let nothing_new = wanted == Wanted::OnlyNew
                && scan(update).is_ok_and(|scanned| self.document.contents().cover(&scanned));
            if acknowledge && framing != Framing::Yws {
                member.outbox.acknowledge(nothing_new);
            }
            return;
        }
        match self.take_update(Some(from), update, wanted) {
            Ok(change) => {
                if wanted == Wanted::OnlyNew {
                    // It leaves out what is known here already, and counts on that.
                    self.vouch();
                }
                if framing == Framing::Yws {
                    let echo = match wanted {
                        Wanted::AsSent => Some(update.clone()),
                        // A whole state is not sent back; what was new in it is.
                        Wanted::OnlyNew => change.integrated,
                    };
                    let frame = echo.map(|update| framing.sync(SyncMessage::Update(&update)));
                    if let Some(member) = self.members.get_mut(&from) {
                        member.echoes += 1;
                    }
                    self.wait(Waiter::Echo(from, frame));
                } else if acknowledge {
                    self.wait(Waiter::Member(from));
                }
                if change.held {
                    self.ask_for_missing(from);
                }
            }
            Err(error) => {
                metrics::counter!("tutti_rejected_updates_total").increment(1);
                let (code, reason) = match &error {
                    RoomError::Limit(_) if !self.can_hold(update.len()) => {
                        (close::TRY_LATER, error.to_string())
                    }
                    RoomError::Limit(_) => (DOCUMENT_TOO_LARGE, error.to_string()),
                    _ => (close::BAD_FRAME, error.to_string()),
                };
                if let Some(member) = self.members.get(&from)
                    && framing != Framing::Yws
                {
                    member.outbox.acknowledge(false);
                }
                self.remove(from, Closing::new(code, reason));
            }
        }
    }

    /// Applies an update, tells everybody and queues it for the store.
    pub(super) fn take_update(
        &mut self,
        from: Option<MemberId>,
        update: &Bytes,
        wanted: Wanted,
    ) -> Result<Change, RoomError> {
        self.check_room_for(update.len())?;
        let change = self
            .document
            .apply(update, wanted)
            .map_err(|error| self.broken(error))?;
        let to_store = match &change.integrated {
            // A part that waits is in no document yet, only in what was sent.
            _ if change.held => Some(update.clone()),
            Some(integrated) => Some(integrated.clone()),
            // Known already, but perhaps only to another node that has not saved it yet.
            None if self.heard_from_others && update[..] != *EMPTY => Some(update.clone()),
            None => None,
        };
        if let Some(integrated) = &change.integrated {
            self.tell_update(integrated, from.filter(|_| !change.released));
            self.registry.document_changed(&self.name);
        }
        if let Some(update) = to_store {
            self.vouch_for_what_is_under(&update);
            self.written = true;
            self.accept(update);
        }
        if let Some(integrated) = &change.integrated {
            self.publish_edit(integrated.clone());
        }
        Ok(change)
    }

    /// The store is itself again after another had stood in its place. What was called saved shortly before that was noticed
    /// may have gone into that one, and whatever builds on it would wait for it for ever.
    pub(super) fn store_anew(&mut self) {
        let parts: Vec<Bytes> = self.document.everything().collect();
        let bytes = parts.iter().map(Bytes::len).sum();
        let is_in_turn = self.can_hold(bytes) || self.registry.unsaved_bytes() == 0;
        if self.spoilt || !is_in_turn {
            self.anew_at = Some(tokio::time::Instant::now() + ANEW_PAUSE);
            return;
        }
        self.anew_at = None;
        for part in parts.into_iter().filter(|part| part[..] != *EMPTY) {
            self.accept(part);
        }
    }

    /// Queues an update for the store.
    pub(super) fn accept(&mut self, update: Bytes) {
        let weight = self.saver.accept(update);
        self.registry.unsaved_more(weight);
    }

    fn broken(&mut self, error: ApplyError) -> RoomError {
        if matches!(error, ApplyError::Spoilt(_)) {
            tracing::warn!(room = %self.name, %error, "an update spoilt the document");
            self.spoilt = true;
        }
        RoomError::BadUpdate(error.to_string())
    }

    /// Whether what cannot be saved at present leaves space for this much more.
    fn can_hold(&self, bytes: usize) -> bool {
        self.registry.unsaved_bytes() + bytes <= self.registry.limits.unsaved_bytes
    }

    fn check_room_for(&mut self, bytes: usize) -> Result<(), RoomError> {
        if !self.can_hold(bytes) {
            let why = self
                .saver
                .failure()
                .map(|error| format!(": {error}"))
                .unwrap_or_default();
            return Err(RoomError::Limit(format!(
                "the server cannot take more edits before it has saved the ones it has{why}"
            )));
        }
        let limits = &self.registry.limits;
        if self.document.held_bytes() + bytes > limits.held_bytes + limits.message_bytes {
            return Err(RoomError::Limit(
                "too many edits wait for earlier ones that the server never received".to_owned(),
            ));
        }
        let most = limits.document_bytes;
        if self.document.encoded_bytes() + bytes > most && self.document.measure() + bytes > most {
            return Err(RoomError::Limit(format!(
                "this document would grow over {} MiB, the most a document may have",
                most / (1024 * 1024)
            )));
        }
        Ok(())
    }

    fn tell_update(&mut self, update: &Bytes, except: Option<MemberId>) {
        let mut shared = Shared::new(|framing: &Framing| framing.sync(SyncMessage::Update(update)));
        for (id, member) in &self.members {
            if Some(*id) != except {
                member
                    .outbox
                    .push_edit(shared.frame(member.outbox.framing()));
            }
        }
    }

    /// Sends a member a Step1.
    pub(super) fn ask_member(&self, member: &mut Member, acknowledged: bool) {
        let vector = self.document.state_vector();
        let frame = member.outbox.framing().sync(SyncMessage::Step1(&vector));
        member.note_asked(acknowledged);
        member.outbox.push_kept(frame);
    }

    /// The sender of an update knows what it builds on.
    fn ask_for_missing(&mut self, from: MemberId) {
        let Some(mut member) = self.members.remove(&from) else {
            return;
        };
        // Once only: who does not have it will not have it the next time either.
        if !member.asked_missing {
            member.asked_missing = true;
            self.ask_member(&mut member, false);
        }
        self.members.insert(from, member);
    }

    /// Answers a Step1, or brings a member up to date whose frames were thrown away.
    pub(super) fn answer(&mut self, id: MemberId) {
        let Some(member) = self.members.get_mut(&id) else {
            return;
        };
        let Some(due) = member.outbox.due() else {
            return;
        };
        let framing = member.outbox.framing().clone();
        let mut known = due.known;
        if framing == Framing::Yws && due.behind {
            if member.echoes > 0 {
                // An own update in this frame would be read as durable.
                return;
            }
            if std::mem::take(&mut member.echo_lost) {
                known = StateVector::default();
            }
        }
        let mut frames = Vec::new();
        if due.asked.is_some_and(|asked| asked.and_ask) {
            member.note_asked(true);
            let vector = self.document.state_vector();
            frames.push(framing.sync(SyncMessage::Step1(&vector)));
        }
        let lacks = self.document.diff(&known);
        match due.asked {
            Some(_) => frames.push(framing.sync(SyncMessage::Step2(&lacks))),
            None if lacks[..] != *EMPTY => {
                frames.push(framing.sync(SyncMessage::Update(&lacks)));
            }
            None => {}
        }
        if due.behind {
            let states = awareness::encode(&self.presence.all(id));
            frames.push(framing.awareness(&states));
        }
        let now = self.document.doc().transact().state_vector();
        member.outbox.answer(frames, now);
    }

    /// Answers that had to wait for an echo.
    pub(super) fn answer_who_waited(&mut self) {
        let waiting: Vec<MemberId> = self
            .members
            .iter()
            .filter(|(_, member)| {
                member.echoes == 0
                    && *member.outbox.framing() == Framing::Yws
                    && member.outbox.due().is_some()
            })
            .map(|(&id, _)| id)
            .collect();
        for id in waiting {
            self.answer(id);
        }
    }

    fn hear_awareness(&mut self, from: MemberId, update: &Bytes) {
        let Some(member) = self.members.get(&from) else {
            return;
        };
        let Ok(entries) = awareness::decode(update) else {
            let closing = Closing::new(close::BAD_FRAME, "the awareness update is not valid");
            return self.remove(from, closing);
        };
        let now = Moment::now();
        let (joined, greeted) = (member.joined, member.greeted);
        let limits = &self.registry.limits;
        let heard = self.presence.hear(from, joined, entries, now, limits);
        if heard.refused > 0 {
            metrics::counter!("tutti_rejected_awareness_total").increment(heard.refused as u64);
        }
        if let Some(owner) = heard.probe.and_then(|owner| self.members.get(&owner)) {
            owner.outbox.socket().probe();
        }
        if let Some((node, client)) = heard.probe_elsewhere {
            self.publish_to(Some(node), Message::Probe(client));
        }
        self.tell_awareness(&heard.relay);
        if !greeted {
            self.greet(from);
        }
    }

    /// Takes in what another node has, or has stored.
    pub(super) fn integrate_elsewhere(&mut self, update: &Bytes, wanted: Wanted) -> Integrated {
        let mut integrated = Integrated::default();
        if self.document.held_bytes() > self.registry.limits.held_bytes {
            // It comes again by an exchange, once what it waits for is there.
            metrics::counter!("tutti_rejected_updates_total").increment(1);
            return integrated;
        }
        match self.document.apply(update, wanted) {
            Ok(change) => {
                if change.held || change.integrated.is_some() {
                    self.heard_from_others = true;
                    self.written = true;
                }
                if let Some(update) = &change.integrated {
                    self.note_change();
                    self.tell_update(update, None);
                    self.registry.changed_by_others(&self.name);
                }
                integrated.held = change.held;
                integrated.news = change.integrated;
            }
            Err(error) => {
                metrics::counter!("tutti_rejected_updates_total").increment(1);
                self.broken(error);
            }
        }
        integrated
    }

    pub(super) fn hear_awareness_elsewhere(&mut self, from: NodeId, update: &Bytes) {
        let Ok(entries) = awareness::decode(update) else {
            return metrics::counter!("tutti_rejected_awareness_total").increment(1);
        };
        let limits = &self.registry.limits;
        let now = Moment::now();
        let relay = self.presence.hear_elsewhere(from, entries, now, limits);
        self.tell_awareness(&relay);
    }
}

/// What came of an update that is not from a member.
#[derive(Debug, Default)]
pub(super) struct Integrated {
    /// What changed in the document.
    pub(super) news: Option<Bytes>,
    /// Whether a part of it has to wait for predecessors.
    pub(super) held: bool,
}
