//! The messages in what an editor writes (Language Server Protocol 3.17, "Base Protocol").
//!
//! The server loop hears nothing any more after a message that it cannot read. So each one is looked
//! at here first. JavaScript writes half a surrogate pair as an escape, which is no text: it becomes
//! U+FFFD, which is one UTF-16 code unit as well, so that all positions stay. Bytes that are no UTF-8
//! become the same. What is no message at all is left out, and the log says so.

use std::borrow::Cow;
use std::io::{self, BufRead, Read};

use memchr::{memchr, memmem};
use serde::Deserialize;
use serde::de::IgnoredAny;
use tower_lsp::jsonrpc::Id;

/// The longest line of a header.
const HEADER_BYTES: u64 = 16 * 1024;
/// The longest message: several times the largest file, with every character escaped.
const MESSAGE_BYTES: u64 = 1024 * 1024 * 1024;

/// What makes a message (JSON-RPC 2.0, section 4 and 5). An answer has no method.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    jsonrpc: Cow<'a, str>,
    #[serde(default, rename = "method")]
    _method: Cow<'a, str>,
    #[serde(default, rename = "id")]
    _id: Option<Id>,
    #[serde(default, rename = "params")]
    _params: Option<IgnoredAny>,
}

/// Reads one message after the other.
pub(super) struct Frames<R> {
    input: R,
}

impl<R: BufRead> Frames<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input }
    }

    /// The next message, with its header; `None` at the end.
    ///
    /// # Errors
    /// The input cannot be read, or no further message can be found in it.
    pub(super) fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let Some(length) = self.header()? else {
                return Ok(None);
            };
            let mut body = Vec::new();
            self.input.by_ref().take(length).read_to_end(&mut body)?;
            if (body.len() as u64) < length {
                return Ok(None);
            }
            if let Some(body) = readable(body) {
                let mut frame = format!("Content-Length: {}\r\n\r\n", body.len()).into_bytes();
                frame.extend(body);
                return Ok(Some(frame));
            }
        }
    }

    /// Reads a header; how long its message is. One that does not say so has none.
    fn header(&mut self) -> io::Result<Option<u64>> {
        let mut length = None;
        let mut line = Vec::new();
        loop {
            line.clear();
            let mut limited = self.input.by_ref().take(HEADER_BYTES);
            if limited.read_until(b'\n', &mut line)? == 0 {
                return Ok(None);
            }
            if line.len() as u64 == HEADER_BYTES && !line.ends_with(b"\n") {
                return Err(io::Error::other("a line of a header has no end"));
            }
            let line = String::from_utf8_lossy(&line);
            match line.trim().split_once(':') {
                _ if line.trim().is_empty() => match length {
                    Some(length) => return Ok(Some(length)),
                    None => tracing::warn!("the editor sent a header without Content-Length"),
                },
                Some((name, value)) if name.eq_ignore_ascii_case("Content-Length") => {
                    let said = value.trim().parse().ok();
                    let said = said.filter(|length| *length <= MESSAGE_BYTES);
                    let wrong = || io::Error::other(format!("Content-Length is {value}"));
                    length = Some(said.ok_or_else(wrong)?);
                }
                Some(_) => {}
                None => tracing::warn!("the editor sent a line that belongs to no message"),
            }
        }
    }
}

/// The message in a form that can be read, if there is one.
fn readable(body: Vec<u8>) -> Option<Vec<u8>> {
    let mut body = match String::from_utf8(body) {
        Ok(text) => text.into_bytes(),
        Err(wrong) => String::from_utf8_lossy(wrong.as_bytes())
            .into_owned()
            .into_bytes(),
    };
    // Of many messages a second, each with a whole file, hardly one has such an escape.
    if [br"\ud", br"\uD"]
        .iter()
        .any(|half| memmem::find(&body, *half).is_some())
    {
        mend_halves(&mut body);
    }
    match serde_json::from_slice::<Envelope<'_>>(&body) {
        Ok(envelope) if envelope.jsonrpc == "2.0" => return Some(body),
        Ok(_) => tracing::warn!("the editor sent a message that is not of JSON-RPC 2.0"),
        Err(error) => tracing::warn!(%error, "the editor sent what is no message"),
    }
    None
}

/// Length of an escape such as `\ud83d`.
const ESCAPE: usize = 6;

/// Replaces each escape of half a surrogate pair.
fn mend_halves(json: &mut [u8]) {
    let mut at = 0;
    while let Some(found) = json.get(at..).and_then(|rest| memchr(b'\\', rest)) {
        at += found;
        at += match escaped(&json[at..]) {
            // Of another kind; what follows is no beginning of one.
            None => 2,
            Some(0xD800..=0xDBFF)
                if matches!(
                    json.get(at + ESCAPE..).and_then(escaped),
                    Some(0xDC00..=0xDFFF)
                ) =>
            {
                2 * ESCAPE
            }
            Some(0xD800..=0xDFFF) => {
                json[at + 2..at + ESCAPE].copy_from_slice(b"fffd");
                ESCAPE
            }
            Some(_) => ESCAPE,
        };
    }
}

/// The code unit that stands at the beginning as an escape.
fn escaped(json: &[u8]) -> Option<u16> {
    let digits = json.strip_prefix(br"\u")?.get(..4)?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(body: &[u8]) -> Vec<u8> {
        let mut frame = format!("Content-Length: {}\r\n\r\n", body.len()).into_bytes();
        frame.extend(body);
        frame
    }

    fn read(input: &[u8]) -> (Vec<String>, io::Result<()>) {
        let mut frames = Frames::new(input);
        let mut read = Vec::new();
        loop {
            match frames.next() {
                Ok(Some(frame)) => read.push(String::from_utf8(frame).unwrap()),
                Ok(None) => return (read, Ok(())),
                Err(error) => return (read, Err(error)),
            }
        }
    }

    fn bodies(input: &[u8]) -> Vec<String> {
        let (read, end) = read(input);
        end.unwrap();
        let body = |frame: String| {
            let (header, body) = frame.split_once("\r\n\r\n").unwrap();
            assert_eq!(header, format!("Content-Length: {}", body.len()));
            body.to_owned()
        };
        read.into_iter().map(body).collect()
    }

    #[test]
    fn what_can_be_read_passes_and_what_cannot_holds_up_nothing() {
        let mut input = b"garbage\r\n\r\nmore: of it\r\n\r\n".to_vec();
        for body in ["", "{", "[]", "{}", r#"{"jsonrpc":"1.0"}"#] {
            input.extend(frame(body.as_bytes()));
        }
        let request = r#"{"jsonrpc":"2.0","method":"m","id":"x","params":[1],"more":{}}"#;
        let answer = r#"{"jsonrpc":"2.0","id":1,"result":null}"#;
        input.extend(frame(request.as_bytes()));
        input.extend(frame(b"{\"jsonrpc\":\"2.0\",\"method\":\"\xFF\"}"));
        input.extend(b"Content-Type: application/vscode-jsonrpc; charset=utf-8\n");
        input.extend(format!("content-length:{}\n\n{answer}", answer.len()).bytes());
        input.extend(&frame(answer.as_bytes())[..30]);
        let mended = "{\"jsonrpc\":\"2.0\",\"method\":\"\u{FFFD}\"}";
        assert_eq!(bodies(&input), [request, mended, answer]);
    }

    #[test]
    fn half_a_pair_becomes_one_character_and_a_whole_one_stays() {
        for (sent, passed) in [
            (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
            (r#""\uD83D\uDE00\uD83D""#, r#""\uD83D\uDE00\ufffd""#),
            (r#""\ude00\ud83d""#, r#""\ufffd\ufffd""#),
            (r#""\ud83dx\u00e4\ud83d\n""#, r#""\ufffdx\u00e4\ufffd\n""#),
            (r#""\\ud83d""#, r#""\\ud83d""#),
            (r#""\\\ud83d""#, r#""\\\ufffd""#),
        ] {
            let message = |text: &str| format!(r#"{{"jsonrpc":"2.0","params":[{text}]}}"#);
            let passes = bodies(&frame(message(sent).as_bytes()));
            assert_eq!(passes, [message(passed)]);
            serde_json::from_str::<String>(passed).unwrap();
        }
    }

    #[test]
    fn a_length_that_is_none_and_a_line_without_an_end_are_the_end() {
        let mut input = frame(br#"{"jsonrpc":"2.0"}"#);
        input.extend(b"Content-Length: -1\r\n\r\n{}");
        let (read_before, end) = read(&input);
        assert_eq!(read_before.len(), 1);
        assert!(end.unwrap_err().to_string().contains("-1"));
        assert!(read(b"Content-Length: 99999999999\r\n\r\n").1.is_err());
        assert!(read(&vec![b'x'; HEADER_BYTES as usize]).1.is_err());
    }
}
