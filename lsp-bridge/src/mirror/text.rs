//! Between the bytes of a file and the shared text: line ends and encoding.

use tutti_protocol::index::Eol;

use super::tree::{LeftAlone, MAX_FILE_BYTES};

/// What a file's bytes hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TextFile {
    /// The text with `\n` as its line end. A byte-order mark is its first character.
    pub(crate) text: String,
    /// The line end that [`render`] puts back.
    pub(crate) eol: Eol,
}

/// Reads a file's bytes, `None` if they are not UTF-8 or hold a zero character, which no text
/// file has and many binary formats start with.
///
/// A file's line end is `\r\n` only if every line ends so; otherwise any `\r` is text. For a file
/// that is `known` to end its lines with `\r\n`, one such line is enough: an editor that put some
/// `\n` between them would otherwise turn every other line end into text.
pub(crate) fn parse(bytes: Vec<u8>, known: Option<Eol>) -> Option<TextFile> {
    let text = String::from_utf8(bytes).ok()?;
    if text.contains('\0') {
        return None;
    }
    let crlf = text.matches("\r\n").count();
    let lf = text.matches('\n').count();
    let is_crlf = crlf > 0 && (crlf == lf || known == Some(Eol::Crlf));
    // A file without any line end says nothing against the one it had.
    let keeps_crlf = lf == 0 && known == Some(Eol::Crlf);
    Some(if is_crlf {
        TextFile {
            text: text.replace("\r\n", "\n"),
            eol: Eol::Crlf,
        }
    } else if keeps_crlf {
        TextFile {
            text,
            eol: Eol::Crlf,
        }
    } else {
        TextFile { text, eol: Eol::Lf }
    })
}

/// The bytes of a file with this text.
pub(crate) fn render(text: &str, eol: Eol) -> Vec<u8> {
    match eol {
        Eol::Lf => text.as_bytes().to_vec(),
        Eol::Crlf => text.replace('\n', "\r\n").into_bytes(),
    }
}

/// Whether a file that counts as one of this line end holds a text, though some of its lines may end otherwise.
pub(super) fn holds(bytes: &[u8], text: &str, eol: Eol) -> bool {
    let file = parse(bytes.to_vec(), Some(eol));
    file.is_some_and(|file| file.eol == eol && file.text == text)
}

/// Why a text that others wrote has no place on this disk.
pub(super) fn unwritable(bytes: &[u8], eol: Eol) -> Option<LeftAlone> {
    if bytes.len() as u64 > MAX_FILE_BYTES {
        Some(LeftAlone::TooBig)
    } else if parse(bytes.to_vec(), Some(eol)).is_none() {
        Some(LeftAlone::NotText)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_for_byte() {
        let table: &[(&str, Eol)] = &[
            ("", Eol::Lf),
            ("no end", Eol::Lf),
            ("a\nb\n", Eol::Lf),
            ("a\r\nb\r\n", Eol::Crlf),
            ("a\r\nb", Eol::Crlf),
            ("a\r\nb\n", Eol::Lf),
            ("a\rb\r", Eol::Lf),
            ("\r\r\n", Eol::Crlf),
            ("\u{feff}a\r\n", Eol::Crlf),
            ("\u{feff}", Eol::Lf),
            ("𝄞\n", Eol::Lf),
        ];
        for (content, eol) in table {
            let file = parse(content.as_bytes().to_vec(), None).unwrap();
            assert_eq!(file.eol, *eol, "{content:?}");
            assert_eq!(render(&file.text, file.eol), content.as_bytes());
        }
    }

    #[test]
    fn a_file_holds_a_text_if_some_lines_end_otherwise() {
        for (bytes, eol, holds_it) in [
            ("a\r\nb\r\n", Eol::Crlf, true),
            ("a\r\nb\n", Eol::Crlf, true),
            ("a\nb\n", Eol::Crlf, false),
            ("a\r\nb", Eol::Crlf, false),
            ("a\nb\n", Eol::Lf, true),
            ("a\r\nb\n", Eol::Lf, false),
            ("a\r\nb\r\n", Eol::Lf, false),
        ] {
            assert_eq!(
                holds(bytes.as_bytes(), "a\nb\n", eol),
                holds_it,
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn binary_is_no_text() {
        assert_eq!(parse(vec![0xff, 0xfe, b'a', 0], None), None);
        assert_eq!(parse(vec![b'a', 0, b'b'], None), None);
        assert_eq!(parse(vec![0xc3], None), None);
    }

    #[test]
    fn a_known_crlf_file_stays_one() {
        let mixed = parse(b"a\r\nb\n".to_vec(), Some(Eol::Crlf)).unwrap();
        assert_eq!((mixed.text.as_str(), mixed.eol), ("a\nb\n", Eol::Crlf));
        let converted = parse(b"a\nb\n".to_vec(), Some(Eol::Crlf)).unwrap();
        assert_eq!(converted.eol, Eol::Lf);
        let one_line = parse(b"a".to_vec(), Some(Eol::Crlf)).unwrap();
        assert_eq!(one_line.eol, Eol::Crlf);
    }
}
