//! The steps in which a person's own edits are undone and redone.

use std::collections::VecDeque;

use super::Millis;
use crate::replica::{Edit, Renamed, Replica};

/// Keys that follow each other within this time, at one place, are one step.
const STEP_MS: u64 = 500;
/// A report of more than this many UTF-16 units is a step of its own: something was pasted, cut or
/// replaced. Nobody types as much in the time that Neovim waits before it reports, and Emacs waits
/// as long as a step lasts.
const BLOCK_UNITS: usize = 32;
/// How much memory the steps of one direction may take, beside the newest: characters that may
/// come back are kept here, for nobody else keeps them. The oldest steps go first.
const MOST_BYTES: usize = 8 << 20;

/// What can be undone, and what can be redone. It begins when the document is opened, and ends when
/// it is closed.
#[derive(Debug)]
pub(super) struct History {
    /// The Yjs client id of the person.
    user: u64,
    done: Steps,
    undone: Steps,
    /// What the event at hand has done so far.
    current: Option<Edit>,
    /// Until when the newest step can go on.
    open_until: Option<Millis>,
}

/// Steps, the oldest first, each with about the memory that it takes.
#[derive(Debug, Default)]
struct Steps {
    steps: VecDeque<(Edit, usize)>,
    bytes: usize,
}

impl History {
    pub(super) fn new(user: u64) -> Self {
        Self {
            user,
            done: Steps::default(),
            undone: Steps::default(),
            current: None,
            open_until: None,
        }
    }

    /// The person has done this.
    pub(super) fn note(&mut self, edit: Edit) {
        match &mut self.current {
            Some(current) => current.extend(self.user, edit),
            None => self.current = Some(edit),
        }
    }

    /// What was noted since the last call is not the person's doing.
    pub(super) fn forget_current(&mut self) {
        self.current = None;
    }

    /// One event is over: what it has done belongs together.
    pub(super) fn end_event(&mut self, now: Millis) {
        let Some(edit) = self.current.take().filter(|edit| !edit.is_empty()) else {
            return;
        };
        self.undone = Steps::default();
        let is_block = edit.units() > BLOCK_UNITS;
        let is_in_time = !is_block && self.open_until.is_some_and(|until| now < until);
        let newest = self.done.newest().filter(|_| is_in_time);
        if newest.is_some_and(|step| step.is_continued_by(self.user, &edit)) {
            self.done.extend_newest(self.user, edit);
        } else {
            self.done.push(edit);
        }
        self.open_until = (!is_block).then(|| now.after(STEP_MS));
    }

    /// Takes back the newest step that has left something in the text; the update, if there is one.
    pub(super) fn undo(&mut self, main: &mut Replica) -> Option<Vec<u8>> {
        self.open_until = None;
        while let Some(step) = self.done.pop() {
            if let Some((update, inverse)) = self.revert(main, &step) {
                self.undone.push(inverse);
                return Some(update);
            }
        }
        None
    }

    /// Does again what was undone last; the update, if there is anything.
    pub(super) fn redo(&mut self, main: &mut Replica) -> Option<Vec<u8>> {
        self.open_until = None;
        while let Some(step) = self.undone.pop() {
            if let Some((update, inverse)) = self.revert(main, &step) {
                self.done.push(inverse);
                return Some(update);
            }
        }
        None
    }

    fn revert(&mut self, main: &mut Replica, step: &Edit) -> Option<(Vec<u8>, Edit)> {
        let reverted = main.revert(self.user, step);
        self.done.rename(&reverted.renamed);
        self.undone.rename(&reverted.renamed);
        (!reverted.inverse.is_empty()).then_some((reverted.update, reverted.inverse))
    }
}

impl Steps {
    fn newest(&self) -> Option<&Edit> {
        self.steps.back().map(|(edit, _)| edit)
    }

    fn push(&mut self, edit: Edit) {
        let bytes = edit.size_bytes();
        self.bytes += bytes;
        self.steps.push_back((edit, bytes));
        self.drop_oldest();
    }

    fn extend_newest(&mut self, user: u64, next: Edit) {
        if let Some((edit, bytes)) = self.steps.back_mut() {
            let more = next.size_bytes();
            edit.go_on(user, next);
            *bytes += more;
            self.bytes += more;
        }
        self.drop_oldest();
    }

    fn drop_oldest(&mut self) {
        while self.bytes > MOST_BYTES && self.steps.len() > 1 {
            if let Some((_, bytes)) = self.steps.pop_front() {
                self.bytes -= bytes;
            }
        }
    }

    fn pop(&mut self) -> Option<Edit> {
        let (edit, bytes) = self.steps.pop_back()?;
        self.bytes -= bytes;
        Some(edit)
    }

    fn rename(&mut self, renamed: &[Renamed]) {
        for (edit, _) in &mut self.steps {
            edit.rename(renamed);
        }
    }
}
