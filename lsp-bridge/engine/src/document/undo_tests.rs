//! Undo and redo of one's own edits, in an editor and beside others who write.

use yrs::{GetString, Transact};

use super::*;
use crate::position::Range;

/// A person at an editor that does at once what it is asked, or only when it is told to.
pub(super) struct Desk {
    pub(super) document: Document,
    pub(super) now: u64,
    pub(super) text: Rope,
    pub(super) version: i32,
    /// What others are to hear.
    pub(super) sent: Vec<Vec<u8>>,
    /// What the editor has been asked for and has not done yet.
    pub(super) asked: Option<(EditId, i32, Vec<TextEdit>)>,
    pub(super) is_slow: bool,
    /// The document's journal, if it was begun.
    pub(super) journal: Vec<Vec<u8>>,
}

impl Desk {
    pub(super) fn open(user: u64, text: &str) -> Self {
        let mut main = Replica::new(1);
        main.edit(text);
        let main = main.fork(100 + user);
        let opened = Opened {
            text: text.into(),
            version: 0,
            encoding: Encoding::Utf16,
            dialect: Dialect::choose(Some("Visual Studio Code")),
            eol_crlf: false,
            user,
        };
        let (document, effects) = Document::open(main, None, opened, Millis(0));
        assert_eq!(effects, []);
        Self {
            document,
            now: 0,
            text: Rope::from_str(text),
            version: 0,
            sent: Vec::new(),
            asked: None,
            is_slow: false,
            journal: Vec::new(),
        }
    }

    pub(super) fn handle(&mut self, event: Event) {
        let effects = self.document.handle(event, Millis(self.now));
        self.journal.extend(self.document.journal_entry());
        self.perform(effects);
    }

    pub(super) fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send { update } => self.sent.push(update),
                Effect::Edit {
                    edit,
                    version,
                    edits,
                } => self.asked = Some((edit, version, edits)),
                Effect::WakeAt(_) => {}
                effect => panic!("{effect:?}"),
            }
        }
        if !self.is_slow {
            self.obey();
        }
        self.is_in_step();
    }

    /// The items show what yrs holds.
    fn is_in_step(&self) {
        let doc = self.document.main().doc();
        let text = doc.get_or_insert_text("content");
        assert_eq!(
            self.document.main().text(),
            text.get_string(&doc.transact())
        );
    }

    /// The editor does what it was asked, if its text is still the one that was meant.
    pub(super) fn obey(&mut self) {
        let Some((edit, version, edits)) = self.asked.take() else {
            return;
        };
        if version != self.version {
            let answer = Answer::Refused { reason: None };
            return self.handle(Event::Answered { edit, answer });
        }
        let changes = self.take_in(edits);
        self.version += 1;
        let version = self.version;
        self.handle(Event::Changed { version, changes });
        let answer = Answer::Applied;
        self.handle(Event::Answered { edit, answer });
    }

    /// Makes the edits in the text; what is to be reported of that.
    pub(super) fn take_in(&mut self, edits: Vec<TextEdit>) -> Vec<Change> {
        let mut changes = Vec::new();
        for one in edits.into_iter().rev() {
            let [from, to] = [one.range.start, one.range.end]
                .map(|place| locate(&self.text, place, Encoding::Utf16).at);
            self.text.remove(from..to);
            self.text.insert(from, &one.new_text);
            changes.push(Change {
                range: Some(one.range),
                text: one.new_text,
            });
        }
        changes
    }

    /// The person has made this of the text, in several places at once.
    pub(super) fn reports_whole(&mut self, text: &str) {
        self.text = Rope::from_str(text);
        self.version += 1;
        let change = Change {
            range: None,
            text: text.into(),
        };
        let (version, changes) = (self.version, vec![change]);
        self.handle(Event::Changed { version, changes });
    }

    /// The person replaces `delete` characters at `at`.
    pub(super) fn replace(&mut self, at: usize, delete: usize, insert: &str) {
        let place = |at| position(&self.text, at, Encoding::Utf16);
        let change = Change {
            range: Some(Range {
                start: place(at),
                end: place(at + delete),
            }),
            text: insert.into(),
        };
        Patch::single(at, delete, insert).apply(&mut self.text);
        self.version += 1;
        let (version, changes) = (self.version, vec![change]);
        self.handle(Event::Changed { version, changes });
    }

    /// One key after the other, 100 ms apart.
    fn type_at(&mut self, at: usize, text: &str) {
        for (number, letter) in text.chars().enumerate() {
            self.now += 100;
            self.replace(at + number, 0, letter.encode_utf8(&mut [0; 4]));
        }
    }

    pub(super) fn pause(&mut self) {
        self.now += 1_000;
    }

    pub(super) fn undo(&mut self) -> bool {
        let before = self.sent.len();
        self.handle(Event::Undo);
        self.sent.len() > before
    }

    pub(super) fn redo(&mut self) -> bool {
        let before = self.sent.len();
        self.handle(Event::Redo);
        self.sent.len() > before
    }

    /// Someone else makes the shared text `text`.
    fn others_write(&mut self, text: &str) {
        let update = self.document.main().fork(99).edit(text);
        self.handle(Event::Remote { update });
    }

    /// What the person sees, which is what everyone has.
    pub(super) fn shows(&self, text: &str) {
        assert_eq!(self.text, text, "in the editor");
        assert_eq!(self.document.main().text(), text);
        assert!(self.document.is_settled());
    }
}

#[test]
fn keys_in_one_breath_are_one_step() {
    let mut ada = Desk::open(3, "");
    ada.type_at(0, "one");
    ada.pause();
    ada.type_at(3, " two");
    ada.shows("one two");
    assert!(ada.undo());
    ada.shows("one");
    assert!(ada.undo());
    ada.shows("");
    assert!(!ada.undo());
    assert!(ada.redo());
    ada.shows("one");
    assert!(ada.redo());
    ada.shows("one two");
    assert!(!ada.redo());
}

#[test]
fn a_pause_ends_a_step_after_half_a_second() {
    for (pause, rest) in [(499, ""), (500, "a")] {
        let mut ada = Desk::open(3, "");
        ada.replace(0, 0, "a");
        ada.now += pause;
        ada.replace(1, 0, "b");
        assert!(ada.undo());
        ada.shows(rest);
    }
}

#[test]
fn elsewhere_a_new_step_begins() {
    let mut ada = Desk::open(3, "-----");
    ada.type_at(5, "ab");
    ada.type_at(2, "cd");
    ada.shows("--cd---ab");
    assert!(ada.undo());
    ada.shows("-----ab");
    assert!(ada.undo());
    ada.shows("-----");
}

#[test]
fn what_is_typed_and_corrected_at_one_place_is_one_step() {
    let mut ada = Desk::open(3, "f");
    ada.type_at(1, "(x");
    // Backspace, a bracket that the editor closes, a key between them, and one key of the old text.
    ada.replace(2, 1, "");
    ada.replace(1, 1, "[]");
    ada.replace(2, 0, "y");
    ada.replace(3, 1, "");
    ada.shows("f[y");
    assert!(ada.undo());
    ada.shows("f");
    assert!(!ada.undo());
    assert!(ada.redo());
    ada.shows("f[y");
}

/// The caret has not gone anywhere, though what is typed next comes before.
#[test]
fn what_is_typed_before_what_has_just_been_typed_is_one_step() {
    let mut ada = Desk::open(3, "f");
    ada.replace(1, 0, "b");
    ada.replace(1, 0, "a");
    ada.shows("fab");
    assert!(ada.undo());
    ada.shows("f");
}

/// A completion that the editor shows and takes away again within one report.
#[test]
fn what_comes_and_goes_in_one_report_is_no_step() {
    let mut ada = Desk::open(3, "");
    ada.type_at(0, "one");
    assert!(ada.undo());
    let place = |character| Position { line: 0, character };
    let change = |start, end, text: &str| Change {
        range: Some(Range {
            start: place(start),
            end: place(end),
        }),
        text: text.into(),
    };
    let changes = vec![change(0, 0, "x"), change(0, 1, "")];
    ada.version += 1;
    let version = ada.version;
    ada.handle(Event::Changed { version, changes });
    assert!(ada.redo());
    ada.shows("one");
}

#[test]
fn a_paste_is_one_step() {
    let mut ada = Desk::open(3, "");
    let pasted = "a line that was copied from elsewhere\n".repeat(20);
    ada.type_at(0, "x");
    ada.replace(1, 0, &pasted);
    ada.type_at(1 + pasted.len(), "y");
    assert!(ada.undo());
    ada.shows(&format!("x{pasted}"));
    assert!(ada.undo());
    ada.shows("x");
    assert!(ada.undo());
    ada.shows("");
}

/// Several carets, and a formatter that runs as one types: one report is one step, however many
/// places it changes.
#[test]
fn what_is_reported_at_once_is_one_step() {
    let mut ada = Desk::open(3, "a\nb\nc\n");
    for column in 1..3 {
        ada.now += 100;
        let changes = (0..3).map(|line| {
            let place = Position {
                line,
                character: column,
            };
            Change {
                range: Some(Range {
                    start: place,
                    end: place,
                }),
                text: "!".into(),
            }
        });
        let changes: Vec<Change> = changes.collect();
        ada.version += 1;
        let version = ada.version;
        ada.text = Rope::from_str(["a!\nb!\nc!\n", "a!!\nb!!\nc!!\n"][column as usize - 1]);
        ada.handle(Event::Changed { version, changes });
    }
    ada.shows("a!!\nb!!\nc!!\n");
    assert!(ada.undo());
    ada.shows("a\nb\nc\n");
}

#[test]
fn what_others_wrote_inside_stays() {
    let mut ada = Desk::open(3, "()");
    ada.type_at(1, "hello world");
    ada.others_write("(hello, big world!)");
    assert!(ada.undo());
    ada.shows("(,big !)");
    assert!(ada.redo());
    ada.shows("(hello, big world!)");
}

#[test]
fn what_was_deleted_comes_back_where_it_stood() {
    let mut ada = Desk::open(3, "one two three");
    ada.replace(3, 4, "");
    ada.others_write("1: one, three!");
    assert!(ada.undo());
    ada.shows("1: one two, three!");
    ada.others_write("1: one t.o, three!");
    assert!(ada.redo());
    ada.shows("1: one., three!");
}

#[test]
fn what_others_have_deleted_is_gone() {
    let mut ada = Desk::open(3, "");
    ada.type_at(0, "first");
    ada.pause();
    ada.type_at(5, " second");
    ada.others_write("first");
    // The newest step left nothing, so the one before it is undone.
    assert!(ada.undo());
    ada.shows("");
    assert!(ada.redo());
    ada.shows("first");
    assert!(!ada.redo());
}

/// What came back is not what was typed at first, but must be known as the same.
#[test]
fn back_and_forth_over_several_steps() {
    let mut ada = Desk::open(3, "😀");
    let mut texts = vec!["😀".to_owned()];
    for (at, delete, insert) in [
        (1, 0, "abcdef"),
        (3, 2, ""),
        (2, 3, "𝄞XY"),
        (0, 4, ""),
        (0, 0, "end"),
    ] {
        ada.pause();
        ada.replace(at, delete, insert);
        texts.push(ada.text.to_string());
    }
    for _ in 0..3 {
        for text in texts.iter().rev().skip(1) {
            assert!(ada.undo());
            ada.shows(text);
        }
        assert!(!ada.undo());
        for text in texts.iter().skip(1) {
            assert!(ada.redo());
            ada.shows(text);
        }
        assert!(!ada.redo());
    }
}

#[test]
fn a_deletion_across_two_steps_is_parted() {
    let mut ada = Desk::open(3, "");
    ada.type_at(0, "abcd");
    ada.pause();
    ada.type_at(4, "efgh");
    // Goes on with the second step, whose own keys are never to come back.
    ada.replace(2, 4, "");
    ada.shows("abgh");
    assert!(ada.undo());
    ada.shows("abcd");
    assert!(ada.redo());
    ada.shows("abgh");
    assert!(ada.undo());
    assert!(ada.undo());
    ada.shows("");
}

#[test]
fn typing_ends_redo_and_others_typing_does_not() {
    let mut ada = Desk::open(3, "");
    ada.type_at(0, "one");
    assert!(ada.undo());
    ada.others_write("theirs");
    assert!(ada.redo());
    assert_eq!(ada.document.main().text().len(), "onetheirs".len());
    assert!(ada.undo());
    ada.shows("theirs");
    // Undoing ends a step, however soon typing goes on.
    ada.type_at(0, "x");
    assert!(!ada.redo());
    assert!(ada.undo());
    ada.shows("theirs");
}

#[test]
fn an_edit_under_way_and_keys_beside_it_are_kept() {
    let mut ada = Desk::open(3, "start\n");
    ada.type_at(5, " mine");
    ada.is_slow = true;
    ada.others_write("start mine\ntheirs\n");
    assert!(ada.asked.is_some());
    assert!(ada.undo());
    // Still reported on the old text, into the middle of what has been undone.
    ada.replace(8, 0, "!");
    ada.is_slow = false;
    ada.obey();
    ada.shows("start!\ntheirs\n");
    assert!(ada.undo());
    ada.shows("start\ntheirs\n");
    assert!(!ada.undo());
}

#[test]
fn undo_before_the_editor_shows_what_was_undone_before() {
    let mut ada = Desk::open(3, "");
    for word in ["a", "b", "c"] {
        ada.pause();
        ada.replace(ada.text.len_chars(), 0, word);
    }
    ada.is_slow = true;
    assert!(ada.undo());
    assert!(ada.undo());
    assert!(ada.redo());
    assert_eq!(ada.document.main().text(), "ab");
    ada.is_slow = false;
    ada.obey();
    ada.shows("ab");
}

/// What a restored buffer held was typed in another session of the editor.
#[test]
fn undo_begins_with_the_open_document() {
    let mut main = Replica::new(1);
    main.edit("old\n");
    let base = main.fork(2);
    let opened = Opened {
        text: "old and new\n".into(),
        version: 0,
        encoding: Encoding::Utf16,
        dialect: Dialect::choose(None),
        eol_crlf: false,
        user: 3,
    };
    let (mut document, _) = Document::open(main, Some(base), opened, Millis(0));
    assert_eq!(document.main().text(), "old and new\n");
    assert_eq!(document.handle(Event::Undo, Millis(1)), []);
    assert_eq!(document.main().text(), "old and new\n");
}

/// The oldest steps go when the text that they would bring back takes too much memory.
#[test]
fn the_history_is_bounded() {
    const PIECE: usize = 3 << 20;
    let mut ada = Desk::open(3, &"x".repeat(4 * PIECE));
    for _ in 0..4 {
        ada.pause();
        ada.replace(0, PIECE, "");
    }
    let undone = std::iter::repeat_with(|| ada.undo()).take_while(|undone| *undone);
    assert_eq!(undone.count(), 2);
}
