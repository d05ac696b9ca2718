//! Files that are no texts: what the mirror wants carried, and what has become of it.

use tutti_engine::Millis;
use tutti_protocol::path::ProjectPath;

use super::disk::Task;
use super::project::{Connection, Project};
use super::timers::take_due;
use crate::carrier::{Job, Report};
use crate::mirror::{Cargo, Carried, Changes};

/// Until a file is looked at again that someone was writing to.
const LOOK_AGAIN_MS: u64 = 300;
/// Until what could not be sent or fetched is tried again.
const TRY_AGAIN_MS: u64 = 5_000;
/// So many files are asked about at once; others are sent meanwhile.
const FILES_AT_ONCE: usize = 64;

impl Project {
    /// Asks what the server takes. With its answer, everything is sent and fetched that waits.
    pub(super) fn ask_for_cap(&mut self) {
        self.carrier.give(Job::Cap);
    }

    pub(super) fn send_files(&mut self, mut cargo: Vec<Cargo>) {
        while !cargo.is_empty() {
            let rest = cargo.split_off(cargo.len().min(FILES_AT_ONCE));
            self.carrier.give(Job::Send(cargo));
            cargo = rest;
        }
    }

    pub(super) fn look_again(&mut self, path: ProjectPath) {
        self.busy_files.insert(path.to_string());
        let soon = self.clock.after(LOOK_AGAIN_MS);
        self.busy_files_at.get_or_insert(soon);
    }

    pub(super) fn carried(&mut self, report: Report) {
        match report {
            Report::Answered(number, answer) => self.bulk_answered(number, answer),
            Report::Cap(cap) => self.disk.give(Task::Connected(cap)),
            Report::Carried(carried) => {
                if let Carried::Later(_) = carried {
                    let later = self.clock.after(TRY_AGAIN_MS);
                    self.transfers_at.get_or_insert(later);
                }
                self.disk.give(Task::Carried(carried));
            }
        }
    }

    pub(super) fn transfers_due(&mut self, now: Millis) {
        if take_due(&mut self.busy_files_at, now) {
            let paths = std::mem::take(&mut self.busy_files);
            self.disk.give(Task::FilesChanged(Changes::of(paths)));
        }
        // Without a connection, the next one comes with its own call.
        if take_due(&mut self.transfers_at, now) && self.connection == Connection::Online {
            self.disk.give(Task::Transfers);
        }
    }
}
