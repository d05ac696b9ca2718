//! What must be there at the end, to the letter.
//!
//! The text at the start is in capitals, what is pasted in digits, and each person types in small letters of their own.
//! So each letter tells who typed it, and the order of one's letters tells which is missing, doubled or misplaced.

use std::fmt::Write;

use anyhow::{Context, Result, ensure};
use tutti_tests::project::difference;

/// How many keys each presses: thirty seconds at eight a second.
pub(crate) const KEYS: usize = 240;
/// After so many they leave their own lines for a common one.
pub(crate) const OWN_KEYS: usize = KEYS / 2;

/// Lines of one paragraph. With a space in it, no line can be mistaken for something typed.
pub(crate) const COMMON_LINE: &str = "PARAGRAPH BOTH";
/// Where nobody else is.
pub(crate) const QUIET_LINE: &str = "A QUIET PLACE";
/// Behind which the lines are pasted.
pub(crate) const PASTE_LINE: &str = "THE END";
/// How many lines at the top are to be deleted.
pub(crate) const BLOCK_LINES: usize = 12;

/// One of the two: their own line, and what they type.
#[derive(Clone, Debug)]
pub(crate) struct Hand {
    pub(crate) line: &'static str,
    pub(crate) typed: String,
}

impl Hand {
    /// The person who does more than type.
    pub(crate) fn busy() -> Self {
        Self::new("PARAGRAPH ONE", "abcdefghijklm")
    }

    /// The other.
    pub(crate) fn other() -> Self {
        Self::new("PARAGRAPH TWO", "nopqrstuvwxyz")
    }

    /// Numbers in the letters of `alphabet`, the last of which ends each.
    fn new(line: &'static str, alphabet: &'static str) -> Self {
        let (digits, end) = alphabet.split_at(alphabet.len() - 1);
        let digits: Vec<char> = digits.chars().collect();
        let mut typed = String::new();
        for number in 0.. {
            if typed.len() >= KEYS {
                break;
            }
            typed.push(digits[number / digits.len() % digits.len()]);
            typed.push(digits[number % digits.len()]);
            typed.push_str(end);
        }
        typed.truncate(KEYS);
        Self { line, typed }
    }

    /// Those of its letters that are in `text`.
    pub(crate) fn in_text(&self, text: &str) -> String {
        text.chars().filter(|&it| self.typed.contains(it)).collect()
    }
}

/// What one pastes, behind [`PASTE_LINE`].
pub(crate) fn pasted() -> String {
    (1..=200).fold(String::new(), |mut text, number| {
        write!(text, "\n{number:04} 27182 81828").expect("a string grows");
        text
    })
}

/// The text at the start.
pub(crate) fn start() -> String {
    let block: String = ('A'..)
        .take(BLOCK_LINES)
        .map(|letter| format!("BLOCK {letter}\n"))
        .collect();
    let (one, two) = (Hand::busy().line, Hand::other().line);
    format!("{block}{QUIET_LINE}\n\n{one}\n{two}\n{COMMON_LINE}\n\n{PASTE_LINE}\n")
}

/// `text` with `more` behind a line of it.
pub(crate) fn behind(text: &str, line: &str, more: &str) -> String {
    text.replacen(&format!("{line}\n"), &format!("{line}{more}\n"), 1)
}

/// How long the text is when all has arrived.
pub(crate) fn final_length() -> usize {
    let block: usize = start()
        .split_inclusive('\n')
        .take(BLOCK_LINES)
        .map(str::len)
        .sum();
    start().len() - block + pasted().len() + 2 * KEYS
}

/// Checks the text at the end: everything typed once and in order, nothing else, and what was there.
pub(crate) fn check(text: &str) -> Result<()> {
    let (busy, other) = (Hand::busy(), Hand::other());
    let mut expected: String = start().split_inclusive('\n').skip(BLOCK_LINES).collect();
    expected = behind(&expected, PASTE_LINE, &pasted());
    for hand in [&busy, &other] {
        expected = behind(&expected, hand.line, &hand.typed[..OWN_KEYS]);
    }
    let (before, after) = expected
        .split_once(&format!("{COMMON_LINE}\n"))
        .context("the common line is there")?;
    // Whose letter comes first there is open, each person's order is not.
    let common = text
        .strip_prefix(before)
        .and_then(|rest| rest.strip_suffix(after))
        .and_then(|rest| rest.strip_prefix(COMMON_LINE))
        .and_then(|rest| rest.strip_suffix('\n'))
        .with_context(|| difference(&expected, text))?;
    for hand in [&busy, &other] {
        let (kept, typed) = (hand.in_text(common), &hand.typed[OWN_KEYS..]);
        ensure!(kept == typed, "{}\nin {common}", difference(typed, &kept));
    }
    ensure!(
        common.len() == 2 * (KEYS - OWN_KEYS),
        "nobody typed all of {common}"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A text as it may be at the end.
    fn good() -> String {
        let mut text: String = start().split_inclusive('\n').skip(BLOCK_LINES).collect();
        let (busy, other) = (Hand::busy(), Hand::other());
        text = behind(&text, busy.line, &busy.typed[..OWN_KEYS]);
        text = behind(&text, other.line, &other.typed[..OWN_KEYS]);
        let both: String = (busy.typed[OWN_KEYS..].chars())
            .zip(other.typed[OWN_KEYS..].chars())
            .flat_map(|(one, two)| [one, two])
            .collect();
        text = behind(&text, COMMON_LINE, &both);
        behind(&text, PASTE_LINE, &pasted())
    }

    #[test]
    fn it_bites() {
        let text = good();
        assert_eq!(text.len(), final_length());
        check(&text).expect("nothing is wrong with it");
        for at in 0..text.len() {
            let missing = format!("{}{}", &text[..at], &text[at + 1..]);
            assert!(check(&missing).is_err(), "without {at}");
            let doubled = format!("{}{}", &text[..=at], &text[at..]);
            assert!(check(&doubled).is_err(), "with {at} twice");
        }
    }
}
