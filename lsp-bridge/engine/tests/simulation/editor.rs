//! A simulated editor with one open document.

use std::collections::HashMap;

use ropey::Rope;
use tutti_engine::patch::{Patch, Side, Splice};
use tutti_engine::{Answer, Change, Dialect, EditId, Encoding, Staleness};

use crate::kind::{Answers, Echo, Kind};
use crate::ledger::Ledger;
use crate::record::{Cause, Input, Pending, Record};
use crate::story::Story;

const BOM: char = '\u{feff}';

/// What an editor sends to its language server.
#[derive(Debug, Clone)]
pub(crate) enum ToServer {
    Opened {
        text: String,
    },
    Changed {
        version: i32,
        changes: Vec<Change>,
        /// What it does not tell.
        story: Story,
    },
    Saved {
        text: String,
    },
    Closed,
    Answered {
        edit: EditId,
        answer: Answer,
    },
    Flushed {
        is_sure: bool,
    },
}

/// Where a character on the screen comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// The server knows of it.
    Known,
    /// The person, who has not been reported yet.
    Person,
    /// An edit of the server's that has not been reported yet.
    Server(EditId),
}

/// Whether an edit that came too late was ever made, or skipped, and whether no was ever said to one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Late {
    pub(crate) was_made: bool,
    pub(crate) was_skipped: bool,
    pub(crate) was_refused: bool,
}

/// A change of the buffer, for undo.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    patch: Patch,
    inverse: Patch,
    /// The last report that the server had before it, if it was an edit of the server's.
    pub(crate) unreported_behind: Option<i32>,
}

#[derive(Clone)]
pub(crate) struct Editor {
    /// Whose it is.
    owner: usize,
    pub(crate) kind: Kind,
    pub(crate) dialect: Dialect,
    pub(crate) encoding: Encoding,
    /// What is on the screen, with `\n` as line end.
    pub(crate) buffer: Rope,
    pub(crate) caret: usize,
    pub(crate) from: Vec<From>,
    /// The file has `\r\n`.
    pub(crate) crlf: bool,
    /// Counts up with every change of the buffer.
    pub(crate) tick: i32,
    /// What the server has been told.
    pub(crate) reported: Rope,
    pub(crate) reported_version: i32,
    pub(crate) reported_tick: i32,
    /// When.
    pub(crate) reported_at: u64,
    /// What has happened since.
    pub(crate) story: Story,
    /// When what the server does not know yet is reported.
    pub(crate) flush_at: Option<u64>,
    /// Every change with the text before it, for editors that rebase.
    pub(crate) history: Vec<(Rope, Patch)>,
    /// How many changes each reported version has seen.
    pub(crate) seen: HashMap<i32, usize>,
    pub(crate) undo: Vec<Step>,
    pub(crate) redo: Vec<Step>,
    /// What it has been asked for and has not heard of yet.
    pub(crate) on_their_way: Vec<Pending>,
    /// What it has done of edits that came too late.
    pub(crate) late: Late,
    /// Whether it may do something else with such a one in another play, as far as nobody can know.
    pub(crate) is_open: bool,
    /// What has reached it since, if that is recorded.
    pub(crate) record: Option<Record>,
}

impl Editor {
    pub(crate) fn new(
        owner: usize,
        kind: Kind,
        encoding: Encoding,
        text: &str,
        crlf: bool,
    ) -> Self {
        let hides = kind.hides_bom && text.starts_with(BOM);
        let buffer = Rope::from_str(if hides { &text[BOM.len_utf8()..] } else { text });
        let mut editor = Self {
            owner,
            dialect: Dialect::choose(Some(kind.client_name)),
            kind,
            encoding,
            from: vec![From::Known; buffer.len_chars()],
            reported: Rope::new(),
            buffer,
            caret: 0,
            crlf,
            tick: 0,
            reported_version: 0,
            reported_tick: 0,
            reported_at: 0,
            story: Story::default(),
            flush_at: None,
            history: Vec::new(),
            seen: HashMap::new(),
            undo: Vec::new(),
            redo: Vec::new(),
            on_their_way: Vec::new(),
            late: Late::default(),
            is_open: false,
            record: None,
        };
        editor.insist_on_newline(&mut Ledger::default());
        editor.now_known(0);
        editor
    }

    /// From now on what reaches it is recorded.
    pub(crate) fn record(&mut self) {
        self.record = None;
        let start = Box::new(self.clone());
        let inputs = Vec::new();
        self.record = Some(Record { start, inputs });
    }

    /// Whether a person who goes on puts the report off.
    pub(crate) fn restarts(&self) -> bool {
        let is_starting = self.kind.starts_late && self.reported_version == 0;
        self.kind.debounce_restarts || is_starting
    }

    /// The version that it reported last.
    pub(crate) fn version(&self) -> i32 {
        self.reported_version
    }

    /// Whether it can tell that an edit was meant for an earlier opening of the document.
    pub(crate) fn refuses_edits_of_the_past(&self) -> bool {
        let checks = matches!(
            self.kind.staleness,
            Staleness::Refused | Staleness::UnsentApplied
        );
        checks && !self.kind.starts_late
    }

    /// The text as it goes over the wire.
    pub(crate) fn text(&self) -> String {
        self.out(&self.buffer.to_string())
    }

    /// The person changes the buffer.
    pub(crate) fn person(&mut self, patch: &Patch, now: u64, ledger: &mut Ledger) -> Vec<ToServer> {
        if patch.is_empty() {
            return Vec::new();
        }
        let step = self.step(patch);
        self.redo.clear();
        let reports = self.do_step(&step, now, ledger);
        self.undo.push(step);
        reports
    }

    /// What the person would delete: never the newline that the editor insists on.
    pub(crate) fn deletion(&self, count: usize) -> Patch {
        let room = self.buffer.len_chars() - usize::from(self.kind.keeps_newline);
        Patch::single(self.caret, count.min(room.saturating_sub(self.caret)), "")
    }

    /// The last change is taken back, whoever made it.
    pub(crate) fn undo(&mut self, now: u64, ledger: &mut Ledger) -> Vec<ToServer> {
        let Some(step) = self.undo.pop() else {
            return Vec::new();
        };
        if step.unreported_behind == Some(self.reported_version) {
            // That looks as if the edit had never arrived.
            let patches = [&step.patch, &step.inverse];
            for splice in patches.into_iter().flat_map(|patch| patch.splices()) {
                ledger.cannot_be_known(splice.insert.chars());
            }
        }
        let back = Step {
            patch: step.inverse.clone(),
            inverse: step.patch.clone(),
            unreported_behind: None,
        };
        self.redo.push(step);
        self.do_step(&back, now, ledger)
    }

    pub(crate) fn redo(&mut self, now: u64, ledger: &mut Ledger) -> Vec<ToServer> {
        let Some(step) = self.redo.pop() else {
            return Vec::new();
        };
        let reports = self.do_step(&step, now, ledger);
        self.undo.push(step);
        reports
    }

    /// The person saves.
    pub(crate) fn save(&mut self, now: u64, ledger: &mut Ledger) -> Vec<ToServer> {
        let mut reports = Vec::new();
        if self.kind.trims {
            let patch = trimmed(&self.buffer);
            let caret = Patch::single(self.caret, 0, "|").rebase(&patch, Side::Before);
            reports = self.person(&patch, now, ledger);
            self.caret = caret.splices()[0].at.min(self.buffer.len_chars());
        }
        reports.extend(self.flush(now, Cause::Request));
        reports.push(ToServer::Saved { text: self.text() });
        reports
    }

    /// Saved, closed and opened again.
    pub(crate) fn reopen(&mut self, now: u64, ledger: &mut Ledger) -> Vec<ToServer> {
        let mut reports = self.save(now, ledger);
        self.tick = 0;
        self.reported_tick = 0;
        self.reported_version = 0;
        self.history.clear();
        self.seen.clear();
        self.undo.clear();
        self.redo.clear();
        if self.record.is_some() {
            self.record();
        }
        reports.extend([ToServer::Closed, ToServer::Opened { text: self.text() }]);
        reports
    }

    pub(crate) fn step(&self, patch: &Patch) -> Step {
        let mut inverse = Patch::default();
        let mut shift = 0isize;
        for splice in patch.splices() {
            let new = splice.insert.chars().count();
            inverse.push(Splice {
                at: (splice.at as isize + shift) as usize,
                delete: new,
                insert: self.buffer.slice(splice.at..splice.end()).to_string(),
            });
            shift += new as isize - splice.delete as isize;
        }
        Step {
            patch: patch.clone(),
            inverse,
            unreported_behind: None,
        }
    }

    fn do_step(&mut self, step: &Step, now: u64, ledger: &mut Ledger) -> Vec<ToServer> {
        for splice in step.patch.splices() {
            let gone = self.buffer.slice(splice.at..splice.end()).to_string();
            self.story.gone.push_str(&gone);
            self.story.new.push_str(&splice.insert);
            self.deletes_unreported(splice, ledger);
            ledger.take(Some(self.owner), &gone);
            ledger.put(Some(self.owner), &splice.insert);
        }
        let is_letter = matches!(step.patch.splices(), [one] if one.delete == 0 && one.insert.chars().count() == 1);
        if let Some(record) = &mut self.record {
            record.inputs.push(Input::Person);
        }
        let mut reports = self.change(&step.patch, From::Person, now, ledger);
        if let Some(last) = step.patch.splices().last() {
            let grown: isize = step.patch.splices().iter().map(grows).sum();
            self.caret = (last.end() as isize + grown) as usize;
            self.caret = self.caret.min(self.buffer.len_chars());
        }
        if self.kind.letters_at_once && is_letter {
            reports.extend(self.flush(now, Cause::Letter(step.patch.clone())));
        }
        reports
    }

    /// Of an edit that an editor has not reported, whose yes the engine does not trust, a part is
    /// deleted: that looks as if the edit had never arrived.
    fn deletes_unreported(&self, splice: &Splice, ledger: &mut Ledger) {
        if self.dialect.yes_is_certain && self.kind.answers != Answers::Never {
            return;
        }
        for at in splice.at..splice.end() {
            if let From::Server(_) = self.from[at] {
                let is_same = |other: &From| *other == self.from[at];
                let places = self.from.iter().zip(self.buffer.chars());
                let letters = places.filter(|(from, _)| is_same(from)).map(|(_, c)| c);
                ledger.may_be_doubled(letters);
            }
        }
    }

    /// Changes the buffer and reports it as this editor does.
    pub(crate) fn change(
        &mut self,
        patch: &Patch,
        from: From,
        now: u64,
        ledger: &mut Ledger,
    ) -> Vec<ToServer> {
        let before = self.buffer.clone();
        self.history.push((before.clone(), patch.clone()));
        for splice in patch.splices().iter().rev() {
            let new = std::iter::repeat_n(from, splice.insert.chars().count());
            self.from.splice(splice.at..splice.end(), new);
        }
        patch.apply(&mut self.buffer);
        self.tick += 1;
        self.insist_on_newline(ledger);
        if self.kind.debounce_ms == 0 {
            let echo = match from {
                From::Server(_) => self.kind.echo,
                _ => Echo::Ranges,
            };
            return self.report(&before, patch, echo, now);
        }
        let restarts = self.restarts();
        if self.kind.is_rate_limited && !restarts {
            let at = self.reported_at + self.kind.debounce_ms;
            if at <= now {
                return self.flush(now, Cause::Change).into_iter().collect();
            }
            self.flush_at.get_or_insert(at);
            return Vec::new();
        }
        if self.flush_at.is_none() || (from == From::Person && restarts) {
            self.flush_at = Some(now + self.kind.debounce_ms);
        }
        Vec::new()
    }

    fn insist_on_newline(&mut self, ledger: &mut Ledger) {
        let end = self.buffer.len_chars();
        if self.kind.keeps_newline && (end == 0 || self.buffer.char(end - 1) != '\n') {
            self.buffer.insert_char(end, '\n');
            self.from.push(From::Person);
            ledger.add('\n');
        }
    }
}

fn grows(splice: &Splice) -> isize {
    splice.insert.chars().count() as isize - splice.delete as isize
}

/// Takes away the blanks at the ends of lines.
fn trimmed(text: &Rope) -> Patch {
    let mut patch = Patch::default();
    let mut start = 0;
    for line in text.lines() {
        let letters: Vec<char> = line.chars().filter(|c| *c != '\n').collect();
        let kept = letters
            .iter()
            .rposition(|c| *c != ' ')
            .map_or(0, |at| at + 1);
        patch.push(Splice {
            at: start + kept,
            delete: letters.len() - kept,
            insert: String::new(),
        });
        start += line.len_chars();
    }
    patch
}
