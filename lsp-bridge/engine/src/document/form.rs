//! How an editor writes down the text it shows: line ends, and a byte-order mark that it hides.
//!
//! In the shared text a line ends with `\n`, and a byte-order mark is its first character.

use ropey::Rope;

use crate::position::{Change, Encoding, Position, Range, TextEdit};

/// The mark that some files begin with.
const BOM: char = '\u{feff}';

/// How this editor and this file write the text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    /// The file's lines end with `\r\n`. In other files a `\r` is text.
    crlf: bool,
    /// Line ends go to the editor as `\n` whatever the file has.
    sends_lf: bool,
    /// The text begins with a byte-order mark that the editor keeps to itself.
    hides_bom: bool,
    encoding: Encoding,
}

impl Form {
    /// The form in which an editor opened `text`, which it read from a file with the text `file`.
    ///
    /// The first mark is hidden if the text has fewer than the file: a second one is shown. That
    /// somebody else has taken away while the document was closed is hidden no longer.
    pub(super) fn of(
        text: &str,
        file: &Rope,
        shared: &Rope,
        crlf: bool,
        sends_lf: bool,
        encoding: Encoding,
    ) -> Self {
        let has_one = marks(shared.chars()) > 0;
        Self {
            crlf,
            sends_lf,
            hides_bom: has_one && marks(text.chars()) < marks(file.chars()),
            encoding,
        }
    }

    pub(super) fn encoding(self) -> Encoding {
        self.encoding
    }

    /// Whether a `\r` before a line end cannot be told from a part of that.
    pub(super) fn hides_returns(self) -> bool {
        self.crlf && self.sends_lf
    }

    /// A whole text from the editor.
    pub(super) fn whole(self, text: &str) -> String {
        let part = self.part(text);
        if self.hides_bom && !part.starts_with(BOM) {
            format!("{BOM}{part}")
        } else {
            part
        }
    }

    /// A part of a text from the editor.
    fn part(self, text: &str) -> String {
        if self.crlf {
            text.replace("\r\n", "\n")
        } else {
            text.to_owned()
        }
    }

    /// A change from the editor.
    pub(super) fn change(self, change: &Change) -> Change {
        match change.range {
            None => Change {
                range: None,
                text: self.whole(&change.text),
            },
            Some(range) => Change {
                range: Some(Range {
                    start: self.place_from_editor(range.start),
                    end: self.place_from_editor(range.end),
                }),
                text: self.part(&change.text),
            },
        }
    }

    /// An edit for the editor.
    pub(super) fn edit_for_editor(self, edit: &TextEdit) -> TextEdit {
        TextEdit {
            range: Range {
                start: self.place_for_editor(edit.range.start),
                end: self.place_for_editor(edit.range.end),
            },
            new_text: if self.crlf && !self.sends_lf {
                edit.new_text.replace('\n', "\r\n")
            } else {
                edit.new_text.clone()
            },
        }
    }

    /// A place named by the editor.
    pub(super) fn place_from_editor(self, mut place: Position) -> Position {
        if place.line == 0 {
            place.character += self.hidden();
        }
        place
    }

    /// A place for the editor.
    pub(super) fn place_for_editor(self, mut place: Position) -> Position {
        if place.line == 0 {
            place.character = place.character.saturating_sub(self.hidden());
        }
        place
    }

    /// Whether the text's first character is not the editor's.
    pub(super) fn hides_first(self) -> bool {
        self.hides_bom
    }

    /// The shared text has lost the mark.
    pub(super) fn without_bom(mut self) -> Self {
        self.hides_bom = false;
        self
    }

    fn hidden(self) -> u32 {
        match (self.hides_bom, self.encoding) {
            (false, _) => 0,
            (true, Encoding::Utf8) => BOM.len_utf8() as u32,
            (true, Encoding::Utf16 | Encoding::Utf32) => 1,
        }
    }
}

/// How many byte-order marks a text begins with.
fn marks(text: impl Iterator<Item = char>) -> usize {
    text.take_while(|letter| *letter == BOM).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Position = Position {
        line: 0,
        character: 0,
    };

    #[test]
    fn the_first_mark_is_hidden_if_the_editor_does_not_show_it() {
        let marks = |count: usize| "\u{feff}".repeat(count) + "x";
        for (text, file, shared, hides) in [
            (0, 0, 0, false),
            (0, 1, 1, true),
            (1, 1, 1, false),
            (1, 2, 2, true),
            (2, 2, 2, false),
            // Somebody else has taken it away, or brought it.
            (0, 1, 0, false),
            (0, 0, 1, false),
        ] {
            let [text, file, shared] = [text, file, shared].map(marks);
            let [file, shared] = [file, shared].map(|text| Rope::from_str(&text));
            let form = Form::of(&text, &file, &shared, false, false, Encoding::Utf16);
            assert_eq!(form.hides_first(), hides, "{text:?} {file:?} {shared:?}");
        }
    }

    #[test]
    fn places_of_the_first_line_count_what_is_hidden() {
        for (encoding, hidden) in [
            (Encoding::Utf8, 3),
            (Encoding::Utf16, 1),
            (Encoding::Utf32, 1),
        ] {
            let file = Rope::from_str("\u{feff}x\ny");
            let form = Form::of("x\ny", &file, &file, false, false, encoding);
            for (line, moved) in [(0, hidden), (1, 0)] {
                let [shown, shared] = [4, 4 + moved].map(|character| Position { line, character });
                assert_eq!(form.place_from_editor(shown), shared);
                assert_eq!(form.place_for_editor(shared), shown);
            }
            assert_eq!(form.place_for_editor(START), START);
            assert_eq!(form.whole("x\ny"), file.to_string());
            assert_eq!(form.without_bom().whole("x\ny"), "x\ny");
        }
    }

    #[test]
    fn line_ends_are_those_of_the_file_but_for_who_sends_others() {
        let text = Rope::from_str("a\nb");
        let edit = TextEdit {
            range: Range {
                start: START,
                end: START,
            },
            new_text: "x\ny".into(),
        };
        for (crlf, sends_lf, sent, hides_returns) in [
            (false, false, "x\ny", false),
            (false, true, "x\ny", false),
            (true, false, "x\r\ny", false),
            (true, true, "x\ny", true),
        ] {
            let form = Form::of("a\nb", &text, &text, crlf, sends_lf, Encoding::Utf8);
            assert_eq!(form.edit_for_editor(&edit).new_text, sent);
            assert_eq!(form.hides_returns(), hides_returns);
            let whole = if crlf { "a\nb\r" } else { "a\r\nb\r" };
            assert_eq!(form.whole("a\r\nb\r"), whole);
        }
    }
}
