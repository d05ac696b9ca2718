//! Contents of files that are no texts: named by their SHA-256, whole or not there at all.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The largest content that a server takes if its operator does not say otherwise, in bytes.
pub const DEFAULT_MAX_BYTES: u64 = 100 * 1024 * 1024;
/// The most contents that are asked about at once.
pub const MAX_ASKED: usize = 1_000;

/// A text that names no content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a content is named by its SHA-256: 64 digits out of 0-9 and a-f")]
pub struct NoHash;

/// The SHA-256 of a content. Its text form is 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BlobHash(pub [u8; 32]);

impl fmt::Display for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for BlobHash {
    type Err = NoHash;

    fn from_str(text: &str) -> Result<Self, NoHash> {
        // One name for each content: upper-case letters would make a second.
        let digit = |c: u8| match c {
            b'0'..=b'9' => Some(c - b'0'),
            b'a'..=b'f' => Some(c - b'a' + 10),
            _ => None,
        };
        let mut hash = [0; 32];
        if text.len() != 2 * hash.len() {
            return Err(NoHash);
        }
        for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = digit(pair[0]).zip(digit(pair[1])).ok_or(NoHash)?;
            *byte = digits.0 << 4 | digits.1;
        }
        Ok(Self(hash))
    }
}

impl TryFrom<String> for BlobHash {
    type Error = NoHash;

    fn try_from(text: String) -> Result<Self, NoHash> {
        text.parse()
    }
}

impl From<BlobHash> for String {
    fn from(hash: BlobHash) -> String {
        hash.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_has_one_name() {
        let text = "0123456789abcdef".repeat(4);
        let hash: BlobHash = text.parse().unwrap();
        assert_eq!(hash.0[..2], [0x01, 0x23]);
        assert_eq!(hash.to_string(), text);
        let upper = text.to_uppercase();
        let wide = "é".repeat(32);
        for bad in ["", &text[1..], &format!("{text}0"), &upper, "../..", &wide] {
            assert_eq!(bad.parse::<BlobHash>(), Err(NoHash), "{bad}");
        }
    }
}
