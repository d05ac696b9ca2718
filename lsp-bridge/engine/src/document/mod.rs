//! One open document: what its editor shows, what everyone has written, and what is under way
//! between the two.
//!
//! ```text
//!   editor ── Changed, Saved, Answered ──►  shown ─┐ (the text the editor reported)
//!                                           view  ├─ Document
//!   server ── Remote ────────────────────►  main  ─┘
//! ```
//!
//! - `main` is the replica that the link keeps in sync with the server;
//! - its *view* is the part of it that the editor shows, character by character;
//! - `shown` is the text that the editor last reported, with its version;
//! - at most one edit is under way to the editor, a [`Flight`].
//!
//! What the person types goes `shown` → view → `main` → server; the Yjs document does all merging.
//! What others type goes server → `main`, and from there as the smallest edits to the editor. When
//! those have landed, the view takes in the very characters that they stood for. A `\r` that the
//! editor would make something else of never comes into the view (`returns`).
//!
//! `shown` and the view may differ for a while: an edit landed on moved places, or only its first
//! part has been sent. The person's changes are then carried over the difference, and the next
//! edit repairs it.

mod alignment;
mod changes;
mod deaf;
#[cfg(test)]
mod deaf_tests;
mod denial;
mod flight;
mod flushing;
mod form;
mod held;
mod history;
mod incoming;
mod journal;
mod lateness;
mod outgoing;
mod reopening;
mod returns;

use std::collections::{BTreeMap, VecDeque};

use ropey::Rope;

use crate::dialect::Dialect;
use crate::diff::diff;
use crate::patch::{Patch, Side};
use crate::position::{Change, Encoding, Position, TextEdit, locate, position};
use crate::replica::{Parted, Replica};
pub(crate) use alignment::Alignment;
use denial::Denials;
use flight::{Flight, Retry};
use flushing::Flushing;
use form::Form;
use held::Held;
use history::History;
use journal::Journaled;
pub use journal::Left;
use lateness::Lateness;

/// Milliseconds since any fixed start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Millis(pub u64);

impl Millis {
    fn after(self, ms: u64) -> Self {
        Self(self.0 + ms)
    }
}

/// Names one edit request, so that its answer finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EditId(pub u64);

/// How a document comes up in an editor.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The text of `textDocument/didOpen`.
    pub text: String,
    /// Its version.
    pub version: i32,
    /// How the client counts characters.
    pub encoding: Encoding,
    /// How the client behaves.
    pub dialect: Dialect,
    /// Whether the file's lines end with `\r\n` on disk.
    pub eol_crlf: bool,
    /// The Yjs client id under which the person's edits are written: at most 53 bits, used by no
    /// other replica, ever.
    pub user: u64,
}

/// What happens to a document.
#[derive(Debug, Clone)]
pub enum Event {
    /// `textDocument/didChange`.
    Changed {
        /// The version after the changes.
        version: i32,
        /// The changes, each on the text that the one before has made.
        changes: Vec<Change>,
    },
    /// `textDocument/didSave`.
    Saved {
        /// The text, where the client sends it.
        text: Option<String>,
    },
    /// An update from the server, in v1 encoding.
    Remote {
        /// The update.
        update: Vec<u8>,
    },
    /// The client's answer to an [`Effect::Edit`].
    Answered {
        /// Which one.
        edit: EditId,
        /// What it said.
        answer: Answer,
    },
    /// The answer to [`Effect::Flush`].
    Flushed {
        /// Whether the client has reported everything; else it cannot be made to.
        is_sure: bool,
    },
    /// The person wants their last step undone: their own edits of this document since it was
    /// opened, whatever others have written since. An [`Effect::Send`] follows if there was one.
    Undo,
    /// The person wants what they undid last done again, as long as they have changed nothing since.
    /// An [`Effect::Send`] follows if there was anything.
    Redo,
    /// The time asked for by [`Effect::WakeAt`] has come.
    Tick,
    /// The document is about to be closed: what waits for an answer is taken in as it is, and nothing
    /// is asked for any more.
    Closing,
}

/// An editor's answer to an edit request. It is a hint: the text that follows is the truth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// `applied: true`.
    Applied,
    /// `applied: false`.
    Refused {
        /// The client's reason, if it gave one.
        reason: Option<String>,
    },
    /// An error instead of an answer.
    Failed {
        /// Its message.
        reason: String,
    },
}

/// What the document asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The person's edit, an update in v1 encoding, for the server.
    Send {
        /// The update.
        update: Vec<u8>,
    },
    /// A `workspace/applyEdit` for exactly this version.
    Edit {
        /// Its name.
        edit: EditId,
        /// The version of the text that the edits refer to.
        version: i32,
        /// The edits, in ascending order, none touching another.
        edits: Vec<TextEdit>,
    },
    /// Something that the person should know; once.
    Tell {
        /// One sentence.
        message: String,
    },
    /// A text to keep in `.tutti/recovered/`.
    Recover {
        /// The text.
        text: String,
        /// Why it is kept.
        reason: String,
    },
    /// Everything the person has typed should be reported; [`Event::Flushed`] is wanted when it has
    /// been.
    Flush,
    /// A [`Event::Tick`] is wanted at this time. A later request replaces an earlier one.
    WakeAt(Millis),
}

/// One open document.
#[derive(Debug)]
pub struct Document {
    main: Replica,
    /// The Yjs client id of the person.
    user: u64,
    shown: Rope,
    /// What `shown` was before the latest reports, with its versions: a save may be overtaken by what follows it.
    earlier: VecDeque<(i32, Rope)>,
    version: i32,
    form: Form,
    dialect: Dialect,
    /// How `shown` and the view correspond.
    alignment: Alignment,
    flight: Option<Flight>,
    denials: Denials,
    retry: Retry,
    flushing: Flushing,
    next_edit: u64,
    /// Changes that came before their predecessors, and when the first of them came.
    early: BTreeMap<i32, Vec<Change>>,
    early_since: Millis,
    /// The editor reports nothing any more, see [`Document::found_deaf`].
    is_deaf: bool,
    held: Held,
    lateness: Lateness,
    /// When the event at hand has come, and the last report.
    now: Millis,
    reported_at: Millis,
    told: bool,
    has_drifted: bool,
    history: History,
    /// Opened with a text of which nobody knows what it was made of, and that text is shown still:
    /// what differs from the view is not what the person has changed.
    is_foreign: bool,
    journaled: Journaled,
}

impl Document {
    /// Opens a document. `main` is the local replica, `base` the state whose text was last written
    /// to, or read from, the file on disk; absent, the editor must show `main`'s text.
    ///
    /// A text that differs from `base` holds the person's own unsaved changes; they are merged.
    pub fn open(
        mut main: Replica,
        base: Option<Replica>,
        opened: Opened,
        now: Millis,
    ) -> (Self, Vec<Effect>) {
        let mut effects = Vec::new();
        let form = Form::of(
            &opened.text,
            base.as_ref().unwrap_or(&main).rope(),
            main.rope(),
            opened.eol_crlf,
            opened.dialect.sends_lf,
            opened.encoding,
        );
        let shown = Rope::from_str(&form.whole(&opened.text));
        let kept = opened.dialect.keeps_final_newline;
        let is_current = same_text(&shown, main.rope(), kept);
        let parted = main.parted.take();
        let parted = parted.filter(|parted| !is_current && parted.shown == shown);
        let has_base = is_current || parted.is_some() || base.is_some();
        if parted.is_none() {
            main.begin_showing(base.as_ref().filter(|_| !is_current));
        }
        let is_known = parted.is_some();
        let alignment = match parted {
            Some(parted) => parted.alignment,
            None => Alignment::between(&shown, main.shown()),
        };
        if !has_base {
            effects.push(Effect::Recover {
                text: opened.text.clone(),
                reason: "the file differed from the shared text, and what it was made from is not \
                         known any more"
                    .into(),
            });
            effects.push(Effect::Tell {
                message:
                    "This file differed from the shared text: the shared text is shown, and a \
                          copy of yours is in .tutti/recovered/."
                        .into(),
            });
        }
        let mut document = Self {
            alignment,
            main,
            user: opened.user,
            shown,
            earlier: VecDeque::new(),
            version: opened.version,
            form,
            dialect: opened.dialect,
            flight: None,
            denials: Denials::default(),
            retry: Retry::default(),
            flushing: Flushing::default(),
            // Never that of another opening, whose answers may still come.
            next_edit: opened.user,
            early: BTreeMap::new(),
            early_since: now,
            is_deaf: false,
            held: Held::default(),
            lateness: Lateness::default(),
            now,
            reported_at: now,
            told: false,
            has_drifted: false,
            history: History::new(opened.user),
            is_foreign: !has_base,
            journaled: Journaled::default(),
        };
        if has_base && !is_known && !document.alignment.is_same() {
            document.opened_with_edit(&mut effects);
            document.adopt_shown(&mut effects);
            // Written before the document was opened, however long ago.
            document.history.forget_current();
        }
        document.expect_earlier(now);
        document.synchronise(now, &mut effects);
        (document, effects)
    }

    /// Takes in one event.
    pub fn handle(&mut self, event: Event, now: Millis) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.now = now;
        match event {
            Event::Changed { version, changes } => {
                self.changed(version, changes, now, &mut effects);
            }
            Event::Saved { text } => self.saved(text, now, &mut effects),
            Event::Remote { update } => self.remote(&update, &mut effects),
            Event::Answered { edit, answer } => self.answered(edit, answer, now, &mut effects),
            Event::Flushed { is_sure } => self.flushed(is_sure, now, &mut effects),
            Event::Undo => {
                let update = self.history.undo(&mut self.main);
                self.reverted(update, &mut effects);
            }
            Event::Redo => {
                let update = self.history.redo(&mut self.main);
                self.reverted(update, &mut effects);
            }
            Event::Tick => self.tick(now, &mut effects),
            Event::Closing => {
                self.take_early(now, &mut effects);
                self.release(&mut effects);
                return effects;
            }
        }
        self.history.end_event(now);
        self.synchronise(now, &mut effects);
        effects
    }

    /// Ends the document; the replica lives on. It remembers the edit under way, which may reach the
    /// document when it is opened again.
    pub fn close(mut self) -> Replica {
        let flight = self.flight.take().filter(|flight| !flight.accepted);
        self.main.request = flight.map(Flight::into_request);
        if !self.alignment.is_same() {
            self.main.parted = Some(Parted {
                shown: self.shown,
                alignment: self.alignment,
            });
        }
        self.main
    }

    /// The replica that the link keeps in sync.
    pub fn main(&self) -> &Replica {
        &self.main
    }

    /// The text that the editor is known to show, with `\n` as line end.
    pub fn shown(&self) -> String {
        self.shown.to_string()
    }

    /// A state, as a v1 update, whose text is what the editor shows, made of the characters of
    /// [`Document::main`]: what a file is made from that has just been saved, for
    /// [`Document::open`]'s `base`.
    pub fn shown_state(&self) -> Vec<u8> {
        let state = self.main.shown_state();
        if self.alignment.is_same() {
            return state;
        }
        // What stands elsewhere than it should, or is nobody's.
        let mut copy = Replica::from_state(self.user ^ 1, &state).expect("an own state is valid");
        let patch = diff(copy.rope(), &self.shown);
        copy.splice(&patch);
        copy.state()
    }

    /// What is known by now of the client, for the next document that it opens.
    pub fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    /// The version of [`Document::shown`].
    pub fn version(&self) -> i32 {
        self.version
    }

    /// Whether the editor shows everything, and nothing is under way.
    pub fn is_settled(&self) -> bool {
        let wanted = || self.wanted(&self.main.ahead());
        let is_alike = || same_text(&self.shown, &wanted(), self.keeps_newline());
        self.flight.is_none()
            && match self.alignment {
                Alignment::Same => self.main.is_shown() || is_alike(),
                Alignment::Mapped(_) => is_alike(),
            }
    }

    /// Whether the editor was found to report nothing any more: what its person types is not known, nor
    /// is anything shown to them.
    pub fn is_deaf(&self) -> bool {
        self.is_deaf
    }

    /// Where a place that the editor shows lies in the shared text, in UTF-16 units.
    pub fn to_shared(&self, place: Position) -> u32 {
        let place = self.form.place_from_editor(place);
        let at = locate(&self.shown, place, self.form.encoding()).at;
        let at = match self.alignment {
            Alignment::Same => self.main.shown_to_shared(at),
            Alignment::Mapped(_) => carry(&self.shown, self.main.rope(), at),
        };
        self.main.rope().char_to_utf16_cu(at) as u32
    }

    /// Where a place of the shared text, in UTF-16 units, lies in what the editor shows.
    pub fn to_shown(&self, units: u32) -> Position {
        let main = self.main.rope();
        let at = main.utf16_cu_to_char((units as usize).min(main.len_utf16_cu()));
        let at = match self.alignment {
            Alignment::Same => self.main.shared_to_shown(at),
            Alignment::Mapped(_) => carry(main, &self.shown, at),
        };
        self.form
            .place_for_editor(position(&self.shown, at, self.form.encoding()))
    }

    /// The part of the shared text that the editor shows, as far as its characters are known.
    fn view(&self) -> &Rope {
        self.main.shown()
    }

    fn keeps_newline(&self) -> bool {
        self.dialect.keeps_final_newline
    }
}

/// Whether `shown` is all that an editor can show of `text`. `but_newline`: a final newline more or
/// less is not its to say.
fn same_text(shown: &Rope, text: &Rope, but_newline: bool) -> bool {
    let is_longer = |longer: &Rope, shorter: &Rope| {
        longer.len_chars() == shorter.len_chars() + 1
            && ends_with_newline(longer)
            && !ends_with_newline(shorter)
            && longer.slice(..shorter.len_chars()) == *shorter
    };
    shown == text || but_newline && (is_longer(shown, text) || is_longer(text, shown))
}

fn ends_with_newline(text: &Rope) -> bool {
    text.len_chars() > 0 && text.char(text.len_chars() - 1) == '\n'
}

/// Where the gap before character `at` of `from` lies in `to`.
fn carry(from: &Rope, to: &Rope, at: usize) -> usize {
    let caret = Patch::single(at, 0, "|").rebase(&diff(from, to), Side::After);
    caret.splices().first().map_or(at, |splice| splice.at)
}

#[cfg(test)]
mod bounds_tests;
#[cfg(test)]
mod denial_tests;
#[cfg(test)]
mod journal_tests;
#[cfg(test)]
mod opening_tests;
#[cfg(test)]
mod reopening_tests;
#[cfg(test)]
mod returns_tests;
#[cfg(test)]
mod stranger_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod undo_random_tests;
#[cfg(test)]
mod undo_tests;
