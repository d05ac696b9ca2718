//! Simulated editors: each behaves towards its language server as a recorded real one.

use std::collections::HashSet;

use ropey::Rope;
use tutti_engine::patch::{Patch, Side, Splice};
use tutti_engine::{
    Answer, Change, Dialect, Encoding, Range, Staleness, SyncKind, TextEdit, locate, position,
};

/// One way for an editor to behave.
#[derive(Debug, Clone)]
pub(crate) struct Kind {
    /// What the editor says of itself in `clientInfo`.
    pub(crate) client_name: &'static str,
    /// What becomes of an edit that comes too late.
    pub(crate) staleness: Staleness,
    /// Says yes to an edit that it skips.
    pub(crate) lies: bool,
    /// How long it waits for a pause before it reports; 0: every change at once.
    pub(crate) debounce_ms: u64,
    /// Whether a person who goes on typing puts the report off.
    pub(crate) debounce_restarts: bool,
    /// Until the first report every key puts it off, and no version is checked.
    pub(crate) starts_late: bool,
    /// Versions step by one; else they skip.
    pub(crate) consecutive: bool,
    /// Adds a newline to every text.
    pub(crate) keeps_newline: bool,
    /// Reports may overtake each other.
    pub(crate) reorders: bool,
    /// Answers before it reports the edit.
    pub(crate) answers_first: bool,
}

const WELL_BEHAVED: Kind = Kind {
    client_name: "Visual Studio Code",
    staleness: Staleness::Refused,
    lies: false,
    debounce_ms: 0,
    debounce_restarts: false,
    starts_late: false,
    consecutive: true,
    keeps_newline: false,
    reorders: false,
    answers_first: true,
};

/// Editors that refuse an edit for a text they have left, or carry it over.
pub(crate) fn honest() -> Vec<Kind> {
    vec![
        WELL_BEHAVED,
        Kind {
            client_name: "helix",
            reorders: true,
            answers_first: false,
            ..WELL_BEHAVED
        },
        Kind {
            client_name: "Zed",
            staleness: Staleness::Rebased,
            ..WELL_BEHAVED
        },
    ]
}

/// Nothing is known of it, so its answers prove nothing; it merges what was typed in 80 ms.
pub(crate) fn stranger() -> Kind {
    Kind {
        client_name: "a stranger",
        debounce_ms: 80,
        answers_first: false,
        ..WELL_BEHAVED
    }
}

/// Merges what was typed in 150 ms with an edit of ours, and says yes to one that it skips.
pub(crate) fn neovim() -> Kind {
    Kind {
        client_name: "Neovim",
        lies: true,
        debounce_ms: 150,
        starts_late: true,
        consecutive: false,
        keeps_newline: true,
        ..WELL_BEHAVED
    }
}

/// Waits for a pause, and applies an edit to what it has not reported yet.
pub(crate) fn emacs() -> Kind {
    Kind {
        client_name: "Emacs",
        staleness: Staleness::UnsentApplied,
        debounce_ms: 500,
        debounce_restarts: true,
        ..WELL_BEHAVED
    }
}

/// Applies every edit, to whatever text it has by then.
pub(crate) fn kakoune() -> Kind {
    Kind {
        client_name: "kak-lsp",
        staleness: Staleness::Applied,
        debounce_ms: 50,
        debounce_restarts: true,
        consecutive: false,
        keeps_newline: true,
        ..WELL_BEHAVED
    }
}

/// What an editor sends to its language server.
#[derive(Debug, Clone)]
pub(crate) enum ToServer {
    Changed {
        version: i32,
        changes: Vec<Change>,
    },
    Answered {
        edit: tutti_engine::EditId,
        answer: Answer,
    },
}

/// An editor with one open document.
pub(crate) struct Editor {
    pub(crate) kind: Kind,
    pub(crate) dialect: Dialect,
    pub(crate) encoding: Encoding,
    /// What is on the screen.
    pub(crate) buffer: Rope,
    pub(crate) caret: usize,
    /// Counts up with every change of the buffer.
    tick: i32,
    /// The text that was opened.
    first: String,
    /// What the server has been told.
    reported: Rope,
    reported_version: i32,
    /// When what the server does not know yet is reported.
    pub(crate) flush_at: Option<u64>,
    /// The newest versions with the change that led on from each, for editors that rebase.
    history: Vec<(i32, Patch)>,
    /// Characters that a person typed and that an edit of the server took away before they were
    /// ever reported: no server can know of them.
    pub(crate) swallowed: HashSet<char>,
    /// Characters of an edit of the server of which a person deleted a part before the editor,
    /// whose yes the engine does not trust, ever reported it: that looks as if it had never arrived. They may
    /// come back, or come twice.
    pub(crate) doubtful: HashSet<char>,
    /// Characters that this editor's person typed.
    typed: HashSet<char>,
    /// Characters that a person has deleted.
    pub(crate) deleted: HashSet<char>,
}

impl Editor {
    pub(crate) fn new(kind: Kind, encoding: Encoding, text: &str) -> Self {
        let mut buffer = Rope::from_str(text);
        if kind.keeps_newline && !text.ends_with('\n') {
            buffer.insert_char(buffer.len_chars(), '\n');
        }
        Self {
            dialect: Dialect::choose(Some(kind.client_name)),
            kind,
            encoding,
            first: buffer.to_string(),
            reported: buffer.clone(),
            buffer,
            caret: 0,
            tick: 0,
            reported_version: 0,
            flush_at: None,
            history: Vec::new(),
            swallowed: HashSet::new(),
            doubtful: HashSet::new(),
            typed: HashSet::new(),
            deleted: HashSet::new(),
        }
    }

    /// The person types at the caret.
    pub(crate) fn type_text(&mut self, text: &str, now: u64) -> Vec<ToServer> {
        let patch = Patch::single(self.caret, 0, text);
        self.caret += text.chars().count();
        self.typed.extend(text.chars());
        self.change(&patch, now, true)
    }

    /// The person deletes from the caret on.
    pub(crate) fn delete(&mut self, count: usize, now: u64) -> Vec<ToServer> {
        let room = self.buffer.len_chars() - usize::from(self.kind.keeps_newline);
        let count = count.min(room.saturating_sub(self.caret));
        let gone = self.buffer.slice(self.caret..self.caret + count);
        self.deleted.extend(gone.chars());
        let known: HashSet<char> = self.reported.chars().collect();
        let is_unseen = |c: &char| !known.contains(c) && !self.typed.contains(c);
        if !self.dialect.means_yes(self.reported_version) && gone.chars().any(|c| is_unseen(&c)) {
            self.doubtful.extend(self.buffer.chars().filter(is_unseen));
        }
        self.change(&Patch::single(self.caret, count, ""), now, true)
    }

    /// Changes the buffer and reports it as this editor does.
    fn change(&mut self, patch: &Patch, now: u64, typed: bool) -> Vec<ToServer> {
        if patch.is_empty() {
            return Vec::new();
        }
        let before = self.buffer.clone();
        patch.apply(&mut self.buffer);
        if self.kind.keeps_newline && !self.buffer.to_string().ends_with('\n') {
            self.buffer.insert_char(self.buffer.len_chars(), '\n');
        }
        self.caret = self.caret.min(self.buffer.len_chars());
        self.tick += 1;
        self.history.push((self.tick, patch.clone()));
        if self.kind.debounce_ms == 0 {
            return vec![self.report_splices(&before, patch)];
        }
        let is_starting = self.kind.starts_late && self.reported_version == 0;
        let restarts = self.kind.debounce_restarts || is_starting;
        if self.flush_at.is_none() || (typed && restarts) {
            self.flush_at = Some(now + self.kind.debounce_ms);
        }
        Vec::new()
    }

    /// An immediate report, the last range first.
    fn report_splices(&mut self, before: &Rope, patch: &Patch) -> ToServer {
        self.reported = self.buffer.clone();
        self.reported_version += 1;
        let changes = match self.dialect.sync {
            SyncKind::Full => vec![Change {
                range: None,
                text: self.buffer.to_string(),
            }],
            SyncKind::Incremental => patch
                .splices()
                .iter()
                .rev()
                .map(|splice| Change {
                    range: Some(self.range(before, splice)),
                    text: splice.insert.clone(),
                })
                .collect(),
        };
        ToServer::Changed {
            version: self.reported_version,
            changes,
        }
    }

    /// A report that was put off: everything since the last one, merged into one replacement.
    pub(crate) fn flush(&mut self) -> Option<ToServer> {
        self.flush_at = None;
        if self.reported == self.buffer {
            return None;
        }
        let change = match self.dialect.sync {
            SyncKind::Full => Change {
                range: None,
                text: self.buffer.to_string(),
            },
            SyncKind::Incremental => {
                let splice = one_replacement(&self.reported, &self.buffer);
                Change {
                    range: Some(self.range(&self.reported, &splice)),
                    text: splice.insert,
                }
            }
        };
        self.reported = self.buffer.clone();
        self.reported_version = if self.kind.consecutive {
            self.reported_version + 1
        } else {
            self.tick + 2
        };
        Some(ToServer::Changed {
            version: self.reported_version,
            changes: vec![change],
        })
    }

    fn range(&self, text: &Rope, splice: &Splice) -> Range {
        Range {
            start: position(text, splice.at, self.encoding),
            end: position(text, splice.end(), self.encoding),
        }
    }

    /// A `workspace/applyEdit`.
    pub(crate) fn apply(
        &mut self,
        edit: tutti_engine::EditId,
        version: i32,
        edits: &[TextEdit],
        now: u64,
    ) -> Vec<ToServer> {
        let is_stale = match self.kind.staleness {
            Staleness::Refused => version != self.reported_version || self.reported != self.buffer,
            Staleness::UnsentApplied => version != self.reported_version,
            Staleness::Applied | Staleness::Rebased => false,
        };
        let is_unchecked = self.kind.starts_late && version == 0 && self.reported_version == 0;
        let is_stale = is_stale && !is_unchecked;
        if is_stale {
            let answer = if self.kind.lies {
                Answer::Applied
            } else {
                Answer::Refused { reason: None }
            };
            return vec![ToServer::Answered { edit, answer }];
        }
        let patch = match self.kind.staleness {
            Staleness::Rebased => self.rebased(version, edits),
            _ => self.patch_of(&self.buffer, edits),
        };
        for splice in patch.splices() {
            let gone: Vec<char> = self.buffer.slice(splice.at..splice.end()).chars().collect();
            let known: HashSet<char> = self.reported.chars().collect();
            self.swallowed
                .extend(gone.iter().filter(|c| !known.contains(c)));
        }
        let caret = Patch::single(self.caret, 0, "|").rebase(&patch, Side::Before);
        self.caret = caret.splices()[0].at;
        let reports = self.change(&patch, now, false);
        let answer = ToServer::Answered {
            edit,
            answer: Answer::Applied,
        };
        if self.kind.answers_first {
            std::iter::once(answer).chain(reports).collect()
        } else {
            reports.into_iter().chain([answer]).collect()
        }
    }

    /// The edits at the places they name, whatever stands there; a place that is none is clamped.
    fn patch_of(&self, text: &Rope, edits: &[TextEdit]) -> Patch {
        let mut patch = Patch::default();
        for edit in edits {
            let start = locate(text, edit.range.start, self.encoding).at;
            let end = locate(text, edit.range.end, self.encoding).at.max(start);
            patch.push(Splice {
                at: start,
                delete: end - start,
                insert: edit.new_text.clone(),
            });
        }
        patch
    }

    /// The edits as they were meant for `version`, carried over all that came since.
    fn rebased(&self, version: i32, edits: &[TextEdit]) -> Patch {
        // This kind reports at once, so versions and ticks agree.
        let since: Vec<&Patch> = self
            .history
            .iter()
            .filter(|(tick, _)| *tick > version)
            .map(|(_, patch)| patch)
            .collect();
        let mut text = Rope::from_str(&self.text_at(version));
        let mut patch = self.patch_of(&text, edits);
        for other in since {
            patch = patch.rebase(other, Side::After);
            other.apply(&mut text);
        }
        patch
    }

    /// The text of an older version.
    fn text_at(&self, version: i32) -> String {
        let mut text = Rope::from_str(&self.first);
        for (tick, patch) in &self.history {
            if *tick <= version {
                patch.apply(&mut text);
            }
        }
        text.to_string()
    }
}

/// The one replacement that leads from `old` to `new`.
fn one_replacement(old: &Rope, new: &Rope) -> Splice {
    let (old, new): (Vec<char>, Vec<char>) = (old.chars().collect(), new.chars().collect());
    let prefix = std::iter::zip(&old, &new)
        .take_while(|(a, b)| a == b)
        .count();
    let rest = old.len().min(new.len()) - prefix;
    let ends = std::iter::zip(old.iter().rev(), new.iter().rev());
    let suffix = ends.take(rest).take_while(|(a, b)| a == b).count();
    Splice {
        at: prefix,
        delete: old.len() - prefix - suffix,
        insert: new[prefix..new.len() - suffix].iter().collect(),
    }
}
