//! The task that owns a room: takes commands one by one, and keeps the books.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::mpsc;
use tutti_protocol::awareness::{self, AwarenessEntry};
use tutti_protocol::close;
use tutti_protocol::hint::Hint;
use tutti_protocol::ids::{DocumentId, RoomName};
use yrs::{ReadTxn, Transact};

use super::framing::Shared;
use super::presence::Presence;
use super::saver::{SaveEvent, Saver, Waiter};
use super::{Closing, Command, Framing, JoinError, MemberId, NewMember, Outbox, RoomHandle};
use crate::document::Document;
use crate::fanout::{Message, Received};
use crate::rooms::{Registry, RoomError};
use crate::store::{StoredDocument, compaction};
use crate::ws::Grant;

/// How often states and grants are looked at for having expired.
const TICK: Duration = Duration::from_secs(2);

/// Commands taken in one go before the room looks at anything else.
const COMMANDS_AT_ONCE: usize = 32;

/// Step1s without an answer that are remembered.
const MOST_ASKED: usize = 64;

/// Between tries of building a spoilt document again.
const REBUILD_PAUSE: Duration = Duration::from_millis(500);

/// Ids in one hint, which bounds its size.
const HINT_IDS: usize = 1_000;

/// An estimate of memory per encoded byte, measured on texts written character by character.
const RESIDENT_PER_ENCODED: usize = 6;
const RESIDENT_AT_LEAST: usize = 8 * 1024;

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

pub(super) struct Room {
    pub(super) registry: Arc<Registry>,
    pub(super) name: RoomName,
    pub(super) document: Document,
    pub(super) presence: Presence,
    pub(super) members: BTreeMap<MemberId, Member>,
    pub(super) saver: Saver,
    pub(super) save_events: mpsc::Sender<SaveEvent>,
    /// Whether anything was ever written to the document.
    pub(super) written: bool,
    /// Whether other nodes have told of updates, whose durability this one does not know of.
    pub(super) heard_from_others: bool,
    /// Integrating an update failed; the document has to be built again.
    pub(super) spoilt: bool,
    handle: RoomHandle,
    log: LogSize,
    compacting: Option<tokio::task::JoinHandle<()>>,
    compacted: mpsc::Sender<Option<compaction::Compacted>>,
    /// Whether the registry knows that nobody is in the room. It does not at first: a room that
    /// has just been opened waits for whom it was opened for.
    idle: bool,
    /// The room goes as soon as everything is saved.
    ending: bool,
    ended: bool,
}

/// How much there is to compact.
#[derive(Debug, Clone, Copy, Default)]
struct LogSize {
    entries: usize,
    bytes: usize,
    snapshot_bytes: usize,
    /// Entries that the last compaction could not merge, and so no reason for another one.
    stuck: usize,
}

pub(super) fn spawn(
    registry: Arc<Registry>,
    name: RoomName,
    document: Document,
    stored: Option<&StoredDocument>,
    handle: RoomHandle,
    commands: mpsc::Receiver<Command>,
) {
    let (save_events, saved) = mpsc::channel(2);
    let (compacted, compactions) = mpsc::channel(1);
    let room = Room {
        log: stored.map(log_size).unwrap_or_default(),
        written: stored.is_some(),
        registry,
        name,
        document,
        presence: Presence::default(),
        members: BTreeMap::new(),
        saver: Saver::default(),
        save_events,
        heard_from_others: false,
        spoilt: false,
        handle,
        compacting: None,
        compacted,
        idle: false,
        ending: false,
        ended: false,
    };
    room.show();
    tokio::spawn(room.run(commands, saved, compactions));
}

fn log_size(stored: &StoredDocument) -> LogSize {
    LogSize {
        entries: stored.log.len(),
        bytes: stored.log.iter().map(|entry| entry.update.len()).sum(),
        snapshot_bytes: stored.snapshot.as_ref().map_or(0, bytes::Bytes::len),
        stuck: 0,
    }
}

impl Room {
    async fn run(
        mut self,
        mut commands: mpsc::Receiver<Command>,
        mut saved: mpsc::Receiver<SaveEvent>,
        mut compactions: mpsc::Receiver<Option<compaction::Compacted>>,
    ) {
        let mut others = self.registry.fanout.subscribe(&self.name);
        self.ask_others();
        let mut tick = tokio::time::interval_at(tokio::time::Instant::now() + TICK, TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut batch = Vec::with_capacity(COMMANDS_AT_ONCE);
        while !self.ended {
            tokio::select! {
                biased;
                Some(event) = saved.recv() => self.on_save_event(event),
                Some(compacted) = compactions.recv() => self.on_compacted(compacted),
                received = others.next() => self.on_received(received),
                _ = tick.tick(), if !self.members.is_empty() || !self.idle => self.on_tick(),
                count = commands.recv_many(&mut batch, COMMANDS_AT_ONCE) => {
                    // The room holds a sender itself, so there is always a next command.
                    debug_assert!(count > 0);
                    for command in batch.drain(..) {
                        if self.spoilt {
                            self.rebuild().await;
                        }
                        self.on_command(command);
                    }
                }
            }
            if self.spoilt {
                self.rebuild().await;
            }
            self.saver
                .start(&self.registry.store, &self.name, &self.save_events);
            self.compact_when_due();
            self.show();
        }
        // Whoever has sent a command meanwhile finds its answer dropped, and opens the room anew.
        commands.close();
        while commands.recv().await.is_some() {}
    }

    fn on_command(&mut self, command: Command) {
        if self.ended {
            return;
        }
        match command {
            // What cannot be built is not shown: whoever asks finds the answer dropped.
            Command::Join(..) | Command::Read(_) | Command::Apply(..) if self.spoilt => {}
            Command::Join(member, answer) => {
                let _ = answer.send(self.join(member));
            }
            Command::Leave(member) => self.leave(member),
            Command::Renew(member, grant) => {
                if let Some(member) = self.members.get_mut(&member) {
                    member.grant = grant;
                }
            }
            Command::Hear(member, message) => self.hear(member, message),
            Command::Answer(member) => self.answer(member),
            Command::Read(read) => {
                read(self.document.doc(), self.written);
                self.tell_idle();
            }
            Command::Apply(update, answer) => self.apply_for_caller(update, answer),
            Command::Flush(answer) => {
                self.wait(Waiter::Flush(answer));
            }
            Command::Changed(documents) => self.tell_changed(&documents),
            Command::Revoke(grant) => self.remove_members(
                |member| member.grant.grant_id == grant,
                &Closing::new(close::FORBIDDEN, "this link has been withdrawn"),
            ),
            Command::Unload => self.unload(),
            Command::End { closing, delete } => self.end(&closing, delete),
        }
    }

    fn join(&mut self, new: NewMember) -> Result<(), JoinError> {
        if self.registry.is_revoked(&new.grant.grant_id) {
            return Err(JoinError::Refused(Closing::new(
                close::FORBIDDEN,
                "this link has been withdrawn",
            )));
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
            outbox,
        };
        let framing = member.outbox.framing();
        if let Some(frame) = framing.authenticated(member.grant.role) {
            member.outbox.push_kept(frame);
        }
        if *framing == Framing::Yws {
            // Hocuspocus clients are asked when they ask.
            self.ask(&mut member, true);
        }
        let states = self.presence.all();
        if !states.is_empty() {
            let update = awareness::encode(&states);
            member
                .outbox
                .push(member.outbox.framing().awareness(&update));
        }
        if let Some(error) = self.saver.failure()
            && let Some(frame) = framing_of(&member).stateless(&not_saved(&error.to_string()))
        {
            member.outbox.push_kept(frame);
        }
        self.members.insert(member.outbox.member(), member);
        self.idle = false;
        self.registry.room_in_use(&self.name, &self.handle);
        Ok(())
    }

    fn leave(&mut self, id: MemberId) {
        if self.members.remove(&id).is_none() {
            return;
        }
        let gone = self.presence.leave(id, Instant::now());
        self.tell_awareness(&gone, true);
        self.tell_idle();
    }

    /// Once nobody is in the room and everything is saved, it may be unloaded.
    fn tell_idle(&mut self) {
        if self.members.is_empty() && self.saver.is_clean() {
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

    fn remove_members(&mut self, which: impl Fn(&Member) -> bool, closing: &Closing) {
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

    fn on_tick(&mut self) {
        let now = Instant::now();
        let timeout = self.registry.limits.awareness_timeout;
        let gone = self.presence.expire(now, timeout);
        self.tell_awareness(&gone, true);
        let time = SystemTime::now();
        self.remove_members(
            |member| member.grant.expires_at.is_some_and(|end| end <= time),
            &Closing::new(close::UNAUTHORIZED, "this link has expired"),
        );
        self.tell_idle();
    }

    /// Sends awareness entries to every member, and to the other nodes where they are this one's.
    pub(super) fn tell_awareness(&mut self, entries: &[AwarenessEntry], own: bool) {
        if entries.is_empty() {
            return;
        }
        let update = awareness::encode(entries);
        let mut shared = Shared::new(|framing: &Framing| framing.awareness(&update));
        for member in self.members.values() {
            member.outbox.push(shared.frame(member.outbox.framing()));
        }
        if own {
            self.publish(Message::Awareness(update.into()));
        }
    }

    fn tell_changed(&mut self, documents: &[DocumentId]) {
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
        self.registry.fanout.publish(&self.name, message);
    }

    fn on_save_event(&mut self, event: SaveEvent) {
        match event {
            SaveEvent::Saved => {
                let was_failing = self.saver.failure().is_some();
                let (ready, written) = self.saver.saved();
                self.registry.unsaved_less(written.bytes);
                self.log.entries += written.entries;
                self.log.bytes += written.bytes;
                for waiter in ready {
                    self.done(waiter);
                }
                self.answer_who_waited();
                if was_failing {
                    tracing::info!(room = %self.name, "saving works again");
                    self.registry.saving_works(&self.name);
                    self.tell_text(r#"{"saved":true}"#);
                }
                self.tell_idle();
                self.end_when_clean();
            }
            SaveEvent::Failing(error) => {
                self.registry.saving_fails(&self.name, &error);
                if self.saver.failing(error.clone()) {
                    tracing::error!(room = %self.name, %error, "saving fails; trying again");
                    self.tell_text(&not_saved(&error.to_string()));
                }
            }
        }
    }

    /// Lets `waiter` wait for what has been accepted so far.
    pub(super) fn wait(&mut self, waiter: Waiter) {
        if let Some(ready) = self.saver.wait(waiter) {
            self.done(ready);
        }
    }

    fn done(&mut self, waiter: Waiter) {
        match waiter {
            Waiter::Member(id) => {
                if let Some(member) = self.members.get(&id) {
                    member.outbox.acknowledge(true);
                }
            }
            Waiter::Echo(id, frame) => {
                if let Some(member) = self.members.get_mut(&id) {
                    member.echoes -= 1;
                    if let Some(frame) = frame
                        && !member.outbox.push(frame)
                    {
                        member.echo_lost = true;
                    }
                }
            }
            Waiter::Caller(answer) => {
                let _ = answer.send(Ok(()));
            }
            Waiter::Flush(answer) => {
                let _ = answer.send(());
            }
        }
    }

    fn on_received(&mut self, received: Received) {
        match received {
            Received::Gap => self.ask_others(),
            Received::Message(Message::Update(update)) => self.hear_update_elsewhere(&update),
            Received::Message(Message::StateVector(vector)) => self.answer_elsewhere(&vector),
            Received::Message(Message::Stateless(text)) => self.tell_text(&text),
            Received::Message(Message::Awareness(update)) => {
                if let Ok(entries) = awareness::decode(&update) {
                    let limits = &self.registry.limits;
                    let relay = self
                        .presence
                        .hear_elsewhere(entries, Instant::now(), limits);
                    self.tell_awareness(&relay, false);
                }
            }
        }
    }

    fn compact_when_due(&mut self) {
        let limits = &self.registry.limits;
        let fresh = self.log.entries.saturating_sub(self.log.stuck);
        let due = fresh >= limits.compact_entries
            || (self.log.bytes >= limits.compact_bytes
                && self.log.bytes > self.log.snapshot_bytes
                && fresh > 1);
        if due && self.compacting.is_none() {
            self.compact();
        }
    }

    fn compact(&mut self) {
        let (registry, name) = (self.registry.clone(), self.name.clone());
        let compacted = self.compacted.clone();
        self.compacting = Some(tokio::spawn(async move {
            let result = registry.compact(&name).await;
            // The room may have been unloaded meanwhile.
            let _ = compacted.send(result).await;
        }));
    }

    fn on_compacted(&mut self, compacted: Option<compaction::Compacted>) {
        self.compacting = None;
        match compacted {
            Some(compacted) => {
                let after = self.log.entries.saturating_sub(compacted.merged_entries);
                self.log = LogSize {
                    entries: after,
                    bytes: 0,
                    snapshot_bytes: compacted.snapshot_bytes,
                    stuck: compacted.kept_entries,
                };
            }
            // Another node did it, or it failed: wait for as much again.
            None => {
                self.log.stuck = self.log.entries;
                self.log.bytes = 0;
            }
        }
    }

    fn unload(&mut self) {
        if !self.members.is_empty() || !self.saver.is_clean() {
            return;
        }
        let long = self.log.entries.saturating_sub(self.log.stuck) > 32;
        if long && self.compacting.is_none() {
            // Compaction needs the store only, so the room need not wait for it.
            self.compact();
        }
        self.registry.forget(&self.name, &self.handle);
        self.ended = true;
    }

    fn end(&mut self, closing: &Closing, delete: bool) {
        self.remove_members(|_| true, closing);
        if delete {
            self.registry.unsaved_less(self.saver.give_up());
            self.registry.saving_works(&self.name);
        }
        self.ending = true;
        self.end_when_clean();
    }

    fn end_when_clean(&mut self) {
        if self.ending && self.saver.is_clean() {
            self.registry.forget(&self.name, &self.handle);
            self.ended = true;
        }
    }

    /// Builds the document again, from what is stored and what is still to be.
    async fn rebuild(&mut self) {
        metrics::counter!("tutti_documents_rebuilt_total").increment(1);
        match self.registry.load(&self.name).await {
            Ok((mut document, _)) => {
                for update in self.saver.unsaved() {
                    if let Err(error) = document.apply(update, crate::document::Wanted::AsSent) {
                        tracing::error!(room = %self.name, %error, "an accepted update does not apply");
                    }
                }
                self.document = document;
                self.spoilt = false;
            }
            Err(error) => {
                tracing::error!(room = %self.name, %error, "a spoilt document cannot be built again");
                // Nobody is served anything until it can be; the members come back.
                self.remove_members(|_| true, &Closing::new(close::TRY_LATER, error.to_string()));
                // Nor is the store asked for it in a tight circle.
                tokio::time::sleep(REBUILD_PAUSE).await;
            }
        }
    }

    /// Shows the room's figures.
    fn show(&self) {
        let stats = &self.handle.stats;
        stats.members.store(self.members.len(), Ordering::Relaxed);
        let encoded = self.document.encoded_bytes() + self.document.held_bytes();
        let resident = match self.ended {
            true => 0,
            false => RESIDENT_AT_LEAST + encoded * RESIDENT_PER_ENCODED,
        };
        let before = stats.resident_bytes.swap(resident, Ordering::Relaxed);
        self.registry.resident_changed(before, resident);
        let since = self.saver.oldest().map_or(0, |oldest| {
            oldest.duration_since(self.registry.started).as_millis() as u64 + 1
        });
        stats.unsaved_since_ms.store(since, Ordering::Relaxed);
    }

    fn apply_for_caller(
        &mut self,
        update: bytes::Bytes,
        answer: tokio::sync::oneshot::Sender<Result<(), RoomError>>,
    ) {
        match self.take_update(None, &update, crate::document::Wanted::OnlyNew) {
            Ok(_) => self.wait(Waiter::Caller(answer)),
            Err(error) => {
                let _ = answer.send(Err(error));
            }
        }
    }

    /// Tells the other nodes what this one has, so that they send what it lacks.
    fn ask_others(&self) {
        let vector = {
            use yrs::updates::encoder::Encode;
            self.document.doc().transact().state_vector().encode_v1()
        };
        self.publish(Message::StateVector(vector.into()));
        let own = self.presence.own();
        if !own.is_empty() {
            self.publish(Message::Awareness(awareness::encode(&own).into()));
        }
    }
}

fn framing_of(member: &Member) -> &Framing {
    member.outbox.framing()
}

/// The text that Hocuspocus members get while saving fails.
fn not_saved(reason: &str) -> String {
    serde_json::json!({ "saved": false, "reason": reason }).to_string()
}
