//! What becomes of what was on its way, and what people do when it is their turn.

use tutti_engine::{Effect, Event, Millis};

use crate::editor::ToServer;
use crate::person::{Act, Letters};
use crate::record::Cause;
use crate::world::{Message, World};

impl World {
    pub(crate) fn deliver(&mut self, number: usize, message: Message) {
        let user = &mut self.users[number];
        match message {
            Message::Act => self.act(number),
            Message::Flush => {
                if user.editor.flush_at.is_some_and(|at| at <= self.now) {
                    let report = user.editor.flush(self.now, Cause::Timer);
                    self.editor_says(number, report.into_iter().collect());
                }
            }
            Message::Tick => {
                if user.wake_at == Some(self.now) {
                    user.wake_at = None;
                    self.document_hears(number, Event::Tick);
                }
            }
            Message::Answers(answer) => {
                self.post_in_order("to engine", 3, number, Message::ToEngine(answer));
            }
            Message::ToEngine(message) => self.engine_hears(number, message),
            Message::ToEditor {
                edit,
                version,
                edits,
            } => {
                let before = user.editor.buffer.clone();
                let (now, ledger) = (self.now, &mut self.ledger);
                let reports =
                    user.editor
                        .is_asked_for(edit, version, &edits, now, ledger, &mut self.rng);
                if user.editor.buffer != before {
                    for letter in edits.iter().flat_map(|edit| edit.new_text.chars()) {
                        if let Some(at) = self.typed_at.get(&letter) {
                            self.delays.push((user.editor.kind.name, now - at));
                        }
                    }
                }
                self.editor_says(number, reports);
            }
            Message::FlushEditor => {
                let is_sure = !user.editor.kind.ignores_flush;
                let report = is_sure.then(|| user.editor.told_to(self.now)).flatten();
                let mut reports: Vec<_> = report.into_iter().collect();
                reports.push(ToServer::Flushed { is_sure });
                self.editor_says(number, reports);
            }
            Message::ToServer(connection, update) => {
                if user.connection == Some(connection) {
                    self.at_server(number, &update);
                }
            }
            Message::ToBridge(connection, update) => {
                if user.connection == Some(connection) {
                    match &mut user.closed {
                        Some(replica) => replica.apply(&update).expect("a valid update"),
                        None => self.document_hears(number, Event::Remote { update }),
                    }
                }
            }
            Message::Cut => {
                user.connection = None;
                let after = self.rng.u64(100..5_000);
                self.post(after, number, Message::Reconnect);
            }
            Message::Reconnect => self.reconnect(number),
        }
    }

    fn act(&mut self, number: usize) {
        if self.now >= self.until {
            return;
        }
        let are_own = self.letters == Letters::Own;
        let (now, ledger) = (self.now, &mut self.ledger);
        let user = &mut self.users[number];
        let (mut act, pause) = Act::next(&mut user.acts, user.is_restless);
        if self.with_returns {
            act = act.with_returns();
        }
        user.acted += 1;
        let is_left_out = self.plan.left_out.contains(&(number, user.acted));
        // A request that is on its way reaches the next opening of the document. An editor that
        // does not check versions would make it there, and nobody could tell.
        let is_safe = user.editor.refuses_edits_of_the_past();
        if !is_left_out && (act != Act::Reopen || is_safe) {
            let reports = user.person.does(&act, &mut user.editor, now, ledger);
            for letter in user.person.runs.iter().flatten().filter(|_| are_own) {
                self.typed_at.entry(*letter).or_insert(now);
            }
            self.done.push((number, user.acted, now, act.clone()));
            self.editor_says(number, reports);
            match act {
                Act::OwnUndo => self.own_undo(number, Event::Undo),
                Act::OwnRedo => self.own_undo(number, Event::Redo),
                _ => {}
            }
        }
        self.post(pause, number, Message::Act);
    }

    /// The engine takes back what the person did, or brings it back. What that is hangs on what has
    /// reached it so far, so it is the engine that says what was done.
    fn own_undo(&mut self, number: usize, event: Event) {
        let now = Millis(self.now);
        let Some(document) = self.users[number].document.as_mut() else {
            return;
        };
        let effects = document.handle(event, now);
        for effect in &effects {
            if let Effect::Send { update } = effect {
                let (gone, new) = self.witness.sees_undone(update);
                self.ledger.take_unseen(number, &gone);
                self.ledger.put_anew(&new);
            }
        }
        self.perform(number, effects);
    }
}
