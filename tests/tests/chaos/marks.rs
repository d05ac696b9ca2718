//! What is typed: marks, each of which is there once in the whole run and says when it was typed.

use std::fmt;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// What ends the author's name in a mark, and the mark.
pub(crate) const NAME_END: char = '.';
pub(crate) const END: char = ';';

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// `CLIENT.NUMBER@MILLISECONDS;`
pub(crate) struct Mark {
    pub(crate) client: u64,
    number: u32,
    at_ms: u64,
}

impl Mark {
    pub(crate) fn now(client: u64, number: u32) -> Self {
        Self {
            client,
            number,
            at_ms: START.elapsed().as_millis() as u64,
        }
    }

    pub(crate) fn age(&self) -> Duration {
        START
            .elapsed()
            .saturating_sub(Duration::from_millis(self.at_ms))
    }

    /// The marks that stand in an update, in plain text between what encodes them.
    pub(crate) fn all_in(update: &[u8]) -> impl Iterator<Item = Self> {
        let is_part = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'@');
        update
            .split(|&byte| byte == END as u8)
            .filter_map(move |part| {
                let start = part.iter().rposition(|byte| !is_part(byte));
                let mark = std::str::from_utf8(&part[start.map_or(0, |at| at + 1)..]).ok()?;
                let (client, rest) = mark.split_once(NAME_END)?;
                let (number, at) = rest.split_once('@')?;
                Some(Self {
                    // A byte of the encoding may look like a digit of the name.
                    client: client.parse().ok()?,
                    number: number.parse().ok()?,
                    at_ms: at.parse().ok()?,
                })
            })
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            client,
            number,
            at_ms,
        } = self;
        write!(f, "{client}{NAME_END}{number}@{at_ms}{END}")
    }
}

/// The marks of a text.
pub(crate) fn of(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(END)
}

/// The nearest place from `near` on that is not within a mark.
pub(crate) fn place(text: &str, near: usize) -> usize {
    text[near..]
        .find(END)
        .map_or(text.len(), |at| near + at + 1)
}
