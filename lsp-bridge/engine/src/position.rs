//! LSP positions, and where they lie in a rope.

use ropey::Rope;

/// How a client counts characters in a line (LSP 3.17, `PositionEncodingKind`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// Bytes of UTF-8.
    Utf8,
    /// Code units of UTF-16: what every client must understand.
    #[default]
    Utf16,
    /// Unicode scalar values.
    Utf32,
}

/// A place in a text: line and character count from 0, the character in the client's [`Encoding`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The character in it.
    pub character: u32,
}

/// From `start` up to, not including, `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Range {
    /// The first place.
    pub start: Position,
    /// The place behind the last character.
    pub end: Position,
}

/// An edit as LSP has it. Several of one request all refer to the text before the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextEdit {
    /// What is replaced.
    pub range: Range,
    /// By what.
    pub new_text: String,
}

/// One entry of `contentChanges`. Each refers to the text that the one before has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What is replaced; everything if absent.
    pub range: Option<Range>,
    /// By what.
    pub text: String,
}

/// A character offset that a position led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Located {
    /// The offset, in characters.
    pub at: usize,
    /// Whether the position named a place that the text has. If not, `at` is the nearest one.
    pub exact: bool,
}

/// Where `position` lies in `text`. Lines end with `\n` alone; a `\r` is a character like others.
pub fn locate(text: &Rope, position: Position, encoding: Encoding) -> Located {
    let line = position.line as usize;
    if line >= text.len_lines() {
        return Located {
            at: text.len_chars(),
            exact: false,
        };
    }
    let start = text.line_to_char(line);
    let content = text.line(line);
    let mut length = content.len_chars();
    if length > 0 && content.char(length - 1) == '\n' {
        length -= 1;
    }
    let content = content.slice(..length);
    let wanted = position.character as usize;
    let (within, exact) = match encoding {
        Encoding::Utf32 => (wanted.min(length), wanted <= length),
        Encoding::Utf16 if wanted > content.len_utf16_cu() => (length, false),
        Encoding::Utf16 => {
            let within = content.utf16_cu_to_char(wanted);
            (within, content.char_to_utf16_cu(within) == wanted)
        }
        Encoding::Utf8 if wanted > content.len_bytes() => (length, false),
        Encoding::Utf8 => {
            let within = content.byte_to_char(wanted);
            (within, content.char_to_byte(within) == wanted)
        }
    };
    Located {
        at: start + within,
        exact,
    }
}

/// The position of the character at `offset`.
pub fn position(text: &Rope, offset: usize, encoding: Encoding) -> Position {
    let line = text.char_to_line(offset);
    let before = text.slice(text.line_to_char(line)..offset);
    let character = match encoding {
        Encoding::Utf8 => before.len_bytes(),
        Encoding::Utf16 => before.len_utf16_cu(),
        Encoding::Utf32 => before.len_chars(),
    };
    Position {
        line: line as u32,
        character: character as u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_offset_there_and_back() {
        let text = Rope::from_str("aé😀\r\n\n한x\u{301}\nlast");
        for encoding in [Encoding::Utf8, Encoding::Utf16, Encoding::Utf32] {
            for at in 0..=text.len_chars() {
                let located = locate(&text, position(&text, at, encoding), encoding);
                assert_eq!(located, Located { at, exact: true }, "{encoding:?}");
            }
        }
    }

    #[test]
    fn places_that_are_none() {
        let text = Rope::from_str("😀\nb");
        let at = |line, character| locate(&text, Position { line, character }, Encoding::Utf16);
        let near = |at| Located { at, exact: false };
        assert_eq!(at(0, 1), near(0), "inside a surrogate pair");
        assert_eq!(at(0, 9), near(1), "behind the line");
        assert_eq!(at(7, 0), near(3), "behind the text");
    }
}
