//! Windows that have outlived their bridges, and of which no other bridge has been told.
//!
//! What one of them shows is what its bridge's journal ends with, and from then on what it writes into
//! its file. Others' edits do not reach it, so what it writes lacks them.

use std::io;
use std::os::unix::process::parent_id;

use cap_std::fs::Dir;
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use tutti_engine::{Left, Replica};
use tutti_protocol::ids::DocumentId;

use super::journals::{begun, journal_name, path, written_name};
use super::merge::new_client_id;
use super::tree::{read_small, write_atomically};

/// Beside the journals: the process that started the bridge, by its number.
const EDITOR: &str = "editor";

/// See the [module's documentation](self).
#[derive(Debug)]
pub(super) struct Window {
    dir: Dir,
    /// What it may show.
    pub(super) left: Left,
}

impl Window {
    /// Of the bridge whose journals lie in `dir`.
    pub(super) fn new(dir: Dir, left: Left) -> Self {
        Self { dir, left }
    }

    /// It has written into its file what it shows: some characters of `main`.
    pub(super) fn shows(
        &self,
        document: &DocumentId,
        main: &Replica,
        shown: &Replica,
    ) -> io::Result<()> {
        self.note(document, main, shown, &journal_name(document))?;
        match self.dir.remove_file(written_name(document)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Somebody has written these characters of `main` into its file: perhaps this window, and then it
    /// shows them.
    pub(super) fn may_show(
        &self,
        document: &DocumentId,
        main: &Replica,
        shown: &Replica,
    ) -> io::Result<()> {
        self.note(document, main, shown, &written_name(document))
    }

    fn note(
        &self,
        document: &DocumentId,
        main: &Replica,
        shown: &Replica,
        name: &str,
    ) -> io::Result<()> {
        let Some(at) = path(&self.dir, document) else {
            return Ok(());
        };
        let start = Left::begin_journal(main.fork(new_client_id()), shown);
        write_atomically(&self.dir, name, &begun(&at, &start), false)
    }
}

/// Writes down who has started this bridge, whose journals lie in `dir`.
pub(super) fn note_editor(dir: &Dir) -> io::Result<()> {
    dir.write(EDITOR, parent_id().to_string())
}

/// Whether the process that started the bridge of this directory is there still.
pub(super) fn editor_lives(dir: &Dir) -> bool {
    let number = read_small(dir, EDITOR).ok();
    let number = number.and_then(|bytes| String::from_utf8(bytes).ok()?.parse().ok());
    // Whoever has lost theirs is a child of the first process.
    let pid = number.and_then(Pid::from_raw).filter(|pid| !pid.is_init());
    pid.is_some_and(|pid| !matches!(test_kill_process(pid), Err(Errno::SRCH)))
}
