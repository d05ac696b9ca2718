//! lib0's variable-length encoding, the alphabet of every Yjs message.
//!
//! Reading borrows from the frame and never allocates by a length that the frame merely claims.

use thiserror::Error;

/// Why bytes are not the message they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The message ends inside a value.
    #[error("the message ends too early")]
    UnexpectedEnd,
    /// A number does not fit 64 bits (lib0 itself stops at 53).
    #[error("a number in the message is too large")]
    NumberTooLarge,
    /// A string is not UTF-8.
    #[error("a text in the message is not UTF-8")]
    InvalidUtf8,
    /// A message type that this protocol does not have; the number is the one received.
    #[error("message type {0} is unknown")]
    UnknownType(u64),
    /// A name that is no document's.
    #[error("a name in the message is no document's")]
    NotADocument,
}

/// Reads values one after another from a frame.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the beginning of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether everything has been read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// One unsigned number: seven bits a byte, the lowest first, the high bit says that more follow.
    pub fn var_uint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.rest.split_first().ok_or(DecodeError::UnexpectedEnd)?;
            self.rest = rest;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(DecodeError::NumberTooLarge);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::NumberTooLarge)
    }

    /// A byte string with its length in front.
    pub fn var_bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = usize::try_from(self.var_uint()?).map_err(|_| DecodeError::UnexpectedEnd)?;
        let (bytes, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(DecodeError::UnexpectedEnd)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// A UTF-8 string with its length in bytes in front.
    pub fn var_str(&mut self) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.var_bytes()?).map_err(|_| DecodeError::InvalidUtf8)
    }
}

/// Appends values to a frame.
pub trait Write {
    /// One unsigned number.
    fn var_uint(&mut self, value: u64);
    /// A byte string with its length in front.
    fn var_bytes(&mut self, bytes: &[u8]);
    /// A UTF-8 string with its length in bytes in front.
    fn var_str(&mut self, text: &str) {
        self.var_bytes(text.as_bytes());
    }
}

impl Write for Vec<u8> {
    fn var_uint(&mut self, mut value: u64) {
        while value > 0x7f {
            self.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.push(value as u8);
    }

    fn var_bytes(&mut self, bytes: &[u8]) {
        self.var_uint(bytes.len() as u64);
        self.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_survive(value: u64) {
            let mut bytes = Vec::new();
            bytes.var_uint(value);
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.var_uint(), Ok(value));
            prop_assert!(reader.is_empty());
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            let mut reader = Reader::new(&bytes);
            while !reader.is_empty() && reader.var_str().is_ok() {}
        }
    }

    #[test]
    fn a_claimed_length_is_not_believed() {
        let mut bytes = Vec::new();
        bytes.var_uint(u64::MAX);
        assert_eq!(
            Reader::new(&bytes).var_bytes(),
            Err(DecodeError::UnexpectedEnd)
        );
    }

    #[test]
    fn a_number_of_eleven_bytes_is_refused() {
        assert_eq!(
            Reader::new(&[0xff; 11]).var_uint(),
            Err(DecodeError::NumberTooLarge)
        );
    }
}
