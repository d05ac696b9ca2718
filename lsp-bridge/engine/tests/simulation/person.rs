//! What people do in front of an editor.

use fastrand::Rng;
use tutti_engine::patch::{Patch, Splice};

use crate::editor::{Editor, ToServer};
use crate::ledger::Ledger;

/// One thing that a person does. Places are parts of the text's length, in thousandths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    /// Puts the caret elsewhere.
    Move(usize),
    /// Types so many letters at once.
    Type(usize),
    /// Types something that others type as well: a line end, blanks, marks that join letters.
    TypeCommon(&'static str),
    Delete(usize),
    /// Pastes so many lines.
    Paste(usize),
    /// The editor's own undo takes back the last change, whoever made it.
    Undo,
    Redo,
    /// Tutti's takes back the person's own.
    OwnUndo,
    OwnRedo,
    Save,
    Reopen,
    /// A second language server replaces something at two places.
    Refactor(usize, usize),
}

const COMMON: [&str; 8] = [
    "\n",
    "\n",
    "\n    ",
    "  ",
    "\t",
    "e\u{301}",
    "👩\u{200d}🔬",
    "\0",
];

impl Act {
    /// What comes next, and after how many milliseconds. A restless person never pauses.
    pub(crate) fn next(rng: &mut Rng, is_restless: bool) -> (Self, u64) {
        if is_restless {
            return (Self::Type(1), 83);
        }
        let pause = match rng.u8(0..10) {
            0 => rng.u64(500..1_500),
            1..=3 => rng.u64(5..30),
            _ => rng.u64(60..200),
        };
        let act = match rng.u8(0..64) {
            0..6 => Self::Move(rng.usize(0..=1_000)),
            6..11 => Self::Delete(rng.usize(1..5)),
            11..15 => Self::TypeCommon(rng.choice(COMMON).expect("not empty")),
            15..18 => Self::Type(rng.usize(2..12)),
            18 => Self::Paste(rng.usize(2..5)),
            19 | 20 => Self::Undo,
            21 => Self::Redo,
            25 => Self::OwnUndo,
            26 => Self::OwnRedo,
            22 => Self::Save,
            23 if rng.u8(0..4) == 0 => Self::Reopen,
            24 => Self::Refactor(rng.usize(0..=1_000), rng.usize(0..=1_000)),
            _ => Self::Type(1),
        };
        (act, pause)
    }
}

impl Act {
    /// The same in a file of which some lines end with `\r\n`.
    pub(crate) fn with_returns(self) -> Self {
        match self {
            Self::TypeCommon("\n") => Self::TypeCommon("\r\n"),
            Self::TypeCommon("\t") => Self::TypeCommon("\r"),
            other => other,
        }
    }
}

/// What letters people type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Letters {
    /// Each has letters of their own, and types each once.
    Own,
    /// All type the same of so many, in the same order.
    Shared(u32),
}

impl Letters {
    /// Every fourth seed has people type alike.
    pub(crate) fn of(seed: u64) -> Self {
        match (seed % 4, seed / 4 % 3) {
            (1, 0) => Self::Shared(3),
            (1, 1) => Self::Shared(12),
            (1, _) => Self::Shared(60),
            _ => Self::Own,
        }
    }
}

/// Who types.
pub(crate) struct Person {
    number: u32,
    letters: Letters,
    /// How many letters they have typed.
    typed: u32,
    /// Runs of letters that were typed one behind the other.
    pub(crate) runs: Vec<Vec<char>>,
}

impl Person {
    pub(crate) fn new(number: usize, letters: Letters) -> Self {
        Self {
            number: number as u32,
            letters,
            typed: 0,
            runs: vec![Vec::new()],
        }
    }

    fn letters(&mut self, count: usize) -> String {
        let first = self.typed;
        self.typed += count as u32;
        let letters = (first..self.typed).map(|nth| match self.letters {
            // Every second one writes beyond UTF-16's first plane.
            Letters::Own if self.number.is_multiple_of(2) => 0x4e00 + self.number * 0x800 + nth,
            Letters::Own => 0x20000 + self.number * 0x800 + nth,
            Letters::Shared(count) => {
                // As good as random, and the same for everyone.
                let letter = nth.wrapping_mul(0x9e37_79b1).rotate_left(15) % count;
                let plane = if letter.is_multiple_of(2) {
                    'a'
                } else {
                    '𝐚'
                };
                plane as u32 + letter / 2
            }
        });
        letters.filter_map(char::from_u32).collect()
    }

    /// Whether all that was typed in this run and is there stands before the caret: an edit of the
    /// server's may have brought some of it back behind it, and then it is there that they type.
    fn goes_on(&self, editor: &Editor) -> bool {
        let run = self.runs.last().map_or(&[][..], Vec::as_slice);
        let mut behind = editor.buffer.chars_at(editor.caret);
        !behind.any(|letter| run.contains(&letter))
    }

    fn other_run(&mut self) {
        if self.runs.last().is_none_or(|run| !run.is_empty()) {
            self.runs.push(Vec::new());
        }
    }

    pub(crate) fn does(
        &mut self,
        act: &Act,
        editor: &mut Editor,
        now: u64,
        ledger: &mut Ledger,
    ) -> Vec<ToServer> {
        let place = |parts: usize| editor.buffer.len_chars() * parts / 1_000;
        if !matches!(act, Act::Type(_) | Act::TypeCommon(_) | Act::Save) {
            self.other_run();
        }
        match act {
            Act::Move(parts) => {
                editor.caret = place(*parts);
                Vec::new()
            }
            Act::Type(count) => {
                if !self.goes_on(editor) {
                    self.other_run();
                }
                let letters = self.letters(*count);
                self.runs
                    .last_mut()
                    .expect("never empty")
                    .extend(letters.chars());
                editor.person(&Patch::single(editor.caret, 0, letters), now, ledger)
            }
            Act::TypeCommon(text) => {
                editor.person(&Patch::single(editor.caret, 0, *text), now, ledger)
            }
            Act::Delete(count) => editor.person(&editor.deletion(*count), now, ledger),
            Act::Paste(lines) => {
                let text: String = (0..*lines).map(|_| self.letters(8) + "\n").collect();
                editor.person(&Patch::single(editor.caret, 0, text), now, ledger)
            }
            Act::Undo => editor.undo(now, ledger),
            Act::Redo => editor.redo(now, ledger),
            Act::OwnUndo | Act::OwnRedo => Vec::new(),
            Act::Save => editor.save(now, ledger),
            Act::Reopen => editor.reopen(now, ledger),
            Act::Refactor(one, other) => {
                let (first, second) = (place(*one.min(other)), place(*one.max(other)));
                let mut patch = Patch::single(first, 0, self.letters(2));
                let room = editor.buffer.len_chars() - usize::from(editor.kind.keeps_newline);
                if first + 1 < second && second < room {
                    patch.push(Splice {
                        at: second,
                        delete: 1,
                        insert: self.letters(3),
                    });
                }
                editor.person(&patch, now, ledger)
            }
        }
    }
}
