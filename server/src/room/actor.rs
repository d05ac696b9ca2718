//! The task that owns a room: takes commands one by one, and keeps the books.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tutti_protocol::close;
use tutti_protocol::ids::RoomName;
use tutti_protocol::remark::Remark;

use super::exchange::Schedule;
use super::follow::{Follow, News};
use super::hearsay::Hearsay;
use super::log::LogSize;
use super::members::Member;
use super::presence::Presence;
use super::saver::{SaveEvent, Saver, Waiter};
use super::{Closing, Command, JoinError, MemberId, Others, RoomHandle};
use crate::document::{Document, Wanted};
use crate::fanout::{Digest, Message, Subscription, Topic};
use crate::rooms::{Registry, RoomError};
use crate::store::compaction::Compacted;
use crate::store::{StoreError, StoredDocument};

/// How often states and grants are looked at for having expired.
const TICK: Duration = Duration::from_secs(2);

/// Commands taken in one go before the room looks at anything else.
const COMMANDS_AT_ONCE: usize = 32;

/// How long nobody says anything to a room before it leaves memory.
const UNLOAD_PAUSE: Duration = Duration::from_millis(5);

/// Between tries of building a spoilt document again.
const REBUILD_PAUSE: Duration = Duration::from_millis(500);

pub(super) struct Room {
    pub(super) registry: Arc<Registry>,
    pub(super) name: RoomName,
    pub(super) topic: Topic,
    pub(super) document: Document,
    /// What the document contains, once it has been asked for.
    pub(super) digest: Option<Digest>,
    pub(super) presence: Presence,
    /// When to look for members that were not told who is there.
    pub(super) greet_at: Option<tokio::time::Instant>,
    pub(super) members: BTreeMap<MemberId, Member>,
    pub(super) saver: Saver,
    pub(super) save_events: mpsc::Sender<SaveEvent>,
    /// Whether anything was ever written to the document.
    pub(super) written: bool,
    /// Whether other nodes have told of updates, whose durability this one does not know of.
    pub(super) heard_from_others: bool,
    /// What they told and nobody has shown to be stored.
    pub(super) hearsay: Hearsay,
    /// Whether the document was read after other nodes could be heard, and not looked at since.
    pub(super) is_fresh: bool,
    pub(super) schedule: Schedule,
    pub(super) follow: Follow,
    pub(super) news: mpsc::Sender<News>,
    /// Integrating an update failed; the document has to be built again.
    pub(super) spoilt: bool,
    pub(super) handle: RoomHandle,
    pub(super) log: LogSize,
    pub(super) compacting: Option<tokio::task::JoinHandle<()>>,
    pub(super) compacted: mpsc::Sender<Option<Compacted>>,
    /// Whether the registry knows that nobody is in the room. It does not at first: a room that
    /// has just been opened waits for whom it was opened for.
    pub(super) idle: bool,
    /// When to leave memory, having been asked to: each further command puts it off a little, so
    /// that many who come at once are all served by one opening.
    unload_at: Option<tokio::time::Instant>,
    /// When to store everything anew.
    pub(super) anew_at: Option<tokio::time::Instant>,
    /// Why the room goes as soon as everything is saved.
    pub(super) ending: Option<Closing>,
    ended: bool,
}

/// What a room begins with.
pub(super) struct Opened<'a> {
    pub(super) document: Document,
    pub(super) stored: Option<&'a StoredDocument>,
    pub(super) others: Others,
}

/// What the tasks and nodes that a room has set going tell it.
struct Events {
    saved: mpsc::Receiver<SaveEvent>,
    compactions: mpsc::Receiver<Option<Compacted>>,
    news: mpsc::Receiver<News>,
    others: Box<dyn Subscription>,
    returns: Option<watch::Receiver<u64>>,
}

pub(super) fn spawn(
    registry: Arc<Registry>,
    name: RoomName,
    opened: Opened<'_>,
    handle: RoomHandle,
    commands: mpsc::Receiver<Command>,
) {
    let (save_events, saved) = mpsc::channel(2);
    let (compacted, compactions) = mpsc::channel(1);
    let (news, found) = mpsc::channel(1);
    let stored = opened.stored;
    let returns = registry.store.returns();
    let room = Room {
        log: stored.map(LogSize::of).unwrap_or_default(),
        written: stored.is_some(),
        follow: Follow::after(stored),
        topic: Topic::Room(name.clone()),
        registry,
        name,
        document: opened.document,
        digest: None,
        presence: Presence::default(),
        greet_at: None,
        members: BTreeMap::new(),
        saver: Saver::default(),
        save_events,
        heard_from_others: false,
        hearsay: Hearsay::default(),
        is_fresh: opened.others.before_load,
        schedule: Schedule::default(),
        news,
        spoilt: false,
        handle,
        compacting: None,
        compacted,
        idle: false,
        unload_at: None,
        anew_at: None,
        ending: None,
        ended: false,
    };
    room.show();
    let events = Events {
        saved,
        compactions,
        news: found,
        others: opened.others.subscription,
        returns,
    };
    tokio::spawn(room.run(commands, events));
}

impl Room {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>, mut events: Events) {
        let mut tick = tokio::time::interval_at(tokio::time::Instant::now() + TICK, TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut batch = Vec::with_capacity(COMMANDS_AT_ONCE);
        while !self.ended {
            tokio::select! {
                biased;
                Some(event) = events.saved.recv() => self.on_save_event(event),
                Some(compacted) = events.compactions.recv() => self.on_compacted(compacted),
                Some(news) = events.news.recv() => self.on_news(news),
                received = events.others.next() => self.on_received(received),
                () = until(self.schedule.due().map(Into::into)) => self.on_compare(),
                () = until(self.follow.due()) => self.on_follow(),
                () = until_changed(&mut events.returns) => {
                    self.anew_at = Some(tokio::time::Instant::now());
                }
                () = until(self.anew_at) => self.store_anew(),
                // What is due is started below.
                () = until(self.saver.due().map(Into::into)) => {}
                () = until(self.greet_at) => self.on_greet(),
                () = until(self.presence.release_at().map(Into::into)) => self.on_release(),
                _ = tick.tick(), if !self.members.is_empty() || !self.idle => self.on_tick(),
                count = commands.recv_many(&mut batch, COMMANDS_AT_ONCE) => {
                    // The room holds a sender itself, so there is always a next command.
                    debug_assert!(count > 0);
                    for command in batch.drain(..) {
                        if self.spoilt {
                            self.rebuild().await;
                        }
                        if command.shows_the_text() && self.may_be_behind() {
                            self.catch_up_with_store().await;
                        }
                        self.on_command(command);
                    }
                    if let Some(at) = &mut self.unload_at {
                        *at = tokio::time::Instant::now() + UNLOAD_PAUSE;
                    }
                }
                () = until(self.unload_at) => {
                    self.unload_at = None;
                    self.unload();
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
            Command::Join(_, answer) if self.spoilt => {
                let _ = answer.send(Err(JoinError::Refused(not_yet())));
            }
            // What cannot be built is not shown: whoever asks finds the answer dropped.
            Command::Read(_) | Command::Apply(..) if self.spoilt => {}
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
                &Closing::new(
                    close::FORBIDDEN,
                    "this link has been withdrawn, or the project is gone",
                ),
            ),
            Command::Grants(answer) => {
                let grants = self.members.values().map(|member| &member.grant.grant_id);
                let _ = answer.send(grants.cloned().collect());
            }
            Command::People(answer) => {
                let _ = answer.send(self.presence.names());
            }
            Command::Unload => self.unload_at = Some(tokio::time::Instant::now()),
            Command::End { closing, delete } => self.end(&closing, delete),
        }
    }

    fn on_save_event(&mut self, event: SaveEvent) {
        match event {
            SaveEvent::Saved => {
                let was_failing = self.saver.failure().is_some();
                if let Some(since) = self.saver.oldest() {
                    let waited = since.elapsed();
                    metrics::histogram!("tutti_save_seconds").record(waited);
                    self.registry.document_stored(&self.name, waited);
                }
                let (ready, written) = self.saver.saved();
                self.registry.unsaved_less(written.weight);
                self.log.entries += written.appends.len();
                self.log.bytes += written.bytes();
                self.know_what_is_written(&written);
                for waiter in ready {
                    self.done(waiter);
                }
                self.answer_who_waited();
                if was_failing {
                    tracing::info!(room = %self.name, "saving works again");
                    self.registry.saving_works(&self.name);
                    self.tell_text(&Remark::Saved.to_json());
                }
                self.tell_idle();
                self.end_when_clean();
            }
            SaveEvent::Failing(error) => {
                self.registry.saving_fails(&self.name, &error);
                if self.saver.failing(error.clone()) {
                    tracing::error!(room = %self.name, %error, "saving fails; trying again");
                    self.tell_text(&not_saved(&error).to_json());
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
            Waiter::Announce => self.publish(Message::Stored),
        }
    }

    fn unload(&mut self) {
        if !self.members.is_empty() || !self.saver.is_clean() {
            return;
        }
        self.compact_before_going();
        self.registry.forget(&self.name, &self.handle);
        self.ended = true;
    }

    fn end(&mut self, closing: &Closing, delete: bool) {
        self.remove_members(|_| true, closing);
        if delete {
            self.registry.unsaved_less(self.saver.give_up());
            self.registry.saving_works(&self.name);
        }
        self.ending = Some(closing.clone());
        self.end_when_clean();
    }

    fn end_when_clean(&mut self) {
        if self.ending.is_some() && self.saver.is_clean() {
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
                    if let Err(error) = document.apply(update, Wanted::AsSent) {
                        tracing::error!(room = %self.name, %error, "an accepted update does not apply");
                    }
                }
                self.document = document;
                self.spoilt = false;
                self.note_change();
                self.ask(None);
            }
            Err(error) => {
                tracing::error!(room = %self.name, %error, "a spoilt document cannot be built again");
                // Nobody is served anything until it can be; the members come back.
                self.remove_members(|_| true, &unreadable(&error));
                // Nor is the store asked for it in a tight circle.
                tokio::time::sleep(REBUILD_PAUSE).await;
            }
        }
    }

    /// Shows the room's figures.
    pub(super) fn show(&self) {
        let stats = &self.handle.stats;
        stats.members.store(self.members.len(), Ordering::Relaxed);
        let resident = match self.ended {
            true => 0,
            false => self.document.resident_bytes(),
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
        match self.take_update(None, &update, Wanted::OnlyNew) {
            Ok(_) => self.wait(Waiter::Caller(answer)),
            Err(error) => {
                let _ = answer.send(Err(error));
            }
        }
    }
}

async fn until(time: Option<tokio::time::Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

async fn until_changed(count: &mut Option<watch::Receiver<u64>>) {
    let is_changed = match count {
        Some(count) => count.changed().await.is_ok(),
        None => false,
    };
    if !is_changed {
        std::future::pending().await
    }
}

fn unreadable(error: &RoomError) -> Closing {
    match error.is_damage() {
        true => Closing::new(close::DAMAGED, close::DAMAGED_REASON),
        false => not_yet(),
    }
}

fn not_yet() -> Closing {
    Closing::new(close::TRY_LATER, "the document cannot be read at present")
}

/// What Hocuspocus members are told while saving fails.
pub(super) fn not_saved(error: &StoreError) -> Remark {
    Remark::NotSaved {
        reason: error.to_string(),
    }
}
