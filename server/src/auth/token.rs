//! Tokens: what a link's holder or the administrator shows to be let in.
//!
//! A token is 55 URL-safe characters: a public id of 12, by which the record is found, and a
//! secret of 43 (32 random bytes in base64). Only the SHA-256 hash of the whole is stored, and
//! hashes are compared in constant time, so that neither the store nor the clock gives a token
//! away. 256 random bits need no salt and no slow hash.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

const ID_LEN: usize = 12;
const SECRET_BYTES: usize = 32;
const SECRET_LEN: usize = 43;

/// Letters and digits that are not taken for one another; 32 of them, so that 5 random bits
/// choose one without a bias.
const ID_ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// A random, unguessable-enough name of `len` characters with 5 bits each; not a secret.
pub(crate) fn random_id(len: usize) -> Result<String, getrandom::Error> {
    let mut bytes = vec![0u8; len];
    getrandom::fill(&mut bytes)?;
    Ok(bytes
        .iter()
        .map(|byte| char::from(ID_ALPHABET[usize::from(byte & 31)]))
        .collect())
}

/// A token in the clear. It shows itself only through [`Token::reveal`].
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// A new token, from the system's random source.
    pub fn generate() -> Result<Token, getrandom::Error> {
        let mut secret = [0u8; SECRET_BYTES];
        getrandom::fill(&mut secret)?;
        Ok(Token(random_id(ID_LEN)? + &URL_SAFE_NO_PAD.encode(secret)))
    }

    /// Reads a token as it stands in a link; none if it is not of a token's form.
    pub fn parse(text: &str) -> Option<Token> {
        let url_safe = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let sound = text.len() == ID_LEN + SECRET_LEN && text.bytes().all(url_safe);
        sound.then(|| Token(text.to_owned()))
    }

    /// The public part, by which the record is found.
    pub fn id(&self) -> &str {
        &self.0[..ID_LEN]
    }

    /// What is stored of the token.
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.0.as_bytes()).into())
    }

    /// The whole token, to hand it to the person it is made for.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}…)", self.id())
    }
}

/// The SHA-256 hash of a token.
#[derive(Clone, Copy)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// A hash that no token has, to compare with where there is no record.
    pub(crate) const NONE: TokenHash = TokenHash([0; 32]);

    /// A stored hash.
    pub fn from_bytes(bytes: [u8; 32]) -> TokenHash {
        TokenHash(bytes)
    }

    /// The hash as it is stored.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether `token` has this hash, in a time that does not depend on the answer.
    pub fn matches(&self, token: &Token) -> bool {
        self.0.ct_eq(&token.hash().0).into()
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_the_way_and_another_does_not_match() {
        let token = Token::generate().unwrap();
        let read = Token::parse(token.reveal()).unwrap();
        assert_eq!(read.id(), token.id());
        assert!(token.hash().matches(&read));
        assert!(!token.hash().matches(&Token::generate().unwrap()));
        assert!(!TokenHash::NONE.matches(&token));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let token = Token::generate().unwrap().reveal().to_owned();
        let spaced = format!("{} ", &token[..54]);
        for bad in [
            "",
            "abc",
            &token[1..],
            &format!("{token}a"),
            &spaced,
            &"é".repeat(30),
        ] {
            assert!(Token::parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let token = Token::generate().unwrap();
        let shown = format!("{token:?} {:?}", token.hash());
        assert!(!shown.contains(&token.reveal()[ID_LEN..]), "{shown}");
    }
}
