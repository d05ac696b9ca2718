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

/// The bytes of a file with this text, in the place of `old`. Where lines end in several ways, those before and behind
/// what changes stay as they are: to git they would be changed as well.
pub(super) fn render_over(text: &str, eol: Eol, old: &[u8]) -> Vec<u8> {
    let plain = render(text, eol);
    if eol == Eol::Lf || old == plain || !is_mixed(old, eol) {
        return plain;
    }
    let (Ok(old), Ok(new)) = (str::from_utf8(old), str::from_utf8(&plain)) else {
        return plain;
    };
    let old: Vec<&str> = old.split_inclusive('\n').collect();
    let new: Vec<&str> = new.split_inclusive('\n').collect();
    let is_same = |(one, other): &(&&str, &&str)| line(one) == line(other);
    let before = old.iter().zip(&new).take_while(is_same).count();
    let most = old.len().min(new.len()) - before;
    let behind = old.iter().rev().zip(new.iter().rev());
    let behind = behind.take(most).take_while(is_same).count();
    let parts = [
        &old[..before],
        &new[before..new.len() - behind],
        &old[old.len() - behind..],
    ];
    parts.concat().concat().into_bytes()
}

/// Whether a file that counts as one of this line end has others as well.
fn is_mixed(bytes: &[u8], eol: Eol) -> bool {
    let file = parse(bytes.to_vec(), Some(eol)).filter(|file| file.eol == eol);
    file.is_some_and(|file| render(&file.text, eol) != bytes)
}

/// What a line holds, and whether it ends.
fn line(line: &str) -> (&str, bool) {
    match line.strip_suffix('\n') {
        None => (line, false),
        Some(line) => (line.strip_suffix('\r').unwrap_or(line), true),
    }
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
    fn lines_that_end_in_several_ways_stay_as_they_are() {
        let old = "a\nb\r\nc\nd\r\ne";
        for (text, new) in [
            ("a\nb\nc\nd\ne", old),
            ("a\nb\nC\nd\ne", "a\nb\r\nC\r\nd\r\ne"),
            ("a\nb\nx\ny\nc\nd\ne", "a\nb\r\nx\r\ny\r\nc\nd\r\ne"),
            ("a\nd\ne", "a\nd\r\ne"),
            ("a\nb\nc\nd\ne\n", "a\nb\r\nc\nd\r\ne\r\n"),
            ("", ""),
        ] {
            let over = render_over(text, Eol::Crlf, old.as_bytes());
            assert_eq!(String::from_utf8(over).unwrap(), new);
        }
        let lf = render_over("a\nb\n", Eol::Lf, b"a\r\nb\n");
        assert_eq!(lf, b"a\nb\n", "there each \\r is text");
        let converted = render_over("a\nb\n", Eol::Crlf, b"a\nb\n");
        assert_eq!(converted, b"a\r\nb\r\n");
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
